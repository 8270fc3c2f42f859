//! Hashes, lists, sets and sorted sets. Source: `docs/format/redis.md`, section 6.3.
//!
//! The text is read twice: the expiry stands at its end and belongs to the beginning of the events, and whether names ascend decides
//! whether they must be sorted. Elements that somebody added by hand at the end of a file are as welcome as those in their place.

use ekv_files::{Error, Result};
use ekv_model::redis::{CollectionKind, Element, Event};
use ekv_spill::Sorter;

use super::element::{Texts, read_expiry, read_name, read_score};
use super::emitter::Emitter;
use crate::json::{JsonReader, Position};
use crate::layout::redis::write::names::Folder;
use crate::replay::ReplayFault;
use crate::replay::text::{read_value, read_version};
use crate::replay::value::ValueBuffer;

/// Memory for sorting the names of one collection, in bytes.
const SORT_BUDGET: usize = 2 << 20;

const HASH: &[&str] = &["format_version", "fields", "expire_at_ms"];
const LIST: &[&str] = &["format_version", "items", "expire_at_ms"];
const SET: &[&str] = &["format_version", "members", "expire_at_ms"];
const FIELD: &[&str] = &["name", "value"];
const SCORED: &[&str] = &["member", "score"];

const A_COLLECTION: &str = "an object with the collection";
const ELEMENTS: &str = "an array";
const A_FIELD: &str = "an object with name and value";
const A_SCORED_MEMBER: &str = "an object with member and score";

/// Replays the collection in `content`.
pub(super) fn replay(
    folder: Folder,
    key: &[u8],
    content: &ValueBuffer,
    texts: &mut Texts,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let layout = Layout::of(folder);
    let outline = layout.outline(content, texts)?;
    let size = emitter.measure(|meter| layout.elements(&outline, content, texts, meter))?;
    let (kind, expire_at_ms) = (layout.kind, outline.expire_at_ms);
    emitter.emit(Event::Begin { kind, key, expire_at_ms, commit_ts: 0, size })?;
    layout.elements(&outline, content, texts, emitter)?;
    emitter.emit(Event::End)
}

/// What tells the types apart.
struct Layout {
    kind: CollectionKind,
    members: &'static [&'static str],
    /// What an element is called in messages.
    element: &'static str,
}

/// What a first look at a text told.
struct Outline {
    expire_at_ms: Option<u64>,
    /// Where the array begins.
    elements: Position,
    order: Order,
}

/// Whether elements stand in the order in which events have them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Right,
    Wrong,
}

impl Layout {
    fn of(folder: Folder) -> Self {
        let (kind, members, element) = match folder {
            Folder::Hashes => (CollectionKind::Hash, HASH, "field"),
            Folder::Sets => (CollectionKind::Set, SET, "member"),
            Folder::ZSets => (CollectionKind::ZSet, SET, "member"),
            Folder::Lists | Folder::Strings | Folder::Hll | Folder::Streams => (CollectionKind::List, LIST, "item"),
        };
        Layout { kind, members, element }
    }

    /// Emits the elements in their order.
    fn elements(
        &self,
        outline: &Outline,
        content: &ValueBuffer,
        texts: &mut Texts,
        emitter: &mut Emitter<'_>,
    ) -> Result<()> {
        let mut reader = JsonReader::document(content);
        reader.seek(outline.elements);
        if outline.order == Order::Right {
            return reader.array(ELEMENTS, |reader| self.element(reader, texts, emitter));
        }
        let mut sorted = self.sort(&mut reader, texts)?.finish()?;
        let mut previous: Option<(Vec<u8>, u64)> = None;
        while let Some((name, place)) = sorted.next()? {
            let position = Position::from_bytes(place);
            if let Some((previous, first_line)) = &previous
                && previous == name
            {
                return Err(self.repeated(*first_line, position.line));
            }
            previous = Some((name.to_vec(), position.line));
            reader.seek(position);
            self.element(&mut reader, texts, emitter)?;
        }
        Ok(())
    }

    /// Reads everything but the values of the elements.
    fn outline(&self, content: &ValueBuffer, texts: &mut Texts) -> Result<Outline> {
        let mut outline = Outline { expire_at_ms: None, elements: Position::default(), order: Order::Right };
        let mut reader = JsonReader::document(content);
        reader.object(A_COLLECTION, self.members, |reader, member| match member {
            0 => read_version(reader),
            1 => {
                outline.elements = reader.position()?;
                outline.order = self.outline_elements(reader, texts)?;
                Ok(())
            }
            _ => {
                outline.expire_at_ms = read_expiry(reader)?;
                Ok(())
            }
        })?;
        reader.end()?;
        Ok(outline)
    }

    fn outline_elements(&self, reader: &mut JsonReader<'_>, texts: &mut Texts) -> Result<Order> {
        let mut order = Order::Right;
        let mut previous_line = None;
        reader.array(ELEMENTS, |reader| {
            if self.kind == CollectionKind::List || order == Order::Wrong {
                return reader.skip();
            }
            let line = reader.position()?.line;
            self.name(reader, &mut texts.name)?;
            if let Some(first_line) = previous_line {
                match texts.previous.cmp(&texts.name) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Err(self.repeated(first_line, line)),
                    std::cmp::Ordering::Greater => order = Order::Wrong,
                }
            }
            previous_line = Some(line);
            std::mem::swap(&mut texts.previous, &mut texts.name);
            Ok(())
        })?;
        Ok(order)
    }

    /// Reads the name of an element and passes over its value.
    fn name(&self, reader: &mut JsonReader<'_>, name: &mut Vec<u8>) -> Result<()> {
        let (expected, members) = match self.kind {
            CollectionKind::Hash => (A_FIELD, FIELD),
            CollectionKind::ZSet => (A_SCORED_MEMBER, SCORED),
            _ => return read_name(reader, name),
        };
        reader.object(expected, members, |reader, member| match member {
            0 => read_name(reader, name),
            _ => reader.skip(),
        })
    }

    /// Sorts the places of the elements by their names.
    fn sort(&self, reader: &mut JsonReader<'_>, texts: &mut Texts) -> Result<Sorter> {
        let mut names = Sorter::new(texts.scratch.clone(), SORT_BUDGET);
        reader.array(ELEMENTS, |reader| {
            let place = reader.position()?;
            self.name(reader, &mut texts.name)?;
            Ok(names.push(&texts.name, &place.to_bytes())?)
        })?;
        Ok(names)
    }

    /// Reads and emits one element.
    fn element(&self, reader: &mut JsonReader<'_>, texts: &mut Texts, emitter: &mut Emitter<'_>) -> Result<()> {
        emitter.enter_line(reader.position()?.line);
        let Texts { name, value, .. } = texts;
        let element = match self.kind {
            CollectionKind::Hash => {
                reader.object(A_FIELD, FIELD, |reader, member| match member {
                    0 => read_name(reader, name),
                    _ => read_value(reader, value),
                })?;
                Element::Field { name, value: value.body() }
            }
            CollectionKind::ZSet => {
                let mut score = 0.0;
                reader.object(A_SCORED_MEMBER, SCORED, |reader, member| match member {
                    0 => read_name(reader, name),
                    _ => {
                        score = read_score(reader)?;
                        Ok(())
                    }
                })?;
                Element::Scored { member: name, score }
            }
            CollectionKind::Set => {
                read_name(reader, name)?;
                Element::Member(name)
            }
            CollectionKind::List | CollectionKind::Stream { .. } => {
                read_value(reader, value)?;
                Element::Item(value.body())
            }
        };
        emitter.emit(Event::Element(element))
    }

    fn repeated(&self, first_line: u64, line: u64) -> Error {
        Error::from(ReplayFault::RepeatedElement { element: self.element, first_line }).at_line(line)
    }
}
