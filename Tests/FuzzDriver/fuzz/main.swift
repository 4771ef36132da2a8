import CFuzzer
import FuzzTargets
import Glibc

// libFuzzer with the target that FIRN_FUZZ_TARGET names, and all of libFuzzer's options; without one the targets are
// listed. Not an argument, because libFuzzer starts this program again with arguments of its own.

nonisolated(unsafe) private var target: FuzzTarget?

private func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    // An input that breaks a promise of the target ends the process, which libFuzzer reports with the input.
    if let problem = target?.problem(with: bytes) { fatalError(problem) }
    return 0
}

let name = getenv("FIRN_FUZZ_TARGET").map { String(cString: $0) }
guard let found = FuzzTarget.all.first(where: { $0.name == name }) else {
    for target in FuzzTarget.all { print(target.name, target.byteCountMax) }
    exit(name == nil ? 0 : 2)
}
target = found
// What an archive unpacks to is bounded; beyond it a write fails as on a full disk.
signal(SIGXFSZ, SIG_IGN)
var limit = rlimit(rlim_cur: 1 << 26, rlim_max: 1 << 26)
setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
var (count, words) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
exit(LLVMFuzzerRunDriver(&count, &words, test))
