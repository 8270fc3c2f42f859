//! The one walk over a dump: hashes, and what the small files say.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_files::checksums::{CHECKSUMS_FILE, ChecksumsError, ChecksumsFault, ChecksumsReader};
use ekv_files::source::{Refusal, SourceError, Visitor};
use ekv_files::{DumpPath, Error, ErrorKind, Result};
use ekv_spill::Scratch;
use ekv_text::LineError;

use super::entries::Entries;
use super::hashing::HashingReader;
use super::problem::{ProblemKind, Problems};
use super::redis::RedisNames;
use super::s3::S3Names;
use super::scopes::{Scopes, Seen};
use crate::DumpFault;
use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::losses::{LOSSES_FILE, LossFault, LossesReader};
use crate::manifest::{MANIFEST_FILE, StoredManifest};
use crate::scope_list::{SCOPES_FILE, ScopeFault, ScopesReader};
use crate::segment::component;
pub(crate) use ekv_files::source::read_error;

/// Looks at every entry.
pub(super) struct Walk<'a> {
    collected: Collected,
    progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
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
    redis: RedisNames,
    s3: S3Names,
    scopes: Scopes,
    /// How many losses LOSSES.jsonl lists.
    listed_losses: Option<u64>,
    /// How many names SCOPES.jsonl lists.
    listed_scopes: Option<u64>,
    problems: Problems,
}

/// What the walk brought together.
pub(super) struct Walked {
    pub(super) manifest: StoredManifest,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) entries: Entries,
    pub(super) redis: RedisNames,
    pub(super) s3: S3Names,
    pub(super) scopes: Scopes,
    pub(super) problems: Problems,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        scratch: &Arc<dyn Scratch>,
        memory_budget: usize,
        progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Self {
        let collected = Collected {
            scratch: Arc::clone(scratch),
            manifest: None,
            has_checksums: false,
            files: 0,
            bytes: 0,
            entries: Entries::new(scratch, memory_budget / 2),
            redis: RedisNames::new(scratch, memory_budget / 5),
            s3: S3Names::new(scratch, memory_budget / 5),
            scopes: Scopes::new(scratch, memory_budget),
            listed_losses: None,
            listed_scopes: None,
            problems: Problems::default(),
        };
        Walk { collected, progress, buffer: Vec::new() }
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
        let Collected { manifest, files, bytes, entries, redis, s3, mut scopes, mut problems, .. } = self.collected;
        let manifest = manifest.ok_or(DumpFault::NotADump { missing: MANIFEST_FILE })?;
        let account = &manifest.account;
        for (path, listed, stated) in [
            (LOSSES_FILE, self.collected.listed_losses, account.listed_losses),
            (SCOPES_FILE, self.collected.listed_scopes, account.listed_scopes),
        ] {
            if listed != stated {
                problems.add(path.as_bytes(), ProblemKind::Stated { listed, stated });
            }
        }
        if let Some(stated) = account.listed_losses.filter(|stated| *stated != account.loss_count) {
            let (listed, stated) = (Some(stated), Some(account.loss_count));
            problems.add(MANIFEST_FILE.as_bytes(), ProblemKind::Stated { listed, stated });
        }
        manifest.for_each_scope(&mut |directory, name| {
            let name = match directory {
                "redis" => format!("db_{name}").into_bytes(),
                _ => component(name.as_bytes()),
            };
            scopes.add(&[directory.as_bytes(), b"/", &name].concat(), Seen::Declared)
        })?;
        Ok(Walked { manifest, files, bytes, entries, redis, s3, scopes, problems })
    }
}

impl Visitor for Walk<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.collected.entries.add_directory(path.as_bytes())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        let reader = HashingReader::new(content, self.progress);
        self.collected.read_file(path.as_bytes(), reader, &mut self.buffer).map_err(|error| error.at(path.as_bytes()))
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        let path = path.as_bytes();
        if path == MANIFEST_FILE.as_bytes() || path == CHECKSUMS_FILE.as_bytes() {
            return Err(Error::from(SourceError::Refused(refusal)).at(path));
        }
        self.collected.problems.add(path, ProblemKind::Refused(refusal));
        self.collected.entries.add_refused(path)
    }
}

impl Collected {
    fn read_file(&mut self, path: &[u8], reader: HashingReader<'_>, buffer: &mut Vec<u8>) -> Result<()> {
        let special = Special::of(path);
        let (digest, len) = match special {
            None => reader.finish(buffer),
            Some(special) => {
                let mut input = BufReader::new(reader);
                self.read_special(path, special, &mut input)?;
                input.into_inner().finish(buffer)
            }
        }
        .map_err(read_error)?;
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(len);
        if special == Some(Special::Checksums) { Ok(()) } else { self.entries.add_file(path, &digest, len) }
    }

    /// Reads a file that means something to the check beyond its digest.
    fn read_special(&mut self, path: &[u8], special: Special<'_>, input: &mut dyn BufRead) -> Result<()> {
        match special {
            Special::Manifest => {
                self.manifest = Some(StoredManifest::read(input, &self.scratch)?);
                Ok(())
            }
            Special::Checksums => {
                self.has_checksums = true;
                read_checksums(input, &mut self.entries)
            }
            Special::Losses => self.read_losses(path, input),
            Special::Scopes => self.read_scopes(path, input),
            Special::RedisKeymap(scope) => self.redis.read_keymap(scope, path, input, &mut self.problems),
            Special::RedisExpiry(scope, sidecar) => {
                self.redis.read_expiry(scope, sidecar, path, input, &mut self.problems)
            }
            Special::S3Keymap(bucket) => self.s3.read_keymap(bucket, input),
        }
    }
}

impl Collected {
    fn read_losses(&mut self, path: &[u8], input: &mut dyn BufRead) -> Result<()> {
        let mut reader = LossesReader::new(input);
        let mut count = 0_u64;
        let fault = loop {
            match reader.next_loss() {
                Ok(Some(loss)) => count = count.saturating_add(loss.count),
                Ok(None) => break None,
                Err(LossFault::Line(LineError::Io(source))) => return Err(read_error(source)),
                // What follows cannot be told from it, and the number of losses is not known any more.
                Err(fault) => break Some(fault.to_string()),
            }
        };
        self.listed_losses = Some(count);
        self.note_line(path, reader.line_number(), fault);
        Ok(())
    }

    fn read_scopes(&mut self, path: &[u8], input: &mut dyn BufRead) -> Result<()> {
        let mut reader = ScopesReader::new(input);
        let mut count = 0_u64;
        let fault = loop {
            match reader.next_scope() {
                Ok(Some(scope)) => {
                    count = count.saturating_add(1);
                    let name = component(scope.name.as_bytes());
                    self.scopes.add(&[scope.adapter.as_bytes(), b"/", &name].concat(), Seen::Declared)?;
                }
                Ok(None) => break None,
                Err(ScopeFault::Line(LineError::Io(source))) => return Err(read_error(source)),
                Err(fault) => break Some(fault.to_string()),
            }
        };
        self.listed_scopes = Some(count);
        self.note_line(path, reader.line_number(), fault);
        Ok(())
    }

    fn note_line(&mut self, path: &[u8], line_number: u64, fault: Option<String>) {
        if let Some(message) = fault {
            self.problems.add(path, ProblemKind::Line { line_number, message });
        }
    }
}

/// A file that is read for what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special<'a> {
    Manifest,
    Checksums,
    Losses,
    Scopes,
    /// With the directory of the database.
    RedisKeymap(&'a [u8]),
    RedisExpiry(&'a [u8], ExpirySidecar),
    /// With the directory of the bucket.
    S3Keymap(&'a [u8]),
}

impl<'a> Special<'a> {
    fn of(path: &'a [u8]) -> Option<Self> {
        if path == MANIFEST_FILE.as_bytes() {
            return Some(Special::Manifest);
        }
        if path == CHECKSUMS_FILE.as_bytes() {
            return Some(Special::Checksums);
        }
        if path == LOSSES_FILE.as_bytes() {
            return Some(Special::Losses);
        }
        if path == SCOPES_FILE.as_bytes() {
            return Some(Special::Scopes);
        }
        let (scope, name) = ekv_files::path::split_last(path);
        let (adapter, directory) = ekv_files::path::split_last(scope);
        if adapter.contains(&b'/') || directory.is_empty() {
            return None;
        }
        let is_keymap = name == KEYMAP_FILE.as_bytes();
        match adapter {
            b"redis" if is_keymap => Some(Special::RedisKeymap(scope)),
            b"redis" => ExpirySidecar::of(name).map(|sidecar| Special::RedisExpiry(scope, sidecar)),
            b"s3" if is_keymap => Some(Special::S3Keymap(scope)),
            _ => None,
        }
    }
}

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
