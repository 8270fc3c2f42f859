//! Which type a key has when records of several are present. Source: `docs/format/redis.md`, section 3.

use ekv_adapters::redis::findings;
use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, RedisValue, Wide, key, value};

use crate::redis::decoded::{Decoded, decode, decode_at, hash, list, set, string, zset};

const LAST: StreamId = StreamId { ms: 1, seq: 1 };
const NO_TRIM: StreamId = StreamId { ms: 0, seq: 0 };

/// A form in which a key can exist, and what clients then see.
struct Form {
    name: &'static str,
    put: fn(RedisRecords, &[u8]) -> RedisRecords,
    shows: fn(&RedisValue) -> bool,
}

/// All forms in the order in which the server asks for them; forms of one rank stand together.
const RANKS: [&[Form]; 12] = [
    &[Form {
        name: "string",
        put: |r, k| r.put(key::string(k), value::string(b"string", None)),
        shows: |v| *v == string(b"string"),
    }],
    &[Form {
        name: "hll",
        put: |r, k| r.put(key::hll(k), value::hll(b"", None)),
        shows: |v| *v == RedisValue::Hll(Vec::new()),
    }],
    &[Form { name: "bare", put: |r, k| r.put(k, b"bare"), shows: |v| *v == string(b"bare") }],
    &[
        Form {
            name: "list base",
            put: |r, k| r.put(key::list_meta(k), value::list_meta(0, 0, 0)),
            shows: |v| *v == list(&[]),
        },
        Form {
            name: "list delta",
            put: |r, k| r.put(key::list_delta(k, 1, 0), value::list_delta(0, 0)),
            shows: |v| *v == list(&[]),
        },
    ],
    &[
        Form {
            name: "hash field",
            put: |r, k| r.put(Wide::Hash.element(k, b"f"), b"v"),
            shows: |v| *v == hash(&[(b"f", b"v")]),
        },
        Form {
            name: "hash base",
            put: |r, k| r.put(Wide::Hash.meta(k), value::meta(0, 0)),
            shows: |v| *v == hash(&[]),
        },
        Form {
            name: "hash delta",
            put: |r, k| r.put(Wide::Hash.delta(k, 1, 0), value::delta(0)),
            shows: |v| *v == hash(&[]),
        },
    ],
    &[
        Form { name: "set member", put: |r, k| r.put(Wide::Set.element(k, b"m"), b""), shows: |v| *v == set(&[b"m"]) },
        Form { name: "set base", put: |r, k| r.put(Wide::Set.meta(k), value::meta(0, 0)), shows: |v| *v == set(&[]) },
        Form {
            name: "set delta",
            put: |r, k| r.put(Wide::Set.delta(k, 1, 0), value::delta(0)),
            shows: |v| *v == set(&[]),
        },
    ],
    &[
        Form {
            name: "zset member",
            put: |r, k| r.put(Wide::ZSet.element(k, b"m"), value::score(1.0)),
            shows: |v| *v == zset(&[(b"m", 1.0)]),
        },
        Form {
            name: "zset base",
            put: |r, k| r.put(Wide::ZSet.meta(k), value::meta(0, 0)),
            shows: |v| *v == zset(&[]),
        },
        Form {
            name: "zset delta",
            put: |r, k| r.put(Wide::ZSet.delta(k, 1, 0), value::delta(0)),
            shows: |v| *v == zset(&[]),
        },
    ],
    &[Form {
        name: "hash blob",
        put: |r, k| r.put(key::blob("hash", k), value::hash_blob(&[(b"b", b"v")])),
        shows: |v| *v == hash(&[(b"b", b"v")]),
    }],
    &[Form {
        name: "set blob",
        put: |r, k| r.put(key::blob("set", k), value::set_blob(&[b"b"])),
        shows: |v| *v == set(&[b"b"]),
    }],
    &[Form {
        name: "zset blob",
        put: |r, k| r.put(key::blob("zset", k), value::zset_blob(&[(b"b", 2.0)])),
        shows: |v| *v == zset(&[(b"b", 2.0)]),
    }],
    &[Form {
        name: "stream meta",
        put: |r, k| r.put(key::stream_meta(k), value::stream_meta(0, LAST, 0, NO_TRIM)),
        shows: |v| *v == RedisValue::Stream { last: LAST, entries: Vec::new() },
    }],
    &[Form { name: "stream blob", put: |r, k| r.put(key::blob("stream", k), b"\0RX\x01"), shows: |_| false }],
];

fn shown<'d>(decoded: &'d Decoded, key: &[u8]) -> &'d RedisValue {
    assert_eq!(decoded.names(), [key], "one Redis key gives one file");
    decoded.value(key)
}

/// A blob of a kind that also has base or deltas but no elements is the content of the higher form, and so is not hidden.
fn is_content_of(upper: &Form, lower: &Form) -> bool {
    let kind = |form: &Form| form.name.split(' ').next().map(str::to_owned);
    lower.name.ends_with(" blob") && kind(upper) == kind(lower)
}

#[test]
fn higher_of_two_types_wins_whatever_the_pair_and_whatever_the_forms() {
    // A name that is also a valid bare key, and one of the traps.
    for key in [&b"k"[..], b"d|k"] {
        for (at, upper) in RANKS.iter().enumerate() {
            for upper in *upper {
                for lower in RANKS.iter().skip(at + 1).copied().flatten() {
                    let decoded = decode(&(lower.put)((upper.put)(RedisRecords::new(), key), key));
                    if is_content_of(upper, lower) {
                        continue;
                    }
                    let pair = format!("{} over {}", upper.name, lower.name);
                    assert!((upper.shows)(shown(&decoded, key)), "{pair}: {:?}", decoded.keys);
                    assert_eq!(decoded.count(findings::SHADOWED_TYPE), 1, "{pair}");
                    assert_eq!(decoded.losses(), 0, "{pair}");
                }
            }
        }
    }
}

#[test]
fn each_form_alone_makes_the_key_exist() {
    for form in RANKS.iter().copied().flatten().filter(|form| form.name != "stream blob") {
        let decoded = decode(&(form.put)(RedisRecords::new(), b"k"));
        assert!((form.shows)(shown(&decoded, b"k")), "{}", form.name);
        assert_eq!(decoded.count(findings::SHADOWED_TYPE), 0, "{}", form.name);
    }
}

#[test]
fn stream_in_one_record_is_discarded_as_the_server_does_and_told() {
    let records = RedisRecords::new()
        .put(key::blob("stream", b"k"), b"\0RX\x01")
        .put(key::expiry(b"k"), value::expiry(2_000_000_000_000));
    let decoded = decode(&records);
    assert!(decoded.keys.is_empty());
    assert_eq!(decoded.found(), [("redis_stream_legacy_blob_discarded", 1)]);
}

#[test]
fn index_rows_claims_items_and_entries_alone_make_no_key() {
    let decoded = decode(
        &RedisRecords::new()
            .put(key::zset_score(b"k", 1.0, b"m"), b"")
            .put(key::list_claim(b"k", 0), b"")
            .put(key::list_item(b"k", 0), b"i")
            .put(key::stream_entry(b"k", LAST), value::stream_entry("1-1", &[]))
            .put(key::fence("hash", b"k"), b"")
            .put(key::expiry(b"k"), value::expiry(1)),
    );
    assert!(decoded.keys.is_empty());
    assert_eq!(
        decoded.found(),
        [("redis_list_orphan_items", 1), ("redis_orphan_ttl", 1), ("redis_stream_orphan_entries_without_meta", 1)]
    );
}

#[test]
fn key_that_changed_its_type_has_the_type_of_the_read_timestamp() {
    let records = RedisRecords::new().put(key::string(b"k"), value::string(b"first", None));
    let as_string = records.commit_ts();
    let records = records
        .delete(key::string(b"k"))
        .put(Wide::Hash.element(b"k", b"f"), b"1")
        .put(Wide::Hash.delta(b"k", 1, 0), value::delta(1));
    let as_hash = records.commit_ts();
    let records = records.delete(Wide::Hash.element(b"k", b"f")).delete(Wide::Hash.delta(b"k", 1, 0));
    let gone = records.commit_ts();
    let records = records.put(key::string(b"k"), value::string(b"again", None));

    assert_eq!(decode_at(&records, as_string).value(b"k"), &string(b"first"));
    assert_eq!(decode_at(&records, as_hash).value(b"k"), &hash(&[(b"f", b"1")]));
    assert!(decode_at(&records, gone).keys.is_empty());
    assert_eq!(decode(&records).value(b"k"), &string(b"again"));
    assert_eq!(decode(&records).found(), []);
}

#[test]
fn keys_come_type_by_type_and_scalars_in_the_order_of_their_records() {
    let mut records = RedisRecords::new();
    // `k` begins the other names, so that its records come after theirs.
    for name in [&b"k"[..], b"kk", b"k\0"] {
        let of = |kind: &str| [kind.as_bytes(), name].concat();
        records = records
            .put(key::string(&of("string-")), value::string(b"", None))
            .put(key::hll(&of("hll-")), value::hll(b"", None))
            .put(of("bare-"), b"")
            .put(Wide::Hash.element(&of("hash-"), b"f"), b"")
            .put(key::list_meta(&of("list-")), value::list_meta(0, 0, 0))
            .put(Wide::Set.element(&of("set-"), b"m"), b"")
            .put(Wide::ZSet.element(&of("zset-"), b"m"), value::score(0.0))
            .put(key::stream_meta(&of("stream-")), value::stream_meta(0, LAST, 0, NO_TRIM));
    }
    let names = |kinds: &[&str], names: [&str; 3]| -> Vec<Vec<u8>> {
        kinds.iter().flat_map(|kind| names.map(|name| format!("{kind}-{name}").into_bytes())).collect()
    };
    let decoded = decode(&records);
    let order = decoded.order.iter().filter(|name| !name.starts_with(b"list"));
    let by_bytes = names(&["hll", "string", "bare"], ["k\0", "kk", "k"]);
    let by_length = names(&["hash", "set", "zset", "stream"], ["k", "k\0", "kk"]);
    assert!(order.eq(by_bytes.iter().chain(&by_length)), "{:?}", decoded.order);
}
