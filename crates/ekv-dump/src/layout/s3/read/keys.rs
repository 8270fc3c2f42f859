//! The objects of a bucket in the order of their keys.

use std::io::{BufRead, BufReader, Read};

use ekv_files::{DumpPath, Error, Result};
use ekv_model::{CHUNK_LEN, Protocol};
use ekv_spill::{Sorter, Spool, Spooled, SpooledReader};

use super::files::Tag;
use super::keymap::{Record, kind_byte, kind_of};
use crate::keymap::{KEYMAP_FILE, KeymapKind};
use crate::replay::ReplayFault;
use crate::replay::reading::Reading;
use crate::s3_name::{META_SUFFIX, UnnaturalKey, check_natural_key, object_path};
use crate::verify::walk::read_error;

/// Memory for writing the keys, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// Brings the names in a bucket together: each body with its sidecar and its KEYMAP record.
pub(super) struct KeyList {
    directory: DumpPath,
    is_own: bool,
    names: Sorter,
}

impl KeyList {
    /// `names` are those that `files.rs` collected.
    pub(super) fn new(directory: DumpPath, is_own: bool, names: Sorter) -> Self {
        KeyList { directory, is_own, names }
    }

    /// Finds the key of each object, and whether it is selected.
    pub(super) fn finish(self, reading: &Reading<'_>, bucket_name: &str) -> Result<Keys> {
        let KeyList { directory, is_own, names } = self;
        let mut names = names.finish()?;
        let mut by_key = reading.sorter();
        let mut name = Name::default();
        while let Some((path_and_tag, payload)) = names.next()? {
            let Some((path, tag)) = Tag::split(path_and_tag) else { continue };
            if path != name.path {
                name.finish(&directory, is_own, &mut by_key)?;
                name = Name { path: path.to_vec(), ..Name::default() };
            }
            name.add(tag, payload, &directory)?;
        }
        name.finish(&directory, is_own, &mut by_key)?;
        write_keys(by_key, reading, &directory, bucket_name)
    }
}

/// What is known about one path.
#[derive(Default)]
struct Name {
    path: Vec<u8>,
    has_body: bool,
    has_sidecar: bool,
    /// Payload of its KEYMAP record.
    record: Option<Vec<u8>>,
}

impl Name {
    fn add(&mut self, tag: Tag, payload: &[u8], directory: &DumpPath) -> Result<()> {
        match tag {
            Tag::Body => self.has_body = true,
            Tag::Sidecar => self.has_sidecar = true,
            Tag::Record => match (self.record(), Record::parse(payload)) {
                (Some(first), Some(again)) if (first.kind, first.original) != (again.kind, again.original) => {
                    let fault = ReplayFault::KeymapConflict { path: self.path.clone(), first_line: first.line };
                    return Err(Error::from(fault).at(&keymap_path(directory)).at_line(again.line));
                }
                (None, Some(_)) => self.record = Some(payload.to_vec()),
                // Dumps of the reference decoder repeat lines.
                _ => {}
            },
        }
        Ok(())
    }

    fn record(&self) -> Option<Record<'_>> {
        self.record.as_deref().and_then(Record::parse)
    }

    /// Adds the object to `by_key` if it is whole.
    fn finish(&self, directory: &DumpPath, is_own: bool, by_key: &mut Sorter) -> Result<()> {
        if self.path.is_empty() {
            return Ok(());
        }
        let body_path = || [directory.as_bytes(), b"/", &self.path].concat();
        match (self.has_body, self.has_sidecar, self.record()) {
            (true, false, _) => return Err(Error::from(ReplayFault::BodyWithoutSidecar).at(&body_path())),
            (false, true, _) => {
                return Err(Error::from(ReplayFault::SidecarWithoutBody).at(&[&body_path(), META_SUFFIX].concat()));
            }
            (false, false, Some(record)) => {
                let fault = ReplayFault::KeymapWithoutFile { segment: self.path.clone() };
                return Err(Error::from(fault).at(&keymap_path(directory)).at_line(record.line));
            }
            (true, true, Some(record)) => by_key.push(record.original, &[kind_byte(Some(record.kind))])?,
            (true, true, None) => {
                if is_own && let Err(reason) = check_natural_key(&self.path) {
                    let fault = match reason {
                        UnnaturalKey::FallbackShape => ReplayFault::MissingKeymap,
                        reason => ReplayFault::UnnaturalPath(reason),
                    };
                    return Err(Error::from(fault).at(&body_path()));
                }
                by_key.push(&self.path, &[kind_byte(None)])?;
            }
            (false, false, None) => {}
        }
        Ok(())
    }
}

fn keymap_path(directory: &DumpPath) -> Vec<u8> {
    [directory.as_bytes(), b"/", KEYMAP_FILE.as_bytes()].concat()
}

/// Writes the keys down in their order.
fn write_keys(by_key: Sorter, reading: &Reading<'_>, directory: &DumpPath, bucket_name: &str) -> Result<Keys> {
    let mut sorted = by_key.finish()?;
    let mut spool = Spool::new(reading.scratch(), WRITE_BUDGET);
    let selected = reading.scope().keys_in(Protocol::S3, bucket_name.as_bytes());
    let mut last: Option<(Vec<u8>, Option<KeymapKind>)> = None;
    while let Some((key, kind)) = sorted.next()? {
        let kind = kind.first().copied().and_then(kind_of);
        if let Some((last, first_kind)) = &last
            && last == key
        {
            let other = [directory.as_bytes(), b"/", &object_path(key, *first_kind)].concat();
            let path = [directory.as_bytes(), b"/", &object_path(key, kind)].concat();
            return Err(Error::from(ReplayFault::SeveralFiles { other }).at(&path));
        }
        let is_selected = selected.contains(key);
        spool.write_all(&[kind_byte(kind), u8::from(is_selected)])?;
        spool.write_all(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes())?;
        spool.write_all(key)?;
        last = Some((key.to_vec(), kind));
    }
    Ok(Keys { records: spool.into_reader()? })
}

/// The keys of a bucket in their order, to be read as often as needed.
pub(super) struct Keys {
    /// Kind, whether it is selected, length of the key as eight bytes, key.
    records: Spooled,
}

impl Keys {
    /// A cursor before the first key.
    pub(super) fn cursor(&self) -> KeyCursor<'_> {
        KeyCursor { input: BufReader::with_capacity(CHUNK_LEN, self.records.reader()), key: Vec::new() }
    }
}

/// An object as its files tell.
#[derive(Clone, Copy)]
pub(super) struct ListedObject<'k> {
    pub(super) key: &'k [u8],
    /// How its path differs from its key, if it does.
    pub(super) kind: Option<KeymapKind>,
    pub(super) is_selected: bool,
}

/// Goes through the keys.
pub(super) struct KeyCursor<'k> {
    input: BufReader<SpooledReader<'k>>,
    key: Vec<u8>,
}

impl KeyCursor<'_> {
    pub(super) fn next(&mut self) -> Result<Option<ListedObject<'_>>> {
        if self.input.fill_buf().map_err(read_error)?.is_empty() {
            return Ok(None);
        }
        let (mut head, mut len) = ([0; 2], [0; 8]);
        self.input.read_exact(&mut head).map_err(read_error)?;
        self.input.read_exact(&mut len).map_err(read_error)?;
        self.key.clear();
        let mut key = self.input.by_ref().take(u64::from_le_bytes(len));
        key.read_to_end(&mut self.key).map_err(read_error)?;
        let [kind, is_selected] = head;
        Ok(Some(ListedObject { key: &self.key, kind: kind_of(kind), is_selected: is_selected != 0 }))
    }
}
