/// Numbers for people.
enum Quantity {
    /// `0 B`, `999 B`, `1.5 KiB`, `12 MiB`: three digits at most, rounded.
    static func bytes(_ count: UInt64) -> String {
        if count < 1024 { return "\(count) B" }
        var value = Double(count)
        var unit = ""
        for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] where value >= 1000 || unit.isEmpty {
            value /= 1024
            unit = next
        }
        return "\(decimal(value, digits: value < 9.95 ? 1 : 0)) \(unit)"
    }

    static func bytes(_ count: Int) -> String { bytes(UInt64(clamping: count)) }

    /// `1 file`, `2 files`.
    static func count(_ count: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
        "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
    }

    /// `0:07`, `12:30`, `3:25:00`.
    static func clock(seconds: Double) -> String {
        let whole = Int(min(max(seconds, 0), 359_999))
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        let tail = padded(whole % 60)
        return hours > 0 ? "\(hours):\(padded(minutes)):\(tail)" : "\(minutes):\(tail)"
    }

    /// With so many digits after the point, 0 to 3.
    static func decimal(_ value: Double, digits: Int) -> String {
        let scale = [1, 10, 100, 1000][digits]
        let scaled = Int((value * Double(scale)).rounded())
        if digits == 0 { return String(scaled) }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}
