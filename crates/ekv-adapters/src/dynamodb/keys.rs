//! User keys of DynamoDB records, read and built. Source: `docs/format/dynamodb.md`, section 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Family;

/// Ends every part of a key but the last.
pub(super) const SEPARATOR: u8 = b'|';

/// The key of an item's record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemRecordKey<'a> {
    /// The table's name as it stands in keys; [`decode_name`] reads it.
    pub table: &'a [u8],
    /// Generation of the table.
    pub generation: u64,
    /// Primary key, ordered or legacy; not empty.
    pub primary_key: &'a [u8],
}

/// Appends a table or index name as it stands in keys: base64url without padding.
pub fn push_name(name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(name).as_bytes());
}

/// Reads a table or index name; `None` if [`push_name`] could not have written it.
pub fn decode_name(encoded: &[u8]) -> Option<String> {
    URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|name| String::from_utf8(name).ok())
}

/// The key of a table's schema record.
pub fn schema_key(table: &str) -> Vec<u8> {
    named_key(Family::DdbTable, table)
}

/// The key of the record with a table's last generation.
pub fn generation_key(table: &str) -> Vec<u8> {
    named_key(Family::DdbGeneration, table)
}

fn named_key(family: Family, table: &str) -> Vec<u8> {
    let mut key = family.prefix().to_vec();
    push_name(table.as_bytes(), &mut key);
    key
}

/// What the keys of all items of a table begin with, by the table's name as it stands in keys.
pub fn items_prefix(encoded_table: &[u8]) -> Vec<u8> {
    [Family::DdbItem.prefix(), encoded_table, &[SEPARATOR]].concat()
}

/// What the keys of all items of one generation of a table begin with; the primary key follows.
pub fn generation_prefix(encoded_table: &[u8], generation: u64) -> Vec<u8> {
    let mut key = items_prefix(encoded_table);
    key.extend_from_slice(generation.to_string().as_bytes());
    key.push(SEPARATOR);
    key
}

/// Takes the user key of an item's record apart; `None` if a part is missing or the generation is not a canonical decimal.
///
/// The name is not decoded.
pub fn parse_item_key(user_key: &[u8]) -> Option<ItemRecordKey<'_>> {
    let rest = user_key.strip_prefix(Family::DdbItem.prefix())?;
    let (table, rest) = split_part(rest)?;
    let (generation, primary_key) = split_part(rest)?;
    let generation = parse_generation(generation)?;
    (!primary_key.is_empty()).then_some(ItemRecordKey { table, generation, primary_key })
}

/// The table part of an item's user key, also of one that [`parse_item_key`] refuses; `None` if nothing ends it.
pub fn table_of_item_key(user_key: &[u8]) -> Option<&[u8]> {
    user_key.strip_prefix(Family::DdbItem.prefix()).and_then(split_part).map(|(table, _)| table)
}

fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (part, rest) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == SEPARATOR)?)?;
    Some((part, rest.get(1..).unwrap_or(&[])))
}

fn parse_generation(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.parse::<u64>().ok().filter(|generation| generation.to_string() == text)
}

/// The key of an index row: the ordered index key, then the ordered primary key.
pub fn index_row_key(table: &str, generation: u64, index: &str, index_key: &[u8], primary_key: &[u8]) -> Vec<u8> {
    let mut key = Family::DdbIndexRow.prefix().to_vec();
    push_name(table.as_bytes(), &mut key);
    key.push(SEPARATOR);
    key.extend_from_slice(generation.to_string().as_bytes());
    key.push(SEPARATOR);
    push_name(index.as_bytes(), &mut key);
    key.push(SEPARATOR);
    key.extend_from_slice(index_key);
    key.extend_from_slice(primary_key);
    key
}

#[cfg(test)]
mod tests {
    use ekv_model::dynamodb::{KeyType, KeyValue, put_sort_key};

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn key(key_type: KeyType, bytes: &[u8]) -> KeyValue<'_> {
        KeyValue { key_type, bytes }
    }

    fn item_key(table: &str, generation: u64, hash: KeyValue<'_>, range: Option<KeyValue<'_>>) -> Vec<u8> {
        let mut primary_key = Vec::new();
        put_sort_key(&hash, range.as_ref(), &mut primary_key);
        let mut encoded = Vec::new();
        push_name(table.as_bytes(), &mut encoded);
        [generation_prefix(&encoded, generation), primary_key].concat()
    }

    #[test]
    fn built_keys_have_the_bytes_of_a_real_server() {
        let user = key(KeyType::String, b"user/3");
        assert_eq!(item_key("users", 1, user, None), hex("216464627c6974656d7c64584e6c636e4d7c317c757365722f330001"));
        let event = (key(KeyType::Binary, b"\0\x01\xff"), Some(key(KeyType::Number, b"-1.5")));
        assert_eq!(
            item_key("events", 1, event.0, event.1),
            hex("216464627c6974656d7c5a585a6c626e527a7c317c00ff01ff000100fffdfefeffceca0001")
        );
        let (mut index_key, mut primary_key) = (Vec::new(), Vec::new());
        put_sort_key(&key(KeyType::Number, b"99"), None, &mut index_key);
        put_sort_key(&user, None, &mut primary_key);
        assert_eq!(
            index_row_key("users", 1, "by_age", &index_key, &primary_key),
            hex("216464627c6773697c64584e6c636e4d7c317c596e6c665957646c7c0202010200ff39390001757365722f330001")
        );
        assert_eq!(schema_key("events"), hex("216464627c6d6574617c7461626c657c5a585a6c626e527a"));
        assert_eq!(generation_key("users"), hex("216464627c6d6574617c67656e7c64584e6c636e4d"));
    }

    #[test]
    fn item_keys_are_taken_apart_and_bad_ones_are_refused() {
        let parsed = parse_item_key(b"!ddb|item|dXNlcnM|18446744073709551615|a|b").unwrap();
        assert_eq!(parsed, ItemRecordKey { table: b"dXNlcnM", generation: u64::MAX, primary_key: b"a|b" });
        assert_eq!(parse_item_key(b"!ddb|item||0|k").unwrap().table, b"");
        for bad in [
            &b"!ddb|item|"[..],
            b"!ddb|item|dXNlcnM",
            b"!ddb|item|dXNlcnM|1",
            b"!ddb|item|dXNlcnM|1|",
            b"!ddb|item|dXNlcnM||k",
            b"!ddb|item|dXNlcnM|18446744073709551616|k",
            b"!ddb|item|dXNlcnM|01|k",
            b"!ddb|item|dXNlcnM|+1|k",
            b"!ddb|item|dXNlcnM|-1|k",
            b"!ddb|item|dXNlcnM|x|k",
            b"!ddb|gsi|dXNlcnM|1|k",
        ] {
            assert_eq!(parse_item_key(bad), None, "{}", bad.escape_ascii());
        }
        assert_eq!(table_of_item_key(b"!ddb|item|dXNlcnM|x"), Some(&b"dXNlcnM"[..]));
        assert_eq!(table_of_item_key(b"!ddb|item|dXNlcnM"), None);
    }

    #[test]
    fn names_are_read_only_in_the_form_in_which_they_are_written() {
        assert_eq!(decode_name(b"dXNlcnM").as_deref(), Some("users"));
        for bad in [&b"dXNlcnM="[..], b"dXNlcnN", b"dXNl cnM", b"a", b"dXNlcn+", b"__8", b"dXNl\ncnM"] {
            assert_eq!(decode_name(bad), None, "{}", bad.escape_ascii());
        }
    }
}
