internal import Dispatch
internal import Glibc
internal import Synchronization

/// Work on independent items, on all cores.
enum Parallel {
    static let coreCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    /// Runs `body` once for each element, `width` at a time, and returns when all are done.
    ///
    /// - Throws: the first error; elements not begun by then are left out.
    static func forEach<Element: Sendable>(
        _ elements: [Element], width: Int = coreCount, _ body: @Sendable (Element) throws(StoreError) -> Void
    ) throws(StoreError) {
        let width = min(width, elements.count)
        if width <= 1 {
            for element in elements { try body(element) }
            return
        }
        let next = Atomic<Int>(0)
        let failure = Lock<StoreError?>(nil)
        let carrier = FaultHook.carrier
        DispatchQueue.concurrentPerform(iterations: width) { _ in
            carrier.run {
                while failure.withLock({ $0 == nil }) {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < elements.count else { return }
                    do throws(StoreError) { try body(elements[index]) } catch {
                        failure.withLock { $0 = $0 ?? error }
                    }
                }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
