//! Every entry of the dump beside its line in CHECKSUMS.

use std::io::BufRead;
use std::sync::Arc;

use ekv_files::checksums::{ChecksumsError, ChecksumsFault, ChecksumsReader, FileDigest};
use ekv_files::source::read_error;
use ekv_files::{Error, ErrorKind, Result};
use ekv_spill::{Scratch, Sorter};
use ekv_text::LineError;

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};

const DIRECTORY: u8 = b'd';
const FILE: u8 = b'f';
const LISTED: u8 = b'l';
const PRESENT: u8 = b'p';
const REFUSED: u8 = b'r';

/// Entries and lines by path.
pub(crate) struct Entries {
    sorter: Sorter,
    key: KeyBuffer,
}

/// Takes the entries one by one, with their paths; may add problems.
pub(crate) type Show<'s> = &'s mut dyn FnMut(&[u8], Seen<'_>, &mut Problems) -> Result<()>;

/// An entry that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// A file that was read.
    File {
        /// Digest of the contents.
        digest: &'a FileDigest,
        /// Length in bytes.
        len: u64,
    },
    /// A directory.
    Directory,
}

/// How the files differ from CHECKSUMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files with other contents than their line says.
    pub changed: u64,
    /// Files without a line.
    pub added: u64,
    /// Lines without a file, and repeated lines.
    pub removed: u64,
}

impl Changes {
    /// Whether CHECKSUMS lists the files as they are.
    pub fn is_none(self) -> bool {
        self == Changes::default()
    }
}

/// What is known about one path.
#[derive(Default)]
struct Entry {
    /// The part of the key that all share.
    group: Vec<u8>,
    is_directory: bool,
    is_refused: bool,
    /// Whether there is a file that was not read.
    is_present: bool,
    /// Digest and length of the file.
    file: Option<(FileDigest, u64)>,
    /// Whether there are several files of this name.
    is_repeated: bool,
    /// Digest of the first line, and how many lines there are.
    listed: FileDigest,
    listed_count: u64,
}

impl Entries {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Entries { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: KeyBuffer::default() }
    }

    pub(crate) fn add_directory(&mut self, path: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], DIRECTORY), b"")?)
    }

    pub(crate) fn add_refused(&mut self, path: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], REFUSED), b"")?)
    }

    /// Notes a file that is not read: only that it is there counts.
    pub(crate) fn add_present(&mut self, path: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], PRESENT), b"")?)
    }

    pub(crate) fn add_file(&mut self, path: &[u8], digest: &FileDigest, len: u64) -> Result<()> {
        let mut payload = [0; size_of::<FileDigest>() + size_of::<u64>()];
        for (to, from) in payload.iter_mut().zip(digest.iter().chain(&len.to_be_bytes())) {
            *to = *from;
        }
        Ok(self.sorter.push(self.key.of(&[path], FILE), &payload)?)
    }

    pub(crate) fn add_listed(&mut self, path: &[u8], digest: &FileDigest) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], LISTED), digest)?)
    }

    /// Compares entries with lines, and shows every entry to `seen`, in byte order of the paths.
    pub(crate) fn check(self, seen: Show<'_>, problems: &mut Problems) -> Result<Changes> {
        let mut changes = Changes::default();
        let mut sorted = self.sorter.finish()?;
        let mut entry = Entry::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != entry.group {
                entry.check(seen, problems, &mut changes)?;
                entry = Entry { group: group.to_vec(), ..Entry::default() };
            }
            match tag {
                DIRECTORY => entry.is_directory = true,
                REFUSED => entry.is_refused = true,
                PRESENT => entry.is_present = true,
                FILE => {
                    let (digest, len) = payload.split_first_chunk().unwrap_or((&[0; size_of::<FileDigest>()], &[]));
                    let len = len.first_chunk().map_or(0, |len| u64::from_be_bytes(*len));
                    entry.is_repeated |= entry.file.replace((*digest, len)).is_some();
                }
                _ => {
                    if entry.listed_count == 0 {
                        entry.listed = payload.first_chunk().copied().unwrap_or_default();
                    }
                    entry.listed_count = entry.listed_count.saturating_add(1);
                }
            }
        }
        entry.check(seen, problems, &mut changes)?;
        Ok(changes)
    }
}

impl Entry {
    fn check(&self, seen: Show<'_>, problems: &mut Problems, changes: &mut Changes) -> Result<()> {
        let (path, _) = parts(&self.group);
        if path.is_empty() {
            return Ok(());
        }
        if self.listed_count > 1 {
            problems.add(path, ProblemKind::ListedTwice);
            changes.removed = changes.removed.saturating_add(self.listed_count.saturating_sub(1));
        }
        if self.is_repeated {
            problems.add(path, ProblemKind::Repeated);
        }
        if self.file.is_some() && self.is_directory {
            problems.add(path, ProblemKind::FileAndDirectory);
        }
        let is_listed = self.listed_count > 0;
        let (kind, count) = match &self.file {
            Some(_) if !is_listed => (Some(ProblemKind::unlisted(path)), &mut changes.added),
            Some((digest, _)) if *digest != self.listed => (Some(ProblemKind::Changed), &mut changes.changed),
            None if self.is_present && !is_listed => (Some(ProblemKind::unlisted(path)), &mut changes.added),
            None if !self.is_present && is_listed && !self.is_refused => {
                (Some(ProblemKind::Missing), &mut changes.removed)
            }
            _ => (None, &mut changes.removed),
        };
        if let Some(kind) = kind {
            problems.add(path, kind);
            *count = count.saturating_add(1);
        }
        if let Some((digest, len)) = &self.file {
            seen(path, Seen::File { digest, len: *len }, problems)?;
        }
        if self.is_directory {
            seen(path, Seen::Directory, problems)?;
        }
        Ok(())
    }
}

/// Notes the lines of CHECKSUMS.
pub(crate) fn read_checksums(input: &mut dyn BufRead, entries: &mut Entries) -> Result<()> {
    let mut reader = ChecksumsReader::new(input);
    loop {
        match reader.next_line() {
            Ok(None) => return Ok(()),
            Ok(Some(line)) => entries.add_listed(line.path.as_bytes(), &line.digest)?,
            Err(ChecksumsError { fault: ChecksumsFault::Line(LineError::Io(source)), .. }) => {
                return Err(read_error(source));
            }
            Err(ChecksumsError { line_number, fault }) => {
                return Err(Error::from(ErrorKind::Checksums(fault)).at_line(line_number));
            }
        }
    }
}
