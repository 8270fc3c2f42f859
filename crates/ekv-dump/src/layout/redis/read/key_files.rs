//! The files of the type directories: one key each.

use ekv_model::redis::{Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Consumer, Keys, Protocol};

use super::element::Texts;
use super::emitter::Emitter;
use super::expiry::Expiries;
use super::keymap::{KeymapCursor, SortedKeymap};
use super::{collection, stream};
use crate::entry::Entry;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::redis::entry::DatabaseEntry;
use crate::layout::redis::joins::RedisNames;
use crate::layout::redis::write::names::Folder;
use crate::replay::reading::{DumpFile, Reading, Visit};
use crate::replay::value::ValueBuffer;
use crate::segment::{Decoded, SegmentError, decode_segment};
use crate::verify::problem::ProblemKind;
use ekv_files::{DumpPath, Result};

/// Replays the files of a database, type by type.
pub(super) struct KeyFiles<'a> {
    /// The name of its directory.
    database: &'a [u8],
    selected: Keys<'a>,
    keymap: &'a SortedKeymap,
    names: RedisNames,
    emitter: Emitter<'a>,
    /// The content of the file at hand.
    content: ValueBuffer,
    texts: Texts,
    key: Vec<u8>,
}

impl<'a> KeyFiles<'a> {
    pub(super) fn new<'r: 'a>(
        reading: &Reading<'r>,
        (index, database): (u32, &'a [u8]),
        keymap: &'a SortedKeymap,
        names: RedisNames,
        target: &'a mut dyn Consumer,
    ) -> Self {
        let scratch = reading.scratch();
        KeyFiles {
            database,
            selected: reading.scope().keys_in(Protocol::Redis, index.to_string().as_bytes()),
            keymap,
            names,
            emitter: Emitter::new(reading, index, target),
            content: ValueBuffer::new(&scratch),
            texts: Texts::new(&scratch),
            key: Vec::new(),
        }
    }

    /// Replays the files of one type; `expiries` are those that lie beside it.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, folder: Folder, expiries: Option<Expiries>) -> Result<()> {
        let path = DumpPath::new(&DatabaseEntry::Folder(folder).path(self.database))?;
        let keymap = self.keymap.cursor();
        reading.show(&path, &mut FolderFiles { files: self, keymap, expiries })
    }

    /// The names of all files.
    pub(super) fn into_names(self) -> RedisNames {
        self.names
    }
}

/// The files of one type directory.
struct FolderFiles<'f, 'a> {
    files: &'f mut KeyFiles<'a>,
    keymap: KeymapCursor<'a>,
    expiries: Option<Expiries>,
}

impl FolderFiles<'_, '_> {
    /// Finds the key behind a file name.
    fn find_key(&mut self, segment: &[u8]) -> Result<()> {
        let key = &mut self.files.key;
        match decode_segment(segment)? {
            Decoded::Raw(raw) => {
                *key = raw;
                Ok(())
            }
            Decoded::Binary(_) => Err(SegmentError::NotCanonical.into()),
            Decoded::Fallback => {
                let found = self.keymap.find(segment)?.ok_or(ProblemKind::FallbackWithoutKeymap)?;
                key.clear();
                key.extend_from_slice(found);
                Ok(())
            }
        }
    }
}

impl Visit for FolderFiles<'_, '_> {
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        let Entry::In(database, Inside::Redis(DatabaseEntry::Key(folder, segment))) = entry else { return Ok(()) };
        self.find_key(segment)?;
        let at_ms = match &mut self.expiries {
            Some(expiries) => expiries.take(file.path().split_last().1)?,
            None => None,
        };
        self.files.names.add_file(database, folder, segment)?;
        if !self.files.selected.contains(&self.files.key) {
            file.leave_out();
            return Ok(());
        }
        let KeyFiles { emitter, content, texts, key, .. } = &mut *self.files;
        content.fill_from(file)?;
        let kind = match folder {
            Folder::Strings => ScalarKind::String,
            Folder::Hll => ScalarKind::Hll,
            Folder::Streams => return stream::replay(key, content, texts, emitter),
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => {
                return collection::replay(folder, key, content, texts, emitter);
            }
        };
        let expiry = at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
        emitter.emit(Event::Scalar { kind, key, body: content.body(), expiry, commit_ts: 0 })
    }
}
