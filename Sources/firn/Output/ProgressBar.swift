import CLinux
import Glibc
import Store

/// Shows how far long work has come, with its rate and the time left, on standard error and only where that is a
/// terminal. Work that is done in less than ``delay`` shows nothing.
final class ProgressBar: Sendable {
    private struct State: Sendable {
        var phase = ""
        var total: UInt64 = 0
        var done: UInt64 = 0
        var begun = ContinuousClock.now
        var drawn: ContinuousClock.Instant?
    }

    private let state = Lock(State())
    private let columns = Int(firn_terminal_columns(STDERR_FILENO))

    static let delay = Duration.milliseconds(400)
    private static let interval = Duration.milliseconds(100)

    /// To be given to the work; its calls may come from several threads.
    var progress: Progress {
        guard columns > 0 else { return .none }
        return Progress(
            onBegin: { phase, total in
                self.state.withLock { state in
                    ProgressBar.clear(&state)
                    state = State(phase: phase, total: total)
                }
            },
            onAdvance: { units in
                self.state.withLock { state in
                    state.done &+= units
                    self.draw(&state)
                }
            })
    }

    /// Removes the bar. To be called before anything else is printed.
    func end() { state.withLock { ProgressBar.clear(&$0) } }

    private func draw(_ state: inout State) {
        let now = ContinuousClock.now
        if let drawn = state.drawn {
            guard now - drawn >= ProgressBar.interval else { return }
        } else {
            guard now - state.begun >= ProgressBar.delay else { return }
        }
        state.drawn = now
        let line = ProgressBar.line(
            phase: state.phase, done: state.done, total: state.total,
            seconds: (now - state.begun) / .seconds(1), columns: columns)
        ProgressBar.write("\r\(line)\u{1B}[K")
    }

    private static func clear(_ state: inout State) {
        if state.drawn != nil { write("\r\u{1B}[K") }
        state.drawn = nil
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Phases whose units are bytes; of others they are things.
    private static let bytePhases: Set<String> = ["hashing", "importing", "exporting", "verifying"]

    /// `hashing  45 % [####.....]  1.2 GiB of 2.6 GiB  380 MiB/s  0:03 left`, cut to the terminal's width.
    static func line(phase: String, done: UInt64, total: UInt64, seconds: Double, columns: Int) -> String {
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let amount = { bytePhases.contains(phase) ? Quantity.bytes($0) : String($0 as UInt64) }
        let perSecond = "\(amount(UInt64(rate)))/s"
        guard total > 0 else {
            return String("\(phase)  \(amount(done))  \(perSecond)".prefix(max(0, columns - 1)))
        }
        let part = min(1, Double(done) / Double(total))
        let left = rate > 0 ? Quantity.clock(seconds: Double(total - min(done, total)) / rate) : "?"
        let width = columns < 100 ? 10 : 20
        let filled = Int(part * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let percent = String(Int(part * 100))
        let number = String(repeating: " ", count: 3 - percent.count) + percent
        let amounts = "\(amount(done)) of \(amount(total))  \(perSecond)  \(left) left"
        return String("\(phase) \(number) % [\(bar)]  \(amounts)".prefix(max(0, columns - 1)))
    }
}
