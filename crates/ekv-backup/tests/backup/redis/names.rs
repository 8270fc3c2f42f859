//! Names of files. Source: `docs/format/redis.md`, sections 6.1 and 6.5.

use ekv_backup::DecodeOptions;
use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use serde_json::Value;

use crate::redis::support::{dump, dump_with};

/// A key of each type, with this name.
fn of_each_type(name: &[u8]) -> Vec<(&'static str, RedisRecords)> {
    let last = StreamId { ms: 1, seq: 1 };
    vec![
        ("strings/*.bin", RedisRecords::new().put(key::string(name), value::string(b"", None))),
        ("hll/*.bin", RedisRecords::new().put(key::hll(name), value::hll(b"", None))),
        ("hashes/*.json", RedisRecords::new().put(Wide::Hash.element(name, b"f"), b"")),
        ("lists/*.json", RedisRecords::new().put(key::list_meta(name), value::list_meta(0, 0, 0))),
        ("sets/*.json", RedisRecords::new().put(Wide::Set.element(name, b"m"), b"")),
        ("zsets/*.json", RedisRecords::new().put(Wide::ZSet.element(name, b"m"), value::score(0.0))),
        ("streams/*.jsonl", RedisRecords::new().put(key::stream_meta(name), value::stream_meta_24(0, last))),
    ]
}

#[test]
fn any_key_has_a_plain_name_of_which_it_can_be_told() {
    for (name, segment) in [
        (&b""[..], ""),
        (b".", "."),
        (b"..", ".."),
        (b"a/b", "a%2Fb"),
        (b"100%", "100%25"),
        (b"a b", "a%20b"),
        (b"a\0", "a%00"),
        (b"\xff\xfe", "%FF%FE"),
        ("é".as_bytes(), "%C3%A9"),
        (b"Aa0-._~", "Aa0-._%7E"),
        (b"CON", "CON"),
        (b"../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
    ] {
        for (path, records) in of_each_type(name) {
            let dump = dump(&records);
            assert_eq!(dump.names(), [path.replace('*', segment)]);
        }
    }
}

#[test]
fn long_key_has_a_short_name_and_a_line_that_tells_it_once_for_each_type() {
    let name: Vec<u8> = (0..300_u32).map(|n| u8::try_from(n % 256).unwrap()).collect();
    for (path, records) in of_each_type(&name) {
        let dump = dump(&records);
        let [keymap, file] = dump.names()[..] else { panic!("{:?}", dump.names()) };
        assert_eq!(keymap, "KEYMAP.jsonl");
        let line: Value = serde_json::from_str(dump.text(keymap).strip_suffix('\n').unwrap()).unwrap();
        assert_eq!(path.replace('*', line["encoded"].as_str().unwrap()), file);
        assert_eq!(line["kind"], "sha-fallback");
        let original = ekv_testkit::from_base64url(line["original"].as_str().unwrap());
        assert_eq!(original, name);
        assert!(file.len() <= 255);
    }
}

#[test]
fn no_keymap_is_written_when_every_name_can_be_read_back() {
    for (_, records) in of_each_type(b"plain") {
        assert_eq!(dump(&records).names().len(), 1);
    }
}

#[test]
fn expiring_key_with_a_line_in_the_keymap_has_it_twice() {
    for records in [
        RedisRecords::new().put(key::string(b"b64.x"), value::string(b"", Some(7))),
        RedisRecords::new().put(key::string(b"b64.x"), b"").put(key::expiry(b"b64.x"), value::expiry(7)),
        RedisRecords::new().put(key::hll(b"b64.x"), value::hll(b"", Some(7))),
    ] {
        let dump = dump(&records);
        let lines: Vec<&str> = dump.text("KEYMAP.jsonl").lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], lines[1]);
    }
}

#[test]
fn keys_of_the_chosen_database_stand_in_its_folder() {
    let directory = tempfile::tempdir().unwrap();
    let (input, target) = (directory.path().join("snapshot.fsm"), directory.path().join("dump"));
    let records = RedisRecords::new().put(key::string(b"k"), value::string(b"v", Some(7)));
    std::fs::write(&input, records.snapshot().build()).unwrap();
    let mut options = DecodeOptions::default();
    options.events.redis.database = 12;
    ekv_backup::decode(&input, &target, &options, &ekv_backup::NoProgress).unwrap();
    let names: Vec<String> = ekv_testkit::read_files(&target.join("redis")).into_keys().collect();
    assert_eq!(names, ["db_12/strings/k.bin", "db_12/strings_ttl.jsonl"]);
    let manifest: Value = serde_json::from_slice(&std::fs::read(target.join("MANIFEST.json")).unwrap()).unwrap();
    assert_eq!(manifest["adapters"]["redis"]["databases"], serde_json::json!([12]));
}

#[test]
fn snapshot_without_redis_keys_has_no_redis_folder() {
    let dump = dump_with(RedisRecords::new().put(b"!dist|x", b"").snapshot(), &DecodeOptions::default()).unwrap();
    assert!(dump.files.is_empty());
}
