//! Directories that must be there.

use std::collections::BTreeSet;

use super::ReplayFault;
use crate::segment::component;
use crate::{Error, Result};

/// The tables, buckets or queues that the manifest lists, until their directories are seen.
///
/// Source: `docs/format/restore.md`, section 2.2. Cost: the names of the manifest in memory.
pub(super) struct ListedScopes {
    directory: &'static str,
    missing: BTreeSet<Vec<u8>>,
}

impl ListedScopes {
    /// Expects a directory below `directory` for each of the names.
    pub(super) fn new(directory: &'static str, names: Option<&Vec<String>>) -> Self {
        let missing = names.into_iter().flatten().map(|name| component(name.as_bytes())).collect();
        ListedScopes { directory, missing }
    }

    /// Notes a directory, by the last component of its path.
    pub(super) fn saw(&mut self, segment: &[u8]) {
        self.missing.remove(segment);
    }

    /// Refuses names without a directory.
    pub(super) fn check(&self) -> Result<()> {
        match self.missing.first() {
            Some(segment) => {
                let path = [self.directory.as_bytes(), b"/", segment].concat();
                Err(Error::from(ReplayFault::MissingScope).at(&path))
            }
            None => Ok(()),
        }
    }
}
