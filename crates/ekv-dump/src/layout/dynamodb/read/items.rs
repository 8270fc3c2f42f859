//! The items of a table: read and checked once in the order of the dump, then given in the order of their keys.

use ekv_files::{DumpPath, Error, Result};
use ekv_model::dynamodb::{Event, KeyFormCensus, shown};
use ekv_model::payload::ItemMeter;
use ekv_model::{ByteSource, Consumer, Event as ModelEvent};
use ekv_spill::Sorter;

use super::item::{Order, Step, Walk};
use super::key::{KeyBuffer, KeyPlaces};
use super::schema::Schema;
use crate::json::{JsonReader, Position};
use crate::layout::dynamodb::write::names::{ItemName, has_foreign_name, put_fallback};
use crate::replay::reading::{Reading, emit};
use crate::replay::value::ValueBuffer;
use crate::replay::{ReadPosition, ReplayFault};
use crate::segment::has_fallback_shape;

/// What the first look at the items of a table gathers.
#[derive(Default)]
pub(super) struct Items {
    census: KeyFormCensus,
    key: KeyBuffer,
    name: ItemName,
    fallback: Vec<u8>,
    payload: Vec<u8>,
}

/// Where the items of a table lie.
#[derive(Clone, Copy)]
pub(super) enum ItemPlace<'p> {
    /// Each in a file below this directory.
    Files(&'p DumpPath),
    /// Each on a line of this file.
    Lines(&'p DumpPath),
}

/// Where a text with an item lies among those of all files; positions in the item count from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TextPlace {
    /// Offset in bytes.
    pub(super) start: u64,
    /// Length in bytes.
    pub(super) len: u64,
}

/// What a first look at an item told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// Where its object begins.
    pub(super) start: Position,
    keys: KeyPlaces,
    /// Whether all names stand in order.
    is_ordered: bool,
}

impl Items {
    /// `may_be_no_number`: whether key texts of type N may be no numbers.
    pub(super) fn new(may_be_no_number: bool) -> Self {
        let key = if may_be_no_number { KeyBuffer::of_any_number() } else { KeyBuffer::default() };
        Items { key, ..Items::default() }
    }

    /// Checks the item that comes next and reads its key.
    pub(super) fn check(&mut self, reader: &mut JsonReader<'_>, schema: &Schema) -> Result<Outline> {
        let (hash_name, range_name) = (schema.primary_key.hash_key.as_str(), schema.primary_key.range_key.as_str());
        let start = reader.position()?;
        let (mut hash, mut range) = (None, None);
        let mut walk = Walk::new(Order::Written, None);
        while let Some(step) = walk.next(reader)? {
            if step == Step::Name && walk.is_at_top() {
                let value = reader.position()?;
                let name = walk.name();
                if name == hash_name {
                    hash = Some(value);
                }
                if name == range_name && !range_name.is_empty() {
                    range = Some(value);
                }
            }
        }
        let is_ordered = walk.is_ordered();
        let end = reader.position()?;
        if !is_ordered {
            // Finds names that come twice.
            reader.seek(start);
            let mut walk = Walk::new(Order::Sorted, None);
            while walk.next(reader)?.is_some() {}
        }
        let missing = |attribute: &str, role| {
            let attribute = shown(attribute.as_bytes());
            Error::from(ReplayFault::MissingKey { attribute, role }).at_line(start.line)
        };
        let hash = hash.ok_or_else(|| missing(hash_name, "hash key"))?;
        if range.is_none() && !range_name.is_empty() {
            return Err(missing(range_name, "range key"));
        }
        let keys = KeyPlaces { hash, range };
        self.key.read(reader, keys, (hash_name, range_name))?;
        self.census.add(&self.key.key());
        reader.seek(end);
        Ok(Outline { start, keys, is_ordered })
    }

    /// Refuses a file name that the key of the item checked last does not have.
    pub(super) fn check_name(&mut self, folder: &[u8], file: &[u8]) -> Result<()> {
        let Items { key, name, fallback, .. } = self;
        let key = key.key();
        name.set(&key);
        put_fallback(&key, fallback);
        let agrees = |value, actual: &[u8], expected: &[u8]| {
            actual == expected || has_fallback_shape(actual) && has_foreign_name(&value)
        };
        let has_own_name = match key.range {
            None => folder.is_empty() && agrees(key.hash, file, &name.file),
            Some(range) => agrees(key.hash, folder, &name.folder) && agrees(range, file, &name.file),
        };
        // Another item can have the name of the file, or of the folder.
        let has_fallback = file == fallback.as_slice() && (folder.is_empty() || folder == name.folder);
        if has_own_name || has_fallback {
            return Ok(());
        }
        let expected = match name.folder.as_slice() {
            b"" => name.file.clone(),
            folder => [folder, b"/", &name.file].concat(),
        };
        Err(ReplayFault::ItemName { expected }.into())
    }

    /// Notes the item checked last. `file`: its file below `items/`; `text`: where its text lies among those of all files.
    pub(super) fn note(&mut self, outline: &Outline, file: &[u8], text: TextPlace, found: &mut Sorter) -> Result<()> {
        Found { outline: *outline, text, file }.put(&mut self.payload);
        Ok(found.push(self.key.key().sort_key, &self.payload)?)
    }

    /// Emits the table with its items, in the order of their keys.
    pub(super) fn emit(
        self,
        schema: &Schema,
        texts: &dyn ByteSource,
        place: ItemPlace<'_>,
        found: Sorter,
        target: &mut dyn Consumer,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let scratch = reading.scratch();
        let mut emission = Emission {
            schema,
            place: reading.place(),
            target,
            key: self.key,
            value: ValueBuffer::new(&scratch),
            looks_ahead: reading.scope().looks_ahead(),
        };
        schema.with_table(self.census.verdict(), |table| emission.emit(Event::TableBegin(table)))?;
        let mut sorted = found.finish()?;
        let mut previous: Option<(Vec<u8>, Vec<u8>, u64)> = None;
        while let Some((sort_key, payload)) = sorted.next()? {
            let item = Found::of(payload);
            let path = match place {
                ItemPlace::Files(items) => [items.as_bytes(), b"/", item.file].concat(),
                ItemPlace::Lines(file) => file.as_bytes().to_vec(),
            };
            let line = item.outline.start.line;
            if let Some((previous_key, previous_path, previous_line)) = previous.take()
                && previous_key == sort_key
            {
                let fault = ReplayFault::RepeatedItem { path: previous_path, line: previous_line };
                return Err(Error::from(fault).at(&path).at_line(line));
            }
            emission.place.enter_file(&path);
            emission.place.enter_line(line);
            let text = Text { texts, place: item.text };
            let result = emission.item(&mut JsonReader::document(&text), &item.outline);
            result.map_err(|error| error.or_at(&path, Some(line)))?;
            previous = Some((sort_key.to_vec(), path, line));
        }
        emission.emit(Event::TableEnd)
    }
}

/// Emits the items of one table.
struct Emission<'e> {
    schema: &'e Schema,
    place: &'e ReadPosition,
    target: &'e mut dyn Consumer,
    key: KeyBuffer,
    value: ValueBuffer,
    /// Whether items are measured before they begin.
    looks_ahead: bool,
}

impl Emission<'_> {
    fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.place, ModelEvent::DynamoDb(event))
    }

    fn item(&mut self, reader: &mut JsonReader<'_>, outline: &Outline) -> Result<()> {
        let Emission { schema, place, target, key, value, looks_ahead } = self;
        let names = (schema.primary_key.hash_key.as_str(), schema.primary_key.range_key.as_str());
        key.read(reader, outline.keys, names)?;
        let order = if outline.is_ordered { Order::Written } else { Order::Sorted };
        let bytes = match looks_ahead {
            true => {
                reader.seek(outline.start);
                let (mut walk, mut meter) = (Walk::new(order, Some(&mut *value)), ItemMeter::default());
                while let Some(step) = walk.next(reader)? {
                    meter.node(&walk.node(step));
                }
                Some(meter.bytes())
            }
            false => None,
        };
        emit(*target, place, ModelEvent::DynamoDb(Event::ItemBegin { key: key.key(), commit_ts: 0, bytes }))?;
        reader.seek(outline.start);
        let mut walk = Walk::new(order, Some(value));
        while let Some(step) = walk.next(reader)? {
            place.enter_line(walk.line());
            emit(*target, place, ModelEvent::DynamoDb(Event::Node(walk.node(step))))?;
        }
        emit(*target, place, ModelEvent::DynamoDb(Event::ItemEnd))
    }
}

/// An item among those of its table.
struct Found<'f> {
    outline: Outline,
    text: TextPlace,
    /// Its file below `items/`, where items have files.
    file: &'f [u8],
}

/// Bits of the flags.
const HAS_RANGE: u64 = 1;
const IS_ORDERED: u64 = 2;

impl<'f> Found<'f> {
    fn put(&self, out: &mut Vec<u8>) {
        let Outline { start, keys, is_ordered } = self.outline;
        let range = keys.range.unwrap_or_default();
        let has_range = if keys.range.is_some() { HAS_RANGE } else { 0 };
        let flags = has_range | if is_ordered { IS_ORDERED } else { 0 };
        out.clear();
        for number in [self.text.start, self.text.len, flags] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for place in [start, keys.hash, range] {
            out.extend_from_slice(&place.to_bytes());
        }
        out.extend_from_slice(self.file);
    }

    fn of(payload: &'f [u8]) -> Self {
        let mut rest = payload;
        let mut number = || {
            let (number, behind) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
            rest = behind;
            u64::from_be_bytes(*number)
        };
        let (text, flags) = (TextPlace { start: number(), len: number() }, number());
        let mut position = || {
            let (place, behind) = rest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
            rest = behind;
            Position::from_bytes(place)
        };
        let (start, hash, range) = (position(), position(), position());
        let keys = KeyPlaces { hash, range: (flags & HAS_RANGE != 0).then_some(range) };
        Found { outline: Outline { start, keys, is_ordered: flags & IS_ORDERED != 0 }, text, file: rest }
    }
}

/// The text of one item.
struct Text<'t> {
    texts: &'t dyn ByteSource,
    place: TextPlace,
}

impl ByteSource for Text<'_> {
    fn len(&self) -> u64 {
        self.place.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        self.texts.read_exact_at(self.place.start.saturating_add(offset), buf)
    }
}
