//! Dumps that people changed by hand: what is refused, with file and line, and what is not.

use ekv_adapters::EncodeOptions;
use std::sync::Arc;

use crate::sqs::golden::{message, settings};
use crate::trip::{Dump, Mode, Records};

const QUEUE: &str = "sqs/p.fifo/_queue.json";
const MESSAGES: &str = "sqs/p.fifo/messages.jsonl";
const SIDE: &str = "sqs/p.fifo/_internals/side_records.jsonl";
const CLASSIC: &str = "sqs/c/messages.jsonl";

fn sample(mode: Mode) -> Dump {
    let fifo = r#"{"name":"p.fifo","generation":1,"is_fifo":true,"visibility_timeout_seconds":30,"message_retention_seconds":60,"delay_seconds":5,"receive_message_wait_seconds":0,"maximum_message_size":1024,"tags":{"a":"1","b":"2"},"throttle":{"send_capacity":25.5},"partition_count":4,"fifo_throughput_limit":"perMessageGroupId","deduplication_scope":"messageGroup"}"#;
    let classic = r#"{"name":"c","generation":1,"visibility_timeout_seconds":30,"message_retention_seconds":60,"delay_seconds":5,"receive_message_wait_seconds":0,"maximum_message_size":1024}"#;
    let one = |id: &str, send_ms: u64, more: &str| {
        message(&format!(
            r#"{{"message_id":"{id}","body":"aGk=","md5_of_body":"","message_attributes":{{"a":{{"DataType":"String","StringValue":"x"}},"b":1}},"send_timestamp_millis":{send_ms},"available_at_millis":{send_ms},"visible_at_millis":{send_ms},"receive_count":1,"current_receipt_token":"AP8=","queue_generation":1{more}}}"#
        ))
    };
    let grouped = |sequence: u64| format!(r#","message_group_id":"g0","sequence_number":{sequence}"#);
    let place = b"p|cC5maWZv|\0\0\0\x02\0\0\0\0\0\0\0\x01";
    let records = [
        (b"!sqs|queue|meta|cC5maWZv".to_vec(), settings(fifo)),
        (b"!sqs|queue|meta|Yw".to_vec(), settings(classic)),
        (b"!sqs|queue|seq|cC5maWZv".to_vec(), b"2".to_vec()),
        ([b"!sqs|msg|data|", &place[..], b"bTE"].concat(), one("m1", 5, &grouped(1))),
        ([b"!sqs|msg|data|", &place[..], b"bTI"].concat(), one("m2", 6, &grouped(2))),
        ([b"!sqs|msg|group|", &place[..], b"ZzA"].concat(), br#"{"message_id":"m1"}"#.to_vec()),
        (b"!sqs|msg|data|Yw\0\0\0\0\0\0\0\x01bTE".to_vec(), one("m1", 5, "")),
    ];
    Dump::of(&Records(records.into()), mode)
}

/// File, text in it, what stands instead, and what the message says.
type Edit = (&'static str, &'static str, &'static str, &'static str);

fn check(dump: &Dump, edits: &[Edit]) {
    let mut wrong = Vec::new();
    for (path, from, to, message) in edits {
        let error = dump.clone().edited(path, from, to).encode_with(EncodeOptions::default(), Arc::default());
        match error {
            Err(error) if error.to_string().strip_prefix(path).is_some_and(|rest| rest.contains(message)) => {}
            Err(error) => wrong.push(format!("{from} -> {to}: {error}")),
            Ok(_) => wrong.push(format!("{from} -> {to}: accepted")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let name = "\"name\": \"p.fifo\"";
    check(
        &sample(Mode::FULL),
        &[
            (QUEUE, "\"format_version\": 1,", "", "the member \"format_version\" is missing"),
            (QUEUE, "\"format_version\": 1", "\"format_version\": 2", ", line 2, byte 22: expected format_version 1"),
            (QUEUE, name, "\"name\": \"\"", ", line 3, byte 35: name must not be empty"),
            (QUEUE, name, "\"name\": 7", ", line 3, byte 35: expected a string, found '7'"),
            (QUEUE, name, "\"name\": \"o.fifo\"", ": this name belongs into the directory o.fifo"),
            (QUEUE, "\"delay_seconds\": 5", "\"delay_secnds\": 5", "unknown member \"delay_secnds\": expected"),
            (QUEUE, "\"delay_seconds\": 5,", "", "the member \"delay_seconds\" is missing"),
            (
                QUEUE,
                "\"delay_seconds\": 5",
                "\"delay_seconds\": 5.5",
                ", line 7, byte 151: expected a whole number from -2^63",
            ),
            (QUEUE, "\"delay_seconds\": 5", "\"delay_seconds\": null", "found 'n'"),
            (QUEUE, "\"fifo\": true", "\"fifo\": 1", "expected true or false, found '1'"),
            (QUEUE, "\"fifo\": true,", "", ": partition_count is set, but the queue is not FIFO"),
            (
                QUEUE,
                "\"partition_count\": 4",
                "\"partition_count\": 3",
                ": partition_count is 3: expected a power of two of at most 32",
            ),
            (
                QUEUE,
                "\"partition_count\": 4",
                "\"partition_count\": 64",
                ": partition_count is 64: expected a power of two",
            ),
            (
                QUEUE,
                "\"partition_count\": 4",
                "\"partition_count\": 1",
                "\"perMessageGroupId\" needs a partition_count of at least 2, which is 1",
            ),
            (
                QUEUE,
                "\"partition_count\": 4",
                "\"partition_count\": 4294967296",
                "expected a whole number from 0 to 2^32-1",
            ),
            (
                QUEUE,
                "\"perMessageGroupId\"",
                "\"perGroup\"",
                ": fifo_throughput_limit is \"perGroup\": expected \"perQueue\"",
            ),
            (QUEUE, "\"messageGroup\"", "\"group\"", ": deduplication_scope is \"group\": expected \"queue\""),
            (QUEUE, "\"messageGroup\"", "\"queue\"", "\"queue\" needs a partition_count of at most 1, which is 4"),
            (QUEUE, "\"b\": \"2\"", "\"a\": \"2\"", ": the tag on line 14 comes again: names must be unique"),
            (QUEUE, "25.5", "\"25.5\"", "expected a number, found '\"'"),
            (QUEUE, "\"send_capacity\"", "\"capacity\"", "unknown member \"capacity\": expected \"send_capacity\""),
            (QUEUE, "\n}", "\n}}", "expected the end of the file, found '}'"),
        ],
    );
}

#[test]
fn messages_that_mean_nothing_are_refused() {
    check(
        &sample(Mode::FULL),
        &[
            (
                MESSAGES,
                "\"message_id\":\"m2\"",
                "\"message_id\":\"\"",
                ", line 2, byte 319: message_id must not be empty",
            ),
            (
                MESSAGES,
                "\"message_id\":\"m2\"",
                "\"message_id\":\"m1\"",
                ", line 2: a message with this id is on line 1 already",
            ),
            (MESSAGES, "\"message_id\":\"m2\",", "", ", line 2, byte 591: the member \"message_id\" is missing"),
            (
                MESSAGES,
                "\"body\":\"hi\"",
                "\"body\":null",
                ", line 1, byte 26: expected a string or {\"base64\": …}, found 'n'",
            ),
            (MESSAGES, "\"body\":\"hi\"", "\"body\":{\"base64\":\"aGk=\"}", "expected base64url without padding"),
            (MESSAGES, "\"body\":\"hi\"", "\"body\":{\"text\":\"hi\"}", "unknown member \"text\": expected \"base64\""),
            (MESSAGES, "\"body\":\"hi\"", "\"body\":\"\\ud800\"", "the escape is half of a surrogate pair"),
            (MESSAGES, "\"body\":\"hi\"", "\"body\":\"hi\",\"body\":\"ho\"", "the member \"body\" comes twice"),
            (MESSAGES, "\"receive_count\":1", "\"receive_count\":1.0", "expected a whole number from -2^63 to 2^63-1"),
            (
                MESSAGES,
                "\"receive_count\":1",
                "\"receives\":1",
                "unknown member \"receives\": expected \"message_id\", \"body\"",
            ),
            (MESSAGES, "\"AP8=\"", "\"AP8\"", "expected base64 with padding"),
            (MESSAGES, "\"b\":1", "\"a\":1", ": the attribute on line 1 comes again: names must be unique"),
            (MESSAGES, "\"b\":1", "\"b\":01", "expected a comma or the end of the object, found '1'"),
            (MESSAGES, "\"sequence_number\":1", "\"sequence_number\":-1", "expected a whole number from 0 to 2^64-1"),
            (
                MESSAGES,
                ",\"partition\":2}\n{",
                "}\n{",
                ", line 1: the message has no partition: its message group belongs to partition 2",
            ),
            (
                MESSAGES,
                "\"partition\":2",
                "\"partition\":1",
                ", line 1: partition is 1: its message group belongs to partition 2",
            ),
            (MESSAGES, "}\n{\"message_id\"", "} {\"message_id\"", "expected the end of the line, found '{'"),
            (
                MESSAGES,
                "}\n{\"message_id\"",
                "}\n\n{\"message_id\"",
                ", line 2, byte 305: expected an object with a message, found the end of the line",
            ),
            (
                CLASSIC,
                "\"queue_generation\":1",
                "\"queue_generation\":1,\"partition\":1",
                ", line 1: partition is 1, but the queue has no partitions",
            ),
        ],
    );
}

#[test]
fn receives_are_refused_where_the_manifest_says_that_none_are_kept() {
    let reset = "must be 0 or left out: the manifest says that preserve_sqs_visibility is false";
    let dump = sample(Mode::default());
    check(
        &dump,
        &[
            (MESSAGES, "\"visible_at_millis\":0", "\"visible_at_millis\":9", reset),
            (MESSAGES, "\"receive_count\":0", "\"receive_count\":9", reset),
            (MESSAGES, "\"receive_count\":0", "\"receive_count\":0,\"current_receipt_token\":\"AP8=\"", reset),
        ],
    );
    dump.edited(MESSAGES, "\"receive_count\":0", "\"receive_count\":0,\"first_receive_millis\":0").encode();
}

#[test]
fn side_records_that_mean_nothing_are_refused() {
    check(
        &sample(Mode::FULL),
        &[
            (
                SIDE,
                "\"prefix\":\"!sqs|queue|seq|\"",
                "\"prefix\":\"!sqs|queue|seq\"",
                ", line 2: prefix is \"!sqs|queue|seq\", which is no kind of side record",
            ),
            (
                SIDE,
                "\"prefix\":\"!sqs|queue|seq|\"",
                "\"prefix\":\"!sqs|queue|meta|\"",
                "which is no kind of side record",
            ),
            (
                SIDE,
                "\"prefix\":\"!sqs|queue|seq|\"",
                "\"prefix\":\"!sqs|msg|vis|\"",
                ", line 2: the key is not one that begins with \"!sqs|msg|vis|\" and the name of the queue",
            ),
            (SIDE, "\"key_hex\":\"2173", "\"key_hex\":\"217", "expected pairs of hexadecimal digits"),
            (SIDE, "\"key_hex\":\"2173", "\"key_hex\":\"217Z", "expected pairs of hexadecimal digits"),
            (
                SIDE,
                "\"value_b64\":\"Mg\"",
                "\"value_b64\":\"Mg==\"",
                ", line 2, byte 264: expected base64url without padding",
            ),
            (
                SIDE,
                "\"value_b64\":\"Mg\"",
                "\"value\":\"Mg\"",
                "unknown member \"value\": expected \"prefix\", \"key_hex\" or \"value_b64\"",
            ),
        ],
    );
    let dump = sample(Mode::FULL);
    let line = dump.text(SIDE).lines().next().unwrap().to_owned();
    let twice = format!("{line}\n{}", dump.text(SIDE));
    let error = dump.with(SIDE, twice.as_bytes()).error();
    assert!(error.starts_with(SIDE) && error.contains("two side records have the key !sqs|msg|group|p|"), "{error}");
}

#[test]
fn entries_that_mean_nothing_are_refused() {
    let dump = sample(Mode::FULL);
    for (path, message) in [
        (
            "sqs/notes.txt",
            "sqs/notes.txt: nothing in a dump has this name: expected directories only, one for each queue",
        ),
        ("sqs/c/notes.txt", "sqs/c/notes.txt: nothing in a dump has this name: expected _queue.json, messages.jsonl"),
        ("sqs/c/sub/x", "sqs/c/sub: nothing in a dump has this name: expected _queue.json, messages.jsonl"),
        (
            "sqs/c/_internals/x",
            "sqs/c/_internals/x: nothing in a dump has this name: expected the file side_records.jsonl",
        ),
        ("sqs/d/messages.jsonl", "sqs/d: _queue.json is missing in it"),
        ("sqs/d/_internals/side_records.jsonl", "sqs/d: _queue.json is missing in it"),
    ] {
        assert_eq!(
            dump.clone().with(path, b"").error().split(" or ").next().unwrap().trim_end_matches(','),
            message.trim_end_matches(','),
            "{path}"
        );
    }
    let copied = dump.text(QUEUE).to_owned();
    for (segment, message) in [
        ("%63", "sqs/%63/_queue.json: the name is not in its canonical form"),
        ("b64.Yw", "sqs/b64.Yw/_queue.json: the name is not in its canonical form"),
        ("a b", "sqs/a b/_queue.json: byte 0x20 at position 1 of the name must be escaped"),
        ("p2.fifo", "sqs/p2.fifo/_queue.json: this name belongs into the directory p.fifo"),
    ] {
        assert_eq!(dump.clone().with(&format!("sqs/{segment}/_queue.json"), copied.as_bytes()).error(), message);
    }
    assert_eq!(dump.clone().without(QUEUE).error(), "sqs/p.fifo: _queue.json is missing in it");
    let missing = "the manifest lists it, but there is no such directory";
    assert_eq!(dump.clone().without("sqs/c").error(), format!("sqs/c: {missing}"));
    assert_eq!(dump.without("sqs").error(), format!("sqs/c: {missing}; sqs/p.fifo: {missing}"));
}

#[test]
fn spacing_order_of_members_and_a_missing_last_line_feed_mean_nothing() {
    let dump = sample(Mode::FULL);
    let expected = dump.encode().shown();
    let turned = |path: &str| {
        let mut lines: Vec<String> = Vec::new();
        for line in dump.text(path).lines() {
            let mut members: Vec<_> = line.strip_prefix('{').unwrap().strip_suffix('}').unwrap().split(",\"").collect();
            if !line.contains("message_attributes") {
                members.reverse();
            }
            let members: Vec<_> = members.iter().map(|member| member.trim_start_matches('"')).collect();
            lines.push(format!(" {{ \"{}\t}} ", members.join(" , \"").replace(":{", " : { ")));
        }
        lines.join("\r\n")
    };
    let edited = dump.clone().with(MESSAGES, turned(MESSAGES).as_bytes()).with(SIDE, turned(SIDE).as_bytes());
    let queue = format!("{}\n\n", dump.text(QUEUE).replace("\n  \"", "\n\t\t\""));
    assert_eq!(edited.with(QUEUE, queue.as_bytes()).encode().shown(), expected);
}

#[test]
fn lines_in_any_order_are_put_into_the_order_of_sending() {
    let dump = sample(Mode::FULL);
    let mut lines: Vec<&str> = dump.text(MESSAGES).lines().collect();
    lines.reverse();
    let turned = dump.clone().with(MESSAGES, lines.join("\n").as_bytes());
    assert_ne!(turned, dump);
    assert_eq!(turned.rewritten(Mode::FULL), dump);
}

#[test]
fn attributes_keep_their_text_but_for_spacing_and_what_servers_escape() {
    let dump = sample(Mode::FULL).edited(CLASSIC, "\"b\":1", "\"b\": { \"z\" : \"<a> & \\u00e9\" , \"y\" : [ 1.50 ] }");
    let records = dump.encode();
    let value = &records.0[b"!sqs|msg|data|Yw\0\0\0\0\0\0\0\x01bTE".as_slice()];
    let text = std::str::from_utf8(&value[4..]).unwrap();
    assert!(text.contains(r#""b":{"z":"\u003ca\u003e \u0026 \u00e9","y":[1.50]}}"#), "{text}");
}
