//! The files of the type directories: one key each.

use ekv_files::{DumpPath, Result};
use ekv_model::redis::{Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Consumer, Event as ModelEvent, Keys, Protocol};

use super::element::Texts;
use super::expiry::Expiries;
use super::keymap::{KeymapCursor, SortedKeymap};
use super::names::Names;
use super::{DATABASE_INDEX, collection, stream};
use crate::layout::redis::write::names::Folder;
use crate::replay::reading::{DumpFile, Reading, Visit, emit, unknown};
use crate::replay::value::ValueBuffer;
use crate::replay::{Place, ReplayFault};
use crate::segment::{Decoded, SegmentError, decode_segment};

/// Hands events of the one database to the target.
pub(super) struct Emitter<'a> {
    target: &'a mut dyn Consumer,
    place: &'a Place,
}

impl Emitter<'_> {
    pub(super) fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.place, ModelEvent::Redis { database: DATABASE_INDEX, event })
    }

    /// Says in which line of the file the next events are.
    pub(super) fn enter_line(&mut self, line: u64) {
        self.place.enter_line(line);
    }
}

/// Replays the files of a database, type by type.
pub(super) struct KeyFiles<'a> {
    database: DumpPath,
    selected: Keys<'a>,
    keymap: &'a SortedKeymap,
    names: Names,
    emitter: Emitter<'a>,
    /// The content of the file at hand.
    content: ValueBuffer,
    texts: Texts,
    key: Vec<u8>,
}

impl<'a> KeyFiles<'a> {
    pub(super) fn new<'r: 'a>(
        reading: &Reading<'r>,
        database: DumpPath,
        keymap: &'a SortedKeymap,
        names: Names,
        target: &'a mut dyn Consumer,
    ) -> Self {
        let scratch = reading.scratch();
        KeyFiles {
            database,
            selected: reading.scope().keys_in(Protocol::Redis, DATABASE_INDEX.to_string().as_bytes()),
            keymap,
            names,
            emitter: Emitter { target, place: reading.place() },
            content: ValueBuffer::new(&scratch),
            texts: Texts::new(&scratch),
            key: Vec::new(),
        }
    }

    /// Replays the files of one type; `expiries` are those that lie beside it.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, folder: Folder, expiries: Option<Expiries>) -> Result<()> {
        let mut path = self.database.clone();
        path.push(folder.name().as_bytes())?;
        let keymap = self.keymap.cursor();
        let mut visit = FolderFiles { files: self, folder, keymap, expiries };
        reading.show(&path, &mut visit)?;
        visit.expiries.as_ref().map_or(Ok(()), Expiries::expect_end)
    }

    /// Makes the checks for which all names must be known.
    pub(super) fn finish(self) -> Result<()> {
        self.names.check(&self.database, self.keymap)
    }
}

/// The files of one type directory.
struct FolderFiles<'f, 'a> {
    files: &'f mut KeyFiles<'a>,
    folder: Folder,
    keymap: KeymapCursor<'a>,
    expiries: Option<Expiries>,
}

impl FolderFiles<'_, '_> {
    /// Finds the key behind a file name, and whether only a KEYMAP record tells it.
    fn find_key(&mut self, segment: &[u8]) -> Result<bool> {
        let key = &mut self.files.key;
        match decode_segment(segment)? {
            Decoded::Raw(raw) => {
                *key = raw;
                Ok(false)
            }
            Decoded::Binary(_) => Err(SegmentError::NotCanonical.into()),
            Decoded::Fallback => {
                let found = self.keymap.find(segment)?.ok_or(ReplayFault::MissingKeymap)?;
                key.clear();
                key.extend_from_slice(found);
                Ok(true)
            }
        }
    }
}

impl Visit for FolderFiles<'_, '_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        Err(unknown(path, "files only, one for each key"))
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        let extension = self.folder.extension();
        let segment = file.name().strip_suffix(extension.as_bytes());
        let segment = segment.ok_or(ReplayFault::UnknownEntry { expected: expected_name(self.folder) })?;
        let is_fallback = self.find_key(segment)?;
        let at_ms = match &mut self.expiries {
            Some(expiries) => expiries.take(file.name())?,
            None => None,
        };
        self.files.names.add(segment, self.folder, is_fallback)?;
        if !self.files.selected.contains(&self.files.key) {
            file.leave_out();
            return Ok(());
        }
        let KeyFiles { emitter, content, texts, key, .. } = &mut *self.files;
        content.fill_from(file)?;
        let kind = match self.folder {
            Folder::Strings => ScalarKind::String,
            Folder::Hll => ScalarKind::Hll,
            Folder::Streams => return stream::replay(key, content, texts, emitter),
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => {
                return collection::replay(self.folder, key, content, texts, emitter);
            }
        };
        let expiry = at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
        emitter.emit(Event::Scalar { kind, key, body: content.body(), expiry })
    }
}

fn expected_name(folder: Folder) -> &'static str {
    match folder {
        Folder::Strings | Folder::Hll => "names that end in .bin",
        Folder::Streams => "names that end in .jsonl",
        Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => "names that end in .json",
    }
}
