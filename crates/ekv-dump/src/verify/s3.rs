//! The names of a bucket: object bodies, their sidecars and KEYMAP records meet here.

use std::io::BufRead;
use std::sync::Arc;

use ekv_files::Result;
use ekv_spill::{Scratch, Sorter};
use ekv_text::LineError;
use sha2::{Digest, Sha256};

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::walk::read_error;
use crate::keymap::{KEYMAP_FILE, KeymapError, KeymapFault, KeymapReader};
use crate::s3_name::{META_SUFFIX, UnnaturalKey, check_natural_key, check_record};

/// An object named KEYMAP.jsonl lies where the tracker would lie; a tag of the bucket, which comes before its paths.
const KEYMAP_IS_OBJECT: u8 = b'0';
/// A fault in the KEYMAP: line number and message; a tag of the bucket.
const KEYMAP_FAULT: u8 = b'1';
const BODY: u8 = b'b';
const RECORD: u8 = b'r';
const SIDECAR: u8 = b's';
/// The file KEYMAP.jsonl of the bucket.
const TRACKER: u8 = b't';

/// Payload of an empty [`TRACKER`].
const EMPTY: &[u8] = b"empty";

/// Everything about names, by bucket directory and path in it.
pub(super) struct S3Names {
    sorter: Sorter,
    key: KeyBuffer,
}

impl S3Names {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        S3Names { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: KeyBuffer::default() }
    }

    /// Reads a KEYMAP. Faults are noted and judged later: only the whole bucket tells whether the file is an object.
    pub(super) fn read_keymap(&mut self, bucket: &[u8], input: &mut dyn BufRead) -> Result<()> {
        let mut reader = KeymapReader::new(input);
        loop {
            match reader.next_record() {
                Ok(None) => return Ok(()),
                Ok(Some(record)) => match check_record(&record) {
                    Ok(()) => {
                        let payload = [record.kind.as_str().as_bytes(), &Sha256::digest(&record.original)].concat();
                        self.add(bucket, record.encoded.as_bytes(), RECORD, &payload)?;
                    }
                    Err(fault) => self.add_keymap_fault(bucket, reader.line_number(), &fault.to_string())?,
                },
                Err(KeymapError { fault: KeymapFault::Line(LineError::Io(source)), .. }) => {
                    return Err(read_error(source));
                }
                Err(KeymapError { line_number, fault }) => {
                    self.add_keymap_fault(bucket, line_number, &fault.to_string())?;
                    if matches!(fault, KeymapFault::Line(_)) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Notes a file of a bucket that is neither the bucket's own record nor below its reserved directories.
    ///
    /// `reads_natural_keymap`: whether a file `KEYMAP.jsonl` with a sidecar is an object, as in dumps of the reference decoder.
    pub(super) fn add_file(
        &mut self,
        bucket: &[u8],
        path: &[u8],
        len: u64,
        reads_natural_keymap: bool,
    ) -> Result<Option<ProblemKind>> {
        if path == KEYMAP_FILE.as_bytes() {
            self.add(bucket, path, TRACKER, if len == 0 { EMPTY } else { b"" })?;
            return Ok(None);
        }
        let Some(body) = path.strip_suffix(META_SUFFIX) else {
            self.add(bucket, path, BODY, b"")?;
            return Ok(None);
        };
        if body.is_empty() || body.ends_with(b"/") {
            return Ok(Some(ProblemKind::SidecarWithoutBody));
        }
        if body == KEYMAP_FILE.as_bytes() && reads_natural_keymap {
            self.add(bucket, b"", KEYMAP_IS_OBJECT, b"")?;
        }
        self.add(bucket, body, SIDECAR, b"")?;
        Ok(None)
    }

    /// Brings together what belongs to one object. `checks_natural_paths`: whether every path without a record must be one that our
    /// writer leaves natural.
    pub(super) fn check(self, checks_natural_paths: bool, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut object = Object::default();
        let mut bucket = Bucket::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != object.group {
                object.check(&bucket, checks_natural_paths, problems);
                object = Object { group: group.to_vec(), ..Object::default() };
            }
            let (directory, path) = parts(group);
            if directory != bucket.directory {
                bucket = Bucket { directory: directory.to_vec(), keymap_is_object: false };
            }
            match tag {
                KEYMAP_IS_OBJECT => bucket.keymap_is_object = true,
                KEYMAP_FAULT if !bucket.keymap_is_object => {
                    let (line_number, message) = payload.split_first_chunk().unwrap_or((&[0; 8], &[]));
                    let kind = ProblemKind::Keymap {
                        line_number: u64::from_be_bytes(*line_number),
                        message: String::from_utf8_lossy(message).into_owned(),
                    };
                    problems.add(&bucket.keymap_path(), kind);
                }
                RECORD if !bucket.keymap_is_object => {
                    if object.record.as_deref().is_some_and(|record| record != payload) {
                        problems.add(&bucket.keymap_path(), ProblemKind::KeymapConflict { encoded: path.to_vec() });
                    }
                    object.record = Some(payload.to_vec());
                }
                TRACKER if !bucket.keymap_is_object => bucket.check_tracker(payload, problems),
                BODY | TRACKER => object.has_body = true,
                SIDECAR => object.has_sidecar = true,
                _ => {}
            }
        }
        object.check(&bucket, checks_natural_paths, problems);
        Ok(())
    }

    fn add_keymap_fault(&mut self, bucket: &[u8], line_number: u64, message: &str) -> Result<()> {
        self.add(bucket, b"", KEYMAP_FAULT, &[&line_number.to_be_bytes(), message.as_bytes()].concat())
    }

    fn add(&mut self, bucket: &[u8], path: &[u8], tag: u8, payload: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[bucket, path], tag), payload)?)
    }
}

#[derive(Default)]
struct Bucket {
    directory: Vec<u8>,
    keymap_is_object: bool,
}

impl Bucket {
    fn keymap_path(&self) -> Vec<u8> {
        [&self.directory, &b"/"[..], KEYMAP_FILE.as_bytes()].concat()
    }

    fn check_tracker(&self, payload: &[u8], problems: &mut Problems) {
        if payload == EMPTY {
            problems.add(&self.keymap_path(), ProblemKind::Empty);
        }
    }
}

/// What is known about one object.
#[derive(Default)]
struct Object {
    group: Vec<u8>,
    has_body: bool,
    has_sidecar: bool,
    record: Option<Vec<u8>>,
}

impl Object {
    /// `bucket` is the object's own.
    fn check(&self, bucket: &Bucket, checks_natural_paths: bool, problems: &mut Problems) {
        let (directory, path) = parts(&self.group);
        if path.is_empty() {
            return;
        }
        let file_path = || [directory, b"/", path].concat();
        if self.has_body && !self.has_sidecar {
            problems.add(&file_path(), ProblemKind::BodyWithoutSidecar);
        }
        if self.has_sidecar && !self.has_body {
            problems.add(&[&file_path(), META_SUFFIX].concat(), ProblemKind::SidecarWithoutBody);
        }
        if self.record.is_some() && !self.has_body {
            problems.add(&bucket.keymap_path(), ProblemKind::KeymapWithoutFile { encoded: path.to_vec() });
        }
        if self.has_body && self.record.is_none() && checks_natural_paths {
            match check_natural_key(path) {
                Err(UnnaturalKey::FallbackShape) => {
                    problems.add(&file_path(), ProblemKind::FallbackWithoutKeymap);
                }
                Err(reason) => problems.add(&file_path(), ProblemKind::UnnaturalPath(reason)),
                Ok(()) => {}
            }
        }
    }
}
