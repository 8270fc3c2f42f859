//! What the events are to those who look for names and sizes.

use super::Event;
use crate::step::{Extent, Step, ThingKey};

impl<'a> Event<'a> {
    #[inline]
    pub(crate) fn step(&self, database: u32) -> Step<'a> {
        let number = Some(database);
        match *self {
            Event::Scalar { kind, key, body, expiry, commit_ts } => Step::Thing {
                number,
                kind: kind.into(),
                key: ThingKey::Plain(key),
                extent: Extent::Whole(body.len()),
                expire_at_ms: expiry.map(|expiry| expiry.at_ms),
                commit_ts,
            },
            Event::Begin { kind, key, expire_at_ms, commit_ts, size } => Step::Thing {
                number,
                kind: kind.into(),
                key: ThingKey::Plain(key),
                extent: Extent::Elements(size),
                expire_at_ms,
                commit_ts,
            },
            Event::Element(_) => Step::Inside { is_end: false },
            Event::End => Step::Inside { is_end: true },
        }
    }
}
