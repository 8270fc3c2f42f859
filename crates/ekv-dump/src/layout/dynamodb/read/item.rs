//! The text of an item, step by step. Source: `docs/format/dynamodb.md`, sections 4.3 and 6.

use std::cmp::Ordering;

use ekv_files::{Error, Result};
use ekv_model::dynamodb::{ATTRIBUTE_ENTRY_LEN, ATTRIBUTE_LEVEL_MAX, ATTRIBUTE_NAMES_LEN_MAX, Node, SetKind, shown};
use ekv_text::json::Bracket;

use crate::json::{JsonReader, Position, Refuse as _};
use crate::replay::ReplayFault;
use crate::replay::value::ValueBuffer;

/// The types of values, in the order of their names in `Type::OF`.
pub(super) const TYPES: &[&str] = &["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"];

const AN_ITEM: &str = "an object with the attributes of an item";
pub(super) const A_VALUE: &str = "an object with a type and a value, such as {\"S\": \"text\"}";
pub(super) const A_TYPE: &str = "a type: S, N, B, BOOL, NULL, SS, NS, BS, L or M";
pub(super) const END_OF_VALUE: &str = "the end of the value, which has one type";
pub(super) const A_STRING: &str = "a string";
pub(super) const A_NUMBER: &str = "the text of a number, as a string";
pub(super) const BASE64: &str = "a string of base64 with padding";
const A_BOOLEAN: &str = "true or false";
const AN_ARRAY: &str = "an array";
const ATTRIBUTES: &str = "an object with attributes";

/// Objects and arrays inside each other in the deepest item: two for each level, and those of a set.
const JSON_DEPTH_MAX: usize = 2 * ATTRIBUTE_LEVEL_MAX + 4;

/// A step through an item; names and values lie in the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name,
    String,
    Number,
    Binary,
    Bool(bool),
    Null(bool),
    SetBegin(SetKind),
    Member,
    ListBegin,
    MapBegin,
    End,
}

/// In which order a walk gives the attributes of each map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they stand in the text.
    Written,
    /// By name. The names of all open maps are in memory.
    Sorted,
}

/// Walks through an item without recursion.
pub(super) struct Walk<'b> {
    order: Order,
    /// Where values are put, if they are wanted.
    value: Option<&'b mut ValueBuffer>,
    open: Vec<Enclosing>,
    is_begun: bool,
    /// As written: the last name of each open map. Sorted: all names of each open map.
    names: Vec<u8>,
    /// Where the name at hand lies in `names`.
    name: (usize, usize),
    next_name: Vec<u8>,
    /// Line on which the step at hand begins.
    line: u64,
    /// Whether the names that came so far ascend in every map.
    is_ordered: bool,
    /// What the names so far count for, in bytes.
    names_len: usize,
}

/// What encloses the next value, innermost last.
enum Enclosing {
    Map(Map),
    List { is_first: bool },
    Set { kind: SetKind, is_first: bool },
}

struct Map {
    /// Where its part of the names begins.
    names_start: usize,
    /// Line of the last name.
    line: u64,
    is_first: bool,
    /// Whether a name has been given and its value comes next.
    has_name: bool,
    sorted: Option<SortedMap>,
}

struct SortedMap {
    entries: Vec<Entry>,
    next: usize,
    /// Behind the map.
    end: Position,
}

/// An attribute of a sorted map.
struct Entry {
    name: (usize, usize),
    line: u64,
    value: Position,
}

impl<'b> Walk<'b> {
    pub(super) fn new(order: Order, value: Option<&'b mut ValueBuffer>) -> Self {
        Walk {
            order,
            value,
            open: Vec::new(),
            is_begun: false,
            names: Vec::new(),
            name: (0, 0),
            next_name: Vec::new(),
            line: 1,
            is_ordered: true,
            names_len: 0,
        }
    }

    /// Whether the names that came so far ascend in every map.
    pub(super) fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// Whether the step at hand is at the top level of the item.
    pub(super) fn is_at_top(&self) -> bool {
        self.open.len() == 1
    }

    /// The line on which the step at hand begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The name of the attribute at hand.
    pub(super) fn name(&self) -> &str {
        let (start, end) = self.name;
        std::str::from_utf8(self.names.get(start..end).unwrap_or_default()).unwrap_or_default()
    }

    /// A step as events show it.
    pub(super) fn node(&self, step: Step) -> Node<'_> {
        let body = || self.value.as_ref().map_or(ekv_model::Body::Inline(&[]), |value| value.body());
        match step {
            Step::Name => Node::Name(self.name()),
            Step::String => Node::String(body()),
            Step::Number => Node::Number(body()),
            Step::Binary => Node::Binary(body()),
            Step::Bool(is_true) => Node::Bool(is_true),
            Step::Null(is_null) => Node::Null(is_null),
            Step::SetBegin(kind) => Node::SetBegin(kind),
            Step::Member => Node::Member(body()),
            Step::ListBegin => Node::ListBegin,
            Step::MapBegin => Node::MapBegin,
            Step::End => Node::End,
        }
    }

    /// The next step; `None` behind the item.
    pub(super) fn next(&mut self, reader: &mut JsonReader<'_>) -> Result<Option<Step>> {
        if !self.is_begun {
            self.is_begun = true;
            reader.enter(Bracket::Object, AN_ITEM)?;
            self.open_map(reader)?;
        }
        match self.open.last_mut() {
            None => Ok(None),
            Some(Enclosing::Map(map)) if map.has_name => {
                map.has_name = false;
                self.value(reader).map(Some)
            }
            Some(Enclosing::Map(_)) => {
                if self.next_attribute(reader)? {
                    return Ok(Some(Step::Name));
                }
                self.open.pop();
                if self.open.is_empty() {
                    return Ok(None);
                }
                reader.leave_object(END_OF_VALUE)?;
                Ok(Some(Step::End))
            }
            Some(Enclosing::List { is_first }) => {
                if reader.more(Bracket::Array, std::mem::replace(is_first, false))? {
                    return self.value(reader).map(Some);
                }
                self.close(reader)
            }
            Some(Enclosing::Set { kind, is_first }) => {
                let kind = *kind;
                if reader.more(Bracket::Array, std::mem::replace(is_first, false))? {
                    self.line = reader.position()?.line;
                    match kind {
                        SetKind::String => self.text(reader, A_STRING)?,
                        SetKind::Number => self.text(reader, A_NUMBER)?,
                        SetKind::Binary => self.base64(reader)?,
                    }
                    return Ok(Some(Step::Member));
                }
                self.close(reader)
            }
        }
    }

    /// Ends the innermost list or set.
    fn close(&mut self, reader: &mut JsonReader<'_>) -> Result<Option<Step>> {
        self.open.pop();
        reader.leave_object(END_OF_VALUE)?;
        Ok(Some(Step::End))
    }

    /// Reads a value, or as far as the beginning of a set, list or map.
    fn value(&mut self, reader: &mut JsonReader<'_>) -> Result<Step> {
        if self.open.len() > ATTRIBUTE_LEVEL_MAX {
            return Err(reader.refuse(ReplayFault::ItemTooDeep { level_max: ATTRIBUTE_LEVEL_MAX }));
        }
        reader.enter(Bracket::Object, A_VALUE)?;
        self.line = reader.line();
        let type_index = reader.known_name(A_TYPE, TYPES)?;
        let set = |kind| (Enclosing::Set { kind, is_first: true }, Step::SetBegin(kind));
        let (open, step) = match type_index {
            0 => {
                self.text(reader, A_STRING)?;
                return leaf(reader, Step::String);
            }
            1 => {
                self.text(reader, A_NUMBER)?;
                return leaf(reader, Step::Number);
            }
            2 => {
                self.base64(reader)?;
                return leaf(reader, Step::Binary);
            }
            3 => {
                let is_true = reader.boolean(A_BOOLEAN)?;
                return leaf(reader, Step::Bool(is_true));
            }
            4 => {
                let is_null = reader.boolean(A_BOOLEAN)?;
                return leaf(reader, Step::Null(is_null));
            }
            5 => set(SetKind::String),
            6 => set(SetKind::Number),
            7 => set(SetKind::Binary),
            8 => (Enclosing::List { is_first: true }, Step::ListBegin),
            _ => {
                reader.enter(Bracket::Object, ATTRIBUTES)?;
                self.open_map(reader)?;
                return Ok(Step::MapBegin);
            }
        };
        reader.enter(Bracket::Array, AN_ARRAY)?;
        self.open.push(open);
        Ok(step)
    }

    fn text(&mut self, reader: &mut JsonReader<'_>, expected: &'static str) -> Result<()> {
        let Some(value) = &mut self.value else { return reader.string(expected, |_| Ok(())) };
        value.clear();
        reader.string(expected, |piece| value.push(piece))?;
        value.seal()
    }

    fn base64(&mut self, reader: &mut JsonReader<'_>) -> Result<()> {
        let Some(value) = &mut self.value else { return reader.padded_base64(BASE64, |_| Ok(())) };
        value.clear();
        reader.padded_base64(BASE64, |piece| value.push(piece))?;
        value.seal()
    }

    /// Opens a map behind its bracket.
    fn open_map(&mut self, reader: &mut JsonReader<'_>) -> Result<()> {
        let names_start = self.names.len();
        let sorted = match self.order {
            Order::Written => None,
            Order::Sorted => Some(self.collect(reader)?),
        };
        self.open.push(Enclosing::Map(Map { names_start, line: 0, is_first: true, has_name: false, sorted }));
        Ok(())
    }

    /// Goes on to the next attribute of the innermost map; `false` at its end.
    fn next_attribute(&mut self, reader: &mut JsonReader<'_>) -> Result<bool> {
        let Some(Enclosing::Map(map)) = self.open.last_mut() else { return Ok(false) };
        if let Some(sorted) = &mut map.sorted {
            let Some(entry) = sorted.entries.get(sorted.next) else {
                reader.seek(sorted.end);
                self.names.truncate(map.names_start);
                return Ok(false);
            };
            sorted.next = sorted.next.saturating_add(1);
            map.has_name = true;
            self.name = entry.name;
            self.line = entry.line;
            reader.seek(entry.value);
            return Ok(true);
        }
        if !reader.more(Bracket::Object, map.is_first)? {
            self.names.truncate(map.names_start);
            return Ok(false);
        }
        let line = reader.position()?.line;
        self.next_name.clear();
        reader.name(ATTRIBUTE_NAMES_LEN_MAX, &mut self.next_name)?;
        let counted = self.next_name.len().saturating_add(ATTRIBUTE_ENTRY_LEN);
        self.names_len = self.names_len.saturating_add(counted);
        if self.names_len > ATTRIBUTE_NAMES_LEN_MAX {
            return Err(reader.refuse(ReplayFault::ItemTooLarge));
        }
        let previous = self.names.get(map.names_start..).unwrap_or_default();
        if !map.is_first {
            match previous.cmp(&self.next_name) {
                Ordering::Less => {}
                Ordering::Equal => return Err(repeated(&self.next_name, map.line, line)),
                Ordering::Greater => self.is_ordered = false,
            }
        }
        self.names.truncate(map.names_start);
        self.names.extend_from_slice(&self.next_name);
        self.name = (map.names_start, self.names.len());
        self.line = line;
        (map.line, map.is_first, map.has_name) = (line, false, true);
        Ok(true)
    }

    /// Sorts the attributes of a map, behind its bracket, without looking into their values.
    fn collect(&mut self, reader: &mut JsonReader<'_>) -> Result<SortedMap> {
        let mut entries = Vec::new();
        while reader.more(Bracket::Object, entries.is_empty())? {
            let line = reader.position()?.line;
            let name_start = self.names.len();
            reader.name(ATTRIBUTE_NAMES_LEN_MAX, &mut self.names)?;
            entries.push(Entry { name: (name_start, self.names.len()), line, value: reader.position()? });
            reader.skip_within(JSON_DEPTH_MAX)?;
        }
        let end = reader.position()?;
        let name = |entry: &Entry| self.names.get(entry.name.0..entry.name.1).unwrap_or_default();
        entries.sort_by(|a, b| name(a).cmp(name(b)));
        for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
            if name(a) == name(b) {
                return Err(repeated(name(b), a.line, b.line));
            }
        }
        Ok(SortedMap { entries, next: 0, end })
    }
}

fn leaf(reader: &mut JsonReader<'_>, step: Step) -> Result<Step> {
    reader.leave_object(END_OF_VALUE)?;
    Ok(step)
}

fn repeated(name: &[u8], first_line: u64, line: u64) -> Error {
    Error::from(ReplayFault::RepeatedAttribute { name: shown(name), first_line }).at_line(line)
}
