// swift-tools-version: 6.2
import PackageDescription

// With FIRN_FUZZ set there is one program more, in which the modules that read foreign bytes are made ready for
// libFuzzer: see scripts/fuzz.sh.
let isFuzzing = Context.environment["FIRN_FUZZ"] != nil
let fuzzed: [SwiftSetting] = isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer,address"])] : []

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "firn",
    products: [.executable(name: "firn", targets: ["firn"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CFuse3", path: "CShims/CFuse3", pkgConfig: "fuse3",
            providers: [.apt(["libfuse3-dev"])]),
        .systemLibrary(
            name: "CCrypto", path: "CShims/CCrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CArchive", path: "CShims/CArchive", pkgConfig: "libarchive",
            providers: [.apt(["libarchive-dev"])]),
        .target(name: "CLinux", path: "CShims/CLinux"),
        .target(name: "CFuse", dependencies: ["CFuse3"], path: "CShims/CFuse"),

        .target(name: "Objects", dependencies: ["CCrypto"], swiftSettings: strict + fuzzed),
        .target(
            name: "Store",
            dependencies: [
                "Objects", "CLinux", "CArchive",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict + fuzzed),
        .target(
            name: "VFS",
            dependencies: ["Objects", "Store", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: strict),
        .target(
            name: "FUSE",
            dependencies: [
                "Objects", "Store", "VFS", "CFuse", "CLinux",
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Control",
            dependencies: [
                "Objects", "Store", "CLinux", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict + fuzzed),
        .executableTarget(
            name: "firn",
            dependencies: [
                "Objects", "Store", "VFS", "FUSE", "Control", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        .target(
            name: "TestSupport",
            dependencies: ["Objects", "Store", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: strict),
        .target(name: "CRecorder", path: "Tests/CRecorder"),
        .executableTarget(
            name: "powercut-load",
            dependencies: [
                "CRecorder", "Objects", "Store", "VFS", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/PowerCutLoad", swiftSettings: strict),
        .testTarget(
            name: "PowerCutTests",
            dependencies: [
                "Objects", "Store", "TestSupport", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MountTests",
            dependencies: [
                "firn", "Objects", "Store", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Objects", "Store", "Control", .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/FuzzTargets", swiftSettings: strict + fuzzed),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzReplay", "FuzzTargets", "TestSupport"],
            exclude: ["Corpus"],
            swiftSettings: strict),
        .executableTarget(
            name: "FuzzReplay", dependencies: ["FuzzTargets"], path: "Tests/FuzzReplay", swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(name: "ObjectsTests", dependencies: ["Objects"], swiftSettings: strict),
        // What the tests of crashes start and have killed.
        .executableTarget(
            name: "FaultProcess", dependencies: ["Store", "TestSupport"], path: "Tests/FaultProcess",
            swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "FaultProcess", "Objects", "Store", "CLinux", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VFSTests",
            dependencies: [
                "Objects", "Store", "VFS", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "Objects", "Store", "Control", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "FirnTests",
            dependencies: [
                "Objects", "Store", "Control", "firn", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Snapshots"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)

if isFuzzing {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/FuzzDriver/CFuzzer"),
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets", "CFuzzer"], path: "Tests/FuzzDriver/fuzz",
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ]
}
