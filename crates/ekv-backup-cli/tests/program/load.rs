//! `load`: from backups into real servers.

use ekv_testkit::fixtures::REDIS_1;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ekv_testkit::servers::{RedisCluster, RedisServer, Reply};
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

/// A snapshot of strings.
pub(crate) fn strings(keys: &[(&str, Option<u64>, &str)]) -> Vec<u8> {
    let put = |snapshot: SnapshotBuilder, (name, expiry, text): &(&str, Option<u64>, &str)| {
        snapshot.put(&key::string(name.as_bytes()), AT, &value::string(text.as_bytes(), *expiry))
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

#[test]
fn compare_finds_each_single_change() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    let snapshot = REDIS_1.compressed_path();
    let source = snapshot.to_str().unwrap();
    room.run(&["load", source, &url(&server)]).assert_code(0);
    let mut client = server.client();
    let compare = |rest: &[&str]| room.run(&[&["compare", source, &url(&server)], rest].concat());
    compare(&[]).assert_code(0).assert_says("no difference");
    compare(&["-q"]).assert_code(0);
    // A count that a server keeps beside the registers is no difference.
    let names = client.call(&[b"KEYS", b"*"]).array();
    let mut of_kind = std::collections::BTreeMap::new();
    for name in names {
        let name = name.bytes();
        let Reply::Status(kind) = client.call(&[b"TYPE", &name]) else { panic!() };
        let is_hll = kind == "string" && client.call(&[b"GETRANGE", &name, b"0", b"3"]).bytes() == b"HYLL";
        if is_hll {
            client.call(&[b"PFCOUNT", &name]);
        }
        let has_elements = kind != "stream" || client.call(&[b"XLEN", &name]).integer() > 0;
        if has_elements && client.call(&[b"PTTL", &name]).integer() == -1 {
            of_kind.entry(if is_hll { "hll".to_owned() } else { kind }).or_insert(name);
        }
    }
    compare(&[]).assert_code(0);
    let key = |kind: &str| of_kind[kind].clone();
    let changes: Vec<(char, Vec<Vec<u8>>)> = vec![
        ('~', vec![b"APPEND".to_vec(), key("string"), b"x".to_vec()]),
        ('~', vec![b"PFADD".to_vec(), key("hll"), b"one more".to_vec(), b"and another".to_vec()]),
        ('~', vec![b"HSET".to_vec(), key("hash"), b"one more".to_vec(), b"".to_vec()]),
        ('~', vec![b"RPUSH".to_vec(), key("list"), b"".to_vec()]),
        ('~', vec![b"SADD".to_vec(), key("set"), b"one more".to_vec()]),
        ('~', vec![b"ZADD".to_vec(), key("zset"), b"5e-324".to_vec(), b"one more".to_vec()]),
        ('~', vec![b"XSETID".to_vec(), key("stream"), b"18446744073709551615-1".to_vec()]),
        ('E', vec![b"PEXPIREAT".to_vec(), key("string"), b"4000000000123".to_vec()]),
        ('T', vec![b"RENAME".to_vec(), key("set"), key("list")]),
        ('-', vec![b"UNLINK".to_vec(), key("zset")]),
        ('+', vec![b"SET".to_vec(), b"one more".to_vec(), b"".to_vec()]),
    ];
    for (mark, change) in changes {
        client.call(&[b"FLUSHALL"]);
        room.run(&["load", source, &url(&server), "--verify", "none", "--no-preflight"]).assert_code(0);
        let reply = client.call(&change.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        let run = compare(&[]);
        assert!(run.assert_code(6).stdout.lines().any(|line| line.starts_with(mark)), "{mark} {run:?}");
        let lines = run.stdout.lines().count();
        assert_eq!(lines, if mark == 'T' { 2 } else { 1 }, "{mark} {run:?}");
        compare(&["-q"]).assert_code(6);
    }
    let renamed = Room::new();
    client.call(&[b"FLUSHALL"]);
    renamed.write("three.fsm", &strings(&[("a:1", None, "one"), ("b", None, "three")]));
    renamed.run(&["load", "three.fsm", &url(&server), "--rename-prefix", "a:=x:"]).assert_code(0);
    renamed.run(&["compare", "three.fsm", &url(&server), "--rename-prefix", "a:=x:"]).assert_code(0);
    renamed.run(&["compare", "three.fsm", &url(&server)]).assert_code(6);
    renamed.run(&["compare", "three.fsm", &url(&server), "--prefix", "b"]).assert_code(0);
    renamed.run(&["compare", "three.fsm", &url(&server), "--larger-than", "1"]).assert_code(1);
}

/// A string with an expiry and two hashes.
fn few() -> Vec<u8> {
    let hash = |records: RedisRecords, name: &[u8]| {
        let records = records.put(Wide::Hash.meta(name), value::meta(2, 0));
        records.put(Wide::Hash.element(name, b"f"), b"value").put(Wide::Hash.element(name, b"g"), b"")
    };
    let records = RedisRecords::new().put(key::string(b"s"), value::string(b"v", Some(LATER_MS)));
    hash(hash(records, b"h"), b"i").snapshot().build()
}

/// Passes bytes on to a server, and says when so many of the client's have passed; further ones are kept until it is told to go on.
struct Proxy {
    port: u16,
    left: Arc<AtomicU64>,
    reached: Receiver<()>,
}

impl Proxy {
    fn to(server: &RedisServer) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, target) = (listener.local_addr().unwrap().port(), server.port());
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let (tell, reached) = channel();
        let shared = Arc::clone(&left);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", target)).unwrap());
                let (mut replies, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut replies, &mut back));
                let (left, tell) = (Arc::clone(&shared), tell.clone());
                std::thread::spawn(move || pass(client, server, &left, &tell));
            }
        });
        Proxy { port, left, reached }
    }
}

fn pass(mut client: TcpStream, mut server: TcpStream, left: &AtomicU64, tell: &Sender<()>) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = client.read(&mut buffer) {
        let before = left.load(Ordering::SeqCst);
        let passed = usize::try_from(before).unwrap_or(usize::MAX).min(len);
        left.fetch_sub(u64::try_from(passed).unwrap(), Ordering::SeqCst);
        server.write_all(&buffer[..passed]).unwrap();
        if passed < len {
            tell.send(()).unwrap();
            // The rest never comes.
            return;
        }
    }
}

/// Kills a load through the proxy when so many bytes have passed, and lets it go on, for every so many; what the servers hold is then the
/// backup, and nothing else.
fn kill_and_go_on(servers: &[RedisServer], proxy: &Proxy, target: &str, step: usize) {
    let room = Room::new();
    room.write("few.fsm", &few());
    for method in ["auto", "commands"] {
        for bytes in (0..).step_by(step) {
            servers.iter().for_each(|server| drop(server.client().call(&[b"FLUSHALL"])));
            let _ = std::fs::remove_file(room.path("file"));
            let load = ["load", "few.fsm", target, "--resume", "file", "--method", method, "--verify", "none"];
            proxy.left.store(bytes, Ordering::SeqCst);
            let mut child = room.command(load).spawn().unwrap();
            let was_killed = loop {
                if proxy.reached.recv_timeout(Duration::from_millis(1)).is_ok() {
                    break true;
                }
                if child.try_wait().unwrap().is_some() {
                    break false;
                }
            };
            let _ = child.kill();
            let ended = child.wait_with_output().unwrap();
            proxy.left.store(u64::MAX, Ordering::SeqCst);
            // Of the run that was killed further connections may have been told of.
            while proxy.reached.try_recv().is_ok() {}
            if was_killed {
                room.run(&load).assert_code(0);
            } else {
                assert!(ended.status.success(), "{ended:?}");
            }
            room.run(&["compare", "few.fsm", target]).assert_code(0);
            assert_eq!(servers.iter().map(count).sum::<i64>(), 3, "no key of its own is left");
            assert!(!room.path("file").exists());
            if !was_killed {
                assert!(bytes > 500, "{bytes}");
                break;
            }
        }
    }
}

#[test]
fn load_killed_at_any_write_goes_on_to_the_same_and_leaves_no_key_of_its_own() {
    let Some(server) = RedisServer::start() else { return };
    let proxy = Proxy::to(&server);
    let target = format!("redis://127.0.0.1:{}", proxy.port);
    kill_and_go_on(&[server], &proxy, &target, 53);
}

#[test]
fn load_into_a_cluster_killed_at_any_write_goes_on_to_the_same_and_leaves_no_key_of_its_own() {
    let Some(cluster) = RedisCluster::start(2) else { return };
    // Two of the keys are on the second node, which is reached through the proxy.
    let second = &cluster.servers()[1];
    let proxy = Proxy::to(second);
    let port = proxy.port.to_string();
    second.client().call(&[&b"CONFIG"[..], b"SET", b"cluster-announce-port", port.as_bytes()]);
    let through_proxy = |server: &RedisServer| {
        let slots = format!("{:?}", server.client().call(&[b"CLUSTER", b"SLOTS"]));
        slots.contains(&format!("Integer({port})"))
    };
    while !cluster.servers().iter().all(through_proxy) {
        std::thread::yield_now();
    }
    kill_and_go_on(cluster.servers(), &proxy, &url(&cluster.servers()[0]), 89);
}

#[test]
fn load_that_stopped_goes_on_and_never_into_a_server_that_was_emptied_or_with_another_source() {
    let Some(server) = RedisServer::with(None, &["--maxmemory", "3mb"]) else { return };
    let room = Room::new();
    let value = "x".repeat(100_000);
    let names: Vec<String> = (0..60).map(|number| format!("k{number:02}")).collect();
    let keys: Vec<_> = names.iter().map(|name| (name.as_str(), None, value.as_str())).collect();
    room.write("large.fsm", &strings(&keys));
    room.write("other.fsm", &strings(&keys[..59]));
    let load =
        |source: &str, rest: &[&str]| room.run(&[&["load", source, &url(&server), "--resume", "file"], rest].concat());
    load("large.fsm", &[]).assert_code(3).assert_says("the same command goes on from here");
    assert!(room.path("file").exists());
    let mut client = server.client();
    client.call(&[b"CONFIG", b"SET", b"maxmemory", b"0"]);
    load("other.fsm", &[]).assert_code(1).assert_says("the source was");
    load("large.fsm", &["--prefix", "k0"]).assert_code(1).assert_says("the selection was");
    load("large.fsm", &["--on-exists", "skip"]).assert_code(1).assert_says("how it is written was");
    let kept = std::fs::read(room.path("file")).unwrap();
    let report = load("large.fsm", &["--json"]).assert_code(0).json();
    assert_eq!((report["sent"].as_u64(), report["loaded"].as_u64()), (Some(60), Some(60)));
    assert!(report["resumed_after"].as_u64().unwrap() > 0);
    assert_eq!(count(&server), 60);
    assert!(!room.path("file").exists());
    room.write("file", &kept);
    client.call(&[b"FLUSHALL"]);
    load("large.fsm", &[]).assert_code(1).assert_says("was emptied since");
    assert_eq!(count(&server), 0);
}

#[test]
fn every_way_of_reading_back_finds_what_changed() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    let snapshot = REDIS_1.compressed_path();
    let source = snapshot.to_str().unwrap();
    for verify in ["none", "count", "list", "sample:50", "full"] {
        server.client().call(&[b"FLUSHALL"]);
        let report = room.run(&["load", source, &url(&server), "--verify", verify, "--json"]).assert_code(0).json();
        let read = report["verified"]["count"].as_u64();
        match verify {
            "none" => assert_eq!(read, None),
            // Of those that were chosen some have expired.
            "sample:50" => assert!((20..=50).contains(&read.unwrap()), "{read:?}"),
            _ => assert_eq!(read, report["loaded"].as_u64(), "{verify}"),
        }
        assert!(verify == "none" || report["verified"]["different"] == 0);
    }
}

#[test]
fn load_aside_becomes_visible_in_one_step_or_not_at_all() {
    let Some(server) = RedisServer::start() else { return };
    let room = room();
    let mut client = server.client();
    client.call(&[b"SET", b"own", b"x"]);
    let load = |rest: &[&str]| room.run(&[&["load", "three.fsm", &url(&server), "--into-db", "1"], rest].concat());
    let run = load(&["--resume", "file", "--verify", "full"]);
    assert!(run.assert_code(0).stdout.contains("databases changed places"), "{run:?}");
    assert_eq!((count(&server), get(&server, "own")), (3, None));
    client.call(&[b"SELECT", b"1"]);
    assert_eq!(client.call(&[b"KEYS", b"*"]).array(), [Reply::Bulk(Some(b"own".to_vec()))]);
    load(&[]).assert_code(1).assert_says("database 1 holds 1 keys");
    client.call(&[b"FLUSHDB"]);
    // Nothing of what cannot arrive is taken for everything.
    let records = RedisRecords::new()
        .put(key::string(b"kept"), value::string(b"v", None))
        .put(Wide::ZSet.meta(b"nan"), value::meta(1, 0))
        .put(Wide::ZSet.element(b"nan", b"m"), value::score(f64::NAN));
    room.write("nan.fsm", &records.snapshot().build());
    let run = room.run(&["load", "nan.fsm", &url(&server), "--into-db", "1"]);
    run.assert_code(5).assert_says("did not change places");
    assert_eq!(count(&server), 3);
    client.call(&[b"FLUSHDB"]);
    room.run(&["load", "three.fsm", &url(&server), "--into-db", "0"])
        .assert_code(1)
        .assert_says("of the target itself");
}

#[test]
fn members_without_a_number_are_lost_with_their_key_or_left_out_alone_as_asked() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    let records = RedisRecords::new()
        .put(Wide::ZSet.meta(b"z"), value::meta(2, 0))
        .put(Wide::ZSet.element(b"z", b"m"), value::score(f64::NAN))
        .put(Wide::ZSet.element(b"z", b"n"), value::score(1.5))
        .put(Wide::ZSet.meta(b"all"), value::meta(1, 0))
        .put(Wide::ZSet.element(b"all", b"m"), value::score(f64::NAN));
    room.write("nan.fsm", &records.snapshot().build());
    room.run(&["load", "nan.fsm", &url(&server)]).assert_code(5);
    assert_eq!(count(&server), 0);
    let run = room.run(&["load", "nan.fsm", &url(&server), "--nan", "drop-member", "--strict", "--json"]);
    let report = run.assert_code(0).assert_says("2 members of sorted sets were left out").json();
    assert_eq!((&report["loaded"], &report["empty"], &report["dropped_members"]), (&1.into(), &1.into(), &2.into()));
    let range = server.client().call(&[b"ZRANGE", b"z", b"0", b"-1", b"WITHSCORES"]).array();
    assert_eq!(range, [Reply::Bulk(Some(b"n".to_vec())), Reply::Bulk(Some(b"1.5".to_vec()))]);
}

#[test]
fn replicas_are_waited_for_and_too_few_are_refused_before_anything_is_written() {
    let (Some(server), Some(replica)) = (RedisServer::start(), RedisServer::start()) else { return };
    let room = room();
    let load = |rest: &[&str]| room.run(&[&["load", "three.fsm", &url(&server)], rest].concat());
    load(&["--wait-replicas", "1"]).assert_code(1).assert_says("0 replicas are connected");
    assert_eq!(count(&server), 0);
    let port = server.port().to_string();
    replica.client().call(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()]);
    let is_linked = || {
        let role = replica.client().call(&[b"ROLE"]).array();
        role.get(3) == Some(&Reply::Bulk(Some(b"connected".to_vec())))
    };
    while !is_linked() {
        std::thread::yield_now();
    }
    let run = load(&["--wait-replicas", "1"]);
    assert!(run.assert_code(0).stdout.contains("1 replica has everything"), "{run:?}");
    assert_eq!(count(&replica), 3);
}

#[test]
fn several_connections_a_bandwidth_and_a_gap_change_nothing_about_what_arrives() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    let snapshot = REDIS_1.compressed_path();
    let source = snapshot.to_str().unwrap();
    let options = ["--connections", "4", "--max-bandwidth", "1G/s", "--max-latency", "1000", "--replace-first"];
    for method in ["auto", "commands"] {
        let load = ["load", source, &url(&server), "--on-exists", "replace", "--verify", "full", "--method", method];
        room.run(&[&load[..], &options].concat()).assert_code(0);
        room.run(&["compare", source, &url(&server)]).assert_code(0);
    }
}
