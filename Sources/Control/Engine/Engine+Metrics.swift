internal import Store

extension Engine {
    /// What `.firn/metrics` shows: Prometheus' text format, version 0.0.4. A number that cannot be had now is
    /// left out.
    public func metricsText() -> [UInt8] {
        var text = MetricsText()
        text.add("firn_build_info", .gauge, "Always 1.", 1, labels: ["version": Program.version])
        text.add("firn_uptime_seconds", .gauge, "Since the daemon started.", (.now - started) / .seconds(1))
        addStore(to: &text)
        addMount(to: &text)
        addCommits(to: &text)
        return Array(text.lines.utf8)
    }

    private func addStore(to text: inout MetricsText) {
        // A figure that cannot be had is left out, and the others are shown: absence is what a monitor can see.
        if let totals = try? store.totals() {
            text.add("firn_versions", .gauge, "Versions that are kept.", totals.versions)
            text.add("firn_tags", .gauge, "Tags.", totals.tags)
            text.add("firn_blobs", .gauge, "Distinct blobs of all versions.", totals.blobs)
            text.add("firn_blob_bytes", .gauge, "Bytes of distinct blobs.", totals.blobBytes)
            text.add(
                "firn_logical_bytes", .gauge, "Bytes of all files of all versions.", totals.logicalBytes)
        }
        if let staged = try? store.stagedCount(workspace) {
            text.add("firn_staged_entries", .gauge, "Changes that are staged.", staged.entries)
            text.add("firn_staged_files", .gauge, "Files with bytes of their own in staging.", staged.files)
            text.add("firn_staged_bytes", .gauge, "Bytes of those files.", staged.bytes)
        }
        if let disk = try? store.filesystemStatus() {
            text.add(
                "firn_disk_free_bytes", .gauge, "Free bytes of the store's filesystem.",
                disk.availableBlocks &* disk.fragmentSize)
        }
    }

    private func addMount(to text: inout MetricsText) {
        text.add(
            "firn_writers", .gauge, "Staged files that are open for writing.", workspace.tracker.openCount)
        text.add(
            "firn_pending_hashes", .gauge, "Staged files that wait to be hashed in the background.",
            hashing?.pendingCount ?? 0)
        guard let mount = hooks.mountStatus() else { return }
        text.add("firn_inodes", .gauge, "Inodes that the kernel knows.", mount.inodes)
        text.add("firn_open_files", .gauge, "Open file handles.", mount.openFiles)
        text.add(
            "firn_passthrough", .gauge, "Whether the kernel reads and writes without the daemon.",
            mount.isPassthrough ? 1 : 0)
    }

    private func addCommits(to text: inout MetricsText) {
        let counts = record.counts
        let help = "Commits since the daemon started, by outcome."
        text.add("firn_commits_total", .counter, help, counts.committed, labels: ["outcome": "committed"])
        text.add("firn_commits_total", .counter, help, counts.empty, labels: ["outcome": "nothing_to_commit"])
        text.add("firn_commits_total", .counter, help, counts.failed, labels: ["outcome": "failed"])
        text.add(
            "firn_commit_seconds_total", .counter, "Time that successful commits took.", counts.seconds)
        text.add(
            "firn_commit_pause_seconds_total", .counter, "Time for which successful commits held changes up.",
            counts.pauseSeconds)
    }
}

/// Builds Prometheus' text format. See: "Exposition formats" in its documentation.
struct MetricsText {
    private(set) var lines = ""
    private var described: Set<String> = []

    enum Kind: String {
        case counter, gauge
    }

    /// Samples of one name must follow each other.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ value: some Numeric, labels: [String: String] = [:]
    ) {
        if described.insert(name).inserted {
            lines += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        }
        let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
        lines += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(value)\n"
    }
}
