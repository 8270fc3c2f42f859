//! The offload store of a real server with two groups, against what the server answered.

use ekv_backup::{DecodeOptions, NoProgress, OffloadChoice, ReadOptions, decode, inspect};
use ekv_testkit::fixtures;
use ekv_testkit::truth::{Kind, compare, observation};
use serde_json::Value;

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
