//! What the events are to those who look for names and sizes.

use super::{Event, OwnedQueue};
use crate::dynamodb::KeyForms;
use crate::payload::message_len;
use crate::step::{Extent, Step, ThingKey};
use crate::{Kind, Result};

/// Hands the beginning of a queue to somebody.
type Kept = Box<dyn FnOnce(&mut dyn FnMut(Event<'_>) -> Result<()>) -> Result<()>>;

impl<'a> Event<'a> {
    pub(crate) fn step(&self) -> Step<'a> {
        let scope = |name, is_gone| Step::Scope { name, forms: KeyForms::Uniform, is_gone };
        match *self {
            Event::Queue(queue) => scope(queue.name, false),
            Event::Orphan { name } => scope(name, true),
            Event::Message(message) => Step::Thing {
                number: None,
                kind: Kind::Message,
                key: ThingKey::Plain(message.message_id.as_bytes()),
                extent: Extent::Whole(message_len(message)),
                expire_at_ms: None,
                commit_ts: message.commit_ts,
            },
            Event::SideRecord(_) => Step::Unseen,
            Event::End => Step::ScopeEnd,
        }
    }

    /// The beginning of a queue, to be given again.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let (queue, name) = match self {
            Event::Queue(queue) => (Some(OwnedQueue::from(*queue)), queue.name.to_owned()),
            Event::Orphan { name } => (None, (*name).to_owned()),
            _ => return None,
        };
        Some(Box::new(move |take| match queue {
            Some(queue) => take(Event::Queue(&queue.event(&name, &queue.tags()))),
            None => take(Event::Orphan { name: &name }),
        }))
    }
}
