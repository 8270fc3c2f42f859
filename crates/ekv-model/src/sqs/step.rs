//! What the events are to those who look for names and sizes.

use super::Event;
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
            Event::Queue(queue) => scope(&queue.name, false),
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
        match *self {
            Event::Queue(queue) => {
                let queue = queue.clone();
                Some(Box::new(move |take| take(Event::Queue(&queue))))
            }
            Event::Orphan { name } => {
                let name = name.to_owned();
                Some(Box::new(move |take| take(Event::Orphan { name: &name })))
            }
            _ => None,
        }
    }
}
