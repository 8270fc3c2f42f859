//! The names of a Redis database: files, KEYMAP records and expiry lines of one key meet here.

use std::io::BufRead;
use std::sync::Arc;

use ekv_files::Result;
use ekv_spill::{Scratch, Sorter};
use ekv_text::LineError;

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::walk::read_error;
use crate::expiry::{ExpiryError, ExpiryFault, ExpiryReader, ExpirySidecar};
use crate::keymap::{KEYMAP_FILE, KeymapError, KeymapFault, KeymapKind, KeymapReader};
use crate::segment::{Encoding, encode_segment_into, has_fallback_shape};

/// Directory and extension of each type; the position is the tag in the sort.
const TYPES: [(&str, &str); 7] = [
    ("strings", ".bin"),
    ("hll", ".bin"),
    ("hashes", ".json"),
    ("lists", ".json"),
    ("sets", ".json"),
    ("zsets", ".json"),
    ("streams", ".jsonl"),
];

const KEYMAP: u8 = b'k';
const FIRST_TYPE: u8 = b'0';

/// A type directory.
#[derive(Clone, Copy)]
pub(super) struct RedisType {
    tag: u8,
    pub(super) extension: &'static str,
}

impl RedisType {
    pub(super) fn of_directory(name: &[u8]) -> Option<Self> {
        let tagged = TYPES.into_iter().zip(FIRST_TYPE..);
        tagged
            .filter(|((directory, _), _)| directory.as_bytes() == name)
            .map(|((_, extension), tag)| RedisType { tag, extension })
            .next()
    }
}

/// Whether a name is a file beside the type directories.
pub(super) fn is_scope_file(name: &[u8]) -> bool {
    name == KEYMAP_FILE.as_bytes() || ExpirySidecar::of(name).is_some()
}

/// Tag of a sidecar in the sort.
fn sidecar_tag(sidecar: ExpirySidecar) -> u8 {
    match sidecar {
        ExpirySidecar::Strings => b's',
        ExpirySidecar::Hll => b'h',
    }
}

/// Tag of the files whose expiry a sidecar holds.
fn sidecar_type_tag(sidecar: ExpirySidecar) -> u8 {
    match sidecar {
        ExpirySidecar::Strings => FIRST_TYPE,
        ExpirySidecar::Hll => FIRST_TYPE + 1,
    }
}

/// Everything about names, by database directory and segment.
pub(super) struct RedisNames {
    sorter: Sorter,
    key: KeyBuffer,
}

impl RedisNames {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        RedisNames { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: KeyBuffer::default() }
    }

    /// Notes a file.
    pub(super) fn add_file(&mut self, scope: &[u8], redis_type: RedisType, segment: &[u8]) -> Result<()> {
        self.add(scope, segment, redis_type.tag)
    }

    /// Reads a KEYMAP; every record must be the fallback of its key.
    pub(super) fn read_keymap(
        &mut self,
        scope: &[u8],
        path: &[u8],
        input: &mut dyn BufRead,
        problems: &mut Problems,
    ) -> Result<()> {
        let mut reader = KeymapReader::new(input);
        let mut segment = Vec::new();
        loop {
            match reader.next_record() {
                Ok(None) => return Ok(()),
                Ok(Some(record)) => {
                    segment.clear();
                    let encoding = encode_segment_into(&record.original, &mut segment);
                    if record.kind == KeymapKind::ShaFallback
                        && encoding == Encoding::Fallback
                        && segment == record.encoded.as_bytes()
                    {
                        self.add(scope, &segment, KEYMAP)?;
                    } else {
                        let message = "the key in original does not have the name in encoded".to_owned();
                        problems.add(path, ProblemKind::Keymap { line_number: reader.line_number(), message });
                    }
                }
                Err(KeymapError { fault: KeymapFault::Line(LineError::Io(source)), .. }) => {
                    return Err(read_error(source));
                }
                Err(KeymapError { line_number, fault }) => {
                    problems.add(path, ProblemKind::Keymap { line_number, message: fault.to_string() });
                    if matches!(fault, KeymapFault::Line(_)) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads an expiry sidecar.
    pub(super) fn read_expiry(
        &mut self,
        scope: &[u8],
        sidecar: ExpirySidecar,
        path: &[u8],
        input: &mut dyn BufRead,
        problems: &mut Problems,
    ) -> Result<()> {
        let mut reader = ExpiryReader::new(input);
        loop {
            match reader.next_line() {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => self.add(scope, line.segment, sidecar_tag(sidecar))?,
                Err(ExpiryError { fault: ExpiryFault::Line(LineError::Io(source)), .. }) => {
                    return Err(read_error(source));
                }
                Err(ExpiryError { line_number, fault }) => {
                    problems.add(path, ProblemKind::Expiry { line_number, message: fault.to_string() });
                    if matches!(fault, ExpiryFault::Line(_)) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Brings together what belongs to one key.
    pub(super) fn check(self, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut name = Name::default();
        while let Some((key, _)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != name.group {
                name.check(problems);
                name = Name { group: group.to_vec(), ..Name::default() };
            }
            name.add(tag);
        }
        name.check(problems);
        Ok(())
    }

    fn add(&mut self, scope: &[u8], segment: &[u8], tag: u8) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[scope, segment], tag), b"")?)
    }
}

/// What is known about one key.
#[derive(Default)]
struct Name {
    group: Vec<u8>,
    has_record: bool,
    /// Lines in each expiry sidecar.
    expiry_lines: [u64; 2],
    /// Tags of its files; at most one per type directory.
    file_tags: Vec<u8>,
}

impl Name {
    fn add(&mut self, tag: u8) {
        if tag == KEYMAP {
            self.has_record = true;
            return;
        }
        match self.expiry_lines.iter_mut().zip(ExpirySidecar::ALL).find(|(_, sidecar)| sidecar_tag(*sidecar) == tag) {
            Some((lines, _)) => *lines = lines.saturating_add(1),
            None => self.file_tags.push(tag),
        }
    }

    fn check(&self, problems: &mut Problems) {
        let (scope, segment) = parts(&self.group);
        let file_path = |tag: u8| {
            let (directory, extension) =
                TYPES.get(usize::from(tag.saturating_sub(FIRST_TYPE))).copied().unwrap_or_default();
            [scope, b"/", directory.as_bytes(), b"/", segment, extension.as_bytes()].concat()
        };
        if self.has_record && self.file_tags.is_empty() {
            let path = [scope, b"/", KEYMAP_FILE.as_bytes()].concat();
            problems.add(&path, ProblemKind::KeymapWithoutFile { encoded: segment.to_vec() });
        }
        for (position, tag) in self.file_tags.iter().enumerate() {
            if position > 0 {
                problems.add(&file_path(*tag), ProblemKind::SeveralTypes);
            }
            if !self.has_record && has_fallback_shape(segment) {
                problems.add(&file_path(*tag), ProblemKind::FallbackWithoutKeymap);
            }
        }
        for (lines, sidecar) in self.expiry_lines.into_iter().zip(ExpirySidecar::ALL) {
            let path = || [scope, b"/", sidecar.file_name().as_bytes()].concat();
            if lines > 0 && !self.file_tags.contains(&sidecar_type_tag(sidecar)) {
                problems.add(&path(), ProblemKind::ExpiryWithoutFile { segment: segment.to_vec() });
            }
            if lines > 1 {
                problems.add(&path(), ProblemKind::ExpiryRepeated { segment: segment.to_vec() });
            }
        }
    }
}
