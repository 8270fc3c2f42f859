//! The index of names in a compressed archive: which entry lies where in the tar.
//!
//! Source: `docs/format/tree.md`, section 9.3.
//!
//! The payload of the index is [`MAGIC`], the blocks, the top and the trailer. A block holds rows, ascending by path; the top says with which path
//! each block begins, and how long it is. Whoever reads it believes nothing of it that the archive itself does not confirm.

mod read;
mod row;
mod write;

pub(crate) use read::{NameIndex, Step};
pub(crate) use row::EntryPosition;
pub(crate) use write::NameSorter;

/// The first bytes of the payload.
pub(crate) const MAGIC: &[u8; 8] = b"EKVTIDX1";

/// The last bytes of the payload.
const TRAILER_MAGIC: &[u8; 4] = b"EKVT";

/// Most bytes of rows in a block.
pub(crate) const BLOCK_LEN_MAX: usize = 64 << 10;

/// Bytes of the trailer.
const TRAILER_LEN: usize = 32;

/// What stands at the end of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trailer {
    /// Where the top begins in the payload, and its length, in bytes.
    top_offset: u64,
    top_len: u64,
    rows: u64,
    /// CRC32C of the top, as it stands in the payload.
    top_crc32c: u32,
}

impl Trailer {
    fn to_bytes(self) -> [u8; TRAILER_LEN] {
        let mut bytes = [0; TRAILER_LEN];
        let numbers = [self.top_offset, self.top_len, self.rows].into_iter().flat_map(u64::to_le_bytes);
        let parts = numbers.chain(self.top_crc32c.to_le_bytes()).chain(*TRAILER_MAGIC);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` if the last bytes are others.
    fn from_bytes(bytes: &[u8; TRAILER_LEN]) -> Option<Self> {
        let (top_offset, rest) = bytes.split_first_chunk()?;
        let (top_len, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (top_crc32c, magic) = rest.split_first_chunk()?;
        (magic == TRAILER_MAGIC).then_some(Trailer {
            top_offset: u64::from_le_bytes(*top_offset),
            top_len: u64::from_le_bytes(*top_len),
            rows: u64::from_le_bytes(*rows),
            top_crc32c: u32::from_le_bytes(*top_crc32c),
        })
    }
}
