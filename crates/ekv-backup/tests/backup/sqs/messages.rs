//! Which messages count, their order, and their text.

use ekv_adapters::Family;
use ekv_adapters::sqs::keys::{QueueRecord, Subject};
use ekv_backup::DecodeOptions;
use ekv_testkit::SnapshotBuilder;
use proptest::prelude::*;

use crate::sqs::support::{Dump, Queues, dump, dump_of, message, message_json, message_key, queue_key, row_key};

#[test]
fn messages_are_in_order_of_time_sequence_and_id() {
    let times =
        [("c", 5, 2), ("a", 5, 3), ("b", 5, 2), ("d", -7, 9), ("e", i64::MIN, 0), ("f", i64::MAX, 0), ("g", 0, 0)];
    let snapshot = times.iter().fold(SnapshotBuilder::new().queue("q", 1, ""), |snapshot, (id, ms, seq)| {
        snapshot.put(&message_key(b"q", None, 1, id), 10, &message(&message_json(id, *ms, *seq)))
    });
    assert_eq!(dump_of(&snapshot).ids("q"), ["e", "d", "g", "b", "c", "a", "f"]);
}

#[test]
fn messages_that_tie_in_everything_keep_the_order_of_their_records() {
    let body = |n: &str| format!(r#"{{"message_id":"same","body":"{n}"}}"#);
    let snapshot = SnapshotBuilder::new()
        .queue("q", 1, "")
        .put(&message_key(b"q", None, 1, "k2"), 10, &message(&body("Qg==")))
        .put(&message_key(b"q", None, 1, "k1"), 10, &message(&body("QQ==")));
    let dump = dump_of(&snapshot);
    let bodies: Vec<_> = dump.text("q/messages.jsonl").lines().map(|line| line.contains("\"body\":\"A\"")).collect();
    assert_eq!(bodies, [true, false]);
}

#[test]
fn only_the_generation_of_the_settings_counts_and_the_value_is_not_asked() {
    let stale = r#"{"message_id":"kept","body":"","queue_generation":1}"#;
    let snapshot = SnapshotBuilder::new()
        .queue("q", 3, "")
        .message("q", 1, "purged", 1)
        .message("q", 2, "purged-too", 1)
        .put(&message_key(b"q", None, 3, "kept"), 10, &message(stale));
    let dump = dump_of(&snapshot);
    assert_eq!(dump.ids("q"), ["kept"]);
    assert_eq!(dump.found("sqs_stale_generation_messages_dropped"), 1);
    assert_eq!(dump.detail("sqs_stale_generation_messages_dropped"), "2 messages outside generation 3");
    assert_eq!(dump.outcomes(Family::SqsMessage), [("emitted", 1), ("orphaned", 2)]);
    assert_eq!(dump.report.losses, 0);
}

#[test]
fn settings_without_generation_keep_every_message() {
    let snapshot = SnapshotBuilder::new()
        .put(&queue_key(QueueRecord::Settings, b"q"), 10, b"\0SQ\x01{}")
        .message("q", 1, "a", 1)
        .message("q", 2, "b", 2);
    let dump = dump_of(&snapshot);
    assert_eq!(dump.ids("q"), ["a", "b"]);
    assert!(dump.text("q/_queue.json").contains("\"name\": \"q\""));
}

#[test]
fn counter_that_disagrees_is_a_warning_and_white_space_around_it_is_not() {
    for (counter, warnings) in
        [(&b"1"[..], 0), (b" 1\n", 0), (b"2", 1), (b"", 1), (b"x", 1), (b"-1", 1), (b"+1", 1), (b"1.0", 1)]
    {
        let snapshot = SnapshotBuilder::new()
            .put(&queue_key(QueueRecord::Settings, b"q"), 10, b"\0SQ\x01{\"generation\":1}")
            .put(&queue_key(QueueRecord::Generation, b"q"), 10, counter);
        let dump = dump_of(&snapshot.message("q", 1, "a", 1));
        assert_eq!(dump.found("sqs_generation_mismatch"), warnings, "{}", counter.escape_ascii());
        assert_eq!(dump.ids("q"), ["a"]);
    }
}

#[test]
fn keys_that_the_server_does_not_read_are_warned_about() {
    let partitioned = |count: u32, limit: &str| {
        let more = format!(r#","partition_count":{count},"fifo_throughput_limit":"{limit}""#);
        let rows = [None, Some(0), Some(1), Some(3), Some(4)];
        let snapshot = rows.iter().fold(SnapshotBuilder::new().queue("q", 1, &more), |snapshot, partition| {
            let id = partition.map_or("classic".to_owned(), |p| format!("p{p}"));
            snapshot.put(&message_key(b"q", *partition, 1, &id), 10, &message(&message_json(&id, 1, 0)))
        });
        let dump = dump_of(&snapshot);
        assert_eq!(dump.found("sqs_unreachable_messages"), 1);
        dump.ids("q")
    };
    assert_eq!(partitioned(0, ""), ["classic"]);
    assert_eq!(partitioned(1, ""), ["classic"]);
    assert_eq!(partitioned(2, "perMessageGroupId"), ["p0", "p1"]);
    assert_eq!(partitioned(4, ""), ["p0", "p1", "p3"]);
    assert_eq!(partitioned(4, "perQueue"), ["p0"]);
    assert_eq!(partitioned(32, "perMessageGroupId"), ["p0", "p1", "p3", "p4"]);
}

#[test]
fn queues_whose_names_begin_with_each_other_do_not_mix() {
    let names = ["orders", "orders.fifo", "ordersXYZ", "ord", "p", "pp"];
    let snapshot = names.iter().fold(SnapshotBuilder::new(), |snapshot, name| {
        let snapshot = snapshot.queue(name, 1, "").message(name, 1, &format!("{name}-1"), 1);
        snapshot.message(name, 1, &format!("{name}-2"), 2)
    });
    let dump = dump_of(&snapshot);
    for name in names {
        assert_eq!(dump.ids(name), [format!("{name}-1"), format!("{name}-2")]);
    }
    assert_eq!(dump.report.books.findings.len(), 0, "{:?}", dump.report.books.findings);
}

#[test]
fn generations_beyond_2_to_the_56_find_their_queue() {
    // The second begins with letters that base64url has.
    for generation in [1 << 56, 0x4142_4344_4546_4748, 0x4142_4300_0000_0001, u64::MAX] {
        let snapshot = SnapshotBuilder::new()
            .queue("orders", generation, "")
            .queue("orders.fifo", 1, "")
            .message("orders", generation, "00e72f00", 1)
            .message("orders", generation - 1, "00e72f01", 1)
            .message("orders.fifo", 1, "f", 1);
        let dump = dump_of(&snapshot);
        assert_eq!(dump.ids("orders"), ["00e72f00"], "{generation:x}");
        assert_eq!(dump.ids("orders.fifo"), ["f"]);
        assert_eq!(dump.outcomes(Family::SqsMessage), [("emitted", 2), ("orphaned", 1)]);
        assert_eq!(dump.found("sqs_orphan_messages"), 0);
    }
}

#[test]
fn bodies_and_texts_are_escaped_as_the_reference_does() {
    let line = |json: &str| {
        let snapshot =
            SnapshotBuilder::new().queue("q", 1, "").put(&message_key(b"q", None, 1, "m"), 10, &message(json));
        dump_of(&snapshot).text("q/messages.jsonl").to_owned()
    };
    let tail = r#","send_timestamp_millis":0,"available_at_millis":0,"visible_at_millis":0,"receive_count":0,"queue_generation":0"#;
    // < & > " \n U+2028 NUL 0x7f, then a byte that is no UTF-8.
    assert_eq!(
        line(r#"{"message_id":"m","body":"PCY+IgrigKgAf/8="}"#),
        format!(r#"{{"message_id":"m","body":{{"base64":"PCY-IgrigKgAf_8"}}{tail}}}"#) + "\n"
    );
    assert_eq!(
        line(r#"{"message_id":"m","body":"PCY+IgrigKgAfw==","message_group_id":"g\u003c"}"#),
        format!(
            "{{\"message_id\":\"m\",\"body\":\"\\u003c\\u0026\\u003e\\\"\\n\\u2028\\u0000\u{7f}\"{tail},\"message_group_id\":\"g<\"}}\n"
        )
    );
    for empty in [r#"{"message_id":"m","body":""}"#, r#"{"message_id":"m","body":null}"#, r#"{"message_id":"m"}"#] {
        assert_eq!(line(empty), format!(r#"{{"message_id":"m","body":""{tail}}}"#) + "\n");
    }
    let repeated = r#"{"MESSAGE_ID":"x","body":"QUFB","unknown":[{}],"Body":"Qg==","message_id":"\ud800m"}"#;
    assert_eq!(line(repeated), format!("{{\"message_id\":\"\u{fffd}m\",\"body\":\"B\"{tail}}}\n"));
}

#[test]
fn attributes_keep_their_stored_bytes_and_are_sorted_by_name() {
    let json = b"{\"message_id\":\"m\\u0001\",\"body\":\"\",\"message_attributes\":{ \"z\\u003c\" : { \"StringValue\" : \"\\u003c \xff\" , \"DataType\":\"String\"}, \"a\":null,\"b\":1,\"b\":[ 2 ] }}";
    let value = [b"\0SM\x01", &json[..]].concat();
    let dump = dump_of(&SnapshotBuilder::new().queue("q", 1, "").put(&message_key(b"q", None, 1, "m"), 10, &value));
    let line = &dump.files["q/messages.jsonl"];
    let expected = b"\"message_attributes\":{\"a\":null,\"b\":[2],\"z<\":{\"StringValue\":\"\\u003c \xff\",\"DataType\":\"String\"}},";
    assert!(line.windows(expected.len()).any(|window| window == expected), "{}", line.escape_ascii());
}

#[test]
fn large_bodies_pass_through() {
    // One beyond every buffer, one that stays in memory, both in the wrong order.
    let body = |pattern: &str, groups: usize| pattern.repeat(groups);
    let json = |id: &str, ms: i64, body: &str| {
        format!(r#"{{"message_id":"{id}","send_timestamp_millis":{ms},"body":"{body}"}}"#)
    };
    let snapshot = SnapshotBuilder::new()
        .queue("q", 1, "")
        .put(&message_key(b"q", None, 1, "a"), 10, &message(&json("a", 2, &body("QUJD", 1_500_000))))
        .put(&message_key(b"q", None, 1, "b"), 10, &message(&json("b", 1, &body("REVG", 100_000))))
        .put(&message_key(b"q", None, 1, "c"), 10, &message(&json("c", 0, &body("//79", 20_000))));
    let dump = dump_of(&snapshot);
    assert_eq!(dump.ids("q"), ["c", "b", "a"]);
    let lines: Vec<_> = dump.text("q/messages.jsonl").lines().collect();
    assert!(lines[0].contains(&format!(r#""body":{{"base64":"{}"}}"#, "__79".repeat(20_000))));
    assert!(lines[1].contains(&format!(r#""body":"{}""#, "DEF".repeat(100_000))));
    assert!(lines[2].contains(&format!(r#""body":"{}""#, "ABC".repeat(1_500_000))));
}

#[test]
fn queue_without_messages_has_no_message_file_and_expired_messages_stay() {
    let more = r#","message_retention_seconds":60"#;
    let snapshot = SnapshotBuilder::new().queue("empty", 1, "").queue("old", 1, more).message("old", 1, "a", 1);
    assert_eq!(dump_of(&snapshot).names(), ["empty/_queue.json", "old/_queue.json", "old/messages.jsonl"]);
}

#[test]
fn awkward_names_have_a_place() {
    let long = "q".repeat(241);
    let names = ["..", ".", "a/b", "CON", long.as_str()];
    let snapshot = names
        .iter()
        .fold(SnapshotBuilder::new(), |snapshot, name| snapshot.queue(name, 1, "").message(name, 1, "m", 1));
    let dump = dump_of(&snapshot);
    for directory in ["%2E", "%2E%2E", "a%2Fb", "CON"] {
        assert_eq!(dump.ids(directory), ["m"]);
    }
    assert_eq!(dump.report.losses, 0);
    assert_eq!(dump.files.len(), 10);
}

#[test]
fn orphans_are_counted_and_written_when_asked_for() {
    let vis = row_key(b"gone", None, 1, Subject::Visibility { visible_at_ms: 1, id: b"a".to_vec() });
    let snapshot = SnapshotBuilder::new()
        .queue("alive", 1, "")
        .message("gone", 1, "b", 2)
        .message("gone", 2, "a", 1)
        .put(&message_key(b"gone", Some(3), 1, "p"), 10, &message(&message_json("p", 3, 0)))
        .put(&vis, 10, b"a");
    let plain = dump_of(&snapshot);
    assert_eq!(plain.names(), ["alive/_queue.json"]);
    assert_eq!(plain.detail("sqs_orphan_messages"), "3 messages not written, 1 side records");
    assert_eq!(plain.outcomes(Family::SqsMessage), [("orphaned", 3)]);

    let mut options = DecodeOptions::default();
    options.events.sqs.include_orphans = true;
    options.events.sqs.include_side_records = true;
    let asked = dump(&snapshot.build(), &options);
    let names = ["Z29uZQ.orphan/_internals/side_records.jsonl", "Z29uZQ.orphan/messages.jsonl", "alive/_queue.json"];
    assert_eq!(asked.names(), names);
    assert_eq!(asked.ids("Z29uZQ.orphan"), ["a", "b", "p"]);
    assert!(asked.text("Z29uZQ.orphan/messages.jsonl").lines().last().unwrap().ends_with(",\"partition\":3}"));
    assert!(asked.manifest.contains("\"include_orphans\": true"));
}

#[test]
fn orphan_of_a_queue_whose_name_begins_with_a_living_one_is_not_given_to_it() {
    let snapshot =
        SnapshotBuilder::new().queue("orders", 1, "").message("orders", 1, "a", 1).message("orders.fifo", 1, "f", 1);
    let dump = dump_of(&snapshot);
    assert_eq!(dump.ids("orders"), ["a"]);
    assert_eq!(dump.found("sqs_orphan_messages"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_message_of_random_queues_comes_out_once_in_order(
        rows in prop::collection::btree_map(
            (prop::sample::select(vec!["abc", "abcdef", "abcd", "abcdefghi", "x"]), "[0-9a-f]{1,4}"), (-3_i64..3, 0_u64..3), 0..40),
        known in prop::sample::subsequence(vec!["abc", "abcdef", "abcd", "abcdefghi", "x"], 0..=5),
    ) {
        let mut snapshot = known.iter().fold(SnapshotBuilder::new(), |snapshot, name| snapshot.queue(name, 1, ""));
        snapshot = snapshot.put(b"!redis|str|k", 1, b"v");
        for ((queue, id), (ms, seq)) in &rows {
            snapshot = snapshot.put(&message_key(queue.as_bytes(), None, 1, id), 10, &message(&message_json(id, *ms, *seq)));
        }
        let dump: Dump = dump_of(&snapshot);
        for name in &known {
            let mut expected: Vec<_> = rows.iter().filter(|((queue, _), _)| queue == name).map(|((_, id), order)| (*order, id.clone())).collect();
            expected.sort();
            prop_assert_eq!(dump.ids(name), expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
        }
    }
}
