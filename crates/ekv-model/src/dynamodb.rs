//! DynamoDB tables and items as events.
//!
//! A table is [`Event::TableBegin`], its items, and [`Event::TableEnd`]. An item is [`Event::ItemBegin`], the [`Node`]s of its
//! attributes, and [`Event::ItemEnd`]. Tables and items never mix. Items of a table come in ascending order of
//! [`ItemKey::sort_key`], each key once; attributes come in ascending byte order of their names, each name once, also inside maps.
//!
//! Source: `docs/format/dynamodb.md`.

mod key_forms;
mod number;
mod owned;
mod sort_key;
mod step;

pub use key_forms::KeyFormCensus;
pub use number::{Number, NumberError};
pub use sort_key::{push_ordered, put_sort_key};

use crate::Body;

/// Longest message of an item that is accepted, in bytes; the server's own limit is 400 KB.
///
/// Source: `docs/format/dynamodb.md`, section 2.4.
pub const ITEM_LEN_MAX: usize = 16 << 20;
/// Levels of lists and maps in an item that are accepted; the value of an attribute of the item itself is at level 1. Servers store 32.
///
/// Source: `docs/format/dynamodb.md`, section 2.4.
pub const ATTRIBUTE_LEVEL_MAX: usize = 64;
/// Memory for the names of all attributes of an item, those inside maps included, in bytes: an item with more is not accepted.
///
/// Each name counts with its length and [`ATTRIBUTE_ENTRY_LEN`]. Source: `docs/format/dynamodb.md`, section 2.4.
pub const ATTRIBUTE_NAMES_LEN_MAX: usize = 32 << 20;
/// What an attribute counts for beside its name, in bytes.
pub const ATTRIBUTE_ENTRY_LEN: usize = 32;
/// Longest value of a key attribute that is accepted, in bytes; the server's keys are shorter.
pub const KEY_VALUE_LEN_MAX: usize = 1 << 20;

/// Longest part of a name in a message, in characters.
const SHOWN_LEN: usize = 64;

/// A name or text in a message: its first 64 characters.
pub fn shown(text: &[u8]) -> String {
    let start = text.get(..SHOWN_LEN.saturating_mul(4)).unwrap_or(text);
    String::from_utf8_lossy(start).chars().take(SHOWN_LEN).collect()
}

/// The type of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// Text; the value is UTF-8.
    String,
    /// A number; the value is its text as stored, which no rule holds to a form.
    Number,
    /// Bytes.
    Binary,
}

impl KeyType {
    /// The letter that stands for the type in attribute definitions.
    pub fn letter(self) -> &'static str {
        match self {
            KeyType::String => "S",
            KeyType::Number => "N",
            KeyType::Binary => "B",
        }
    }
}

/// The value of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyValue<'a> {
    /// Its type in this item; attribute definitions do not bind it.
    pub key_type: KeyType,
    /// Its bytes, as stored.
    pub bytes: &'a [u8],
}

impl<'a> KeyValue<'a> {
    /// The number that the value is; `None` for other types, and for texts that are no numbers.
    pub fn number(&self) -> Option<Number<'a>> {
        let text = std::str::from_utf8(self.bytes).ok().filter(|_| self.key_type == KeyType::Number)?;
        Number::parse(text).ok()
    }
}

/// The primary key of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemKey<'a> {
    /// Value of the hash key attribute.
    pub hash: KeyValue<'a>,
    /// Value of the range key attribute, in tables that have one.
    pub range: Option<KeyValue<'a>>,
    /// Equal for equal keys, in the order of the table: `docs/format/dynamodb.md`, section 2.1.
    pub sort_key: &'a [u8],
}

impl ItemKey<'_> {
    /// Whether a value of type N is no number, as only tables with legacy keys can have it.
    pub fn has_no_number(&self) -> bool {
        let is_none = |value: &KeyValue<'_>| value.key_type == KeyType::Number && value.number().is_none();
        is_none(&self.hash) || self.range.as_ref().is_some_and(is_none)
    }
}

/// Names of the attributes that make a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySchema<'a> {
    /// Attribute that is the hash key.
    pub hash_key: &'a str,
    /// Attribute that is the range key; empty if there is none.
    pub range_key: &'a str,
}

/// Name and type of an attribute that keys use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeDefinition<'a> {
    /// Attribute name.
    pub name: &'a str,
    /// Type as stored: `S`, `N` or `B` in sound data.
    pub attribute_type: &'a str,
}

/// What an index copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Projection<'a> {
    /// Type as stored: `ALL`, `KEYS_ONLY` or `INCLUDE` in sound data.
    pub projection_type: &'a str,
    /// Attributes of an `INCLUDE` projection, in stored order.
    pub non_key_attributes: &'a [&'a str],
}

/// A global secondary index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index<'a> {
    /// Index name.
    pub name: &'a str,
    /// Its key.
    pub key_schema: KeySchema<'a>,
    /// What it copies.
    pub projection: Projection<'a>,
}

/// Whether the types and forms of its keys alone keep the items of a table apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForms {
    /// All hash keys have one type and all range keys have one type, all numbers are numbers, and no hash key is empty beside a
    /// range key.
    Uniform,
    /// Anything else. Two items may then have keys of the same text, such as the string `1` and the number 1.
    Mixed,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// The name under which the server finds the table.
    pub name: &'a str,
    /// The name in the schema itself; another one only in damaged data.
    pub schema_name: &'a str,
    /// Its primary key.
    pub primary_key: KeySchema<'a>,
    /// Attribute definitions in ascending byte order of their names, each name once.
    pub attribute_definitions: &'a [AttributeDefinition<'a>],
    /// Indexes in ascending byte order of their names, each name once.
    pub indexes: &'a [Index<'a>],
    /// Version of the item keys; below 2 the table has never been moved to ordered keys.
    pub key_encoding_version: u64,
    /// Generation of its items.
    pub generation: u64,
    /// Generation from which a move to ordered keys was under way, or 0; its items are among those of the table.
    pub migrating_from_generation: u64,
    /// What the keys of the items look like.
    pub key_forms: KeyForms,
}

/// The kinds of sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetKind {
    /// Texts.
    String,
    /// Texts of numbers.
    Number,
    /// Bytes.
    Binary,
}

/// One step through the attributes of an item.
///
/// A value is one of the leaves, or a collection from its beginning to its [`Node::End`]. At the top level and inside maps every
/// value follows its [`Node::Name`].
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// Name of the value that follows; may be empty.
    Name(&'a str),
    /// Text; UTF-8.
    String(Body<'a>),
    /// Text of a number, as stored; UTF-8.
    Number(Body<'a>),
    /// Bytes.
    Binary(Body<'a>),
    /// A Boolean.
    Bool(bool),
    /// A null; the server stores `true` and refuses to read `false`.
    Null(bool),
    /// A value of no type, which the server refuses to read.
    Missing,
    /// A set begins; its members follow in stored order, repeats included.
    SetBegin(SetKind),
    /// A member of the open set.
    Member(Body<'a>),
    /// A list begins; its values follow.
    ListBegin,
    /// A map begins; its names and values follow.
    MapBegin,
    /// The innermost open set, list or map is complete.
    End,
}

/// What happens to one table.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A table begins.
    TableBegin(&'a Table<'a>),
    /// An item of the open table begins.
    ItemBegin {
        /// Its primary key.
        key: ItemKey<'a>,
        /// When it was committed (HLC); 0 if unknown, as in a dump.
        commit_ts: u64,
        /// How many bytes its payload has, if somebody asks for that before it has been read.
        bytes: Option<u64>,
    },
    /// A step inside the open item.
    Node(Node<'a>),
    /// The open item is complete.
    ItemEnd,
    /// The open table is complete.
    TableEnd,
}
