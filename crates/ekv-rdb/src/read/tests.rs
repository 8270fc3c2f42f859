use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::redis::{Event, StreamId};
use ekv_model::{Class, Consumer, Findings, InMemory, Kind, Result};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::redis::{RecordedKey, Recorder, RedisValue};
use ekv_testkit::vectors::{hex, rdb_of_every_type};

use super::*;
use crate::Crc64;
use crate::length::push_string;

/// What a file holds, by database and key.
type Keys = BTreeMap<(u32, Vec<u8>), RecordedKey>;

#[derive(Default)]
struct Collected(BTreeMap<u32, Recorder>);

impl Taker for Collected {
    fn wants(&mut self, _: u32, _: &[u8], _: Option<Kind>) -> Result<bool> {
        Ok(true)
    }

    fn event(&mut self, database: u32, event: Event<'_>) -> Result<()> {
        self.0.entry(database).or_default().event(ekv_model::Event::Redis { database, event })
    }

    fn passed(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

fn read_with(bytes: &[u8], field_expiry: FieldExpiry) -> Result<(Checked, Keys, Findings)> {
    let source = InMemory(bytes);
    let checked = check(&source, &scratch(), &mut |_| Ok(()))?;
    let mut collected = Collected::default();
    let findings = read(&source, &scratch(), field_expiry, Findings::default(), &mut collected)?;
    let mut keys = Keys::new();
    for (database, recorder) in collected.0 {
        keys.extend(recorder.keys.into_iter().map(|(key, recorded)| ((database, key), recorded)));
    }
    Ok((checked, keys, findings))
}

fn all(bytes: &[u8]) -> Result<(Checked, Keys, Findings)> {
    read_with(bytes, FieldExpiry::Lose)
}

fn names(findings: &Findings) -> Vec<&'static str> {
    findings.iter().map(|(finding, _)| finding.name).collect()
}

/// A file with this magic and body, and its checksum.
fn file(magic: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.push(0xff);
    let mut crc = Crc64::default();
    crc.update(&bytes);
    bytes.extend_from_slice(&crc.value().to_le_bytes());
    bytes
}

/// The value of a key `k` of a type, read from a file of a version.
fn value_in(magic: &str, value_type: u8, value: &str) -> RedisValue {
    let record = [&[value_type, 1, b'k'][..], &hex(value)].concat();
    let (checked, keys, findings) = all(&file(magic, &record)).unwrap();
    assert_eq!((checked.keys, keys.len()), (1, 1), "{findings:?}");
    keys.into_values().next().unwrap().value
}

fn value(value_type: u8, bytes: &str) -> RedisValue {
    value_in("REDIS0012", value_type, bytes)
}

fn list(items: &[&str]) -> RedisValue {
    RedisValue::List(items.iter().map(|item| item.as_bytes().to_vec()).collect())
}

fn set(members: &[&str]) -> RedisValue {
    RedisValue::Set(members.iter().map(|member| member.as_bytes().to_vec()).collect())
}

fn hash(fields: &[(&str, &str)]) -> RedisValue {
    RedisValue::Hash(fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect())
}

fn zset(members: &[(&str, f64)]) -> RedisValue {
    RedisValue::ZSet(members.iter().map(|(member, score)| (member.as_bytes().to_vec(), score.to_bits())).collect())
}

#[test]
fn golden_file_reads_back_whole() {
    let (checked, keys, findings) = all(&rdb_of_every_type()).unwrap();
    assert_eq!((checked.keys, checked.keys_elsewhere, checked.has_checksum, checked.byte_count), (6, 1, true, 199));
    assert_eq!(names(&checked.findings), ["redis_several_databases"]);
    assert!(names(&findings).is_empty());
    let of = |database, key: &[u8]| &keys[&(database, key.to_vec())];
    assert_eq!(of(0, b"s").value, RedisValue::String(b"\0v\xff".to_vec()));
    assert_eq!(of(0, b"s").expire_at_ms, Some(2_000_000_000_123));
    assert_eq!(of(0, b"l").value, list(&["z", "", "z"]));
    assert_eq!(of(0, b"h").value, hash(&[("", "e")]));
    assert_eq!(of(0, b"h").expire_at_ms, Some(2_000_000_000_123));
    assert_eq!(of(0, b"z").value, zset(&[("n", f64::NEG_INFINITY), ("p", 0.5)]));
    assert_eq!(of(0, b"z").expire_at_ms, None);
    let id = |ms, seq| StreamId { ms, seq };
    let pair = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let entries = vec![(id(1, 1), vec![pair(b"k", b"v"), pair(b"k", b"")]), (id(5, 0), vec![pair(b"f", b"w")])];
    assert_eq!(of(3, b"x").value, RedisValue::Stream { last: id(9, 9), entries });
}

#[test]
fn packed_values_of_all_types_are_those_of_the_servers_that_wrote_them() {
    assert_eq!(
        value(12, "1c 1c00000016000000040000 016203 042d696e66 06 0161 03 03312e35 ff"),
        zset(&[("a", 1.5), ("b", f64::NEG_INFINITY)])
    );
    assert_eq!(value(14, "01 14 140000000f000000030000 016103 f202 c02c01 ff"), list(&["a", "1", "300"]));
    assert_eq!(value(10, "14 140000000f000000030000 016103 f202 c02c01 ff"), list(&["a", "1", "300"]));
    assert_eq!(value(16, "0d 0d0000000200 816602 817602 ff"), hash(&[("f", "v")]));
    assert_eq!(value(18, "02 02 0f 0f0000000300 816102 0101 c12c02 ff 01 017a"), list(&["a", "1", "300", "z"]));
    assert_eq!(value(11, "14 04000000 03000000 01000000 02000000 e0930400"), set(&["1", "2", "300000"]));
    assert_eq!(value(20, "0c 0c00000002008161020101ff"), set(&["a", "1"]));
    assert_eq!(value(17, "0c 0c00000002008161020101ff"), zset(&[("a", 1.0)]));
    assert_eq!(value(13, "11 110000000d0000000200000166030176ff"), hash(&[("f", "v")]));
    assert_eq!(value(9, "09 0101660102760000ff"), hash(&[("f", "v")]));
    assert_eq!(
        value(3, "03 0161 03312e35 0162 ff 0163 fe"),
        zset(&[("a", 1.5), ("b", f64::NEG_INFINITY), ("c", f64::INFINITY)])
    );
    assert_eq!(value(2, "02 c001 0161"), set(&["1", "a"]));
    assert_eq!(value(4, "02 0162 c001 0161 02 7878"), hash(&[("a", "xx"), ("b", "1")]));
    assert_eq!(value(0, "c309 4064 016161 e05700 016161"), RedisValue::String(vec![b'a'; 100]));
}

/// A stream with a deleted entry and a group, as Redis 5 to 6 writes it (type 15) and how later servers end it.
const NODE: &str =
    "01 10 00000000000000010000000000000001 3f 3f0000001800 0201 0101 0101 816602 0001 0201 0001 0001 817602
    0401 0301 0001 0101 817702 0401 0001 0401 dfff02 0201 816702 0701 816802 827a7a03 0801 ff";
const PENDING: &str = "01 00000000000000010000000000000001 0102030405060708 01";
const CONSUMER: &str = "02 026331 0102030405060708";
const OWN: &str = "01 00000000000000010000000000000001 0469646c65 0102030405060708";

#[test]
fn streams_of_every_version_give_their_entries_and_tell_of_their_groups() {
    let id = |ms, seq| StreamId { ms, seq };
    let pair = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let entries = vec![(id(1, 1), vec![pair(b"f", b"v")]), (id(5, 0), vec![pair(b"g", b"7"), pair(b"h", b"zz")])];
    let first = format!("{NODE} 02 0500");
    let cases = [
        (15, format!("{first} 01 0167 0101 {PENDING} {CONSUMER} {OWN} 00")),
        (19, format!("{first} 0101 0102 03 01 0167 0101 81ffffffffffffffff {PENDING} {CONSUMER} {OWN} 00")),
        (
            21,
            format!(
                "{first} 0101 0102 03 01 0167 0101 81ffffffffffffffff {PENDING} {CONSUMER} ffffffffffffffff {OWN}
                ffffffffffffffff 00"
            ),
        ),
        (
            26,
            format!(
                "{first} 0101 0102 03 01 0167 0101 81ffffffffffffffff {PENDING} {CONSUMER} ffffffffffffffff {OWN}
                ffffffffffffffff 00 4064 4064 02 027031 02 026931 8100000190000000000 0 00 03693232 05 00 03707032 01 027a7a 05 01 03 01"
            )
            .replace("8100000190000000000 0", "810000019000000000"),
        ),
    ];
    for (value_type, bytes) in cases {
        let record = [&[value_type, 1, b'k'][..], &hex(&bytes)].concat();
        let (_, keys, findings) = all(&file("REDIS0013", &record)).unwrap_or_else(|e| panic!("{value_type}: {e}"));
        assert_eq!(names(&findings), ["redis_groups_dropped"], "{value_type}: {findings:?}");
        let detail = &findings.iter().next().unwrap().1.examples[0].detail;
        assert_eq!(detail, "groups: 1, entries not acknowledged: 1");
        let found = &keys[&(0, b"k".to_vec())].value;
        assert_eq!(*found, RedisValue::Stream { last: id(5, 0), entries: entries.clone() }, "{value_type}");
    }
}

#[test]
fn hash_whose_fields_expire_is_lost_unless_their_expiries_may_be() {
    let absolute = "7b204aa9d1010000";
    let cases = [
        ("REDIS0012", 24, format!("{absolute} 02 01 0161 c001 00 0162 0132")),
        ("REDIS0012", 25, format!("{absolute} 1d 1d0000000600 816102 0101 f47b204aa9d101000009 816202 0201 0001 ff")),
        ("REDIS0012", 22, "02 05 0161 c001 00 0162 0132".to_owned()),
        ("REDIS0012", 23, "1d 1d0000000600 816102 0101 f47b204aa9d101000009 816202 0201 0001 ff".to_owned()),
        ("VALKEY080", 22, format!("02 0161 c001 {absolute} 0162 c002 ffffffffffffffff")),
    ];
    for (magic, value_type, bytes) in cases {
        let bytes = file(magic, &[&[value_type, 1, b'k'][..], &hex(&bytes)].concat());
        let (_, keys, findings) = all(&bytes).unwrap();
        assert!(keys.is_empty());
        assert_eq!(names(&findings), ["redis_field_expiry"], "{value_type}");
        let (_, keys, findings) = read_with(&bytes, FieldExpiry::Drop).unwrap();
        assert_eq!(keys.into_values().next().unwrap().value, hash(&[("a", "1"), ("b", "2")]), "{magic} {value_type}");
        assert_eq!(findings.count_of(ekv_model::Severity::Loss), 0);
    }
    assert_eq!(value(24, &format!("{absolute} 01 00 0161 0131")), hash(&[("a", "1")]));
}

#[test]
fn everything_beside_keys_is_passed_and_told() {
    // Aux, functions, module aux, slot info, LFU, idle, key metadata, a module's value; then a string with an expiry in seconds.
    let module = "810102030405060708";
    let body = format!(
        "fa 05 6374696d65 c215cd5b07 fa 09 7265646973 2d766572 05 372e302e31 f5 03 6c6962 f7 {module} 02 01 02 05 05 03 616263 00
        fe00 fb 01 01 f4 00 01 02 f8 05 f9 09 f3 01 61626364 02 07 00 07 01 6d {module} 02 05 04 0000000000000000 05 01 78 00
        fd 0a000000 00 01 73 01 76 fcffffffffffffffff 00 01 6e 00"
    );
    let (checked, keys, findings) = all(&file("REDIS0013", &hex(&body))).unwrap();
    assert_eq!(names(&checked.findings), ["rdb_key_metadata", "rdb_module_aux", "redis_functions"]);
    assert_eq!((checked.server.as_deref(), checked.saved_at_s), (Some("Redis 7.0.1"), Some(123_456_789)));
    assert_eq!(names(&findings), ["rdb_negative_expiry", "redis_module_value"]);
    assert_eq!(keys[&(0, b"s".to_vec())].expire_at_ms, Some(10_000));
    assert_eq!(keys[&(0, b"n".to_vec())].expire_at_ms, None);
    let slots = all(&file("VALKEY080", &hex("f3 01 61 01 05 06 00 01 6b 01 76"))).unwrap();
    assert_eq!((names(&slots.0.findings), slots.1.len()), (vec!["rdb_slot_import"], 1));
}

#[test]
fn hyperloglog_of_a_server_becomes_a_string() {
    let value = crate::hll::Registers::default().to_value();
    let mut record = vec![0, 1, b'p'];
    push_string(&mut record, &value);
    let (_, keys, findings) = all(&file("REDIS0009", &record)).unwrap();
    assert_eq!(keys[&(0, b"p".to_vec())].value, RedisValue::String(value));
    assert_eq!(names(&findings), [""; 0]);
}

#[test]
fn old_files_without_checksum_are_read_and_told() {
    let mut bytes = b"REDIS0003\xfe\x00\xfd\x0a\0\0\0\0\x01s\x01v\x03\x01z\x01\x01a\x011\xff".to_vec();
    let (checked, keys, _) = all(&bytes).unwrap();
    assert_eq!((names(&checked.findings), keys.len()), (vec!["rdb_no_checksum"], 2));
    assert_eq!(keys[&(0, b"z".to_vec())].value, zset(&[("a", 1.0)]));
    bytes.extend([0; 8]);
    assert!(all(&bytes).is_err(), "what follows says that it is no such file");
    let mut zero = rdb_of_every_type();
    let len = zero.len();
    zero[len - 8..].fill(0);
    assert!(names(&all(&zero).unwrap().0.findings).contains(&"rdb_no_checksum"));
    let behind = [rdb_of_every_type(), vec![0; 3]].concat();
    assert!(names(&all(&behind).unwrap().0.findings).contains(&"rdb_trailing_bytes"));
}

#[test]
fn file_that_is_cut_or_changed_anywhere_is_refused() {
    let bytes = rdb_of_every_type();
    for cut in 0..bytes.len() {
        let error = all(&bytes[..cut]).unwrap_err();
        assert_eq!(error.class(), Class::Data, "{cut}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let error = all(&bytes).map(|_| ()).unwrap_err();
            assert_eq!(error.class(), Class::Data, "{at} {bit}");
        }
    }
}

#[test]
fn damage_behind_a_right_checksum_costs_keys_or_the_file_but_never_more() {
    let body = &rdb_of_every_type()[9..190];
    for at in 0..body.len() {
        for value in [0, 1, 0x3f, 0x40, 0x80, 0x81, 0xc3, 0xfe, 0xff] {
            let mut body = body.to_vec();
            body[at] = value;
            let _ = all(&file("REDIS0011", &body));
        }
    }
}

fn fault(bytes: &[u8]) -> FaultAt {
    all(bytes).map(|_| ()).unwrap_err().downcast().unwrap()
}

#[test]
fn newer_and_unknown_files_are_refused_by_name() {
    assert_eq!(fault(b"REDIS0014\xff").fault, Fault::Version { magic: Magic::Redis, version: 14 });
    assert_eq!(fault(b"VALKEY081\xff").fault, Fault::Version { magic: Magic::Valkey, version: 81 });
    assert_eq!(fault(b"VCS\x01rest").fault, Fault::Envelope);
    for bytes in [&b""[..], b"REDIS", b"REDIS001", b"REDIS00x1\xff", b"hello world"] {
        assert!(matches!(fault(bytes).fault, Fault::Magic(_)), "{}", bytes.escape_ascii());
    }
    let newer = fault(&file("REDIS0012", b"\xfe\x00\x1b\x01k"));
    assert_eq!(newer.byte_offset, 11);
    assert_eq!(
        newer.to_string(),
        "at byte 11: byte 27 is neither a type nor an instruction of Redis version 12: a newer server wrote it, or it is damaged"
    );
    assert!(matches!(fault(&file("REDIS0011", b"\x06\x01k\x00")).fault, Fault::Unknown { byte: 6, .. }));
}

#[test]
fn hostile_lengths_are_refused_where_they_stand_with_their_key() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"\x00\x01k\x81\x80\0\0\0\0\0\0\0", b"k"),
        (b"\x01\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff", b"k"),
        (b"\x04\x01k\x7f\xff\x01a", b"k"),
        (b"\x00\x01k\xc3\x03\x80\xff\xff\xff\xffabc", b"k"),
        (b"\x0f\x01k\x00\x00\x00\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff", b"k"),
        (b"\x12\x01k\x80\xff\xff\xff\xff\x02", b"k"),
    ];
    for (body, key) in cases {
        let fault = fault(&file("REDIS0012", body));
        assert_eq!(fault.key, Some((0, key.to_vec())), "{fault}");
    }
}

#[test]
fn malformed_packed_value_costs_its_key_alone() {
    let body = [
        hex("0e 01 61 01 14 140000000f000000040000 016103 f202 c02c01 ff"),
        hex("10 01 62 0d 0d0000000300 816602 817602 ff"),
        hex("0b 01 63 10 04000000 02000000 02000000 01000000"),
        hex("00 01 64 c3 03 03 000000"),
        hex("00 01 65 01 76"),
    ]
    .concat();
    let (checked, keys, findings) = all(&file("REDIS0012", &body)).unwrap();
    assert_eq!((checked.keys, keys.len()), (5, 1));
    assert_eq!(keys[&(0, b"e".to_vec())].value, RedisValue::String(b"v".to_vec()));
    let (finding, totals) = findings.iter().next().unwrap();
    assert_eq!((finding.name, totals.count), ("rdb_value_malformed", 4));
    assert_eq!(totals.examples[1].key.as_deref(), Some(&b"b"[..]));
    assert!(totals.examples[1].detail.contains("listpack"), "{totals:?}");
}
