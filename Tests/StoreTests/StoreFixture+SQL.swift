import GRDB
import TestSupport

@testable import Store

extension StoreFixture {
    /// Changes the catalog behind the store's back.
    func sql(_ text: String) throws {
        try store.catalog.write { db in try db.execute(sql: text) }
    }
}
