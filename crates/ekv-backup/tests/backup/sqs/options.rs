//! Extended settings, visibility, side records of every family, records that no adapter decodes.

use ekv_adapters::Family;
use ekv_adapters::sqs::keys::{Key, QueueRecord, Subject};
use ekv_backup::{DecodeOptions, EventOptions, SqsVisibility};
use ekv_testkit::SnapshotBuilder;

use crate::sqs::support::{Queues, dump, dump_of, message, message_key, queue_key, row_key, settings};

#[test]
fn extended_settings_hold_tags_throttling_and_times_in_order() {
    let json = r#"{"name":"q<","generation":2,"tags":{"b":"<1>","a\u2028":""},"last_purged_at_millis":5,"created_at_millis":6,
        "last_modified_at_millis":7,"throttle":{"recv_capacity":3,"send_capacity":25.5,"default_capacity":0,"x":[1]},
        "receive_message_wait_seconds":20,"redrive_policy":"{\"a\":1}"}"#;
    let snapshot = SnapshotBuilder::new().put(&queue_key(QueueRecord::Settings, b"q<"), 10, &settings(json)).put(
        &queue_key(QueueRecord::Sequence, b"q<"),
        10,
        b"9",
    );
    let mut options = DecodeOptions::default();
    options.tree.extended = true;
    let expected = r#"{
  "format_version": 1,
  "name": "q\u003c",
  "visibility_timeout_seconds": 0,
  "message_retention_seconds": 0,
  "delay_seconds": 0,
  "receive_message_wait_seconds": 20,
  "redrive_policy": "{\"a\":1}",
  "generation": 2,
  "tags": {
    "a\u2028": "",
    "b": "\u003c1\u003e"
  },
  "last_purged_at_millis": 5,
  "created_at_millis": 6,
  "last_modified_at_millis": 7,
  "throttle": {
    "send_capacity": 25.5,
    "recv_capacity": 3
  },
  "last_sequence_number": 9
}"#;
    assert_eq!(dump(&snapshot.build(), &options).text("q%3C/_queue.json"), expected);
    assert!(!dump_of(&snapshot).text("q%3C/_queue.json").contains("tags"));
}

#[test]
fn messages_in_flight_are_reset_unless_visibility_is_kept() {
    let json = r#"{"message_id":"m","body":"","available_at_millis":3,"visible_at_millis":9,"receive_count":2,"first_receive_millis":4,"current_receipt_token":"AP8="}"#;
    let snapshot = SnapshotBuilder::new().queue("q", 1, "").put(&message_key(b"q", None, 1, "m"), 10, &message(json));
    let reset = dump_of(&snapshot);
    assert!(reset.text("q/messages.jsonl").contains(r#""visible_at_millis":0,"receive_count":0,"queue_generation""#));
    let mut options = DecodeOptions::default();
    options.tree.sqs_visibility = SqsVisibility::Keep;
    let kept = dump(&snapshot.build(), &options);
    let expected = r#""visible_at_millis":9,"receive_count":2,"first_receive_millis":4,"current_receipt_token":"AP8=","queue_generation":0"#;
    assert!(kept.text("q/messages.jsonl").contains(expected));
}

#[test]
fn side_records_of_every_family_and_form_are_written_for_every_generation() {
    let subjects = || {
        [
            Subject::Age { send_at_ms: 1, id: b"m".to_vec() },
            Subject::Dedup { group: Vec::new(), id: b"d".to_vec() },
            Subject::Group { group: b"g".to_vec() },
            Subject::Visibility { visible_at_ms: 1, id: b"m".to_vec() },
        ]
    };
    let mut snapshot = SnapshotBuilder::new()
        .queue("q", 2, "")
        .put(&queue_key(QueueRecord::Sequence, b"q"), 10, b"5")
        .put(&Key::Tombstone { queue: b"q".to_vec(), generation: 1 }.to_bytes(), 10, &4_u64.to_be_bytes())
        .put(&Key::Tombstone { queue: b"gone".to_vec(), generation: 1 }.to_bytes(), 10, b"\x01");
    for (partition, generation) in [(None, 1), (None, 2), (Some(0), 1)] {
        for subject in subjects() {
            snapshot = snapshot.put(&row_key(b"q", partition, generation, subject), 10, b"m");
        }
    }
    let mut options = DecodeOptions::default();
    options.events.sqs.include_side_records = true;
    let asked = dump(&snapshot.build(), &options);
    let lines: Vec<_> = asked.text("q/_internals/side_records.jsonl").lines().collect();
    assert_eq!(lines.len(), 14);
    let keys: Vec<_> = lines
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["key_hex"].to_string())
        .collect();
    assert!(keys.is_sorted(), "{keys:?}");
    assert!(lines[13].ends_with(r#""value_b64":"AAAAAAAAAAQ"}"#));
    assert_eq!(asked.text("Z29uZQ.orphan/_internals/side_records.jsonl").lines().count(), 1);
    assert_eq!(asked.outcomes(Family::SqsTombstone), [("emitted", 2)]);

    let plain = dump_of(&snapshot);
    assert_eq!(plain.names(), ["q/_queue.json"]);
    assert_eq!(plain.outcomes(Family::SqsTombstone), [("internal", 2)]);
    assert_eq!(plain.outcomes(Family::SqsSequence), [("joined", 1)]);
}

#[test]
fn records_that_no_adapter_decodes_are_written_when_asked_for() {
    let large = vec![0xa5; 300_000];
    let snapshot = SnapshotBuilder::new()
        .put(b"!redis|str|k", 10, b"v")
        .put(b"!sqs|other|x", 11, b"\xff\0")
        .put(b"!a|", 12, b"")
        .put(b"_meta_x", 13, b"1")
        .put(b"!fs|big|1", 14, &large)
        .put(b"!fs|zzz", 15, b"z")
        .put(b"!txn|cmt|x", 16, b"t")
        .delete(b"!b|gone", 17);
    let plain = dump_of(&snapshot);
    assert!(plain.names().is_empty());
    assert_eq!(plain.found("data_not_decoded"), 5);

    let options = DecodeOptions {
        events: EventOptions { include_unknown: true, ..EventOptions::default() },
        ..DecodeOptions::default()
    };
    let asked = dump(&snapshot.build(), &options);
    assert_eq!(asked.names(), ["_unknown/fs_other.jsonl", "_unknown/unknown.jsonl"]);
    assert_eq!(
        asked.text("_unknown/unknown.jsonl"),
        concat!(
            "{\"key_b64\":\"IWF8\",\"commit_ts\":12,\"value_b64\":\"\"}\n",
            "{\"key_b64\":\"IXNxc3xvdGhlcnx4\",\"commit_ts\":11,\"value_b64\":\"_wA\"}\n",
            "{\"key_b64\":\"X21ldGFfeA\",\"commit_ts\":13,\"value_b64\":\"MQ\"}\n",
        )
    );
    let text = asked.text("_unknown/fs_other.jsonl");
    let (large, small) = text.split_once('\n').unwrap();
    assert_eq!(small, "{\"key_b64\":\"IWZzfHp6eg\",\"commit_ts\":15,\"value_b64\":\"eg\"}\n");
    assert_eq!(large.len(), 400_000 + "{\"key_b64\":\"IWZzfGJpZ3wx\",\"commit_ts\":14,\"value_b64\":\"\"}".len());
    assert_eq!(asked.found("data_not_decoded"), 0);
    assert_eq!(asked.outcomes(Family::Unknown), [("emitted", 3)]);
    assert_eq!(asked.outcomes(Family::TxnCommit), [("internal", 1)]);
}
