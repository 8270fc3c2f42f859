//! `load`: from backups into real servers.

use ekv_testkit::fixtures::{ALL_3, REDIS_1, REDIS_2};
use ekv_testkit::redis::key;
use ekv_testkit::servers::{RedisServer, Reply};
use ekv_testkit::{SnapshotBuilder, truth};

use crate::support::{Room, Run};

pub(crate) fn url(server: &RedisServer) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

/// Keys of the server.
pub(crate) fn count(server: &RedisServer) -> i64 {
    server.client().call(&[b"DBSIZE"]).integer()
}

const AT: u64 = 1_000_000 << 16;
/// Farther than any test lasts, in Unix milliseconds.
const LATER_MS: u64 = 4_000_000_000_123;

pub(crate) fn string(expire_at_ms: Option<u64>, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0x01, u8::from(expire_at_ms.is_some())];
    bytes.extend(expire_at_ms.into_iter().flat_map(u64::to_be_bytes));
    bytes.extend_from_slice(value);
    bytes
}

/// A snapshot of strings.
pub(crate) fn strings(keys: &[(&str, Option<u64>, &str)]) -> Vec<u8> {
    let put = |snapshot: SnapshotBuilder, (name, expiry, value): &(&str, Option<u64>, &str)| {
        snapshot.put(&key::string(name.as_bytes()), AT, &string(*expiry, value.as_bytes()))
    };
    keys.iter().fold(SnapshotBuilder::new(), put).build()
}

/// A room with three strings.
fn room() -> Room {
    let room = Room::new();
    room.write("three.fsm", &strings(&[("a:1", None, "one"), ("a:2", Some(LATER_MS), "two"), ("b", None, "three")]));
    room
}

fn get(server: &RedisServer, name: &str) -> Option<Vec<u8>> {
    match server.client().call(&[b"GET", name.as_bytes()]) {
        Reply::Bulk(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn truth_of_every_fixture_is_what_a_server_answers_after_load() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    for (fixture, least) in [(REDIS_1, 150), (REDIS_2, 150), (ALL_3, 150)] {
        let snapshot = fixture.compressed_path();
        let truth = fixture.truth();
        let dump = format!("{}.dump", fixture.name);
        room.run(&["decode", snapshot.to_str().unwrap(), &dump]).assert_code(0);
        for (source, method) in
            [(snapshot.to_str().unwrap(), "auto"), (dump.as_str(), "auto"), (dump.as_str(), "commands")]
        {
            let mut client = server.client();
            client.call(&[b"FLUSHALL"]);
            let run = room.run(&["load", source, &url(&server), "--method", method, "--json"]);
            let report = run.assert_code(0).json();
            truth::compare_server(&mut client, truth::observation(&truth, "end")).assert_equal(least);
            let count_of = |name: &str| report[name].as_u64().unwrap();
            let sum: u64 = ["loaded", "existed", "expired", "empty", "failed"].into_iter().map(count_of).sum();
            assert_eq!(count_of("sent"), sum);
            assert_eq!(i64::try_from(count_of("loaded")).unwrap(), count(&server));
            assert_eq!(report["verified"]["different"], 0);
        }
    }
}

#[test]
fn dry_run_tells_what_would_happen_and_writes_nothing() {
    let Some(server) = RedisServer::start() else { return };
    let room = room();
    server.client().call(&[b"SET", b"b", b"own"]);
    let run = room.run(&["load", "three.fsm", &url(&server), "--dry-run"]);
    run.assert_code(0);
    assert!(run.stdout.contains("Would load 3 keys, 11 B, into redis"), "{run:?}");
    assert!(run.stdout.contains("already there 1"), "{run:?}");
    assert_eq!((count(&server), get(&server, "b").unwrap()), (1, b"own".to_vec()));
}

#[test]
fn key_that_is_there_ends_the_run_unless_it_is_skipped_or_replaced() {
    let Some(server) = RedisServer::start() else { return };
    let room = room();
    let load = |rule: &[&str]| room.run(&[&["load", "three.fsm", &url(&server)], rule].concat());
    server.client().call(&[b"SET", b"b", b"own"]);
    load(&[])
        .assert_code(1)
        .assert_says("redis:0/b: the target has this key already")
        .assert_says("--on-exists replace");
    assert_eq!(get(&server, "b").unwrap(), b"own");
    // Two were on their way behind the one that ended the run.
    let skipped = load(&["--on-exists", "skip"]);
    assert!(skipped.assert_code(0).stdout.contains("3 existed and stay as they were"), "{skipped:?}");
    assert_eq!(get(&server, "b").unwrap(), b"own");
    let replaced = load(&["--on-exists", "replace"]);
    assert!(replaced.assert_code(0).stdout.contains("Loaded 3 keys"), "{replaced:?}");
    assert_eq!(get(&server, "b").unwrap(), b"three");
    assert_eq!(server.client().call(&[b"PEXPIRETIME", b"a:2"]).integer(), i64::try_from(LATER_MS).unwrap());
}

#[test]
fn filters_names_and_databases_say_what_goes_where() {
    let Some(server) = RedisServer::start() else { return };
    let room = room();
    let load = |rest: &[&str]| room.run(&[&["load", "three.fsm"], rest].concat());
    let third = format!("{}/3", url(&server));
    load(&[&third, "--prefix", "a:", "--rename-prefix", "a:=x:"]).assert_code(0);
    assert_eq!(count(&server), 0);
    let mut client = server.client();
    client.call(&[b"SELECT", b"3"]);
    assert_eq!(client.call(&[b"DBSIZE"]).integer(), 2);
    assert_eq!(client.call(&[b"GET", b"x:1"]).bytes(), b"one");
    load(&[&url(&server), "--prefix", "nothing"]).assert_code(6);
    let meeting = load(&[&url(&server), "--rename-prefix", "a:1=y", "--rename-prefix", "a:2=y"]);
    meeting.assert_code(1).assert_says("two keys would both be called redis:0/y");
    load(&[&url(&server), "--rename-prefix", "a"]).assert_code(1).assert_says("expected OLD=NEW");
    assert_eq!(count(&server), 0);
}

#[test]
fn target_that_may_not_be_written_to_is_refused_before_anything_is_sent() {
    let Some(server) = RedisServer::start() else { return };
    let room = room();
    let load = |target: &str, rest: &[&str]| room.run(&[&["load", "three.fsm", target], rest].concat());
    let mut client = server.client();
    client.call(&[b"SET", b"own", b"x"]);
    load(&url(&server), &["--require-empty"]).assert_code(1).assert_says("it holds 1 keys");
    client.call(&[b"CONFIG", b"SET", b"maxmemory", b"100mb"]);
    client.call(&[b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lru"]);
    load(&url(&server), &[]).assert_code(1).assert_says("maxmemory-policy allkeys-lru");
    load(&url(&server), &["--allow-eviction"]).assert_code(0);
    client.call(&[b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction"]);
    load(&format!("{}/99", url(&server)), &[]).assert_code(1).assert_says("out of range");
    load(&url(&server).replace("redis", "rediss"), &[]).assert_code(1).assert_says("TLS");
    load("redis://:secret@127.0.0.1", &[]).assert_code(1).assert_says("does not belong into the address");
    load("redis://127.0.0.1:1", &[]).assert_code(1).assert_says("cannot connect to 127.0.0.1:1");
    let Some(other) = RedisServer::start() else { return };
    let port = server.port().to_string();
    other.client().call(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()]);
    load(&url(&other), &[]).assert_code(1).assert_says("name the master");
}

#[test]
fn password_comes_from_a_file_or_the_environment_and_a_narrow_access_list_is_enough() {
    let Some(server) = RedisServer::with(None, &["--requirepass", "se cret"]) else { return };
    let room = room();
    let load = |target: &str, rest: &[&str]| room.run(&[&["load", "three.fsm", target], rest].concat());
    load(&url(&server), &[]).assert_code(1).assert_says("EKV_REDIS_PASSWORD, or --password-file");
    room.write("pw", b"wrong\n");
    load(&url(&server), &["--password-file", "pw"]).assert_code(1).assert_says("WRONGPASS");
    room.write("pw", b"se cret\n");
    load(&url(&server), &["--password-file", "pw"]).assert_code(0);
    let mut command = room.command(["load", "three.fsm", &url(&server), "--on-exists", "replace"]);
    let run: Run = crate::support::end_of(command.env("EKV_REDIS_PASSWORD", "se cret").spawn().unwrap());
    run.assert_code(0);
    // Nobody may RESTORE: collections go by commands.
    let mut client = server.client();
    client.call(&[b"AUTH", b"se cret"]);
    let rules = "ACL SETUSER app on >pw ~* +set +hset +rpush +sadd +zadd +xadd +xsetid +xgroup +pexpireat +pexpire +persist +rename \
        +renamenx +unlink +exists +multi +exec +select +ping +info +dbsize +time +type +pexpiretime +getrange +hscan +lrange +sscan +zscan \
        +xrange +xinfo";
    client.call(&rules.split_whitespace().map(str::as_bytes).collect::<Vec<_>>());
    client.call(&[b"FLUSHALL"]);
    room.write("pw", b"pw");
    let target = url(&server).replace("127", "app@127");
    let snapshot = REDIS_1.compressed_path();
    let run = room.run(&["load", snapshot.to_str().unwrap(), &target, "--password-file", "pw"]);
    run.assert_code(0).assert_says("by commands");
    let truth = REDIS_1.truth();
    truth::compare_server(&mut client, truth::observation(&truth, "end")).assert_equal(150);
    let run = room.run(&["load", snapshot.to_str().unwrap(), &target, "--password-file", "pw", "--method", "restore"]);
    run.assert_code(1).assert_says("does not take RESTORE");
}

#[test]
fn full_target_ends_the_run_and_keeps_whole_keys() {
    let Some(server) = RedisServer::with(None, &["--maxmemory", "3mb"]) else { return };
    let room = Room::new();
    let value = "x".repeat(100_000);
    let names: Vec<String> = (0..60).map(|number| format!("k{number:02}")).collect();
    let keys: Vec<_> = names.iter().map(|name| (name.as_str(), None, value.as_str())).collect();
    room.write("large.fsm", &strings(&keys));
    let run = room.run(&["load", "large.fsm", &url(&server)]);
    run.assert_code(3).assert_says("OOM command not allowed").assert_says("each of them whole");
    let there = count(&server);
    assert!((1..60).contains(&there), "{there}");
    for name in &names {
        assert!(get(&server, name).is_none_or(|found| found == value.as_bytes()));
    }
}
