//! What passes by while a dump is replayed: whose data, which of the selected names, which expiries have passed.

use ekv_model::{Consumer, Event, Result, Scope, Unmatched, redis};

use crate::Protocol;
use crate::contents::{Census, Contents};

/// Passes events on and remembers, in bounded memory, what they tell about the whole.
pub(super) struct Observed<'t> {
    target: &'t mut dyn Consumer,
    now_ms: u64,
    census: Census,
    seen: Seen,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Adapters with data, in the order of [`Protocol::IN_DUMPS`].
    pub(super) adapters: Vec<Protocol>,
    /// Redis keys whose expiry is in the past.
    pub(super) expired_keys: u64,
    /// What was selected and is not there.
    pub(super) unmatched: Unmatched,
    /// How much there was.
    pub(super) contents: Contents,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn of(scope: &Scope) -> Self {
        Seen { adapters: Vec::new(), expired_keys: 0, unmatched: Unmatched::of(scope), contents: Contents::default() }
    }
}

impl<'t> Observed<'t> {
    /// Observes what is selected by `scope`; expiries before `now_ms`, in Unix milliseconds, have passed.
    pub(super) fn new(target: &'t mut dyn Consumer, scope: &Scope, now_ms: u64) -> Self {
        Observed { target, now_ms, census: Census::default(), seen: Seen::of(scope) }
    }

    /// What was seen so far; `beyond_limit` things more were selected.
    pub(super) fn finish(mut self, beyond_limit: u64) -> Seen {
        self.seen.adapters.sort_unstable_by_key(|adapter| Protocol::IN_DUMPS.iter().position(|one| one == adapter));
        Seen { contents: self.census.finish(beyond_limit), ..self.seen }
    }

    fn redis(&mut self, event: &redis::Event<'_>) {
        let expire_at_ms = match event {
            redis::Event::Scalar { expiry, .. } => expiry.map(|expiry| expiry.at_ms),
            redis::Event::Begin { expire_at_ms, .. } => *expire_at_ms,
            redis::Event::Element(_) | redis::Event::End => return,
        };
        let has_passed = expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
        self.seen.expired_keys = self.seen.expired_keys.saturating_add(u64::from(has_passed));
    }
}

impl Consumer for Observed<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        self.seen.unmatched.saw(&event);
        self.census.event(&event);
        if let Event::Redis { event, .. } = &event {
            self.redis(event);
        }
        if let Some(adapter) = event.protocol()
            && !self.seen.adapters.contains(&adapter)
        {
            self.seen.adapters.push(adapter);
        }
        self.target.event(event)
    }
}
