//! Damaged and misleading records: each costs at most the Redis key it belongs to. Source: `docs/format/redis.md`, section 7.

use ekv_adapters::redis::findings;
use ekv_adapters::{Family, Outcome};
use ekv_model::redis::StreamId;
use ekv_snapshot::CommitTs;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};

use crate::redis::decoded::{Decoded, decode, decode_at, string};

const LAST: StreamId = StreamId { ms: 1, seq: 1 };
const NO_TRIM: StreamId = StreamId { ms: 0, seq: 0 };

/// The name of the keys that must come through whatever happens, of each type and on both sides of the damage.
const WITNESSES: [&[u8]; 4] = [b"a-witness", b"u", b"victi", b"victim-witness"];

fn element(kind: Wide) -> Vec<u8> {
    if kind == Wide::ZSet { value::score(1.0) } else { Vec::new() }
}

/// Sound keys of each type, whose names sort before, between and after `victim`.
fn witnesses() -> RedisRecords {
    let mut records = RedisRecords::new();
    for name in WITNESSES {
        let name = |kind: &str| [name, b"-", kind.as_bytes()].concat();
        records = records
            .put(key::string(&name("string")), value::string(b"body", None))
            .put(key::hll(&name("hll")), value::hll(b"", None))
            .put(key::list_meta(&name("list")), value::list_meta(0, 1, 0))
            .put(key::list_delta(&name("list"), 1, 0), value::list_delta(0, 1))
            .put(key::list_item(&name("list"), 0), b"0")
            .put(key::list_item(&name("list"), 1), b"1")
            .put(key::stream_meta(&name("stream")), value::stream_meta(1, LAST, 0, NO_TRIM))
            .put(key::stream_entry(&name("stream"), LAST), value::stream_entry("1-1", &[b"f", b"v"]));
        for kind in Wide::ALL {
            let key = name(kind.name());
            records = records
                .put(kind.element(&key, b"m"), element(kind))
                .put(kind.meta(&key), value::meta(0, 0))
                .put(kind.delta(&key, 1, 0), value::delta(1));
        }
    }
    records
}

/// Decodes; checks that every witness came through as if it were alone, and returns what else there is.
fn decode_beside_witnesses(records: &RedisRecords, context: &str) -> (Decoded, Vec<Vec<u8>>) {
    let alone = decode(&witnesses()).keys;
    let decoded = decode(records);
    for (name, expected) in &alone {
        assert_eq!(decoded.keys.get(name), Some(expected), "{context}: {}", name.escape_ascii());
    }
    let others = decoded.keys.keys().filter(|name| !alone.contains_key(*name)).cloned().collect();
    (decoded, others)
}

/// Decodes a damaged key `victim`: it is lost, once, and nothing else is.
fn assert_lost(records: &RedisRecords, finding: &str, context: &str) {
    let (decoded, others) = decode_beside_witnesses(records, context);
    assert!(others.is_empty(), "{context}: {others:?}");
    assert_eq!(decoded.found(), [(finding, 1)], "{context}");
}

#[test]
fn value_header_cut_at_any_byte_loses_its_key_alone() {
    let whole = value::string(b"", Some(7));
    for cut in 2..whole.len() {
        assert_lost(&witnesses().put(key::string(b"victim"), &whole[..cut]), "redis_invalid_string_value", "string");
        let value = [&[0xff, 0x02], &whole[2..cut]].concat();
        assert_lost(&witnesses().put(key::hll(b"victim"), value), "redis_invalid_hll_value", "hll");
    }
}

#[test]
fn metadata_of_any_other_length_loses_its_key_alone() {
    for len in (0..64).filter(|len| ![8, 16].contains(len)) {
        for kind in Wide::ALL {
            let records = witnesses()
                .put(kind.meta(b"victim"), vec![0; len])
                .put(kind.element(b"victim", b"m"), element(kind))
                .put(kind.delta(b"victim", 1, 0), value::delta(1));
            assert_lost(&records, "redis_invalid_meta", &format!("{kind:?} {len}"));
        }
    }
    for len in (0..64).filter(|len| ![24, 32].contains(len)) {
        let records = witnesses()
            .put(key::list_meta(b"victim"), vec![0; len])
            .put(key::list_item(b"victim", 0), b"i")
            .put(key::list_delta(b"victim", 1, 0), value::list_delta(0, 1));
        assert_lost(&records, "redis_invalid_meta", &format!("list {len}"));
    }
    for len in (0..64).filter(|len| ![24, 32, 48].contains(len)) {
        let records = witnesses()
            .put(key::stream_meta(b"victim"), vec![0; len])
            .put(key::stream_entry(b"victim", LAST), value::stream_entry("1-1", &[]));
        assert_lost(&records, "redis_invalid_meta", &format!("stream {len}"));
    }
}

#[test]
fn lengths_beyond_63_bits_and_overflowing_windows_lose_their_key_alone() {
    for (head, len) in [(0, i64::MIN), (0, -1), (1, i64::MAX), (i64::MAX, 1)] {
        let records = witnesses()
            .put(key::list_meta(b"victim"), value::list_meta(head, len, 0))
            .put(key::list_item(b"victim", 0), b"i");
        assert_lost(&records, "redis_invalid_meta", &format!("head {head} length {len}"));
    }
    for len in [1 << 63, u64::MAX] {
        let records = witnesses().put(key::stream_meta(b"victim"), value::stream_meta(len, LAST, 0, NO_TRIM));
        assert_lost(&records, "redis_invalid_meta", &format!("stream length {len}"));
    }
    let records = witnesses()
        .put(key::list_delta(b"victim", 1, 0), value::list_delta(i64::MAX, i64::MAX))
        .put(key::list_delta(b"victim", 1, 1), value::list_delta(i64::MAX, i64::MAX));
    assert_lost(&records, "redis_invalid_list_delta", "deltas whose sum overflows");
}

#[test]
fn damaged_delta_loses_a_list_and_nothing_of_a_hash_set_or_zset() {
    for len in (0..40).filter(|len| ![16, 24, 32].contains(len)) {
        let records = witnesses()
            .put(key::list_item(b"victim", 0), b"i")
            .put(key::list_meta(b"victim"), value::list_meta(0, 1, 0))
            .put(key::list_delta(b"victim", 1, 0), vec![0; len]);
        assert_lost(&records, "redis_invalid_list_delta", &format!("{len}"));
    }
    for len in (0..40).filter(|len| *len != 8) {
        for kind in Wide::ALL {
            let records = witnesses()
                .put(kind.element(b"victim", b"m"), element(kind))
                .put(kind.meta(b"victim"), value::meta(1, 0))
                .put(kind.delta(b"victim", 1, 0), vec![0; len]);
            let (decoded, others) = decode_beside_witnesses(&records, "delta");
            assert_eq!(others, [b"victim"]);
            assert_eq!(decoded.found(), [("redis_invalid_auxiliary", 1)], "{kind:?} {len}");
        }
    }
}

#[test]
fn score_of_any_other_length_loses_its_zset_alone() {
    for len in (0..20).filter(|len| *len != 8) {
        let records = witnesses()
            .put(Wide::ZSet.element(b"victim", b"good"), value::score(1.0))
            .put(Wide::ZSet.element(b"victim", b"bad"), vec![0; len]);
        assert_lost(&records, "redis_invalid_zset_member", &format!("{len}"));
    }
}

#[test]
fn damaged_entry_loses_its_stream_alone() {
    let sound = value::stream_entry("1-1", &[b"name", b"value"]);
    let mut damaged: Vec<Vec<u8>> = (0..sound.len())
        // A cut between two fields leaves a sound message, of which the number of texts tells.
        .map(|cut| sound[..cut].to_vec())
        .filter(|cut| ![5, 10].contains(&cut.len()))
        .collect();
    damaged.extend([
        [b"\0RXE\x02", &sound[5..]].concat(),
        value::stream_entry("1-1", &[b"odd"]),
        value::stream_entry("1-1", &[b"name", b"\xff"]),
        value::stream_entry("1-1", &[b"\xed\xa0\x80", b"value"]),
        [sound.as_slice(), &value::proto_bytes(1, b"\xff")].concat(),
    ]);
    for value in damaged {
        let records = witnesses()
            .put(key::stream_meta(b"victim"), value::stream_meta(1, LAST, 0, NO_TRIM))
            .put(key::stream_entry(b"victim", LAST), &value);
        assert_lost(&records, "redis_invalid_stream_entry", &value.escape_ascii().to_string());
    }
    for len in [0, 15, 17] {
        let records = witnesses()
            .put(key::stream_meta(b"victim"), value::stream_meta(1, LAST, 0, NO_TRIM))
            .put([b"!stream|entry|", key::counted(b"victim").as_slice(), &vec![0; len]].concat(), &sound);
        assert_lost(&records, "redis_invalid_stream_entry", &format!("entry key of {len} bytes"));
    }
}

/// A family whose keys hold a counted Redis key.
struct CountedFamily {
    name: &'static str,
    prefix: Vec<u8>,
    /// What follows the Redis key in a sound key.
    tail: Vec<u8>,
    /// A sound value.
    value: Vec<u8>,
    /// Whether a key that does not parse is a loss.
    is_loss: bool,
}

fn counted_families() -> Vec<CountedFamily> {
    let mut families = Vec::new();
    let mut add = |name, prefix: &[u8], tail: &[u8], value, is_loss| {
        families.push(CountedFamily { name, prefix: prefix.to_vec(), tail: tail.to_vec(), value, is_loss });
    };
    for (kind, prefix) in Wide::ALL.into_iter().zip(["!hs|", "!st|", "!zs|"]) {
        add("element", &kind.element_prefix(), b"name", element(kind), true);
        add("meta", format!("{prefix}meta|").as_bytes(), b"", value::meta(0, 0), true);
        add("delta", format!("{prefix}meta|d|").as_bytes(), &[0; 12], value::delta(0), false);
    }
    add("list delta", b"!lst|meta|d|", &[0; 12], value::list_delta(0, 0), true);
    add("stream meta", b"!stream|meta|", b"", value::stream_meta_24(0, LAST), true);
    add("stream entry", b"!stream|entry|", &[0; 16], value::stream_entry("1-1", &[]), true);
    add("score index", b"!zs|scr|", &[0; 9], Vec::new(), false);
    add("claim", b"!lst|claim|", &[0; 8], Vec::new(), false);
    families
}

#[test]
fn key_cut_inside_its_redis_key_is_counted_and_touches_nothing_else() {
    for CountedFamily { name, prefix, value, is_loss, .. } in counted_families() {
        let whole = key::counted(b"victim");
        for cut in 0..whole.len() {
            let records = witnesses().put([prefix.as_slice(), &whole[..cut]].concat(), &value);
            let (decoded, others) = decode_beside_witnesses(&records, name);
            assert!(others.is_empty(), "{name} {cut}: {others:?}");
            assert_eq!(decoded.losses(), u64::from(is_loss), "{name} {cut}: {:?}", decoded.found());
        }
    }
}

#[test]
fn length_that_exceeds_the_key_is_counted_and_touches_nothing_else() {
    for CountedFamily { name, prefix, value, is_loss, .. } in counted_families() {
        for len in [7_u32, 0x0100_0000, 0x647c_0000, 0x6500_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let records = witnesses()
                .put([prefix.as_slice(), &len.to_be_bytes(), b"victim"].concat(), &value)
                .put([prefix.as_slice(), &len.to_be_bytes()].concat(), &value);
            let (decoded, others) = decode_beside_witnesses(&records, name);
            assert!(others.is_empty(), "{name} {len:#x}: {others:?}");
            // `d|` as the first bytes of a length makes a delta of the metadata.
            let is_loss = is_loss && !(name == "meta" && len == 0x647c_0000);
            assert_eq!(decoded.losses(), if is_loss { 2 } else { 0 }, "{name} {len:#x}: {:?}", decoded.found());
        }
    }
}

#[test]
fn bytes_behind_a_complete_key_never_touch_another_key() {
    for CountedFamily { name, prefix, tail, value, is_loss } in counted_families() {
        for trailing in [&b"x"[..], b"\0", b"\xff\xff"] {
            if name == "element" {
                continue;
            }
            let key = [prefix.as_slice(), &key::counted(b"victim"), &tail, trailing].concat();
            for also_sound in [false, true] {
                let mut records = witnesses().put(&key, &value);
                if also_sound {
                    records = records.put([prefix.as_slice(), &key::counted(b"victim"), &tail].concat(), &value);
                }
                let (decoded, others) = decode_beside_witnesses(&records, name);
                if is_loss && name != "stream entry" {
                    assert!(others.is_empty(), "{name}: {others:?}");
                    assert_eq!(decoded.losses(), 1, "{name}: {:?}", decoded.found());
                } else {
                    assert_eq!(decoded.losses(), 0, "{name}: {:?}", decoded.found());
                }
            }
        }
    }
}

#[test]
fn metadata_that_does_not_parse_leaves_the_other_types_of_its_key_alone() {
    // Only `!hs|meta|`, length, key is metadata; with more behind it the hash does not exist.
    for (prefix, value) in [
        (&b"!hs|meta|"[..], value::meta(0, 0)),
        (b"!st|meta|", value::meta(0, 0)),
        (b"!zs|meta|", value::meta(0, 0)),
        (b"!stream|meta|", value::stream_meta_24(0, LAST)),
    ] {
        let records = RedisRecords::new()
            .put([prefix, &key::counted(b"k"), b"x"].concat(), value)
            .put(key::blob("stream", b"k"), b"")
            .put(key::expiry(b"k"), value::expiry(2_000_000_000_000));
        let decoded = decode(&records);
        assert_eq!(decoded.losses(), 1);
        assert_eq!(decoded.count(findings::STREAM_BLOB), 1);
        let decoded = decode(&records.put(key::blob("zset", b"k"), b""));
        assert_eq!(decoded.names(), [b"k"]);
        assert_eq!(decoded.expire_at_ms(b"k"), Some(2_000_000_000_000));
    }
}

#[test]
fn damaged_list_delta_hides_the_types_below_the_list() {
    let records = RedisRecords::new()
        .put(key::list_delta(b"k", 1, 0), b"damaged")
        .put(Wide::Hash.element(b"k", b"f"), b"v")
        .put(key::expiry(b"k"), value::expiry(2_000_000_000_000));
    let decoded = decode(&records);
    assert!(decoded.keys.is_empty(), "the server answers an error for the list");
    assert_eq!(decoded.found(), [("redis_invalid_list_delta", 1), ("redis_shadowed_type", 1)]);
}

#[test]
fn record_among_the_list_deltas_that_is_neither_delta_nor_metadata_is_counted() {
    for len in [0, 7, 15, 17, 23, 25, 31, 33] {
        let records =
            witnesses().put(key::list_meta(b"d|victim"), vec![0; len]).put(Wide::Hash.element(b"d|victim", b"f"), b"v");
        let (decoded, _) = decode_beside_witnesses(&records, "d|");
        assert_eq!(decoded.losses(), 1, "{len}");
    }
}

#[test]
fn item_key_that_is_too_short_is_counted() {
    for len in 0..8 {
        let records = witnesses().put([&b"!lst|itm|"[..], &vec![0x80; len]].concat(), b"i");
        let (decoded, others) = decode_beside_witnesses(&records, "item");
        assert!(others.is_empty());
        assert_eq!(decoded.found(), [("redis_invalid_key", 1)]);
    }
}

#[test]
fn garbage_in_derived_records_is_never_looked_at() {
    let mut records = witnesses();
    for family in [
        &b"!zs|scr|"[..],
        b"!lst|claim|",
        b"!redis|txn-wide-hash|",
        b"!redis|txn-wide-list|",
        b"!redis|txn-wide-set|",
        b"!redis|txn-wide-zset|",
    ] {
        for rest in [&b""[..], b"\0", b"\xff\xff\xff\xff", b"victim", &key::counted(b"u")] {
            records = records.put([family, rest].concat(), b"garbage");
        }
    }
    let (decoded, others) = decode_beside_witnesses(&records, "derived");
    assert!(others.is_empty());
    assert_eq!(decoded.found(), []);
    assert_eq!(decoded.outcome(Family::ListClaim, Outcome::Internal), 5);
}

#[test]
fn metadata_with_a_damaged_value_header_hides_the_blob_of_its_kind() {
    let records = RedisRecords::new()
        .put(Wide::Hash.element(b"other", b"f"), b"v")
        .put(key::blob("hash", b"k"), b"")
        .damaged(Wide::Hash.meta(b"k"));
    let decoded = decode(&records);
    assert_eq!(decoded.names(), [b"other"]);
    assert_eq!(decoded.outcome(Family::RedisHashBlob, Outcome::Lost), 1);
}

#[test]
fn string_with_a_damaged_value_header_is_not_replaced_by_what_lies_below_it() {
    let records = RedisRecords::new().damaged(key::string(b"k")).put(Wide::Hash.element(b"k", b"f"), b"v");
    let with_others = records.clone().put(key::string(b"other"), b"");
    assert!(decode(&records).keys.is_empty());
    assert_eq!(decode(&with_others).names(), [b"other"], "whether other strings exist makes no difference");
}

#[test]
fn versions_of_a_key_that_are_not_neighbours_keep_their_joins() {
    // Keys that continue like the inverted timestamps of `k` come between its versions.
    let middle = RedisRecords::FIRST_COMMIT_TS + 40;
    let suffix = CommitTs(middle).to_suffix();
    let mut names: Vec<Vec<u8>> = (0..=8).map(|len| [b"k", &suffix[..len]].concat()).collect();
    names.extend([b"k\xfe".to_vec(), b"k\xff".to_vec(), b"k\xfe\x5d".to_vec()]);
    names.sort();
    names.dedup();
    let write = |records: RedisRecords, at_ms: u64| {
        names.iter().fold(records, |records, name| {
            records
                .put(key::string(name), [b"v", name.as_slice()].concat())
                .put(key::expiry(name), value::expiry(at_ms))
        })
    };
    let records = write(RedisRecords::new(), 5_000_000_000_000);
    let first = records.commit_ts();
    assert!(first < middle);
    let records = write(records.skip_to(middle), 6_000_000_000_000);
    for (decoded, at_ms) in [(decode_at(&records, first), 5_000_000_000_000), (decode(&records), 6_000_000_000_000)] {
        assert_eq!(decoded.names(), names);
        for name in &names {
            assert_eq!(decoded.value(name), &string(&[b"v", name.as_slice()].concat()));
            assert_eq!(decoded.expire_at_ms(name), Some(at_ms));
        }
        assert_eq!(decoded.found(), []);
    }
}

#[test]
fn redis_keys_that_look_like_stored_keys_are_ordinary_keys_of_any_type() {
    let names: [&[u8]; 9] = [
        b"!redis|str|x",
        b"!redis|ttl|x",
        b"!hs|meta|x",
        b"!hs|meta|d|",
        b"d|",
        b"d|\0\0\0\x01z",
        b"!lst|itm|x",
        b"_meta_applied_index",
        b"!txn|lock|x",
    ];
    for name in names {
        let writes: [fn(RedisRecords, &[u8]) -> RedisRecords; 5] = [
            |records, name| records.put(key::string(name), value::string(b"v", None)),
            |records, name| records.put(key::hll(name), value::hll(b"", None)),
            |records, name| {
                records
                    .put(key::list_meta(name), value::list_meta(0, 1, 0))
                    .put(key::list_item(name, 0), b"i")
                    .put(key::list_delta(name, 1, 0), value::list_delta(0, 0))
            },
            |records, name| {
                records
                    .put(key::stream_meta(name), value::stream_meta(1, LAST, 0, NO_TRIM))
                    .put(key::stream_entry(name, LAST), value::stream_entry("1-1", &[]))
            },
            |records, name| {
                records
                    .put(Wide::Hash.element(name, b"f"), b"v")
                    .put(Wide::Hash.meta(name), value::meta(1, 0))
                    .put(Wide::Hash.delta(name, 1, 0), value::delta(0))
            },
        ];
        for write in writes {
            let (decoded, others) = decode_beside_witnesses(&write(witnesses(), name), "name");
            assert_eq!(others, [name], "{}", name.escape_ascii());
            assert_eq!(decoded.found(), []);
        }
    }
}
