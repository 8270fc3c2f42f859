//! Items as the service takes them.

use ekv_dump::{ItemText, TextSink};
use ekv_model::dynamodb::{ItemKey, KeyType, Node, Number, SetKind, Table};
use ekv_model::{Body, Result};
use ekv_text::json::Style;

use super::limits::{self, ITEM_LEN_MAX, LEVEL_MAX, Unfit};

/// What each element of a list or map counts for beside its value, and what each of the two counts for itself.
const ELEMENT_LEN: u64 = 1;
const COLLECTION_LEN: u64 = 3;

/// Makes the text of items of one table, one after the other. Memory is bounded by the longest item that the service takes.
pub(crate) struct ItemBuilder {
    text: ItemText,
    json: Json,
    /// Types of hash key and range key, as defined.
    key_types: [Option<KeyType>; 2],
    /// Attributes that are keys of indexes, with their types.
    index_keys: Vec<(String, Option<KeyType>)>,
    len: u64,
    unfit: Option<Unfit>,
    changed: Changed,
    open: Vec<OpenValue>,
    /// The index whose key the next value is, as a place in `index_keys`.
    index_key: Option<usize>,
    set: Set,
}

/// What the service keeps in another form than it is stored, in one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Numbers whose text will be another, such as `1.50`.
    pub(crate) numbers: bool,
    /// Sets that have a member twice: it goes once.
    pub(crate) repeats: bool,
}

/// An item that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Built<'b> {
    /// The service takes it.
    Item {
        /// Its JSON text on one line, without the line's end.
        json: &'b str,
        /// Its length in bytes as the service counts them.
        len: u64,
        /// What of it will look different there.
        changed: Changed,
    },
    /// The service would refuse it.
    Unfit(Unfit),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenValue {
    Map,
    List,
    Set,
}

/// The open set: members are kept until it ends, for a member that is there twice is refused.
#[derive(Default)]
struct Set {
    kind: Option<SetKind>,
    members: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Json(Vec<u8>);

impl TextSink for Json {
    fn write(&mut self, text: &[u8]) -> ekv_files::Result<()> {
        self.0.extend_from_slice(text);
        Ok(())
    }
}

impl ItemBuilder {
    /// Makes items of `table`.
    pub(crate) fn new(table: &Table<'_>) -> Self {
        let type_of = |name: &str| {
            let definition = table.attribute_definitions.iter().find(|definition| definition.name == name)?;
            [KeyType::String, KeyType::Number, KeyType::Binary]
                .into_iter()
                .find(|kind| kind.letter() == definition.attribute_type)
        };
        let keys = table.primary_key;
        let mut index_keys: Vec<(String, Option<KeyType>)> = table
            .indexes
            .iter()
            .flat_map(|index| [index.key_schema.hash_key, index.key_schema.range_key])
            .filter(|name| !name.is_empty())
            .map(|name| (name.to_owned(), type_of(name)))
            .collect();
        index_keys.sort();
        index_keys.dedup();
        ItemBuilder {
            text: ItemText::new(Style::Compact),
            json: Json::default(),
            key_types: [type_of(keys.hash_key), type_of(keys.range_key)],
            index_keys,
            len: 0,
            unfit: None,
            changed: Changed::default(),
            open: Vec::new(),
            index_key: None,
            set: Set::default(),
        }
    }

    /// Begins an item.
    pub(crate) fn begin(&mut self, key: &ItemKey<'_>) {
        self.json.0.clear();
        self.open.clear();
        self.len = 0;
        self.changed = Changed::default();
        self.index_key = None;
        self.set = Set::default();
        self.unfit = limits::check_key(key, &self.key_types).err();
        self.text.begin();
    }

    /// Adds a step of the item.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub(crate) fn node(&mut self, node: Node<'_>) -> Result<()> {
        if self.unfit.is_none()
            && let Err(unfit) = self.take(node)?
        {
            self.unfit = Some(unfit);
            self.set = Set::default();
            self.json.0.clear();
        }
        Ok(())
    }

    /// Ends the item.
    ///
    /// # Errors
    /// None in practice: the text goes into memory.
    pub(crate) fn end(&mut self) -> Result<Built<'_>> {
        if let Some(unfit) = self.unfit {
            return Ok(Built::Unfit(unfit));
        }
        self.text.end(&mut self.json)?;
        let line = self.json.0.strip_suffix(b"\n").unwrap_or(&self.json.0);
        // Attribute names and texts are UTF-8, and the text around them is ASCII.
        match std::str::from_utf8(line) {
            Ok(json) => Ok(Built::Item { json, len: self.len, changed: self.changed }),
            Err(_) => Ok(Built::Unfit(Unfit::NoType)),
        }
    }

    fn take(&mut self, node: Node<'_>) -> Result<Result<(), Unfit>> {
        if let Err(unfit) = self.count(&node)? {
            return Ok(Err(unfit));
        }
        if self.len > ITEM_LEN_MAX {
            return Ok(Err(Unfit::TooLong));
        }
        match node {
            Node::SetBegin(kind) => {
                self.open.push(OpenValue::Set);
                self.set = Set { kind: Some(kind), members: Vec::new() };
            }
            Node::Member(member) => {
                let mut bytes = Vec::new();
                member.for_each_chunk(|chunk| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                })?;
                let is_number = self.set.kind == Some(SetKind::Number);
                self.set.members.push(if is_number { limits::sent_text(&bytes).into_owned() } else { bytes });
            }
            Node::End if self.open.last() == Some(&OpenValue::Set) => {
                self.open.pop();
                if self.set.members.is_empty() {
                    return Ok(Err(Unfit::EmptySet));
                }
                self.write_set()?;
            }
            Node::End => {
                self.open.pop();
                self.text.node(&mut self.json, node)?;
            }
            Node::ListBegin | Node::MapBegin => {
                self.open.push(if matches!(node, Node::ListBegin) { OpenValue::List } else { OpenValue::Map });
                if self.open.len() > LEVEL_MAX {
                    return Ok(Err(Unfit::TooDeep));
                }
                self.text.node(&mut self.json, node)?;
            }
            Node::Number(Body::Inline(text)) => {
                let text = limits::sent_text(text);
                self.text.node(&mut self.json, Node::Number(Body::Inline(&text)))?;
            }
            _ => self.text.node(&mut self.json, node)?,
        }
        Ok(Ok(()))
    }

    /// Adds to the length what a step counts for, and judges its value.
    fn count(&mut self, node: &Node<'_>) -> Result<Result<(), Unfit>> {
        if let Node::Name(name) = node {
            self.len = self.len.saturating_add(u64::try_from(name.len()).unwrap_or(u64::MAX));
            let is_attribute = self.open.is_empty();
            let found = self.index_keys.binary_search_by(|(known, _)| known.as_str().cmp(name));
            self.index_key = found.ok().filter(|_| is_attribute);
            return Ok(Ok(()));
        }
        let index_key = self.index_key.take().and_then(|at| self.index_keys.get(at)).map(|(_, wanted)| *wanted);
        if let Some(wanted) = index_key
            && !fits_index(node, wanted)
        {
            return Ok(Err(Unfit::IndexKey));
        }
        if !matches!(node, Node::End | Node::Member(_)) && self.open.last().is_some_and(|open| *open != OpenValue::Set)
        {
            self.len = self.len.saturating_add(ELEMENT_LEN);
        }
        let len = match node {
            Node::String(body) | Node::Binary(body) => body.len(),
            Node::Member(body) if self.set.kind != Some(SetKind::Number) => body.len(),
            Node::Number(body) | Node::Member(body) => match limits::check_number(body)? {
                Ok(checked) => {
                    self.changed.numbers |= checked.is_rewritten;
                    checked.len
                }
                Err(unfit) => return Ok(Err(unfit)),
            },
            Node::Bool(_) | Node::Null(true) => 1,
            Node::Null(false) => return Ok(Err(Unfit::NullFalse)),
            Node::Missing => return Ok(Err(Unfit::NoType)),
            Node::ListBegin | Node::MapBegin => COLLECTION_LEN,
            Node::SetBegin(_) | Node::End | Node::Name(_) => 0,
        };
        self.len = self.len.saturating_add(len);
        Ok(Ok(()))
    }

    /// Writes the members of the set that ends, each once.
    fn write_set(&mut self) -> Result<()> {
        let Set { kind, members } = std::mem::take(&mut self.set);
        let Some(kind) = kind else { return Ok(()) };
        let mut order: Vec<(Vec<u8>, usize)> =
            members.iter().enumerate().map(|(at, member)| (identity(kind, member), at)).collect();
        order.sort();
        let total = order.len();
        order.dedup_by(|later, earlier| later.0 == earlier.0);
        self.changed.repeats |= order.len() < total;
        let mut kept: Vec<usize> = order.into_iter().map(|(_, at)| at).collect();
        kept.sort_unstable();
        self.text.node(&mut self.json, Node::SetBegin(kind))?;
        for member in kept.into_iter().filter_map(|at| members.get(at)) {
            self.text.node(&mut self.json, Node::Member(Body::Inline(member)))?;
        }
        Ok(self.text.node(&mut self.json, Node::End)?)
    }
}

/// Bytes that are equal for members that the service calls equal.
fn identity(kind: SetKind, member: &[u8]) -> Vec<u8> {
    let number =
        std::str::from_utf8(member).ok().filter(|_| kind == SetKind::Number).and_then(|text| Number::parse(text).ok());
    match number {
        Some(number) => {
            format!("{}{}e{}", if number.is_negative { "-" } else { "" }, number.digits, number.magnitude).into_bytes()
        }
        None => member.to_vec(),
    }
}

/// Whether a value may be the key of an index; one that is not there leaves the item out of the index, and that is all.
fn fits_index(node: &Node<'_>, wanted: Option<KeyType>) -> bool {
    let (kind, is_empty) = match node {
        Node::String(body) => (KeyType::String, body.is_empty()),
        Node::Binary(body) => (KeyType::Binary, body.is_empty()),
        Node::Number(_) => (KeyType::Number, false),
        _ => return false,
    };
    !is_empty && wanted.is_none_or(|wanted| wanted == kind)
}

#[cfg(test)]
mod tests;
