//! Damaged settings, messages and keys.

use ekv_adapters::Family;
use ekv_adapters::sqs::keys::QueueRecord;
use ekv_backup::{DecodeOptions, NoProgress, decode};
use ekv_testkit::SnapshotBuilder;

use crate::sqs::support::{Queues, dump, dump_of, message, message_key, queue_key, settings};

const BAD_SETTINGS: [&str; 10] = [
    "",
    "{",
    "[]",
    r#"{"name":1}"#,
    r#"{"generation":-1}"#,
    r#"{"generation":1.0}"#,
    r#"{"generation":18446744073709551616}"#,
    r#"{"partition_count":4294967296}"#,
    r#"{"delay_seconds":1e3}"#,
    r#"{"throttle":{"send_capacity":1e999}}"#,
];

#[test]
fn damaged_settings_lose_the_queue_with_its_messages_and_nothing_else() {
    let values =
        BAD_SETTINGS.iter().map(|json| settings(json)).chain([b"{}".to_vec(), b"\0SQ\x02{}".to_vec(), Vec::new()]);
    for value in values {
        let snapshot = SnapshotBuilder::new()
            .put(&queue_key(QueueRecord::Settings, b"bad"), 10, &value)
            .put(&queue_key(QueueRecord::Generation, b"bad"), 10, b"1")
            .message("bad", 1, "m", 1)
            .queue("good", 1, "")
            .message("good", 1, "g", 1);
        let dump_plain = dump_of(&snapshot);
        assert_eq!(dump_plain.names(), ["good/_queue.json", "good/messages.jsonl"], "{}", value.escape_ascii());
        assert_eq!(dump_plain.found("sqs_invalid_queue_meta"), 1);
        assert_eq!(dump_plain.outcomes(Family::SqsMessage), [("emitted", 1), ("lost", 1)]);
        assert_eq!(dump_plain.report.losses, 1);

        let mut options = DecodeOptions::default();
        options.events.sqs.include_orphans = true;
        let rescued = dump(&snapshot.build(), &options);
        assert_eq!(rescued.ids("YmFk.orphan"), ["m"]);
        assert_eq!(rescued.report.losses, 1);
    }
}

#[test]
fn damaged_message_is_named_and_left_out() {
    let bad = [
        "",
        "{",
        "7",
        r#"{"message_id":7}"#,
        r#"{"body":"QQ"}"#,
        r#"{"body":"Q*=="}"#,
        r#"{"receive_count":1.5}"#,
        r#"{"send_timestamp_millis":9223372036854775808}"#,
        r#"{"sequence_number":-1}"#,
        r#"{"message_attributes":[1]}"#,
        r#"{"message_attributes":{"a":}}"#,
        r#"{"message_id":"m"}x"#,
        r#"{"current_receipt_token":"="}"#,
    ];
    let values = bad.iter().map(|json| message(json)).chain([b"{}".to_vec(), b"\0SM".to_vec(), b"\0SM\x02{}".to_vec()]);
    for value in values {
        let key = message_key(b"q", None, 1, "bad");
        let snapshot = SnapshotBuilder::new().queue("q", 1, "").message("q", 1, "good", 1).put(&key, 10, &value);
        let dump = dump_of(&snapshot);
        assert_eq!(dump.ids("q"), ["good"], "{}", value.escape_ascii());
        assert_eq!(dump.found("sqs_invalid_message"), 1);
        assert_eq!(dump.outcomes(Family::SqsMessage), [("emitted", 1), ("lost", 1)]);
    }
}

#[test]
fn malformed_keys_are_losses_and_every_one_is_accounted_for() {
    for bad in [
        &b"!sqs|msg|data|"[..],
        b"!sqs|msg|data|cQ",
        b"!sqs|msg|data|cQ\0\0\0\0\0\0\0\x01",
        b"!sqs|msg|data|cQ\0\0\0\0\0\0\0\x01QQ==",
        b"!sqs|msg|data|cQ\0\0",
        b"!sqs|msg|data|c\0\0\0\0\0\0\0\x01QQ",
        b"!sqs|msg|data|\0\0\0\0\0\0\0\x01QQ",
        b"!sqs|msg|data|p|",
        b"!sqs|msg|data|p|cQ",
        b"!sqs|msg|data|p|cQ|\0\0\0",
        b"!sqs|msg|data|p||\0\0\0\0\0\0\0\0\0\0\0\x01QQ",
        b"!sqs|queue|meta|",
        b"!sqs|queue|meta|c",
        b"!sqs|queue|meta|cQ=",
        b"!sqs|queue|meta|cR",
    ] {
        let snapshot = SnapshotBuilder::new().queue("q", 1, "").message("q", 1, "good", 1).put(bad, 10, b"x");
        let dump = dump_of(&snapshot);
        assert_eq!(dump.found("sqs_malformed_key"), 1, "{}", bad.escape_ascii());
        assert_eq!(dump.report.losses, 1);
        assert_eq!(dump.ids("q"), ["good"]);
    }
}

#[test]
fn malformed_side_record_is_a_loss_only_where_side_records_are_asked_for() {
    let snapshot = SnapshotBuilder::new().queue("q", 1, "").put(b"!sqs|msg|vis|p|cQ", 10, b"x").put(
        b"!sqs|queue|tombstone|cQ",
        10,
        b"\x01",
    );
    assert_eq!(dump_of(&snapshot).report.losses, 0);
    let mut options = DecodeOptions::default();
    options.events.sqs.include_side_records = true;
    assert_eq!(dump(&snapshot.build(), &options).found("sqs_malformed_key"), 2);
}

#[test]
fn strict_makes_a_damaged_message_fatal_and_publishes_nothing() {
    let key = message_key(b"q", None, 1, "bad");
    let snapshot = SnapshotBuilder::new().queue("q", 1, "").put(&key, 10, b"x");
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("snapshot.fsm");
    std::fs::write(&input, snapshot.build()).unwrap();
    let target = directory.path().join("dump");
    let options = DecodeOptions { strict: true, ..DecodeOptions::default() };
    let error = decode(&input, &target, &options, &NoProgress).unwrap_err();
    assert_eq!(error.class(), ekv_backup::Class::Data);
    assert!(error.to_string().contains("sqs_invalid_message"), "{error}");
    assert!(!target.exists());
}

#[test]
fn settings_beyond_the_limit_are_refused_by_name_of_the_limit() {
    let huge = settings(&format!(r#"{{"redrive_policy":"{}"}}"#, "x".repeat(4 << 20)));
    let snapshot =
        SnapshotBuilder::new().put(&queue_key(QueueRecord::Settings, b"q"), 10, &huge).put(b"!redis|str|k", 1, b"v");
    let dump = dump_of(&snapshot);
    assert!(dump.detail("sqs_invalid_queue_meta").contains("more than the limit of 4194304"));
}
