//! What the header of a zstd frame says.
//!
//! Source: RFC 8878, section 3.1.1.

use crate::compressed::Beginning;

/// Longest header of a frame, in bytes.
pub(crate) const FRAME_HEADER_LEN_MAX: usize = 18;

/// The length of its content that a frame states in its first bytes.
pub(crate) fn stated_content_len(first: &[u8]) -> Option<u64> {
    let (magic, rest) = first.split_first_chunk::<4>()?;
    let (descriptor, rest) = rest.split_first()?;
    let header = rest.get(..rest_of_header_len(*descriptor))?;
    let is_stated = Beginning::of(magic) == Some(Beginning::Frame) && content_len_len(*descriptor) > 0;
    is_stated.then(|| content_len_of(*descriptor, header))
}

/// Bytes of a frame's header behind its descriptor.
pub(crate) fn rest_of_header_len(descriptor: u8) -> usize {
    let window_len = usize::from(descriptor & 0x20 == 0);
    let dictionary_len = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or_default();
    window_len.saturating_add(dictionary_len).saturating_add(content_len_len(descriptor))
}

/// Bytes of the length of the content at the end of a frame's header.
fn content_len_len(descriptor: u8) -> usize {
    match (descriptor >> 6, descriptor & 0x20) {
        (0, 0) => 0,
        (0, _) => 1,
        (1, _) => 2,
        (2, _) => 4,
        _ => 8,
    }
}

/// The length of the content; more than any table lists if it is not stated.
pub(crate) fn content_len_of(descriptor: u8, header: &[u8]) -> u64 {
    let len_len = content_len_len(descriptor);
    let field = header.get(header.len().saturating_sub(len_len)..).unwrap_or_default();
    match len_len {
        0 => u64::MAX,
        2 => number_of(field).saturating_add(256),
        _ => number_of(field),
    }
}

/// A little-endian number of at most eight bytes.
pub(crate) fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_of_the_content_is_read_in_each_of_its_forms() {
        // Frames with and without a window, a dictionary, and a length of one to eight bytes.
        let cases: [(&[u8], Option<u64>); 8] = [
            (&[0x20, 5], Some(5)),
            (&[0x60, 1, 1], Some(513)),
            (&[0x40, 0x50, 0, 0], Some(256)),
            (&[0xa4, 1, 2, 0, 0], Some(513)),
            (&[0x83, 0x50, 9, 9, 9, 9, 7, 0, 0, 0], Some(7)),
            (&[0xe0, 1, 0, 0, 0, 0, 0, 0, 1], Some((1 << 56) + 1)),
            (&[0x00, 0x50], None),
            (&[0xe0, 1, 0, 0], None),
        ];
        for (header, expected) in cases {
            assert_eq!(stated_content_len(&[&b"\x28\xb5\x2f\xfd"[..], header].concat()), expected, "{header:02x?}");
        }
        assert_eq!(stated_content_len(b"\x5d\x2a\x4d\x18\x20\x05"), None);
        let frame = zstd::bulk::compress(&[7; 1000], 3).unwrap();
        assert_eq!(stated_content_len(&frame[..FRAME_HEADER_LEN_MAX]), Some(1000));
    }
}
