public import SystemPackage

/// The points at which a commit's durability hangs on a system call.
///
/// Tests give a hook that throws what a full or failing disk would, or ends the process, at one of them;
/// outside tests there is none, and the check costs one comparison with nil.
public struct FaultHook: Sendable {
    public enum Point: String, Hashable, Sendable, CaseIterable {
        case copyUp, hash, link, sync, syncDirectory, catalog, swap, restore, importCopy, unlink
    }

    private let hook: (@Sendable (Point) throws(Errno) -> Void)?

    public static let none = FaultHook(nil)

    public init(_ hook: (@Sendable (Point) throws(Errno) -> Void)?) {
        self.hook = hook
    }

    /// To be called right before the step that `point` names.
    public func reach(_ point: Point, _ subject: @autoclosure () -> String = "") throws(StoreError) {
        guard let hook else { return }
        do throws(Errno) { try hook(point) } catch {
            throw StoreError(error, doing: point.rawValue, subject: subject())
        }
    }
}
