//! Attribute values as they are stored. Source: `docs/format/dynamodb.md`, section 2.4.
//!
//! A message may be stored in several pieces, which count as one; nothing is copied but attribute names.

use ekv_model::dynamodb::{ATTRIBUTE_ENTRY_LEN, SetKind};

use crate::protobuf::{Fault, Field, Fields, Source, Span, Wire};

// Fields of a map entry.
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;
/// The only field of items, sets, lists and maps.
const ELEMENT: u64 = 1;

/// Gives the fields of one message.
pub(super) trait Message: Copy {
    /// The next field; `None` at the end.
    fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Field<Wire>>, Fault>;
}

impl Message for Fields {
    fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Field<Wire>>, Fault> {
        Fields::next(self, source)
    }
}

/// The message that all fields of one number in another message make together.
#[derive(Clone, Copy)]
pub(super) struct Nested<M> {
    outer: M,
    number: u64,
    inner: Fields,
}

impl<M: Message> Nested<M> {
    fn of(outer: M, number: u64) -> Self {
        Nested { outer, number, inner: Fields::default() }
    }
}

impl<M: Message> Message for Nested<M> {
    fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Field<Wire>>, Fault> {
        loop {
            if let Some(field) = self.inner.next(source)? {
                return Ok(Some(field));
            }
            match self.outer.next(source)? {
                Some(Field { number, content: Wire::Bytes(span) }) if number == self.number => {
                    self.inner = Fields::of(span);
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

/// The elements of an item, set, list or map: values, or entries of attributes.
#[derive(Clone, Copy)]
pub(super) struct Elements<M>(pub(super) M);

/// The elements inside a value.
pub(super) type Members = Elements<Nested<Nested<Fields>>>;

impl<M: Message> Elements<M> {
    /// Where the next element lies.
    pub(super) fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Span>, Fault> {
        while let Some(field) = self.0.next(source)? {
            if let Field { number: ELEMENT, content: Wire::Bytes(span) } = field {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }
}

/// The message of a value.
#[derive(Clone, Copy)]
pub(super) struct Value(Nested<Fields>);

/// What a value is.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Missing,
    String(Span),
    Number(Span),
    Binary(Span),
    Bool(bool),
    Null(bool),
    Set(SetKind, Members),
    List(Members),
    Map(Members),
}

impl Value {
    /// The value of an attribute, by its entry.
    pub(super) fn of_entry(entry: Span) -> Self {
        Value(Nested::of(Fields::of(entry), ENTRY_VALUE))
    }

    /// An element of a list.
    pub(super) fn of_element(element: Span) -> Self {
        Value(Nested { inner: Fields::of(element), ..Nested::of(Fields::default(), 0) })
    }

    /// The member that was stored last; pieces of one message that nothing separates count together.
    pub(super) fn content(&self, source: &mut Source<'_>) -> Result<Content, Fault> {
        let (mut content, mut content_number) = (Content::Missing, 0);
        let mut fields = self.0;
        loop {
            let before = fields;
            let Some(Field { number, content: wire }) = fields.next(source)? else { return Ok(content) };
            let members = Elements(Nested::of(before, number));
            let is_message = matches!(number, 6..=10);
            let next = match (number, wire) {
                (1, Wire::Bytes(span)) => Content::String(span),
                (2, Wire::Bytes(span)) => Content::Number(span),
                (3, Wire::Bytes(span)) => Content::Binary(span),
                (4, Wire::Varint(bits)) => Content::Bool(bits != 0),
                (5, Wire::Varint(bits)) => Content::Null(bits != 0),
                (6, Wire::Bytes(_)) => Content::Set(SetKind::String, members),
                (7, Wire::Bytes(_)) => Content::Set(SetKind::Number, members),
                (8, Wire::Bytes(_)) => Content::Set(SetKind::Binary, members),
                (9, Wire::Bytes(_)) => Content::List(members),
                (10, Wire::Bytes(_)) => Content::Map(members),
                _ => continue,
            };
            if !is_message || number != content_number {
                (content, content_number) = (next, number);
            }
        }
    }
}

/// The attributes of an item or map by ascending name; of equal names the last one.
pub(super) struct Attributes {
    names: String,
    entries: Vec<Entry>,
    next: usize,
}

/// One attribute.
#[derive(Clone, Copy)]
struct Entry {
    name_start: usize,
    name_end: usize,
    span: Span,
}

/// An attribute takes no more memory than it counts for.
const _: () = assert!(size_of::<Entry>() <= ATTRIBUTE_ENTRY_LEN);

impl Attributes {
    /// Reads and sorts the names of all entries. Cost: [`ATTRIBUTE_ENTRY_LEN`] for each entry, and its name.
    pub(super) fn collect<M: Message>(mut entries: Elements<M>, source: &mut Source<'_>) -> Result<Self, Fault> {
        let (mut names, mut found) = (Vec::new(), Vec::new());
        while let Some(span) = entries.next(source)? {
            let name_start = names.len();
            let mut fields = Fields::of(span);
            while let Some(field) = fields.next(source)? {
                if let Field { number: ENTRY_KEY, content: Wire::Bytes(name) } = field {
                    names.truncate(name_start);
                    source.append(name, &mut names)?;
                }
            }
            found.push(Entry { name_start, name_end: names.len(), span });
        }
        let names = String::from_utf8(names).map_err(|_| Fault::Malformed)?;
        let mut attributes = Attributes { names, entries: found, next: 0 };
        attributes.sort();
        Ok(attributes)
    }

    fn sort(&mut self) {
        let names = &self.names;
        let name = |entry: &Entry| names.get(entry.name_start..entry.name_end).unwrap_or_default();
        // Stable, so that of equal names the last one stored comes last.
        self.entries.sort_by(|a, b| name(a).cmp(name(b)));
        self.entries.dedup_by(|later, kept| {
            let is_same = name(later) == name(kept);
            if is_same {
                *kept = *later;
            }
            is_same
        });
    }

    fn name(&self, entry: &Entry) -> &str {
        self.names.get(entry.name_start..entry.name_end).unwrap_or_default()
    }

    /// The entry of the attribute of this name.
    pub(super) fn find(&self, name: &str) -> Option<Span> {
        let at = self.entries.binary_search_by(|entry| self.name(entry).cmp(name)).ok()?;
        self.entries.get(at).map(|entry| entry.span)
    }

    /// The next attribute: its name and its entry.
    pub(super) fn next(&mut self) -> Option<(&str, Span)> {
        let entry = *self.entries.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some((self.name(&entry), entry.span))
    }
}
