public import Objects
public import Store

/// What came of bytes that were written to `.firn/commit`.
public enum CommitJSONResult: Sendable {
    /// The beginning of a JSON document: more is to come.
    case incomplete
    case committed(Version)
    case failed(StoreError)
}

extension Engine {
    /// Seals what is staged. Every commit of a store's owner comes through here and is counted.
    func commit(
        _ request: CommitRequest, caller: Caller, progress: Progress = .none
    ) throws(StoreError) -> CommitOutcome {
        var request = request
        if request.author.isEmpty { request.author = caller.author }
        let start = ContinuousClock.now
        do throws(StoreError) {
            let outcome = try store.commit(
                workspace, request, progress: progress, swapped: hooks.sealed, opened: hooks.afterReplace)
            record.keep(outcome, duration: .now - start)
            hooks.versionsChanged(outcome.version)
            return outcome
        } catch {
            record.keep(error, time: Store.clock())
            throw error
        }
    }

    /// Commits as a JSON document asks: see `CommitRequest.init(json:)` for its keys.
    ///
    /// - Parameters:
    ///   - bytes: all that was written so far.
    ///   - caller: who wrote it: the author.
    ///   - generation: where a daemon that died may have done it, the generation of staging that it began with. Asked
    ///     for when the document is whole and is about to be done.
    public func commitJSON(
        _ bytes: [UInt8], caller: Caller, begunWith generation: @autoclosure () -> UInt64? = nil
    ) -> CommitJSONResult {
        let request: CommitRequest
        do throws(StoreError) {
            guard let json = try Engine.document(bytes) else { return .incomplete }
            request = try CommitRequest(json: json)
        } catch {
            record.keep(error, time: Store.clock())
            return .failed(error)
        }
        do throws(StoreError) {
            if let generation = generation(),
                let made = try version(of: request, by: caller, since: generation)
            {
                record.keep(made)
                return .committed(made)
            }
            return .committed(try commit(request, caller: caller).version)
        } catch { return .failed(error) }
    }

    /// The version that such a request has made since `generation`, with all that it asks for. It holds what was staged
    /// when that came.
    private func version(
        of request: CommitRequest, by caller: Caller, since generation: UInt64
    ) throws(StoreError) -> Version? {
        let author = request.author.isEmpty ? caller.author : request.author
        return try store.versions(of: workspace, since: generation).last { version in
            let manifest = version.manifest
            return manifest.message == request.message && manifest.run == request.run
                && manifest.metadata == request.metadata && manifest.author == author
                && request.tags.allSatisfy { version.tags.contains($0.text) }
                && (version.isPinned || !request.pins)
        }
    }

    /// `.firn/commit` was closed on bytes that make no whole document.
    public func commitWasCutShort() {
        let error = StoreError(
            .invalidInput, "what was written is not a whole JSON object", subject: ".firn/commit",
            hint: "write the object whole, then close the file and look at the error of that")
        record.keep(error, time: Store.clock())
    }

    /// The outcome of the last commit that was tried since the daemon started, as a JSON document with a newline
    /// at its end: what `.firn/last-commit` shows.
    public func lastCommitJSON() -> [UInt8] { Array((record.last.indented + "\n").utf8) }

    /// nil for the beginning of a document.
    private static func document(_ bytes: [UInt8]) throws(StoreError) -> JSONValue? {
        guard bytes.count <= ControlRequest.byteCountMax else {
            throw StoreError(
                .invalidInput, "the document is longer than \(ControlRequest.byteCountMax) bytes",
                subject: "commit", hint: "write long metadata to a file in staging/")
        }
        do throws(JSONParseError) { return try JSONParser.parse(bytes) } catch {
            switch error {
            case .incomplete: return nil
            case .malformed(let message, let line, let column):
                throw StoreError(
                    .invalidInput, "not a JSON document: \(message)",
                    subject: "line \(line), column \(column)",
                    hint: #"write an object such as {"message": "first try", "tags": ["baseline"]}"#)
            }
        }
    }
}
