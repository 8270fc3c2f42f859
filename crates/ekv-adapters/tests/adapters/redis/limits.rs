//! Many records. Source: `docs/format/redis.md`, sections 1.5 and 7.2.

use ekv_adapters::redis::findings;
use ekv_adapters::{Family, Outcome};
use ekv_testkit::redis::{RedisRecords, RedisValue, Wide, key, value};

use crate::redis::decoded::decode;

#[test]
fn ten_thousand_expiry_records_without_a_key_are_counted_exactly() {
    let mut records = RedisRecords::new().put(key::string(b"k"), value::string(b"", None));
    for n in 0..10_000 {
        records = records.put(key::expiry(format!("gone-{n}").as_bytes()), value::expiry(7));
    }
    let decoded = decode(&records.put(key::expiry(b"k"), value::expiry(7)));
    assert_eq!(decoded.found(), [("redis_orphan_ttl", 10_000)]);
    assert_eq!(decoded.outcome(Family::RedisExpiry, Outcome::Orphaned), 10_000);
    assert_eq!(decoded.outcome(Family::RedisExpiry, Outcome::Joined), 1);
    let (_, totals) = decoded.findings.iter().next().unwrap();
    assert_eq!(totals.count, decoded.count(findings::ORPHAN_TTL));
    assert!(totals.examples.is_empty(), "their keys are not kept");
}

#[test]
fn hash_of_two_hundred_thousand_fields_comes_out_whole_and_in_order() {
    let mut records = RedisRecords::new();
    for n in 0_u32..200_000 {
        // Names of one to six digits: many begin with each other.
        records = records.put(Wide::Hash.element(b"k", n.to_string().as_bytes()), n.to_be_bytes());
    }
    let decoded = decode(&records.put(Wide::Hash.delta(b"k", 1, 0), value::delta(200_000)));
    let RedisValue::Hash(fields) = decoded.value(b"k") else { panic!("a hash") };
    assert_eq!(fields.len(), 200_000);
    assert!((0_u32..200_000).all(|n| fields[n.to_string().as_bytes()] == n.to_be_bytes()));
    assert_eq!(decoded.found(), []);
}

#[test]
fn list_of_two_hundred_thousand_items_folded_from_five_thousand_deltas_comes_out_in_order() {
    let mut records = RedisRecords::new();
    for seq in -100_000_i64..100_000 {
        records = records.put(key::list_item(b"k", seq), seq.to_be_bytes());
    }
    for n in 0_u32..2_500 {
        records = records
            .put(key::list_delta(b"k", u64::from(n), 0), value::list_delta(-40, 40))
            .put(key::list_delta(b"k", u64::from(n), 1), value::list_delta(0, 40));
    }
    let decoded = decode(&records);
    let RedisValue::List(items) = decoded.value(b"k") else { panic!("a list") };
    assert_eq!(items.len(), 200_000);
    assert!((-100_000_i64..).zip(items).all(|(seq, item)| *item == seq.to_be_bytes()));
    assert_eq!(decoded.found(), []);
}

#[test]
fn values_larger_than_any_buffer_come_out_whole_in_every_type() {
    let large: Vec<u8> = (0_u32..3_000_000).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let text = "é".repeat(1_000_000);
    let id = ekv_model::redis::StreamId { ms: 1, seq: 1 };
    let decoded = decode(
        &RedisRecords::new()
            .put(key::string(b"s"), value::string(&large, Some(2_000_000_000_000)))
            .put(Wide::Hash.element(b"h", b"f"), &large)
            .put(key::list_item(b"l", 0), &large)
            .put(key::list_delta(b"l", 1, 0), value::list_delta(0, 1))
            .put(key::stream_entry(b"x", id), value::stream_entry("1-1", &[text.as_bytes(), b"small"]))
            .put(key::stream_meta(b"x"), value::stream_meta_24(1, id)),
    );
    assert_eq!(decoded.value(b"s"), &RedisValue::String(large.clone()));
    assert_eq!(decoded.value(b"h"), &crate::redis::decoded::hash(&[(b"f", &large)]));
    assert_eq!(decoded.value(b"l"), &crate::redis::decoded::list(&[&large]));
    let entries = vec![(id, vec![(text.into_bytes(), b"small".to_vec())])];
    assert_eq!(decoded.value(b"x"), &RedisValue::Stream { last: id, entries });
    assert_eq!(decoded.found(), []);
}

#[test]
fn longest_key_that_fits_a_record_is_a_key_of_any_type() {
    let name = vec![b'n'; (1 << 20) - 64];
    let decoded = decode(
        &RedisRecords::new()
            .put(key::string(&name), value::string(b"hides the rest", None))
            .put(key::expiry(&name), value::expiry(7))
            .put(Wide::Set.element(&name, b"m"), b"")
            .put(key::list_meta(&name), value::list_meta(0, 0, 0)),
    );
    assert_eq!(decoded.names(), [name]);
    assert_eq!(decoded.found(), [("redis_shadowed_type", 2)]);
}
