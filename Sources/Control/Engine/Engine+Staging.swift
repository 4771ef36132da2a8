internal import Objects
internal import Store

extension Engine {
    func abort() throws(StoreError) -> JSONValue { [:] }
    func restore(_ selector: String, _ paths: [TreePath], isForced: Bool) throws(StoreError) -> JSONValue {
        [:]
    }
    func importTree(_ request: ImportRequest, caller: Caller, progress: Progress) throws(StoreError)
        -> JSONValue
    { [:] }
    func forget(_ request: ForgetRequest) throws(StoreError) -> JSONValue { [:] }
    func collectGarbage(isDryRun: Bool, progress: Progress) throws(StoreError) -> JSONValue { [:] }
}
