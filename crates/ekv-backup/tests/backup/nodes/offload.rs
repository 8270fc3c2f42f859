//! The offload store of a real server with two groups, against what the server answered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ekv_backup::restore::{PrepareOptions, RestoreTarget, restore_published};
use ekv_backup::{
    Class, DecodeOptions, DirOptions, EncodeOptions, Fsync, NoProgress, OffloadChoice, ReadOptions, decode, encode,
    inspect,
};
use ekv_testkit::fixtures;
use ekv_testkit::truth::{Kind, compare, observation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

#[test]
fn offload_store_decodes_to_what_its_server_answered_at_either_publication() {
    let truth: Value = serde_json::from_slice(&fixtures::read("offload-6.truth.json")).unwrap();
    let room = tempfile::tempdir().unwrap();
    fixtures::unpack("offload-6.tar", room.path());
    let store = room.path().join("store/backups/prod");
    for (label, before, least) in [("end", None, 150), ("middle", Some("2026-11-29T23:59:50Z"), 75)] {
        let published_before = before.map(|time| time.parse().unwrap());
        let offload = OffloadChoice { published_before, ..OffloadChoice::default() };
        let read = ReadOptions { offload, ..ReadOptions::default() };
        let dump = room.path().join(label);
        let report = decode(&store, &dump, &DecodeOptions { read, ..DecodeOptions::default() }, &NoProgress).unwrap();
        assert_eq!(report.losses, 0);
        compare(&dump, observation(&truth, label), &[Kind::Redis]).assert_equal(least);
        let manifest: Value = serde_json::from_slice(&std::fs::read(dump.join("MANIFEST.json")).unwrap()).unwrap();
        assert_eq!(manifest["cluster_id"], "fixture");
        let origin = &manifest["ekv_backup"]["snapshots"][1]["offload"];
        assert!(
            origin["manifest_key"].as_str().unwrap().starts_with("backups/prod/v1/groups/2/snapshots/"),
            "{origin}"
        );
    }
}

/// A store of a real server.
fn store() -> (TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    fixtures::unpack("offload-6.tar", room.path());
    let store = room.path().join("store/backups/prod");
    (room, store)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Publishes a stream as a server does. Source: `docs/format/offload.md`, sections 1 to 3.
fn publish(store: &Path, stream: &[u8], group: u64, index: u64, cluster: &str, created_at: &str) {
    let sum = hex(&Sha256::digest(stream));
    let payload_key = format!("v1/payloads/sha256/{}/{sum}.fsm", &sum[..2]);
    let manifest_key = format!("v1/groups/{group}/snapshots/{index:020}-{:020}.json", 2);
    for (key, bytes) in [(&payload_key, Some(stream)), (&manifest_key, None)] {
        fs::create_dir_all(store.join(key).parent().unwrap()).unwrap();
        bytes.into_iter().for_each(|bytes| fs::write(store.join(key), bytes).unwrap());
    }
    let members = [
        ("schema_version", json!(1)),
        ("created_at", json!(created_at)),
        ("source_cluster", json!(cluster)),
        ("group_id", json!(group)),
        ("snapshot_index", json!(index)),
        ("snapshot_term", json!(2)),
    ];
    let mut text = "{".to_owned();
    for (name, value) in members {
        text += &format!("\n  \"{name}\": {value},");
    }
    let voters = "\n  \"conf_state\": {\n    \"voters\": [\n      626980046172116160\n    ]\n  },";
    let len = stream.len();
    text += &format!(
        "{voters}\n  \"payload\": {{\n    \"key\": \"{payload_key}\",\n    \"bytes\": {len},\n    \"sha256\": \"{sum}\",\n    \"source_crc32c\": 0\n  }},\n  \"manifest_key\": \"{manifest_key}\""
    );
    let own = hex(&Sha256::digest(format!("{text}\n}}")));
    fs::write(store.join(manifest_key), format!("{text},\n  \"manifest_sha256\": \"{own}\"\n}}\n")).unwrap();
}

fn prepare_options() -> PrepareOptions {
    PrepareOptions::new("n1=127.0.0.1:2380".parse().unwrap(), RestoreTarget::FreshCluster)
}

fn choosing(group: Option<u64>, snapshot: Option<&str>) -> ReadOptions {
    let snapshot = snapshot.map(|name| name.parse().unwrap());
    ReadOptions { offload: OffloadChoice { group, snapshot, ..OffloadChoice::default() }, ..ReadOptions::default() }
}

/// All files below a directory, but what tells of a run.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap().to_path_buf();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(files.insert(name, fs::read(path).unwrap())),
            }
        }
    }
    ["MANIFEST.json", "CHECKSUMS"].into_iter().for_each(|own| drop(files.remove(Path::new(own))));
    files
}

fn decode_to(source: &Path, dump: PathBuf, read: ReadOptions) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = ReadOptions { allow_missing_groups: true, ..read };
    let report =
        decode(source, dump.as_path(), &DecodeOptions { read, ..DecodeOptions::default() }, &NoProgress).unwrap();
    assert_eq!(report.losses, 0);
    tree(&dump)
}

#[test]
fn published_snapshot_becomes_the_directory_of_a_node_byte_for_byte() {
    let (room, store) = store();
    let before = tree(&store);
    for (group, snapshot, index, footer) in
        [(1, None, 474, Some("f6014752")), (1, Some("229"), 229, None), (2, None, 263, None)]
    {
        let read = choosing(Some(group), snapshot);
        let data_dir = room.path().join(format!("n1-{group}-{index}"));
        let report = restore_published(&store, &data_dir, &read, &prepare_options(), &NoProgress).unwrap();
        assert_eq!((report.index, report.term, report.source_cluster_id.as_str()), (index, 2, "fixture"));
        let fsm = fs::read(data_dir.join(format!("fsm-snap/{index:016x}.fsm"))).unwrap();
        let payload = &fsm[..fsm.len() - 4];
        assert_eq!(hex(&Sha256::digest(payload)), report.payload_sha256);
        let (two, key) = (&report.payload_sha256[..2], &report.payload_sha256);
        assert!(fs::read(store.join(format!("v1/payloads/sha256/{two}/{key}.fsm"))).unwrap() == payload);
        assert_eq!(hex(&fsm[fsm.len() - 4..]), report.fsm_crc32c);
        if let Some(footer) = footer {
            assert_eq!(report.fsm_crc32c, footer, "as it was on the node: docs/format/offload.md, section 3");
        }
        let name = format!("dump-{group}-{index}");
        let of_store = decode_to(&store, room.path().join(&name), read);
        assert!(
            of_store.len() > 20
                && decode_to(&data_dir, room.path().join(name + "-n1"), ReadOptions::default()) == of_store
        );
    }
    assert!(tree(&store) == before, "a store is never written to");
    fs::create_dir(room.path().join("node")).unwrap();
    let names = fs::read_dir(room.path()).unwrap().count();
    let failing = |read: &ReadOptions, options: &PrepareOptions, source: &Path, name: &str| {
        let error = restore_published(source, &room.path().join(name), read, options, &NoProgress).unwrap_err();
        (error.class(), error.to_string())
    };
    let (class, text) = failing(&choosing(None, None), &prepare_options(), &store, "x");
    assert!(class == Class::Environment && text.contains("--group 1 or --group 2"), "{text}");
    let other = PrepareOptions { target: RestoreTarget::Cluster("other".to_owned()), ..prepare_options() };
    assert!(failing(&choosing(Some(1), None), &other, &store, "x").1.contains("\"fixture\", not of \"other\""));
    assert!(
        failing(&choosing(Some(1), None), &prepare_options(), &room.path().join("dump-1-474"), "x")
            .1
            .contains("is no offload store")
    );
    assert!(failing(&choosing(Some(1), None), &prepare_options(), &store, "node/group-2").1.contains("group"));
    // One byte of the newest payload.
    let payload =
        store.join("v1/payloads/sha256/f7/f7572427d5a42e1be1052417744237caac004b8fb9e230adb20153b1a7917a24.fsm");
    let mut bytes = fs::read(&payload).unwrap();
    bytes[500_000] ^= 1;
    fs::write(&payload, bytes).unwrap();
    let (class, text) = failing(&choosing(Some(1), None), &prepare_options(), &store, "x");
    assert!(class == Class::Data && text.contains("SHA-256") && text.contains("--snapshot 229"), "{text}");
    assert_eq!(failing(&choosing(Some(1), Some("474")), &prepare_options(), &store, "x").0, Class::Data);
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), names, "nothing is left behind");
}

#[test]
fn published_sst_files_are_read_and_restored_as_they_are() {
    let room = tempfile::tempdir().unwrap();
    let store = room.path().join("store");
    let snapshot = fixtures::SSTI_5.bytes();
    let stream = &snapshot[..snapshot.len() - 4];
    publish(&store, stream, 1, 801, "fixture", "2026-11-30T00:00:01Z");
    let truth = fixtures::SSTI_5.truth();
    let dump = room.path().join("dump");
    let of_store = decode_to(&store, dump.clone(), ReadOptions::default());
    compare(&dump, observation(&truth, "end"), &[Kind::Redis, Kind::DynamoDb, Kind::S3, Kind::Sqs]).assert_equal(220);
    let data_dir = room.path().join("n1");
    let report =
        restore_published(&store, &data_dir, &ReadOptions::default(), &prepare_options(), &NoProgress).unwrap();
    assert_eq!(report.records, fixtures::SSTI_5.entries);
    assert!(
        fs::read(data_dir.join("fsm-snap/0000000000000321.fsm")).unwrap() == snapshot,
        "the footer is the one that it had"
    );
    assert!(decode_to(&data_dir, room.path().join("again"), ReadOptions::default()) == of_store);
}

#[test]
fn store_of_two_clusters_is_refused_and_listed_unless_one_snapshot_is_named() {
    let (room, store) = store();
    let payload =
        store.join("v1/payloads/sha256/f7/f7572427d5a42e1be1052417744237caac004b8fb9e230adb20153b1a7917a24.fsm");
    publish(&store, &fs::read(payload).unwrap(), 1, 500, "another", "2026-11-30T00:10:00Z");
    let refused = |read: ReadOptions| {
        let options = DecodeOptions { read, ..DecodeOptions::default() };
        decode(&store, room.path().join("dump").as_path(), &options, &NoProgress).unwrap_err().to_string()
    };
    let text = refused(choosing(Some(1), None));
    for part in ["cannot be told", "--snapshot", "group 1 500-2 of \"another\"", "group 1 474-2 of \"fixture\""] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let error =
        restore_published(&store, &room.path().join("n1"), &choosing(Some(1), None), &prepare_options(), &NoProgress);
    assert!(error.unwrap_err().to_string().contains("cannot be told"));
    let one = decode_to(&store, room.path().join("one"), choosing(Some(1), Some("474")));
    assert!(decode_to(&store, room.path().join("other"), choosing(Some(1), Some("500"))) == one);
}

#[test]
fn dump_of_a_store_goes_there_and_back() {
    let (room, store) = store();
    let truth: Value = serde_json::from_slice(&fixtures::read("offload-6.truth.json")).unwrap();
    for (label, before, least) in [("end", None, 150), ("middle", Some("2026-11-29T23:59:50Z"), 75)] {
        let published_before = before.map(|time| time.parse().unwrap());
        let offload = OffloadChoice { published_before, ..OffloadChoice::default() };
        let dump = room.path().join(label);
        let files = decode_to(&store, dump.clone(), ReadOptions { offload, ..ReadOptions::default() });
        let payload = room.path().join(format!("{label}.fsm"));
        let sink = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
        let report = encode(&dump, &payload, &EncodeOptions { sink, ..EncodeOptions::default() }, &NoProgress).unwrap();
        assert_eq!((report.payload.not_restorable, report.payload.self_test.matched), (0, true));
        let again = room.path().join(format!("{label}-again"));
        assert!(decode_to(&payload, again.clone(), ReadOptions::default()) == files, "{label}");
        compare(&again, observation(&truth, label), &[Kind::Redis]).assert_equal(least);
    }
}

/// It was taken for a node's data directory, and refused as one without a snapshot.
#[test]
fn inspect_of_an_offload_store_lists_what_is_in_it() {
    let room = tempfile::tempdir().unwrap();
    fixtures::unpack("offload-6.tar", room.path());
    for place in ["store/backups/prod", "store/backups/prod/v1"] {
        let inspected = inspect(&room.path().join(place), &ReadOptions::default(), &NoProgress).unwrap();
        let report = serde_json::to_value(&inspected).unwrap();
        assert_eq!(report["snapshots"].as_array().unwrap().len(), 2);
        assert!(!report["store"].is_null() && inspected.available.is_empty(), "{report}");
    }
}
