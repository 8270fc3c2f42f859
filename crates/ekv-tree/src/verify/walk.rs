//! The one walk over a dump: hashes, and what the small files say.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_spill::Scratch;

use super::entries::Entries;
use super::hashing::HashingReader;
use super::problem::{ProblemKind, Problems};
use super::redis::RedisNames;
use super::s3::S3Names;
use crate::checksums::{CHECKSUMS_FILE, ChecksumsError, ChecksumsFault, ChecksumsReader};
use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::manifest::{MANIFEST_FILE, MANIFEST_LEN_MAX, Manifest};
pub(crate) use crate::source::read_error;
use crate::source::{Refusal, SourceError, Visitor};
use crate::{DumpPath, Error, ErrorKind, LineError, Result};

/// Looks at every entry.
pub(super) struct Walk<'a> {
    collected: Collected,
    progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
    buffer: Vec<u8>,
}

/// What the walk brings together so far.
struct Collected {
    manifest: Option<Manifest>,
    has_checksums: bool,
    files: u64,
    bytes: u64,
    entries: Entries,
    redis: RedisNames,
    s3: S3Names,
    problems: Problems,
}

/// What the walk brought together.
pub(super) struct Walked {
    pub(super) manifest: Manifest,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) entries: Entries,
    pub(super) redis: RedisNames,
    pub(super) s3: S3Names,
    pub(super) problems: Problems,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        scratch: &Arc<dyn Scratch>,
        memory_budget: usize,
        progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Self {
        let collected = Collected {
            manifest: None,
            has_checksums: false,
            files: 0,
            bytes: 0,
            entries: Entries::new(scratch, memory_budget / 2),
            redis: RedisNames::new(scratch, memory_budget / 5),
            s3: S3Names::new(scratch, memory_budget / 5),
            problems: Problems::default(),
        };
        Walk { collected, progress, buffer: Vec::new() }
    }

    /// An error if there is no CHECKSUMS, nor a manifest, which is the first thing to miss.
    pub(super) fn require_checksums(&self) -> Result<()> {
        match (&self.collected.manifest, self.collected.has_checksums) {
            (Some(_), false) => Err(ErrorKind::NotADump { missing: CHECKSUMS_FILE }.into()),
            _ => Ok(()),
        }
    }

    /// Ends the walk.
    pub(super) fn finish(self) -> Result<Walked> {
        let Collected { manifest, has_checksums: _, files, bytes, entries, redis, s3, problems } = self.collected;
        let manifest = manifest.ok_or(ErrorKind::NotADump { missing: MANIFEST_FILE })?;
        Ok(Walked { manifest, files, bytes, entries, redis, s3, problems })
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
                self.manifest = Some(read_manifest(input)?);
                Ok(())
            }
            Special::Checksums => {
                self.has_checksums = true;
                read_checksums(input, &mut self.entries)
            }
            Special::RedisKeymap(scope) => self.redis.read_keymap(scope, path, input, &mut self.problems),
            Special::RedisExpiry(scope, sidecar) => {
                self.redis.read_expiry(scope, sidecar, path, input, &mut self.problems)
            }
            Special::S3Keymap(bucket) => self.s3.read_keymap(bucket, input),
        }
    }
}

/// A file that is read for what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special<'a> {
    Manifest,
    Checksums,
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
        let (scope, name) = crate::path::split_last(path);
        let (adapter, directory) = crate::path::split_last(scope);
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

pub(crate) fn read_manifest(input: &mut dyn BufRead) -> Result<Manifest> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MANIFEST_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    input.take(limit).read_to_end(&mut bytes).map_err(read_error)?;
    Ok(Manifest::parse(&bytes)?)
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
