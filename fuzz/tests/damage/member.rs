//! Files of a Raft member and of a payload: damage is refused, or changes what is read, which the reader's caller compares.

use std::fs;

use ekv_backup::NoProgress;
use ekv_backup::restore::{EncodeInfo, PrepareOptions, RestoreTarget, SelfTest, prepare_restore};
use ekv_node::raft::peers::{Peer, Peers, Suffrage};
use ekv_node::raft::wal::{self, Wal};
use ekv_node::snapfile::{ConfState, SnapFile, SnapMetadata, Token, encode};
use ekv_testkit::{Cases, SnapshotBuilder, memory_input};
use sha2::{Digest, Sha256};

/// Every damage to a small file: each bit changed, each length cut, a byte added.
fn damaged(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            all.push((format!("bit {bit} of byte {at}"), changed));
        }
        all.push((format!("cut at {at}"), bytes[..at].to_vec()));
    }
    for added in [0, b'\n', 0xff] {
        all.push((format!("byte {added} added"), [bytes, &[added]].concat()));
    }
    all
}

fn check(what: &str, bytes: &[u8], assert_noticed: impl Fn(&str, &[u8]) + Sync) {
    let all = damaged(bytes);
    Cases::All.run(what, all.len(), |case| assert_noticed(&format!("{what}, {}", all[case].0), &all[case].1));
}

fn position() -> SnapMetadata {
    let conf_state = ConfState { voters: vec![1, 2, 3], ..ConfState::default() };
    SnapMetadata { term: 3, index: 7, conf_state }
}

#[test]
fn every_damage_to_a_snap_file_is_refused() {
    let bytes = encode(&position(), Token { index: 7, crc32c: 0x1234_5678 }).unwrap();
    let sound = SnapFile::read(&memory_input(bytes.clone())).unwrap();
    check(".snap file", &bytes, |context, damaged| {
        let read = SnapFile::read(&memory_input(damaged.to_vec()));
        // A bit in the number of an unknown field changes nothing that is read.
        assert!(read.as_ref().is_err() || read.as_ref().ok() == Some(&sound), "{context}: {read:?}");
        assert!(!context.contains("bit") || read.is_err(), "{context} is not noticed");
    });
}

#[test]
fn every_damage_to_a_log_is_refused_or_read_as_something_else() {
    let bytes = wal::encode(&position());
    let sound = Wal::read(&memory_input(bytes.clone())).unwrap();
    let used = 1 + bytes.iter().rposition(|byte| *byte != 0).unwrap();
    check("log", &bytes, |context, damaged| {
        let is_shorter_filling = damaged.len() >= used && bytes.starts_with(damaged);
        let is_longer_filling = damaged.starts_with(&bytes) && damaged.ends_with(&[0]);
        let read = Wal::read(&memory_input(damaged.to_vec()));
        let is_noticed = read.as_ref().ok() != Some(&sound);
        assert!(is_noticed || is_shorter_filling || is_longer_filling, "{context} is not noticed");
    });
}

#[test]
fn every_damage_to_a_peers_file_is_refused_or_read_as_something_else() {
    let peer = |id: &str, suffrage| Peer {
        node_id: ekv_node::raft::node_id(id),
        suffrage,
        raft_id: id.to_owned(),
        address: format!("{id}:2380"),
    };
    let peers = vec![peer("n1", Suffrage::Voter), peer("n2", Suffrage::Learner)];
    let sound = Peers { index: 7, peers, bootstrap_seed_active: false };
    check("peers file", &sound.encode().unwrap(), |context, damaged| {
        assert_ne!(Peers::decode(damaged).ok().as_ref(), Some(&sound), "{context} is not noticed");
    });
}

#[test]
fn every_damage_to_an_info_file_is_refused_or_harmless() {
    let payload = SnapshotBuilder::new().bare().put(b"!redis|str|k", 111_411_200_000_000_007, b"\xff\x01\0v").build();
    let info = EncodeInfo {
        encoder_version: "v".to_owned(),
        encoder_key_format_version: EncodeInfo::KEY_FORMAT_VERSION,
        wall_time_iso: "2026-01-01T00:00:00Z".to_owned(),
        output_fsm_path: "m.fsm".to_owned(),
        output_fsm_sha256: Sha256::digest(&payload).into(),
        last_commit_ts: 111_411_200_000_000_007,
        manifest_cluster_id: "lab".to_owned(),
        adapters_enabled: vec!["redis".to_owned()],
        self_test: SelfTest { ran: true, matched: true },
        ..EncodeInfo::default()
    };
    let bytes = info.to_bytes().unwrap();
    let mut options = PrepareOptions::new("n1=127.0.0.1:2380".parse().unwrap(), RestoreTarget::FreshCluster);
    options.now = jiff::Timestamp::from_millisecond(1_800_000_000_000).unwrap();
    let root = tempfile::tempdir().unwrap();
    let run = |name: &str, info: &[u8]| {
        let scene = root.path().join(name);
        fs::create_dir(&scene).unwrap();
        fs::write(scene.join("m.fsm"), &payload).unwrap();
        fs::write(scene.join("m.fsm.encode_info.json"), info).unwrap();
        let prepared = prepare_restore(&scene.join("m.fsm"), None, &scene.join("n1"), &options, &NoProgress);
        let is_published = scene.join("n1").exists();
        fs::remove_dir_all(&scene).unwrap();
        assert_eq!(prepared.is_ok(), is_published, "{name}: published if and only if there is no error");
        is_published
    };
    assert!(run("sound", &bytes));
    check("info file", &bytes, |context, damaged| {
        if run(&context.replace([' ', ','], "_"), damaged) {
            // What decides about the payload must be as it was; names and times are there for people.
            let read = EncodeInfo::parse(damaged).unwrap();
            let deciding = |info: &EncodeInfo| {
                (info.output_fsm_sha256, info.last_commit_ts, info.encoder_key_format_version, info.self_test.passed())
            };
            assert_eq!(deciding(&read), deciding(&info), "{context} is not noticed");
        }
    });
}
