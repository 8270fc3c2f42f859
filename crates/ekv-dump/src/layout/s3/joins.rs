//! The names of buckets: object bodies, their sidecars and KEYMAP records meet here.

use std::io::BufRead;

use ekv_spill::Sorter;

use crate::keymap::{KEYMAP_FILE, KeymapKind, KeymapRecord};
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::s3::entry::BucketEntry;
use crate::s3_name::{self, UnnaturalKey, check_natural_key};
use crate::verify::joins::{Joins, Notes};
use crate::verify::key::{KeyBuffer, line_of, line_payload, parts, split_tag};
use crate::verify::lines::read_keymap;
use crate::verify::problem::{ProblemKind, Problems};
use crate::verify::rules::Rules;
use ekv_files::Result;

/// An object named KEYMAP.jsonl lies where the tracker would lie; a tag of the bucket, which comes before its paths.
const KEYMAP_IS_OBJECT: u8 = b'0';
/// A fault in the KEYMAP: line number and message; a tag of the bucket.
const KEYMAP_FAULT: u8 = b'1';
/// A record gives the key that has this path by nature another path, which is the payload.
const ALIAS: u8 = b'a';
const BODY: u8 = b'b';
const RECORD: u8 = b'r';
const SIDECAR: u8 = b's';
/// The file KEYMAP.jsonl of the bucket.
const TRACKER: u8 = b't';

/// Payload of an empty [`TRACKER`].
const EMPTY: &[u8] = b"empty";

/// Everything about names, by bucket and path in it.
pub(crate) struct S3Names {
    sorter: Sorter,
    key: KeyBuffer,
}

/// How a KEYMAP record renames a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renamed<'r> {
    pub(crate) kind: KeymapKind,
    /// The key.
    pub(crate) original: &'r [u8],
}

/// Takes the path of each whole object in its bucket, and how it was renamed.
pub(crate) type TakeObject<'t> = &'t mut dyn FnMut(&[u8], Option<Renamed<'_>>) -> Result<()>;

impl S3Names {
    pub(crate) fn new(sorter: Sorter) -> Self {
        S3Names { sorter, key: KeyBuffer::default() }
    }

    /// Notes a record of the KEYMAP, or what is wrong with its line: only the whole bucket tells whether the file is an object.
    pub(crate) fn add_record(
        &mut self,
        bucket: &[u8],
        line: u64,
        record: Result<&KeymapRecord, ProblemKind>,
    ) -> Result<()> {
        let number = line_payload(line);
        match record {
            Ok(KeymapRecord { encoded, original, kind }) => {
                // A key with NUL has no path but its fallback.
                if !original.is_empty() && !original.contains(&0) {
                    self.add(bucket, original, ALIAS, encoded.as_bytes())?;
                }
                let payload = [&number[..], &[kind_byte(Some(*kind))], original].concat();
                self.add(bucket, encoded.as_bytes(), RECORD, &payload)
            }
            Err(kind) => self.add(bucket, b"", KEYMAP_FAULT, &[&number, kind.to_string().as_bytes()].concat()),
        }
    }

    /// Notes a file.
    pub(crate) fn add_file(
        &mut self,
        bucket: &[u8],
        entry: BucketEntry<'_>,
        is_empty: bool,
        is_own: bool,
    ) -> Result<()> {
        match entry {
            BucketEntry::Keymap => {
                self.add(bucket, KEYMAP_FILE.as_bytes(), TRACKER, if is_empty { EMPTY } else { b"" })
            }
            BucketEntry::Body(path) => self.add(bucket, path, BODY, b""),
            BucketEntry::Sidecar(body) => {
                if is_keymap_of_object(entry, is_own) {
                    self.add(bucket, b"", KEYMAP_IS_OBJECT, b"")?;
                }
                self.add(bucket, body, SIDECAR, b"")
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, bucket: &[u8], path: &[u8], tag: u8, payload: &[u8]) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[bucket, path], tag), payload)?)
    }

    /// Brings together what belongs to one object, and hands each that is whole to `take`. `is_own`: whether every path without a
    /// record must be one that our writer leaves natural.
    pub(crate) fn check(self, is_own: bool, problems: &mut Problems, take: TakeObject<'_>) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut object = Object::default();
        let mut bucket = Bucket::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != object.group {
                object.check(&bucket, is_own, problems, take)?;
                object = Object { group: group.to_vec(), ..Object::default() };
            }
            let (name, path) = parts(group);
            if name != bucket.name {
                bucket = Bucket { name: name.to_vec(), keymap_is_object: false };
            }
            let line = Some(line_of(payload));
            match tag {
                KEYMAP_IS_OBJECT => bucket.keymap_is_object = true,
                BODY => object.has_body = true,
                SIDECAR => object.has_sidecar = true,
                TRACKER if bucket.keymap_is_object => object.has_body = true,
                _ if bucket.keymap_is_object => {}
                TRACKER if payload == EMPTY => problems.add(&bucket.keymap_path(), ProblemKind::Empty),
                KEYMAP_FAULT => {
                    let message = String::from_utf8_lossy(payload.get(8..).unwrap_or_default()).into_owned();
                    problems.add_at(&bucket.keymap_path(), line, ProblemKind::Line { message });
                }
                ALIAS if !object.aliases.iter().any(|alias| alias == payload) => object.aliases.push(payload.to_vec()),
                RECORD if object.record.is_empty() => object.record = payload.to_vec(),
                // The same line may come again.
                RECORD if object.record.get(8..) != payload.get(8..) => {
                    let first_line = line_of(&object.record);
                    let kind = ProblemKind::KeymapConflict { encoded: path.to_vec(), first_line };
                    problems.add_at(&bucket.keymap_path(), line, kind);
                }
                _ => {}
            }
        }
        object.check(&bucket, is_own, problems, take)
    }
}

impl Joins for S3Names {
    fn read(&mut self, bucket: &[u8], _: Inside<'_>, input: &mut dyn BufRead, _: Notes<'_>) -> Result<()> {
        read_keymap(input, check_record, &mut |line, record| self.add_record(bucket, line, record))
    }

    fn note(&mut self, bucket: &[u8], entry: Inside<'_>, len: u64, rules: &Rules) -> Result<()> {
        match entry {
            Inside::S3(entry) => self.add_file(bucket, entry, len == 0, rules.is_own),
            _ => Ok(()),
        }
    }

    fn check(self: Box<Self>, rules: &Rules, problems: &mut Problems) -> Result<()> {
        (*self).check(rules.is_own, problems, &mut |_, _| Ok(()))
    }
}

/// Whether a file says that KEYMAP.jsonl of its bucket is an object, as in dumps of the reference decoder.
pub(crate) fn is_keymap_of_object(entry: BucketEntry<'_>, is_own: bool) -> bool {
    !is_own && entry == BucketEntry::Sidecar(KEYMAP_FILE.as_bytes())
}

/// Whether a KEYMAP record renames an object as the format does.
pub(crate) fn check_record(record: &KeymapRecord) -> Result<(), ProblemKind> {
    s3_name::check_record(record).map_err(|fault| ProblemKind::line(&fault))
}

/// How a key is renamed, as a byte.
pub(crate) fn kind_byte(kind: Option<KeymapKind>) -> u8 {
    match kind {
        None => b'n',
        Some(KeymapKind::ShaFallback) => b'f',
        Some(KeymapKind::S3LeafData) => b'l',
        Some(KeymapKind::MetaSuffixRename) => b'm',
    }
}

/// The reverse of [`kind_byte`].
pub(crate) fn kind_of(byte: u8) -> Option<KeymapKind> {
    KeymapKind::ALL.into_iter().find(|kind| kind_byte(Some(*kind)) == byte)
}

#[derive(Default)]
struct Bucket {
    name: Vec<u8>,
    keymap_is_object: bool,
}

impl Bucket {
    fn keymap_path(&self) -> Vec<u8> {
        BucketEntry::Keymap.path(&self.name)
    }
}

/// What is known about one path.
#[derive(Default)]
struct Object {
    group: Vec<u8>,
    has_body: bool,
    has_sidecar: bool,
    /// Payload of the first record; empty if there is none.
    record: Vec<u8>,
    /// Other paths of the key that has this path by nature; at most one for each kind of renaming.
    aliases: Vec<Vec<u8>>,
}

impl Object {
    fn renamed(&self) -> Option<Renamed<'_>> {
        let (kind, original) = self.record.get(8..)?.split_first()?;
        Some(Renamed { kind: kind_of(*kind)?, original })
    }

    /// `bucket` is the object's own.
    fn check(&self, bucket: &Bucket, is_own: bool, problems: &mut Problems, take: TakeObject<'_>) -> Result<()> {
        let (name, path) = parts(&self.group);
        if path.is_empty() {
            return Ok(());
        }
        let body = |path| BucketEntry::Body(path).path(name);
        let renamed = self.renamed();
        let natural = (self.has_body && renamed.is_none()).then_some(path);
        let mut files = natural.into_iter().chain(self.aliases.iter().map(Vec::as_slice));
        if let Some(first) = files.next() {
            for again in files {
                problems.add(&body(again), ProblemKind::SeveralFiles { other: body(first) });
            }
        }
        match (self.has_body, self.has_sidecar) {
            (true, true) => take(path, renamed)?,
            (true, false) => problems.add(&body(path), ProblemKind::BodyWithoutSidecar),
            (false, true) => {
                problems.add(&BucketEntry::Sidecar(path).path(name), ProblemKind::SidecarWithoutBody);
            }
            (false, false) => {}
        }
        if renamed.is_some() && !self.has_body {
            let kind = ProblemKind::KeymapWithoutFile { encoded: path.to_vec() };
            problems.add_at(&bucket.keymap_path(), Some(line_of(&self.record)), kind);
        }
        if natural.is_some() && is_own {
            match check_natural_key(path) {
                Err(UnnaturalKey::FallbackShape) => problems.add(&body(path), ProblemKind::FallbackWithoutKeymap),
                Err(reason) => problems.add(&body(path), ProblemKind::UnnaturalPath(reason)),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}
