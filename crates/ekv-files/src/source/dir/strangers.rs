//! What lies in a dump and is no part of it.

use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter};

use super::{DirSource, Directories, EntryKind, Errno, SORT_BUDGET};
use crate::checksums::{CHECKSUMS_FILE, ChecksumsReader};
use crate::path::{is_at_or_below, prefixes, split_last};
use crate::root::{MANIFEST_FILE, is_top_directory, may_be_empty};
use crate::{DumpPath, ErrorKind, Result};

/// Empty directory that the reference decoder leaves in the root.
const REFERENCE_LEFTOVER: &[u8] = b".scratch";

/// What stands beside a directory in the list.
const DIRECTORY: &[u8] = b"d";

impl DirSource {
    /// A dump in a directory that is open.
    pub(crate) fn of_directory(root: OwnedFd, scratch: Arc<dyn Scratch>) -> Self {
        DirSource { directories: Directories::new(root), scratch }
    }

    /// The first `count_max` entries, in byte order of the paths, that are no part of the dump: what CHECKSUMS does not list, the two
    /// files about the dump excepted, and directories that no dump has: without a file below them that is listed. A missing CHECKSUMS lists
    /// nothing.
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
        let row = |(path, what): (&[u8], &[u8])| (path.to_vec(), what == DIRECTORY);
        let mut next_listed = listed.next()?.map(row);
        while let Some((path, kind)) = entries.next()? {
            while next_listed.as_ref().is_some_and(|(listed, _)| listed.as_slice() < path) {
                next_listed = listed.next()?.map(row);
            }
            let is_listed = |is_directory: bool| {
                next_listed.as_ref().is_some_and(|(listed, is)| listed == path && *is == is_directory)
            };
            let is_part = match EntryKind::of(kind) {
                EntryKind::File => {
                    is_listed(false) || path == MANIFEST_FILE.as_bytes() || path == CHECKSUMS_FILE.as_bytes()
                }
                EntryKind::Directory => {
                    is_listed(true) || is_top_directory(path) || may_be_empty(path) || path == REFERENCE_LEFTOVER
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

    /// The paths that CHECKSUMS lists, and the directories above them.
    fn read_listed(&mut self) -> Result<Sorter> {
        let mut listed = Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET);
        let path = DumpPath::new(CHECKSUMS_FILE.as_bytes())?;
        let file = match DirSource::open_file(self, &path) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(listed),
            Err(error) => return Err(error),
        };
        let mut reader = ChecksumsReader::new(BufReader::new(file));
        let mut last = Vec::new();
        loop {
            match reader.next_line() {
                Ok(None) => return Ok(listed),
                Ok(Some(line)) => {
                    let path = line.path.as_bytes();
                    let directory = split_last(path).0;
                    for above in prefixes(directory).filter(|above| !is_at_or_below(&last, above)) {
                        listed.push(above, DIRECTORY)?;
                    }
                    last.clear();
                    last.extend_from_slice(directory);
                    listed.push(path, b"")?;
                }
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
