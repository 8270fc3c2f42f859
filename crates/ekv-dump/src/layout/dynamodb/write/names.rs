//! Names of tables and items. Source: `docs/format/dynamodb.md`, section 4.1.

use ekv_model::dynamodb::{ItemKey, KeyType, KeyValue};

use super::number::{canonical, is_expanded_elsewhere};
use crate::segment::{component_into, encode_binary_segment_into, sha_fallback_into};

/// Extension of an item's file.
pub(crate) const EXTENSION: &[u8] = b".json";
/// Hex digits and separator at the front of a fallback name.
const FALLBACK_FRONT_LEN: usize = 34;

/// Where an item lies below `items/`, in buffers that are used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ItemName {
    /// The folder for the items of one hash key; empty if the file lies directly in `items/`.
    pub(crate) folder: Vec<u8>,
    pub(crate) file: Vec<u8>,
}

impl ItemName {
    /// Names an item by its hash key, and its range key if there is one.
    pub(crate) fn set(&mut self, key: &ItemKey<'_>) {
        self.folder.clear();
        self.file.clear();
        match &key.range {
            None => push_key(&key.hash, &mut self.file),
            Some(range) => {
                push_key(&key.hash, &mut self.folder);
                push_key(range, &mut self.file);
            }
        }
        self.file.extend_from_slice(EXTENSION);
    }
}

/// Writes the file name for an item whose own name another item has into `out`.
pub(crate) fn put_fallback(key: &ItemKey<'_>, out: &mut Vec<u8>) {
    out.clear();
    sha_fallback_into(key.sort_key, out);
    out.truncate(FALLBACK_FRONT_LEN);
    push_shown(key.range.as_ref().unwrap_or(&key.hash), out);
    out.extend_from_slice(EXTENSION);
}

/// Whether the reference decoder names a key by the hash of a text that is too long for this one to make: some numbers far from 1.
pub(crate) fn has_foreign_name(value: &KeyValue<'_>) -> bool {
    value.key_type == KeyType::Number && std::str::from_utf8(value.bytes).is_ok_and(is_expanded_elsewhere)
}

/// The text by which a key is known: the canonical number, or the bytes themselves.
fn with_known_bytes<T>(value: &KeyValue<'_>, f: impl FnOnce(&[u8]) -> T) -> T {
    match (value.key_type, std::str::from_utf8(value.bytes)) {
        (KeyType::Number, Ok(text)) => f(canonical(text).as_bytes()),
        _ => f(value.bytes),
    }
}

fn push_key(value: &KeyValue<'_>, out: &mut Vec<u8>) {
    with_known_bytes(value, |bytes| {
        match value.key_type {
            KeyType::Binary => encode_binary_segment_into(bytes, out),
            KeyType::String | KeyType::Number => component_into(bytes, out),
        };
    });
}

/// The readable part of a fallback name.
fn push_shown(value: &KeyValue<'_>, out: &mut Vec<u8>) {
    with_known_bytes(value, |bytes| {
        let mut fallback = Vec::new();
        sha_fallback_into(bytes, &mut fallback);
        out.extend_from_slice(fallback.get(FALLBACK_FRONT_LEN..).unwrap_or(&[]));
    });
}
