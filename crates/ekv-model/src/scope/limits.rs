//! Filters by what a thing is like: its size, its expiry, its last change. Source: `docs/format/tree.md`, section 17.

use crate::Kind;
use crate::step::{Extent, Step};

/// Filters that are no names. Of the same one given twice the wider counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) larger_than: Option<u64>,
    pub(super) smaller_than: Option<u64>,
    pub(super) more_than: Option<u64>,
    pub(super) is_without_expiry: bool,
    pub(super) is_expired: bool,
    pub(super) expires_before_ms: Option<u64>,
    pub(super) expires_after_ms: Option<u64>,
    pub(super) changed_before: Option<u64>,
    pub(super) changed_after: Option<u64>,
    pub(super) count: Option<u64>,
}

/// What a thing is like, as far as it can be told before it has been read. Times are Unix milliseconds or, of commits, HLC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    bytes: Option<u64>,
    elements: Option<u64>,
    expire_at_ms: Option<u64>,
    commit_ts: u64,
}

impl Traits {
    /// Those of a thing that is one run of bytes and does not expire.
    pub(super) fn whole(bytes: u64, commit_ts: u64) -> Self {
        Traits { bytes: Some(bytes), elements: None, expire_at_ms: None, commit_ts }
    }

    /// Those of the thing that a step begins.
    pub(super) fn of(step: &Step<'_>) -> Option<Self> {
        let Step::Thing { extent, expire_at_ms, commit_ts, .. } = *step else { return None };
        let (bytes, elements) = match extent {
            Extent::Whole(bytes) => (Some(bytes), None),
            Extent::Elements(size) => (size.map(|size| size.bytes), size.map(|size| size.elements)),
            Extent::Parts(bytes) => (bytes, None),
        };
        Some(Traits { bytes, elements, expire_at_ms, commit_ts })
    }
}

impl Limits {
    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        *self != Limits::default()
    }

    /// Whether there is any but the number.
    pub(super) fn is_about_traits(&self) -> bool {
        Limits { count: None, ..self.clone() } != Limits::default()
    }

    /// Whether a thing must tell at its beginning how large it is, or when it was changed.
    pub(super) fn looks_ahead(&self) -> bool {
        let Limits { larger_than, smaller_than, more_than, .. } = self;
        [larger_than, smaller_than, more_than].into_iter().any(Option::is_some) || self.is_about_changes()
    }

    pub(super) fn is_about_changes(&self) -> bool {
        self.changed_before.is_some() || self.changed_after.is_some()
    }

    fn is_about_expiry(&self) -> bool {
        self.is_expired || self.expires_before_ms.is_some() || self.expires_after_ms.is_some()
    }

    /// Whether nothing can be within all of them.
    fn is_contradictory(&self) -> bool {
        let crosses =
            |above: Option<u64>, below: Option<u64>| above.zip(below).is_some_and(|(above, below)| above >= below);
        (self.is_without_expiry && self.is_about_expiry())
            || crosses(self.larger_than.map(|bytes| bytes.saturating_add(1)), self.smaller_than)
            || crosses(self.expires_after_ms, self.expires_before_ms)
            || crosses(self.changed_after, self.changed_before)
            || self.count == Some(0)
    }

    /// Whether things of a kind can be within them.
    pub(super) fn admit_kind(&self, kind: Kind) -> bool {
        !self.is_contradictory()
            && (self.more_than.is_none() || kind.has_elements())
            && (!self.is_about_expiry() || kind.can_expire())
    }

    /// Whether a thing is within all but the number; `now_ms` is the moment at which expiries are judged.
    pub(super) fn admit(&self, traits: &Traits, now_ms: u64) -> bool {
        let Traits { bytes, elements, expire_at_ms, commit_ts } = *traits;
        let is = |limit: Option<u64>, found: Option<u64>, holds: fn(u64, u64) -> bool| {
            limit.is_none_or(|limit| found.is_some_and(|found| holds(found, limit)))
        };
        let changed = Some(commit_ts).filter(|commit_ts| *commit_ts > 0);
        is(self.larger_than, bytes, |found, limit| found > limit)
            && is(self.smaller_than, bytes, |found, limit| found < limit)
            && is(self.more_than, elements, |found, limit| found > limit)
            && (!self.is_without_expiry || expire_at_ms.is_none())
            && (!self.is_expired || expire_at_ms.is_some_and(|at_ms| at_ms <= now_ms))
            && is(self.expires_before_ms, expire_at_ms, |found, limit| found <= limit)
            && is(self.expires_after_ms, expire_at_ms, |found, limit| found > limit)
            && is(self.changed_before, changed, |found, limit| found <= limit)
            && is(self.changed_after, changed, |found, limit| found > limit)
    }
}
