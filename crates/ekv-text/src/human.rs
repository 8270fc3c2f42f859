//! Numbers as people read them.

/// Bytes in the largest unit of which there is one, with a tenth, rounded down.
///
/// ```
/// use ekv_text::human::bytes;
/// assert_eq!([bytes(1023), bytes(1536)], ["1023 B", "1.5 KiB"]);
/// ```
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut tenths = u128::from(n).saturating_mul(10);
    let mut shown = "";
    for unit in UNITS {
        tenths /= 1024;
        shown = unit;
        if tenths < 10_240 {
            break;
        }
    }
    format!("{}.{} {shown}", tenths / 10, tenths % 10)
}

/// A number with its noun in the right form.
///
/// ```
/// use ekv_text::human::count;
/// assert_eq!([count(1, "file", "files"), count(1000, "file", "files")], ["1 file", "1 000 files"]);
/// ```
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", digits(n), if n == 1 { one } else { many })
}

/// Groups of three digits.
pub fn digits(n: u64) -> String {
    let plain = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A part of a whole in percent with a tenth, rounded down; a dash where there is no whole.
///
/// ```
/// use ekv_text::human::percent;
/// assert_eq!([percent(1, 3), percent(0, 0)], ["33.3 %", "–"]);
/// ```
pub fn percent(part: u64, whole: u64) -> String {
    match u128::from(part).saturating_mul(1000).checked_div(whole.into()) {
        None => "–".to_owned(),
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(968_394), "945.6 KiB");
        assert_eq!(bytes(u64::MAX), "16383.9 PiB");
        assert_eq!(digits(0), "0");
        assert_eq!(digits(999), "999");
        assert_eq!(digits(1_234_567), "1 234 567");
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
    }
}
