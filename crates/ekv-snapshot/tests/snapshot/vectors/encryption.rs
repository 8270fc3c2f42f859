//! Encrypted values: what opens, and what does not. Source: `docs/format/encryption.md`.

use std::sync::Arc;

use ekv_model::NoMonitor;
use ekv_snapshot::{CommitTs, DataKeys, KeyFault, OneFamily, RecordFile, Scan, ScanOptions, SecretKey, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::vectors::hex;
use ekv_testkit::{SnapshotBuilder, SstLayout, encrypted_value, memory_input, sidecar, visible_at};

use super::finding;

const KEY: [u8; 32] = [7; 32];
const KEK: [u8; 32] = [9; 32];
const LOST: &str = "snapshot_encrypted_integrity";
const UNKNOWN: &str = "snapshot_encrypted_value";

fn keys() -> DataKeys {
    let mut keys = DataKeys::new();
    keys.add_sidecar(sidecar(&KEK, &[(11, "storage", KEY), (12, "raft", [8; 32])]).as_bytes(), &SecretKey::new(KEK))
        .unwrap();
    keys
}

fn opened(bytes: Vec<u8>, keys: DataKeys, looks_for_rebadged: bool) -> (Scan, RecordFile) {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let options = ScanOptions { keys: Some(Arc::new(keys)), looks_for_rebadged, ..ScanOptions::default() };
    scan(&memory_input(bytes), &options, &mut OneFamily, &scratch, &NoMonitor).unwrap_or_else(|e| panic!("{e}"))
}

fn raw_key(user_key: &[u8], ts: u64) -> Vec<u8> {
    [user_key, &CommitTs(ts).to_suffix()].concat()
}

/// A snapshot with this value beside a clear one.
fn with(raw_key: &[u8], value: &[u8]) -> SnapshotBuilder {
    SnapshotBuilder::new().put(b"clear", 5, b"as it is").raw(raw_key, value)
}

#[test]
fn documented_record_of_a_real_server_opens() {
    let raw_key = hex("2172656469737c7374727c20623c fe5dd63bdc63fffd");
    let value =
        hex("02 0000000000000000 01 00 0000000d d4c00000000000000000054b 12d8ddb1d1 f2dd3bf54dc93064f74fc4484b88eb5b");
    let key = hex("6b64f7826c3e57f8670970154608c850286f92cf476f5f8556fb9689ed56797c");
    let mut keys = DataKeys::new();
    keys.add(13, &SecretKey::new(key.try_into().unwrap())).unwrap();
    let (scan, file) = opened(with(&raw_key, &value).build(), keys, true);
    assert_eq!(scan.opened.into_iter().collect::<Vec<_>>(), [(13, 1)]);
    let visible = visible_at(&file, u64::MAX).unwrap();
    assert_eq!(visible[&b"!redis|str| b<"[..]].0, hex("ff0100ff01"));
    assert_eq!(visible[&b"clear"[..]].0, b"as it is");
}

#[test]
fn values_of_any_length_open_in_every_form() {
    for len in [0, 1, 5, 6, 7, 100, 70_000, (2 << 20) - 16, 2 << 20, 5 << 20] {
        let plain = vec![0x5a; len];
        let key = raw_key(b"k", 5);
        let builder = with(&key, &encrypted_value(11, &KEY, &key, 0, &plain));
        for bytes in [builder.build(), builder.build_sst(&SstLayout::default(), 9)] {
            let (scan, file) = opened(bytes, keys(), false);
            assert_eq!((scan.opened.get(&11), finding(&scan, LOST), finding(&scan, UNKNOWN)), (Some(&1), 0, 0));
            let visible = visible_at(&file, 5).unwrap();
            assert!(visible[&b"k"[..]].0 == plain, "{len}");
            assert_eq!(visible[&b"clear"[..]].0, b"as it is");
        }
    }
}

#[test]
fn every_changed_byte_of_an_encrypted_value_costs_its_key_and_no_other() {
    let key = raw_key(b"k", 5);
    let value = encrypted_value(11, &KEY, &key, 0, b"plain text");
    for (at, bits) in (0..value.len()).flat_map(|at| [1, 2, 4, 0x80].map(|bits| (at, bits))) {
        let mut changed = value.clone();
        changed[at] ^= bits;
        // An older version does not show through.
        let older = encrypted_value(11, &KEY, &raw_key(b"k", 3), 0, b"older");
        let (scan, file) = opened(with(&key, &changed).raw(&raw_key(b"k", 3), &older).build(), keys(), true);
        let visible = visible_at(&file, 5).unwrap();
        assert!(!visible.contains_key(&b"k"[..]), "byte {at}, bits {bits}");
        assert_eq!(visible[&b"clear"[..]].0, b"as it is");
        let lost = match (at, bits) {
            (0, 4 | 0x80) => "snapshot_damaged_value",
            // Another data key; 12 is none of values, and what is under it is not there.
            (11..=14, _) if changed[11..15] != [0, 0, 0, 12] => UNKNOWN,
            _ => LOST,
        };
        assert_eq!(finding(&scan, lost), 1, "byte {at}, bits {bits}");
    }
    for moved in [raw_key(b"k", 4), raw_key(b"j", 5)] {
        let (scan, _) = opened(with(&moved, &value).build(), keys(), false);
        assert_eq!(finding(&scan, LOST), 1, "under another key");
    }
    for len in 9..43 {
        let (scan, _) = opened(with(&key, &value[..len]).build(), keys(), false);
        assert_eq!(finding(&scan, LOST), 1, "cut at {len}");
    }
}

#[test]
fn changed_byte_of_a_long_value_costs_its_key() {
    let key = raw_key(b"k", 5);
    let value = encrypted_value(11, &KEY, &key, 0, &vec![1; 3 << 20]);
    for at in [20, 1 << 20, value.len() - 1] {
        let mut changed = value.clone();
        changed[at] ^= 1;
        let (scan, file) = opened(with(&key, &changed).build(), keys(), false);
        assert_eq!((finding(&scan, LOST), scan.opened.len()), (1, 0));
        assert_eq!(visible_at(&file, 5).unwrap().len(), 1);
    }
}

#[test]
fn tombstone_and_expiry_count_once_they_are_authentic() {
    let key = raw_key(b"k", 5);
    let deleted = encrypted_value(11, &KEY, &key, 1, b"");
    let (scan, file) = opened(with(&key, &deleted).build(), keys(), false);
    assert_eq!((finding(&scan, LOST), scan.families[0].deleted), (0, 1));
    assert_eq!(visible_at(&file, 5).unwrap().len(), 1);
    let mut deleted = encrypted_value(11, &KEY, &key, 0, b"");
    deleted[0] |= 1;
    let (scan, _) = opened(with(&key, &deleted).build(), keys(), false);
    assert_eq!((finding(&scan, LOST), scan.families[0].deleted, scan.families[0].damaged), (1, 0, 1));
    let mut expires = encrypted_value(11, &KEY, &key, 0, b"");
    expires[1] = 1;
    let (scan, _) = opened(with(&key, &expires).build(), keys(), false);
    assert_eq!((finding(&scan, LOST), scan.families[0].store_expired), (1, 0));
}

#[test]
fn encrypted_value_that_says_it_is_clear_is_lost_where_that_is_looked_for() {
    for len in [3, 3 << 20] {
        let key = raw_key(b"k", 5);
        let mut value = encrypted_value(11, &KEY, &key, 0, &vec![1; len]);
        value[0] = 0;
        let (scan, file) = opened(with(&key, &value).build(), keys(), false);
        assert_eq!((finding(&scan, LOST), visible_at(&file, 5).unwrap().len()), (0, 2));
        let (scan, file) = opened(with(&key, &value).build(), keys(), true);
        assert_eq!((finding(&scan, LOST), visible_at(&file, 5).unwrap().len()), (1, 1));
        // What only looks like one is clear.
        value[40] ^= 1;
        let (scan, file) = opened(with(&key, &value).build(), keys(), true);
        assert_eq!((finding(&scan, LOST), visible_at(&file, 5).unwrap().len()), (0, 2));
    }
}

#[test]
fn values_under_unknown_keys_and_keys_of_the_log_are_lost_each_in_its_way() {
    let key = raw_key(b"k", 5);
    for (id, secret, lost) in [(13, KEY, UNKNOWN), (12, [8; 32], LOST)] {
        let (scan, file) = opened(with(&key, &encrypted_value(id, &secret, &key, 0, b"x")).build(), keys(), false);
        assert_eq!(finding(&scan, lost), 1);
        let (_, totals) = scan.findings.iter().find(|(finding, _)| finding.name == lost).unwrap();
        assert!(totals.examples[0].detail.contains(&format!("data key {id}")), "{:?}", totals.examples);
        assert_eq!(visible_at(&file, 5).unwrap().len(), 1);
    }
}

#[test]
fn sidecars_that_are_not_as_they_should_be_are_refused() {
    let good = sidecar(&KEK, &[(11, "storage", KEY)]);
    let add = |text: &str| DataKeys::new().add_sidecar(text.as_bytes(), &SecretKey::new(KEK));
    let fault = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        add(&good.replacen(from, to, 1)).unwrap_err()
    };
    assert_eq!(add(&good), Ok(()));
    assert_eq!(add(&good.replace("\"version\":2", "\"version\":1")), Ok(()));
    assert_eq!(fault("\"version\":2", "\"version\":3"), KeyFault::Version(3));
    assert_eq!(
        fault("\"storage\",\"wrapped", "\"audit\",\"wrapped"),
        KeyFault::Purpose { id: 11, purpose: "audit".into() }
    );
    for id in ["0", "011", "+11", "4294967296", "-1", "x", ""] {
        assert_eq!(fault("\"11\"", &format!("\"{id}\"")), KeyFault::Id(id.into()));
    }
    assert!(matches!(fault("\"version\":2,", ""), KeyFault::Json(_)));
    assert!(matches!(add("[]"), Err(KeyFault::Json(_))));
    let other = DataKeys::new().add_sidecar(good.as_bytes(), &SecretKey::new([1; 32]));
    assert_eq!(other, Err(KeyFault::DoesNotOpen { id: 11 }));
    let mut keys = DataKeys::new();
    keys.add(11, &SecretKey::new(KEY)).unwrap();
    assert_eq!(keys.add_sidecar(good.as_bytes(), &SecretKey::new(KEK)), Err(KeyFault::Twice { id: 11 }));
    assert_eq!(format!("{keys:?}"), "{11}", "nothing tells a key");
}

#[test]
fn every_changed_character_of_a_wrapped_key_is_refused() {
    let good = sidecar(&KEK, &[(11, "storage", KEY)]);
    let at = good.find("wrapped\":\"").unwrap() + 10;
    for at in at..at + 80 {
        for byte in [b'A', b'b', b'9', b'/', b'=', b'-'] {
            let mut changed = good.clone().into_bytes();
            if std::mem::replace(&mut changed[at], byte) == byte {
                continue;
            }
            let fault = DataKeys::new().add_sidecar(&changed, &SecretKey::new(KEK)).unwrap_err();
            assert!(matches!(fault, KeyFault::DoesNotOpen { id: 11 } | KeyFault::Wrapped { id: 11 }), "{fault}");
        }
    }
}
