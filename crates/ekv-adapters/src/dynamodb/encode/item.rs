//! The message of an item, put together from its steps. Source: `docs/format/dynamodb.md`, sections 2.4 and 6.
//!
//! A message begins with its length, which is known when it ends: what stands before a set, list or map is put in front of its elements
//! then. So every byte moves at most once for each level around it.

use ekv_model::dynamodb::{ATTRIBUTE_LEVEL_MAX, ITEM_LEN_MAX, Node, SetKind};
use ekv_model::{Body, Result};

use crate::EncodeError;
use crate::encode_error::misplaced;
use crate::protobuf::{put_bytes, put_len_prefix, put_number};

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

/// Puts the message of one item together. Cost: at most [`ITEM_LEN_MAX`] bytes of memory.
#[derive(Default)]
pub(super) struct ItemMessage {
    bytes: Vec<u8>,
    open: Vec<OpenValue>,
    /// Fields of the entry before its value, for the attribute whose value comes next.
    name: Option<Vec<u8>>,
}

/// A set, list or map whose elements come.
struct OpenValue {
    /// Where its elements begin among [`ItemMessage::bytes`].
    at: usize,
    /// Field of the value.
    field: u64,
    /// Fields of the entry before its value; `None` for an element of a list.
    name: Option<Vec<u8>>,
}

impl ItemMessage {
    /// Whether the next step is about an attribute of the item itself.
    pub(super) fn is_at_top(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a step.
    ///
    /// # Errors
    /// [`EncodeError::DynamoDbItemTooLong`], [`EncodeError::DynamoDbItemTooDeep`]; [`EncodeError::Misplaced`] for a step in an order that
    /// no decode has.
    pub(super) fn node(&mut self, node: Node<'_>) -> Result<()> {
        match node {
            Node::Name(name) => {
                if self.name.is_some() || !matches!(self.field(), None | Some(MAP)) {
                    return Err(misplaced("a name where none belongs"));
                }
                self.expect_room(Body::Inline(name.as_bytes()).len())?;
                let mut field = Vec::new();
                put_bytes(ENTRY_KEY, name.as_bytes(), &mut field);
                self.name = Some(field);
                Ok(())
            }
            Node::String(body) => self.leaf(STRING, &body),
            Node::Number(body) => self.leaf(NUMBER, &body),
            Node::Binary(body) => self.leaf(BINARY, &body),
            Node::Bool(is_true) => self.flag(BOOL, is_true),
            Node::Null(is_null) => self.flag(NULL, is_null),
            Node::Missing => self.value(&[]),
            Node::SetBegin(SetKind::String) => self.begin(STRING_SET),
            Node::SetBegin(SetKind::Number) => self.begin(NUMBER_SET),
            Node::SetBegin(SetKind::Binary) => self.begin(BINARY_SET),
            Node::ListBegin => self.begin(LIST),
            Node::MapBegin => self.begin(MAP),
            Node::Member(body) => {
                if !matches!(self.field(), Some(STRING_SET | NUMBER_SET | BINARY_SET)) {
                    return Err(misplaced("a member outside of a set"));
                }
                put_len_prefix(ELEMENT, body.len(), &mut self.bytes);
                self.write(&body)
            }
            Node::End => self.end(),
        }
    }

    /// The whole message.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self.name.is_none() && self.open.is_empty() {
            true => Ok(self.bytes),
            false => Err(misplaced("the end of an item inside a value")),
        }
    }

    /// Field of the innermost open collection; `None` at the top level of the item.
    fn field(&self) -> Option<u64> {
        self.open.last().map(|open| open.field)
    }

    fn leaf(&mut self, field: u64, body: &Body<'_>) -> Result<()> {
        self.expect_value()?;
        let (at, name) = (self.bytes.len(), self.name.take());
        self.write(body)?;
        self.enclose(at, field, name)
    }

    fn flag(&mut self, field: u64, is_set: bool) -> Result<()> {
        let mut value = Vec::new();
        put_number(field, u64::from(is_set), &mut value);
        self.value(&value)
    }

    /// Writes a whole value.
    fn value(&mut self, value: &[u8]) -> Result<()> {
        self.expect_value()?;
        let (at, name) = (self.bytes.len(), self.name.take());
        self.bytes.extend_from_slice(value);
        self.put_before(at, name, Vec::new())
    }

    fn begin(&mut self, field: u64) -> Result<()> {
        self.expect_value()?;
        self.open.push(OpenValue { at: self.bytes.len(), field, name: self.name.take() });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(OpenValue { at, field, name }) = self.open.pop().filter(|_| self.name.is_none()) else {
            return Err(misplaced("the end of no collection"));
        };
        self.enclose(at, field, name)
    }

    /// Makes what was written since `at` a field of a value, and that value an entry or element.
    fn enclose(&mut self, at: usize, field: u64, name: Option<Vec<u8>>) -> Result<()> {
        let mut head = Vec::new();
        put_len_prefix(field, self.len_since(at), &mut head);
        self.put_before(at, name, head)
    }

    /// Makes what was written since `at`, behind `head`, an entry or element.
    fn put_before(&mut self, at: usize, name: Option<Vec<u8>>, head: Vec<u8>) -> Result<()> {
        let value_len = self.len_since(at).saturating_add(Body::Inline(&head).len());
        let entry = name.map(|mut entry| {
            put_len_prefix(ENTRY_VALUE, value_len, &mut entry);
            entry
        });
        let entry = entry.unwrap_or_default();
        let mut front = Vec::new();
        put_len_prefix(ELEMENT, value_len.saturating_add(Body::Inline(&entry).len()), &mut front);
        self.bytes.splice(at..at, front.into_iter().chain(entry).chain(head));
        self.expect_room(0)
    }

    fn len_since(&self, at: usize) -> u64 {
        Body::Inline(self.bytes.get(at..).unwrap_or_default()).len()
    }

    /// Refuses a value without a name in a map, and one where only members belong.
    fn expect_value(&self) -> Result<()> {
        let is_placed = match self.field() {
            None | Some(MAP) => self.name.is_some(),
            Some(field) => field == LIST,
        };
        if !is_placed {
            return Err(misplaced("a value where none belongs"));
        }
        if self.open.len() >= ATTRIBUTE_LEVEL_MAX {
            return Err(EncodeError::DynamoDbItemTooDeep { level_max: ATTRIBUTE_LEVEL_MAX }.into());
        }
        Ok(())
    }

    fn write(&mut self, body: &Body<'_>) -> Result<()> {
        self.expect_room(body.len())?;
        body.for_each_chunk(|chunk| {
            self.bytes.extend_from_slice(chunk);
            Ok(())
        })
    }

    /// Refuses an item that is longer than the limit with `more` bytes.
    fn expect_room(&self, more: u64) -> Result<()> {
        let len = Body::Inline(&self.bytes).len().saturating_add(more);
        match usize::try_from(len) {
            Ok(len) if len <= ITEM_LEN_MAX => Ok(()),
            _ => Err(EncodeError::DynamoDbItemTooLong { len_max: ITEM_LEN_MAX }.into()),
        }
    }
}
