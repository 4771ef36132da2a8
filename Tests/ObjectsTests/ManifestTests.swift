import Objects
import Testing

@Suite struct ManifestTests {
    @Test(arguments: [Sample.firstManifest, Sample.fullManifest, Sample.wideManifest])
    func `a manifest round trips`(manifest: Manifest) throws {
        let bytes = manifest.encoded()
        let decoded = try Manifest(decoding: bytes)
        #expect(decoded == manifest)
        #expect(decoded.encoded() == bytes)
        #expect(decoded.digest == Digest.of(bytes))
    }

    @Test(arguments: [
        (Sample.firstManifest, "01805fad3d79252f4b0d2e940930138ab8916b4349ed705ceed6783146a40082"),
        (Sample.wideManifest, "8a431091c83a5f98de8c4697e7ad2b13f5d23ea3df572bda1ce92305b80ed1d2"),
        (Sample.fullManifest, "9939f736880ef279a3b89c2162b861c88899d229c1d8948a5b27db4252d9808c"),
    ])
    func `the digests of known manifests are pinned`(manifest: Manifest, hex: String) {
        #expect(manifest.digest.hex == hex)
    }

    @Test func `every field changes the digest`() {
        let changes: [(inout Manifest) -> Void] = [
            { $0.root.mode = 0o700 }, { $0.root.mtime = Timestamp(nanoseconds: 0) }, { $0.parent = nil },
            { $0.time = Timestamp(nanoseconds: -6) }, { $0.author = "eve" }, { $0.message += " " },
            { $0.run = nil }, { $0.run = "" }, { $0.metadata.params["lr"] = "3e-5" },
            { $0.metadata.metrics["zero"] = 0 }, { $0.metadata.meta = [:] }, { $0.workspace = "main" },
            { $0.generation = 0 }, { $0.openAtSeal = [] },
        ]
        let digests = changes.map { change in
            var manifest = Sample.fullManifest
            change(&manifest)
            return manifest.digest
        }
        #expect(Set(digests + [Sample.fullManifest.digest]).count == changes.count + 1)
    }

    @Test func `a changed parent changes every later digest`() {
        var first = Sample.firstManifest
        first.message = "altered"
        var second = Sample.fullManifest
        second.parent = first.digest
        #expect(second.digest != Sample.fullManifest.digest)
    }

    @Test func `files open at the seal are kept in order of path`() {
        #expect(Sample.fullManifest.openAtSeal.map(\.isTorn) == [false, true])
    }

    @Test func `open files out of order or at the root are refused`() {
        expectMalformed { $0.openAtSeal.reverse() }
        expectMalformed { $0.openAtSeal.append($0.openAtSeal[1]) }
        expectMalformed { $0.openAtSeal = [.init(path: .root, isTorn: false)] }
    }

    @Test(arguments: ["..", "a//b", "a/.", "/a", "a/"])
    func `an open file's path in another form is malformed and not a mistake of the person`(path: String) {
        // An unchecked name smuggles the text past the path's own rules.
        expectMalformed {
            $0.openAtSeal = [
                .init(path: TreePath(names: [FileName(unchecked: Array(path.utf8))]), isTorn: false)
            ]
        }
    }

    @Test func `a root that is no nameless directory is refused`() {
        expectMalformed { $0.root.name = FileName(literal: "a") }
        expectMalformed { $0.root = Sample.file(.root) }
    }

    @Test func `a format of the future is refused by its number`() {
        var bytes = Sample.firstManifest.encoded()
        bytes[1] = 3
        let error = #expect(throws: ObjectError.self) { try Manifest(decoding: bytes) }
        #expect(error?.message == "manifest of unknown format 3")
    }

    @Test func `the second format is for roots whose time needs it, and for no others`() {
        for (manifest, other) in [(Sample.firstManifest, 2), (Sample.wideManifest, 1)] as [(Manifest, UInt8)]
        {
            var bytes = manifest.encoded()
            bytes[1] = other
            let error = #expect(throws: ObjectError.self) { try Manifest(decoding: bytes) }
            #expect(error?.code == .malformed)
        }
    }

    private func expectMalformed(
        sourceLocation: SourceLocation = #_sourceLocation, _ change: (inout Manifest) -> Void
    ) {
        var manifest = Sample.fullManifest
        change(&manifest)
        let bytes = manifest.encoded()
        let error = #expect(throws: ObjectError.self, sourceLocation: sourceLocation) {
            try Manifest(decoding: bytes)
        }
        #expect(error?.code == .malformed, sourceLocation: sourceLocation)
    }
}
