//! A row of the index, both directions: shared-prefix length, suffix length, suffix, offset of the header, length and kind.
//!
//! Numbers are LEB128. The offset of the header counts blocks of the tar, as the zigzag difference to the row before (the first row of a block: to 0).
//! The last number is twice the length of the content, and one more for a directory.

use crate::archive::BLOCK_LEN;
use crate::source::PATH_LEN_MAX;

/// Bytes of a place in a record of a sorter.
const PAYLOAD_LEN: usize = 16;

/// Where an entry lies, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryPosition {
    /// Where its first header begins in the tar, in bytes.
    pub(crate) header_offset: u64,
    /// Length of the content, in bytes.
    pub(crate) len: u64,
    pub(crate) is_directory: bool,
}

/// The row before: what the next one is told by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Previous {
    pub(crate) path: Vec<u8>,
    /// Offset of its header, in blocks of the tar.
    blocks: u64,
}

impl EntryPosition {
    /// The longest content that can be told.
    pub(super) const LEN_MAX: u64 = u64::MAX / 2;

    /// The number that holds length and kind.
    fn len_and_kind(self) -> u64 {
        self.len.wrapping_mul(2).wrapping_add(u64::from(self.is_directory))
    }

    fn from_numbers(header_offset: u64, len_and_kind: u64) -> Self {
        EntryPosition { header_offset, len: len_and_kind / 2, is_directory: len_and_kind % 2 == 1 }
    }

    /// The place in a record of a sorter.
    pub(crate) fn to_payload(self) -> [u8; PAYLOAD_LEN] {
        let mut payload = [0; PAYLOAD_LEN];
        let numbers = [self.header_offset, self.len_and_kind()].into_iter().flat_map(u64::to_le_bytes);
        payload.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
        payload
    }

    pub(crate) fn from_payload(payload: &[u8]) -> Self {
        let number = |bytes: Option<&[u8; 8]>| u64::from_le_bytes(bytes.copied().unwrap_or_default());
        Self::from_numbers(number(payload.first_chunk()), number(payload.last_chunk()))
    }
}

impl Previous {
    /// Forgets the row before, as at the beginning of a block.
    pub(super) fn clear(&mut self) {
        self.path.clear();
        self.blocks = 0;
    }

    /// Appends the row of an entry, which becomes the row before.
    pub(super) fn push(&mut self, path: &[u8], place: EntryPosition, out: &mut Vec<u8>) {
        let shared_len = self.path.iter().zip(path).take_while(|(a, b)| a == b).count();
        let suffix = path.get(shared_len..).unwrap_or_default();
        for len in [shared_len, suffix.len()] {
            push_number(u64::try_from(len).unwrap_or(u64::MAX), out);
        }
        out.extend_from_slice(suffix);
        let blocks = place.header_offset / block_len();
        push_number(zigzag(blocks.wrapping_sub(self.blocks).cast_signed()), out);
        push_number(place.len_and_kind(), out);
        self.path.truncate(shared_len);
        self.path.extend_from_slice(suffix);
        self.blocks = blocks;
    }

    /// Reads the next row, which becomes the row before; `None` if the bytes are none, or those of a path that is not behind the one before.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<EntryPosition> {
        let shared_len = usize::try_from(next_number(bytes)?).ok().filter(|len| *len <= self.path.len())?;
        let suffix_len = usize::try_from(next_number(bytes)?).ok()?;
        let path_len = shared_len.checked_add(suffix_len).filter(|len| *len <= PATH_LEN_MAX)?;
        let (suffix, rest) = bytes.split_at_checked(path_len.checked_sub(shared_len)?)?;
        *bytes = rest;
        if self.path.get(shared_len..)? >= suffix {
            return None;
        }
        self.path.truncate(shared_len);
        self.path.extend_from_slice(suffix);
        self.blocks = self.blocks.wrapping_add(unzigzag(next_number(bytes)?).cast_unsigned());
        let header_offset = self.blocks.checked_mul(block_len())?;
        Some(EntryPosition::from_numbers(header_offset, next_number(bytes)?))
    }
}

fn block_len() -> u64 {
    u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX)
}

fn zigzag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ (number & 1).cast_signed().wrapping_neg()
}

/// Appends a number as LEB128.
pub(super) fn push_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

/// Takes a number off the front; `None` if it is cut, too large, or longer than it need be.
pub(super) fn next_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    let mut shift = 0_u32;
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits.checked_shl(shift)?;
        if shifted >> shift != bits || (shift > 0 && *byte == 0) {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift = shift.checked_add(7)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written_and_in_no_other_form() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut bytes = Vec::new();
            push_number(number, &mut bytes);
            assert_eq!(next_number(&mut &bytes[..]), Some(number));
            assert_eq!(next_number(&mut &bytes[..bytes.len() - 1]), None, "cut");
        }
        for bytes in [&[0x80, 0x00][..], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]] {
            assert_eq!(next_number(&mut &bytes[..]), None, "{bytes:02x?}");
        }
        assert_eq!([0, -1, 1, i64::MIN].map(zigzag), [0, 1, 2, u64::MAX]);
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_are_written(
            rows in prop::collection::btree_map(
                prop::collection::vec(1_u8..4, 1..9),
                (0_u64..1 << 40, any::<u32>(), any::<bool>()),
                0..20,
            )
        ) {
            let (mut bytes, mut previous) = (Vec::new(), Previous::default());
            let mut expected = Vec::new();
            for (path, (blocks, len, is_directory)) in rows {
                let place = EntryPosition { header_offset: blocks * 512, len: u64::from(len), is_directory };
                previous.push(&path, place, &mut bytes);
                expected.push((path, place));
            }
            let (mut rest, mut previous, mut found) = (&bytes[..], Previous::default(), Vec::new());
            while !rest.is_empty() {
                let place = previous.next(&mut rest).unwrap();
                found.push((previous.path.clone(), place));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
