//! The message of an item, put together from its steps. Source: `docs/format/dynamodb.md`, sections 2.4 and 6.
//!
//! A message begins with its length, which is known when it ends. What does not depend on the length of a set, list or map is written
//! at once; the lengths are sorted by where they belong, and both are merged at the end.

use std::sync::Arc;

use ekv_model::dynamodb::{ATTRIBUTE_LEVEL_MAX, Node, SetKind};
use ekv_model::{Body, ByteSource, CHUNK_LEN, Result};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};

use super::misplaced;
use crate::protobuf::{len_prefix_len, put_len_prefix, put_number};
use crate::run::scratch_error;

/// Memory for the bytes, for the lengths, and for the whole message, each in bytes.
const BUDGET_LEN: usize = 256 << 10;

// Fields of an entry of a map.
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;
/// The only field of items, sets, lists and maps.
const ELEMENT: u64 = 1;

// Fields of a value.
const STRING: u64 = 1;
const NUMBER: u64 = 2;
const BINARY: u64 = 3;
const BOOL: u64 = 4;
const NULL: u64 = 5;
const STRING_SET: u64 = 6;
const NUMBER_SET: u64 = 7;
const BINARY_SET: u64 = 8;
const LIST: u64 = 9;
const MAP: u64 = 10;

/// Puts the message of one item together.
pub(super) struct ItemMessage {
    scratch: Arc<dyn Scratch>,
    /// All bytes but what depends on the lengths of collections.
    bytes: Spool,
    /// Beginnings of collections, by number.
    begins: Sorter,
    /// Collections so far.
    collections: u64,
    open: Vec<Open>,
    name: Vec<u8>,
    has_name: bool,
    head: Vec<u8>,
}

/// A set, list or map whose elements come.
struct Open {
    begin: Begin,
    /// Place among the collections of the item in the order in which they begin.
    number: u64,
}

/// What stands before the elements of a collection, but for the name of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begin {
    /// Where it belongs among [`ItemMessage::bytes`].
    at: u64,
    /// Field of the value.
    field: u64,
    /// Length of the field with the name of the attribute, which is among the bytes; 0 for an element of a list.
    name_len: u64,
    /// Length of the elements.
    len: u64,
}

impl Begin {
    fn value_len(&self) -> u64 {
        len_prefix_len(self.field, self.len).saturating_add(self.len)
    }

    /// Length of the entry, for an attribute.
    fn entry_len(&self) -> u64 {
        let value_len = self.value_len();
        self.name_len.saturating_add(len_prefix_len(ENTRY_VALUE, value_len)).saturating_add(value_len)
    }

    /// Length of everything with its own prefix.
    fn total_len(&self) -> u64 {
        let len = if self.name_len == 0 { self.value_len() } else { self.entry_len() };
        len_prefix_len(ELEMENT, len).saturating_add(len)
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.at, self.field, self.name_len, self.len].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn of(payload: &[u8]) -> Self {
        let number = |at: usize| payload.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_le_bytes(*b));
        Begin { at: number(0), field: number(8), name_len: number(16), len: number(24) }
    }
}

impl ItemMessage {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        ItemMessage {
            scratch: Arc::clone(scratch),
            bytes: Spool::new(Arc::clone(scratch), BUDGET_LEN),
            begins: Sorter::new(Arc::clone(scratch), BUDGET_LEN),
            collections: 0,
            open: Vec::new(),
            name: Vec::new(),
            has_name: false,
            head: Vec::new(),
        }
    }

    /// Whether the next step is about an attribute of the item itself.
    pub(super) fn is_at_top(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a step.
    pub(super) fn node(&mut self, node: Node<'_>) -> Result<()> {
        match node {
            Node::Name(name) => {
                if self.has_name || !matches!(self.field(), None | Some(MAP)) {
                    return Err(misplaced("a name where none belongs"));
                }
                self.name.clear();
                self.name.extend_from_slice(name.as_bytes());
                self.has_name = true;
                Ok(())
            }
            Node::String(body) => self.leaf(STRING, &body),
            Node::Number(body) => self.leaf(NUMBER, &body),
            Node::Binary(body) => self.leaf(BINARY, &body),
            Node::Bool(is_true) => self.flag(BOOL, is_true),
            Node::Null(is_null) => self.flag(NULL, is_null),
            Node::Missing => self.value_head(0),
            Node::SetBegin(SetKind::String) => self.begin(STRING_SET),
            Node::SetBegin(SetKind::Number) => self.begin(NUMBER_SET),
            Node::SetBegin(SetKind::Binary) => self.begin(BINARY_SET),
            Node::ListBegin => self.begin(LIST),
            Node::MapBegin => self.begin(MAP),
            Node::Member(body) => {
                if !matches!(self.field(), Some(STRING_SET | NUMBER_SET | BINARY_SET)) {
                    return Err(misplaced("a member outside of a set"));
                }
                self.head.clear();
                put_len_prefix(ELEMENT, body.len(), &mut self.head);
                self.write_head()?;
                self.write(&body)
            }
            Node::End => self.end(),
        }
    }

    /// The whole message.
    pub(super) fn finish(self) -> Result<Spooled> {
        if self.has_name || !self.open.is_empty() {
            return Err(misplaced("the end of an item inside a value"));
        }
        let bytes = self.bytes.into_reader()?;
        if self.collections == 0 {
            return Ok(bytes);
        }
        let mut out = Spool::new(self.scratch, BUDGET_LEN);
        let mut begins = self.begins.finish().map_err(scratch_error)?;
        let (mut at, mut head) = (0, Vec::new());
        while let Some((_, payload)) = begins.next().map_err(scratch_error)? {
            let begin = Begin::of(payload);
            copy(&bytes, at, begin.at, &mut out)?;
            at = begin.at.saturating_add(begin.name_len);
            head.clear();
            if begin.name_len == 0 {
                put_len_prefix(ELEMENT, begin.value_len(), &mut head);
            } else {
                put_len_prefix(ELEMENT, begin.entry_len(), &mut head);
                out.write_all(&head)?;
                copy(&bytes, begin.at, at, &mut out)?;
                head.clear();
                put_len_prefix(ENTRY_VALUE, begin.value_len(), &mut head);
            }
            put_len_prefix(begin.field, begin.len, &mut head);
            out.write_all(&head)?;
        }
        copy(&bytes, at, bytes.len(), &mut out)?;
        Ok(out.into_reader()?)
    }

    /// Field of the innermost open collection; `None` at the top level of the item.
    fn field(&self) -> Option<u64> {
        self.open.last().map(|open| open.begin.field)
    }

    fn leaf(&mut self, field: u64, body: &Body<'_>) -> Result<()> {
        self.value_head(len_prefix_len(field, body.len()).saturating_add(body.len()))?;
        self.head.clear();
        put_len_prefix(field, body.len(), &mut self.head);
        self.write_head()?;
        self.write(body)
    }

    fn flag(&mut self, field: u64, is_set: bool) -> Result<()> {
        let mut value = Vec::new();
        put_number(field, u64::from(is_set), &mut value);
        let body = Body::Inline(&value);
        self.value_head(body.len())?;
        self.write(&body)
    }

    /// Writes what stands before a value of this length.
    fn value_head(&mut self, value_len: u64) -> Result<()> {
        self.expect_value()?;
        self.head.clear();
        if self.field() == Some(LIST) {
            put_len_prefix(ELEMENT, value_len, &mut self.head);
        } else {
            let name_len = self.name_field_len();
            let entry_len = name_len.saturating_add(len_prefix_len(ENTRY_VALUE, value_len)).saturating_add(value_len);
            put_len_prefix(ELEMENT, entry_len, &mut self.head);
            self.put_name();
            put_len_prefix(ENTRY_VALUE, value_len, &mut self.head);
        }
        self.has_name = false;
        self.write_head()
    }

    fn begin(&mut self, field: u64) -> Result<()> {
        self.expect_value()?;
        let mut begin = Begin { at: self.bytes.len(), field, name_len: 0, len: 0 };
        if self.field() != Some(LIST) {
            begin.name_len = self.name_field_len();
            self.head.clear();
            self.put_name();
            self.has_name = false;
            // Counted as a part of the collection when that ends.
            self.bytes.write_all(&self.head)?;
        }
        self.open.push(Open { begin, number: self.collections });
        self.collections = self.collections.saturating_add(1);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(Open { begin, number }) = self.open.pop().filter(|_| !self.has_name) else {
            return Err(misplaced("the end of no collection"));
        };
        self.begins.push(&number.to_be_bytes(), &begin.to_bytes()).map_err(scratch_error)?;
        self.count(begin.total_len());
        Ok(())
    }

    /// Refuses a value without a name in a map, and one where only members belong.
    fn expect_value(&self) -> Result<()> {
        let is_placed = match self.field() {
            None | Some(MAP) => self.has_name,
            Some(field) => field == LIST,
        };
        if !is_placed {
            return Err(misplaced("a value where none belongs"));
        }
        if self.open.len() >= ATTRIBUTE_LEVEL_MAX {
            return Err(misplaced("a value more than 1,000 levels deep"));
        }
        Ok(())
    }

    fn name_field_len(&self) -> u64 {
        let len = Body::Inline(&self.name).len();
        len_prefix_len(ENTRY_KEY, len).saturating_add(len)
    }

    /// Appends the field with the name to the head.
    fn put_name(&mut self) {
        put_len_prefix(ENTRY_KEY, Body::Inline(&self.name).len(), &mut self.head);
        self.head.extend_from_slice(&self.name);
    }

    fn write_head(&mut self) -> Result<()> {
        self.bytes.write_all(&self.head)?;
        let len = Body::Inline(&self.head).len();
        self.count(len);
        Ok(())
    }

    fn write(&mut self, body: &Body<'_>) -> Result<()> {
        let bytes = &mut self.bytes;
        body.for_each_chunk(|chunk| Ok(bytes.write_all(chunk)?))?;
        self.count(body.len());
        Ok(())
    }

    /// Adds to the length of the innermost collection.
    fn count(&mut self, len: u64) {
        if let Some(open) = self.open.last_mut() {
            open.begin.len = open.begin.len.saturating_add(len);
        }
    }
}

/// Copies a part of a spool.
fn copy(from: &Spooled, start: u64, end: u64, to: &mut Spool) -> Result<()> {
    if let Some(bytes) = from.as_memory() {
        let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
        return Ok(to.write_all(bytes.get(range).unwrap_or(&[]))?);
    }
    let (mut at, mut buf) = (start, Vec::new());
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(CHUNK_LEN);
        buf.resize(want, 0);
        from.read_exact_at(at, &mut buf)?;
        to.write_all(&buf)?;
        at = at.saturating_add(Body::Inline(&buf).len());
    }
    Ok(())
}
