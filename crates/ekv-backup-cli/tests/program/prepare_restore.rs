//! `prepare-restore` as a user runs it.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::key;
use tempfile::TempDir;

use crate::support::Room;

/// The info file of the documented payload. Source: `docs/format/restore.md`, section 13.
const INFO: &str = r#"{"format_version": 1, "encoder_version": "dev", "encoder_key_format_version": 1,
    "output_fsm_sha256": "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d",
    "last_commit_ts": 111411200000000007, "manifest_cluster_id": "lab", "adapters_enabled": ["redis"],
    "self_test": {"ran": true, "matched": true}}"#;

struct Scene(TempDir);

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let payload = SnapshotBuilder::new().bare().put(b"!redis|str|a/b", 111_411_200_000_000_007, b"\xff\x01\x00hi");
        fs::write(dir.path().join("m.fsm"), payload.build()).unwrap();
        fs::write(dir.path().join("m.fsm.encode_info.json"), INFO).unwrap();
        Scene(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &str) -> Output {
        let mut command = Command::cargo_bin("ekv-backup").unwrap();
        command.current_dir(self.0.path()).arg("prepare-restore").args(words.split(' ')).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn documented_payload_becomes_a_directory_and_the_next_steps_are_printed() {
    let scene = Scene::new();
    let output = scene.run("m.fsm n1 --peers n1=127.0.0.1:2380 --fresh-cluster");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let raft_data_dir = scene.0.path().canonicalize().unwrap();
    let flags = format!("-raftId n1 -address 127.0.0.1:2380 -raftDataDir {}\n", raft_data_dir.display());
    let shown = text(&output.stdout);
    assert!(shown.contains(&flags) && shown.contains("1 record, 68 B"), "{shown}");
    assert_eq!(fs::read(scene.path("n1/fsm-snap/0000000000000001.fsm")).unwrap().len(), 88);
}

#[test]
fn options_of_the_reference_tool_give_the_same_directory_and_json_names_it() {
    let scene = Scene::new();
    let output = scene.run(
        "-input m.fsm -data-dir n1 -encode-info=m.fsm.encode_info.json -peers n1=127.0.0.1:2380 -index 1 -term 1 \
         -target-cluster-id lab -allow-unverified-self-test -allow-missing-cluster-id=true --json",
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["fsm_crc32c"], "cfe71b90");
    assert_eq!(report["placement"]["layout"], "single_group");
    assert_eq!(report["members"][0]["node_id"], "08b37b07b558d4c0");
}

#[test]
fn usage_mistakes_exit_with_one_and_create_nothing() {
    let scene = Scene::new();
    for (words, message) in [
        ("m.fsm n1 --fresh-cluster", "--peers"),
        ("m.fsm n1 --peers n1=a:1", "--target-cluster-id"),
        ("m.fsm n1 --peers n1=a:1 --fresh-cluster=false", "--target-cluster-id"),
        ("m.fsm n1 --peers n1=a:1 --fresh-cluster --target-cluster-id lab", "cannot be used with"),
        ("m.fsm n1 --peers n1=a:1 --target-cluster-id=", "--target-cluster-id"),
        ("m.fsm n1 --peers n1=a:1 --fresh-cluster --index 0", "--index"),
        ("m.fsm n1 --peers n1=a:1 --fresh-cluster --term 0", "--term"),
        ("m.fsm n1 --peers n1=a --fresh-cluster", "HOST:PORT"),
        ("m.fsm n1 --peers , --fresh-cluster", "no member is named"),
        ("m.fsm n1 --peers n1=a:1 --fresh-cluster --fsync none", "--fsync"),
        ("m.fsm --peers n1=a:1 --fresh-cluster", "DATA_DIR"),
        ("m.fsm n1 --input m.fsm --data-dir n1 --peers n1=a:1 --fresh-cluster", "cannot be used with"),
    ] {
        let output = scene.run(words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(text(&output.stderr).contains(message), "{words}: {}", text(&output.stderr));
    }
    assert!(!scene.path("n1").exists());
}

#[test]
fn refusals_exit_with_the_code_of_their_class() {
    let scene = Scene::new();
    let cases = [
        ("m.fsm n1 --peers n1=a:1 --target-cluster-id other", 2, "cluster \"lab\", not of \"other\""),
        ("missing.fsm n1 --peers n1=a:1 --fresh-cluster", 1, "missing.fsm.encode_info.json"),
        ("m.fsm . --peers n1=a:1 --fresh-cluster", 1, "does not name a new file or directory"),
    ];
    for (words, code, message) in cases {
        let output = scene.run(words);
        assert_eq!(output.status.code(), Some(code), "{words}");
        assert!(text(&output.stderr).contains(message), "{words}: {}", text(&output.stderr));
    }
    fs::create_dir(scene.path("n1")).unwrap();
    let output = scene.run("m.fsm n1 --peers n1=a:1 --fresh-cluster");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("exists already"));
}

#[test]
fn node_made_of_a_dump_with_accepted_losses_is_told_to_lack_them() {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let snapshot = SnapshotBuilder::new()
        .put(&key::string(b"plain"), at, b"1")
        .put(&key::string(b"torn"), at, b"\xff\x01\x01\0")
        .put(&key::string(b"worn"), at, b"\xff\x01\x01\0");
    room.write("s.fsm", &snapshot.build());
    room.run(&["decode", "s.fsm", "dump"]).assert_code(5);
    room.run(&["encode", "dump", "p.fsm", "--accept-losses"]).assert_code(0);
    let prepare = ["prepare-restore", "p.fsm", "n1", "--peers", "n1=a:1", "--fresh-cluster"];
    let run = room.run(&prepare);
    let said = "MISSING  2 things: was lost when the dump was made that it is from, and that was accepted";
    assert!(run.assert_code(0).stdout.contains(said), "{run:?}");
    let json = room.run(&[&prepare[..2], &["n2"], &prepare[3..], &["--json"]].concat());
    assert_eq!(json.assert_code(0).json()["losses"], 2);
    room.run(&["decode", "s.fsm", "part", "plain"]).assert_code(0);
    room.run(&["encode", "part", "q.fsm"]).assert_code(0);
    let sound = room.run(&["prepare-restore", "q.fsm", "n3", "--peers", "n1=a:1", "--fresh-cluster"]);
    assert!(!sound.assert_code(0).stdout.contains("MISSING"), "{sound:?}");
}
