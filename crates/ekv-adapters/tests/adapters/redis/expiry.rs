//! Which expiry a key has, and what becomes of expired keys. Source: `docs/format/redis.md`, section 4.

use ekv_adapters::redis::{EXPIRE_AT_MS_MAX, Expired, Options, findings};
use ekv_adapters::{Family, Outcome};
use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};

use crate::redis::decoded::{decode, decode_with};

const FAR: u64 = 2_000_000_000_000;
const LAST: StreamId = StreamId { ms: 1, seq: 1 };
const NO_TRIM: StreamId = StreamId { ms: 0, seq: 0 };

/// One key of each type, named after the type, whose expiry stands in the record that clients believe.
fn inline(at_ms: u64) -> RedisRecords {
    let mut records = RedisRecords::new()
        .put(key::string(b"string"), value::string(b"v", Some(at_ms)))
        .put(key::hll(b"hll"), value::hll(b"", Some(at_ms)))
        .put(key::list_meta(b"list"), value::list_meta(0, 1, at_ms))
        .put(key::list_item(b"list", 0), b"i")
        .put(key::stream_meta(b"stream"), value::stream_meta(0, LAST, at_ms, NO_TRIM))
        .put(key::stream_meta(b"stream32"), value::stream_meta_32(0, LAST, at_ms));
    for kind in Wide::ALL {
        let name = kind.name().as_bytes();
        records = records
            .put(kind.element(name, b"e"), if kind == Wide::ZSet { value::score(1.0) } else { Vec::new() })
            .put(kind.meta(name), value::meta(1, at_ms));
    }
    records
}

/// One key of each type whose expiry only the index has.
fn indexed(row: &[u8]) -> RedisRecords {
    let mut records = RedisRecords::new()
        .put(key::string(b"string"), b"v")
        .put(key::hll(b"hll"), b"")
        .put(b"bare", b"v")
        .put(key::list_meta(b"list"), value::old_list_meta(0, 1))
        .put(key::list_item(b"list", 0), b"i")
        .put(key::list_delta(b"list-deltas", 1, 0), value::list_delta(0, 0))
        .put(key::stream_meta(b"stream"), value::stream_meta_24(0, LAST))
        .put(key::blob("hash", b"hash-blob"), b"")
        .put(key::blob("set", b"set-blob"), b"")
        .put(key::blob("zset", b"zset-blob"), b"");
    for kind in Wide::ALL {
        let name = kind.name().as_bytes();
        let deltas = [name, b"-deltas"].concat();
        let element = if kind == Wide::ZSet { value::score(1.0) } else { Vec::new() };
        records = records
            .put(kind.element(name, b"e"), element)
            .put(kind.meta(name), value::old_meta(1))
            .put(kind.delta(&deltas, 1, 0), value::delta(0));
    }
    let names = decode(&records).keys.into_keys().collect::<Vec<_>>();
    assert_eq!(names.len(), 15);
    names.iter().fold(records, |records, name| records.put(key::expiry(name), row))
}

#[test]
fn index_decides_for_every_form_that_stores_no_expiry() {
    let decoded = decode(&indexed(&value::expiry(FAR)));
    assert_eq!(decoded.keys.len(), 15);
    assert!(decoded.keys.values().all(|key| key.expire_at_ms == Some(FAR)));
    assert_eq!(decoded.outcome(Family::RedisExpiry, Outcome::Joined), 15);
    assert_eq!(decoded.found(), [("redis_bare_keys", 1)]);
}

#[test]
fn expiry_in_the_metadata_wins_over_a_stale_index_record() {
    for at_ms in [0, FAR] {
        let mut records = inline(at_ms);
        for name in ["list", "stream", "stream32", "hash", "set", "zset"] {
            records = records.put(key::expiry(name.as_bytes()), value::expiry(FAR + 7));
        }
        let decoded = decode(&records);
        for name in ["list", "stream", "stream32", "hash", "set", "zset"] {
            assert_eq!(decoded.expire_at_ms(name.as_bytes()), (at_ms > 0).then_some(at_ms), "{name}");
        }
    }
}

#[test]
fn leftover_metadata_of_another_type_decides_in_the_servers_order() {
    // A blob has no metadata of its own, so that the first leftover of a form that stores an expiry decides.
    let records = RedisRecords::new()
        .put(key::blob("hash", b"k"), b"")
        .put(key::expiry(b"k"), value::expiry(FAR + 9))
        .put(key::stream_meta(b"k"), value::stream_meta(0, LAST, FAR, NO_TRIM));
    assert_eq!(decode(&records).expire_at_ms(b"k"), Some(FAR));

    // A set with metadata of the old form, and a zset and a stream below it.
    let records = RedisRecords::new()
        .put(Wide::Set.meta(b"k"), value::old_meta(0))
        .put(Wide::ZSet.meta(b"k"), value::meta(0, FAR + 1))
        .put(key::stream_meta(b"k"), value::stream_meta(0, LAST, FAR + 2, NO_TRIM))
        .put(key::expiry(b"k"), value::expiry(FAR + 9));
    assert_eq!(decode(&records).expire_at_ms(b"k"), Some(FAR + 1));

    // An explicit "no expiry" decides too.
    let records = RedisRecords::new()
        .put(Wide::Set.meta(b"k"), value::old_meta(0))
        .put(key::stream_meta(b"k"), value::stream_meta(0, LAST, 0, NO_TRIM))
        .put(key::expiry(b"k"), value::expiry(FAR + 9));
    assert_eq!(decode(&records).expire_at_ms(b"k"), None);

    // A string never looks at leftovers.
    let records = RedisRecords::new()
        .put(key::string(b"k"), b"old")
        .put(Wide::Set.meta(b"k"), value::meta(0, FAR + 1))
        .put(key::expiry(b"k"), value::expiry(FAR));
    assert_eq!(decode(&records).expire_at_ms(b"k"), Some(FAR));
}

#[test]
fn expired_keys_are_kept_by_default_and_dropped_on_request_at_the_exact_millisecond() {
    let now = RedisRecords::FIRST_UNIX_MS;
    for (at_ms, is_expired) in [(now - 1, true), (now, true), (now + 1, false)] {
        for records in [inline(at_ms), indexed(&value::expiry(at_ms))] {
            let kept = decode(&records);
            let keys = u64::try_from(kept.keys.len()).unwrap();
            assert!(kept.keys.values().all(|key| key.expire_at_ms == Some(at_ms)));
            assert_eq!(kept.count(findings::EXPIRED_KEYS), if is_expired { keys } else { 0 });

            let dropped = decode_with(&records, &Options { expired: Expired::Drop, ..Options::default() });
            assert_eq!(dropped.keys.is_empty(), is_expired, "expiry {at_ms} at {now}");
            assert_eq!(dropped.count(findings::EXPIRED_KEYS), if is_expired { keys } else { 0 });
            assert_eq!(dropped.losses(), 0);
        }
    }
}

#[test]
fn expired_string_still_hides_the_collection_below_it() {
    let records = RedisRecords::new()
        .put(key::string(b"k"), value::string(b"v", Some(1)))
        .put(Wide::Hash.element(b"k", b"f"), b"v");
    assert_eq!(decode(&records).value(b"k"), &crate::redis::decoded::string(b"v"));
    let dropped = decode_with(&records, &Options { expired: Expired::Drop, ..Options::default() });
    assert!(dropped.keys.is_empty(), "a client saw no key at all");
    assert_eq!(dropped.outcome(Family::HashField, Outcome::Shadowed), 1);
}

#[test]
fn expiries_above_the_largest_signed_number_are_clamped_and_zero_means_1970_where_it_is_a_flag() {
    for (stored, expected) in
        [(EXPIRE_AT_MS_MAX, EXPIRE_AT_MS_MAX), (1 << 63, EXPIRE_AT_MS_MAX), (u64::MAX, EXPIRE_AT_MS_MAX)]
    {
        for records in [inline(stored), indexed(&value::expiry(stored))] {
            let decoded = decode(&records);
            assert!(decoded.keys.values().all(|key| key.expire_at_ms == Some(expected)));
            let clamped = if stored > EXPIRE_AT_MS_MAX { u64::try_from(decoded.keys.len()).unwrap() } else { 0 };
            assert_eq!(decoded.count(findings::EXPIRY_CLAMPED), clamped);
        }
    }
    let decoded = decode(&inline(0));
    for (name, key) in &decoded.keys {
        let is_flagged = [&b"string"[..], b"hll"].contains(&name.as_slice());
        assert_eq!(key.expire_at_ms, is_flagged.then_some(0), "{}", name.escape_ascii());
    }
    assert_eq!(decoded.count(findings::ZERO_EXPIRY), 2);
    let decoded = decode(&indexed(&value::expiry(0)));
    assert!(decoded.keys.values().all(|key| key.expire_at_ms == Some(0)));
    assert_eq!(decoded.count(findings::ZERO_EXPIRY), 15);
}

#[test]
fn damaged_index_record_takes_down_exactly_the_keys_that_it_decides_about() {
    for len in [0, 7, 9] {
        let row = vec![0; len];
        let decoded = decode(&indexed(&row));
        assert!(decoded.keys.is_empty(), "no key may become permanent by accident");
        assert_eq!(decoded.count(findings::INVALID_TTL_VALUE), 15);

        let mut records = inline(FAR);
        for name in ["string", "hll", "list", "stream", "stream32", "hash", "set", "zset"] {
            records = records.put(key::expiry(name.as_bytes()), &row);
        }
        let decoded = decode(&records.put(key::expiry(b"nobody"), &row));
        assert_eq!(decoded.keys.len(), 8);
        assert!(decoded.keys.values().all(|key| key.expire_at_ms == Some(FAR)));
        assert_eq!(decoded.count(findings::UNUSED_INVALID_TTL), 8);
        assert_eq!(decoded.count(findings::ORPHAN_TTL), 1);
        assert_eq!(decoded.losses(), 0);
    }
}

#[test]
fn index_record_with_a_damaged_value_header_takes_down_the_key_that_it_decides_about() {
    let records = RedisRecords::new().put(key::string(b"old"), b"v").damaged(key::expiry(b"old"));
    assert!(decode(&records).keys.is_empty());
    let records =
        RedisRecords::new().put(key::string(b"current"), value::string(b"v", None)).damaged(key::expiry(b"current"));
    assert_eq!(decode(&records).names(), [b"current"]);
}

#[test]
fn metadata_with_a_damaged_value_header_takes_down_its_collection() {
    for kind in Wide::ALL {
        let element = if kind == Wide::ZSet { value::score(1.0) } else { Vec::new() };
        let records = RedisRecords::new().put(kind.element(b"k", b"e"), element).damaged(kind.meta(b"k"));
        assert!(decode(&records).keys.is_empty(), "{kind:?}: its expiry is unknown");
    }
    let records = RedisRecords::new()
        .put(key::list_item(b"k", 0), b"i")
        .put(key::list_delta(b"k", 1, 0), value::list_delta(0, 1))
        .damaged(key::list_meta(b"k"));
    assert!(decode(&records).keys.is_empty());
}
