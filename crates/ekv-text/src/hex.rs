//! Bytes as hex digits.

/// Case of hex digits.
#[derive(Clone, Copy)]
pub enum HexCase {
    /// `a` to `f`.
    Lower,
    /// `A` to `F`.
    Upper,
}

/// Bytes of which hex digits are made at once: a digest.
const HEX_CHUNK_LEN: usize = 32;

/// Appends two hex digits for each byte.
pub fn push_hex(bytes: &[u8], case: HexCase, out: &mut Vec<u8>) {
    let ten = match case {
        HexCase::Lower => b'a',
        HexCase::Upper => b'A',
    };
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { ten + (nibble - 10) };
    for chunk in bytes.chunks(HEX_CHUNK_LEN) {
        let mut text = [[0; 2]; HEX_CHUNK_LEN];
        for (pair, byte) in text.iter_mut().zip(chunk) {
            *pair = [digit(byte >> 4), digit(byte & 0x0f)];
        }
        out.extend_from_slice(text.get(..chunk.len()).unwrap_or_default().as_flattened());
    }
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = Vec::new();
    push_hex(bytes, HexCase::Lower, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

/// The bytes that pairs of hex digits stand for; `None` for anything but digits of either case, and for half a pair.
pub fn parse_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(hex_value(*high)? << 4 | hex_value(*low)?)).collect()
}

/// As [`parse_hex`], for lower-case digits only.
pub fn parse_lower_hex(digits: &[u8]) -> Option<Vec<u8>> {
    if digits.iter().any(u8::is_ascii_uppercase) { None } else { parse_hex(digits) }
}

/// Value of a hex digit of either case.
pub fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_as_the_bytes_they_stand_for_and_nothing_else_is_read() {
        let bytes: Vec<u8> = (0..=255).collect();
        let digits = hex(&bytes);
        assert!(digits.starts_with("0001") && digits.ends_with("feff"));
        assert_eq!(parse_lower_hex(digits.as_bytes()), Some(bytes.clone()));
        assert_eq!(parse_hex(digits.to_uppercase().as_bytes()), Some(bytes));
        assert_eq!(parse_hex(b""), Some(Vec::new()));
        for bad in ["0", "0g", "+1", "é"] {
            assert_eq!(parse_hex(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_lower_hex(b"FF"), None);
    }
}
