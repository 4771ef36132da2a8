import Logging
import Store

// Stands in for the commands until they are here.
let words = CommandLine.arguments
do {
    if words[1] == "init" {
        try Store.create(at: words[2], now: Store.clock())
    } else {
        try Daemon.run(
            DaemonOptions(
                store: words[2], mountpoint: words[3], allowOther: true, readOnly: false, isForeground: true,
                debug: false), logger: Logger(label: "firn")
        ) { print("ready") }
    }
} catch { print(error) }
