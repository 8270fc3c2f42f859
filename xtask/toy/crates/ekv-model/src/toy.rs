//! Toys in boxes as events.
//!
//! A box is [`Event::Begin`], its toys, each name once, and [`Event::End`]; boxes never mix.

use crate::dynamodb::KeyForms;
use crate::step::{Extent, Step, ThingKey};
use crate::{Body, Kind, Result};

/// What happens to one box.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A box begins; it has this name.
    Begin(&'a [u8]),
    /// A toy in the open box.
    Toy {
        /// Its name.
        name: &'a [u8],
        /// What it is.
        body: Body<'a>,
        /// When it was committed (HLC); 0 if unknown, as in a dump.
        commit_ts: u64,
    },
    /// The box is complete.
    End,
}

/// Hands the beginning of a box to somebody.
type Kept = Box<dyn FnOnce(&mut dyn FnMut(Event<'_>) -> Result<()>) -> Result<()>>;

impl<'a> Event<'a> {
    pub(crate) fn step(&self) -> Step<'a> {
        match *self {
            Event::Begin(name) => Step::Scope { name, forms: KeyForms::Uniform, is_gone: false },
            Event::Toy { name, body, commit_ts } => Step::Thing {
                number: None,
                kind: Kind::Toy,
                key: ThingKey::Plain(name),
                extent: Extent::Whole(body.len()),
                expire_at_ms: None,
                commit_ts,
            },
            Event::End => Step::ScopeEnd,
        }
    }

    /// The beginning of a box, to be given again.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let Event::Begin(name) = self else { return None };
        let name = name.to_vec();
        Some(Box::new(move |take| take(Event::Begin(&name))))
    }
}
