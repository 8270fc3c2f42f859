//! The files of the type directories: one key each.

use ekv_model::payload::{element_len, is_element};
use ekv_model::redis::{CollectionSize, Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Consumer, Event as ModelEvent, Keys, Protocol};

use super::element::Texts;
use super::expiry::Expiries;
use super::keymap::{KeymapCursor, SortedKeymap};
use super::{DATABASE, DATABASE_INDEX, collection, stream};
use crate::entry::Entry;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::redis::entry::DatabaseEntry;
use crate::layout::redis::joins::RedisNames;
use crate::layout::redis::write::names::Folder;
use crate::replay::Place;
use crate::replay::reading::{DumpFile, Reading, Visit, emit};
use crate::replay::value::ValueBuffer;
use crate::segment::{Decoded, SegmentError, decode_segment};
use crate::verify::problem::ProblemKind;
use ekv_files::{DumpPath, Result};

/// Hands events of the one database to the target.
pub(super) struct Emitter<'a> {
    target: &'a mut dyn Consumer,
    place: &'a Place,
    /// Whether collections are measured before they begin.
    looks_ahead: bool,
}

/// Measures the elements that pass.
#[derive(Default)]
struct Meter(CollectionSize);

impl Consumer for Meter {
    fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
        if let ModelEvent::Redis { event: Event::Element(element), .. } = event {
            let CollectionSize { elements, bytes } = &mut self.0;
            *elements = elements.saturating_add(u64::from(is_element(&element)));
            *bytes = bytes.saturating_add(element_len(&element));
        }
        Ok(())
    }
}

impl Emitter<'_> {
    /// How large a collection is, if that is asked for; `elements` emits what is in it.
    pub(super) fn measure(
        &mut self,
        elements: impl FnOnce(&mut Emitter<'_>) -> Result<()>,
    ) -> Result<Option<CollectionSize>> {
        if !self.looks_ahead {
            return Ok(None);
        }
        let mut meter = Meter::default();
        elements(&mut Emitter { target: &mut meter, place: self.place, looks_ahead: false })?;
        Ok(Some(meter.0))
    }

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
        keymap: &'a SortedKeymap,
        names: RedisNames,
        target: &'a mut dyn Consumer,
    ) -> Self {
        let scratch = reading.scratch();
        KeyFiles {
            selected: reading.scope().keys_in(Protocol::Redis, DATABASE_INDEX.to_string().as_bytes()),
            keymap,
            names,
            emitter: Emitter { target, place: reading.place(), looks_ahead: reading.scope().looks_ahead() },
            content: ValueBuffer::new(&scratch),
            texts: Texts::new(&scratch),
            key: Vec::new(),
        }
    }

    /// Replays the files of one type; `expiries` are those that lie beside it.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, folder: Folder, expiries: Option<Expiries>) -> Result<()> {
        let path = DumpPath::new(&DatabaseEntry::Folder(folder).path(DATABASE))?;
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
