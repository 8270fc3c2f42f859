//! Which queues and messages no server restores.

use ekv_model::sqs::{Event, Queue};
use ekv_model::{Event as ModelEvent, Result};

use super::encode::{message_key_len, settings_fit};
use crate::restores::{Passing, Restores, fits, long_key};

/// Looks at queues one after the other.
#[derive(Default)]
pub(super) struct Queues {
    /// The open one.
    queue: Vec<u8>,
    /// Whether it is passed over, up to its end.
    is_skipped: bool,
}

impl Restores for Queues {
    fn event(&mut self, event: ModelEvent<'_>, passing: &mut Passing<'_>) -> Result<()> {
        let ModelEvent::Sqs(own) = event else { return Ok(()) };
        if self.is_skipped {
            self.is_skipped = !matches!(own, Event::End);
            return Ok(());
        }
        match own {
            Event::Queue(queue) => {
                self.queue = queue.name.clone();
                if let Some(why) = queue_fault(queue) {
                    passing.leave_out(&queue.name, || why);
                    self.is_skipped = true;
                    return Ok(());
                }
            }
            Event::Message(message) if !fits(message_key_len(&self.queue, message.message_id)) => {
                let name = [&self.queue, &b"/"[..], message.message_id.as_bytes()].concat();
                passing.leave_out(&name, || long_key("message_id", message.message_id.len()));
                return Ok(());
            }
            _ => {}
        }
        passing.target.event(event)
    }
}

fn queue_fault(queue: &Queue) -> Option<String> {
    if !fits(message_key_len(&queue.name, "")) {
        return Some(long_key("queue name", queue.name.len()));
    }
    (!settings_fit(queue)).then(|| "its settings are longer than a server reads".to_owned())
}
