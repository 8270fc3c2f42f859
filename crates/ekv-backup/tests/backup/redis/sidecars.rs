//! Lines of the expiry sidecars and of KEYMAP, and their order. Source: `docs/format/redis.md`, sections 6.2 and 6.5.

use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use serde_json::Value;

use crate::redis::support::dump;

/// A member of each line.
fn column(text: &str, member: &str) -> Vec<String> {
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap()[member].as_str().unwrap().to_owned();
    text.lines().map(value).collect()
}

#[test]
fn expiry_lines_come_in_the_order_of_the_records_that_say_them() {
    let mut records = RedisRecords::new();
    // Current forms: in the order of their own records, in which `prefix` comes after the longer names.
    for name in [&b"prefix"[..], b"prefixed", b"prefix\0", b"z"] {
        records = records
            .put(key::string(name), value::string(b"", Some(7)))
            .put(key::hll(&[b"h", name].concat()), value::hll(b"", Some(7)))
            // Says the same once more.
            .put(key::expiry(name), value::expiry(7));
    }
    // Old forms and strings without prefix: behind them, in the order of the index, which is not the order of the strings.
    for name in [&b"a"[..], b"aa", b"bare", b"old"] {
        let user_key = if name == b"bare" { name.to_vec() } else { key::string(name) };
        records = records.put(user_key, b"").put(key::expiry(name), value::expiry(7));
    }
    let dump = dump(&records.put(key::hll(b"a-hll"), b"").put(key::expiry(b"a-hll"), value::expiry(7)));
    let lines = dump.text("strings_ttl.jsonl");
    assert_eq!(column(lines, "key"), ["prefix%00", "prefixed", "prefix", "z", "aa", "a", "bare", "old"]);
    assert!(lines.lines().all(|line| line.ends_with(",\"expire_at_ms\":7}")));
    assert_eq!(column(dump.text("hll_ttl.jsonl"), "key"), ["hprefix%00", "hprefixed", "hprefix", "hz", "a-hll"]);
}

#[test]
fn expiry_is_a_line_for_scalars_and_a_member_for_collections_wherever_it_was_stored() {
    let mut records = RedisRecords::new()
        .put(key::string(b"string"), b"")
        .put(key::hll(b"hll"), b"")
        .put(key::list_delta(b"list", 1, 0), value::list_delta(0, 0))
        .put(key::stream_meta(b"stream"), value::stream_meta_24(0, StreamId { ms: 1, seq: 1 }))
        .put(key::blob("zset", b"zset"), b"");
    for kind in [Wide::Hash, Wide::Set] {
        records = records.put(kind.delta(kind.name().as_bytes(), 1, 0), value::delta(0));
    }
    for name in ["string", "hll", "list", "stream", "zset", "hash", "set"] {
        records = records.put(key::expiry(name.as_bytes()), value::expiry(7));
    }
    let dump = dump(&records);
    assert_eq!(dump.text("strings_ttl.jsonl"), "{\"key\":\"string\",\"expire_at_ms\":7}\n");
    assert_eq!(dump.text("hll_ttl.jsonl"), "{\"key\":\"hll\",\"expire_at_ms\":7}\n");
    for path in ["lists/list.json", "streams/stream.jsonl", "zsets/zset.json", "hashes/hash.json", "sets/set.json"] {
        let line = dump.text(path).lines().rev().take(2).collect::<String>();
        assert!(line.contains("\"expire_at_ms\": 7") || line.contains("\"expire_at_ms\":7"), "{path}: {line}");
    }
}

#[test]
fn keymap_lines_come_in_the_documented_order() {
    let last = StreamId { ms: 1, seq: 1 };
    let mut records = RedisRecords::new();
    // Each name needs a line; the longer of two comes first where records come in raw order, and last elsewhere.
    for (suffix, _) in [("", 1), ("x", 2)] {
        let name = |kind: &str| format!("b64.{kind}{suffix}").into_bytes();
        records = records
            .put(key::stream_meta(&name("stream")), value::stream_meta_24(0, last))
            .put(Wide::ZSet.element(&name("zset"), b"m"), value::score(0.0))
            .put(Wide::Set.element(&name("set"), b"m"), b"")
            .put(key::list_meta(&name("list")), value::list_meta(0, 0, 0))
            .put(Wide::Hash.element(&name("hash"), b"f"), b"")
            .put(key::hll(&name("hll-inline")), value::hll(b"", Some(7)))
            .put(key::hll(&name("hll-old")), b"")
            .put(key::expiry(&name("hll-old")), value::expiry(7))
            .put(key::string(&name("str-inline")), value::string(b"", Some(7)))
            .put(key::string(&name("str-none")), value::string(b"", None))
            .put(key::string(&name("str-old")), b"")
            .put(key::expiry(&name("str-old")), value::expiry(7))
            .put(name("bare"), b"")
            .put(key::expiry(&name("bare")), value::expiry(7));
    }
    // Not a line: its name can be read back.
    let dump = dump(&records.put(key::string(b"plain"), value::string(b"", Some(7))));
    let originals: Vec<String> = column(dump.text("KEYMAP.jsonl"), "original")
        .iter()
        .map(|original| String::from_utf8(ekv_testkit::from_base64url(original)).unwrap())
        .collect();
    let expected = [
        "hll-inlinex",
        "hll-inlinex",
        "hll-inline",
        "hll-inline",
        "hll-oldx",
        "hll-old",
        "str-inlinex",
        "str-inlinex",
        "str-inline",
        "str-inline",
        "str-nonex",
        "str-none",
        "str-oldx",
        "str-old",
        "barex",
        "bare",
        // The copies for expiries of the index, in its order.
        "barex",
        "bare",
        "hll-oldx",
        "hll-old",
        "str-oldx",
        "str-old",
        "hash",
        "hashx",
        "list",
        "listx",
        "set",
        "setx",
        "zset",
        "zsetx",
        "stream",
        "streamx",
    ];
    assert_eq!(originals, expected.map(|name| format!("b64.{name}")));
}
