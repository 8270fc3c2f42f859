//! Which keys and elements no server restores.

use ekv_model::redis::{CollectionKind, Element, Event};
use ekv_model::{Event as ModelEvent, Result};

use super::keys::KEY_LEN_LEN;
use crate::Family;
use crate::restores::{Passing, Restores, fits, long_key};

/// Looks at keys one after the other.
#[derive(Default)]
pub(super) struct Keys {
    /// The open collection.
    key: Vec<u8>,
    /// Whether it is passed over, up to its end.
    is_skipped: bool,
}

impl Restores for Keys {
    fn event(&mut self, event: ModelEvent<'_>, passing: &mut Passing<'_>) -> Result<()> {
        let ModelEvent::Redis { event: own, .. } = event else { return Ok(()) };
        if self.is_skipped {
            self.is_skipped = !matches!(own, Event::End);
            return Ok(());
        }
        match own {
            Event::Begin { kind, key, .. } => {
                self.key.clear();
                self.key.extend_from_slice(key);
                if !fits(longest_collection_key(kind, key)) {
                    passing.leave_out(key, || long_key("key", key.len()));
                    self.is_skipped = true;
                    return Ok(());
                }
            }
            Event::Scalar { key, .. } => {
                if !fits(key.len().saturating_add(Family::RedisExpiry.prefix().len())) {
                    passing.leave_out(key, || long_key("key", key.len()));
                    return Ok(());
                }
            }
            Event::Element(element) => {
                let head = self.key.len().saturating_add(KEY_LEN_LEN);
                let long = match element {
                    Element::Field { name, .. } => Some(("field", name, Family::HashField.prefix().len())),
                    Element::Member(name) => Some(("member", name, Family::SetMember.prefix().len())),
                    Element::Scored { member, .. } => {
                        Some(("member", member, Family::ZSetScore.prefix().len().saturating_add(size_of::<u64>())))
                    }
                    _ => None,
                };
                if let Some((what, name, prefix_len)) = long
                    && !fits(head.saturating_add(prefix_len).saturating_add(name.len()))
                {
                    passing.leave_out(&self.key, || long_element(what, name));
                    return Ok(());
                }
            }
            Event::End => {}
        }
        passing.target.event(event)
    }
}

/// An element of a collection, with what it begins with: the key of the finding is that of the collection.
fn long_element(what: &str, name: &[u8]) -> String {
    const SHOWN_LEN: usize = 64;
    let shown = ekv_snapshot::escape(name.get(..SHOWN_LEN).unwrap_or(name));
    format!("{}; it begins with {shown}", long_key(what, name.len()))
}

/// The longest key of the records that a collection has whatever its elements are called.
fn longest_collection_key(kind: CollectionKind, key: &[u8]) -> usize {
    let lens: [usize; 3] = match kind {
        CollectionKind::Hash => [Family::HashMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::Set => [Family::SetMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::ZSet => [Family::ZSetMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::List => [Family::ListItem.prefix().len(), 0, size_of::<u64>()],
        CollectionKind::Stream { .. } => {
            [Family::StreamEntry.prefix().len(), KEY_LEN_LEN, size_of::<u64>().saturating_mul(2)]
        }
    };
    let own = lens.iter().fold(key.len(), |sum, len| sum.saturating_add(*len));
    own.max(key.len().saturating_add(Family::RedisExpiry.prefix().len()))
}
