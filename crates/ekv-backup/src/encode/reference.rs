//! What the reference encoder keeps of an event. Source: `docs/format/sqs.md`, section 6.

use std::collections::BTreeMap;

use ekv_model::sqs::{Event as SqsEvent, Message, Queue, Throttle};
use ekv_model::{Consumer, Event, Result};

/// Passes events on as records carry them.
pub(super) struct Stored<'t> {
    pub(super) consumer: &'t mut dyn Consumer,
    /// Whether the reference encoder would write the records.
    pub(super) reference_bytes: bool,
}

impl Consumer for Stored<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Sqs(SqsEvent::Queue(queue)) if self.reference_bytes => {
                // It begins every queue anew.
                let queue = Queue {
                    generation: 1,
                    incarnation: 0,
                    created_at_hlc: 0,
                    tags: BTreeMap::new(),
                    last_purged_at_ms: 0,
                    created_at_ms: 0,
                    last_modified_at_ms: 0,
                    throttle: Throttle::default(),
                    last_sequence_number: None,
                    ..queue.clone()
                };
                self.consumer.event(Event::Sqs(SqsEvent::Queue(&queue)))
            }
            Event::Sqs(SqsEvent::Message(message)) if self.reference_bytes => {
                let message = Message {
                    queue_generation: 1,
                    visible_at_ms: 0,
                    receive_count: 0,
                    first_receive_ms: 0,
                    current_receipt_token: &[],
                    ..*message
                };
                self.consumer.event(Event::Sqs(SqsEvent::Message(&message)))
            }
            Event::Sqs(SqsEvent::SideRecord(_)) if self.reference_bytes => Ok(()),
            event => self.consumer.event(event),
        }
    }
}
