import Testing

@testable import Store

/// The code of the error that `body` must throw.
func code(
    _ location: SourceLocation = #_sourceLocation, of body: () throws -> Void
) -> StoreError.Code? {
    error(location, of: body)?.code
}

/// The error that `body` must throw.
func error(
    _ location: SourceLocation = #_sourceLocation, of body: () throws -> Void
) -> StoreError? {
    #expect(throws: StoreError.self, sourceLocation: location) { try body() }
}
