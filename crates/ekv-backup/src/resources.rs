//! What reading an input may take.

use std::path::PathBuf;
use std::sync::Arc;

use ekv_files::archive::ArchiveLimits;
use ekv_spill::{Scratch, SystemScratch};

/// What reading an input may take, of any kind that a command accepts, and where scratch files go.
///
/// Archives and whatever is compressed have limits in any case; snapshots and directories take no more than they have, and are limited where that is
/// asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Most entries: those of a snapshot, or files and directories of a dump. `None` = 50 million in an archive, any number elsewhere.
    pub entries_max: Option<u64>,
    /// Most bytes: those of a snapshot when it is decompressed, or of all files of a dump. `None` = 4 TiB in an archive or in what passes through a
    /// scratch file, any number elsewhere.
    pub bytes_max: Option<u64>,
    /// How many times its own length compressed input may have when it is decompressed (see [`ekv_files::compressed`]).
    pub expansion_max: u64,
    /// The directory of scratch files; `None` = the system's temporary directory for what is read, a private one beside the output for what is written.
    pub scratch_dir: Option<PathBuf>,
}

impl Resources {
    /// What is accepted unless somebody asks for something else.
    pub const DEFAULT: Resources = Resources {
        entries_max: None,
        bytes_max: None,
        expansion_max: ArchiveLimits::DEFAULT.expansion,
        scratch_dir: None,
    };

    /// Where scratch files go while an input is read.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        match &self.scratch_dir {
            Some(directory) => Arc::new(SystemScratch::in_directory(directory)),
            None => Arc::new(SystemScratch::new()),
        }
    }

    /// Where scratch files go that would lie at `place` otherwise.
    pub(crate) fn scratch_or(&self, place: Arc<dyn Scratch>) -> Arc<dyn Scratch> {
        if self.scratch_dir.is_some() { self.scratch() } else { place }
    }

    /// The limits of an archive.
    pub(crate) fn archive(&self) -> ArchiveLimits {
        ArchiveLimits {
            entries: self.entries_max.unwrap_or(ArchiveLimits::DEFAULT.entries),
            bytes: self.spooled_bytes_max(),
            expansion: self.expansion_max,
        }
    }

    /// Most bytes that are copied to a scratch file.
    pub(crate) fn spooled_bytes_max(&self) -> u64 {
        self.bytes_max.unwrap_or(ArchiveLimits::DEFAULT.bytes)
    }
}

impl Default for Resources {
    fn default() -> Self {
        Resources::DEFAULT
    }
}
