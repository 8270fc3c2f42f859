//! Queues of every kind: what is encoded comes back the same from any dump of it.

use ekv_adapters::Encoder;
use ekv_adapters::sqs::keys::{Key, MessageKey, MessageRow, Subject};
use ekv_model::sqs::{Attribute, Event, Message, Queue, Throttle};
use ekv_model::{Body, Consumer, Event as ModelEvent};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::trip::{Dump, Mode, Records, scratch};

/// How a queue spreads its messages.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Standard,
    Fifo,
    PerQueue(u32),
    ByGroup(u32),
}

#[derive(Clone, Debug)]
struct Settings {
    kind: Kind,
    is_content_based: bool,
    numbers: [i64; 6],
    generation: u64,
    policy: String,
    tags: Vec<(String, String)>,
    capacity: &'static str,
    last_sequence_number: Option<u64>,
}

#[derive(Clone, Debug)]
struct Sent {
    id: String,
    body: Vec<u8>,
    attributes: Vec<(String, &'static str)>,
    send_timestamp_ms: i64,
    delay_ms: i64,
    receives: (i64, Vec<u8>),
    group: String,
    deduplication_id: String,
    sequence_number: u64,
    source: String,
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,6}",
        r#"[<>&"\\\x00-\x1f\x7f\u{2027}-\u{202a}\u{feff}\u{ffff}é]{1,5}"#,
        ".{1,5}",
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let count = || select(vec![2_u32, 4, 32]);
    prop_oneof![
        Just(Kind::Standard),
        Just(Kind::Fifo),
        count().prop_map(Kind::PerQueue),
        count().prop_map(Kind::ByGroup)
    ]
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (
        (any_kind(), any::<bool>(), any::<[i64; 6]>(), 1_u64..1 << 56, any_text()),
        btree_map(any_text(), any_text(), 0..3),
        select(vec!["", "5", "25.5", "1e3"]),
        proptest::option::of(1_u64..),
    )
        .prop_map(|((kind, is_content_based, numbers, generation, policy), tags, capacity, last)| Settings {
            kind,
            is_content_based,
            numbers,
            generation,
            policy,
            tags: tags.into_iter().collect(),
            capacity,
            last_sequence_number: if matches!(kind, Kind::Standard) { None } else { last },
        })
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let json = select(vec![
        r#"{"DataType":"String","StringValue":"\u003cv\u003e\u0026é"}"#,
        r#"{"DataType":"Binary","BinaryValue":"AP8="}"#,
        r#"{"DataType":"Number","StringValue":"-1.50"}"#,
        "null",
        r#"[1.0,{"a":[]},"\ud800 x"]"#,
    ]);
    (
        (any_text(), prop_oneof![vec(any::<u8>(), 0..12), any_text().prop_map(String::into_bytes)]),
        btree_map(any_text(), json, 0..3),
        (prop_oneof![-3_i64..9, any::<i64>()], 0_i64..9, 0_i64..3, vec(any::<u8>(), 0..17)),
        (any_text(), any_text(), 0_u64..5, any_text()),
    )
        .prop_map(|((id, body), attributes, (send_timestamp_ms, delay_ms, count, token), texts)| {
            let (group, deduplication_id, sequence_number, source) = texts;
            Sent {
                id,
                body,
                attributes: attributes.into_iter().collect(),
                send_timestamp_ms,
                delay_ms,
                receives: (count, token),
                group,
                deduplication_id,
                sequence_number,
                source,
            }
        })
}

/// The partition of a group. Source: `docs/format/sqs.md`, section 2.5.
fn partition(kind: Kind, group: &str) -> Option<u32> {
    match kind {
        Kind::Standard | Kind::Fifo => None,
        Kind::ByGroup(count) if !group.is_empty() => {
            let hash =
                group.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
            Some(hash % count)
        }
        Kind::ByGroup(_) | Kind::PerQueue(_) => Some(0),
    }
}

/// What an encoder makes of a queue with its messages.
fn records_of(name: &str, settings: &Settings, messages: &[Sent]) -> Records {
    let mut records = Records::default();
    let scratch = scratch();
    let mut encoder = Encoder::new(&mut records, &scratch);
    let mut emit = |event: Event<'_>| encoder.event(ModelEvent::Sqs(event)).unwrap();
    let (partition_count, fifo_throughput_limit) = match settings.kind {
        Kind::Standard | Kind::Fifo => (0, ""),
        Kind::PerQueue(count) => (count, "perQueue"),
        Kind::ByGroup(count) => (count, "perMessageGroupId"),
    };
    let [a, b, c, d, e, f] = settings.numbers;
    emit(Event::Queue(&Queue {
        name: name.as_bytes().to_vec(),
        stored_name: name.to_owned(),
        generation: settings.generation,
        incarnation: settings.generation,
        fifo: !matches!(settings.kind, Kind::Standard),
        content_based_deduplication: settings.is_content_based,
        visibility_timeout_seconds: a,
        message_retention_seconds: b,
        delay_seconds: c,
        receive_message_wait_seconds: d,
        maximum_message_size: e,
        created_at_ms: f,
        redrive_policy: settings.policy.clone(),
        tags: settings.tags.clone().into_iter().collect(),
        throttle: Throttle(
            Throttle::NAMES
                .map(|name| if name == "recv_capacity" { settings.capacity.to_owned() } else { String::new() }),
        ),
        partition_count,
        fifo_throughput_limit: fifo_throughput_limit.to_owned(),
        last_sequence_number: settings.last_sequence_number,
        ..Queue::default()
    }));
    let mut locks = Records::default();
    for (number, sent) in messages.iter().enumerate() {
        let attributes: Vec<_> =
            sent.attributes.iter().map(|(name, json)| Attribute { name, json: json.as_bytes() }).collect();
        let message_id = format!("{}{number}", sent.id);
        let available_at_ms = sent.send_timestamp_ms.saturating_add(sent.delay_ms);
        let partition = partition(settings.kind, &sent.group);
        emit(Event::Message(&Message {
            commit_ts: 0,
            message_id: &message_id,
            body: Body::Inline(&sent.body),
            md5_of_body: "900150983cd24fb0d6963f7d28e17f72",
            md5_of_message_attributes: "",
            attributes: &attributes,
            sender_id: &sent.source,
            send_timestamp_ms: sent.send_timestamp_ms,
            available_at_ms,
            visible_at_ms: available_at_ms.saturating_add(sent.receives.0),
            receive_count: sent.receives.0,
            first_receive_ms: sent.receives.0,
            current_receipt_token: &sent.receives.1,
            queue_generation: settings.generation,
            message_group_id: &sent.group,
            message_deduplication_id: &sent.deduplication_id,
            sequence_number: sent.sequence_number,
            dead_letter_source_arn: &sent.source,
            partition,
        }));
        if sent.receives.0 > 0 && !matches!(settings.kind, Kind::Standard) {
            let subject = Subject::Group { group: sent.group.as_bytes().to_vec() };
            let row = MessageRow { partition, generation: settings.generation, subject };
            let key = Key::Message(MessageKey { queue: name.as_bytes().to_vec(), row }).to_bytes();
            let id = serde_json::to_string(&message_id).unwrap();
            locks.0.insert(key, format!(r#"{{"message_id":{id},"acquired_at_ms":1}}"#).into_bytes());
        }
    }
    emit(Event::End);
    records.0.extend(locks.0);
    records
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_-]{1,20}(\\.fifo)?",
        select(vec!["..".to_owned(), "b64.x".to_owned(), "n".repeat(241)]),
        ".{1,4}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_encoded_comes_back_from_any_dump(
        queues in btree_map(any_name(), (any_settings(), vec(any_sent(), 0..6)), 1..4)
    ) {
        let mut records = Records::default();
        for (name, (settings, messages)) in &queues {
            records.0.extend(records_of(name, settings, messages).0);
        }
        let dump = Dump::of(&records, Mode::FULL);
        prop_assert_eq!(dump.encode().shown(), records.shown());

        let visible = Mode { has_side_records: false, ..Mode::FULL };
        for mode in [Mode::FULL, visible, Mode::default(), Mode { extended: true, ..Mode::default() }] {
            let dump = Dump::of(&records, mode);
            prop_assert!(dump.rewritten(mode) == dump, "{mode:?}");
            let encoded = dump.encode();
            prop_assert!(Dump::of(&encoded, mode) == dump || mode.has_side_records, "{mode:?}");
        }
    }
}

#[test]
fn bodies_larger_than_memory_pass_through() {
    let settings = Settings {
        kind: Kind::Fifo,
        is_content_based: true,
        numbers: [0; 6],
        generation: 1,
        policy: String::new(),
        tags: Vec::new(),
        capacity: "",
        last_sequence_number: None,
    };
    let sent = |body: Vec<u8>| Sent {
        id: String::new(),
        body,
        attributes: Vec::new(),
        send_timestamp_ms: 0,
        delay_ms: 0,
        receives: (0, Vec::new()),
        group: "g".to_owned(),
        deduplication_id: String::new(),
        sequence_number: 1,
        source: String::new(),
    };
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let messages = [sent(bytes), sent("é\"\n<".repeat(600_000).into_bytes())];
    let records = records_of("large.fifo", &settings, &messages);
    let dump = Dump::of(&records, Mode::FULL);
    assert!(dump.encode() == records);
    assert!(dump.rewritten(Mode::FULL) == dump);
}
