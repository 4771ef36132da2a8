import Foundation
import FuzzTargets

// Gives the inputs in a directory to a target: `FuzzReplay TARGET DIRECTORY`. Says what breaks a promise, each on a
// line, and the number of inputs at the end. A process of its own, so that what an input may take is the kernel's to
// bound, and a trap ends nothing else.

let arguments = CommandLine.arguments
guard arguments.count == 3, let target = FuzzTarget.all.first(where: { $0.name == arguments[1] }) else {
    exit(2)
}

/// Of memory that it asks for, in all.
var memory = rlimit(rlim_cur: 256 << 20, rlim_max: 256 << 20)
setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &memory)
/// Of a file that it writes.
var file = rlimit(rlim_cur: 64 << 20, rlim_max: 64 << 20)
signal(SIGXFSZ, SIG_IGN)
setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &file)

var count = 0
for name in try FileManager.default.contentsOfDirectory(atPath: arguments[2]).sorted() {
    let bytes = Array(try Data(contentsOf: URL(filePath: "\(arguments[2])/\(name)")))
    let start = clock()
    if let problem = target.problem(with: bytes) { print("\(name): \(problem)") }
    // Seconds of the processor's time, whatever else the machine does.
    let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
    if seconds > 5 { print("\(name): takes \(seconds) s") }
    count += 1
}
print(count)
