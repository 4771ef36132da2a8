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
                STORE/firn.log. With --foreground it stays, and logs to standard error.

                A supervisor keeps the mount when the daemon dies, and starts another: programs wait for a \
                moment and go on. 'firn status' says whether the kernel lets it (Linux 6.9 does); with \
                --no-supervise there is none, and a daemon that dies leaves a mount that fails with ENOTCONN \
                until the store is mounted again.

                Where the kernel has FUSE passthrough (Linux 6.9) and root mounts, the kernel reads, writes and \
                maps files itself, at the speed of the disk; elsewhere it asks the daemon. 'firn status' says \
                which. With --passthrough on there is no mount where it would have to ask; with --passthrough \
                off it always does.

                SIGTERM to the daemon, as at a shutdown, unmounts at once, also while programs have files open; \
                'firn unmount' leaves a mount alone that is in use. With -o ro programs cannot change staging, \
                and the store's owner can still commit, restore and import.

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
            help: ArgumentHelp(
                "ro, allow_other, nosupervise, passthrough=CHOICE or debug, as for mount(8).",
                valueName: "options"))
        var options: [String] = []

        @Option(
            help: ArgumentHelp("Where the daemon logs to (default: STORE/firn.log).", valueName: "file"),
            completion: .file())
        var logFile: String?

        @Flag(help: "Log every request of the kernel.")
        var debug = false

        @Flag(
            inversion: .prefixedNo,
            help: ArgumentHelp(
                "Whether another daemon is started when one dies, so that programs with open files see a pause."
            ))
        var supervise = true

        @Option(
            help: ArgumentHelp(
                "Whether the kernel reads and writes files without the daemon (default: auto, where it can).",
                valueName: "choice"))
        var passthrough: Passthrough?

        // What the supervisor and the tool in the background say to each other.
        @Option(help: .hidden)
        var readyFd: Int32?

        @Option(help: .hidden)
        var recordFd: Int32?

        @Option(help: .hidden)
        var supervisorFd: Int32?

        @Flag(help: .hidden)
        var resume = false

        func run() throws {
            let parsed = try MountOptionList(options.joined(separator: ","), isSloppy: false)
            let request = MountRequest(
                store: store, mountpoint: mountpoint, allowsOther: allowOther || parsed.allowsOther,
                isReadOnly: parsed.isReadOnly, isDebugging: debug || parsed.isDebugging, logFile: logFile,
                isSupervised: supervise && parsed.isSupervised,
                passthrough: passthrough?.choice ?? parsed.passthrough ?? .auto)
            if let recordFd, let supervisorFd {
                let supervision = try Supervision(record: recordFd, socket: supervisorFd, resumes: resume)
                try request.serve(readyDescriptor: readyFd, supervision: supervision)
            } else if foreground || readyFd != nil {
                try request.serve(readyDescriptor: readyFd, supervision: nil)
            } else {
                try request.startInBackground()
            }
        }
    }
}

extension Firn.Mount {
    enum Passthrough: String, ExpressibleByArgument, CaseIterable {
        case on, off, auto

        var choice: PassthroughChoice {
            switch self {
            case .on: .on
            case .off: .off
            case .auto: .auto
            }
        }
    }
}
