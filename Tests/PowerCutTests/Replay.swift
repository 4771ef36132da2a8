import Dispatch
import Glibc
import Store
import SystemPackage
import TestSupport

/// Many power cuts, on all cores.
final class Replay: Sendable {
    private struct Progress {
        var keys: Set<Int> = []
        var failures: [String] = []
    }

    private let cut: PowerCut
    private let directory: String
    private let progress = Lock(Progress())

    init(_ cut: PowerCut, in directory: String) {
        self.cut = cut
        self.directory = directory
    }

    /// How many different states were looked at.
    var count: Int { progress.withLock { $0.keys.count } }

    /// - Returns: what was wrong, one text for each state.
    func run(stateCount: Int, seed: UInt64) -> [String] {
        let cuts = Replay.cuts(cut.record.steps.count, stateCount, seed)
        DispatchQueue.concurrentPerform(iterations: cuts.count) { index in
            check(after: cuts[index].count, cuts[index].fate, index)
        }
        return progress.withLock { $0.failures }
    }

    /// Every moment with none and with all of what is not sure, then subsets; spread evenly where that is too many.
    private static func cuts(
        _ stepCount: Int, _ stateCount: Int, _ seed: UInt64
    ) -> [(count: Int, fate: PowerCut.Fate)] {
        var generator = SeededGenerator(seed: seed)
        var cuts: [(count: Int, fate: PowerCut.Fate)] = []
        var fates: [PowerCut.Fate] = [
            .none, .some(.posix, seed: generator.next()), .some(.posix, seed: generator.next()),
        ]
        fates += [.some(.journal, seed: generator.next()), .all]
        while cuts.count < stateCount {
            let room = stateCount - cuts.count
            let stride = max(1, stepCount * fates.count / room)
            let first = Int.random(in: 0..<stride, using: &generator)
            for at in Swift.stride(from: first, to: (stepCount + 1) * fates.count, by: stride) {
                cuts.append((at / fates.count, fates[at % fates.count]))
            }
            fates = (0..<4).map { .some($0 == 0 ? .journal : .posix, seed: generator.next()) }
        }
        return cuts
    }

    private func check(after count: Int, _ fate: PowerCut.Fate, _ index: Int) {
        let state = cut.state(after: count, fate)
        guard progress.withLock({ $0.keys.insert(state.key).inserted }) else { return }
        let place = "\(directory)/state-\(index)"
        mkdir(place, 0o700)
        var problems: [String]
        do {
            try state.disk.materialize(at: place)
            problems = StateCheck.problems(in: place, state.expectation)
        } catch {
            problems = ["cannot make the state: \(error)"]
        }
        if let top = try? Syscall.open(at: AT_FDCWD, RawPath(directory), O_RDONLY | O_DIRECTORY) {
            try? RemoveTree.remove(RawPath("state-\(index)"), at: top)
        }
        guard !problems.isEmpty else { return }
        let moment = "after \(count) steps (\(state.expectation.phase)), \(fate)"
        progress.withLock { $0.failures.append(moment + ":\n  " + problems.joined(separator: "\n  ")) }
    }
}
