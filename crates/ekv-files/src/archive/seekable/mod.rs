//! The table that says where the frames of a compressed archive lie: the seekable format of zstd, version 0.1.0, its table in the last frame.
//!
//! Source: `docs/format/tree.md`, section 9.3.

mod read;
mod write;

pub(crate) use read::{FrameTable, check_table};
pub(crate) use write::TableWriter;

/// Bytes of the tar in a frame; the last one has less.
pub(crate) const FRAME_LEN: usize = 2 << 20;

/// Magic number of the skippable frame with the table.
pub(crate) const TABLE_FRAME_MAGIC: u32 = 0x184D_2A5E;

/// Magic number of the skippable frames with the index of names.
pub(crate) const INDEX_FRAME_MAGIC: u32 = 0x184D_2A5D;

/// The last bytes of the table.
const TABLE_MAGIC: u32 = 0x8F92_EAB1;

/// Most frames that a table may list.
const FRAMES_MAX: u32 = 0x0800_0000;

/// Bytes before the content of a skippable frame.
pub(crate) const SKIPPABLE_HEADER_LEN: usize = 8;
/// Bytes of a frame in the table.
pub(crate) const ENTRY_LEN: usize = 8;
/// Bytes behind the entries.
pub(crate) const FOOTER_LEN: usize = 9;

/// The first bytes of a skippable frame.
pub(crate) fn skippable_header(magic: u32, len: u32) -> [u8; SKIPPABLE_HEADER_LEN] {
    let mut header = [0; SKIPPABLE_HEADER_LEN];
    header.iter_mut().zip(magic.to_le_bytes().into_iter().chain(len.to_le_bytes())).for_each(|(to, from)| *to = from);
    header
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
