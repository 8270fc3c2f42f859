//! User keys of DynamoDB records, read and built. Source: `docs/format/dynamodb.md`, section 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_model::dynamodb::{KeyType, KeyValue, Number};

use super::number::push_number;
use crate::Family;

/// Ends every part of a key but the last.
const SEPARATOR: u8 = b'|';
/// First byte of the raw form of a text that should be a number and is none; only legacy keys have such. Above all numbers.
const NO_NUMBER: u8 = 0x03;

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

/// Appends the ordered form of a hash or range key to a primary or index key: the raw bytes, escaped and terminated.
///
/// A number that is none, which only legacy tables hold, sorts behind all numbers by its text.
pub fn push_ordered(value: &KeyValue<'_>, out: &mut Vec<u8>) {
    if value.key_type != KeyType::Number {
        return push_segment(value.bytes, out);
    }
    let mut raw = Vec::new();
    match std::str::from_utf8(value.bytes).ok().and_then(|text| Number::parse(text).ok()) {
        Some(number) => push_number(&number, &mut raw),
        None => {
            raw.push(NO_NUMBER);
            raw.extend_from_slice(value.bytes);
        }
    }
    push_segment(&raw, out);
}

/// Writes the ordered primary key of an item into `out`.
pub fn put_primary_key(hash: &KeyValue<'_>, range: Option<&KeyValue<'_>>, out: &mut Vec<u8>) {
    out.clear();
    push_ordered(hash, out);
    if let Some(range) = range {
        push_ordered(range, out);
    }
}

/// Appends raw bytes with every zero escaped and a terminator: no result begins with another one.
pub fn push_segment(raw: &[u8], out: &mut Vec<u8>) {
    for byte in raw {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 1]);
}

/// Reads a segment back: the raw bytes and what follows; `None` if it is not terminated or wrongly escaped.
pub fn split_segment(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut raw = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [0, 1, after @ ..] => return Some((raw, after)),
            [0, 0xff, after @ ..] => {
                raw.push(0);
                rest = after;
            }
            [0, ..] | [] => return None,
            [byte, after @ ..] => {
                raw.push(*byte);
                rest = after;
            }
        }
    }
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
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn key(key_type: KeyType, bytes: &[u8]) -> KeyValue<'_> {
        KeyValue { key_type, bytes }
    }

    fn item_key(table: &str, generation: u64, hash: KeyValue<'_>, range: Option<KeyValue<'_>>) -> Vec<u8> {
        let mut primary_key = Vec::new();
        put_primary_key(&hash, range.as_ref(), &mut primary_key);
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
        put_primary_key(&key(KeyType::Number, b"99"), None, &mut index_key);
        put_primary_key(&user, None, &mut primary_key);
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

    #[test]
    fn texts_that_are_no_numbers_sort_behind_all_numbers_and_stay_apart() {
        let ordered = |text: &'static str| {
            let mut out = Vec::new();
            push_ordered(&key(KeyType::Number, text.as_bytes()), &mut out);
            out
        };
        assert!(ordered("1e9223372036854775806") < ordered("abc"));
        assert_ne!(ordered(" abc"), ordered("abc"));
        assert_eq!(ordered("1"), ordered("10e-1"));
    }

    proptest! {
        #[test]
        fn segments_round_trip_keep_the_order_of_raw_bytes_and_never_begin_with_each_other(
            a in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 0xfe, 0xff]), 0..6),
            b in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 0xfe, 0xff]), 0..6),
        ) {
            let segment = |raw: &[u8]| {
                let mut out = Vec::new();
                push_segment(raw, &mut out);
                out
            };
            let (x, y) = (segment(&a), segment(&b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.starts_with(&y), a == b);
            let both = [x, y].concat();
            let (first, rest) = split_segment(&both).unwrap();
            let (second, rest) = split_segment(rest).unwrap();
            prop_assert_eq!((first, second, rest), (a, b, &[][..]));
            prop_assert_eq!(split_segment(&both[..both.len() - 1]).map(|(_, rest)| split_segment(rest)), Some(None));
        }
    }
}
