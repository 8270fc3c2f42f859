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

/// Value of a hex digit of either case.
pub fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
