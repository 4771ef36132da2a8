import Foundation
import FuzzTargets
import TestSupport
import Testing

/// What the fuzzer found (`scripts/fuzz.sh`): inputs that between them reach all the code that it could reach, and
/// those that once broke something.
@Suite struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")
        .path(percentEncoded: false)

    @Test(arguments: FuzzTarget.all)
    func `every input of the corpus is refused or keeps its promise, in bounded time and memory`(
        target: FuzzTarget
    ) throws {
        let inputs = "\(CorpusTests.corpus)/\(target.name)"
        let count = try FileManager.default.contentsOfDirectory(atPath: inputs).count
        #expect(count > 0)
        let replay = FirnProgram.built("FuzzReplay")
        let outcome = try Shell.run([replay, target.name, inputs])
        #expect(outcome.status == 0)
        #expect(outcome.text == "\(count)\n")
    }

    @Test func `every target has its corpus, and every corpus its target`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: CorpusTests.corpus)
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
    }
}
