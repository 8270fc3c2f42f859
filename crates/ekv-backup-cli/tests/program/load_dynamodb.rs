//! `load` and `compare` with DynamoDB: an emulator, and endpoints that fail.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ekv_testkit::aws::{Asked, Microburst, MiniStack, ScriptedAws, Told, batch_write};
use ekv_testkit::fixtures::ALL_3;
use ekv_testkit::truth;
use serde_json::{Value, json};

use crate::support::{Room, Run, end_of};

/// The program with credentials that any emulator takes, and nothing else of the machine's.
fn command(room: &Room, arguments: &[&str]) -> Command {
    let mut command = room.command(arguments);
    for variable in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"] {
        command.env_remove(variable);
    }
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1");
    command
}

fn run(room: &Room, arguments: &[&str]) -> Run {
    end_of(command(room, arguments).spawn().unwrap())
}

fn load(room: &Room, source: &str, url: &str, rest: &[&str]) -> Run {
    run(room, &[&["load", source, "dynamodb:", "--endpoint-url", url], rest].concat())
}

fn compare(room: &Room, source: &str, url: &str, rest: &[&str]) -> Run {
    run(room, &[&["compare", source, "dynamodb:", "--endpoint-url", url], rest].concat())
}

fn ask(server: &MiniStack, call: &str, question: &Value) -> Value {
    let answer = server.json(&format!("DynamoDB_20120810.{call}"), question);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// All items of a table.
fn items(server: &MiniStack, table: &str) -> Vec<Value> {
    ask(server, "Scan", &json!({ "TableName": table }))["Items"].as_array().unwrap().clone()
}

fn drop_tables(server: &MiniStack) {
    for table in ask(server, "ListTables", &json!({}))["TableNames"].as_array().unwrap() {
        ask(server, "DeleteTable", &json!({ "TableName": table }));
    }
}

/// A room with the dump of a real server as `dump`, and one of a table `many` of `count` items as `many`.
fn room(count: usize) -> Room {
    let room = Room::new();
    let snapshot = ALL_3.compressed_path();
    let decode = |dump: &str, rest: &[&str]| {
        let own = ["decode", snapshot.to_str().unwrap(), dump, "--fsync", "none"];
        room.run(&[&own, rest].concat()).assert_code(0);
    };
    decode("dump", &[]);
    decode("many", &["--table", "users", "--dynamodb-layout", "jsonl"]);
    let mut lines = String::new();
    for number in 0..count {
        writeln!(lines, r#"{{"id":{{"S":"i{number:05}"}},"n":{{"N":"{number}"}}}}"#).unwrap();
    }
    room.write("many/dynamodb/users/items.jsonl", lines.as_bytes());
    room.run(&["checksums", "many"]).assert_code(0);
    room
}

#[test]
fn truth_of_a_real_server_is_what_the_tables_hold_after_load() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(1);
    let snapshot = ALL_3.compressed_path();
    let truth = ALL_3.truth();
    let observation = truth::observation(&truth, "end");
    for source in ["dump", snapshot.to_str().unwrap()] {
        drop_tables(&server);
        let report = load(&room, source, &server.url(), &["--json", "--verify", "full"]).assert_code(0).json();
        let tables = observation["dynamodb"].as_object().unwrap();
        let mut compared = 0;
        for (table, wanted) in tables {
            let wanted = wanted["items"].as_array().unwrap();
            assert!(truth::are_same_items(&items(&server, table), wanted), "{table}");
            compared += wanted.len();
        }
        assert!(compared > 25);
        assert_eq!((&report["sent"], &report["loaded"]), (&Value::from(compared), &Value::from(compared)));
        assert_eq!(
            (&report["verified"]["count"], &report["verified"]["different"]),
            (&Value::from(compared), &Value::from(0))
        );
        compare(&room, source, &server.url(), &[]).assert_code(0);
        let described = ask(&server, "DescribeTable", &json!({ "TableName": "users" }));
        assert_eq!(described["Table"]["GlobalSecondaryIndexes"][0]["IndexName"], "by_age");
    }
}

#[test]
fn compare_finds_each_single_change() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(40);
    let put = |id: &str, n: &str| {
        let item = json!({ "id": { "S": id }, "n": { "N": n } });
        ask(&server, "PutItem", &json!({ "TableName": "old", "Item": item }));
    };
    let delete = |id: &str| {
        let key = json!({ "id": { "S": id } });
        ask(&server, "DeleteItem", &json!({ "TableName": "old", "Key": key }));
    };
    let rename = ["--rename", "users=old"];
    load(&room, "many", &server.url(), &rename).assert_code(0);
    put("i00003", "3.0");
    compare(&room, "many", &server.url(), &rename).assert_code(0);
    let differs = |marks: &[&str]| {
        let told = compare(&room, "many", &server.url(), &rename);
        told.assert_code(6);
        let lines: Vec<&str> = told.stdout.lines().filter(|line| line.contains("dynamodb:old/")).collect();
        assert_eq!(lines.len(), marks.len(), "{lines:?}");
        marks.iter().zip(lines).for_each(|(mark, line)| assert!(line.starts_with(mark), "{line}"));
    };
    put("i00003", "4");
    differs(&["~ dynamodb:old/i00003"]);
    delete("i00004");
    differs(&["~ dynamodb:old/i00003", "- dynamodb:old/i00004"]);
    put("i00003", "3");
    put("j", "1");
    differs(&["- dynamodb:old/i00004", "+ dynamodb:old/j"]);
    let part = [&rename[..], &["--key", "users/i00005"]].concat();
    compare(&room, "many", &server.url(), &part).assert_code(0);
    compare(&room, "many", &server.url(), &["--rename", "users=none"]).assert_code(6);
}

#[test]
fn items_that_are_there_stay_unless_they_are_to_be_replaced() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(60);
    load(&room, "many", &server.url(), &[]).assert_code(0);
    let other = json!({ "id": { "S": "i00007" }, "n": { "N": "-1" } });
    ask(&server, "PutItem", &json!({ "TableName": "users", "Item": other }));
    let key = json!({ "id": { "S": "i00008" } });
    ask(&server, "DeleteItem", &json!({ "TableName": "users", "Key": key }));
    let is_other = || items(&server, "users").contains(&other);
    load(&room, "many", &server.url(), &[]).assert_code(1).assert_says("has this item already");
    assert!(is_other());
    let report = load(&room, "many", &server.url(), &["--on-exists", "skip", "--json"]).assert_code(0).json();
    let counts = (report["existed"].as_u64().unwrap(), report["loaded"].as_u64().unwrap());
    assert!(counts == (59, 1) || counts == (60, 0), "{counts:?}");
    assert!(is_other());
    assert_eq!(items(&server, "users").len(), 60);
    load(&room, "many", &server.url(), &["--on-exists", "replace"]).assert_code(0);
    compare(&room, "many", &server.url(), &[]).assert_code(0);
    // A table with other keys cannot take them.
    let schema = json!([{ "AttributeName": "other", "KeyType": "HASH" }]);
    let definitions = json!([{ "AttributeName": "other", "AttributeType": "S" }]);
    let table = json!({ "TableName": "keyed", "KeySchema": schema, "AttributeDefinitions": definitions, "BillingMode": "PAY_PER_REQUEST" });
    ask(&server, "CreateTable", &table);
    let renamed = load(&room, "many", &server.url(), &["--rename", "users=keyed", "--on-exists", "replace"]);
    renamed.assert_code(1).assert_says("its key is made of other attributes");
}

#[test]
fn dry_run_tells_what_would_happen_and_writes_nothing() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(30);
    let told = load(&room, "many", &server.url(), &["--dry-run", "--rename", "users=people"]);
    told.assert_code(0);
    assert!(
        told.stdout.contains("Would load 30 items") && told.stdout.contains("users as people: 30 items, new"),
        "{told:?}"
    );
    assert_eq!(ask(&server, "ListTables", &json!({}))["TableNames"], json!([]));
    let both = ["--rename", "users=events.v2"];
    load(&room, "dump", &server.url(), &both).assert_code(1).assert_says("would both be called events.v2");
    let unnamed = load(&room, "many", &server.url(), &["--rename", "users=a/b", "--dry-run"]);
    unnamed.assert_code(5);
    assert!(unnamed.stdout.contains("--rename gives it another"), "{unnamed:?}");
    assert_eq!(ask(&server, "ListTables", &json!({}))["TableNames"], json!([]));
}

#[test]
fn options_and_addresses_that_cannot_be_meant_are_refused_before_anything_is_sent() {
    let room = room(1);
    let refused = |arguments: &[&str], told: &str| {
        run(&room, arguments).assert_code(1).assert_says(told);
    };
    let local = ["load", "many", "dynamodb:", "--endpoint-url", "http://127.0.0.1:9"];
    refused(&["load", "many", "dynamodb:", "--endpoint-url", "http://10.0.0.1"], "--insecure");
    for (option, value) in [("--method", "auto"), ("--rename-prefix", "a=b")] {
        refused(&[&local[..], &[option, value]].concat(), option);
    }
    refused(&[&local[..], &["--verify", "list"]].concat(), "--verify none, count");
    refused(&[&local[..], &["--on-exists", "append"]].concat(), "fail, skip or replace");
    refused(&["load", "many", "redis://127.0.0.1:9", "--region", "x"], "--region means nothing");
    let mut keyless = command(&room, &local);
    let home = room.path("");
    keyless.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("HOME", home);
    keyless.env("AWS_EC2_METADATA_DISABLED", "true");
    end_of(keyless.spawn().unwrap()).assert_code(1).assert_says("AWS_ACCESS_KEY_ID");
    let mut placeless = command(&room, &local);
    end_of(placeless.env_remove("AWS_DEFAULT_REGION").env("HOME", room.path("")).spawn().unwrap())
        .assert_code(1)
        .assert_says("--region");
}

/// A service that has one table, and the items that were written to it; `fails` may answer in its place.
fn service(fails: impl Fn(&Asked) -> Option<Told> + Send + 'static) -> (ScriptedAws, Arc<Mutex<Vec<Value>>>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&taken);
    let mut is_there = false;
    let server = ScriptedAws::start(move |asked| {
        let table = json!({
            "TableStatus": "ACTIVE", "TableId": "one",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }, { "AttributeName": "age", "AttributeType": "N" }],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by_age", "KeySchema": [{ "AttributeName": "age", "KeyType": "HASH" }], "Projection": { "ProjectionType": "ALL" }
            }],
        });
        match asked.call() {
            "DescribeTable" if !is_there => Told::fault(400, "ResourceNotFoundException"),
            "DescribeTable" => Told::json(200, &json!({ "Table": table })),
            "CreateTable" => {
                is_there = true;
                Told::json(200, &json!({}))
            }
            "Scan" => Told::json(200, &json!({ "Items": [], "Count": 0 })),
            "BatchWriteItem" => {
                let told = fails(asked).unwrap_or_else(|| batch_write(asked, |_| false));
                if let Told::Whole { status: 200, body, .. } = &told {
                    let left: Value = serde_json::from_slice(body).unwrap();
                    let left = left["UnprocessedItems"]["users"].as_array().cloned().unwrap_or_default();
                    let asked = asked.json();
                    let asked = asked["RequestItems"]["users"].as_array().unwrap();
                    written.lock().unwrap().extend(asked.iter().filter(|item| !left.contains(item)).cloned());
                }
                told
            }
            call => panic!("{call}"),
        }
    });
    (server, taken)
}

/// Names of the items that were written, and how often any was.
fn names(written: &Mutex<Vec<Value>>) -> (BTreeSet<String>, usize) {
    let written = written.lock().unwrap();
    let name = |item: &Value| item["PutRequest"]["Item"]["id"]["S"].as_str().unwrap().to_owned();
    (written.iter().map(name).collect(), written.len())
}

#[test]
fn items_go_in_batches_of_twenty_five_and_no_request_more() {
    let room = room(1010);
    let (server, written) = service(|_| None);
    let report = load(&room, "many", &server.url(), &["--verify", "none", "--json"]).assert_code(0).json();
    assert_eq!((names(&written).0.len(), names(&written).1), (1010, 1010));
    // What is asked about the table comes on top: before and in the run, and once it is made.
    assert_eq!(report["requests"], 1010_u64.div_ceil(25) + 4);
}

#[test]
fn what_a_service_leaves_of_a_batch_in_any_split_is_sent_until_it_is_there() {
    let room = room(60);
    for split in [1, 4, 7] {
        let (server, written) = service(move |asked| {
            let count = asked.json()["RequestItems"]["users"].as_array().unwrap().len();
            // The batches are of 25, 25 and 10 items; what is left of one is taken.
            [10, 25].contains(&count).then(|| batch_write(asked, |place| place % 8 >= split))
        });
        load(&room, "many", &server.url(), &["--verify", "none"]).assert_code(0);
        assert_eq!((names(&written).0.len(), names(&written).1), (60, 60), "{split}");
    }
}

#[test]
fn of_a_batch_that_is_refused_only_the_item_that_is_to_blame_stays_behind() {
    let room = room(60);
    for bad in [0, 24, 25, 37, 59] {
        let (server, written) = service(move |asked| {
            let is_bad = asked.json().to_string().contains(&format!("i{bad:05}"));
            is_bad.then(|| Told::fault(400, "com.amazon.coral.validate#ValidationException"))
        });
        let run = load(&room, "many", &server.url(), &["--verify", "none", "--json"]);
        let report = run.assert_code(5).json();
        assert_eq!((&report["loaded"], &report["failed"]), (&Value::from(59), &Value::from(1)));
        assert_eq!(report["reasons"][0]["first"], json!([format!("dynamodb:users/i{bad:05}")]));
        assert_eq!((names(&written).0.len(), names(&written).1), (59, 59));
    }
}

#[test]
fn throttle_storm_costs_time_and_no_item() {
    let Some(server) = MiniStack::start() else { return };
    let Some(proxy) = Microburst::before(server.port()) else { return };
    let room = room(300);
    let error = json!({ "code": "ProvisionedThroughputExceededException", "status": 400 });
    proxy.set_rules(&json!([{ "service": "dynamodb", "operation": "BatchWriteItem", "error": error, "times": 12 }]));
    load(&room, "many", &proxy.url(), &["--verify", "count"]).assert_code(0);
    assert_eq!(proxy.fired().len(), 12);
    compare(&room, "many", &server.url(), &[]).assert_code(0);
    assert_eq!(items(&server, "users").len(), 300);
}

#[test]
fn answers_that_are_lost_cut_or_corrupt_lose_nothing() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(60);
    let port = server.port();
    for on_exists in ["fail", "skip"] {
        for fault in 0..4 {
            drop_tables(&server);
            // The table is there and holds an item, so that items go one by one under conditions.
            load(&room, "many", &server.url(), &["--key", "users/i00000"]).assert_code(0);
            let flaky = ScriptedAws::start(move |asked| {
                let told = asked.forwarded(port);
                let is_write = ["PutItem", "BatchWriteItem"].contains(&asked.call());
                match fault {
                    _ if !is_write || asked.number % 3 != 0 => told,
                    0 => Told::Nothing,
                    1 => told.cut(70),
                    2 => Told::fault(500, "InternalServerError"),
                    _ => told.with("x-amz-crc32", "1"),
                }
            });
            let rest = ["--on-exists", on_exists, "--exclude", "users/i00000"];
            load(&room, "many", &flaky.url(), &rest).assert_code(0);
            compare(&room, "many", &server.url(), &[]).assert_code(0);
        }
    }
}

#[test]
fn load_killed_at_any_request_goes_on_to_the_same() {
    let Some(server) = MiniStack::start() else { return };
    let port = server.port();
    // Requests that are answered until one is not.
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let (reached, kill) = channel();
    let counted = Arc::clone(&left);
    let endpoint = ScriptedAws::start(move |asked| {
        let told = asked.forwarded(port);
        match counted.load(Ordering::SeqCst) {
            usize::MAX => return told,
            0 => {}
            some => {
                counted.store(some - 1, Ordering::SeqCst);
                return told;
            }
        }
        // It was carried out, and nobody knows.
        let _ = reached.send(());
        Told::Never
    });
    // In batches into a new table; one by one, under conditions, where there is an item already.
    for (count, has_item) in [(70, false), (9, true)] {
        let room = room(count);
        for answered in 0.. {
            drop_tables(&server);
            if has_item {
                load(&room, "many", &server.url(), &["--key", "users/i00000"]).assert_code(0);
            }
            let rest = ["--resume", "file", "--verify", "none", "--connections", "3", "--exclude", "users/i00000"];
            let url = endpoint.url();
            let arguments = [&["load", "many", "dynamodb:", "--endpoint-url", &url][..], &rest].concat();
            while kill.try_recv().is_ok() {}
            left.store(answered, Ordering::SeqCst);
            let mut child = command(&room, &arguments).spawn().unwrap();
            let was_killed = loop {
                if kill.recv_timeout(Duration::from_millis(1)).is_ok() {
                    break true;
                }
                if child.try_wait().unwrap().is_some() {
                    break false;
                }
            };
            let _ = child.kill();
            let ended = child.wait_with_output().unwrap();
            left.store(usize::MAX, Ordering::SeqCst);
            if was_killed {
                run(&room, &arguments).assert_code(0);
            } else {
                assert!(ended.status.success(), "{ended:?}");
            }
            compare(&room, "many", &server.url(), &["--exclude", "users/i00000"]).assert_code(0);
            assert!(!room.path("file").exists());
            if !was_killed {
                assert!(answered > 5, "{answered}");
                break;
            }
        }
    }
}

#[test]
fn load_that_stopped_goes_on_in_its_own_table_only() {
    let Some(server) = MiniStack::start() else { return };
    let room = room(120);
    let port = server.port();
    let is_broken = Arc::new(AtomicUsize::new(2));
    let broken = Arc::clone(&is_broken);
    let endpoint = ScriptedAws::start(move |asked| {
        if asked.call() == "BatchWriteItem" {
            match broken.load(Ordering::SeqCst) {
                usize::MAX => {}
                0 => return Told::fault(400, "AccessDeniedException"),
                some => broken.store(some - 1, Ordering::SeqCst),
            }
        }
        asked.forwarded(port)
    });
    let into = load;
    let load = |source: &str, rest: &[&str]| {
        into(&room, source, &endpoint.url(), &[&["--resume", "file", "--connections", "1"], rest].concat())
    };
    load("many", &[]).assert_code(4).assert_says("50 of").assert_says("the same command goes on from here");
    let kept = std::fs::read(room.path("file")).unwrap();
    is_broken.store(usize::MAX, Ordering::SeqCst);
    load("dump", &[]).assert_code(1).assert_says("the source was");
    load("many", &["--on-exists", "skip"]).assert_code(1).assert_says("how it is written was");
    load("many", &["--prefix", "users/i"]).assert_code(1).assert_says("the selection was");
    let report = load("many", &["--json"]).assert_code(0).json();
    assert_eq!((&report["sent"], &report["loaded"], &report["resumed_after"]), (&json!(120), &json!(120), &json!(50)));
    compare(&room, "many", &server.url(), &[]).assert_code(0);
    room.write("file", &kept);
    drop_tables(&server);
    load("many", &[]).assert_code(1).assert_says("is not there");
    into(&room, "many", &server.url(), &["--limit", "1"]).assert_code(0);
    load("many", &[]).assert_code(1).assert_says("is another one");
}
