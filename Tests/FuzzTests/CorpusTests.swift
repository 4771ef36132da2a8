import Foundation
import FuzzTargets
import Testing

/// What the fuzzer found (`scripts/fuzz.sh`): inputs that between them reach all the code that it could reach, and
/// those that once broke something.
@Suite struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    private static func inputs(_ target: FuzzTarget) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: corpus.appending(path: target.name), includingPropertiesForKeys: nil)
    }

    @Test(arguments: FuzzTarget.all)
    func `every input of the corpus is refused or keeps its promise, in little time and memory`(
        target: FuzzTarget
    ) throws {
        let inputs = try CorpusTests.inputs(target)
        #expect(!inputs.isEmpty, "no corpus: scripts/fuzz.sh makes it")
        for input in inputs {
            let bytes = Array(try Data(contentsOf: input))
            let (start, before) = (CorpusTests.processorTime(), CorpusTests.peakByteCount())
            if let problem = target.problem(with: bytes) {
                Issue.record("\(target.name)/\(input.lastPathComponent): \(problem)")
            }
            #expect(CorpusTests.processorTime() - start < 10, "\(input.lastPathComponent) takes too long")
            #expect(
                CorpusTests.peakByteCount() - before < 256 << 20,
                "\(input.lastPathComponent) takes too much memory")
        }
    }

    @Test func `every target has its corpus, and every corpus its target`() throws {
        let names = try FileManager.default.contentsOfDirectory(
            atPath: CorpusTests.corpus.path(percentEncoded: false))
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
    }

    /// Of this thread, in seconds: what others take does not count.
    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func peakByteCount() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }
}
