//! Length encoding.
//!
//! Source: `docs/format/rdb.md`, section 1.2.

/// First byte of a length in four bytes.
pub(crate) const LENGTH_32: u8 = 0x80;
/// First byte of a length in eight bytes.
pub(crate) const LENGTH_64: u8 = 0x81;
/// Lengths below it take one byte.
const SHORT_MAX: u64 = 1 << 6;
/// Lengths below it take two bytes.
const MIDDLE_MAX: u64 = 1 << 14;
/// The first bits of a length in two bytes.
const MIDDLE: u16 = 0x4000;

/// Writes a length in its shortest form.
pub(crate) fn push_length(to: &mut Vec<u8>, length: u64) {
    match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Ok(short), _, _) if length < SHORT_MAX => to.push(short),
        (_, Ok(middle), _) if length < MIDDLE_MAX => to.extend_from_slice(&(MIDDLE | middle).to_be_bytes()),
        (_, _, Ok(long)) => {
            to.push(LENGTH_32);
            to.extend_from_slice(&long.to_be_bytes());
        }
        _ => {
            to.push(LENGTH_64);
            to.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// Writes a string: its length and its bytes.
pub(crate) fn push_string(to: &mut Vec<u8>, bytes: &[u8]) {
    push_length(to, crate::file_len(bytes.len()));
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form_at_every_border() {
        let cases: [(u64, &[u8]); 9] = [
            (0, b"\x00"),
            (63, b"\x3f"),
            (64, b"\x40\x40"),
            (100, b"\x40\x64"),
            (16383, b"\x7f\xff"),
            (16384, b"\x80\x00\x00\x40\x00"),
            (u64::from(u32::MAX), b"\x80\xff\xff\xff\xff"),
            (1 << 32, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
            (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
        ];
        for (length, bytes) in cases {
            let mut written = Vec::new();
            push_length(&mut written, length);
            assert_eq!(written, bytes, "{length}");
        }
    }
}
