//! The rows of the indexes of a table: one for each item that has the attributes of an index key.

use ekv_model::dynamodb::{KEY_VALUE_LEN_MAX, KeyType, KeyValue, Node, Table, push_ordered, shown};
use ekv_model::{Body, Example, Findings, Result};

use super::schema::GENERATION;
use crate::dynamodb::findings::INDEX_ROW_LEFT_OUT;
use crate::dynamodb::keys::index_row_key;
use crate::restores::fits;

/// Memory for the index keys of one item, in bytes.
const KEYS_LEN_MAX: usize = 16 << 20;

/// The indexes of a table, and what the open item has of their keys.
#[derive(Default)]
pub(super) struct Indexes {
    table: String,
    indexes: Vec<Index>,
    /// Attributes that are keys of any index, in order of their names.
    attributes: Vec<Attribute>,
    /// The attribute whose value comes next.
    next: Option<usize>,
    /// Length of all ordered values.
    keys_len: usize,
}

struct Index {
    name: String,
    /// Indexes of attributes.
    hash: usize,
    range: Option<usize>,
}

struct Attribute {
    name: String,
    /// An index that it is a key of.
    index: String,
    /// Its value in the open item, in the form that orders keys.
    ordered: Option<Vec<u8>>,
}

impl Indexes {
    pub(super) fn of(table: &Table<'_>) -> Self {
        let mut attributes: Vec<Attribute> = Vec::new();
        for index in table.indexes {
            for name in [index.key_schema.hash_key, index.key_schema.range_key] {
                attributes.push(Attribute { name: name.to_owned(), index: index.name.to_owned(), ordered: None });
            }
        }
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        attributes.dedup_by(|a, b| a.name == b.name);
        let place = |name: &str| attributes.binary_search_by(|known| known.name.as_str().cmp(name)).unwrap_or(0);
        let indexes = table.indexes.iter().map(|index| Index {
            name: index.name.to_owned(),
            hash: place(index.key_schema.hash_key),
            range: (!index.key_schema.range_key.is_empty()).then(|| place(index.key_schema.range_key)),
        });
        let indexes = indexes.collect();
        Indexes { table: table.name.to_owned(), indexes, attributes, ..Indexes::default() }
    }

    pub(super) fn begin_item(&mut self) {
        self.attributes.iter_mut().for_each(|attribute| attribute.ordered = None);
        (self.next, self.keys_len) = (None, 0);
    }

    /// Looks at a step of the open item. An attribute that cannot be a key gives the item no row, as in the server.
    pub(super) fn node(&mut self, is_at_top: bool, node: &Node<'_>, findings: &mut Findings) -> Result<()> {
        if !is_at_top || self.indexes.is_empty() {
            return Ok(());
        }
        if let Node::Name(name) = node {
            let place = self.attributes.binary_search_by(|known| known.name.as_str().cmp(name)).ok();
            // The name of no range key is empty.
            self.next = place.filter(|place| self.is_key(*place));
            return Ok(());
        }
        let Some(attribute) = self.next.take().and_then(|place| self.attributes.get_mut(place)) else { return Ok(()) };
        let table = self.table.as_bytes();
        let mut refuse = |attribute: &Attribute, expected| {
            let (name, index) = (shown(attribute.name.as_bytes()), shown(attribute.index.as_bytes()));
            let detail = || format!("the attribute {name:?} is a key of the index {index:?} and must be {expected}");
            findings.record(INDEX_ROW_LEFT_OUT, || Example::new(Some(table), None, detail()));
            Ok(())
        };
        let (key_type, body) = match node {
            Node::String(body) => (KeyType::String, body),
            Node::Number(body) => (KeyType::Number, body),
            Node::Binary(body) => (KeyType::Binary, body),
            _ => return refuse(attribute, "of type S, N or B"),
        };
        let Some(bytes) = whole(body)? else { return refuse(attribute, "at most 1 MiB long") };
        let value = KeyValue { key_type, bytes: &bytes };
        if key_type == KeyType::Number && value.number().is_none() {
            return refuse(attribute, "a decimal number");
        }
        let mut ordered = Vec::new();
        push_ordered(&value, &mut ordered);
        self.keys_len = self.keys_len.saturating_add(ordered.len());
        if self.keys_len > KEYS_LEN_MAX {
            return refuse(attribute, "at most 16 MiB long together with the other index keys of the item");
        }
        attribute.ordered = Some(ordered);
        Ok(())
    }

    /// Calls `f` with the user key of each row of the item; `index_key` is a buffer.
    pub(super) fn for_each_row(
        &self,
        sort_key: &[u8],
        index_key: &mut Vec<u8>,
        findings: &mut Findings,
        mut f: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let ordered = |place: usize| self.attributes.get(place).and_then(|attribute| attribute.ordered.as_deref());
        for index in &self.indexes {
            // An index without hash key has no rows.
            let Some(hash) = ordered(index.hash) else { continue };
            let range = match index.range.map(ordered) {
                Some(None) => continue,
                Some(Some(range)) => range,
                None => &[],
            };
            index_key.clear();
            index_key.extend_from_slice(hash);
            index_key.extend_from_slice(range);
            let row_key = index_row_key(&self.table, GENERATION, &index.name, index_key, sort_key);
            if fits(row_key.len()) {
                f(&row_key)?;
                continue;
            }
            let detail = || {
                format!(
                    "the key of {} bytes in the index {:?} is too long",
                    row_key.len(),
                    shown(index.name.as_bytes())
                )
            };
            findings.record(INDEX_ROW_LEFT_OUT, || Example::new(Some(self.table.as_bytes()), None, detail()));
        }
        Ok(())
    }

    fn is_key(&self, place: usize) -> bool {
        self.indexes.iter().any(|index| index.hash == place || index.range == Some(place))
    }
}

/// The bytes of a value that can be a key; `None` if it is too long.
fn whole(body: &Body<'_>) -> Result<Option<Vec<u8>>> {
    if usize::try_from(body.len()).map_or(true, |len| len > KEY_VALUE_LEN_MAX) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    body.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(Some(bytes))
}
