//! What dumps hold beyond the default, and what of it comes back.

use ekv_adapters::EncodeOptions;
use ekv_adapters::sqs::keys::{Key, MessageKey, MessageRow, QueueRecord, Subject};
use ekv_dump::replay::NOT_ENCODED_ORPHANS;
use ekv_model::Scope;
use ekv_testkit::selection;
use std::sync::Arc;

use crate::sqs::golden::{message, settings};
use crate::trip::{Dump, Mode, Records};

const NUMBERS: &str = r#""visibility_timeout_seconds":30,"message_retention_seconds":60,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":1024"#;

/// One queue as a server has it.
struct Server {
    queue: &'static [u8],
    generation: u64,
    records: Records,
}

impl Server {
    fn new(queue: &'static [u8], generation: u64) -> Self {
        Server { queue, generation, records: Records::default() }
    }

    /// Adds settings; `more` stands behind the numbers.
    fn settings(mut self, more: &str) -> Self {
        let fifo = if self.queue.ends_with(b".fifo") { r#""is_fifo":true,"# } else { "" };
        let (name, generation) = (std::str::from_utf8(self.queue).unwrap(), self.generation);
        let json = format!(r#"{{"name":"{name}","generation":{generation},{fifo}{NUMBERS}{more}}}"#);
        self.put_queue(QueueRecord::Settings, &settings(&json));
        self.put_queue(QueueRecord::Generation, generation.to_string().as_bytes());
        self
    }

    fn put_queue(&mut self, record: QueueRecord, value: &[u8]) {
        self.records.0.insert(Key::Queue { record, queue: self.queue.to_vec() }.to_bytes(), value.to_vec());
    }

    fn row(mut self, generation: u64, partition: Option<u32>, subject: Subject, value: &[u8]) -> Self {
        self.records.0.insert(self.key(generation, partition, subject), value.to_vec());
        self
    }

    fn key(&self, generation: u64, partition: Option<u32>, subject: Subject) -> Vec<u8> {
        let row = MessageRow { partition, generation, subject };
        Key::Message(MessageKey { queue: self.queue.to_vec(), row }).to_bytes()
    }

    /// Adds a message with its indexes; `receives` is what is stored about receives, `more` stands at the end.
    fn message(self, id: &str, at_ms: (u64, u64), receives: &str, more: &str) -> Self {
        let (send_at_ms, visible_at_ms) = at_ms;
        let generation = self.generation;
        let json = format!(
            r#"{{"message_id":"{id}","body":"","md5_of_body":"","send_timestamp_millis":{send_at_ms},"available_at_millis":{send_at_ms},"visible_at_millis":{visible_at_ms},{receives},"queue_generation":{generation}{more}}}"#
        );
        let raw = || id.as_bytes().to_vec();
        self.row(generation, None, Subject::Message { id: raw() }, &message(&json))
            .row(generation, None, Subject::Age { send_at_ms, id: raw() }, id.as_bytes())
            .row(generation, None, Subject::Visibility { visible_at_ms, id: raw() }, id.as_bytes())
    }

    fn dump(&self, mode: Mode) -> Dump {
        Dump::of(&self.records, mode)
    }
}

const UNTOUCHED: &str = r#""receive_count":0,"current_receipt_token":null"#;
const IN_FLIGHT: &str = r#""receive_count":2,"first_receive_millis":4,"current_receipt_token":"AP8=""#;

#[test]
fn messages_in_flight_stay_hidden_where_visibility_was_kept_and_are_visible_where_it_was_not() {
    let server = Server::new(b"q", 1).settings("").message("m", (3, 90), IN_FLIGHT, "");
    let kept = server.dump(Mode { keeps_visibility: true, ..Mode::default() });
    assert_eq!(kept.encode().shown(), server.records.shown());
    let reset = Server::new(b"q", 1).settings("").message("m", (3, 3), UNTOUCHED, "");
    assert_eq!(server.dump(Mode::default()).encode().shown(), reset.records.shown());
}

#[test]
fn locks_come_back_with_the_message_in_flight_that_holds_them() {
    let group = |name: &str| Subject::Group { group: name.as_bytes().to_vec() };
    let held = r#"{"message_id":"m","acquired_at_ms":4,"visible_at_ms":90}"#;
    let by_nobody = r#"{"message_id":"gone","acquired_at_ms":4,"visible_at_ms":90}"#;
    let server = Server::new(b"q.fifo", 1)
        .settings("")
        .message("m", (3, 90), IN_FLIGHT, r#","message_group_id":"g","sequence_number":1"#)
        .message("n", (4, 4), UNTOUCHED, r#","message_group_id":"h","sequence_number":2"#)
        .row(1, None, group("g"), held.as_bytes())
        .row(1, None, group("h"), by_nobody.as_bytes())
        .row(1, None, group("i"), b"no json");
    let locks = |mode| -> Vec<Vec<u8>> {
        let prefix: &[u8] = b"!sqs|msg|group|";
        server.dump(mode).encode().0.into_iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, v)| v).collect()
    };
    assert_eq!(locks(Mode::FULL), [held.as_bytes()]);
    assert_eq!(locks(Mode { keeps_visibility: false, ..Mode::FULL }), [b""; 0], "nothing is in flight");
    assert_eq!(locks(Mode { has_side_records: false, ..Mode::FULL }), [b""; 0]);
}

#[test]
fn sequence_numbers_go_on_behind_the_highest_that_is_known() {
    let mut server = Server::new(b"q.fifo", 1).settings("").message(
        "m",
        (3, 3),
        UNTOUCHED,
        r#","message_group_id":"g","sequence_number":4"#,
    );
    server.put_queue(QueueRecord::Sequence, b"14");
    let key = Key::Queue { record: QueueRecord::Sequence, queue: b"q.fifo".to_vec() }.to_bytes();
    for (mode, last) in [
        (Mode::default(), &b"4"[..]),
        (Mode { extended: true, ..Mode::default() }, b"14"),
        (Mode { has_side_records: true, ..Mode::default() }, b"14"),
    ] {
        assert_eq!(server.dump(mode).encode().0[&key], last, "{mode:?}");
    }
    let low = server.dump(Mode { extended: true, ..Mode::default() });
    let low = low.edited("sqs/q.fifo/_queue.json", "\"last_sequence_number\": 14", "\"last_sequence_number\": 2");
    assert_eq!(low.encode().0[&key], b"4");
    let unused = Server::new(b"q.fifo", 1).settings("").dump(Mode::FULL).encode();
    assert!(!unused.0.contains_key(&key));
}

#[test]
fn deduplication_windows_survive_their_messages() {
    let dedup = |id: &str| Subject::Dedup { group: Vec::new(), id: id.as_bytes().to_vec() };
    let of_message = r#"{"message_id":"m","send_timestamp_ms":4,"expires_at_millis":300004,"original_sequence":1}"#;
    let of_deleted = r#"{"message_id":"gone","send_timestamp_ms":9,"expires_at_millis":300009,"original_sequence":9}"#;
    let more = r#","message_group_id":"g","message_deduplication_id":"d","sequence_number":1"#;
    let server = Server::new(b"q.fifo", 2)
        .settings("")
        .message("m", (3, 3), UNTOUCHED, more)
        .row(2, None, dedup("d"), of_message.as_bytes())
        .row(2, None, dedup("e"), of_deleted.as_bytes())
        .row(1, None, dedup("old"), of_deleted.as_bytes())
        .row(2, Some(0), dedup("elsewhere"), of_deleted.as_bytes());
    let with = server.dump(Mode { has_side_records: true, ..Mode::default() }).encode();
    assert_eq!(with.0[&server.key(2, None, dedup("d"))], of_message.as_bytes(), "as it was, a millisecond later");
    assert_eq!(with.0[&server.key(2, None, dedup("e"))], of_deleted.as_bytes());
    assert!(!with.0.contains_key(&server.key(1, None, dedup("old"))));
    assert!(!with.0.contains_key(&server.key(2, Some(0), dedup("elsewhere"))));

    let without = server.dump(Mode::default()).encode();
    let made = r#"{"message_id":"m","send_timestamp_ms":3,"expires_at_millis":300003,"original_sequence":1}"#;
    assert_eq!(without.0[&server.key(2, None, dedup("d"))], made.as_bytes());
    assert!(!without.0.contains_key(&server.key(2, None, dedup("e"))));
}

#[test]
fn of_messages_with_one_deduplication_id_the_last_one_sent_holds_it() {
    let more = |sequence: u64, group: &str| {
        format!(r#","message_group_id":"{group}","message_deduplication_id":"d","sequence_number":{sequence}"#)
    };
    let server = Server::new(b"q.fifo", 1)
        .settings("")
        .message("a", (3, 3), UNTOUCHED, &more(1, "g"))
        .message("b", (7, 7), UNTOUCHED, &more(2, "h"))
        .message("c", (7, 7), UNTOUCHED, &more(3, "i"));
    let key = server.key(1, None, Subject::Dedup { group: Vec::new(), id: b"d".to_vec() });
    for options in [EncodeOptions::default(), EncodeOptions { reference_bytes: true, ..EncodeOptions::default() }] {
        let records = server.dump(Mode::default()).encode_with(options, Arc::default()).unwrap();
        let row = String::from_utf8(records.0[&key].clone()).unwrap();
        assert!(row.starts_with(r#"{"message_id":"b","send_timestamp_ms":7"#), "{row}");
    }
}

#[test]
fn purged_queues_come_back_in_their_generation_without_what_was_purged() {
    let old = Subject::Message { id: b"old".to_vec() };
    let server =
        Server::new(b"q", 3).settings("").message("m", (3, 3), UNTOUCHED, "").row(2, None, old, &message("{}"));
    let dump = server.dump(Mode::default());
    let records = dump.encode();
    assert_eq!(records.0[b"!sqs|queue|gen|cQ".as_slice()], b"3");
    assert_eq!(Dump::of(&records, Mode::default()), dump);
    let empty = Server::new(b"q", 3).settings("");
    let records = empty.dump(Mode::default()).encode();
    assert_eq!(records.0[b"!sqs|queue|gen|cQ".as_slice()], b"1", "no file tells of another");
    let extended = empty.dump(Mode { extended: true, ..Mode::default() }).encode();
    assert_eq!(extended.0[b"!sqs|queue|gen|cQ".as_slice()], b"3");
}

#[test]
fn what_is_left_of_lost_queues_stays_in_the_dump_and_is_told() {
    let mut records = Server::new(b"q", 1).settings("").records;
    let gone = Server::new(b"gone", 1).message("m", (3, 3), UNTOUCHED, "").records;
    records.0.extend(gone.0);
    let dump = Dump::of(&records, Mode { has_orphans: true, has_side_records: true, ..Mode::default() });
    assert!(dump.text("sqs/Z29uZQ.orphan/messages.jsonl").starts_with("{\"message_id\":\"m\""));
    assert!(dump.text("sqs/Z29uZQ.orphan/_internals/side_records.jsonl").starts_with("{\"prefix\""));
    assert_eq!(dump.encode().0.len(), 2);
    let findings = |selection: Arc<Scope>| {
        let mut nobody = crate::trip::Records::default();
        let mut encoder = ekv_adapters::Encoder::new(&mut nobody, &crate::trip::scratch());
        let replayed = dump.replay_to(selection, &mut encoder).unwrap();
        assert_eq!(replayed.totals.files_left_out, 2);
        replayed.findings
    };
    let told = findings(Arc::default());
    assert_eq!(told.count(NOT_ENCODED_ORPHANS), 1);
    assert_eq!(told.iter().next().unwrap().1.examples[0].detail, "sqs/Z29uZQ.orphan");
    assert_eq!(findings(selection([b"q".to_vec()], [])).count(NOT_ENCODED_ORPHANS), 0);
}

#[test]
fn selections_name_queues() {
    let long: &'static [u8] = &[b'k'; 300];
    let mut records = Records::default();
    for queue in [b"a".as_slice(), b"a.fifo", b"b", b"..", long] {
        let server = Server::new(queue, 1).settings("").message("m", (3, 3), UNTOUCHED, "");
        records.0.extend(server.records.0);
    }
    let dump = Dump::of(&records, Mode::FULL);
    let queues = |names: &[&[u8]], prefixes: &[&[u8]]| -> Vec<Vec<u8>> {
        let selection = selection(names.iter().map(|name| name.to_vec()), prefixes.iter().map(|name| name.to_vec()));
        let records = dump.encode_with(EncodeOptions::default(), selection).unwrap();
        let settings = records.0.into_keys().filter_map(|key| match Key::parse(&key) {
            Some(Key::Queue { record: QueueRecord::Settings, queue }) => Some(queue),
            _ => None,
        });
        settings.collect()
    };
    assert_eq!(queues(&[b"a"], &[]), [b"a"]);
    assert_eq!(queues(&[], &[b"a"]), [b"a".to_vec(), b"a.fifo".to_vec()]);
    assert_eq!(queues(&[long, b".."], &[]).len(), 2);
    assert_eq!(queues(&[], &[]).len(), 5);
    assert_eq!(queues(&[b"none"], &[]), [b""; 0]);
}
