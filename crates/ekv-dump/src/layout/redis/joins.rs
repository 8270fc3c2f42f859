//! The names of a Redis database: files, KEYMAP records and expiry lines of one key meet here.

use std::io::BufRead;

use ekv_spill::Sorter;

use crate::expiry::{ExpiryError, ExpiryFault, ExpiryLine, ExpiryReader, ExpirySidecar};
use crate::keymap::{KeymapKind, KeymapRecord};
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::redis::entry::DatabaseEntry;
use crate::layout::redis::write::names::Folder;
use crate::segment::{Encoding, encode_segment_into, has_fallback_shape};
use crate::verify::joins::{Joins, Notes};
use crate::verify::key::{KeyBuffer, line_of, line_payload, parts, split_tag};
use crate::verify::lines::read_keymap;
use crate::verify::problem::{ProblemKind, Problems};
use crate::verify::rules::Rules;
use ekv_files::Result;
use ekv_files::source::read_error;
use ekv_text::LineError;

/// Tags of files begin here, in the order of [`Folder::ALL`].
const FIRST_FOLDER: u8 = b'0';
/// Tags of expiry lines begin here, in the order of [`ExpirySidecar::ALL`].
const FIRST_SIDECAR: u8 = b'e';
const RECORD: u8 = b'k';

fn tag_of<T: PartialEq>(all: &[T], first: u8, one: &T) -> u8 {
    all.iter().zip(first..).find(|(other, _)| *other == one).map_or(0, |(_, tag)| tag)
}

fn of_tag<T: Copy>(all: &[T], first: u8, tag: u8) -> Option<T> {
    all.get(usize::from(tag.checked_sub(first)?)).copied()
}

/// The files whose expiry a sidecar holds.
pub(crate) fn folder_of(sidecar: ExpirySidecar) -> Folder {
    match sidecar {
        ExpirySidecar::Strings => Folder::Strings,
        ExpirySidecar::Hll => Folder::Hll,
    }
}

/// Everything about names, by database and segment.
pub(crate) struct RedisNames {
    sorter: Sorter,
    key: KeyBuffer,
}

impl RedisNames {
    pub(crate) fn new(sorter: Sorter) -> Self {
        RedisNames { sorter, key: KeyBuffer::default() }
    }

    /// Notes a file.
    pub(crate) fn add_file(&mut self, database: &[u8], folder: Folder, segment: &[u8]) -> Result<()> {
        self.add(database, segment, tag_of(&Folder::ALL, FIRST_FOLDER, &folder), b"")
    }

    /// Notes a KEYMAP record.
    pub(crate) fn add_record(&mut self, database: &[u8], segment: &[u8], line: u64) -> Result<()> {
        self.add(database, segment, RECORD, &line_payload(line))
    }

    /// Notes a line of an expiry sidecar.
    pub(crate) fn add_expiry(
        &mut self,
        database: &[u8],
        sidecar: ExpirySidecar,
        segment: &[u8],
        line: u64,
    ) -> Result<()> {
        self.add(database, segment, tag_of(&ExpirySidecar::ALL, FIRST_SIDECAR, &sidecar), &line_payload(line))
    }

    fn add(&mut self, database: &[u8], segment: &[u8], tag: u8, payload: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[database, segment], tag), payload)?)
    }

    /// Brings together what belongs to one key.
    pub(crate) fn check(self, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut name = Name::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != name.group {
                name.check(problems);
                name = Name { group: group.to_vec(), ..Name::default() };
            }
            name.add(tag, payload, problems);
        }
        name.check(problems);
        Ok(())
    }
}

impl Joins for RedisNames {
    fn read(&mut self, database: &[u8], entry: Inside<'_>, input: &mut dyn BufRead, notes: Notes<'_>) -> Result<()> {
        let Notes { path, problems, .. } = notes;
        let mut refuse = |line, kind| {
            problems.add_at(path, Some(line), kind);
            Ok(())
        };
        match entry {
            Inside::Redis(DatabaseEntry::Keymap) => {
                read_keymap(input, check_record, &mut |line, record| match record {
                    Ok(record) => self.add_record(database, record.encoded.as_bytes(), line),
                    Err(kind) => refuse(line, kind),
                })
            }
            Inside::Redis(DatabaseEntry::Expiries(sidecar)) => read_expiries(input, &mut |line, expiry| match expiry {
                Ok(expiry) => self.add_expiry(database, sidecar, expiry.segment, line),
                Err(kind) => refuse(line, kind),
            }),
            _ => Ok(()),
        }
    }

    fn note(&mut self, database: &[u8], entry: Inside<'_>, _: u64, _: &Rules) -> Result<()> {
        match entry {
            Inside::Redis(DatabaseEntry::Key(folder, segment)) => self.add_file(database, folder, segment),
            _ => Ok(()),
        }
    }

    fn check(self: Box<Self>, _: &Rules, problems: &mut Problems) -> Result<()> {
        (*self).check(problems)
    }
}

/// What is known about one key.
#[derive(Default)]
struct Name {
    group: Vec<u8>,
    /// Line of its record.
    record: Option<u64>,
    /// Its first line in each expiry sidecar.
    expiries: [Option<u64>; 2],
    /// Where it has files.
    folders: Vec<Folder>,
}

impl Name {
    fn add(&mut self, tag: u8, payload: &[u8], problems: &mut Problems) {
        let line = line_of(payload);
        if let Some(folder) = of_tag(&Folder::ALL, FIRST_FOLDER, tag) {
            return self.folders.push(folder);
        }
        if tag == RECORD {
            self.record = self.record.or(Some(line));
            return;
        }
        let (database, segment) = parts(&self.group);
        for (first, sidecar) in self.expiries.iter_mut().zip(ExpirySidecar::ALL) {
            if tag != tag_of(&ExpirySidecar::ALL, FIRST_SIDECAR, &sidecar) {
                continue;
            }
            match *first {
                None => *first = Some(line),
                Some(first_line) => {
                    let kind = ProblemKind::ExpiryRepeated { segment: segment.to_vec(), first_line };
                    problems.add_at(&DatabaseEntry::Expiries(sidecar).path(database), Some(line), kind);
                }
            }
        }
    }

    fn check(&self, problems: &mut Problems) {
        let (database, segment) = parts(&self.group);
        let path = |entry: DatabaseEntry<'_>| entry.path(database);
        if let (Some(line), []) = (self.record, self.folders.as_slice()) {
            let kind = ProblemKind::KeymapWithoutFile { encoded: segment.to_vec() };
            problems.add_at(&path(DatabaseEntry::Keymap), Some(line), kind);
        }
        for &folder in &self.folders {
            if let Some(first) = self.folders.first().filter(|first| **first != folder) {
                let kind = ProblemKind::SeveralTypes { other: first.name() };
                problems.add(&path(DatabaseEntry::Key(folder, segment)), kind);
            }
            if self.record.is_none() && has_fallback_shape(segment) {
                problems.add(&path(DatabaseEntry::Key(folder, segment)), ProblemKind::FallbackWithoutKeymap);
            }
        }
        for (line, sidecar) in self.expiries.into_iter().zip(ExpirySidecar::ALL) {
            let folder = folder_of(sidecar);
            if line.is_some() && !self.folders.contains(&folder) {
                let kind = ProblemKind::ExpiryWithoutFile {
                    directory: folder.name(),
                    segment: segment.to_vec(),
                    extension: folder.extension(),
                };
                problems.add_at(&path(DatabaseEntry::Expiries(sidecar)), line, kind);
            }
        }
    }
}

/// Whether a KEYMAP record of a database is the fallback of its key.
pub(crate) fn check_record(record: &KeymapRecord) -> Result<(), ProblemKind> {
    let mut segment = Vec::new();
    let encoding = encode_segment_into(&record.original, &mut segment);
    if record.kind == KeymapKind::ShaFallback && encoding == Encoding::Fallback && segment == record.encoded.as_bytes()
    {
        return Ok(());
    }
    Err(ProblemKind::Line { message: "the key in \"original\" does not have the name in \"encoded\"".to_owned() })
}

/// Takes a line of an expiry sidecar, or what is wrong with it, with its number.
pub(crate) type TakeExpiry<'t> = &'t mut dyn FnMut(u64, Result<ExpiryLine<'_>, ProblemKind>) -> Result<()>;

/// Reads an expiry sidecar; ends with the first error of `take`.
pub(crate) fn read_expiries(input: &mut dyn BufRead, take: TakeExpiry<'_>) -> Result<()> {
    let mut reader = ExpiryReader::new(input);
    let mut line_number = 0_u64;
    loop {
        line_number = line_number.saturating_add(1);
        match reader.next_line() {
            Ok(None) => return Ok(()),
            Ok(Some(line)) => take(line_number, Ok(line))?,
            Err(ExpiryError { fault: ExpiryFault::Line(LineError::Io(source)), .. }) => return Err(read_error(source)),
            Err(ExpiryError { line_number, fault }) => {
                take(line_number, Err(ProblemKind::line(&fault)))?;
                if matches!(fault, ExpiryFault::Line(_)) {
                    return Ok(());
                }
            }
        }
    }
}
