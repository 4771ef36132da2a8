import Control

/// One manual page, in the language of `man 7 man`, made from what the argument parser says of a command.
struct ManualPage {
    private let command: JSONValue
    private let root: JSONValue

    /// - Parameters:
    ///   - command: as in `firn --experimental-dump-help`.
    ///   - root: the whole program.
    init(_ command: JSONValue, in root: JSONValue) {
        self.command = command
        self.root = root
    }

    /// One page for the program and one for each command that is shown.
    static func all(dump: JSONValue) -> [ManualPage] {
        let root = dump["command"]
        return [ManualPage(root, in: root)]
            + ManualPage.shown(root["subcommands"]).filter { $0["commandName"].string != "help" }
            .map { ManualPage($0, in: root) }
    }

    private var isRoot: Bool { command == root }
    private var words: [String] {
        command["superCommands"].elements.compactMap(\.string) + [command["commandName"].string ?? ""]
    }

    /// Those that are worth a word: every command takes `--help`, and the program's version is the program's.
    private var arguments: [JSONValue] {
        ManualPage.shown(command["arguments"]).filter { argument in
            let name = argument["preferredName"]["name"].string
            return isRoot || (name != "help" && name != "version")
        }
    }

    /// `firn-commit`
    var name: String { words.joined(separator: "-") }

    var text: String {
        var lines = [
            #".\" Generated from the argument parser by scripts/generate-docs.sh; do not edit."#,
            ".TH \(name.uppercased()) 1 \"\" \"firn \(Program.version)\" \"Firn manual\"",
            ".SH NAME", "\(Roff.escape(name)) \\- \(Roff.escape(abstract(command)))",
            ".SH SYNOPSIS",
        ]
        lines += synopsis
        lines += [".SH DESCRIPTION"]
        let discussion = Discussion(command["discussion"].string ?? "")
        lines += discussion.paragraphs.flatMap { [".PP", Roff.escape($0)] }.dropFirst()
        if let aliases = command["aliases"].elements.first?.string {
            lines += [".PP", "\\fB\(words.dropLast().joined(separator: " ")) \(aliases)\\fR does the same."]
        }
        if isRoot { lines += commands }
        lines += options
        for section in discussion.sections { lines += Roff.literal(section.title, section.lines) }
        lines += seeAlso
        return lines.joined(separator: "\n") + "\n"
    }

    private var synopsis: [String] {
        var line = "\\fB\(words.joined(separator: " "))\\fR"
        if isRoot { return [line + " \\fIcommand\\fR [\\fIoptions\\fR]"] }
        for argument in arguments where argument["kind"].string != "positional" {
            let text = ManualPage.form(argument)
            line += " " + (argument["isOptional"].bool == true ? "[\(text)]" : text)
        }
        for argument in arguments where argument["kind"].string == "positional" {
            let text = ManualPage.form(argument) + (argument["isRepeating"].bool == true ? "..." : "")
            line += " " + (argument["isOptional"].bool == true ? "[\(text)]" : text)
        }
        return [line]
    }

    private var commands: [String] {
        [".SH COMMANDS"]
            + ManualPage.shown(root["subcommands"]).filter { $0["commandName"].string != "help" }.flatMap {
                [".TP", "\\fBfirn \($0["commandName"].string ?? "")\\fR", Roff.escape(abstract($0))]
            }
    }

    private var options: [String] {
        if arguments.isEmpty { return [] }
        return [".SH OPTIONS"]
            + arguments.flatMap { argument -> [String] in
                var text = Roff.escape(abstract(argument))
                if let value = argument["defaultValue"].string { text += " Default: \(Roff.escape(value))." }
                return [".TP", ManualPage.form(argument, all: true), text]
            }
    }

    private var seeAlso: [String] {
        guard isRoot else { return [".SH SEE ALSO", "\\fBfirn\\fR(1)"] }
        let names = ManualPage.shown(root["subcommands"]).compactMap { $0["commandName"].string }
            .filter { $0 != "help" }
        return [
            ".SH SEE ALSO", names.map { "\\fBfirn\\-\(Roff.escape($0))\\fR(1)" }.joined(separator: ",\n"),
        ]
    }

    private func abstract(_ value: JSONValue) -> String { value["abstract"].string ?? "" }

    private static func shown(_ values: JSONValue) -> [JSONValue] {
        values.elements.filter { $0["shouldDisplay"].bool != false }
    }

    /// `-m, --message <message>`, in the short form the preferred name alone.
    private static func form(_ argument: JSONValue, all: Bool = false) -> String {
        let value = "\\fI\(Roff.escape(argument["valueName"].string ?? "value"))\\fR"
        if argument["kind"].string == "positional" { return value }
        let all = all ? argument["names"].elements : [argument["preferredName"]]
        let names = all.filter { $0["kind"].string != "long" } + all.filter { $0["kind"].string == "long" }
        let text = names.map { name in
            let dashes = name["kind"].string == "long" ? "--" : "-"
            return "\\fB\(Roff.escape(dashes + (name["name"].string ?? "")))\\fR"
        }
        return text.joined(separator: ", ") + (argument["kind"].string == "option" ? " \(value)" : "")
    }
}

/// The long text of a command: paragraphs, then parts such as `EXAMPLES:` whose lines are kept as they are.
struct Discussion {
    private(set) var paragraphs: [String] = []
    private(set) var sections: [(title: String, lines: [String])] = []

    init(_ text: String) {
        for block in text.split(separator: "\n\n") {
            let lines = block.split(separator: "\n").map { String($0) }
            if let title = lines.first, title.hasSuffix(":"), title == title.uppercased() {
                sections.append((String(title.dropLast()), Array(lines.dropFirst())))
            } else {
                paragraphs.append(lines.joined(separator: " "))
            }
        }
    }
}

/// The few things that `man 7 man` needs said in its own way.
enum Roff {
    static func escape(_ text: String) -> String {
        var text = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        // A line that begins so would be an instruction.
        if text.hasPrefix(".") || text.hasPrefix("'") { text = "\\&" + text }
        return text
    }

    static func literal(_ title: String, _ lines: [String]) -> [String] {
        [".SH \(title)", ".nf"] + lines.map { escape($0.hasPrefix("  ") ? String($0.dropFirst(2)) : $0) } + [
            ".fi"
        ]
    }
}
