//! What the keys of a table's items look like. Source: `docs/format/dynamodb.md`, section 4.1.

use super::{ItemKey, KeyForms, KeyType, KeyValue};

/// Finds out whether the types and forms of keys keep items apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFormCensus {
    hash: Option<KeyType>,
    range: Option<KeyType>,
    is_mixed: bool,
}

impl KeyFormCensus {
    /// Takes the key of an item.
    pub fn add(&mut self, key: &ItemKey<'_>) {
        let ItemKey { hash, range, .. } = key;
        let is_first_or_equal = |known: &mut Option<KeyType>, key_type| *known.get_or_insert(key_type) == key_type;
        let is_uniform = is_first_or_equal(&mut self.hash, hash.key_type)
            && range.is_none_or(|range| is_first_or_equal(&mut self.range, range.key_type));
        let is_no_number = |value: &KeyValue<'_>| value.key_type == KeyType::Number && value.number().is_none();
        let is_odd = is_no_number(hash) || range.is_some_and(|range| is_no_number(&range) || hash.bytes.is_empty());
        self.is_mixed |= !is_uniform || is_odd;
    }

    /// What is known after the last item.
    pub fn verdict(&self) -> KeyForms {
        if self.is_mixed { KeyForms::Mixed } else { KeyForms::Uniform }
    }
}
