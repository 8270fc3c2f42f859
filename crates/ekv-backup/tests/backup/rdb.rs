//! RDB files: into a dump, out of one, and what cannot be carried over.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use ekv_backup::leave::{ExportOptions, ExportReport, RdbFileReport, RdbOptions, RdbTarget, export_to_rdb};
use ekv_backup::see::{DiffOptions, Source, diff};
use ekv_backup::{
    Class, CommandError, DecodeOptions, DirOptions, EncodeOptions, EventOptions, Expired, NoProgress, Protocol,
    RdbError, ReadOptions, Resources, Result, decode, encode, inspect, verify,
};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::{ALL_3, REDIS_1, REDIS_2};
use ekv_testkit::redis::{Wide, key, value};
use ekv_testkit::servers::{Client, RedisServer, Reply, is_available};
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

fn exported(source: &Path, file: &Path, options: &ExportOptions) -> Result<ExportReport<RdbFileReport>> {
    let target = RdbTarget::File(file, DirOptions::default());
    export_to_rdb(source, target, &RdbOptions::default(), options, &NoProgress)
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
    assert!(report.findings.iter().any(|finding| finding.name == "rdb_nan_score" && finding.count == 1));
}

/// What a server holds, read key by key and type by type.
fn held(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    for database in 0..16 {
        assert_eq!(client.call(&[b"SELECT", database.to_string().as_bytes()]), Reply::Status("OK".into()));
        for key in client.call(&[b"KEYS", b"*"]).array() {
            let key = key.bytes();
            let Reply::Status(kind) = client.call(&[b"TYPE", &key]) else { panic!() };
            let words: Vec<&[u8]> = match kind.as_str() {
                "string" => vec![b"GET", &key],
                "list" => vec![b"LRANGE", &key, b"0", b"-1"],
                "set" => vec![b"SMEMBERS", &key],
                "hash" => vec![b"HGETALL", &key],
                "zset" => vec![b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"],
                _ => vec![b"XRANGE", &key, b"-", b"+"],
            };
            let reply = client.call(&words);
            let shown = match (kind.as_str(), reply) {
                ("set", Reply::Array(mut members)) => {
                    members.sort_by_key(|member| format!("{member:?}"));
                    format!("{members:?}")
                }
                ("hash", Reply::Array(fields)) => {
                    let mut pairs: Vec<String> = fields.chunks(2).map(|pair| format!("{pair:?}")).collect();
                    pairs.sort();
                    format!("{pairs:?}")
                }
                (_, reply) => format!("{reply:?}"),
            };
            let last = if kind == "stream" {
                format!("{:?}", client.call(&[b"XINFO", b"STREAM", &key]).array().get(7))
            } else {
                String::new()
            };
            let expiry = client.call(&[b"PEXPIRETIME", &key]);
            lines.push(format!("{database} {} {kind} {expiry:?} {last} {shown}", key.escape_ascii()));
        }
    }
    lines.sort();
    lines
}

/// The keys of `docs/format/rdb.md`, section 7, but for what only a server itself can have.
fn torture(client: &mut Client) {
    let all_bytes: Vec<u8> = (0..768_u16).map(|n| n.to_le_bytes()[0]).collect();
    let all = &all_bytes[..256];
    let long = vec![b'y'; 9000];
    let mut call = |words: &[&[u8]]| {
        let reply = client.call(words);
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    };
    call(&[b"SET", b"", b""]);
    call(&[b"SET", all, &all_bytes, b"PXAT", b"2000000000123"]);
    call(&[b"SET", b"int", b"12345"]);
    for edge in [
        "-1",
        "0",
        "12",
        "13",
        "127",
        "128",
        "4095",
        "-4096",
        "4096",
        "32767",
        "-32768",
        "8388607",
        "-8388608",
        "2147483647",
        "9223372036854775807",
        "007",
        "-0",
        "1.5",
    ] {
        call(&[b"RPUSH", b"ll", edge.as_bytes()]);
    }
    call(&[b"RPUSH", b"big", b"", &long, b"x", b"x"]);
    let numbers: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    for chunk in numbers.chunks(2000) {
        let words = |command: &'static [u8], key: &'static [u8]| -> Vec<&[u8]> {
            [command, key].into_iter().chain(chunk.iter().map(String::as_bytes)).collect()
        };
        call(&words(b"RPUSH", b"big"));
        call(&words(b"PFADD", b"pf"));
    }
    call(&[b"SADD", b"se", b"x", b"\x80", b"1", b"2"]);
    for number in &numbers[..2000] {
        call(&[b"SADD", b"ints", number.as_bytes()]);
        call(&[b"HSET", b"he3000", number.as_bytes(), &[number.as_bytes(), b"v"].concat()]);
    }
    call(&[b"HSET", b"he", b"", b"\xff"]);
    call(&[b"PEXPIREAT", b"he", b"2000000000456"]);
    for (score, member) in
        [("inf", "a"), ("-inf", "b"), ("-0", "c"), ("5e-324", "d"), ("0.1", "e"), ("1e21", "f"), ("2", "g")]
    {
        call(&[b"ZADD", b"ze", score.as_bytes(), member.as_bytes()]);
    }
    call(&[b"XADD", b"xs", b"1-1", b"k", b"v", b"k", b"", b"", b"e"]);
    for n in 2..250 {
        call(&[b"XADD", b"xs", format!("{n}-0").as_bytes(), b"f", n.to_string().as_bytes()]);
    }
    call(&[b"XADD", b"xs", b"999-7", b"long", &long[..5000]]);
    call(&[b"XADD", b"xs", b"18446744073709551615-18446744073709551615", b"f", b"v"]);
    call(&[b"XADD", b"xe", b"9-9", b"f", b"v"]);
    call(&[b"XDEL", b"xe", b"9-9"]);
    call(&[b"XADD", b"xg", b"1-1", b"f", b"v"]);
    call(&[b"XADD", b"xg", b"1-2", b"f", b"w"]);
    call(&[b"XADD", b"xg", b"1-3", b"g", b"x"]);
    call(&[b"XGROUP", b"CREATE", b"xg", b"g", b"0"]);
    call(&[b"XREADGROUP", b"GROUP", b"g", b"c1", b"COUNT", b"1", b"STREAMS", b"xg", b">"]);
    call(&[b"XDEL", b"xg", b"1-2"]);
    call(&[b"SET", b"zipped", &vec![b'z'; 100_000]]);
    call(&[b"SET", b"k", b"in 0"]);
    call(&[b"SELECT", b"3"]);
    call(&[b"SET", b"k", b"in 3", b"PXAT", b"2000000000123"]);
}

#[test]
fn torture_file_of_a_server_goes_through_a_dump_and_is_the_same_in_a_server_again() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    torture(&mut client);
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fs::write(path("a.rdb"), server.save()).unwrap();
    let expected = held(&mut client);
    let report = decode(&path("a.rdb"), &*path("dump"), &DecodeOptions::default(), &NoProgress).unwrap();
    let names: Vec<_> = report.books.findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names, ["rdb_groups_dropped", "redis_hll_opaque", "rdb_several_databases"]);
    assert!(verify(&path("dump"), &NoProgress).unwrap().sound);
    assert_eq!(differences(&path("a.rdb"), &path("dump"), &ReadOptions::default()), [""; 0]);
    let written = exported(&path("dump"), &path("b.rdb"), &options(ReadOptions::default()));
    assert_eq!(written.unwrap().made.written, 17);
    check_with_server_tool(&path("b.rdb"));
    let again = RedisServer::of_file(&fs::read(path("b.rdb")).unwrap()).unwrap();
    assert_eq!(held(&mut again.client()), expected);
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
