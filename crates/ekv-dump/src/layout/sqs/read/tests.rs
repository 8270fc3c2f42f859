use ekv_files::Result;
use ekv_files::source::MemorySource;
use ekv_model::Scope;
use ekv_model::sqs::Event;
use ekv_model::{Consumer, Event as ModelEvent, Map, NoMonitor, Protocol};
use ekv_testkit::selection;
use std::sync::Arc;

use crate::manifest::{Adapters, Exclusions, Manifest};
use crate::replay::tests::{Dump, manifest, options, scratch};
use crate::replay::{ReadPosition, ReplayOptions, replay};

const QUEUE: &str = "sqs/q/_queue.json";
const MESSAGES: &str = "sqs/q/messages.jsonl";
const SIDE: &str = "sqs/q/_internals/side_records.jsonl";

/// The least that a queue says.
const SETTINGS: &str = r#"{"format_version":1,"name":"q","visibility_timeout_seconds":30,"message_retention_seconds":60,"delay_seconds":0}"#;

/// Keeps what is said about queues and messages, and where it was said.
struct Recorder<'p> {
    place: &'p ReadPosition,
    events: Vec<String>,
}

impl Consumer for Recorder<'_> {
    fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
        let ModelEvent::Sqs(event) = event else { panic!("{event:?}") };
        let location = self.place.location();
        let path = String::from_utf8(location.path.unwrap_or_default()).unwrap();
        let line = location.line.map(|line| format!(":{line}")).unwrap_or_default();
        let said = match event {
            Event::Queue(queue) => format!("queue {} {}", queue.stored_name, queue.generation),
            Event::Message(message) => format!("message {} visible at {}", message.message_id, message.visible_at_ms),
            Event::SideRecord(record) => format!("{} {}", record.prefix, record.user_key.escape_ascii()),
            Event::Orphan { .. } => "orphan".to_owned(),
            Event::End => "end".to_owned(),
        };
        self.events.push(format!("{path}{line}: {said}"));
        Ok(())
    }
}

fn events(dump: &Dump, selection: Arc<Scope>) -> Result<Vec<String>> {
    let place = ReadPosition::default();
    let mut recorder = Recorder { place: &place, events: Vec::new() };
    let mut source = MemorySource::new(dump.entries.clone());
    let options = ReplayOptions { included: Map::only(&[Protocol::Sqs]), scope: selection, ..options() };
    replay(&mut source, &scratch(), &options, &mut recorder, &place, &NoMonitor)?;
    Ok(recorder.events)
}

fn line(id: &str, send_ms: i64, generation: u64) -> String {
    format!(
        "{{\"message_id\":\"{id}\",\"body\":\"\",\"send_timestamp_millis\":{send_ms},\"available_at_millis\":{send_ms},\"visible_at_millis\":0,\"receive_count\":0,\"queue_generation\":{generation}}}\n"
    )
}

fn with_messages(lines: &[String]) -> Dump {
    let adapters = Adapters::default().with(Protocol::Sqs, [""; 0]);
    let exclusions = Exclusions { include_sqs_side_records: true, ..Exclusions::default() };
    let dump = Dump::sent(&Manifest { adapters, exclusions, ..manifest() }, |_| {}).with(QUEUE, SETTINGS.as_bytes());
    if lines.is_empty() { dump } else { dump.with(MESSAGES, lines.concat().as_bytes()) }
}

#[test]
fn events_come_with_the_file_and_line_that_they_stand_in() {
    let side = r#"{"prefix":"!sqs|x|","key_hex":"217371","value_b64":"_w"}"#;
    let dump = with_messages(&[line("a", -3, 4), line("b", 2, 4)]).with(SIDE, side.as_bytes());
    let dump = dump.with("sqs/%2E%2E/_queue.json", SETTINGS.replace("\"q\"", "\"..\"").as_bytes()).signed();
    assert_eq!(
        events(&dump, Arc::default()).unwrap(),
        [
            "sqs/%2E%2E/_queue.json: queue .. 1",
            "sqs/%2E%2E/_queue.json: end",
            "sqs/q/_queue.json: queue q 4",
            "sqs/q/messages.jsonl:1: message a visible at -3",
            "sqs/q/messages.jsonl:2: message b visible at 2",
            "sqs/q/_internals/side_records.jsonl:1: !sqs|x| !sq",
            "sqs/q/_internals/side_records.jsonl:1: end",
        ]
    );
}

#[test]
fn the_generation_is_the_stated_one_or_that_of_all_messages() {
    let generation = |stated: &str, lines: &[String]| {
        let settings = SETTINGS.replace("\"name\"", &format!("{stated}\"name\""));
        let dump = with_messages(lines).with(QUEUE, settings.as_bytes()).signed();
        events(&dump, Arc::default()).unwrap()[0].rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(generation("", &[line("a", 1, 7), line("b", 2, 7)]), "7");
    assert_eq!(generation("", &[line("a", 1, 7), line("b", 2, 8)]), "1");
    assert_eq!(generation("", &[line("a", 1, 7), line("b", 2, 8), line("c", 3, 7)]), "1");
    assert_eq!(generation("", &[line("a", 1, 0)]), "1");
    assert_eq!(generation("", &[]), "1");
    assert_eq!(generation("\"generation\":3,", &[line("a", 1, 7)]), "3");
}

#[test]
fn nothing_of_a_queue_is_handed_on_before_all_its_messages_make_sense() {
    let dump = with_messages(&[line("a", 1, 1), line("b", 2, 1).replace("\"body\":\"\"", "\"body\":{}")]).signed();
    let place = ReadPosition::default();
    let mut recorder = Recorder { place: &place, events: Vec::new() };
    let mut source = MemorySource::new(dump.entries.clone());
    let options = ReplayOptions { included: Map::only(&[Protocol::Sqs]), ..options() };
    let error = replay(&mut source, &scratch(), &options, &mut recorder, &place, &NoMonitor).err().unwrap();
    assert_eq!(recorder.events, [""; 0]);
    assert!(error.to_string().starts_with("sqs/q/messages.jsonl, line 2, byte "), "{error}");
}

#[test]
fn messages_out_of_order_come_in_the_order_of_sending_each_with_its_own_line() {
    let dump = with_messages(&[line("b", 5, 1), line("c", -1, 1), line("a", 5, 1)]).signed();
    assert_eq!(
        events(&dump, Arc::default()).unwrap()[1..4],
        [
            "sqs/q/messages.jsonl:2: message c visible at -1",
            "sqs/q/messages.jsonl:3: message a visible at 5",
            "sqs/q/messages.jsonl:1: message b visible at 5",
        ]
    );
}

#[test]
fn queues_that_are_not_selected_need_only_be_there() {
    let broken = "sqs/broken/_queue.json";
    let dump = with_messages(&[line("a", 1, 1)]).with(broken, b"no settings").signed();
    assert!(events(&dump, Arc::default()).is_err());
    let selected = events(&dump, selection([b"q".to_vec()], [])).unwrap();
    assert_eq!(selected.len(), 3);
    assert_eq!(events(&dump, selection([], [b"z".to_vec()])).unwrap(), [""; 0]);
    let changed = dump.with(broken, b"changed");
    assert_eq!(events(&changed, selection([b"q".to_vec()], [])).unwrap(), selected);
}
