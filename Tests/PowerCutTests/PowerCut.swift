import Glibc
import TestSupport

/// What may be on the disk when the power goes, by what POSIX promises and little more:
///
/// - A file's bytes and size are sure after fsync, fdatasync or syncfs. Before that any part of what was written may
///   be there, in any order, in units of 512 or 4096 bytes; a file may have its new size and old rubbish in it.
/// - A file's mode, owner, times and attributes are sure after its fsync or syncfs. Before that those set first are
///   there before those set later.
/// - A name is sure after an fsync of its directory, or syncfs; not by an fsync of the file. A rename is there as a
///   whole or not, and an fsync of one of its two directories is enough. Changes of one name come in their order.
/// - A name that is there brings the attributes that its file had when the name was given (``Promise/posix``). ext4,
///   XFS and btrfs keep that, since their logs have an order, and staging relies on it for its marks.
///
/// With ``Promise/journal`` the changes of names and attributes come in their order altogether, and any fsync brings
/// all before it, as on ext4 and XFS; bytes come as before.
struct PowerCut {
    enum Promise: Hashable, CaseIterable { case posix, journal }

    let record: DiskRecord
    /// By step: the first step after which it is sure; `Int.max` where none is.
    private let sureAfter: [Promise: [Int]]
    /// By step: earlier ones that must be there if it is.
    private let needs: [[Int]]
    private let isBytes: [Bool]

    init(_ record: DiskRecord) {
        self.record = record
        let steps = record.steps
        isBytes = steps.map { step in
            switch step.change {
            case .write, .resize, .zero: true
            default: false
            }
        }
        needs = PowerCut.needs(steps)
        sureAfter = [.posix: PowerCut.sure(steps), .journal: PowerCut.sureByJournal(steps, isBytes)]
    }

    // MARK: What is sure

    private static func sure(_ steps: [DiskRecord.Step]) -> [Int] {
        var sure = [Int](repeating: .max, count: steps.count)
        var bytes: [Int: [Int]] = [:]
        var attributes: [Int: [Int]] = [:]
        var names: [Int: [Int]] = [:]
        var all: [Int] = []
        for (index, step) in steps.enumerated() {
            switch step.change {
            // There as soon as something names it.
            case .make, .mark: sure[index] = index
            case .name(let name, _), .remove(let name): names[name.directory, default: []].append(index)
            case .rename(let old, let new, _, _), .exchange(let old, let new, _, _):
                names[old.directory, default: []].append(index)
                names[new.directory, default: []].append(index)
            case .write(let file, _, _), .resize(let file, _), .zero(let file, _, _):
                bytes[file, default: []].append(index)
            case .mode(let file, _), .owner(let file, _, _), .times(let file, _, _),
                .setAttribute(let file, _, _), .removeAttribute(let file, _):
                attributes[file, default: []].append(index)
            case .sync(let file, let dataOnly):
                var done = (bytes.removeValue(forKey: file) ?? []) + (names.removeValue(forKey: file) ?? [])
                if !dataOnly { done += attributes.removeValue(forKey: file) ?? [] }
                for step in done { sure[step] = min(sure[step], index) }
            case .syncAll:
                for step in all where sure[step] == .max { sure[step] = index }
                (bytes, attributes, names, all) = ([:], [:], [:], [])
            }
            if sure[index] == .max { all.append(index) }
        }
        return sure
    }

    private static func sureByJournal(_ steps: [DiskRecord.Step], _ isBytes: [Bool]) -> [Int] {
        var sure = PowerCut.sure(steps)
        var next = Int.max
        for index in steps.indices.reversed() {
            switch steps[index].change {
            case .sync, .syncAll: next = index
            default: if !isBytes[index] { sure[index] = min(sure[index], next) }
            }
        }
        return sure
    }

    private static func needs(_ steps: [DiskRecord.Step]) -> [[Int]] {
        var needs = [[Int]](repeating: [], count: steps.count)
        var lastOfName: [DiskRecord.Name: Int] = [:]
        var lastOfFile: [Int: Int] = [:]
        for (index, step) in steps.enumerated() {
            func named(_ names: [DiskRecord.Name], _ files: [Int]) {
                needs[index] = names.compactMap { lastOfName[$0] } + files.compactMap { lastOfFile[$0] }
                for name in names { lastOfName[name] = index }
            }
            switch step.change {
            case .name(let name, let file): named([name], [file])
            case .remove(let name): named([name], [])
            case .rename(let old, let new, let file, _): named([old, new], [file])
            case .exchange(let one, let two, let file, let other): named([one, two], [file, other])
            case .mode(let file, _), .owner(let file, _, _), .times(let file, _, _),
                .setAttribute(let file, _, _), .removeAttribute(let file, _):
                needs[index] = lastOfFile[file].map { [$0] } ?? []
                lastOfFile[file] = index
            default: break
            }
        }
        return needs
    }

    // MARK: One cut

    /// A way in which what is not sure is there or not.
    enum Fate: Hashable {
        /// Nothing of it.
        case none
        /// All of it: what a killed process leaves.
        case all
        case some(Promise, seed: UInt64)
    }

    struct State {
        let disk: DiskModel
        let expectation: Expectation
        /// Equal for equal states.
        let key: Int
    }

    /// The disk after the power went when the first `count` steps had been done.
    func state(after count: Int, _ fate: Fate) -> State {
        var generator = SeededGenerator(seed: 0)
        var promise = Promise.posix
        if case .some(let given, let seed) = fate {
            promise = given
            generator = SeededGenerator(seed: seed &* 0x9e37_79b9 &+ UInt64(count))
        }
        let sure = sureAfter[promise] ?? []
        var isThere = (0..<count).map { sure[$0] < count }
        let open = (0..<count).filter { !isThere[$0] }
        switch fate {
        case .none: break
        case .all: for index in open { isThere[index] = true }
        case .some: choose(open, &isThere, promise, &generator)
        }
        for index in (0..<count).reversed() where isThere[index] {
            for need in needs[index] { isThere[need] = true }
        }

        var disk = DiskModel(record)
        var hasher = Hasher()
        let expectation = record.expectation(after: count)
        hasher.combine(expectation)
        let filler: UInt8 = Bool.random(using: &generator) ? 0 : 0xa5
        for index in 0..<count where isThere[index] {
            var tear = DiskModel.Tear.whole
            if case .some = fate, isBytes[index], sure[index] >= count,
                UInt.random(in: 0..<3, using: &generator) == 0
            {
                let seed = generator.next()
                let unit = seed & 1 == 0 ? 512 : 4096
                tear = .torn(unit: unit, arrives: { PowerCut.coin(seed, $0) }, filler: filler)
                hasher.combine(seed)
            }
            disk.apply(record.steps[index].change, tear)
            if PowerCut.changesDisk(record.steps[index].change) { hasher.combine(index) }
        }
        return State(disk: disk, expectation: record.expectations[expectation], key: hasher.finalize())
    }

    private func choose(
        _ open: [Int], _ isThere: inout [Bool], _ promise: Promise, _ generator: inout SeededGenerator
    ) {
        let share = Double.random(in: 0...1, using: &generator)
        let names = open.filter { !isBytes[$0] }
        // A log that is written in order ends somewhere.
        let end = names.isEmpty ? 0 : Int.random(in: 0...names.count, using: &generator)
        let written = Set(names.prefix(end))
        for index in open {
            if promise == .journal, !isBytes[index] {
                isThere[index] = written.contains(index)
            } else {
                isThere[index] = Double.random(in: 0...1, using: &generator) < share
            }
        }
    }

    private static func coin(_ seed: UInt64, _ unit: Int) -> Bool {
        var generator = SeededGenerator(seed: seed &+ UInt64(unit))
        return Bool.random(using: &generator)
    }

    private static func changesDisk(_ change: DiskRecord.Change) -> Bool {
        switch change {
        case .make, .mark, .sync, .syncAll: false
        default: true
        }
    }
}
