//! Running servers as a source.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ekv_testkit::fixtures::{self, ALL_3, REDIS_1, REDIS_2};
use ekv_testkit::servers::{Client, RedisCluster, RedisServer, Reply, is_available};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;

use crate::load::{count, url};
use crate::support::{Room, Run};

/// The files of a dump, without those that tell where it comes from.
fn content(room: &Room, dump: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = room.tree(dump);
    ["MANIFEST.json", "CHECKSUMS"].iter().for_each(|name| drop(files.remove(Path::new(name)).unwrap()));
    files
}

fn manifest(room: &Room, dump: &str) -> Value {
    serde_json::from_slice(&std::fs::read(room.path(dump).join("MANIFEST.json")).unwrap()).unwrap()
}

#[track_caller]
fn assert_same(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = one.keys().chain(other.keys());
    let different: Vec<&PathBuf> = names.filter(|name| one.get(*name) != other.get(*name)).collect();
    assert!(different.is_empty(), "{different:?}");
}

/// Names of what was found, in the manifest.
fn found(manifest: &Value) -> Vec<&str> {
    let findings = manifest["ekv_backup"]["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["name"].as_str().unwrap()).collect()
}

fn call(client: &mut Client, words: &[&[u8]]) {
    let reply = client.call(words);
    assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
}

/// Keys of which more than a page or a piece is read, in two databases, and what a dump cannot hold.
fn fill(client: &mut Client) {
    let long = vec![b'l'; 3 << 20];
    call(client, &[b"SET", b"long", &long]);
    let names: Vec<String> = (0..3000).map(|number| format!("{number}")).collect();
    for (number, name) in names.iter().map(String::as_bytes).enumerate() {
        let score = number.to_string();
        call(client, &[b"RPUSH", b"many:list", name]);
        call(client, &[b"HSET", b"many:hash", name, &[name, b"v"].concat()]);
        call(client, &[b"SADD", b"many:set", &[name, b"m"].concat()]);
        call(client, &[b"ZADD", b"many:zset", score.as_bytes(), name]);
        call(client, &[b"XADD", b"many:stream", format!("{}-0", number + 1).as_bytes(), b"f", name]);
    }
    call(client, &[b"HSET", b"wide:hash", b"long", &long, b"short", b""]);
    call(client, &[b"PFADD", b"counted", b"a", b"b"]);
    call(client, &[b"XGROUP", b"CREATE", b"many:stream", b"readers", b"0"]);
    call(client, &[b"XADD", b"bytes", b"1-1", b"\xff", b"v"]);
    call(client, &[b"SET", b"glob*[x]\\", b"v"]);
    call(client, &[b"SET", b"globbed", b"v", b"PXAT", b"4000000000123"]);
    call(client, &[b"SELECT", b"3"]);
    call(client, &[b"SET", b"k", b"in 3", b"PXAT", b"4000000000456"]);
    call(client, &[b"SELECT", b"0"]);
}

#[test]
fn dump_that_was_loaded_is_the_same_when_it_is_decoded_from_the_server() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    for (number, fixture) in [REDIS_1, REDIS_2, ALL_3].into_iter().enumerate() {
        server.client().call(&[b"FLUSHALL"]);
        let (first, second) = (format!("first-{number}"), format!("second-{number}"));
        let snapshot = fixture.compressed_path();
        // Its expiries have passed.
        let decode = ["decode", snapshot.to_str().unwrap(), &first, "--adapter", "redis", "--no-expiry"];
        room.run(&decode).assert_code(0);
        room.run(&["load", &first, &url(&server)]).assert_code(0);
        let run = room.run(&["decode", &url(&server), &second]);
        assert!(run.assert_code(0).stdout.contains("server_not_one_moment"), "{run:?}");
        room.run(&["verify", &second]).assert_code(0);
        let (mut one, mut other) = (content(&room, &first), content(&room, &second));
        // A server has estimates instead of members, and no empty collections but streams.
        let counted: Vec<String> = one
            .keys()
            .filter_map(|path| Some(path.strip_prefix("redis/db_0/hll").ok()?.to_str()?.to_owned()))
            .collect();
        assert!(!counted.is_empty());
        let is_other = |path: &Path, bytes: &[u8]| {
            let text = path.to_str().unwrap();
            let content = String::from_utf8_lossy(bytes);
            let empty = ["\"fields\": []", "\"items\": []", "\"members\": []"];
            let is_empty = text.ends_with(".json") && empty.iter().any(|empty| content.contains(empty));
            let is_count = counted.iter().any(|name| text == format!("redis/db_0/strings/{name}"));
            text.starts_with("redis/db_0/hll") || is_count || is_empty || text.ends_with("KEYMAP.jsonl")
        };
        one.retain(|path, bytes| !is_other(path, bytes));
        other.retain(|path, bytes| !is_other(path, bytes));
        // Small sorted sets of a server have no negative zero, large ones do.
        let sides = one.iter_mut().chain(&mut other);
        for (_, bytes) in sides.filter(|(path, _)| path.starts_with("redis/db_0/zsets")) {
            *bytes =
                String::from_utf8(bytes.clone()).unwrap().replace("\"score\": -0\n", "\"score\": 0\n").into_bytes();
        }
        assert_same(&one, &other);
        let manifest = manifest(&room, &second);
        assert_eq!(manifest["ekv_backup"]["source_kind"], "server");
        assert_eq!(manifest["ekv_backup"]["server"]["is_one_moment"], false);
        assert_eq!(manifest["ekv_backup"]["server"]["address"], url(&server));
    }
}

#[test]
fn dump_of_a_server_that_is_loaded_into_another_one_is_the_same_byte_for_byte() {
    let (Some(server), Some(other)) = (RedisServer::start(), RedisServer::start()) else { return };
    let room = Room::new();
    fill(&mut server.client());
    let snapshot = REDIS_1.compressed_path();
    let load = ["load", snapshot.to_str().unwrap(), &url(&server), "--shift-expiry", "--on-exists", "replace"];
    room.run(&load).assert_code(0);
    room.run(&["decode", &url(&server), "one"]).assert_code(0);
    assert!(room.path("one/redis/db_0/strings_ttl.jsonl").exists());
    // Two databases do not go into one.
    room.run(&["load", "one", &url(&other)]).assert_code(1).assert_says("redis:0/");
    assert_eq!(count(&other), 0);
    for database in ["0", "3"] {
        let target = format!("{}/{database}", url(&other));
        let selection = format!("redis:{database}/");
        room.run(&["load", "one", &target, &selection]).assert_code(0);
        room.run(&["compare", "one", &target, &selection]).assert_code(0).assert_says("no difference");
    }
    room.run(&["compare", "one", &url(&other)]).assert_code(1).assert_says("redis:0/");
    room.run(&["decode", &url(&other), "other"]).assert_code(0);
    assert_same(&content(&room, "one"), &content(&room, "other"));
}

#[test]
fn server_and_the_rdb_file_that_it_saves_become_the_same_dump_with_the_same_findings() {
    let Some(server) = RedisServer::start() else { return };
    fill(&mut server.client());
    let room = Room::new();
    room.write("saved.rdb", &server.save());
    room.run(&["decode", "saved.rdb", "saved"]).assert_code(0);
    room.run(&["decode", &url(&server), "live"]).assert_code(0);
    assert_same(&content(&room, "saved"), &content(&room, "live"));
    let (saved, live) = (manifest(&room, "saved"), manifest(&room, "live"));
    let expected = ["redis_beyond_elastickv", "redis_groups_dropped", "redis_hll_opaque", "redis_several_databases"];
    assert_eq!(found(&saved), expected);
    let mut of_server = found(&live);
    of_server.retain(|name| *name != "server_not_one_moment");
    assert_eq!(of_server, expected);
    assert_eq!(live["adapters"]["redis"]["databases"], serde_json::json!([0, 3]));
    room.run(&["decode", &url(&server), "strict", "--strict"]).assert_code(2).assert_says("redis_groups_dropped");
}

#[test]
fn verbs_take_a_server_for_a_backup() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    fill(&mut client);
    let room = Room::new();
    let run = |arguments: &[&str]| -> Run { room.run(arguments) };
    let lines = |run: Run| -> Vec<String> { run.assert_code(0).stdout.lines().map(str::to_owned).collect() };
    let address = url(&server);
    let all = lines(run(&["ls", &address]));
    assert_eq!((all.len(), all.last().unwrap().as_str()), (12, "redis:3/k"));
    assert_eq!(lines(run(&["ls", &address, "--prefix", "glob"])), ["redis:0/glob%2A%5Bx%5D%5C", "redis:0/globbed"]);
    assert_eq!(lines(run(&["ls", &address, "--prefix", "glob*", "--raw-names"])), ["redis:0/glob%2A%5Bx%5D%5C"]);
    assert_eq!(lines(run(&["ls", &address, "--type", "hash"])), ["redis:0/many:hash", "redis:0/wide:hash"]);
    assert_eq!(lines(run(&["ls", &format!("{address}/3")])), ["redis:3/k"]);
    assert_eq!(lines(run(&["ls", &address, "redis:0/many:list", "redis:0/absent"])), ["redis:0/many:list"]);
    let large = lines(run(&["ls", &address, "--larger-than", "1M"]));
    assert_eq!(large, ["redis:0/long", "redis:0/wide:hash"]);
    let many = run(&["ls", &address, "--more-than", "2999", "--json"]);
    assert_eq!(many.assert_code(0).stdout.lines().count(), 5);
    assert!(many.stdout.contains("\"elements\":3000"), "{many:?}");
    let got = run(&["get", &address, "redis:3/k"]);
    assert_eq!(got.assert_code(0).stdout, "in 3");
    run(&["get", &address, "absent"]).assert_code(6);
    let report = run(&["report", &address, "--json"]).assert_code(0).json();
    assert_eq!(report["totals"]["keys"], 12);
    let inspection = run(&["inspect", &address, "--json"]).assert_code(0).json();
    assert_eq!(inspection["server"]["keys"], 12);
    assert!(run(&["inspect", &address]).stdout.contains("not one moment"));
    run(&["export", &address, "out.rdb", "redis:0/"]).assert_code(0);
    run(&["diff", "out.rdb", &address, "redis:0/"]).assert_code(0);
    run(&["export", &address, "out.rdb", "redis:0/", "--force", "--dry-run"]).assert_code(0);
    let loaded = RedisServer::start().unwrap();
    run(&["load", &address, &url(&loaded), "redis:0/"]).assert_code(0);
    run(&["compare", &address, &url(&loaded), "redis:0/"]).assert_code(0);
    let resumed = run(&["load", &address, &url(&loaded), "redis:0/", "--on-exists", "replace", "--resume", "file"]);
    resumed.assert_code(1).assert_says("decode it first");
    run(&["history", &address, "long"]).assert_code(1);
    run(&["ls", &address, "--at", "1h ago"]).assert_code(1);
    run(&["ls", &address, "--changed-after", "1h ago"]).assert_code(1);
    run(&["verify", &address]).assert_code(1).assert_says("ekv-backup decode redis://");
    run(&["decode", "out.rdb", &address]).assert_code(1).assert_says("ekv-backup load SOURCE");
    run(&["decode", "redis://127.0.0.1:1", "dump"]).assert_code(1).assert_says("cannot connect to 127.0.0.1:1");
    run(&["decode", &address, "dump", "--prefix", "nothing"]).assert_code(6);
    assert!(!room.path("dump").exists());
}

#[test]
fn cluster_is_read_as_one_store_and_not_while_its_slots_are_moved() {
    let (Some(server), Some(cluster)) = (RedisServer::start(), RedisCluster::start(3)) else { return };
    let room = Room::new();
    let snapshot = REDIS_1.compressed_path();
    let source = snapshot.to_str().unwrap();
    let any = url(&cluster.servers()[2]);
    for target in [&url(&server), &any] {
        room.run(&["load", source, target]).assert_code(0);
    }
    room.run(&["decode", &url(&server), "alone"]).assert_code(0);
    room.run(&["decode", &any, "together"]).assert_code(0);
    assert_same(&content(&room, "alone"), &content(&room, "together"));
    assert_eq!(manifest(&room, "together")["ekv_backup"]["server"]["nodes"], 3);
    let listed = |address: &str| room.run(&["ls", address]).assert_code(0).stdout.clone();
    assert_eq!(listed(&url(&server)), listed(&any));
    let id = cluster.servers()[1].client().call(&[b"CLUSTER", b"MYID"]).bytes();
    let moved = cluster.servers()[0].client().call(&[b"CLUSTER", b"SETSLOT", b"7", b"MIGRATING", &id]);
    assert_eq!(moved, Reply::Status("OK".into()));
    room.run(&["decode", &any, "moved"]).assert_code(1).assert_says("slots of the cluster are being moved");
    room.run(&["compare", source, &any]).assert_code(1).assert_says("slots of the cluster are being moved");
    assert!(!room.path("moved").exists());
}

#[test]
fn commands_make_a_server_hold_what_the_backup_does_and_leave_or_replace_what_it_has() {
    let (Some(server), true) = (RedisServer::start(), is_available("redis-cli")) else { return };
    let room = Room::new();
    fill(&mut server.client());
    room.write("filled.rdb", &server.save());
    let mut client = server.client();
    let pipe = |commands: &[u8]| -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &server.port().to_string(), "--pipe"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        cli.stderr(Stdio::null());
        let mut child = cli.spawn().unwrap();
        child.stdin.take().unwrap().write_all(commands).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let snapshot = REDIS_1.compressed_path();
    for source in [snapshot.to_str().unwrap(), "filled.rdb"] {
        client.call(&[b"FLUSHALL"]);
        let name = if source == "filled.rdb" { "filled.resp" } else { "snapshot.resp" };
        let report = room.run(&["export", source, name, "--json"]).assert_code(0).json();
        let commands = std::fs::read(room.path(name)).unwrap();
        assert_eq!(report["bytes"].as_u64().unwrap(), u64::try_from(commands.len()).unwrap());
        let to_output = room.command(["export", source, "-", "--format", "resp"]).output().unwrap();
        assert!(to_output.status.success() && to_output.stdout == commands);
        let told = pipe(&commands);
        assert!(told.contains("errors: 0"), "{told}");
        for database in ["0", "3"] {
            let target = format!("{}/{database}", url(&server));
            let selection = format!("redis:{database}/");
            let code = if source == "filled.rdb" || database == "0" { 0 } else { 6 };
            room.run(&["compare", source, &target, &selection]).assert_code(code);
        }
        // The server has all of them.
        let again = pipe(&commands);
        call(&mut client, &[b"SELECT", b"3"]);
        let keys = count(&server) + client.call(&[b"DBSIZE"]).integer();
        call(&mut client, &[b"SELECT", b"0"]);
        assert!(again.contains(&format!("errors: {keys},")), "{again}");
        let first = client.call(&[b"RANDOMKEY"]).bytes();
        client.call(&[b"UNLINK", &first]);
        client.call(&[b"SET", &first, b"something else"]);
        room.run(&["export", source, name, "--force", "--replace"]).assert_code(0);
        assert!(pipe(&std::fs::read(room.path(name)).unwrap()).contains("errors: 0"));
        room.run(&["compare", source, &url(&server), "redis:0/"]).assert_code(0);
    }
}

/// A server with TLS, and its address through it.
fn server_with_tls(clients: &str) -> Option<(RedisServer, String)> {
    let folder = fixtures::data_dir().join("tls");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let options = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
    ];
    let server = RedisServer::with(None, &[&options[..], &["--tls-auth-clients", clients]].concat())?;
    Some((server, format!("rediss://127.0.0.1:{port}")))
}

fn tls_file(name: &str) -> String {
    fixtures::data_dir().join("tls").join(name).to_str().unwrap().to_owned()
}

#[test]
fn tls_is_spoken_with_servers_that_are_trusted_and_with_no_others() {
    let Some((server, address)) = server_with_tls("no") else { return };
    let room = Room::new();
    fill(&mut server.client());
    let authority = tls_file("ca.pem");
    let trusted = ["--cacert", &authority];
    let run = |arguments: &[&str], options: &[&str]| room.run(&[arguments, options].concat());
    run(&["decode", &address, "dump"], &trusted).assert_code(0);
    run(&["decode", &url(&server), "plain"], &[]).assert_code(0);
    assert_same(&content(&room, "dump"), &content(&room, "plain"));
    let selection = ["redis:0/"];
    let load = ["load", "dump", &address, "--on-exists", "replace", "--method", "commands", "--verify", "full"];
    run(&load, &[&trusted[..], &selection].concat()).assert_code(0);
    run(&["compare", "dump", &address, "redis:0/"], &trusted).assert_code(0);
    run(&["ls", &address.replace("127.0.0.1", "localhost")], &trusted).assert_code(0);
    // Nobody that this system knows has signed it.
    run(&["ls", &address], &[]).assert_code(1).assert_says("certificate").assert_says("--cacert");
    run(&["ls", &address], &["--cacert", &tls_file("stranger.pem")]).assert_code(1).assert_says("certificate");
    run(&["ls", &address], &["--tls-insecure"]).assert_code(0).assert_says("nobody proves");
    run(&["ls", &url(&server)], &trusted).assert_code(1).assert_says("rediss://");
    run(&["ls", &address], &["--cacert", &tls_file("server.key")]).assert_code(1).assert_says("expected certificates");
    run(&["ls", &address], &["--cacert", "absent.pem"]).assert_code(1).assert_says("absent.pem");
}

#[test]
fn server_is_shown_a_certificate_if_it_wants_one() {
    let Some((_server, address)) = server_with_tls("yes") else { return };
    let room = Room::new();
    let (authority, certificate, key) = (tls_file("ca.pem"), tls_file("client.pem"), tls_file("client.key"));
    let run =
        |options: &[&str]| room.run(&[&["ls", &address, "--allow-empty", "--cacert", &authority], options].concat());
    run(&["--tls-cert", &certificate, "--tls-key", &key]).assert_code(0);
    assert_ne!(run(&[]).assert_says("--tls-cert").code, Some(0));
    run(&["--tls-cert", &certificate, "--tls-key", &tls_file("server.key")])
        .assert_code(1)
        .assert_says("cannot be used");
    run(&["--tls-cert", &certificate]).assert_code(1).assert_says("--tls-key");
}

#[test]
fn certificate_of_another_name_is_refused() {
    let folder = fixtures::data_dir().join("tls");
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
    let (certificate, key) = (folder.join("stranger.pem"), folder.join("stranger.key"));
    let options = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        certificate.to_str().unwrap(),
        "--tls-key-file",
        key.to_str().unwrap(),
    ];
    let authority = tls_file("ca.pem");
    let others = ["--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"];
    let Some(_server) = RedisServer::with(None, &[&options[..], &others].concat()) else { return };
    let address = format!("rediss://127.0.0.1:{port}");
    Room::new().run(&["ls", &address, "--cacert", &authority]).assert_code(1).assert_says("not valid for name");
}

#[test]
fn unix_sockets_and_users_of_access_lists_are_reached() {
    let room = Room::new();
    let socket = room.path("socket").to_str().unwrap().to_owned();
    let Some(server) = RedisServer::with(None, &["--unixsocket", &socket]) else { return };
    let mut client = server.client();
    fill(&mut client);
    let address = format!("unix:{socket}");
    room.run(&["decode", &address, "dump"]).assert_code(0);
    room.run(&["load", "dump", &address, "redis:0/", "--on-exists", "replace"]).assert_code(0);
    room.run(&["compare", "dump", &address, "redis:0/"]).assert_code(0);
    call(&mut client, &[b"ACL", b"SETUSER", b"app", b"on", b">pw", b"~*", b"+@all"]);
    call(&mut client, &[b"ACL", b"SETUSER", b"default", b"off"]);
    room.write("pw", b"pw\n");
    room.run(&["ls", &address]).assert_code(1).assert_says("--password-file");
    room.run(&["ls", &address, "--user", "app", "--password-file", "pw"]).assert_code(0);
    room.run(&["ls", &url(&server), "--user", "other", "--password-file", "pw"])
        .assert_code(1)
        .assert_says("WRONGPASS");
    room.run(&["ls", &url(&server), "--user", "app", "--ask-password"]).assert_code(1).assert_says("needs a terminal");
}

#[test]
fn password_is_asked_for_on_a_terminal_which_does_not_show_it() {
    let Some(server) = RedisServer::with(None, &["--requirepass", "se cret"]) else { return };
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = || File::options().read(true).write(true).open(Path::new(name.to_str().unwrap())).unwrap();
    let kept = theirs();
    let room = Room::new();
    let mut command = room.command(["ls", &url(&server), "--allow-empty", "--ask-password"]);
    let mut child = command.stdin(theirs()).stderr(theirs()).spawn().unwrap();
    while tcgetattr(&ours).unwrap().local_modes.contains(LocalModes::ECHO) {
        assert!(child.try_wait().unwrap().is_none(), "it did not ask");
        std::thread::yield_now();
    }
    let mut terminal = File::from(ours);
    terminal.write_all(b"se cret\n").unwrap();
    assert!(child.wait().unwrap().success());
    drop((command, kept));
    let mut shown = Vec::new();
    // Nobody has the other side any more: that is an error.
    let _ = terminal.read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("Password: ") && !shown.contains("se cret"), "{shown}");
}
