//! Directories that an archive only implies.

use super::Visitor;
use crate::archive::ArchiveFault;
use crate::path::{common_directory, is_at_or_below, prefixes, split_last};
use crate::{DumpPath, Result};

/// Bytes of the paths of implied directories for each byte of the tar that was read. Where every file lies in directories of its own, they are about
/// one.
const IMPLIED_PER_BYTE: u64 = 8;

/// Bytes of the paths of implied directories that are never refused: one path of 1 KiB, the longest that clients of S3 have, implies 0.3 MiB.
const IMPLIED_FREE_LEN: u64 = 16 << 20;

/// Shows the directories above an entry before it, also where the archive has no entries of their own.
pub(super) struct Parents {
    /// The directory that was shown last; those above it were shown as well.
    last: Vec<u8>,
    shown: u64,
    shown_max: u64,
    /// Bytes of the paths of directories that were shown without an entry of their own.
    implied_len: u64,
    /// Bytes of the tar that were read.
    read_len: u64,
}

impl Parents {
    /// Shows at most `shown_max` directories, since a short path can imply thousands of them.
    pub(super) fn new(shown_max: u64) -> Self {
        Parents { last: Vec::new(), shown: 0, shown_max, implied_len: 0, read_len: 0 }
    }

    /// Notes how much of the tar was read: what is shown must be in proportion.
    pub(super) fn advance_to(&mut self, read_len: u64) {
        self.read_len = read_len;
    }

    /// Shows the directories above `path`. One may be shown again after others have been.
    pub(super) fn show_above(&mut self, path: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        self.show_implied(split_last(path.as_bytes()).0, visitor)
    }

    /// Shows a directory that has an entry, and those above it.
    pub(super) fn show(&mut self, directory: &[u8], visitor: &mut dyn Visitor) -> Result<()> {
        if self.is_known(directory) {
            return Ok(());
        }
        self.show_implied(split_last(directory).0, visitor)?;
        self.show_one(directory, visitor)?;
        self.set_last(directory);
        Ok(())
    }

    /// Whether a directory is the last one or above it.
    fn is_known(&self, directory: &[u8]) -> bool {
        directory.is_empty() || is_at_or_below(&self.last, directory)
    }

    fn show_implied(&mut self, directory: &[u8], visitor: &mut dyn Visitor) -> Result<()> {
        if self.is_known(directory) {
            return Ok(());
        }
        let known_len = common_directory(&self.last, directory).len();
        for prefix in prefixes(directory).filter(|prefix| prefix.len() > known_len) {
            let path_len = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
            self.implied_len = self.implied_len.saturating_add(path_len);
            let max = self.read_len.saturating_mul(IMPLIED_PER_BYTE).saturating_add(IMPLIED_FREE_LEN);
            if self.implied_len > max {
                return Err(ArchiveFault::ImpliedDirectories { max }.into());
            }
            self.show_one(prefix, visitor)?;
        }
        self.set_last(directory);
        Ok(())
    }

    fn show_one(&mut self, directory: &[u8], visitor: &mut dyn Visitor) -> Result<()> {
        self.shown = self.shown.saturating_add(1);
        if self.shown > self.shown_max {
            return Err(ArchiveFault::TooManyEntries { max: self.shown_max }.into());
        }
        visitor.directory(&DumpPath::new(directory)?)
    }

    fn set_last(&mut self, directory: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(directory);
    }
}
