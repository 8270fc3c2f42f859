//! Every entry of the dump beside its line in CHECKSUMS.

use std::sync::Arc;

use ekv_spill::{Scratch, Sorter};

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::structure::Structure;
use crate::Result;
use crate::checksums::FileDigest;

const DIRECTORY: u8 = b'd';
const FILE: u8 = b'f';
const LISTED: u8 = b'l';
const REFUSED: u8 = b'r';

/// Entries and lines by path.
pub(super) struct Entries {
    sorter: Sorter,
    key: KeyBuffer,
}

/// What is known about one path.
#[derive(Default)]
struct Entry {
    /// The part of the key that all share.
    group: Vec<u8>,
    is_directory: bool,
    is_refused: bool,
    /// Digest and length of the file.
    file: Option<(Vec<u8>, u64)>,
    /// Digest of the first line, and how many lines there are.
    listed: Vec<u8>,
    listed_count: u64,
}

impl Entries {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Entries { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: KeyBuffer::default() }
    }

    pub(super) fn add_directory(&mut self, path: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], DIRECTORY), b"")?)
    }

    pub(super) fn add_refused(&mut self, path: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], REFUSED), b"")?)
    }

    pub(super) fn add_file(&mut self, path: &[u8], digest: &FileDigest, len: u64) -> Result<()> {
        let mut payload = [0; size_of::<FileDigest>() + size_of::<u64>()];
        for (to, from) in payload.iter_mut().zip(digest.iter().chain(&len.to_be_bytes())) {
            *to = *from;
        }
        Ok(self.sorter.push(self.key.of(&[path], FILE), &payload)?)
    }

    pub(super) fn add_listed(&mut self, path: &[u8], digest: &FileDigest) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[path], LISTED), digest)?)
    }

    /// Compares entries with lines, and shows every entry to `structure`.
    pub(super) fn check(self, structure: &mut Structure<'_>, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut entry = Entry::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != entry.group {
                entry.check(structure, problems)?;
                entry = Entry { group: group.to_vec(), ..Entry::default() };
            }
            match tag {
                DIRECTORY => entry.is_directory = true,
                REFUSED => entry.is_refused = true,
                FILE => {
                    let (digest, len) = payload.split_at_checked(size_of::<FileDigest>()).unwrap_or_default();
                    let len = len.first_chunk().map_or(0, |len| u64::from_be_bytes(*len));
                    entry.file = Some((digest.to_vec(), len));
                }
                _ => {
                    if entry.listed_count == 0 {
                        entry.listed = payload.to_vec();
                    }
                    entry.listed_count = entry.listed_count.saturating_add(1);
                }
            }
        }
        entry.check(structure, problems)
    }
}

impl Entry {
    fn check(&self, structure: &mut Structure<'_>, problems: &mut Problems) -> Result<()> {
        let (path, _) = parts(&self.group);
        if path.is_empty() {
            return Ok(());
        }
        if self.listed_count > 1 {
            problems.add(path, ProblemKind::ListedTwice);
        }
        match &self.file {
            Some(_) if self.listed_count == 0 => problems.add(path, ProblemKind::Unlisted),
            Some((digest, _)) if *digest != self.listed => problems.add(path, ProblemKind::Changed),
            None if self.listed_count > 0 && !self.is_refused => problems.add(path, ProblemKind::Missing),
            _ => {}
        }
        if let Some((_, len)) = self.file {
            structure.file(path, len, problems)?;
        }
        if self.is_directory {
            structure.directory(path, problems)?;
        }
        Ok(())
    }
}
