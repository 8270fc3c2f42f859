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
    let mut bytes = vec![0; digits.len() / 2];
    parse_into(digits, &ANY_CASE, &mut bytes).then_some(bytes)
}

/// As [`parse_hex`], for lower-case digits only.
pub fn parse_lower_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; digits.len() / 2];
    parse_into(digits, &LOWER_CASE, &mut bytes).then_some(bytes)
}

/// As [`parse_lower_hex`], for so many bytes: a digest.
pub fn parse_lower_hex_array<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (digits.len() == N.saturating_mul(2) && parse_into(digits, &LOWER_CASE, &mut bytes)).then_some(bytes)
}

/// Value of a hex digit of either case.
pub const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Values of digits, by their byte; [`NO_DIGIT`] for others. Digests are many: a look-up has no branch that a processor guesses wrong.
type Values = [u8; 256];
const NO_DIGIT: u8 = 0xff;
const ANY_CASE: Values = values(true);
const LOWER_CASE: Values = values(false);

#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "computed by the compiler; every index is a byte")]
const fn values(with_upper_case: bool) -> Values {
    let mut values = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte <= 0xff {
        let digit = byte as u8;
        if let Some(value) = hex_value(digit)
            && (with_upper_case || !digit.is_ascii_uppercase())
        {
            values[byte] = value;
        }
        byte += 1;
    }
    values
}

/// Answers whether all of it was digits, two for each byte.
fn parse_into(digits: &[u8], values: &Values, bytes: &mut [u8]) -> bool {
    let value = |digit: u8| values.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
    let (pairs, []) = digits.as_chunks::<2>() else { return false };
    let mut seen = 0;
    for ([high, low], byte) in pairs.iter().zip(bytes) {
        let (high, low) = (value(*high), value(*low));
        seen |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    seen <= 0x0f
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
        assert_eq!(parse_lower_hex_array(b"00ff"), Some([0, 0xff]));
        for bad in [&b"00f"[..], b"00", b"00ff00", b"00FF", b"00f\xff"] {
            assert_eq!(parse_lower_hex_array::<2>(bad), None);
        }
    }
}
