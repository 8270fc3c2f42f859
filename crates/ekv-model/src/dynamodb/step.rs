//! What the events are to those who look for names and sizes.

use super::Event;
use super::owned::OwnedTable;
use crate::step::{Extent, Step, ThingKey};
use crate::{Kind, Result};

/// Hands the beginning of a table to somebody.
type Kept = Box<dyn FnOnce(&mut dyn FnMut(Event<'_>) -> Result<()>) -> Result<()>>;

impl<'a> Event<'a> {
    pub(crate) fn step(&self) -> Step<'a> {
        match *self {
            Event::TableBegin(table) => {
                Step::Scope { name: table.name.as_bytes(), forms: table.key_forms, is_gone: false }
            }
            Event::ItemBegin { key, commit_ts, bytes } => Step::Thing {
                number: None,
                kind: Kind::Item,
                key: ThingKey::Item(key),
                extent: Extent::Parts(bytes),
                expire_at_ms: None,
                commit_ts,
            },
            Event::Node(_) => Step::Inside { is_end: false },
            Event::ItemEnd => Step::Inside { is_end: true },
            Event::TableEnd => Step::ScopeEnd,
        }
    }

    /// The beginning of a table, to be given again.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let Event::TableBegin(table) = self else { return None };
        let table = OwnedTable::from(*table);
        Some(Box::new(move |take| table.with(take)))
    }
}
