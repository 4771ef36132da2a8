/// Lines of columns, each as wide as its widest cell. The last column is not padded.
struct Table {
    enum Alignment {
        case left, right
    }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// - Parameter columns: headings and how what is below them is set; cells that the rows lack stay empty.
    init(_ columns: [(heading: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.heading)]
    }

    /// Without headings.
    init(alignments: [Alignment]) {
        self.alignments = alignments
        rows = []
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// Without newlines and without spaces at their ends.
    var lines: [String] {
        var widths = alignments.map { _ in 0 }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                line += alignments[index] == .right ? padding + cell : cell + padding
                if index < row.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
