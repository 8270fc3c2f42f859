//! How an archive is written, and how large one may be that is read.

use std::num::NonZeroU32;

use jiff::Timestamp;

use crate::compressed::DEFAULT_EXPANSION_MAX;

/// Highest level of compression.
pub const ZSTD_LEVEL_MAX: u8 = 19;

/// Levels of zstd: 1 is the fastest, [`ZSTD_LEVEL_MAX`] the smallest, 3 the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// The default of zstd.
    pub const DEFAULT: ZstdLevel = ZstdLevel(3);

    /// A level from 1 to [`ZSTD_LEVEL_MAX`].
    pub fn new(level: u8) -> Option<Self> {
        (1..=ZSTD_LEVEL_MAX).contains(&level).then_some(ZstdLevel(level))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for ZstdLevel {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What lies around the tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Nothing.
    None,
    /// zstd: frames that can be read one by one, and an index. Source: `docs/format/tree.md`, section 9.3.
    Zstd(ZstdLevel),
}

impl Compression {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Zstd(_) => "zstd",
        }
    }
}

/// How an archive is written. The bytes depend on `compression` and `modified` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// What lies around the tar.
    pub compression: Compression,
    /// The time of every entry; a fraction of a second is cut off, and times that a header cannot hold become the nearest one.
    pub modified: Timestamp,
    /// Threads that compress; `None`: as many as the machine has processors, at most [`ArchiveOptions::DEFAULT_WORKERS_MAX`].
    pub workers: Option<NonZeroU32>,
}

impl ArchiveOptions {
    /// Most threads that are used without being asked for: each needs memory for its part of the data.
    pub const DEFAULT_WORKERS_MAX: u32 = 4;

    /// Options for an archive whose entries have this time.
    pub fn new(compression: Compression, modified: Timestamp) -> Self {
        ArchiveOptions { compression, modified, workers: None }
    }

    /// Threads that compress.
    pub(super) fn worker_count(&self) -> usize {
        let available = || {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            u32::try_from(processors).unwrap_or(u32::MAX).min(Self::DEFAULT_WORKERS_MAX)
        };
        usize::try_from(self.workers.map_or_else(available, NonZeroU32::get)).unwrap_or(1)
    }
}

/// How much an archive may hold. What lies beyond is refused before any of it is written or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Entries: files, directories and everything else with a header.
    pub entries: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// How many times its own length a compressed archive may have when it is decompressed; see [`crate::compressed`].
    pub expansion: u64,
}

impl ArchiveLimits {
    /// 50 million entries, 4 TiB, [`DEFAULT_EXPANSION_MAX`].
    pub const DEFAULT: ArchiveLimits =
        ArchiveLimits { entries: 50_000_000, bytes: 4 << 40, expansion: DEFAULT_EXPANSION_MAX };
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        ArchiveLimits::DEFAULT
    }
}
