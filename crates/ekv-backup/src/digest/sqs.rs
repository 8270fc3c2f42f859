//! SQS queues and messages as they are compared.

use ekv_adapters::Family;
use ekv_model::sqs::{Event, Message, Queue};
use ekv_model::{Body, Protocol, Result};

use super::aspects::{Aspects, Fingerprint};
use super::canonical::Canonical;
use super::compare::Part;
use super::{Digester, Sequences};

impl Digester<'_> {
    pub(super) fn sqs(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Queue(queue) => {
                self.set_scope(&queue.name);
                self.sequence = (queue.fifo, queue.last_sequence_number.unwrap_or(0));
                let mut canonical = Canonical::of("sqs queue");
                canonical.queue(queue);
                self.put(Protocol::Sqs, Part::Itself, b"", b"", canonical)?;
                let mut canonical = Canonical::of("sqs queue extension");
                match canonical.queue_extension(queue) {
                    true => self.put(Protocol::Sqs, Part::Extension, b"", b"", canonical),
                    false => Ok(()),
                }
            }
            // No client sees what is left of a queue.
            Event::Orphan { .. } => {
                self.set_scope(b"");
                self.sequence = (false, 0);
                Ok(())
            }
            Event::Message(_) if self.scope.is_empty() => Ok(()),
            Event::Message(message) => {
                self.saw_sequence(message.sequence_number);
                let mut canonical = Canonical::of("sqs message");
                canonical.message(message)?;
                self.put(Protocol::Sqs, Part::Itself, message.message_id.as_bytes(), b"", canonical)
            }
            Event::SideRecord(record) => {
                if record.prefix.as_bytes() == Family::SqsSequence.prefix() {
                    self.saw_sequence(decimal(&record.value)?);
                }
                Ok(())
            }
            Event::End => match self.sequence {
                (true, last) if last > 0 => {
                    let mut canonical = Canonical::of("sqs sequence");
                    canonical.number(last);
                    self.put(Protocol::Sqs, Part::Sequence, b"", b"", canonical)
                }
                _ => Ok(()),
            },
        }
    }

    fn saw_sequence(&mut self, number: u64) {
        if self.sequences == Sequences::Highest {
            self.sequence.1 = self.sequence.1.max(number);
        }
    }
}

impl Aspects {
    pub(super) fn sqs(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::Queue(queue) => {
                let mut canonical = Canonical::of("sqs queue");
                canonical.queue(queue);
                Ok(Some(Fingerprint::of_metadata(canonical)))
            }
            Event::Message(message) => {
                let mut canonical = Canonical::of("sqs message");
                match self.is_strict {
                    true => canonical.message(message)?,
                    false => canonical.message(&Message {
                        visible_at_ms: 0,
                        receive_count: 0,
                        first_receive_ms: 0,
                        current_receipt_token: &[],
                        ..**message
                    })?,
                }
                Ok(Some(Fingerprint::of_value(canonical)))
            }
            _ => Ok(None),
        }
    }
}

impl Canonical {
    pub(super) fn queue(&mut self, queue: &Queue) {
        match queue.stored_name.as_str() {
            "" => self.text(&String::from_utf8_lossy(&queue.name)),
            stored => self.text(stored),
        }
        self.flag(queue.fifo);
        self.flag(queue.content_based_deduplication);
        self.signed(queue.visibility_timeout_seconds);
        self.signed(queue.message_retention_seconds);
        self.signed(queue.delay_seconds);
        self.signed(queue.receive_message_wait_seconds);
        self.signed(queue.maximum_message_size);
        self.texts([&queue.redrive_policy, &queue.redrive_allow_policy]);
        self.texts([&queue.fifo_throughput_limit, &queue.deduplication_scope]);
        self.number(queue.partition_count.into());
    }

    /// False if nothing of it is set. The generation alone is nothing that a client sees.
    fn queue_extension(&mut self, queue: &Queue) -> bool {
        // A dump does not say a limit of 0, which is none.
        let is_set = |limit: &str| limit.parse::<f64>().is_ok_and(|limit| limit != 0.0);
        let limits: Vec<_> = queue.throttle.named().filter(|(_, limit)| is_set(limit)).collect();
        let times = [queue.created_at_ms, queue.last_modified_at_ms, queue.last_purged_at_ms];
        self.number(queue.generation.max(1));
        self.number(queue.incarnation);
        self.number(queue.created_at_hlc);
        times.into_iter().for_each(|time| self.signed(time));
        self.len(queue.tags.len());
        queue.tags.iter().for_each(|(name, value)| self.texts([name, value]));
        self.len(limits.len());
        limits.iter().for_each(|(name, limit)| self.texts([name, limit]));
        let is_stored = queue.incarnation != 0 || queue.created_at_hlc != 0 || times != [0; 3];
        is_stored || !queue.tags.is_empty() || !limits.is_empty()
    }

    pub(super) fn message(&mut self, message: &Message<'_>) -> Result<()> {
        self.texts([message.md5_of_body, message.md5_of_message_attributes, message.sender_id]);
        self.len(message.attributes.len());
        for attribute in message.attributes {
            self.text(attribute.name);
            self.bytes(attribute.json);
        }
        let times = [message.send_timestamp_ms, message.available_at_ms, message.visible_at_ms];
        times.into_iter().for_each(|time| self.signed(time));
        self.signed(message.receive_count);
        self.signed(message.first_receive_ms);
        self.bytes(message.current_receipt_token);
        self.number(message.queue_generation);
        self.texts([message.message_group_id, message.message_deduplication_id, message.dead_letter_source_arn]);
        self.number(message.sequence_number);
        self.maybe(message.partition.map(u64::from));
        self.body(&message.body)
    }
}

/// The decimal number that a small value is; 0 if it is none.
fn decimal(value: &Body<'_>) -> Result<u64> {
    const LEN_MAX: u64 = 64;
    let mut text = Vec::new();
    if value.len() <= LEN_MAX {
        value.for_each_chunk(|chunk| {
            text.extend_from_slice(chunk);
            Ok(())
        })?;
    }
    let text = std::str::from_utf8(&text).unwrap_or_default().trim();
    Ok(text.parse().unwrap_or(0))
}
