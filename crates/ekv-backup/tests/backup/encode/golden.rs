//! The documented example. Source: `docs/format/restore.md`, section 13.

use std::path::Path;

use ekv_backup::restore::EncodeInfo;
use ekv_backup::{NoProgress, WrittenForm, encode};
use ekv_testkit::SnapshotBuilder;
use sha2::{Digest, Sha256};

use crate::encode::room::{Room, decode_options, options};

/// The timestamp of the documented payload.
const T: u64 = 111_411_200_000_000_007;

fn golden_room() -> Room {
    let mut decode_options = decode_options();
    decode_options.cluster_id = "lab".into();
    decode_options.events.adapters = vec![ekv_backup::Protocol::Redis];
    let snapshot = SnapshotBuilder::new().put(b"!redis|str|a/b", T, b"\xff\x01\x00hi").build();
    Room::with_dump_of(&snapshot, &decode_options)
}

#[test]
fn documented_payload_is_written_byte_for_byte() {
    let room = golden_room();
    let report = room.encode("dump", "m.fsm", &options()).unwrap();
    let payload = room.bytes("m.fsm");
    let expected = b"EKVPBBL1\x07\0\0\x68\xe5\xcf\x8b\x01\x16\0\0\0\0\0\0\0!redis|str|a/b\xfe\x74\x30\x1a\x97\xff\xff\xf8\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\x01\0hi";
    assert_eq!(payload.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(payload.len(), 68);
    let sha256 = "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d";
    assert_eq!(report.payload.payload_sha256, sha256);
}

#[test]
fn documented_info_file_is_written_byte_for_byte() {
    let room = golden_room();
    let mut options = options();
    options.encoder_version = "dev".into();
    options.now = "2026-11-22T15:45:07.071404613Z".parse().unwrap();
    // The names as they were given are part of the file.
    let (dump, payload) = (room.path("dump"), room.path("m.fsm"));
    encode(&dump, &payload, &options, &NoProgress).unwrap();
    let text = String::from_utf8(room.bytes("m.fsm.encode_info.json")).unwrap();
    let expected = r#"{
  "format_version": 1,
  "encoder_version": "dev",
  "encoder_key_format_version": 1,
  "wall_time_iso": "2026-11-22T15:45:07.071404613Z",
  "input_root": "mtree",
  "output_fsm_path": "m.fsm",
  "output_fsm_sha256": "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d",
  "last_commit_ts": 111411200000000007,
  "last_commit_ts_overridden": false,
  "manifest_last_commit_ts": 111411200000000007,
  "manifest_cluster_id": "lab",
  "adapters_enabled": [
    "redis"
  ],
  "self_test": {
    "ran": true,
    "matched": true
  }
}
"#;
    let shown = |path: &Path| path.display().to_string();
    assert_eq!(text.replace(&shown(&dump), "mtree").replace(&shown(&payload), "m.fsm"), expected);
}

#[test]
fn info_file_of_a_server_file_describes_the_payload_inside() {
    let room = golden_room();
    let mut options = options();
    options.form = WrittenForm::File;
    options.last_commit_ts = Some(T);
    let report = room.encode("dump", "m.fsm", &options).unwrap();
    let file = room.bytes("m.fsm");
    assert_eq!((file.len(), report.payload.fsm_crc32c.as_deref()), (88, Some("cfe71b90")));
    let info = EncodeInfo::parse(&room.bytes("m.fsm.encode_info.json")).unwrap();
    assert_eq!(info.output_fsm_sha256, <[u8; 32]>::from(Sha256::digest(&file[16..84])));
    assert!(info.last_commit_ts_overridden && info.self_test.passed());
}
