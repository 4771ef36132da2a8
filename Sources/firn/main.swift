import FUSE
import Glibc
import Logging
import Objects
import Store
import VFS

func drive() throws {
    setvbuf(fdopen(1, "w"), nil, _IONBF, 0)
    let a = CommandLine.arguments
    if a[1] == "init" { return try Store.create(at: a[2], now: Store.clock()) }
    umask(0)
    let store = try Store.open(at: a[2], .owning)
    let ws = try store.workspace()
    let r = Refs()
    let control = ControlFiles(
        status: { Array("{}\n".utf8) }, metrics: { [] }, lastCommit: { [] },
        commit: { _, _ in
            do {
                var names: [StaleName] = []
                let start = ContinuousClock.now
                let o = try store.commit(ws, CommitRequest(), swapped: { _ throws(StoreError) in
                    do throws(VFSError) { names = try r.fs!.sealed() } catch { throw StoreError(.damaged, "\(error)") }
                })
                names += (try? r.fs!.versionsChanged()) ?? []
                r.s!.forget(names)
                FileHandleOut.say("committed \(o.version.number) in \(ContinuousClock.now - start) pause \(o.pauseMilliseconds) ms")
                return .done
            } catch { FileHandleOut.say("fail \(error)"); return .failed(error as! StoreError) }
        })
    let fs = try FileSystem(store: store, workspace: ws, control: control, owner: Owner(uid: 0, gid: 0), started: Store.clock())
    r.fs = fs
    let s = try Session(fs, MountOptions(mountpoint: a[3], source: store.path, allowsOther: true, isReadOnly: false, passesThrough: a.count < 5, threadCount: 2), logger: Logger(label: "firn"))
    r.s = s
    s.start()
    FileHandleOut.say("ready")
    s.wait()
    s.close()
}
do { try drive() } catch { print("\(error)") }
enum FileHandleOut { static func say(_ s: String) { let b = Array((s + "\n").utf8); _ = write(1, b, b.count) } }
final class Refs: @unchecked Sendable { var fs: FileSystem?; var s: Session? }
