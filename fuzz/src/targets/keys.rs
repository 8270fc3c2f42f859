//! Keys and value headers of records, taken apart and put together.

use ekv_adapters::redis::{Form, parse_form};
use ekv_adapters::{Router, dynamodb, sqs};
use ekv_model::dynamodb::{KeyType, KeyValue, Number, push_ordered};
use ekv_model::redis::ScalarKind;
use ekv_snapshot::{CommitTs, UnversionedRow, ValueHeader, split_raw_key};

pub(super) fn run(bytes: &[u8]) {
    let router = Router::default();
    let family = router.family_of(bytes);
    assert!(bytes.starts_with(family.prefix()));
    assert_eq!(router.number_of(bytes), family.number());

    if let Some(key) = sqs::keys::Key::parse(bytes) {
        assert_eq!(key.to_bytes(), bytes, "{key:?}");
    }
    if let Some(key) = dynamodb::keys::parse_item_key(bytes) {
        let mut again = dynamodb::keys::generation_prefix(key.table, key.generation);
        again.extend_from_slice(key.primary_key);
        assert_eq!(again, bytes);
        assert_eq!(dynamodb::keys::table_of_item_key(bytes), Some(key.table));
    }
    segments(bytes);
    values(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let (a, b) = text.split_once('|').unwrap_or((text, "0"));
        numbers(a, b);
    }
}

fn segments(bytes: &[u8]) {
    let (a, b) = bytes.split_at(bytes.len() / 2);
    let (ordered_a, ordered_b) = (ordered(KeyType::Binary, a), ordered(KeyType::Binary, b));
    assert_eq!(ordered_a.cmp(&ordered_b), a.cmp(b), "ordered forms are in the order of the bytes");
    assert!(a == b || !ordered_a.starts_with(&ordered_b), "no ordered form begins with another one");
    let mut name = Vec::new();
    dynamodb::keys::push_name(bytes, &mut name);
    let decoded = dynamodb::keys::decode_name(&name);
    assert_eq!(decoded.as_deref(), std::str::from_utf8(bytes).ok(), "a name comes back if it is text");
}

fn values(bytes: &[u8]) {
    let len = u64::try_from(bytes.len()).unwrap();
    for kind in [ScalarKind::String, ScalarKind::Hll] {
        if let Ok((form, header_len)) = parse_form(kind, bytes, len) {
            assert!(header_len <= bytes.len());
            assert!(form != Form::Legacy || header_len == 0);
        }
    }
    if let Ok(header) = ValueHeader::parse(bytes, len) {
        assert!(bytes.len() >= 9);
        assert!(!header.hides_at(CommitTs(0)) || header.tombstone || header.expired_at(CommitTs(0)));
    }
    if let Some((user_key, commit_ts)) = split_raw_key(bytes) {
        assert_eq!([user_key, &commit_ts.to_suffix()].concat(), bytes);
    }
    let _ = UnversionedRow::of(bytes);
}

/// Ordered forms of numbers are equal for equal numbers, and order numbers of different sign or magnitude.
fn numbers(a: &str, b: &str) {
    let (ordered_a, ordered_b) = (ordered(KeyType::Number, a.as_bytes()), ordered(KeyType::Number, b.as_bytes()));
    let (Ok(a), Ok(b)) = (Number::parse(a), Number::parse(b)) else { return };
    let rank = |number: &Number<'_>| match (number.digits.is_empty(), number.is_negative) {
        (true, _) => (0, 0),
        (false, false) => (1, number.magnitude),
        (false, true) => (-1, number.magnitude.saturating_neg()),
    };
    let same = (a.is_negative, &a.digits, a.magnitude) == (b.is_negative, &b.digits, b.magnitude);
    assert_eq!(ordered_a == ordered_b, same, "{a:?} and {b:?}");
    if rank(&a) != rank(&b) {
        assert_eq!(ordered_a.cmp(&ordered_b), rank(&a).cmp(&rank(&b)), "{a:?} and {b:?}");
    }
}

/// The form of a value in an ordered primary key.
fn ordered(key_type: KeyType, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_ordered(&KeyValue { key_type, bytes }, &mut out);
    out
}
