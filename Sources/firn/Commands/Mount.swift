import ArgumentParser
import Control
import Glibc
import Logging
import Store

extension Firn {
    struct Mount: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mount",
            abstract: "Mount a store.",
            discussion: """
                The command ends when the mount can be used; the daemon stays in the background and logs to \
                STORE/firn.log. With --foreground it is the daemon itself and logs to standard error.

                Root mounts directly; other users need fusermount3 (Debian package fuse3), and \
                'user_allow_other' in /etc/fuse.conf for --allow-other. As /sbin/mount.firn the program is \
                what mount(8) and /etc/fstab call.

                EXAMPLES:
                  firn mount ~/store ~/firn
                  firn mount /srv/firn /mnt/firn --allow-other
                  firn mount /srv/firn /mnt/firn --foreground -o ro
                """)

        @Argument(help: "The store.", completion: .directory)
        var store: String

        @Argument(help: "An empty directory.", completion: .directory)
        var mountpoint: String

        @Flag(help: "Let other users in, each with the permissions that files have.")
        var allowOther = false

        @Flag(name: .shortAndLong, help: "Stay in the foreground.")
        var foreground = false

        @Option(
            name: .customShort("o"),
            help: ArgumentHelp("ro, allow_other or debug, as for mount(8).", valueName: "options"))
        var options: [String] = []

        @Option(
            help: ArgumentHelp("Where the daemon logs to (default: STORE/firn.log).", valueName: "file"),
            completion: .file())
        var logFile: String?

        @Flag(help: "Log every request of the kernel.")
        var debug = false

        @Option(help: .hidden)
        var readyFd: Int32?

        func run() throws {
            let parsed = try MountOptionList(options.joined(separator: ","), isSloppy: false)
            let request = MountRequest(
                store: store, mountpoint: mountpoint, allowsOther: allowOther || parsed.allowsOther,
                isReadOnly: parsed.isReadOnly, isDebugging: debug || parsed.isDebugging, logFile: logFile)
            if foreground || readyFd != nil {
                try request.runDaemon(readyDescriptor: readyFd)
            } else {
                try request.startInBackground()
            }
        }
    }
}
