//! The one walk over a dump: hashes, and what the small files say.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_model::Protocol;
use ekv_spill::{Scratch, Sorter};

use super::entries::Entries;
use super::hashing::HashingReader;
use super::lines::{Lists, read_keymap};
use super::problem::{ProblemKind, Problems};
use super::redis::{self, RedisNames, read_expiries};
use super::rules::Rules;
use super::s3::{self, S3Names};
use super::scopes::{Scopes, Seen};
use super::structure::Structure;
use crate::DumpFault;
use crate::entry::{DynamoDbEntry, Entry, RedisEntry, S3Entry};
use crate::layout::dynamodb::read::Schema;
use crate::manifest::{MANIFEST_FILE, StoredManifest};
use crate::replay::value::ValueBuffer;
use ekv_files::checksums::{CHECKSUMS_FILE, ChecksumsError, ChecksumsFault, ChecksumsReader};
pub(crate) use ekv_files::source::read_error;
use ekv_files::source::{Refusal, SourceError, Visitor};
use ekv_files::{DumpPath, Error, ErrorKind, Result};
use ekv_text::LineError;

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
    lists: Lists,
    /// The schema at hand.
    schema: ValueBuffer,
    problems: Problems,
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
    pub(super) fn new(
        scratch: &Arc<dyn Scratch>,
        memory_budget: usize,
        progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Self {
        let sorter = |memory_budget| Sorter::new(Arc::clone(scratch), memory_budget);
        let collected = Collected {
            scratch: Arc::clone(scratch),
            manifest: None,
            has_checksums: false,
            files: 0,
            bytes: 0,
            entries: Entries::new(scratch, memory_budget / 2),
            redis: RedisNames::new(sorter(memory_budget / 5)),
            s3: S3Names::new(sorter(memory_budget / 5)),
            scopes: Scopes::new(scratch, memory_budget / 10),
            lists: Lists::default(),
            schema: ValueBuffer::new(scratch),
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
        let Collected { manifest, files, bytes, entries, redis, s3, mut scopes, lists, mut problems, .. } =
            self.collected;
        let manifest = manifest.ok_or(DumpFault::NotADump { missing: MANIFEST_FILE })?;
        lists.check(&manifest.account, &mut problems);
        manifest.for_each_scope(&mut |protocol, name| scopes.declare(protocol, name))?;
        let structure = Structure { rules: Rules::new(&manifest), redis, s3, scopes };
        Ok(Walked { manifest, files, bytes, entries, structure, problems })
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
        let Collected { redis, s3, scopes, lists, schema, problems, .. } = self;
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
            Entry::Redis(database, RedisEntry::Keymap) => {
                read_keymap(input, redis::check_record, &mut |line, record| match record {
                    Ok(record) => redis.add_record(database, record.encoded.as_bytes(), line),
                    Err(kind) => {
                        problems.add_at(path, Some(line), kind);
                        Ok(())
                    }
                })
            }
            Entry::Redis(database, RedisEntry::Expiries(sidecar)) => {
                read_expiries(input, &mut |line, expiry| match expiry {
                    Ok(expiry) => redis.add_expiry(database, sidecar, expiry.segment, line),
                    Err(kind) => {
                        problems.add_at(path, Some(line), kind);
                        Ok(())
                    }
                })
            }
            Entry::S3(bucket, S3Entry::Keymap) => {
                read_keymap(input, s3::check_record, &mut |line, record| s3.add_record(bucket, line, record))
            }
            Entry::DynamoDb(table, DynamoDbEntry::Schema) => {
                schema.fill_from(input)?;
                // What else is in the text is for those to judge who use it.
                match Schema::read(schema) {
                    Ok(schema) if !schema.has_range_key() => scopes.add(Protocol::DynamoDb, table, Seen::NoRangeKey),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Whether a file means something to the check beyond its digest.
fn says_something(entry: Entry<'_>) -> bool {
    matches!(
        entry,
        Entry::Manifest
            | Entry::Checksums
            | Entry::Losses
            | Entry::ScopeList
            | Entry::Redis(_, RedisEntry::Keymap | RedisEntry::Expiries(_))
            | Entry::S3(_, S3Entry::Keymap)
            | Entry::DynamoDb(_, DynamoDbEntry::Schema)
    )
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
