use std::collections::BTreeMap;

use ekv_model::{Consumer, Event as ModelEvent};
use ekv_spill::SystemScratch;

use super::*;

#[derive(Default)]
struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl RecordSink for Records {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        assert!(self.0.insert(user_key.to_vec(), value).is_none(), "{} twice", user_key.escape_ascii());
        Ok(())
    }
}

fn encode_all(events: &[Event<'_>], options: EncodeOptions) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut records = Records::default();
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut encoder = crate::Encoder::with_options(&mut records, &scratch, options);
    for event in events {
        encoder.event(ModelEvent::Sqs(*event))?;
    }
    Ok(records.0)
}

fn message(message_id: &str) -> Message<'_> {
    Message {
        commit_ts: 0,
        message_id,
        body: Body::Inline(b"x"),
        md5_of_body: "",
        md5_of_message_attributes: "",
        attributes: &[],
        sender_id: "",
        send_timestamp_ms: -5,
        available_at_ms: -5,
        visible_at_ms: 7,
        receive_count: 0,
        first_receive_ms: 0,
        current_receipt_token: &[],
        queue_generation: 1,
        message_group_id: "",
        message_deduplication_id: "",
        sequence_number: 3,
        dead_letter_source_arn: "",
        partition: None,
    }
}

#[test]
fn events_without_meaning_are_refused() {
    let queue = Queue { name: b"q".to_vec(), ..Queue::default() };
    let (queue, orphan) = (Event::Queue(&queue), Event::Orphan { name: b"o" });
    let message = message("m");
    for events in [
        &[Event::End][..],
        &[Event::Message(&message)],
        &[queue, queue],
        &[queue, orphan],
        &[orphan, queue],
        &[queue, Event::End, Event::End],
    ] {
        let error = encode_all(events, EncodeOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("an event came where it has no meaning"), "{error}");
    }
}

#[test]
fn what_is_left_of_lost_queues_becomes_no_record() {
    let message = message("m");
    let events = [Event::Orphan { name: b"o" }, Event::Message(&message), Event::End];
    assert!(encode_all(&events, EncodeOptions::default()).unwrap().is_empty());
}

#[test]
fn names_and_ids_must_be_there() {
    let nameless = Queue::default();
    let error = encode_all(&[Event::Queue(&nameless)], EncodeOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the queue has no name");
    let queue = Queue { name: b"q".to_vec(), ..Queue::default() };
    let message = message("");
    let events = [Event::Queue(&queue), Event::Message(&message)];
    let error = encode_all(&events, EncodeOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the message has no message_id");
}

#[test]
fn settings_that_no_server_could_read_back_are_refused() {
    let long = "k".repeat(5 << 20);
    let queue = Queue { name: b"q".to_vec(), redrive_policy: long, ..Queue::default() };
    let error = encode_all(&[Event::Queue(&queue)], EncodeOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("bytes, the limit is 4194304"), "{error}");
}

#[test]
fn standard_queues_have_no_rows_of_fifo_queues_and_times_before_1970_are_0_in_keys() {
    let queue = Queue { name: b"q".to_vec(), last_sequence_number: Some(9), ..Queue::default() };
    let message = message("m");
    let events = [Event::Queue(&queue), Event::Message(&message), Event::End];
    for (options, visible_at_ms) in
        [(EncodeOptions::default(), 7), (EncodeOptions { reference_bytes: true, ..EncodeOptions::default() }, 0)]
    {
        let records = encode_all(&events, options).unwrap();
        let keys: Vec<_> = records.keys().map(|key| Key::parse(key).unwrap()).collect();
        let row = |subject| {
            let row = MessageRow { partition: None, generation: 1, subject };
            Key::Message(MessageKey { queue: b"q".to_vec(), row })
        };
        let record = |record| Key::Queue { record, queue: b"q".to_vec() };
        let id = || b"m".to_vec();
        assert_eq!(
            keys,
            [
                row(Subject::Age { send_at_ms: 0, id: id() }),
                row(Subject::Message { id: id() }),
                row(Subject::Visibility { visible_at_ms, id: id() }),
                record(QueueRecord::Generation),
                record(QueueRecord::Settings),
            ]
        );
    }
}
