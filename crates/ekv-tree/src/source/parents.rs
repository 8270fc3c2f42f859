//! Directories that an archive only implies.

use super::Visitor;
use crate::archive::ArchiveFault;
use crate::path::{is_at_or_below, prefixes, split_last};
use crate::{DumpPath, Result};

/// Shows the directories above an entry before it, also where the archive has no entries of their own.
pub(super) struct Parents {
    /// The directory that was shown last; those above it were shown as well.
    last: Vec<u8>,
    shown: u64,
    shown_max: u64,
}

impl Parents {
    /// Shows at most `shown_max` directories, since a short path can imply thousands of them.
    pub(super) fn new(shown_max: u64) -> Self {
        Parents { last: Vec::new(), shown: 0, shown_max }
    }

    /// Shows the directories above `path`. One may be shown again after others have been.
    pub(super) fn show_above(&mut self, path: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        self.show(split_last(path.as_bytes()).0, visitor)
    }

    /// Shows a directory and those above it.
    pub(super) fn show(&mut self, directory: &[u8], visitor: &mut dyn Visitor) -> Result<()> {
        if directory == self.last {
            return Ok(());
        }
        for prefix in prefixes(directory).filter(|prefix| !is_at_or_below(&self.last, prefix)) {
            self.shown = self.shown.saturating_add(1);
            if self.shown > self.shown_max {
                return Err(ArchiveFault::TooManyEntries { max: self.shown_max }.into());
            }
            visitor.directory(&DumpPath::new(prefix)?)?;
        }
        self.last.clear();
        self.last.extend_from_slice(directory);
        Ok(())
    }
}
