//! Listpacks: elements one after the other, each with its length behind it.
//!
//! Source: `docs/format/rdb.md`, section 1.6.

/// Bytes of total length and element count.
pub(crate) const HEADER_LEN: usize = 6;
/// Behind the last element.
pub(crate) const END: u8 = 0xff;
/// An element count that says nothing.
pub(crate) const COUNT_UNKNOWN: u16 = u16::MAX;

/// Lengths of a text whose element servers write in two ways, in bytes: there the length behind it needs one bit more or less than
/// seven for each of its bytes.
const BORDERS: [u64; 3] = [16_378, 2_097_146, 268_435_450];

/// How servers write the length behind an element at the `is_border` lengths: no form suits all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackLengths {
    /// Redis, and Valkey up to 8: a byte more at the border.
    #[default]
    Redis,
    /// Valkey from 9 on.
    Valkey9,
}

/// Whether the element of a text of so many bytes differs between servers.
pub(crate) fn is_border(text_len: u64) -> bool {
    BORDERS.contains(&text_len)
}

/// The header of a listpack of so many bytes and elements.
pub(crate) fn header(total_len: u32, elements: u64) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = total_len.to_le_bytes();
    let [e, f] = u16::try_from(elements).unwrap_or(COUNT_UNKNOWN).to_le_bytes();
    [a, b, c, d, e, f]
}

/// Writes a whole number as an element in its shortest form.
pub(crate) fn push_integer(to: &mut Vec<u8>, value: i64) {
    let start = to.len();
    let [b0, b1, b2, b3, ..] = value.to_le_bytes();
    match value {
        0..=127 => to.push(b0),
        -4096..=4095 => to.extend_from_slice(&[0xc0 | (b1 & 0x1f), b0]),
        -0x8000..=0x7fff => to.extend_from_slice(&[0xf1, b0, b1]),
        -0x80_0000..=0x7f_ffff => to.extend_from_slice(&[0xf2, b0, b1, b2]),
        -0x8000_0000..=0x7fff_ffff => to.extend_from_slice(&[0xf3, b0, b1, b2, b3]),
        _ => {
            to.push(0xf4);
            to.extend_from_slice(&value.to_le_bytes());
        }
    }
    let len = crate::file_len(to.len().saturating_sub(start));
    push_back_length(to, len, BackLengths::Redis);
}

/// Writes what stands before a text of so many bytes.
pub(crate) fn push_text_head(to: &mut Vec<u8>, text_len: u32) {
    let [b0, b1, ..] = text_len.to_le_bytes();
    match text_len {
        0..64 => to.push(0x80 | b0),
        64..4096 => to.extend_from_slice(&[0xe0 | b1, b0]),
        _ => {
            to.push(0xf0);
            to.extend_from_slice(&text_len.to_le_bytes());
        }
    }
}

/// Writes the length that stands behind an element of so many bytes.
pub(crate) fn push_back_length(to: &mut Vec<u8>, element_len: u64, form: BackLengths) {
    let bytes = back_length_len(element_len, form);
    for place in (0..bytes).rev() {
        let [low, ..] = (element_len >> (7 * place)).to_le_bytes();
        let more = if place + 1 == bytes { 0 } else { 0x80 };
        to.push((low & 0x7f) | more);
    }
}

/// Bytes of the length behind an element of so many bytes.
fn back_length_len(element_len: u64, form: BackLengths) -> u32 {
    let more = match form {
        BackLengths::Redis => 0,
        BackLengths::Valkey9 => 1,
    };
    match element_len {
        0..=127 => 1,
        len if len <= 16_382 + more => 2,
        len if len <= 2_097_150 + more => 3,
        len if len <= 268_435_454 + more => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_a_server() {
        let cases: [(i64, &[u8]); 16] = [
            (0, b"\x00\x01"),
            (127, b"\x7f\x01"),
            (-1, b"\xdf\xff\x02"),
            (128, b"\xc0\x80\x02"),
            (4095, b"\xcf\xff\x02"),
            (-4096, b"\xd0\x00\x02"),
            (4096, b"\xf1\x00\x10\x03"),
            (-4097, b"\xf1\xff\xef\x03"),
            (32767, b"\xf1\xff\x7f\x03"),
            (-32768, b"\xf1\x00\x80\x03"),
            (32768, b"\xf2\x00\x80\x00\x04"),
            (8_388_607, b"\xf2\xff\xff\x7f\x04"),
            (-8_388_608, b"\xf2\x00\x00\x80\x04"),
            (2_147_483_647, b"\xf3\xff\xff\xff\x7f\x05"),
            (2_147_483_648, b"\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09"),
            (i64::MAX, b"\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09"),
        ];
        for (value, bytes) in cases {
            let mut written = Vec::new();
            push_integer(&mut written, value);
            assert_eq!(written, bytes, "{value}");
        }
    }

    #[test]
    fn length_behind_an_element_takes_a_byte_more_at_the_border_but_for_valkey_9() {
        let cases: [(u64, &[u8], &[u8]); 9] = [
            (1, b"\x01", b"\x01"),
            (127, b"\x7f", b"\x7f"),
            (128, b"\x01\x80", b"\x01\x80"),
            (16_382, b"\x7f\xfe", b"\x7f\xfe"),
            (16_383, b"\x00\xff\xff", b"\x7f\xff"),
            (16_384, b"\x01\x80\x80", b"\x01\x80\x80"),
            (2_097_151, b"\x00\xff\xff\xff", b"\x7f\xff\xff"),
            (268_435_455, b"\x00\xff\xff\xff\xff", b"\x7f\xff\xff\xff"),
            (268_435_456, b"\x01\x80\x80\x80\x80", b"\x01\x80\x80\x80\x80"),
        ];
        for (len, redis, valkey) in cases {
            for (form, bytes) in [(BackLengths::Redis, redis), (BackLengths::Valkey9, valkey)] {
                let mut written = Vec::new();
                push_back_length(&mut written, len, form);
                assert_eq!(written, bytes, "{len} {form:?}");
            }
        }
    }
}
