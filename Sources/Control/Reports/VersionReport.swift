public import Objects
public import Store

// The documents that `--json` prints. Their keys are stable: new ones may come, none goes or changes meaning.
extension JSONValue {
    /// Everything that is known of a version but for its annotations, which ``annotations(_:)`` gives.
    public init(_ version: Version) {
        let manifest = version.manifest
        let identity: JSONValue = [
            "version": .string(version.number.description),
            "number": .integer(version.number.value),
            "digest": .string(version.digest.hex),
            "parent": .text(manifest.parent?.hex),
            "time": .time(manifest.time),
            "author": .string(manifest.author),
            "message": .string(manifest.message),
            "run": .text(manifest.run),
            "workspace": .string(manifest.workspace),
            "tags": .texts(version.tags),
            "pinned": .bool(version.isPinned),
        ]
        self = identity.appending(manifest.metadata.json).appending([
            "files": .integer(version.files),
            "bytes": .integer(version.bytes),
            "new_blobs": .integer(version.newBlobs),
            "new_bytes": .integer(version.newBytes),
            "open_at_seal": .array(
                manifest.openAtSeal.map { .path($0.path).appending(["torn": .bool($0.isTorn)]) }),
        ])
    }

    public static func annotations(_ annotations: [Annotation]) -> JSONValue {
        .array(
            annotations.map {
                [
                    "key": .string($0.key), "value": .string($0.value), "author": .string($0.author),
                    "time": .time($0.time),
                ]
            })
    }

    /// What became of a commit.
    public init(_ outcome: CommitOutcome) {
        self = [
            "version": JSONValue(outcome.version),
            "changed_entries": .integer(outcome.changedCount),
            "still_staged": .array(outcome.kept.map { .path($0) }),
            "pause_ms": .decimal((outcome.pauseMilliseconds * 1000).rounded() / 1000),
        ]
    }
}
