import CFuzzer
import FuzzTargets
import Glibc

// libFuzzer with one of Firn's targets: `fuzz TARGET [libFuzzer's options and corpus directories]`. Without a
// target the targets are listed.

nonisolated(unsafe) private var target: FuzzTarget?

private func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    // An input that breaks a promise of the target ends the process, which libFuzzer reports with the input.
    if let problem = target?.problem(with: bytes) { fatalError(problem) }
    return 0
}

let arguments = CommandLine.arguments
guard arguments.count > 1, let found = FuzzTarget.all.first(where: { $0.name == arguments[1] }) else {
    for target in FuzzTarget.all { print(target.name, target.byteCountMax) }
    exit(arguments.count > 1 ? 2 : 0)
}
target = found
// What an archive unpacks to is bounded; beyond it a write fails as on a full disk.
signal(SIGXFSZ, SIG_IGN)
var limit = rlimit(rlim_cur: 1 << 26, rlim_max: 1 << 26)
setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
var passed = ([arguments[0]] + arguments.dropFirst(2)).map { strdup($0) } + [nil]
var count = Int32(passed.count - 1)
let status = passed.withUnsafeMutableBufferPointer { buffer in
    var start = buffer.baseAddress
    return LLVMFuzzerRunDriver(&count, &start, test)
}
exit(status)
