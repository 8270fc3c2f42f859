//! The record of an item: checks, sorted attributes, primary key. Source: `docs/format/dynamodb.md`, section 2.4.

use ekv_model::Result;
use ekv_model::dynamodb::{ITEM_LEN_MAX, ItemKey, KEY_VALUE_LEN_MAX, KeyType, KeyValue, put_sort_key};
use ekv_snapshot::StoredValue;

use super::check::{self, BadItem};
use super::schema::KeySchema;
use super::value::{Attributes, Content, Elements, Value};
use crate::protobuf::{Fault, Source, split};

/// Front of an item record's value.
pub(super) const MAGIC: &[u8] = b"\0DI\x01";

/// Buffers that are used again for every item, and the primary key of the item read last.
#[derive(Default)]
pub(super) struct ItemReader {
    buffer: Vec<u8>,
    hash: OwnedKey,
    range: Option<OwnedKey>,
    sort_key: Vec<u8>,
}

#[derive(Debug, Default)]
struct OwnedKey {
    key_type: Option<KeyType>,
    bytes: Vec<u8>,
}

impl OwnedKey {
    fn value(&self) -> KeyValue<'_> {
        KeyValue { key_type: self.key_type.unwrap_or(KeyType::Binary), bytes: &self.bytes }
    }
}

/// An item that has been checked.
pub(super) struct Item<'v> {
    pub(super) source: Source<'v>,
    pub(super) attributes: Attributes,
}

impl ItemReader {
    /// Checks the value of an item's record and reads its key.
    ///
    /// Cost: [`ITEM_LEN_MAX`] and [`ATTRIBUTE_NAMES_LEN_MAX`](ekv_model::dynamodb::ATTRIBUTE_NAMES_LEN_MAX) bytes of memory at most.
    pub(super) fn read<'v>(
        &mut self,
        value: &StoredValue<'v>,
        key_schema: &KeySchema,
    ) -> Result<Result<Item<'v>, BadItem>> {
        if !value.head().starts_with(MAGIC) {
            return Ok(Err(BadItem::Magic));
        }
        let message_len = usize::try_from(value.len()).unwrap_or(usize::MAX).saturating_sub(MAGIC.len());
        if message_len > ITEM_LEN_MAX {
            return Ok(Err(BadItem::TooLarge));
        }
        let mut source = Source::loaded(*value, std::mem::take(&mut self.buffer))?;
        let fields = source.fields(MAGIC.len());
        if let Err(bad) = check::item(&mut source, fields)? {
            self.reuse(source);
            return Ok(Err(bad));
        }
        match split(Attributes::collect(Elements(fields), &mut source))? {
            Ok(attributes) => {
                let item = Item { source, attributes };
                self.read_key(item, key_schema)
            }
            Err(malformed) => {
                self.reuse(source);
                Ok(Err(malformed.into()))
            }
        }
    }

    /// Takes the buffer of an item back.
    pub(super) fn reuse(&mut self, source: Source<'_>) {
        self.buffer = source.into_buffer();
    }

    /// The primary key of the item that was read last.
    pub(super) fn key(&self) -> ItemKey<'_> {
        ItemKey { hash: self.hash.value(), range: self.range.as_ref().map(OwnedKey::value), sort_key: &self.sort_key }
    }

    fn read_key<'v>(&mut self, mut item: Item<'v>, key_schema: &KeySchema) -> Result<Result<Item<'v>, BadItem>> {
        let hash = split(key_value(&mut item, &key_schema.hash_key))?;
        let range = match key_schema.range_key.as_str() {
            "" => Ok(None),
            name => split(key_value(&mut item, name))?.map(Some),
        };
        let bad = match (hash, range) {
            (Ok(Some(hash)), Ok(range)) if range.as_ref().is_none_or(Option::is_some) => {
                self.hash = hash;
                self.range = range.flatten();
                let range = self.range.as_ref().map(OwnedKey::value);
                put_sort_key(&self.hash.value(), range.as_ref(), &mut self.sort_key);
                return Ok(Ok(item));
            }
            (Ok(None), _) => BadItem::HashKey,
            (Ok(Some(_)), Ok(_)) => BadItem::RangeKey,
            _ => BadItem::Malformed,
        };
        self.reuse(item.source);
        Ok(Err(bad))
    }
}

/// The value of a key attribute; `None` if it is missing, too long or of another type.
fn key_value(item: &mut Item<'_>, name: &str) -> Result<Option<OwnedKey>, Fault> {
    let Some(entry) = item.attributes.find(name) else { return Ok(None) };
    let (key_type, span) = match Value::of_entry(entry).content(&mut item.source)? {
        Content::String(span) => (KeyType::String, span),
        Content::Number(span) => (KeyType::Number, span),
        Content::Binary(span) => (KeyType::Binary, span),
        _ => return Ok(None),
    };
    if usize::try_from(span.len).map_or(true, |len| len > KEY_VALUE_LEN_MAX) {
        return Ok(None);
    }
    let mut key = OwnedKey { key_type: Some(key_type), bytes: Vec::new() };
    item.source.append(span, &mut key.bytes)?;
    Ok(Some(key))
}
