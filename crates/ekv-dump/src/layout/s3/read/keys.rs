//! The objects of a bucket in the order of their keys.

use std::io::{BufRead, BufReader, Read};

use ekv_model::{CHUNK_LEN, Protocol};
use ekv_spill::{Sorter, Spool, Spooled, SpooledReader};

use crate::keymap::KeymapKind;
use crate::layout::s3::joins::{Renamed, kind_byte, kind_of};
use crate::replay::reading::Reading;
use ekv_files::Result;
use ekv_files::source::read_error;

/// Memory for writing the keys, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// Adds the object at `path` to those by key.
pub(super) fn put_key(path: &[u8], renamed: Option<Renamed<'_>>, by_key: &mut Sorter) -> Result<()> {
    let kind = kind_byte(renamed.map(|renamed| renamed.kind));
    Ok(by_key.push(renamed.map_or(path, |renamed| renamed.original), &[kind])?)
}

/// Writes the keys down in their order, each with whether it is selected.
pub(super) fn write_keys(by_key: Sorter, reading: &Reading<'_>, bucket_name: &str) -> Result<Keys> {
    let mut sorted = by_key.finish()?;
    let mut spool = Spool::new(reading.scratch(), WRITE_BUDGET);
    let selected = reading.scope().keys_in(Protocol::S3, bucket_name.as_bytes());
    while let Some((key, kind)) = sorted.next()? {
        let is_selected = selected.contains(key);
        spool.write_all(kind)?;
        spool.write_all(&[u8::from(is_selected)])?;
        spool.write_all(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes())?;
        spool.write_all(key)?;
    }
    Ok(Keys { records: spool.into_reader()? })
}

/// The keys of a bucket in their order, to be read as often as needed.
pub(super) struct Keys {
    /// Kind, whether it is selected, length of the key as eight bytes, key.
    records: Spooled,
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

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
