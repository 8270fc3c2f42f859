//! Dumps as tar archives, plain or compressed with zstd.
//!
//! Source: `docs/format/tree.md`, section 9.
//!
//! | file | holds |
//! |---|---|
//! | `header.rs` | the 512-byte header block, both directions |
//! | `pax.rs` | the records of extended headers, both directions |
//! | `writer.rs` | entries to bytes, reproducibly |
//! | `reader.rs` | bytes to entries, distrusting all of them |
//! | `compress.rs`, `decompress.rs`, `ahead.rs` | what lies around the tar; [`crate::compressed`] decompresses; a thread for that |
//! | `frame.rs`, `seekable/`, `names/` | frames that can be read one by one, the table of where they lie, the index of names |
//! | `stretches.rs`, `frame_header.rs`, `frame_scan.rs` | bytes of a file by position; what a frame says of itself; frames as they pass |
//! | `options.rs`, `fault.rs`, `write_error.rs` | what is asked for, what is refused, why writing failed |
//!
//! [`crate::sink::ArchiveSink`] writes with these, [`crate::source::ArchiveSource`] and [`crate::source::IndexedArchive`] read. Whoever writes or reads
//! archives of other things than dumps has the headers ([`header`], [`pax`]).

pub(crate) mod ahead;
pub(crate) mod compress;
pub(crate) mod decompress;
mod fault;
pub(crate) mod frame;
pub(crate) mod frame_header;
pub(crate) mod frame_scan;
pub mod header;
pub(crate) mod names;
mod options;
pub mod pax;
pub(crate) mod reader;
pub(crate) mod seekable;
pub(crate) mod stretches;
pub(crate) mod write_error;
pub(crate) mod writer;

pub use fault::{ArchiveFault, IndexFault};
pub use options::{ArchiveLimits, ArchiveOptions, Compression, ZSTD_LEVEL_MAX, ZstdLevel};

/// Everything in a tar archive begins at a multiple of this length, in bytes.
pub const BLOCK_LEN: usize = 512;

/// One block.
pub type Block = [u8; BLOCK_LEN];

/// A block of zeros.
pub const ZERO_BLOCK: Block = [0; BLOCK_LEN];

/// Bytes from `len` to the next multiple of [`BLOCK_LEN`].
pub fn padding_len(len: u64) -> usize {
    let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
    usize::try_from(len.wrapping_neg() % block_len).unwrap_or_default()
}
