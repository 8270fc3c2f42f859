//! The one walk over a dump: hashes, and what the small files say.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_model::{Map, Monitor, Protocol};
use ekv_spill::Scratch;

use super::entries::{Entries, read_checksums};
use super::hashing::HashingReader;
use super::joins::{Joins, Notes};
use super::lines::Lists;
use super::problem::{ProblemKind, Problems};
use super::rules::Rules;
use super::scopes::Scopes;
use super::structure::Structure;
use crate::DumpFault;
use crate::entry::Entry;
use crate::layout::layout;
use crate::manifest::{MANIFEST_FILE, StoredManifest};
use ekv_files::archive::IndexFault;
use ekv_files::checksums::CHECKSUMS_FILE;
use ekv_files::source::{Refusal, SourceError, Visitor, read_error};
use ekv_files::{DumpPath, Error, Result};

/// Looks at every entry.
pub(super) struct Walk<'a> {
    collected: Collected,
    monitor: &'a dyn Monitor,
    buffer: Vec<u8>,
}

/// What the walk brings together so far.
struct Collected {
    scratch: Arc<dyn Scratch>,
    manifest: Option<StoredManifest>,
    has_checksums: bool,
    files: u64,
    bytes: u64,
    entries: Entries,
    joins: Map<Box<dyn Joins>>,
    scopes: Scopes,
    lists: Lists,
    problems: Problems,
    /// The staging directory that was met last.
    left_by_run: Vec<u8>,
}

/// What the walk brought together.
pub(super) struct Walked {
    pub(super) manifest: StoredManifest,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) entries: Entries,
    pub(super) structure: Structure,
    pub(super) problems: Problems,
}

impl<'a> Walk<'a> {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize, monitor: &'a dyn Monitor) -> Self {
        let joins_budget = memory_budget / 5 * 2 / Protocol::ALL.len();
        let collected = Collected {
            scratch: Arc::clone(scratch),
            manifest: None,
            has_checksums: false,
            files: 0,
            bytes: 0,
            entries: Entries::new(scratch, memory_budget / 2),
            joins: Map::of(|protocol| (layout(protocol).joins)(scratch, joins_budget)),
            scopes: Scopes::new(scratch, memory_budget / 10),
            lists: Lists::default(),
            problems: Problems::default(),
            left_by_run: Vec::new(),
        };
        Walk { collected, monitor, buffer: Vec::new() }
    }

    /// An error if there is no CHECKSUMS, nor a manifest, which is the first thing to miss.
    pub(super) fn require_checksums(&self) -> Result<()> {
        match (&self.collected.manifest, self.collected.has_checksums) {
            (Some(_), false) => Err(DumpFault::NotADump { missing: CHECKSUMS_FILE }.into()),
            _ => Ok(()),
        }
    }

    /// Ends the walk.
    pub(super) fn finish(self) -> Result<Walked> {
        let Collected { manifest, files, bytes, entries, joins, mut scopes, lists, mut problems, .. } = self.collected;
        let manifest = manifest.ok_or(DumpFault::NotADump { missing: MANIFEST_FILE })?;
        lists.check(&manifest.account, &mut problems);
        manifest.for_each_scope(&mut |protocol, name| scopes.declare(protocol, name))?;
        let structure = Structure { rules: Rules::new(&manifest), joins, scopes };
        Ok(Walked { manifest, files, bytes, entries, structure, problems })
    }
}

impl Visitor for Walk<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        if self.collected.is_left_by_run(path.as_bytes()) {
            return Ok(());
        }
        self.collected.entries.add_directory(path.as_bytes())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        if self.collected.is_left_by_run(path.as_bytes()) {
            return Ok(());
        }
        let reader = HashingReader::new(content, self.monitor);
        self.collected.read_file(path.as_bytes(), reader, &mut self.buffer).map_err(|error| error.at(path.as_bytes()))
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        let path = path.as_bytes();
        if path == MANIFEST_FILE.as_bytes() || path == CHECKSUMS_FILE.as_bytes() {
            return Err(Error::from(SourceError::Refused(refusal)).at(path));
        }
        if self.collected.is_left_by_run(path) {
            return Ok(());
        }
        self.collected.problems.add(path, ProblemKind::Refused(refusal));
        self.collected.entries.add_refused(path)
    }

    fn index_differs(&mut self, path: &[u8], fault: IndexFault) -> Result<()> {
        self.collected.problems.add(path, ProblemKind::Index(fault));
        Ok(())
    }
}

impl Collected {
    /// Whether something is, or lies in, a staging directory, which is one problem and no part of the dump.
    fn is_left_by_run(&mut self, path: &[u8]) -> bool {
        let Some(kind) = ProblemKind::left_by_run(path) else { return false };
        let directory = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        if self.left_by_run != directory {
            self.left_by_run = directory.to_vec();
            self.problems.add(directory, kind);
        }
        true
    }

    fn read_file(&mut self, path: &[u8], reader: HashingReader<'_>, buffer: &mut Vec<u8>) -> Result<()> {
        let entry = Entry::of_file(path).ok();
        let (digest, len) = match entry.filter(|entry| says_something(*entry)) {
            None => reader.finish(buffer),
            Some(entry) => {
                let mut input = BufReader::new(reader);
                self.read_entry(path, entry, &mut input)?;
                input.into_inner().finish(buffer)
            }
        }
        .map_err(read_error)?;
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(len);
        if entry == Some(Entry::Checksums) { Ok(()) } else { self.entries.add_file(path, &digest, len) }
    }

    /// Reads a file that means something to the check beyond its digest.
    fn read_entry(&mut self, path: &[u8], entry: Entry<'_>, input: &mut dyn BufRead) -> Result<()> {
        let Collected { joins, scopes, lists, problems, .. } = self;
        match entry {
            Entry::Manifest => {
                self.manifest = Some(StoredManifest::read(input, &self.scratch)?);
                Ok(())
            }
            Entry::Checksums => {
                self.has_checksums = true;
                read_checksums(input, &mut self.entries)
            }
            Entry::Losses => lists.read_losses(input, problems),
            Entry::ScopeList => {
                lists.read_scopes(input, problems, &mut |protocol, name| scopes.declare(protocol, name))
            }
            Entry::In(scope, inside) => {
                joins.get_mut(inside.entry().protocol()).read(scope, inside, input, Notes { path, scopes, problems })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a file means something to the check beyond its digest.
fn says_something(entry: Entry<'_>) -> bool {
    match entry {
        Entry::Manifest | Entry::Checksums | Entry::Losses | Entry::ScopeList => true,
        Entry::In(_, inside) => inside.entry().is_joined_by_text(),
        _ => false,
    }
}
