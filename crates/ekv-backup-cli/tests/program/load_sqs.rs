//! `load` and `compare`: messages into queues of SQS.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::aws::{Asked, Microburst, MiniStack, ScriptedAws, Told, send_batch};
use ekv_testkit::fixtures::ALL_3;
use serde_json::{Value, json};

use crate::load_s3::{aws, aws_command};
use crate::support::{Room, Run, end_of};

/// A message: group (empty in a standard queue), deduplication id of the sender, body.
type Row<'a> = (&'a str, &'a str, &'a str);

const AT_MS: u64 = 1_796_000_000_000;

/// A snapshot of one queue with these messages, sent a millisecond apart.
fn queue(name: &str, settings: &Value, rows: &[Row<'_>]) -> Vec<u8> {
    let at = AT_MS << 16;
    let encoded = URL_SAFE_NO_PAD.encode(name);
    let mut meta = json!({
        "name": name, "generation": 1, "visibility_timeout_seconds": 30, "message_retention_seconds": 345_600, "delay_seconds": 0,
        "receive_message_wait_seconds": 0, "maximum_message_size": 262_144,
    });
    for (setting, value) in settings.as_object().unwrap() {
        meta[setting] = value.clone();
    }
    if name.ends_with(".fifo") {
        meta["is_fifo"] = true.into();
    }
    let value = |magic: u8, json: &Value| [&[0, b'S', magic, 1][..], json.to_string().as_bytes()].concat();
    let mut snapshot =
        SnapshotBuilder::new().put(format!("!sqs|queue|meta|{encoded}").as_bytes(), at, &value(b'Q', &meta));
    for (number, (group, id, body)) in (0_u64..).zip(rows) {
        let message_id = format!("{number:032x}");
        let sent_ms = AT_MS - 1_000_000 + number;
        let message = json!({
            "message_id": message_id, "body": STANDARD.encode(body), "md5_of_body": "", "send_timestamp_millis": sent_ms,
            "available_at_millis": sent_ms, "visible_at_millis": sent_ms, "receive_count": 0, "current_receipt_token": "",
            "queue_generation": 1, "message_group_id": group, "message_deduplication_id": id, "sequence_number": number + 1,
        });
        let key = [
            format!("!sqs|msg|data|{encoded}").as_bytes(),
            &1_u64.to_be_bytes(),
            URL_SAFE_NO_PAD.encode(&message_id).as_bytes(),
        ]
        .concat();
        snapshot = snapshot.put(&key, at, &value(b'M', &message));
    }
    snapshot.build()
}

fn room(name: &str, settings: &Value, rows: &[Row<'_>]) -> Room {
    let room = Room::new();
    room.write("q.fsm", &queue(name, settings, rows));
    room
}

fn load(room: &Room, url: &str, more: &[&str]) -> Run {
    aws(room, url, &[&["load", "q.fsm", "sqs:"], more].concat())
}

fn url_of(server: &MiniStack, name: &str) -> Value {
    server.json("AmazonSQS.GetQueueUrl", &json!({ "QueueName": name })).json()["QueueUrl"].clone()
}

fn attributes(server: &MiniStack, name: &str) -> Value {
    let question = json!({ "QueueUrl": url_of(server, name), "AttributeNames": ["All"] });
    server.json("AmazonSQS.GetQueueAttributes", &question).json()["Attributes"].clone()
}

/// Takes all messages out of a queue: group and body of each, in the order in which they come.
fn drained(server: &MiniStack, name: &str) -> Vec<(String, String)> {
    let url = url_of(server, name);
    let mut found = Vec::new();
    loop {
        let question = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"] });
        let answer = server.json("AmazonSQS.ReceiveMessage", &question).json();
        let Some(messages) = answer["Messages"].as_array().filter(|messages| !messages.is_empty()) else {
            return found;
        };
        for message in messages {
            let group = message["Attributes"]["MessageGroupId"].as_str().unwrap_or_default().to_owned();
            found.push((group, message["Body"].as_str().unwrap().to_owned()));
            let gone = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
            server.json("AmazonSQS.DeleteMessage", &gone);
        }
    }
}

fn bodies(found: Vec<(String, String)>) -> Vec<String> {
    let mut bodies: Vec<String> = found.into_iter().map(|(_, body)| body).collect();
    bodies.sort();
    bodies
}

#[test]
fn every_message_of_a_fixture_is_in_its_queue() {
    let Some(server) = MiniStack::start() else { return };
    let room = Room::new();
    let (snapshot, truth) = (ALL_3.compressed_path(), ALL_3.truth());
    let source = snapshot.to_str().unwrap();
    aws(&room, &server.url(), &["load", source, "sqs:", "--verify", "count"]).assert_code(0);
    aws(&room, &server.url(), &["compare", source, "sqs:"]).assert_code(0).assert_says("no difference");
    room.run(&["decode", source, "dump"]).assert_code(0);
    let queues = ekv_testkit::truth::observation(&truth, "end")["sqs"].as_object().unwrap();
    for (name, wanted) in queues {
        let lines = std::fs::read_to_string(room.path(format!("dump/sqs/{name}/messages.jsonl"))).unwrap();
        let ours: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(wanted["ApproximateNumberOfMessages"], ours.len().to_string());
        let mut sent: Vec<String> = ours.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect();
        sent.sort();
        assert_eq!(bodies(drained(&server, name)), sent, "{name}");
    }
    aws(&room, &server.url(), &["compare", source, "sqs:"]).assert_code(6);
}

#[test]
fn settings_delays_and_policies_arrive() {
    let Some(server) = MiniStack::start() else { return };
    let policy =
        json!({ "deadLetterTargetArn": "arn:aws:sqs:eu-west-9:123456789012:dead", "maxReceiveCount": 2 }).to_string();
    let settings = json!({ "visibility_timeout_seconds": 33, "message_retention_seconds": 86_400, "delay_seconds": 3, "redrive_policy": policy });
    let room = room("work", &settings, &[("", "", "now")]);
    load(&room, &server.url(), &[])
        .assert_code(0)
        .assert_says("goes without its RedrivePolicy: a queue that it names is not there");
    assert_eq!(
        attributes(&server, "work")["ApproximateNumberOfMessages"],
        "1",
        "its delay is over, whatever that of the queue is"
    );
    server.json("AmazonSQS.CreateQueue", &json!({ "QueueName": "grave" }));
    load(&room, &server.url(), &["--rename", "work=two", "--rename", "dead=grave"]).assert_code(0);
    let there = attributes(&server, "two");
    for (name, value) in [("VisibilityTimeout", "33"), ("MessageRetentionPeriod", "86400"), ("DelaySeconds", "3")] {
        assert_eq!(there[name], value, "{there}");
    }
    assert!(there["RedrivePolicy"].as_str().unwrap().contains(":grave"), "{there}");
    let compare = |more: &[&str]| aws(&room, &server.url(), &[&["compare", "q.fsm", "sqs:"], more].concat());
    compare(&["--rename", "work=two"]).assert_code(0);
    let changed = json!({ "QueueUrl": url_of(&server, "two"), "Attributes": { "VisibilityTimeout": "5" } });
    server.json("AmazonSQS.SetQueueAttributes", &changed);
    assert!(compare(&["--rename", "work=two"]).assert_code(6).stdout.starts_with("M sqs:two/"));
    assert!(compare(&["--rename", "work=three"]).assert_code(6).stdout.starts_with("- sqs:three/"));
}

#[test]
fn queue_that_holds_messages_ends_the_run_unless_it_is_left_out_or_added_to() {
    let Some(server) = MiniStack::start() else { return };
    let (room, url) = (room("work", &json!({}), &[("", "", "a"), ("", "", "b")]), server.url());
    load(&room, &url, &["--no-create"]).assert_code(1).assert_says("queue work is not there");
    load(&room, &url, &["--dry-run"]).assert_code(0);
    assert!(url_of(&server, "work").is_null(), "a dry run creates nothing");
    load(&room, &url, &[]).assert_code(0);
    load(&room, &url, &[]).assert_code(1).assert_says("sqs:work/: the queue is there and holds 2 messages");
    assert!(load(&room, &url, &["--on-exists", "skip"]).assert_code(0).stdout.contains("2 existed"));
    load(&room, &url, &["--on-exists", "append"]).assert_code(0);
    assert_eq!(bodies(drained(&server, "work")), ["a", "a", "b", "b"]);
    load(&room, &url, &["--rename", "work=work.fifo"]).assert_code(5);
}

#[test]
fn what_no_queue_takes_is_lost_by_name_and_the_rest_arrives() {
    let Some(server) = MiniStack::start() else { return };
    let long = "x".repeat(262_145);
    let room = room("work", &json!({}), &[("", "", "a"), ("", "", "\u{1}"), ("", "", &long), ("", "", "b")]);
    let dry = load(&room, &server.url(), &["--dry-run", "--json"]).assert_code(5).json();
    assert_eq!(dry["survey"]["fitting"], 2);
    load(&room, &server.url(), &["--strict"]).assert_code(2).assert_says("nothing was written");
    let run = load(&room, &server.url(), &[]);
    assert!(run.assert_code(5).stdout.contains("sqs:work/00000000000000000000000000000001"), "{run:?}");
    assert_eq!(bodies(drained(&server, "work")), ["a", "b"]);
    // The service knows of a limit that nobody else does: the others of the batch go.
    let port = server.port();
    let picky = ScriptedAws::start(move |asked| {
        match asked.call() == "SendMessageBatch" && asked.json().to_string().contains("\"b\"") {
            true => Told::fault(400, "InvalidMessageContents"),
            false => asked.forwarded(port),
        }
    });
    let run = load(&room, &picky.url(), &[]);
    assert!(run.assert_code(5).stdout.contains("the queue refuses it"), "{run:?}");
    assert_eq!(bodies(drained(&server, "work")), ["a"]);
}

/// Two groups of seven messages each, one of them with a deduplication id that comes again.
fn groups() -> Vec<(String, String, String)> {
    let row = |number: usize| {
        let group = if number.is_multiple_of(3) { "a" } else { "b" };
        let id = if number.is_multiple_of(5) { "again" } else { "" };
        (group.to_owned(), id.to_owned(), format!("{number:02}"))
    };
    (0..14).map(row).collect()
}

fn rows(owned: &[(String, String, String)]) -> Vec<Row<'_>> {
    owned.iter().map(|(group, id, body)| (group.as_str(), id.as_str(), body.as_str())).collect()
}

/// What each group must give, in order.
fn by_group(found: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, body) in found {
        groups.entry(group).or_default().push(body);
    }
    groups
}

#[test]
fn groups_keep_their_order_through_resets_throttling_and_partial_failures_and_nothing_comes_twice() {
    let Some(server) = MiniStack::start() else { return };
    let Some(proxy) = Microburst::before(server.port()) else { return };
    let owned = groups();
    let room = room("jobs.fifo", &json!({}), &rows(&owned));
    proxy.set_rules(&json!([
        { "service": "sqs", "operation": "SendMessageBatch", "times": 2, "reset": true },
        { "service": "sqs", "operation": "SendMessageBatch", "times": 2, "error": { "code": "RequestThrottled", "status": 400 } },
        { "service": "sqs", "operation": "SendMessageBatch", "times": 2, "response": { "abort_frac": 0.3 } },
        { "service": "sqs", "operation": "SendMessageBatch", "times": 1, "error": { "code": "InternalError", "status": 500 } },
    ]));
    load(&room, &proxy.url(), &[]).assert_code(0);
    assert!(proxy.fired().len() >= 7, "{:?}", proxy.fired());
    let expected = by_group(owned.iter().map(|(group, _, body)| (group.clone(), body.clone())));
    assert_eq!(by_group(drained(&server, "jobs.fifo")), expected);
    // Single messages of batches fail, and come later.
    let arrived: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let (seen, port) = (Arc::clone(&arrived), server.port());
    let mut count = 0_usize;
    let partial = ScriptedAws::start(move |asked| {
        if asked.call() != "SendMessageBatch" {
            return asked.forwarded(port);
        }
        let entries = asked.json()["Entries"].as_array().unwrap().clone();
        send_batch(asked, |place| {
            count += 1;
            if count.is_multiple_of(3) {
                return Some(("InternalError", false));
            }
            let text = |name: &str| entries[place][name].as_str().unwrap().to_owned();
            seen.lock().unwrap().push((text("MessageGroupId"), text("MessageBody")));
            None
        })
    });
    load(&room, &partial.url(), &["--rename", "jobs.fifo=other.fifo"]).assert_code(0);
    assert_eq!(by_group(arrived.lock().unwrap().drain(..)), expected);
}

#[test]
fn messages_of_a_queue_without_groups_that_get_no_answer_are_sent_again_only_if_that_is_wanted() {
    for (rule, code, copies) in [("stop", 4, 1), ("drop", 5, 1), ("resend", 0, 2)] {
        let Some(server) = MiniStack::start() else { return };
        let room = room("work", &json!({}), &[("", "", "a"), ("", "", "b")]);
        let port = server.port();
        let mut batches = 0;
        let deaf = ScriptedAws::start(move |asked| {
            let told = asked.forwarded(port);
            batches += usize::from(asked.call() == "SendMessageBatch");
            if batches == 1 && asked.call() == "SendMessageBatch" { Told::Nothing } else { told }
        });
        let run = load(&room, &deaf.url(), &["--in-doubt", rule]);
        run.assert_code(code);
        match rule {
            "stop" => {
                run.assert_says("whether the messages of that request are in queue work is not known");
            }
            "drop" => assert!(run.stdout.contains("2 messages: in doubt, and not sent again"), "{run:?}"),
            _ => {
                run.assert_says("up to 2 messages are there twice");
            }
        }
        assert_eq!(drained(&server, "work").len(), 2 * copies, "{rule}");
    }
}

/// Runs a load that is killed at a request, before it reaches the server or when it has. Whether it was killed.
fn killed(url: &str, room: &Room, arguments: &[&str], told: &std::sync::mpsc::Receiver<()>) -> bool {
    let mut child = aws_command(room, url, arguments).spawn().unwrap();
    let was_killed = loop {
        if told.try_recv().is_ok() {
            child.kill().unwrap();
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        std::thread::yield_now();
    };
    let ended = end_of(child);
    if !was_killed {
        ended.assert_code(0);
    }
    was_killed
}

/// A server before another one that says when a request comes at which the program is to be killed, and answers it only then.
fn stopping(
    port: u16,
    at: usize,
    is_behind: bool,
) -> (ScriptedAws, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let (tell, told) = channel();
    let (go_on, wait) = channel::<()>();
    let mut seen = 0;
    let server = ScriptedAws::start(move |asked: &Asked| {
        seen += 1;
        if seen != at + 1 {
            return asked.forwarded(port);
        }
        if is_behind {
            asked.forwarded(port);
        }
        tell.send(()).unwrap();
        wait.recv().unwrap();
        Told::Nothing
    });
    (server, told, go_on)
}

#[test]
fn load_killed_at_any_request_goes_on_and_only_what_is_told_may_be_there_twice() {
    let owned = groups();
    let standard: Vec<(String, String, String)> =
        (0..25).map(|number| (String::new(), String::new(), format!("{number:02}"))).collect();
    for (name, owned) in [("jobs.fifo", &owned), ("work", &standard)] {
        for is_behind in [false, true] {
            let room = room(name, &json!({}), &rows(owned));
            let Some(server) = MiniStack::start() else { return };
            for at in 0.. {
                let target = format!("at-{at}-{name}");
                let rename = format!("{name}={target}");
                let again = ["load", "q.fsm", "sqs:", "--resume", "progress", "--json", "--rename", &rename];
                let (proxy, told, go_on) = stopping(server.port(), at, is_behind);
                let was_killed = killed(&proxy.url(), &room, &again, &told);
                let mut told_twice = 0;
                if was_killed {
                    go_on.send(()).unwrap();
                    let mut run = aws(&room, &proxy.url(), &again);
                    if run.code == Some(1) {
                        run.assert_says("sent");
                        run = aws(&room, &proxy.url(), &[&again[..], &["--in-doubt", "resend"]].concat());
                    }
                    run.assert_code(0);
                    let notes = run.json()["notes"].to_string();
                    told_twice =
                        notes.split("up to ").nth(1).map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap());
                }
                assert!(!room.names().contains("progress"));
                let found = drained(&server, &target);
                let expected = by_group(owned.iter().map(|(group, _, body)| (group.clone(), body.clone())));
                if name.ends_with(".fifo") {
                    assert_eq!(by_group(found), expected, "killed at {at}");
                } else {
                    let mut all = bodies(found);
                    let twice = all.len() - owned.len();
                    all.dedup();
                    assert_eq!(all.len(), owned.len(), "killed at {at}: nothing is lost");
                    assert!(twice <= told_twice, "killed at {at}: {twice} twice, {told_twice} told");
                }
                if !was_killed {
                    assert!(at >= 5, "{at} requests");
                    break;
                }
            }
        }
    }
}
