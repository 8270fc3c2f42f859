//! Compares the index of an archive with the entries of the archive, both ways.
//!
//! Source: `docs/format/tree.md`, section 9.3.

use std::sync::{Arc, Mutex, PoisonError};

use ekv_spill::{Scratch, Sorted, Sorter};

use super::Visitor;
use crate::archive::frame_scan::{FrameScan, Scanned};
use crate::archive::names::{EntryPosition, MAGIC, NameIndex};
use crate::archive::reader::{EntryKind, TarEntry};
use crate::archive::seekable::check_table;
use crate::archive::stretches::Stretches;
use crate::archive::{ArchiveFault, ArchiveLimits, IndexFault};
use crate::{DumpPath, Error, ErrorKind, Result};

/// Collects the entries of an archive as it passes.
pub(super) struct IndexCheck {
    scan: Arc<Mutex<FrameScan>>,
    entries: Sorter,
    scratch: Arc<dyn Scratch>,
}

impl IndexCheck {
    pub(super) fn new(scan: Arc<Mutex<FrameScan>>, scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        IndexCheck { scan, entries: Sorter::new(Arc::clone(scratch), memory_budget), scratch: Arc::clone(scratch) }
    }

    /// Notes an entry with its path in the archive.
    pub(super) fn add(&mut self, path: &DumpPath, entry: &TarEntry) -> Result<()> {
        let is_directory = match entry.kind {
            EntryKind::Directory => true,
            EntryKind::File => false,
            EntryKind::Refused(_) => return Ok(()),
        };
        let place = EntryPosition { header_offset: entry.header_offset, len: entry.len, is_directory };
        Ok(self.entries.push(path.as_bytes(), &place.to_payload())?)
    }

    /// Tells of every difference, now that all has passed. An archive without an index has none.
    pub(super) fn finish(self, tar_len: u64, visitor: &mut dyn Visitor) -> Result<()> {
        let Scanned { entries: frames, index, table, .. } = {
            let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
            scan.take()
        };
        let index = index.into_reader()?;
        let mut magic = [0; MAGIC.len()];
        if index.read_at(0, &mut magic).is_err() || magic != *MAGIC {
            return Ok(());
        }
        let checked_table = match table {
            Some(table) => check_table(table, frames, &self.scratch),
            None => Err(IndexFault::Table("is missing").into()),
        };
        tell_fault(checked_table, visitor)?;
        let no_limits = ArchiveLimits { entries: u64::MAX, ..ArchiveLimits::DEFAULT };
        let compared = NameIndex::open(Stretches::Spooled(index), tar_len, no_limits, &self.scratch)
            .and_then(|mut names| Entries::new(self.entries)?.compare(&mut names, visitor));
        tell_fault(compared, visitor)
    }
}

/// Tells of a fault of the index, if that is the error.
fn tell_fault(result: Result<()>, visitor: &mut dyn Visitor) -> Result<()> {
    let Err(error) = result else { return Ok(()) };
    match error.kind() {
        ErrorKind::Archive(ArchiveFault::Index(fault)) => visitor.index_differs(&[], fault.clone()),
        _ => Err(error),
    }
}

/// The entries that are there, by path.
struct Entries {
    sorted: Sorted,
    next: Option<(Vec<u8>, EntryPosition)>,
}

impl Entries {
    fn new(sorter: Sorter) -> Result<Self> {
        let mut entries = Entries { sorted: sorter.finish()?, next: None };
        entries.advance()?;
        Ok(entries)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = self.sorted.next()?.map(|(path, payload)| (path.to_vec(), EntryPosition::from_payload(payload)));
        Ok(())
    }

    fn compare(mut self, names: &mut NameIndex, visitor: &mut dyn Visitor) -> Result<()> {
        names.for_each(&mut |path, place| {
            self.tell_missing_before(Some(path.as_bytes()), visitor)?;
            let (mut is_there, mut is_right) = (false, false);
            // A directory may have several entries.
            while let Some((_, entry)) = self.next.as_ref().filter(|(entry, _)| entry == path.as_bytes()) {
                (is_there, is_right) = (true, is_right || *entry == place);
                self.advance()?;
            }
            match (is_there, is_right) {
                (_, true) => Ok(()),
                (true, false) => {
                    let fault = IndexFault::Elsewhere { header_offset: place.header_offset };
                    visitor.index_differs(path.as_bytes(), fault)
                }
                (false, false) => visitor.index_differs(path.as_bytes(), IndexFault::Invents),
            }
        })?;
        self.tell_missing_before(None, visitor)
    }

    /// Tells of entries before a path, or of all that are left.
    fn tell_missing_before(&mut self, path: Option<&[u8]>, visitor: &mut dyn Visitor) -> Result<()> {
        while let Some((entry, _)) =
            self.next.as_ref().filter(|(entry, _)| path.is_none_or(|path| entry.as_slice() < path))
        {
            visitor.index_differs(entry, IndexFault::Lacks)?;
            self.advance()?;
        }
        Ok::<(), Error>(())
    }
}
