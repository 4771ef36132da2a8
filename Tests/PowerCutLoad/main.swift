// powercut-load DIRECTORY LOG SEED
//
// Makes a store at DIRECTORY/store, works with it, and writes to LOG what that did to the disk. For PowerCutTests.

internal import CRecorder
internal import Glibc
internal import Objects
internal import Store
internal import SystemPackage
internal import TestSupport

let arguments = CommandLine.arguments
guard arguments.count == 4, let seed = UInt64(arguments[3]) else {
    print("usage: powercut-load DIRECTORY LOG SEED")
    exit(2)
}
// Modes are to be what the calls say, as in the daemon.
umask(0)
guard firn_recorder_start(arguments[1], arguments[2]) == 0 else {
    perror("powercut-load: \(arguments[1])")
    exit(1)
}
try run(Load(storeAt: arguments[1] + "/store", seed: seed))

func run(_ load: Load) throws {
    try firstVersions(load)
    try syncedFiles(load)
    try openFiles(load)
    try replacements(load)
    try oblivion(load)
    // Enough files for one sync of all instead of one each, and a log that moves into the catalog's file.
    try load.stage { fixture in
        for index in 0..<70 { try fixture.write(TreePath(stringLiteral: "many/\(index)"), load.bytes(100)) }
    }
    try load.commit("many")
    try load.reopen()
    // Most of the large directory stays as it is, so the catalog keeps a delta.
    try load.stage { fixture in
        try fixture.write("last", load.bytes(5000))
        try fixture.write("many/7", load.bytes(50))
    }
    try load.commit("last")
    try copiedUpFiles(load)
    // Without closing: what is on the disk now must be what the record says, the log of the catalog included.
    _exit(0)
}

func firstVersions(_ load: Load) throws {
    try load.stage { fixture in
        try fixture.write("a", load.bytes(3000))
        try fixture.write("d/b", load.bytes(20_000))
        try fixture.write("d/e/c", [])
        try fixture.makeSymlink("d/link", to: "b")
        try fixture.makeSpecial("pipe", .fifo)
        try fixture.link("a", as: "d/same")
        let place = try fixture.upper("d/b")
        try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.x"), [1, 2, 3])
    }
    try load.commit("first")
    try load.stage { fixture in
        try fixture.write("a", load.bytes(2000))
        try fixture.rename("d", to: "moved")
        try fixture.remove("moved/link")
        let reference = try fixture.upper("moved/b")
        try Syscall.changeMode(at: reference.fd, reference.path, 0o600)
        try fixture.write("z/y/x", load.bytes(70_000))
        try fixture.link("z/y/x", as: "z/hard")
    }
    let tag = try TagName("second")
    try load.commit("second") { $0.tags = [tag] }
}

func syncedFiles(_ load: Load) throws {
    try load.stage { fixture in
        try fixture.write("z/y/new", load.bytes(9000))
        try fixture.write("fresh/deep/file", load.bytes(4097))
    }
    try load.sync("z/y/new")
    try load.sync("fresh/deep/file")
    try load.fixture.write("z/unsynced", load.bytes(5000))
    try load.fixture.remove("pipe")
    try load.commit("third")
    try load.stage { try $0.write("alone", load.bytes(600)) }
    try load.sync("alone")
    try load.commit("fourth")
    try load.stage { fixture in
        try fixture.write("interrupted", load.bytes(400))
        try fixture.remove("alone")
    }
    try load.commitWithoutSwap("fifth")
    try load.stage { try $0.write("sealed", load.bytes(700)) }
    try load.commit("sixth", meanwhile: "deep/later")
    try load.commit("seventh")
}

func openFiles(_ load: Load) throws {
    try load.stage { fixture in
        let place = try fixture.write("open/growing", load.bytes(10_000))
        try fixture.write("open/closed", load.bytes(100))
        try fixture.edit(place) { fd in
            try load.commit("open")
            let more = load.bytes(3000)
            try load.stage { _ in _ = try more.withUnsafeBytes { try Syscall.write(fd, $0, at: 10_000) } }
            try load.sync("open/growing")
            try fixture.write("open/other", load.bytes(700))
            try load.commit("still open")
        }
    }
    try load.stage { fixture in
        let place = try fixture.write("later", load.bytes(800))
        try fixture.write("now", load.bytes(900))
        try fixture.edit(place) { _ in
            try load.commit("skipped", skipping: ["later"]) { $0.openFiles = .skip }
        }
    }
    try load.commit("what was skipped")
}

func replacements(_ load: Load) throws {
    let restore = { (paths: [TreePath]) in
        { (fixture: StoreFixture) throws in
            guard let version = try fixture.store.version(VersionNumber(2)) else {
                throw Errno.noSuchFileOrDirectory
            }
            try fixture.store.restore(version, paths: paths, into: fixture.workspace, force: true)
        }
    }
    try load.stage { fixture in
        try fixture.write("a", load.bytes(1000))
        try fixture.remove("z")
        try fixture.remove("moved")
    }
    try load.replace("restore a file", restore(["a"]))
    try load.replace("restore in directories that are gone", restore(["z/y/x"]))
    try load.replace("restore a directory", restore(["moved"]))
    try load.stage { try $0.remove("moved/e") }
    try load.replace("restore an empty file in a directory that is gone", restore(["moved/e/c"]))
    try load.commit("restored")
    try load.stage { try $0.write("z/y/x", load.bytes(300)) }
    try load.commit("changed again")
    try load.replace("restore below directories of the base", restore(["z/y/x"]))
    try load.replace("restore everything", restore([.root]))
    try load.stage { try $0.write("unwanted", load.bytes(100)) }
    try load.replace("abort") { try $0.store.abort($0.workspace) }
    let source = try load.outside(["one": load.bytes(5000), "sub/two": load.bytes(12_000), "sub/none": []])
    let bring = { (path: TreePath) in
        { (fixture: StoreFixture) throws in
            _ = try fixture.store.importTree(
                from: RawPath(source), at: path, into: fixture.workspace, force: true)
        }
    }
    try load.replace("import a directory", bring("imported/here"))
    try load.commit("imported")
    try load.replace("import everything", bring(.root))
    try load.commit("imported all")
}

func oblivion(_ load: Load) throws {
    let kept = load.bytes(6000)
    try load.stage { try $0.write("again", kept) }
    try load.commit("to be forgotten")
    let number = try load.fixture.store.versions().count
    try load.stage { try $0.remove("again") }
    try load.commit("without it")
    try load.forget([3, Int64(number)])
    try load.collectGarbage()
    // Bytes that were collected come back.
    try load.stage { try $0.write("again", kept) }
    try load.commit("with it again")
    try load.forget([1, 4])
    try load.collectGarbage()
}
