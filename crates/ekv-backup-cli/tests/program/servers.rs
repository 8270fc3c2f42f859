//! Servers of several versions: what they hold after a load, and after they began with an exported file, is what was backed up.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ekv_model::redis::StreamId;
use ekv_testkit::fixtures::{self, ALL_3, ENC_7, KnownSnapshot, REDIS_1, REDIS_2, SSTI_5};
use ekv_testkit::redis::{RedisRecords, key, value};
use ekv_testkit::servers::{
    RedisCluster, RedisServer, Reply, ServerProgram, TORTURE_KEYS, held, is_available, torture,
};
use ekv_testkit::truth;
use serde_json::Value;

use crate::load::{count, url};
use crate::support::Room;

/// A backup of a real server, and what that answered.
struct Backup {
    name: String,
    /// How it is named on the command line, with options.
    source: Vec<String>,
    observation: Value,
    least: usize,
}

/// All backups of real servers that hold Redis keys.
fn backups(room: &Room) -> Vec<Backup> {
    let mut backups = Vec::new();
    let mut add = |name: &str, source: &[&str], truth: &Value, moments: &[(&str, usize)]| {
        for (label, least) in moments {
            let observation = truth::observation(truth, label).clone();
            let mut source: Vec<String> = source.iter().map(|word| (*word).to_owned()).collect();
            if *label == "middle" {
                source.extend(["--at".to_owned(), observation["unix_ms"].to_string()]);
            }
            backups.push(Backup { name: format!("{name}-{label}"), source, observation, least: *least });
        }
    };
    let mut add_snapshot = |known: KnownSnapshot, options: &[&str]| {
        let path = known.compressed_path();
        let source = [&[path.to_str().unwrap()], options].concat();
        add(known.name, &source, &known.truth(), &[("end", 100), ("middle", 70)]);
    };
    [REDIS_1, REDIS_2, ALL_3, SSTI_5].into_iter().for_each(|known| add_snapshot(known, &[]));
    for name in ["enc-7.keys.json", "enc-7.kek"] {
        fs::copy(fixtures::data_dir().join(name), room.path(name)).unwrap();
        fs::set_permissions(room.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    add_snapshot(ENC_7, &["--encryption-keys", "enc-7.keys.json", "--kek-file", "enc-7.kek"]);
    let truth = |name: &str| serde_json::from_slice(&fixtures::read(&format!("{name}.truth.json"))).unwrap();
    fixtures::unpack("groups-4.data.tar", &room.path(""));
    add("groups-4", &["n1"], &truth("groups-4"), &[("end", 100), ("middle", 70)]);
    fixtures::unpack("offload-6.tar", &room.path(""));
    add("offload-6", &["store/backups/prod"], &truth("offload-6"), &[("end", 100)]);
    backups
}

fn words<'w>(verb: &'w str, source: &'w [String], target: &'w str, options: &[&'w str]) -> Vec<&'w str> {
    let source = source.iter().map(String::as_str);
    [verb].into_iter().chain(source).chain([target]).chain(options.iter().copied()).collect()
}

/// The server's own tool finds nothing wrong with a file.
fn check_with_server_tool(rdb: &std::path::Path) {
    if is_available("redis-check-rdb") {
        let output = std::process::Command::new("redis-check-rdb").arg(rdb).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("RDB looks OK"));
    }
}

#[test]
fn truth_of_every_fixture_is_what_each_server_answers_after_it_began_with_an_exported_file() {
    let room = Room::new();
    for Backup { name, source, observation, least } in backups(&room) {
        let file = format!("{name}.rdb");
        room.run(&words("export", &source, &file, &[])).assert_code(0);
        check_with_server_tool(&room.path(&file));
        for program in ServerProgram::all() {
            println!("{name}: {}", program.name());
            let server = RedisServer::of(&program, Some(&fs::read(room.path(&file)).unwrap()), &[]);
            truth::compare_server(&mut server.client(), &observation).assert_equal(least);
        }
    }
}

#[test]
fn truth_of_every_fixture_is_what_each_server_answers_after_load() {
    let room = Room::new();
    let backups = backups(&room);
    for program in ServerProgram::all() {
        let server = RedisServer::of(&program, None, &[]);
        let mut client = server.client();
        for Backup { name, source, observation, least } in &backups {
            for method in ["auto", "commands"] {
                println!("{name}: {}, {method}", program.name());
                client.call(&[b"FLUSHALL"]);
                let run = room.run(&words("load", source, &url(&server), &["--method", method, "--json"]));
                let report = run.assert_code(0).json();
                truth::compare_server(&mut client, observation).assert_equal(*least);
                let count_of = |name: &str| report[name].as_u64().unwrap();
                let sum: u64 = ["loaded", "existed", "expired", "empty", "failed"].into_iter().map(count_of).sum();
                assert_eq!(count_of("sent"), sum);
                assert_eq!(i64::try_from(count_of("loaded")).unwrap(), count(&server));
                assert_eq!(report["verified"]["different"], 0);
            }
        }
    }
}

#[test]
fn dump_loads_as_the_snapshot_that_it_was_made_of() {
    let Some(server) = RedisServer::start() else { return };
    let room = Room::new();
    for fixture in [REDIS_1, REDIS_2, ALL_3] {
        server.client().call(&[b"FLUSHALL"]);
        let (snapshot, dump) = (fixture.compressed_path(), format!("{}.dump", fixture.name));
        room.run(&["decode", snapshot.to_str().unwrap(), &dump]).assert_code(0);
        room.run(&["load", &dump, &url(&server)]).assert_code(0);
        let truth = fixture.truth();
        truth::compare_server(&mut server.client(), truth::observation(&truth, "end")).assert_equal(150);
    }
}

#[test]
fn torture_file_of_each_server_goes_through_a_dump_and_is_the_same_in_each_server_again() {
    let room = Room::new();
    let programs = ServerProgram::all();
    for (number, maker) in programs.iter().enumerate() {
        let server = RedisServer::of(maker, None, &[]);
        torture(&mut server.client());
        let expected = held(&mut server.client());
        let [saved, dump, again] = ["rdb", "dump", "again.rdb"].map(|ending| format!("{number}.{ending}"));
        room.write(&saved, &server.save());
        let report = room.run(&["decode", &saved, &dump, "--json"]).assert_code(0).json();
        let findings = report["findings"].as_array().unwrap().iter();
        let names: Vec<&str> = findings.map(|finding| finding["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["redis_groups_dropped", "redis_hll_opaque", "redis_several_databases"], "{}", maker.name());
        assert_eq!(report["findings"][2]["examples"][0]["address"], "redis:3/k");
        room.run(&["verify", &dump]).assert_code(0);
        room.run(&["diff", &saved, &dump, "-q"]).assert_code(0);
        let report = room.run(&["export", &dump, &again, "--json"]).assert_code(0).json();
        assert_eq!(report["written"], TORTURE_KEYS);
        check_with_server_tool(&room.path(&again));
        for program in &programs {
            println!("{} into {}", maker.name(), program.name());
            let again = RedisServer::of(program, Some(&fs::read(room.path(&again)).unwrap()), &[]);
            assert_eq!(held(&mut again.client()), expected);
            let target = RedisServer::of(program, None, &[]);
            for database in ["0", "3"] {
                let (selected, target) = (format!("redis:{database}/"), format!("{}/{database}", url(&target)));
                room.run(&["load", &dump, &target, &selected]).assert_code(0);
            }
            room.run(&["compare", &dump, &url(&target), "redis:0/"]).assert_code(0);
            room.run(&["compare", &dump, &format!("{}/3", url(&target)), "redis:3/"]).assert_code(0);
            assert_eq!(held(&mut target.client()), expected);
        }
    }
}

#[test]
fn texts_of_the_lengths_that_servers_pack_in_two_forms_arrive_in_each_server() {
    let room = Room::new();
    for len in [16_377, 16_378, 16_379, 2_097_145, 2_097_146, 2_097_147] {
        let text = vec![b'x'; len];
        let id = StreamId { ms: 1, seq: 1 };
        let records = RedisRecords::new()
            .put(key::stream_meta(b"x"), value::stream_meta_24(1, id))
            .put(key::stream_entry(b"x", id), value::stream_entry("1-1", &[b"f", &text]));
        room.write("x.fsm", &records.snapshot().build());
        for program in ServerProgram::all() {
            println!("{len}: {}", program.name());
            let form = if program.is_valkey9() { "valkey9" } else { "redis" };
            room.run(&["export", "x.fsm", "x.rdb", "--force", "--server", form]).assert_code(0);
            let file = fs::read(room.path("x.rdb")).unwrap();
            let (began, target) = (RedisServer::of(&program, Some(&file), &[]), RedisServer::of(&program, None, &[]));
            room.run(&["load", "x.fsm", &url(&target)]).assert_code(0);
            for server in [began, target] {
                let entries = server.client().call(&[b"XRANGE", b"x", b"-", b"+"]).array();
                let [_, fields] = <[Reply; 2]>::try_from(entries[0].clone().array()).unwrap();
                assert_eq!(fields.array()[1], Reply::Bulk(Some(text.clone())));
            }
        }
    }
}

#[test]
fn cluster_gets_every_key_on_the_node_that_has_its_slot() {
    let room = Room::new();
    let snapshot = REDIS_1.compressed_path();
    let source = snapshot.to_str().unwrap();
    for program in ServerProgram::all().iter().filter(|program| program.has_cluster_port()) {
        load_into_cluster(&room, source, &RedisCluster::of(program, 3));
    }
}

fn load_into_cluster(room: &Room, source: &str, cluster: &RedisCluster) {
    for method in ["auto", "commands"] {
        cluster.servers().iter().for_each(|server| drop(server.client().call(&[b"FLUSHALL"])));
        let target = url(&cluster.servers()[1]);
        let run = room.run(&["load", source, &target, "--method", method, "--resume", "file", "--json"]);
        let report = run.assert_code(0).json();
        assert_eq!((&report["target"]["nodes"], &report["verified"]["different"]), (&3.into(), &0.into()));
        let counts: Vec<i64> = cluster.servers().iter().map(count).collect();
        assert_eq!(counts.iter().sum::<i64>(), report["loaded"].as_i64().unwrap());
        assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
        room.run(&["compare", source, &target]).assert_code(0).assert_says("no difference");
        // A node of a cluster refuses keys of other slots, so that what is there is where it belongs.
        let victim = cluster.servers()[2].client().call(&[b"RANDOMKEY"]).bytes();
        cluster.servers()[2].client().call(&[b"UNLINK", &victim]);
        let compared = room.run(&["compare", source, &target]);
        assert_eq!(compared.assert_code(6).stdout.matches("\n").count(), 1, "{compared:?}");
    }
    room.run(&["load", source, &format!("{}/1", url(&cluster.servers()[0]))]).assert_code(1);
}
