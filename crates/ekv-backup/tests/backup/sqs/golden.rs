//! The example of section 9, made by a real server.

use ekv_backup::{DecodeOptions, SqsVisibility};
use ekv_testkit::SnapshotBuilder;

use crate::sqs::support::{dump, dump_of, message, settings};

const V2: &str = r#"{"message_id":"00e72f00e5772696c16506e60789a963","body":"dG8gZGxxIDwmPuKAqMOp","md5_of_body":"5085d7b7380e78e790bd89454f4acd0f","md5_of_message_attributes":"4581f99503e64404c2361b01e770ef76","message_attributes":{"b":{"DataType":"Binary","BinaryValue":"AP8="},"n":{"DataType":"Number","StringValue":"1"},"s\u003c":{"DataType":"String","StringValue":"\u003cv\u003e\u0026é"}},"send_timestamp_millis":1795361727140,"available_at_millis":1795361727151,"visible_at_millis":1795361727151,"receive_count":0,"current_receipt_token":"zW/Blv/6di4lw6XFtLXwhw==","queue_generation":1,"dead_letter_source_arn":"arn:aws:sqs:us-east-1:000000000000:main"}"#;
const V3: &str = r#"{"message_id":"2a30b5bd0ea9c34b9660a0b1b4ebcd0f","body":"cCAw","md5_of_body":"609cb4c18b27f58413a66cc37cba94ce","send_timestamp_millis":1795361727165,"available_at_millis":1795361727165,"visible_at_millis":1795361727165,"receive_count":0,"current_receipt_token":"Zd+6RfFGFJSDIQGxWxKmPw==","queue_generation":1,"message_group_id":"g0","sequence_number":1}"#;
const V4: &str = r#"{"message_id":"2a30b5bd0ea9c34b9660a0b1b4ebcd0f","send_timestamp_ms":1795361727165,"expires_at_millis":1795362027165,"original_sequence":1}"#;
const V8: &str = r#"{"name":"dlq","generation":1,"incarnation":1,"created_at_hlc":117660826147160064,"visibility_timeout_seconds":30,"message_retention_seconds":345600,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":262144,"created_at_millis":1795361727104,"last_modified_at_millis":1795361727104}"#;
const V9: &str = r#"{"name":"part.fifo","generation":1,"incarnation":1,"created_at_hlc":117660826147815424,"is_fifo":true,"content_based_dedup":true,"visibility_timeout_seconds":30,"message_retention_seconds":345600,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":262144,"created_at_millis":1795361727114,"last_modified_at_millis":1795361727114,"partition_count":4,"fifo_throughput_limit":"perMessageGroupId","deduplication_scope":"messageGroup"}"#;
const ID3: &[u8] = b"2a30b5bd0ea9c34b9660a0b1b4ebcd0f";

fn snapshot() -> SnapshotBuilder {
    let place = b"p|cGFydC5maWZv|\0\0\0\x02\0\0\0\0\0\0\0\x01";
    let time = b"\0\0\x01\xa2\x03\xe5\xe2\xbd";
    let id = b"MmEzMGI1YmQwZWE5YzM0Yjk2NjBhMGIxYjRlYmNkMGY";
    let dedup = b"ZzA|OTA5ZWYzZDBjYzkxYWM3NWY4YTY0YzIxN2ViZDUyNjAyMzM4ZWUwOGUyZGZiYTA0N2RmNThmNjU5ZGM4NzVkNQ";
    let key = |parts: &[&[u8]]| parts.concat();
    let part_ts = 117_660_826_151_485_440;
    SnapshotBuilder::new()
        .bare()
        .last_commit_ts(117_660_826_174_947_328)
        .put(&key(&[b"!sqs|msg|byage|", place, time, id]), part_ts, ID3)
        .put(
            b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01MDBlNzJmMDBlNTc3MjY5NmMxNjUwNmU2MDc4OWE5NjM",
            117_660_826_150_633_472,
            &message(V2),
        )
        .put(&key(&[b"!sqs|msg|data|", place, id]), part_ts, &message(V3))
        .put(&key(&[b"!sqs|msg|dedup|", place, dedup]), part_ts, V4.as_bytes())
        .put(&key(&[b"!sqs|msg|vis|", place, time, id]), part_ts, ID3)
        .put(b"!sqs|queue|gen|ZGxx", 117_660_826_147_553_280, b"1")
        .put(b"!sqs|queue|gen|cGFydC5maWZv", 117_660_826_148_143_104, b"1")
        .put(b"!sqs|queue|meta|ZGxx", 117_660_826_147_553_280, &settings(V8))
        .put(b"!sqs|queue|meta|cGFydC5maWZv", 117_660_826_148_143_104, &settings(V9))
        .put(b"!sqs|queue|seq|cGFydC5maWZv", 117_660_826_153_975_808, b"14")
}

#[test]
fn golden_snapshot_gives_the_files_of_the_reference_decoder() {
    assert_eq!(snapshot().build().len(), 2908);
    let dump = dump_of(&snapshot());
    let expected = [
        ("dlq/_queue.json", 173, "ddfc48020dc6d01135b549fa5750fc2cccd758e71ab08080d368594e02cf86bc"),
        ("dlq/messages.jsonl", 586, "be6bacf65ada7ffaa1367b67728645b92c95d26ae240d5edb36014bdbc562aec"),
        ("part.fifo/_queue.json", 347, "e1d7efc16db1fcb70b7f0964ea6ac00ce457bcf746aa266617f78faabc71d601"),
        ("part.fifo/messages.jsonl", 305, "e396168da57dcd80ab8fca4c2aaf9febf8a8fb9ae6ce9e3c6dabd849c4b3d146"),
    ];
    assert_eq!(dump.names(), expected.map(|(name, ..)| name));
    for (name, len, digest) in expected {
        assert_eq!(dump.files[name].len(), len, "{name}");
        assert_eq!(dump.digests[&format!("sqs/{name}")], digest, "{name}");
    }
    assert_eq!(dump.report.losses, 0);
    assert!(
        dump.manifest.contains("\"queues\": [\n        \"dlq\",\n        \"part.fifo\"\n      ]"),
        "{}",
        dump.manifest
    );
}

#[test]
fn options_add_visibility_and_the_fields_that_the_reference_leaves_out() {
    let mut options = DecodeOptions::default();
    options.tree.sqs_visibility = SqsVisibility::Keep;
    options.tree.extended = true;
    let dump = dump(&snapshot().build(), &options);
    let line = dump.text("part.fifo/messages.jsonl");
    assert!(
        line.contains(
            r#""visible_at_millis":1795361727165,"receive_count":0,"current_receipt_token":"Zd+6RfFGFJSDIQGxWxKmPw==","queue_generation":1"#
        ),
        "{line}"
    );
    let queue = dump.text("part.fifo/_queue.json");
    let more = concat!(
        "  \"deduplication_scope\": \"messageGroup\",\n",
        "  \"generation\": 1,\n",
        "  \"incarnation\": 1,\n",
        "  \"created_at_hlc\": 117660826147815424,\n",
        "  \"created_at_millis\": 1795361727114,\n",
        "  \"last_modified_at_millis\": 1795361727114,\n",
        "  \"last_sequence_number\": 14\n}",
    );
    assert!(queue.ends_with(more), "{queue}");
    assert!(dump.manifest.contains("\"preserve_sqs_visibility\": true"));
}

#[test]
fn side_records_come_in_snapshot_order_with_the_sequence_of_a_used_fifo_queue() {
    let mut options = DecodeOptions::default();
    options.events.sqs.include_side_records = true;
    let dump = dump(&snapshot().build(), &options);
    let lines: Vec<serde_json::Value> = dump
        .text("part.fifo/_internals/side_records.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let prefixes: Vec<_> = lines.iter().map(|line| line["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["!sqs|msg|byage|", "!sqs|msg|dedup|", "!sqs|msg|vis|", "!sqs|queue|seq|"]);
    let seq = r#"{"prefix":"!sqs|queue|seq|","key_hex":"217371737c71756575657c7365717c634746796443356d61575a76","value_b64":"MTQ"}"#;
    assert_eq!(dump.text("part.fifo/_internals/side_records.jsonl").lines().last(), Some(seq));
    assert!(!dump.files.contains_key("dlq/_internals/side_records.jsonl"));
    assert!(dump.manifest.contains("\"include_sqs_side_records\": true"));
}
