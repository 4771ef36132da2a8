import Control
import Foundation
import Objects
import Store
import TestSupport
import Testing

@Suite struct MountHooksTests {
    /// Notes the hooks that are called, and whether the gate was closed.
    private final class Recorder: Sendable {
        private let calls = Lock([String]())

        func note(_ call: String) { calls.withLock { $0.append(call) } }

        func take() -> [String] {
            calls.withLock { calls in
                defer { calls = [] }
                return calls
            }
        }

        var hooks: MountHooks {
            MountHooks(
                versionsChanged: { _ in self.note("versions changed") },
                sealed: { version throws(StoreError) in self.note("sealed \(version.number)") },
                replaced: { paths throws(StoreError) in
                    self.note("replaced " + paths.map { $0.isRoot ? "/" : $0.display }.joined(separator: ","))
                },
                afterReplace: { self.note("after replace") },
                unmount: { () throws(StoreError) in self.note("unmount") },
                mountStatus: {
                    MountStatus(
                        mountpoint: "/mnt/x", pid: 7, isPassthrough: true, inodes: 3, openFiles: 1,
                        started: TestClock.start)
                })
        }
    }

    private let recorder = Recorder()

    private func perform(_ engine: Engine, _ request: ControlRequest) throws -> [String] {
        _ = try engine.perform(request, caller: .current)
        return recorder.take()
    }

    @Test func `the mount hears of each change, in order`() throws {
        let fixture = try StoreFixture(["a/b": [1], "c": [2]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace, hooks: recorder.hooks)
        #expect(
            try perform(engine, .commit(CommitRequest()))
                == ["sealed v000001", "after replace", "versions changed"])
        #expect(try perform(engine, .tag(name: "t", version: "1", moves: false)) == ["versions changed"])
        #expect(try perform(engine, .pin(versions: ["1"])) == ["versions changed"])
        #expect(try perform(engine, .untag(names: ["t"])) == ["versions changed"])
        try fixture.write("c", [3])
        #expect(
            try perform(engine, .restore(version: "1", paths: ["c", "a"], isForced: true))
                == ["replaced a,c", "after replace"])
        #expect(
            try perform(engine, .restore(version: "1", paths: [], isForced: true))
                == ["replaced /", "after replace"])
        try fixture.write("c", [3])
        #expect(try perform(engine, .abort) == ["replaced /", "after replace"])
        #expect(try perform(engine, .unmount) == ["unmount"])
        #expect(try perform(engine, .status(listsChanges: false)) == [])
    }

    @Test func `the kernel is told before what was replaced is removed, with the gate open`() throws {
        let fixture = try StoreFixture(["a/b": [1]])
        let (temporary, workspace) = (fixture.appending("tmp"), fixture.workspace)
        var hooks = MountHooks.none
        hooks.afterReplace = { [recorder] in
            let rubbish = try? FileManager.default.subpathsOfDirectory(atPath: temporary)
            recorder.note("\(rubbish?.filter { $0.hasSuffix("/b") }.count ?? 0) \(workspace.gate.isClosed)")
        }
        let engine = Engine(store: fixture.store, workspace: workspace, hooks: hooks)
        #expect(try perform(engine, .commit(CommitRequest())) == ["1 false"])
        try fixture.write("a/b", [2])
        #expect(try perform(engine, .restore(version: "1", paths: ["a"], isForced: true)) == ["1 false"])
        try fixture.write("a/b", [2])
        #expect(try perform(engine, .abort) == ["1 false"])
        try fixture.write("a/b", [2])
        let source = TestDirectory()
        let request = ImportRequest(
            source: Array(source.path.utf8), target: "a", isForced: true, commit: nil)
        #expect(try perform(engine, .importTree(request)) == ["1 false"])
        #expect(try fixture.files(below: "tmp") == [])
    }

    @Test func `a refused commit is not heard of`() throws {
        let fixture = try StoreFixture()
        let engine = Engine(store: fixture.store, workspace: fixture.workspace, hooks: recorder.hooks)
        #expect(throws: StoreError.self) {
            try engine.perform(.commit(CommitRequest()), caller: .current)
        }
        #expect(recorder.take().isEmpty)
    }
}
