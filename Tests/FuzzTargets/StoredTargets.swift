import Objects
import Store

// Files and attributes of a store's directory.
extension FuzzTarget {
    static let stored: [FuzzTarget] = [
        .stable("store-format") { bytes throws(StoreError) in
            try StoreFormat(decoding: bytes, at: "")
        } encode: {
            $0.encoded()
        },
        .choice(
            "mark",
            [
                .canonical("mark-directory") { bytes throws(ObjectError) in
                    try UpperMark(decoding: bytes, isDirectory: true)
                } encode: {
                    $0.encoded
                },
                .canonical("mark-file") { bytes throws(ObjectError) in
                    try UpperMark(decoding: bytes, isDirectory: false)
                } encode: {
                    $0.encoded
                },
                .canonical("mark-workspace") { bytes throws(ObjectError) in
                    try WorkspaceMark(decoding: bytes)
                } encode: {
                    $0.encoded
                },
                cbor,
            ]),
    ]
}
