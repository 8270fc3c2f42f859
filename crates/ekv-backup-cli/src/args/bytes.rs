//! Numbers of bytes as people write them.

/// Decimal digits, and a unit that may be missing.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, unit)) if !unit.is_ascii_digit() => {
            let shift = match unit.to_ascii_uppercase() {
                'K' => Some(10),
                'M' => Some(20),
                'G' => Some(30),
                'T' => Some(40),
                _ => None,
            };
            (text.get(..at).unwrap_or_default(), shift)
        }
        _ => (text, Some(0)),
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
    let bytes = number.zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "expected a number of bytes, such as 4096, 100M or 4T".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_plain_or_with_a_unit_and_nothing_else() {
        let good = [("0", 0), ("4096", 4096), ("1k", 1024), ("3M", 3 << 20), ("2G", 2 << 30), ("4T", 4 << 40)];
        for (text, bytes) in good {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "+1", "1.5G", "1 G", "1KB", "1E", "99999999999T", "é", "1é"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
