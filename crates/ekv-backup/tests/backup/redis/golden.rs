//! The golden examples of `docs/format/redis.md`, section 13; G1 to G11 are read from there.

use ekv_model::redis::StreamId;
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};

use crate::redis::support::{Dump, dump, dump_of};

/// The code blocks of an example: its records, and for some the text of its file.
fn blocks(example: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/redis.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (_, rest) = document.split_once("## 13. Golden examples").unwrap();
    let (_, rest) = rest.split_once(&format!("**{example} ")).unwrap();
    let rest = rest.split("\n**G").next().unwrap();
    rest.split("\n```\n").skip(1).step_by(2).map(str::to_owned).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}

/// The records of an example: lines of user key and value, both in hex.
fn records(example: &str) -> SnapshotBuilder {
    let mut snapshot = SnapshotBuilder::new();
    for line in blocks(example)[0].lines() {
        let (key, value) = line.split_once(" | ").unwrap();
        let (key, value) = (from_hex(key), value.split_whitespace().next().unwrap());
        snapshot = match value {
            "(T)" => snapshot.put(&key, 1, b"").delete(&key, 2),
            "-" => snapshot.put(&key, 2, b""),
            value => snapshot.put(&key, 2, &from_hex(value)),
        };
    }
    snapshot
}

/// Decodes an example; nothing about it is odd.
fn golden(example: &str) -> Dump {
    let dump = dump_of(&records(example));
    assert_eq!(dump.found(), [], "{example}");
    dump
}

/// The file of an example is the text in the document.
fn assert_file_is_the_documented_one(example: &str, path: &str) {
    let dump = golden(example);
    assert_eq!(dump.names(), [path]);
    assert_eq!(dump.text(path).trim_end_matches('\n'), blocks(example)[1]);
    assert_eq!(dump.text(path).ends_with('\n'), path.ends_with(".jsonl"), "{path}");
}

#[test]
fn g1_string_with_expiry() {
    let dump = golden("G1");
    assert_eq!(dump.names(), ["strings/s%3A1%2F%C3%A9.bin", "strings_ttl.jsonl"]);
    assert_eq!(dump.file("strings/s%3A1%2F%C3%A9.bin"), b"\x00v\xff");
    assert_eq!(dump.text("strings_ttl.jsonl"), "{\"key\":\"s%3A1%2F%C3%A9\",\"expire_at_ms\":1795449228833}\n");
}

#[test]
fn g2_body_that_looks_like_a_header() {
    let dump = golden("G2");
    assert_eq!(dump.names(), ["strings/ffmagic2.bin"]);
    assert_eq!(dump.file("strings/ffmagic2.bin"), b"\xff\x01\x01\0\0\0\0\0\0\0\0x");
}

#[test]
fn g3_hll() {
    let dump = golden("G3");
    assert_eq!(dump.names(), ["hll/pf.bin", "hll_ttl.jsonl"]);
    assert_eq!(dump.file("hll/pf.bin"), b"\0RS\x01\n\x01a\n\x01b");
    assert_eq!(dump.text("hll_ttl.jsonl"), "{\"key\":\"pf\",\"expire_at_ms\":1805362827709}\n");
}

#[test]
fn g4_hash() {
    assert_file_is_the_documented_one("G4", "hashes/he.json");
}

#[test]
fn g5_list() {
    assert_file_is_the_documented_one("G5", "lists/li.json");
}

#[test]
fn g6_list_whose_name_starts_like_a_delta() {
    let dump = golden("G6");
    assert_eq!(dump.names(), ["lists/d%7Cfoo.json"]);
    assert_eq!(
        dump.text("lists/d%7Cfoo.json"),
        r#"{
  "format_version": 1,
  "items": [
    "a",
    "b"
  ],
  "expire_at_ms": 1795461753879
}"#
    );
}

#[test]
fn g7_set() {
    assert_file_is_the_documented_one("G7", "sets/se.json");
}

#[test]
fn g8_zset() {
    assert_file_is_the_documented_one("G8", "zsets/ze.json");
}

#[test]
fn g9_zset_in_one_record() {
    let dump = golden("G9");
    assert_eq!(dump.names(), ["zsets/zmulti.json"]);
    assert_eq!(
        dump.text("zsets/zmulti.json"),
        r#"{
  "format_version": 1,
  "members": [
    {
      "member": "m",
      "score": 1.5
    },
    {
      "member": "n",
      "score": 2.5
    }
  ],
  "expire_at_ms": 1795439533197
}"#
    );
}

#[test]
fn g10_stream() {
    assert_file_is_the_documented_one("G10", "streams/xs.jsonl");
}

#[test]
fn g11_two_types() {
    let dump = dump_of(&records("G11"));
    assert_eq!(dump.names(), ["strings/hx.bin", "strings_ttl.jsonl"]);
    assert_eq!(dump.file("strings/hx.bin"), b"v");
    assert_eq!(dump.text("strings_ttl.jsonl"), "{\"key\":\"hx\",\"expire_at_ms\":1795362754961}\n");
    assert_eq!(dump.found(), [("redis_shadowed_type", 1)]);
}

#[test]
fn g12_keymap() {
    let dump = dump(&RedisRecords::new().put(key::string(b"b64.foo"), value::string(b"", None)));
    assert_eq!(dump.names(), ["KEYMAP.jsonl", "strings/72ef1a090c013093607ce5a62f598cf4__b64.foo.bin"]);
    assert_eq!(
        dump.text("KEYMAP.jsonl"),
        "{\"encoded\":\"72ef1a090c013093607ce5a62f598cf4__b64.foo\",\"original\":\"YjY0LmZvbw\",\"kind\":\"sha-fallback\"}\n"
    );
    let is_fallback = |name: &[u8]| {
        let dump = crate::redis::support::dump(&RedisRecords::new().put(key::string(name), value::string(b"", None)));
        dump.files.contains_key("KEYMAP.jsonl")
    };
    assert!(!is_fallback(&[b'%'; 80]));
    assert!(is_fallback(&[b'%'; 81]));
    assert!(is_fallback(b"ABCDEF0123456789abcdef0123456789__"));
    assert!(!is_fallback(b"ABCDEF0123456789abcdef0123456789_"));
}

#[test]
fn g13_legacy_forms() {
    const FAR: u64 = 2_000_000_000_000;
    let id = StreamId { ms: 1, seq: 1 };
    let mut records = RedisRecords::new()
        .put(key::string(b"lg2"), b"legacyttl")
        .put(key::string(b"newnottl"), b"\xff\x01\x00v")
        .put(b"barettl", b"bare2")
        .put(key::hll(b"hl2"), b"\0RS\x01\n\x01a")
        .put(key::blob("hash", b"hb"), b"\0RH\x01\n\x08\n\x02f1\x12\x02v1\n\x08\n\x02f2\x12\x02v2")
        .put(key::blob("set", b"sb"), b"\0RS\x01\n\x01y\n\x01x\n\x01x")
        .put(Wide::Hash.meta(b"h8"), value::old_meta(1))
        .put(Wide::Hash.element(b"h8", b"f"), b"v")
        .put(Wide::Hash.meta(b"h16"), value::meta(1, 0))
        .put(Wide::Hash.element(b"h16", b"f"), b"v")
        .put(key::list_meta(b"l24"), value::old_list_meta(0, 2))
        .put(key::list_item(b"l24", 0), b"a")
        .put(key::list_item(b"l24", 1), b"b")
        .put(key::stream_meta(b"x24"), value::stream_meta_24(1, id))
        .put(key::stream_entry(b"x24", id), value::stream_entry("1-1", &[]))
        .put(key::stream_meta(b"x32"), value::stream_meta_32(1, id, 0))
        .put(key::stream_entry(b"x32", id), value::stream_entry("1-1", &[]));
    for name in ["lg2", "newnottl", "barettl", "hl2", "h8", "h16", "l24", "x24", "x32"] {
        records = records.put(key::expiry(name.as_bytes()), value::expiry(FAR));
    }
    let dump = dump(&records);
    assert_eq!(dump.found(), [("redis_bare_keys", 1)]);
    for (path, content) in [
        ("strings/lg2.bin", &b"legacyttl"[..]),
        ("strings/newnottl.bin", b"v"),
        ("strings/barettl.bin", b"bare2"),
        ("hll/hl2.bin", b"\0RS\x01\n\x01a"),
    ] {
        assert_eq!(dump.file(path), content, "{path}");
    }
    let lines = |keys: &[&str]| -> String {
        keys.iter().map(|key| format!("{{\"key\":\"{key}\",\"expire_at_ms\":{FAR}}}\n")).collect()
    };
    assert_eq!(dump.text("strings_ttl.jsonl"), lines(&["barettl", "lg2"]));
    assert_eq!(dump.text("hll_ttl.jsonl"), lines(&["hl2"]));
    let compact = |path: &str| -> String { dump.text(path).split_whitespace().collect() };
    let hash = |fields: &str, expiry: &str| {
        format!("{{\"format_version\":1,\"fields\":[{fields}],\"expire_at_ms\":{expiry}}}")
    };
    let field = |name: &str, value: &str| format!("{{\"name\":\"{name}\",\"value\":\"{value}\"}}");
    assert_eq!(compact("hashes/hb.json"), hash(&[field("f1", "v1"), field("f2", "v2")].join(","), "null"));
    assert_eq!(compact("hashes/h8.json"), hash(&field("f", "v"), "2000000000000"));
    assert_eq!(compact("hashes/h16.json"), hash(&field("f", "v"), "null"));
    assert_eq!(compact("sets/sb.json"), r#"{"format_version":1,"members":["x","y"],"expire_at_ms":null}"#);
    assert_eq!(compact("lists/l24.json"), r#"{"format_version":1,"items":["a","b"],"expire_at_ms":2000000000000}"#);
    let stream = |expiry: &str| {
        format!(
            "{{\"id\":\"1-1\",\"fields\":[]}}\n{{\"_meta\":true,\"length\":1,\"last_ms\":1,\"last_seq\":1,\"expire_at_ms\":{expiry}}}\n"
        )
    };
    assert_eq!(dump.text("streams/x24.jsonl"), stream("2000000000000"));
    assert_eq!(dump.text("streams/x32.jsonl"), stream("null"));
}
