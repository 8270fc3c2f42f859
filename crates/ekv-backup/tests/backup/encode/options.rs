//! What the options allow, and what is refused before anything is written.

use ekv_testkit::selection;
use std::fs;

use ekv_backup::restore::EncodeInfo;
use ekv_backup::{
    ChecksumsOptions, Class, EncodeOptions, ExistingTarget, NoProgress, Protocol, SqsVisibility, checksums,
};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::ALL_3;

use crate::encode::room::{Room, decode_options, options};

/// Unix milliseconds 1 700 000 000 000.
const T: u64 = 111_411_200_000_000_007;

fn redis_room(cluster_id: &str) -> Room {
    let mut decode_options = decode_options();
    decode_options.cluster_id = cluster_id.into();
    decode_options.events.adapters = vec![Protocol::Redis];
    let snapshot = SnapshotBuilder::new()
        .put(b"!redis|str|user:1", T, b"\xff\x01\x00one")
        .put(b"!redis|str|user:2", T, b"\xff\x01\x00two")
        .put(b"!redis|str|x", T, b"\xff\x01\x00three")
        .build();
    Room::with_dump_of(&snapshot, &decode_options)
}

#[test]
fn timestamp_may_be_raised_and_not_lowered() {
    let room = redis_room("");
    for (n, higher) in [T, T + 1, T + (1 << 30)].into_iter().enumerate() {
        let mut options = options();
        options.last_commit_ts = Some(higher);
        let name = format!("{n}.fsm");
        let report = room.encode("dump", &name, &options).unwrap();
        assert_eq!(report.payload.last_commit.hlc, higher);
        let info = EncodeInfo::parse(&room.bytes(&format!("{name}.encode_info.json"))).unwrap();
        assert_eq!(
            (info.last_commit_ts, info.last_commit_ts_overridden, info.manifest_last_commit_ts),
            (higher, true, T)
        );
    }
    for lower in [T - 1, 0] {
        let mut options = options();
        options.last_commit_ts = Some(lower);
        let error = room.refusal(Class::Data, &options);
        assert!(error.to_string().contains("is below 111411200000000007"), "{error}");
    }
}

#[test]
fn timestamp_in_the_far_future_needs_consent_and_the_end_of_time_is_refused() {
    let room = redis_room("");
    let mut options = options();
    let two_days_ms = 2 * 86_400_000;
    let now_ms = u64::try_from(options.now.as_millisecond()).unwrap();
    options.last_commit_ts = Some((now_ms + two_days_ms) << 16);
    let error = room.refusal(Class::Data, &options);
    assert!(error.to_string().contains("--allow-future-timestamps"), "{error}");
    options.allow_future_timestamps = true;
    room.encode("dump", "future.fsm", &options).unwrap();
    options.last_commit_ts = Some(u64::MAX - 0xffff);
    assert!(room.refusal(Class::Data, &options).to_string().contains("end of time"));
}

#[test]
fn timestamp_zero_is_a_warning_and_strict_mode_refuses_it() {
    let snapshot = SnapshotBuilder::new().bare().build();
    let room = Room::with_dump_of(&snapshot, &decode_options());
    let allowed = EncodeOptions { allow_empty: true, ..options() };
    let report = room.encode("dump", "zero.fsm", &allowed).unwrap();
    assert_eq!((report.payload.records, report.payload.last_commit.hlc), (0, 0));
    assert!(report.payload.self_test.matched);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    let mut strict = allowed;
    strict.strict = true;
    assert!(room.refusal(Class::Data, &strict).to_string().starts_with("strict mode: "));
}

#[test]
fn adapter_that_the_dump_does_not_hold_is_refused() {
    let room = redis_room("");
    let mut options = options();
    options.adapters = Some(vec![Protocol::Redis, Protocol::S3]);
    let error = room.refusal(Class::Data, &options);
    assert_eq!(
        error.to_string(),
        "s3 was asked for, but MANIFEST.json says that the dump does not hold it, only redis"
    );
}

#[test]
fn selected_names_alone_are_encoded_and_compared() {
    let room = redis_room("");
    let mut options = options();
    options.scope = selection([b"x".to_vec()], [b"user:2".to_vec()]);
    let report = room.encode("dump", "out.fsm", &options).unwrap();
    assert_eq!((report.payload.records, report.payload.dump_files_left_out), (2, 1));
    assert!(report.payload.self_test.matched);
    room.decode("out.fsm", "again", &decode_options());
    let names: Vec<String> = room.data("again").into_keys().collect();
    assert_eq!(names, ["redis/db_0/strings/user%3A2.bin", "redis/db_0/strings/x.bin"]);
}

#[test]
fn existing_payload_or_info_file_is_refused_and_force_replaces_both() {
    for existing in ["out.fsm", "out.fsm.encode_info.json"] {
        let room = redis_room("");
        fs::write(room.path(existing), b"old").unwrap();
        assert!(room.refusal(Class::Environment, &options()).to_string().contains("exists already"));
        let mut force = options();
        force.sink.existing = ExistingTarget::Replace;
        room.encode("dump", "out.fsm", &force).unwrap();
        let names = ["dump", "out.fsm", "out.fsm.encode_info.json", "snapshot.fsm"];
        assert_eq!(room.names(), names);
        assert!(room.bytes("out.fsm").starts_with(b"EKVPBBL1"));
        EncodeInfo::parse(&room.bytes("out.fsm.encode_info.json")).unwrap();
    }
}

#[test]
fn payload_without_self_test_says_so() {
    let room = redis_room("lab");
    let mut untested = options();
    untested.self_test = false;
    let report = room.encode("dump", "out.fsm", &untested).unwrap();
    assert!(!report.payload.self_test.ran && !report.payload.self_test.matched);
    let info = EncodeInfo::parse(&room.bytes("out.fsm.encode_info.json")).unwrap();
    assert!(!info.self_test.ran && !info.self_test.matched);
    assert_eq!(info.manifest_cluster_id, "lab");
}

#[test]
fn what_no_client_can_see_stays_in_the_dump_with_a_warning_that_strict_mode_refuses() {
    let mut with_all = decode_options();
    with_all.events.adapters = vec![Protocol::Sqs];
    with_all.events.sqs.include_side_records = true;
    with_all.events.sqs.include_orphans = true;
    with_all.events.include_unknown = true;
    let room = Room::with_dump_of(&ALL_3.bytes(), &with_all);
    fs::create_dir_all(room.path("dump/_unknown")).unwrap();
    fs::write(room.path("dump/_unknown/unknown.jsonl"), b"{}\n").unwrap();
    checksums(&room.path("dump"), &ChecksumsOptions::default(), &NoProgress).unwrap();
    let report = room.encode("dump", "out.fsm", &options()).unwrap();
    assert!(report.payload.self_test.matched);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("raw_records_not_encoded: ")), "{report:?}");
    let mut strict = options();
    strict.strict = true;
    strict.sink.existing = ExistingTarget::Replace;
    let error = room.refusal(Class::Data, &strict);
    assert!(error.to_string().starts_with("strict mode: "), "{error}");
}

#[test]
fn records_of_the_reference_pass_the_self_test_and_do_not_lose_receives_in_silence() {
    let mut only_sqs = decode_options();
    only_sqs.events.adapters = vec![Protocol::Sqs];
    let room = Room::with_dump_of(&ALL_3.bytes(), &only_sqs);
    let mut reference = options();
    reference.reference_bytes = true;
    let report = room.encode("dump", "out.fsm", &reference).unwrap();
    assert!(report.payload.self_test.matched);
    room.encode("dump", "ours.fsm", &options()).unwrap();
    assert!(room.bytes("out.fsm") != room.bytes("ours.fsm"));

    only_sqs.tree.sqs_visibility = SqsVisibility::Keep;
    let room = Room::with_dump_of(&ALL_3.bytes(), &only_sqs);
    let error = room.refusal(Class::Data, &reference);
    assert!(error.to_string().contains("--preserve-sqs-visibility"), "{error}");
}
