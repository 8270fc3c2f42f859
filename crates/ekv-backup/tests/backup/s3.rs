//! S3 from snapshot file to dump: a real server's objects, and names and leftovers of every kind in a dump that verifies.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use ekv_backup::{
    DecodeOptions, DecodeReport, EventOptions, NoProgress, Protocol, ReadOptions, ReadTime, decode, verify,
};
use ekv_testkit::{SnapshotBuilder, fixtures};
use serde_json::Value;

const META: &str = ".elastickv-meta.json";

fn decode_s3(snapshot: &[u8], dump: &Path, mut options: DecodeOptions) -> DecodeReport {
    let input = dump.with_extension("fsm");
    std::fs::write(&input, snapshot).unwrap();
    options.events.adapters = vec![Protocol::S3];
    let report = decode(&input, dump, &options, &NoProgress).unwrap();
    let verified = verify(dump, &NoProgress).unwrap();
    assert!(verified.sound, "{:#?}", verified.problems);
    report
}

/// All files of a bucket by path.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
        } else {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Path of an object of the real bucket.
fn path_of(key: &str, keys: &serde_json::Map<String, Value>) -> String {
    match key {
        "dir/" => "56aa336ce5e484fd6aa17b4e075d5be3__dir%2F".to_owned(),
        key if keys.keys().any(|other| other.starts_with(&format!("{key}/"))) => format!("{key}.elastickv-leaf-data"),
        key => key.to_owned(),
    }
}

#[test]
fn objects_of_a_real_server_are_what_it_answered_then_and_at_the_end() {
    let snapshot = fixtures::read("all-3.fsm");
    let truth: Value = serde_json::from_slice(&fixtures::read("all-3.truth.json")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let moments = truth["at"].as_array().unwrap();
    assert_eq!(moments.len(), 2);
    for moment in moments {
        let label = moment["label"].as_str().unwrap();
        let at = match label {
            "end" => None,
            _ => Some(moment["unix_ms"].to_string().parse::<ReadTime>().unwrap()),
        };
        let read = ReadOptions { at, ..ReadOptions::default() };
        let dump = scratch.path().join(label);
        let report = decode_s3(&snapshot, &dump, DecodeOptions { read, ..DecodeOptions::default() });
        assert_eq!(report.losses, 0);
        let checksums = String::from_utf8(std::fs::read(dump.join("CHECKSUMS")).unwrap()).unwrap();
        for (bucket, objects) in moment["s3"].as_object().unwrap() {
            let objects = objects.as_object().unwrap();
            let mut found = files(&dump.join("s3").join(bucket));
            for (key, object) in objects {
                let path = path_of(key, objects);
                let body = found.remove(&path).unwrap();
                let line = format!("{}  s3/{bucket}/{path}\n", object["sha256"].as_str().unwrap());
                assert!(checksums.contains(&line), "{label} {key}");
                let sidecar: Value = serde_json::from_slice(&found.remove(&format!("{path}{META}")).unwrap()).unwrap();
                assert_eq!(object["size"], body.len(), "{label} {key}");
                assert_eq!(sidecar["size_bytes"], object["size"], "{label} {key}");
                assert_eq!(format!("\"{}\"", sidecar["etag"].as_str().unwrap()), object["etag"], "{label} {key}");
                assert_eq!(sidecar["content_type"], object["content_type"], "{label} {key}");
                // The live server writes names of metadata with a capital letter.
                let metadata = sidecar["user_metadata"].get("x").map(ToString::to_string);
                assert_eq!(metadata, object["metadata"].get("X").map(ToString::to_string), "{label} {key}");
            }
            let own: Vec<&str> = found.keys().map(String::as_str).collect();
            let renamed = objects.iter().any(|(key, _)| path_of(key, objects) != *key);
            assert_eq!(own, if renamed { &["KEYMAP.jsonl", "_bucket.json"][..] } else { &["_bucket.json"] });
        }
    }
}

fn segment(name: &[u8]) -> Vec<u8> {
    let escaped = name.iter().flat_map(|byte| if *byte == 0 { vec![0, 0xff] } else { vec![*byte] });
    escaped.chain([0, 1]).collect()
}

fn key(prefix: &str, generation: u64, object: &[u8], tail: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), b"b\0\x01", &generation.to_be_bytes(), &segment(object), tail].concat()
}

#[test]
fn dump_with_names_and_leftovers_of_every_kind_verifies() {
    let keys: [&[u8]; 22] = [
        b"",
        b"/",
        b"..",
        b"a",
        b"a.elastickv-leaf-data",
        b"a/b",
        b"a/b/c",
        b"a//b",
        b"a\0b",
        b"a\\b",
        b"\xff/x",
        b"_bucket.json",
        b"KEYMAP.jsonl",
        b"_orphans/x",
        b"x",
        b"x.elastickv-meta.json",
        b"x.elastickv-meta.json/y",
        b"x//a.elastickv-meta.json",
        b"0123456789abcdef0123456789abcdef__x/y",
        b"line\nfeed",
        b"trail.",
        &[b'k'; 256],
    ];
    let record = br#"{"upload_id":"u","size_bytes":2,"parts":[{"part_no":1,"chunk_sizes":[2]}]}"#;
    let chunk = [&segment(b"u")[..], &1_u64.to_be_bytes(), &0_u64.to_be_bytes()].concat();
    let mut snapshot = SnapshotBuilder::new()
        .put(b"!s3|bucket|meta|b\0\x01", 10, br#"{"bucket_name":"b","generation":2}"#)
        .put(&key("!s3|blob|", 1, b"", &chunk), 10, b"old")
        .put(&key("!s3|blob|", 2, b"running", &chunk), 10, b"new")
        .put(&key("!s3|upload|meta|", 2, b"running", &segment(b"u")), 10, b"{}");
    for object in keys {
        snapshot = snapshot.put(&key("!s3|blob|", 2, object, &chunk), 10, b"ok").put(
            &key("!s3|obj|head|", 2, object, b""),
            10,
            record,
        );
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut options = DecodeOptions::default();
    let report = decode_s3(&snapshot.build(), &scratch.path().join("plain"), options.clone());
    assert_eq!(report.losses, 0);
    let plain = files(&scratch.path().join("plain/s3/b"));
    assert_eq!(plain.values().filter(|content| *content == b"ok").count(), keys.len());
    let manifest = std::fs::read_to_string(scratch.path().join("plain/MANIFEST.json")).unwrap();
    assert!(manifest.contains("\"rename_s3_collisions\": true"), "{manifest}");

    options.events.s3.include_orphans = true;
    options.events.s3.include_incomplete_uploads = true;
    decode_s3(&snapshot.build(), &scratch.path().join("more"), options);
    let more = files(&scratch.path().join("more/s3/b"));
    let added: Vec<&str> = more.keys().filter(|path| !plain.contains_key(*path)).map(String::as_str).collect();
    let numbers = "u_0000000000000001_0000000000000000_0000000000000000.bin";
    assert_eq!(
        added,
        [
            "_incomplete_uploads/records.jsonl".to_owned(),
            format!("_orphans/e3b0c44298fc1c149afbf4c8996fb924__/gen-1/{numbers}"),
            format!("_orphans/running/gen-2/{numbers}"),
        ]
    );
}

#[test]
fn content_of_another_node_is_taken_from_the_snapshot_that_is_named() {
    // The digest of "away".
    const DIGEST: &str = "378ce56a9d146d5174c89d1c0353d7f8e2244e89bb83935a5b1bdcf5e74b4e7f";
    let record =
        br#"{"upload_id":"u","size_bytes":4,"parts":[{"part_no":1,"chunk_count":1,"chunk_sizes":[4],"offloaded":true}]}"#;
    let chunk = [&segment(b"u")[..], &1_u64.to_be_bytes(), &0_u64.to_be_bytes()].concat();
    let digest: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&DIGEST[2 * i..2 * i + 2], 16).unwrap()).collect();
    let snapshot = SnapshotBuilder::new()
        .put(b"!s3|bucket|meta|b\0\x01", 10, br#"{"bucket_name":"b","generation":1}"#)
        .put(&key("!s3|obj|head|", 1, b"k", b""), 10, record)
        .put(
            &key("!s3|chunkref|", 1, b"k", &chunk),
            10,
            &[b"\x01", &digest[..], &4_u64.to_be_bytes(), b"\0\0"].concat(),
        );
    let scratch = tempfile::tempdir().unwrap();
    let report = decode_s3(&snapshot.build(), &scratch.path().join("alone"), DecodeOptions::default());
    assert_eq!(report.losses, 1);

    let other = scratch.path().join("other.fsm");
    let blob = SnapshotBuilder::new().put(format!("!s3|chunkblob|{DIGEST}").as_bytes(), 99, b"away");
    std::fs::write(&other, blob.build()).unwrap();
    let options = DecodeOptions {
        events: EventOptions { blob_sources: vec![other], ..EventOptions::default() },
        ..DecodeOptions::default()
    };
    let report = decode_s3(&snapshot.build(), &scratch.path().join("both"), options);
    assert_eq!(report.losses, 0);
    assert_eq!(std::fs::read(scratch.path().join("both/s3/b/k")).unwrap(), b"away");
}
