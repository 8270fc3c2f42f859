//! Directories that must be there.

use ekv_files::{Error, Result};
use ekv_spill::Sorter;

use super::ReplayFault;
use super::reading::Reading;
use crate::segment::component;

/// How a row says that the directory was seen; those that are listed have no text.
const SEEN: &[u8] = b"s";

/// The tables, buckets or queues that the manifest lists, beside the directories that are there.
///
/// Source: `docs/format/restore.md`, section 2.2. Memory: that of a [`Sorter`].
pub(crate) struct ListedScopes {
    directory: &'static str,
    /// By the last component of the path.
    rows: Sorter,
}

impl ListedScopes {
    /// Expects a directory below `directory` for each of the names that are listed.
    pub(crate) fn new(directory: &'static str, reading: &mut Reading<'_>) -> Result<Self> {
        let mut rows = reading.take_listed(directory);
        reading.for_each_scope(&mut |adapter, name| match adapter == directory {
            true => Ok(rows.push(&component(name.as_bytes()), b"")?),
            false => Ok(()),
        })?;
        Ok(ListedScopes { directory, rows })
    }

    /// Notes a directory, by the last component of its path.
    pub(crate) fn saw(&mut self, segment: &[u8]) -> Result<()> {
        Ok(self.rows.push(segment, SEEN)?)
    }

    /// Refuses names without a directory.
    pub(crate) fn check(self) -> Result<()> {
        let mut rows = self.rows.finish()?;
        // Rows of one directory are neighbours, in the order in which they were pushed.
        let mut open: Option<Vec<u8>> = None;
        loop {
            let row = rows.next()?;
            let is_same = row.is_some_and(|(segment, _)| open.as_deref() == Some(segment));
            if let Some(segment) = open.take().filter(|_| !is_same) {
                let path = [self.directory.as_bytes(), b"/", &segment].concat();
                return Err(Error::from(ReplayFault::MissingScope).at(&path));
            }
            let Some((segment, seen)) = row else { return Ok(()) };
            if seen != SEEN {
                open = Some(segment.to_vec());
            }
        }
    }
}
