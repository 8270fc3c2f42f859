//! Payloads that must not reach a node. Source: `docs/format/restore.md`, section 14.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use ekv_backup::restore::{Payload, prepare};
use ekv_backup::{Class, NoProgress};
use ekv_snapshot::{FooterPolicy, Input, ReadAt};
use ekv_testkit::{SnapshotBuilder, entry, seal};

use crate::prepare::scene::{Scene, T, golden_payload};

fn key(user_key: &[u8], ts: u64) -> Vec<u8> {
    [user_key, &(!ts).to_be_bytes()].concat()
}

fn payload(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = [b"EKVPBBL1".as_slice(), &T.to_le_bytes()].concat();
    entries.iter().for_each(|(raw_key, value)| bytes.extend_from_slice(&entry(raw_key, value)));
    bytes
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [b"EKVTHLC1\0\0\x01\x8b\xcf\xe5\x68\x01".as_slice(), payload].concat()
}

#[test]
fn payload_cut_at_any_byte_is_refused() {
    let whole = golden_payload();
    for len in 0..whole.len() {
        let scene = Scene::golden();
        fs::write(scene.path("m.fsm"), &whole[..len]).unwrap();
        scene.refusal(Class::Data);
    }
}

#[test]
fn payload_with_any_changed_byte_is_refused() {
    let whole = golden_payload();
    let scene = Scene::golden();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(scene.path("m.fsm"), &changed).unwrap();
            scene.refusal(Class::Data);
        }
    }
}

#[test]
fn server_file_with_any_changed_or_missing_byte_is_refused() {
    let whole = seal(framed(&golden_payload()));
    let scene = Scene::golden();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        for bad in [changed.as_slice(), &whole[..at]] {
            fs::write(scene.path("m.fsm"), bad).unwrap();
            scene.refusal(Class::Data);
        }
    }
}

#[test]
fn records_that_no_payload_of_encode_holds_are_refused_although_the_hash_is_right() {
    let put = vec![0; 9];
    let flags = |flags: u8| [vec![flags], vec![0; 20]].concat();
    let cases = [
        ("duplicate", vec![(key(b"a", T), put.clone()), (key(b"a", T), put.clone())]),
        ("second version", vec![(key(b"a", T), put.clone()), (key(b"a", T - 1), put.clone())]),
        ("unsorted", vec![(key(b"b", T), put.clone()), (key(b"a", T), put.clone())]),
        ("tombstone", vec![(key(b"a", T), flags(1))]),
        ("encrypted", vec![(key(b"a", T), flags(2))]),
        ("reserved state", vec![(key(b"a", T), flags(4))]),
        ("reserved bits", vec![(key(b"a", T), flags(0x80))]),
        ("applied index", vec![(b"_meta_applied_index".to_vec(), vec![9; 8])]),
        ("versioned applied index", vec![(key(b"_meta_applied_index", T), put.clone())]),
        ("newer than the header", vec![(key(b"a", T + 1), put.clone())]),
        ("short key", vec![(b"abc".to_vec(), put.clone())]),
        ("short value", vec![(key(b"a", T), vec![0; 8])]),
    ];
    for (name, entries) in cases {
        let scene = Scene::of(&payload(&entries));
        let error = scene.refusal(Class::Data).to_string();
        assert!(error.contains("m.fsm") && error.contains("byte offset"), "{name}: {error}");
    }
}

#[test]
fn other_kinds_of_files_are_refused_although_the_hash_is_right() {
    let golden = golden_payload();
    let with_store_rows = SnapshotBuilder::new().bare().meta_row("applied_index", 5).put(b"a", T, b"").build();
    for (name, bytes) in [
        ("server file whose hash covers its frame", seal(framed(&golden))),
        ("stream without footer", framed(&golden)),
        ("payload with a footer", seal(golden.clone())),
        ("payload with trailing zeros", [golden.as_slice(), &[0; 4]].concat()),
        ("server payload with rows of the store", with_store_rows),
        ("text", b"not a payload at all".to_vec()),
        ("nothing", Vec::new()),
    ] {
        let mut scene = Scene::of(&bytes);
        scene.info.last_commit_ts = T;
        scene.write_info();
        let error = scene.refusal(Class::Data);
        assert!(error.to_string().contains("m.fsm"), "{name}: {error}");
    }
}

#[test]
fn link_pipe_and_directory_in_place_of_the_payload_are_refused_without_waiting() {
    let scene = Scene::golden();
    let path = scene.path("m.fsm");
    fs::rename(&path, scene.path("real.fsm")).unwrap();
    scene.refusal(Class::Environment);
    symlink("real.fsm", &path).unwrap();
    assert!(scene.refusal(Class::Environment).to_string().contains("symbolic link"));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(scene.refusal(Class::Environment).to_string().contains("named pipe"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(scene.refusal(Class::Environment).to_string().contains("a directory"));
}

/// A payload that becomes another one after its first bytes were read.
struct Changing(Vec<u8>, Vec<u8>);

impl ReadAt for Changing {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let bytes = if offset < 100_000 { &self.0 } else { &self.1 };
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or(&[]);
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

#[test]
fn payload_that_changes_or_shrinks_while_it_is_copied_is_refused() {
    let large = |fill: u8| payload(&[(key(b"a", T), [vec![0; 9], vec![fill; 900_000]].concat())]);
    let scene = Scene::of(&large(1));
    let len = u64::try_from(large(1).len()).unwrap();
    for (after, class) in [(large(2), Class::Data), (large(1)[..500_000].to_vec(), Class::Environment)] {
        let source = Arc::new(Changing(large(1), after));
        let input = Input { source, len, name: "m.fsm".into(), footer: FooterPolicy::Optional, token_crc32c: None };
        let payload = Payload { input, info: scene.info.clone() };
        let error = prepare(&payload, &scene.path("n1"), &scene.options, &NoProgress).unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(scene.entries(), ["m.fsm", "m.fsm.encode_info.json"]);
    }
}
