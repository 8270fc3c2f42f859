//! RDB files: into a dump, out of one, and what cannot be carried over.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use ekv_backup::leave::{ExportOptions, ExportReport, FileReport, FileTarget, KeysOptions, export_keys};
use ekv_backup::see::{DiffOptions, Source, diff};
use ekv_backup::{
    Class, CommandError, DecodeOptions, DirOptions, EncodeOptions, EventOptions, Expired, NoProgress, Protocol,
    RdbError, ReadOptions, Resources, Result, decode, encode, inspect, verify,
};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::{ALL_3, REDIS_1, REDIS_2};
use ekv_testkit::redis::{Wide, key, value};
use ekv_testkit::servers::{RedisServer, is_available};
use ekv_testkit::vectors::rdb_of_every_type;

/// The moment that is stated for files that do not say theirs.
const AT: &str = "2026-11-30T00:00:00Z";

fn at() -> ReadOptions {
    ReadOptions { at: Some(AT.parse().unwrap()), ..ReadOptions::default() }
}

fn decode_at(rdb: &Path, dump: &Path) {
    decode(rdb, dump, &DecodeOptions { read: at(), ..DecodeOptions::default() }, &NoProgress).unwrap();
}

fn options(read: ReadOptions) -> ExportOptions {
    let mut events = EventOptions::of([Protocol::Redis]);
    events.redis.expired = Expired::Drop;
    ExportOptions { read, events, ..ExportOptions::default() }
}

fn exported(source: &Path, file: &Path, options: &ExportOptions) -> Result<ExportReport<FileReport>> {
    let target = FileTarget::File(file, DirOptions::default());
    export_keys(source, target, &KeysOptions::default(), options, &NoProgress)
}

fn differences(first: &Path, second: &Path, read: &ReadOptions) -> Vec<String> {
    let open = |path: &Path| match path.extension() {
        Some(_) => Source::open(path, read, &NoProgress).unwrap(),
        None => Source::open(path, &ReadOptions::default(), &NoProgress).unwrap(),
    };
    let mut events = EventOptions::of([Protocol::Redis]);
    events.redis.expired = Expired::Drop;
    let options = DiffOptions { events, strict_sqs: false, first_only: false, resources: Resources::DEFAULT };
    let mut lines = Vec::new();
    let mut take = |difference: &ekv_backup::see::Difference| {
        lines.push(format!("{} {}", difference.change.mark(), difference.address));
        Ok(())
    };
    diff(&mut open(first), &mut open(second), &options, &mut take, &NoProgress).unwrap();
    lines
}

#[test]
fn file_of_every_type_becomes_a_sound_dump_and_the_same_file_again() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fs::write(path("a.rdb"), rdb_of_every_type()).unwrap();
    decode_at(&path("a.rdb"), &path("dump"));
    assert!(verify(&path("dump"), &NoProgress).unwrap().sound);
    assert_eq!(fs::read(path("dump/redis/db_0/strings/s.bin")).unwrap(), b"\0v\xff");
    assert!(path("dump/redis/db_3/streams/x.jsonl").exists());
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path("dump/MANIFEST.json")).unwrap()).unwrap();
    assert_eq!(manifest["phase"], "phase0-snapshot-decode");
    assert_eq!(manifest["ekv_backup"]["source_kind"], "rdb");
    assert_eq!(manifest["ekv_backup"]["rdb"]["crc64"], "4250c8bd0cd8ff73");
    assert_eq!(manifest["adapters"]["redis"]["databases"], serde_json::json!([0, 3]));
    assert_eq!(differences(&path("a.rdb"), &path("dump"), &at()), [""; 0]);
    for (source, name, read) in [("a.rdb", "b.rdb", at()), ("dump", "c.rdb", ReadOptions::default())] {
        let report = exported(&path(source), &path(name), &options(read)).unwrap();
        assert_eq!((report.made.written, report.is_complete()), (6, true));
    }
    let bytes = fs::read(path("b.rdb")).unwrap();
    assert!(bytes == fs::read(path("c.rdb")).unwrap(), "the same keys are the same bytes");
    assert_eq!(bytes.len(), rdb_of_every_type().len());
    assert_eq!(differences(&path("a.rdb"), &path("c.rdb"), &at()), [""; 0]);
}

#[test]
fn encode_takes_the_file_but_for_other_databases() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fs::write(path("a.rdb"), rdb_of_every_type()).unwrap();
    let options = EncodeOptions::default();
    let error = encode(&path("a.rdb"), &path("p.fsm"), &options, &NoProgress).unwrap_err();
    assert!(matches!(error.get_ref().downcast_ref(), Some(CommandError::NoRdbMoment { .. })), "{error}");
    let stated = EncodeOptions { last_commit_ts: Some(1_790_000_000_000 << 16), ..options.clone() };
    let error = encode(&path("a.rdb"), &path("p.fsm"), &stated, &NoProgress).unwrap_err();
    assert!(error.to_string().contains("Redis database 3 cannot be encoded"), "{error}");
    let mut scope = ekv_backup::Scope::everything();
    scope.add_address(b"redis:0/", false).unwrap();
    let of_first = EncodeOptions { scope: scope.into(), ..stated };
    encode(&path("a.rdb"), &path("p.fsm"), &of_first, &NoProgress).unwrap();
    let mut lines = differences(&path("a.rdb"), &path("p.fsm"), &ReadOptions::default());
    lines.retain(|line| !line.contains("redis:3/"));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn moment_must_be_stated_where_the_file_does_not_and_only_there() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fs::write(path("a.rdb"), rdb_of_every_type()).unwrap();
    let refused = |name: &str, read: ReadOptions| {
        let options = DecodeOptions { read, ..DecodeOptions::default() };
        decode(&path(name), &*path("dump"), &options, &NoProgress).unwrap_err()
    };
    assert_eq!(refused("a.rdb", ReadOptions::default()).class(), Class::Environment);
    let Some(server) = RedisServer::start() else { return };
    fs::write(path("s.rdb"), server.save()).unwrap();
    let error = refused("s.rdb", at());
    assert!(matches!(error.get_ref().downcast_ref(), Some(CommandError::OneMomentOfRdb { .. })), "{error}");
    decode(&path("s.rdb"), &*path("dump"), &DecodeOptions::default(), &NoProgress).unwrap();
}

#[test]
fn damaged_file_is_refused_by_name_and_publishes_nothing() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    let mut bytes = rdb_of_every_type();
    bytes[100] ^= 4;
    fs::write(path("a.rdb"), bytes).unwrap();
    let options = DecodeOptions { read: at(), ..DecodeOptions::default() };
    let error = decode(&path("a.rdb"), &*path("dump"), &options, &NoProgress).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    assert!(error.get_ref().downcast_ref::<RdbError>().is_some_and(|error| error.file.ends_with("a.rdb")), "{error}");
    assert!(inspect(&path("a.rdb"), &ReadOptions::default(), &NoProgress).is_err());
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
}

#[test]
fn what_no_server_loads_is_left_out_told_and_counted() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    let ts = 1_700_000_000_000 << 16;
    let snapshot = SnapshotBuilder::new()
        .put(&key::string(b"kept"), ts, &value::string(b"v", None))
        .put(&Wide::ZSet.meta(b"nan"), ts, &value::meta(1, 0))
        .put(&Wide::ZSet.element(b"nan", b"m"), ts, &value::score(f64::NAN));
    fs::write(path("a.fsm"), snapshot.build()).unwrap();
    let strict = ExportOptions { strict: true, ..options(ReadOptions::default()) };
    assert_eq!(exported(&path("a.fsm"), &path("a.rdb"), &strict).unwrap_err().class(), Class::Data);
    assert!(!path("a.rdb").exists());
    let report = exported(&path("a.fsm"), &path("a.rdb"), &options(ReadOptions::default())).unwrap();
    assert_eq!((report.made.written, report.is_complete()), (1, false));
    let finding = report.findings.iter().find(|finding| finding.name == "rdb_nan_score").unwrap();
    assert_eq!((finding.count, finding.examples[0].address.as_deref()), (1, Some("redis:0/nan")));
}

/// The server's own tool finds nothing wrong.
fn check_with_server_tool(rdb: &Path) {
    if is_available("redis-check-rdb") {
        let output = std::process::Command::new("redis-check-rdb").arg(rdb).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("RDB looks OK"));
    }
}

#[test]
fn fixtures_are_the_same_in_an_exported_file() {
    for fixture in [REDIS_1, REDIS_2, ALL_3] {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name);
        let options = options(ReadOptions::default());
        let report = exported(&fixture.compressed_path(), &path("a.rdb"), &options).unwrap();
        assert!(report.is_complete() && report.made.written > 100, "{report:?}");
        check_with_server_tool(&path("a.rdb"));
        let (snapshot, mut read) = (path("s.fsm"), ReadOptions::default());
        fs::write(&snapshot, fixture.bytes()).unwrap();
        read.at = Some(ekv_snapshot::CommitTs(fixture.last_commit_ts).into());
        let lines = differences(&path("a.rdb"), &snapshot, &read);
        // HyperLogLogs have become strings, and what was empty is gone.
        let others: Vec<_> = lines.iter().filter(|line| !line.starts_with("T ") && !line.starts_with("+ ")).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}
