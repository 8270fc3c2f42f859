//! Dumps that lack something, and selections that name nothing. Source: `docs/format/restore.md`, section 2.3.

use ekv_testkit::selection;
use std::fs;

use ekv_backup::restore::{PrepareOptions, RestoreError, RestoreTarget, restore};
use ekv_backup::{
    Class, DecodeOptions, DirOptions, DumpTarget, EncodeOptions, EncodeRefusal, Error, Fsync, NoProgress, Protocol,
    decode, verify,
};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{RedisRecords, key, value};

use crate::encode::room::{Room, decode_options, options};

/// A dump that lacks one of two strings.
fn lossy_room() -> Room {
    let records = RedisRecords::new()
        .put(key::string(b"good"), value::string(b"body", None))
        .put(key::string(b"lost"), b"\xff\x01");
    let room = Room::new();
    fs::write(room.path("snapshot.fsm"), records.snapshot().build()).unwrap();
    let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    let target = DumpTarget::directory(room.path("dump"), unsynced);
    assert_eq!(decode(&room.path("snapshot.fsm"), target, &decode_options(), &NoProgress).unwrap().losses, 1);
    room
}

/// A dump of three strings, of which two have an expiry.
fn room() -> Room {
    let records = RedisRecords::new()
        .put(key::string(b"user:1"), value::string(b"a", Some(2_000_000_000_000)))
        .put(key::string(b"user:2"), value::string(b"b", Some(1_000_000_000_000)))
        .put(key::string(b"k"), value::string(b"c", None));
    Room::with_dump_of(&records.snapshot().build(), &decode_options())
}

fn select(names: &[&str], prefixes: &[&str]) -> EncodeOptions {
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    EncodeOptions { scope: selection(bytes(names), bytes(prefixes)), ..options() }
}

fn prepare_options() -> PrepareOptions {
    let peers = "n1=127.0.0.1:2380".parse().unwrap();
    PrepareOptions { now: options().now, ..PrepareOptions::new(peers, RestoreTarget::FreshCluster) }
}

fn refusal(error: &Error) -> &EncodeRefusal {
    error.get_ref().downcast_ref().unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn dump_with_losses_is_sound_and_says_what_it_lacks() {
    let room = lossy_room();
    let report = verify(&room.path("dump"), &NoProgress).unwrap();
    assert!(report.sound);
    let losses = report.losses.unwrap();
    assert_eq!((losses.count, losses.is_listed), (1, true));
    assert_eq!(losses.to_string(), "1 loss: 1 redis_invalid_string_value; LOSSES.jsonl in the dump names each");
}

#[test]
fn dump_with_losses_is_encoded_and_restored_only_if_they_are_accepted() {
    let room = lossy_room();
    let error = room.refusal(Class::Data, &options());
    let EncodeRefusal::Losses { account, first } = refusal(&error) else { panic!("{error}") };
    assert_eq!((account.count, first.len()), (1, 1));
    assert!(first[0].starts_with("redis_invalid_string_value: redis:0/lost: "), "{first:?}");
    let before = room.names();
    let prepare = prepare_options();
    let error = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap_err();
    assert!(matches!(refusal(&error), EncodeRefusal::Losses { .. }));
    assert_eq!(room.names(), before);
    let accepting = EncodeOptions { accept_losses: true, strict: true, ..options() };
    let report = room.encode("dump", "out.fsm", &accepting).unwrap();
    assert_eq!((report.payload.records, report.payload.losses), (1, 1));
    assert!(report.warnings.iter().any(|warning| warning.contains("as accepted: 1 loss")), "{:?}", report.warnings);
    let report = restore(&room.path("dump"), &room.path("n1"), &accepting, &prepare, &NoProgress).unwrap();
    assert!(report.prepared.warnings.iter().any(|warning| warning.contains("as accepted")));
}

#[test]
fn losses_of_a_dump_that_lists_none_one_by_one_count_as_well() {
    let room = lossy_room();
    let manifest = fs::read_to_string(room.path("dump/MANIFEST.json")).unwrap();
    fs::write(room.path("dump/MANIFEST.json"), manifest.replace(",\n    \"listed_losses\": 1", "")).unwrap();
    fs::remove_file(room.path("dump/LOSSES.jsonl")).unwrap();
    ekv_backup::checksums(&room.path("dump"), &Default::default(), &NoProgress).unwrap();
    assert!(!verify(&room.path("dump"), &NoProgress).unwrap().losses.unwrap().is_listed);
    let error = room.refusal(Class::Data, &options());
    assert!(matches!(refusal(&error), EncodeRefusal::Losses { first, .. } if first.is_empty()));
}

#[test]
fn selection_that_names_nothing_publishes_nothing() {
    let room = room();
    for selection in [select(&["typo"], &[]), select(&[], &["usr:"]), select(&["typo", "k "], &["z"])] {
        let error = room.refusal(Class::NoMatch, &selection);
        assert!(matches!(refusal(&error), EncodeRefusal::NothingSelected { .. }), "{error}");
        let before = room.names();
        let error = restore(&room.path("dump"), &room.path("n1"), &selection, &prepare_options(), &NoProgress);
        assert_eq!(error.unwrap_err().class(), Class::NoMatch);
        assert_eq!(room.names(), before);
        let allowed = EncodeOptions { allow_empty: true, ..selection };
        let report = room.encode("dump", "empty.fsm", &allowed).unwrap();
        assert_eq!(report.payload.records, 0);
        fs::remove_file(room.path("empty.fsm")).unwrap();
        fs::remove_file(room.path("empty.fsm.encode_info.json")).unwrap();
    }
}

#[test]
fn adapter_without_data_publishes_nothing_where_it_was_asked_for() {
    let room = room();
    let asked = EncodeOptions { adapters: Some(vec![Protocol::S3, Protocol::DynamoDb]), ..options() };
    let error = room.refusal(Class::NoMatch, &asked);
    assert!(error.to_string().starts_with("the dump holds no data of dynamodb, s3"), "{error}");
    let allowed = EncodeOptions { allow_empty: true, ..asked };
    assert_eq!(room.encode("dump", "empty.fsm", &allowed).unwrap().payload.adapters, Vec::<&str>::new());
}

#[test]
fn dump_without_data_becomes_a_payload_only_where_that_is_allowed() {
    let deleted = SnapshotBuilder::new().put(&key::string(b"k"), 20, b"v").delete(&key::string(b"k"), 30);
    let room = Room::with_dump_of(&deleted.build(), &decode_options());
    let error = room.refusal(Class::NoMatch, &options());
    assert!(error.to_string().starts_with("the dump holds no data: a cluster"), "{error}");
    let before = room.names();
    let error = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare_options(), &NoProgress);
    assert_eq!(error.unwrap_err().class(), Class::NoMatch);
    assert_eq!(room.names(), before);
    let allowed = EncodeOptions { allow_empty: true, ..options() };
    assert_eq!(room.encode("dump", "empty.fsm", &allowed).unwrap().payload.records, 0);
    restore(&room.path("dump"), &room.path("n1"), &allowed, &prepare_options(), &NoProgress).unwrap();
}

#[test]
fn name_that_is_not_there_beside_one_that_is_warns_and_is_fatal_in_strict_mode() {
    let room = room();
    let both = select(&["k", "typo"], &["user:", "usr:"]);
    let report = room.encode("dump", "both.fsm", &both).unwrap();
    assert_eq!(report.payload.records, 3);
    assert_eq!(report.warnings, ["nothing in the dump matches --match typo, --match usr:*"]);
    let error = room.refusal(Class::Data, &EncodeOptions { strict: true, ..both });
    assert!(error.to_string().contains("--match typo"), "{error}");
}

#[test]
fn report_names_adapters_with_data_only_and_counts_expiries_that_have_passed() {
    let report = room().encode("dump", "out.fsm", &options()).unwrap();
    assert_eq!(report.payload.adapters, ["redis"]);
    assert_eq!(report.payload.expired_keys, 1);
}

/// A room with a node of the given groups, and its dump.
fn node_room(groups: &[u64]) -> Room {
    use ekv_node::snapfile::{SnapMetadata, Token, encode};
    let room = Room::new();
    for group in groups {
        let records = RedisRecords::new().put(key::string(format!("k{group}").as_bytes()), value::string(b"v", None));
        let directory = room.path(&format!("node/group-{group}"));
        let bytes = records.snapshot().build();
        fs::create_dir_all(directory.join("snap")).unwrap();
        fs::create_dir_all(directory.join("fsm-snap")).unwrap();
        fs::write(directory.join("fsm-snap/0000000000000001.fsm"), &bytes).unwrap();
        let crc32c = u32::from_be_bytes(*bytes.last_chunk().unwrap());
        let metadata = SnapMetadata { index: 1, term: 1, conf_state: Default::default() };
        let snap = encode(&metadata, Token { index: 1, crc32c }).unwrap();
        fs::write(directory.join("snap/0000000000000001-0000000000000001.snap"), snap).unwrap();
    }
    let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    let target = DumpTarget::directory(room.path("dump"), unsynced);
    decode(&room.path("node"), target, &DecodeOptions::default(), &NoProgress).unwrap();
    room
}

#[test]
fn directory_of_another_group_is_refused_with_the_way_on() {
    for (groups, data_dir, expected) in [
        (&[2_u64][..], "group-1", Some("restore it into group-2")),
        (&[2], "group-2", None),
        (&[2], "n1", None),
        (
            &[1, 2],
            "group-2",
            Some("decode each group by itself (ekv-backup decode NODE/group-2 DUMP --allow-missing-groups)"),
        ),
        (&[1, 2], "n1", None),
    ] {
        let room = node_room(groups);
        let before = room.names();
        let encode = EncodeOptions { accept_losses: true, ..options() };
        let result = restore(&room.path("dump"), &room.path(data_dir), &encode, &prepare_options(), &NoProgress);
        match expected {
            None => assert!(result.is_ok(), "{groups:?} {data_dir}: {:?}", result.err()),
            Some(text) => {
                let error = result.unwrap_err();
                assert!(matches!(error.get_ref().downcast_ref(), Some(RestoreError::OtherGroup { .. })), "{error}");
                assert!(error.to_string().contains(text), "{error}");
                assert_eq!(room.names(), before);
            }
        }
    }
}
