import Control
import Store

/// What mount(8) calls for a line of type `firn` in /etc/fstab: `mount.firn SPEC DIR [-sfnv] [-o options]`.
/// See: `man 8 mount`, "External helpers".
struct MountHelper {
    private(set) var words: [String] = []
    private(set) var options: [String] = []
    private(set) var isSloppy = false
    private(set) var isFake = false

    static let programNames: Set<String> = ["mount.firn", "mount.fuse.firn"]
    /// mount(8)'s own statuses: 1 incorrect invocation, 32 mount failure.
    private static let usageStatus: Int32 = 1
    static let failureStatus: Int32 = 32

    static func isCalled(_ program: String) -> Bool {
        programNames.contains(String(program.split(separator: "/").last ?? ""))
    }

    /// - Returns: the status to exit with.
    static func run(_ arguments: [String]) -> Int32 {
        do {
            let helper = try MountHelper(arguments)
            guard helper.words.count == 2 else {
                throw UsageError("usage: mount.firn STORE DIRECTORY [-sfnv] [-o options]")
            }
            let parsed = try MountOptionList(helper.options.joined(separator: ","), isSloppy: helper.isSloppy)
            if helper.isFake { return 0 }
            try MountRequest(
                store: helper.words[0], mountpoint: helper.words[1], allowsOther: parsed.allowsOther,
                isReadOnly: parsed.isReadOnly, isDebugging: parsed.isDebugging,
                isSupervised: parsed.isSupervised, passthrough: parsed.passthrough ?? .auto
            ).startInBackground()
            return 0
        } catch let error as StoreError {
            StandardError.report(error)
            return failureStatus
        } catch let error as UsageError {
            StandardError.report(error.message)
            return usageStatus
        } catch {
            StandardError.report("\(error)")
            return failureStatus
        }
    }

    /// Options may stand before, between and after the two words.
    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument.count > 1 else {
                words.append(argument)
                continue
            }
            var letters = argument.dropFirst()
            while let letter = letters.popFirst() {
                switch letter {
                case "s": isSloppy = true
                case "f": isFake = true
                case "n", "v": break
                case "o", "t":
                    guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
                        throw UsageError("-\(letter) needs a value")
                    }
                    letters = ""
                    if letter == "o" { options.append(value) }
                default: throw UsageError("there is no option -\(letter)")
                }
            }
        }
    }
}
