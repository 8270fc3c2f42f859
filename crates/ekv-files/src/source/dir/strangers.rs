//! What lies in a dump and is no part of it.

use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter};

use super::{DirSource, Directories, EntryKind, Errno, SORT_BUDGET};
use crate::checksums::{CHECKSUMS_FILE, ChecksumsReader};
use crate::path::split_last;
use crate::root::{MANIFEST_FILE, is_top_directory};
use crate::{DumpPath, ErrorKind, Result};

/// Empty directory that the reference decoder leaves in the root.
const REFERENCE_LEFTOVER: &[u8] = b".scratch";

impl DirSource {
    /// A dump in a directory that is open.
    pub(crate) fn of_directory(root: OwnedFd, scratch: Arc<dyn Scratch>) -> Self {
        DirSource { directories: Directories::new(root), scratch }
    }

    /// The first `count_max` entries, in byte order of the paths, that are no part of the dump: what CHECKSUMS does not list, the two
    /// files about the dump excepted, and directories in the root that no dump has. A missing CHECKSUMS lists nothing.
    ///
    /// Cost: lists the dump and reads CHECKSUMS; no other file is opened.
    ///
    /// # Errors
    /// If the dump cannot be listed, or a line of CHECKSUMS is refused.
    pub(crate) fn strangers(&mut self, count_max: usize) -> Result<Vec<Vec<u8>>> {
        match self.find_strangers(count_max) {
            // Another run removes it: what is left there is not for this one to judge.
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            result => result,
        }
    }

    fn find_strangers(&mut self, count_max: usize) -> Result<Vec<Vec<u8>>> {
        let mut listed = self.read_listed()?.finish()?;
        let mut entries = self.list_all()?;
        let mut strangers = Vec::new();
        let mut next_listed = listed.next()?.map(|(path, _)| path.to_vec());
        while let Some((path, kind)) = entries.next()? {
            while next_listed.as_deref().is_some_and(|listed| listed < path) {
                next_listed = listed.next()?.map(|(path, _)| path.to_vec());
            }
            let is_part = match EntryKind::of(kind) {
                EntryKind::File => {
                    next_listed.as_deref() == Some(path)
                        || path == MANIFEST_FILE.as_bytes()
                        || path == CHECKSUMS_FILE.as_bytes()
                }
                // What lies deeper is told by its files.
                EntryKind::Directory => {
                    is_top_directory(path) || path == REFERENCE_LEFTOVER || !split_last(path).0.is_empty()
                }
                EntryKind::Refused(_) => false,
            };
            if !is_part {
                strangers.push(path.to_vec());
                if strangers.len() >= count_max {
                    break;
                }
            }
        }
        Ok(strangers)
    }

    /// The paths that CHECKSUMS lists.
    fn read_listed(&mut self) -> Result<Sorter> {
        let mut listed = Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET);
        let path = DumpPath::new(CHECKSUMS_FILE.as_bytes())?;
        let file = match DirSource::open_file(self, &path) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(listed),
            Err(error) => return Err(error),
        };
        let mut reader = ChecksumsReader::new(BufReader::new(file));
        loop {
            match reader.next_line() {
                Ok(None) => return Ok(listed),
                Ok(Some(line)) => listed.push(line.path.as_bytes(), b"")?,
                Err(error) => {
                    let (line_number, fault) = (error.line_number, error.fault);
                    return Err(crate::Error::from(ErrorKind::Checksums(fault)).at_line(line_number));
                }
            }
        }
    }
}

fn is_missing(error: &crate::Error) -> bool {
    match error.kind() {
        ErrorKind::Source(super::SourceError::Io { source, .. }) => {
            source.raw_os_error() == Some(Errno::NOENT.raw_os_error())
        }
        _ => false,
    }
}
