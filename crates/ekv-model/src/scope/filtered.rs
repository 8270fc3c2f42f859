//! A consumer of what is selected, for sources that know no better than to give everything.

use super::{Keys, Scope, Traits};
use crate::consumer::Beginning;
use crate::dynamodb::KeyForms;
use crate::fs::{self, Way};
use crate::step::Step;
use crate::{Consumer, Event, Findings, Protocol, Result};

/// Passes on the events of what a [`Scope`] selects: of each thing all or none, of a table, bucket or queue its beginning with the first
/// selected thing in it, or if it is selected itself.
///
/// Filters by size, expiry, time and number are applied here alone, whatever the source. Things must say at their beginning what is asked
/// for ([`Scope::looks_ahead`]).
///
/// Memory: the settings of one table, bucket or queue.
pub struct Filtered<'a> {
    scope: &'a Scope,
    inner: &'a mut dyn Consumer,
    /// The moment at which expiries are judged, in Unix milliseconds.
    now_ms: u64,
    is_passing: bool,
    is_leaving_out: bool,
    open: OpenContainer<'a>,
    way: Way,
    /// Things that have passed, and that would have if they had not been too many.
    passed: u64,
    beyond: u64,
}

/// The table, bucket or queue at hand.
struct OpenContainer<'a> {
    keys: Option<Keys<'a>>,
    /// Its beginning, until that has been passed on.
    beginning: Option<Beginning>,
    forms: KeyForms,
}

impl<'a> Filtered<'a> {
    /// Passes on to `inner` what `scope` selects; expiries are judged at `now_ms`, in Unix milliseconds.
    pub fn new(scope: &'a Scope, now_ms: u64, inner: &'a mut dyn Consumer) -> Self {
        let open = OpenContainer { keys: None, beginning: None, forms: KeyForms::Uniform };
        Filtered {
            scope,
            inner,
            now_ms,
            is_passing: false,
            is_leaving_out: false,
            open,
            way: Way::default(),
            passed: 0,
            beyond: 0,
        }
    }

    /// How many more things are selected than were to be taken.
    pub fn beyond_limit(&self) -> u64 {
        self.beyond
    }

    /// Whether a thing that is selected by its name is to pass.
    fn takes(&mut self, step: &Step<'_>) -> bool {
        let limits = &self.scope.limits;
        let Some(traits) = Traits::of(step).filter(|_| limits.is_any()) else { return true };
        if !limits.admit(&traits, self.now_ms) {
            return false;
        }
        let is_full = self.is_full();
        let count = if is_full { &mut self.beyond } else { &mut self.passed };
        *count = count.saturating_add(1);
        !is_full
    }

    /// Whether as many things have passed as were to be taken.
    fn is_full(&self) -> bool {
        self.scope.limits.count.is_some_and(|count| self.passed >= count)
    }

    fn begin(&mut self, protocol: Protocol, name: &[u8], beginning: Option<Beginning>) -> Result<()> {
        let keys = self.scope.keys_in(protocol, name);
        let has_scope = keys.has_scope();
        self.open.keys = Some(keys);
        self.open.beginning = beginning;
        if has_scope && !self.is_full() { self.pass_beginning() } else { Ok(()) }
    }

    fn pass_beginning(&mut self) -> Result<()> {
        match self.open.beginning.take() {
            None => Ok(()),
            Some(beginning) => beginning(self.inner),
        }
    }

    /// Passes a thing of the open scope on, if it is selected.
    fn pass_if(
        &mut self,
        is_selected: impl FnOnce(&Keys<'a>, KeyForms) -> bool,
        step: &Step<'_>,
        event: Event<'_>,
    ) -> Result<()> {
        let is_selected = self.open.keys.as_ref().is_some_and(|keys| is_selected(keys, self.open.forms));
        self.is_passing = is_selected && self.takes(step);
        self.is_leaving_out = !self.is_passing;
        if !self.is_passing {
            return Ok(());
        }
        self.pass_beginning()?;
        self.inner.event(event)
    }

    /// Passes a file or directory on, if it is selected, and what is around it.
    fn in_file_system(&mut self, event: fs::Event<'_>, step: &Step<'_>) -> Result<()> {
        let is_selected = match step {
            Step::Thing { kind, key, .. } => {
                let keys = self.scope.keys_in(Protocol::Fs, fs::SCOPE);
                let is_named = self.scope.includes_kind(*kind) && keys.contains_thing(key, KeyForms::Uniform);
                is_named && self.takes(step)
            }
            Step::Unseen => self.scope.is_all_of(Protocol::Fs),
            _ => false,
        };
        self.is_leaving_out = !is_selected;
        self.way.take(event, is_selected, self.inner)
    }

    fn end(&mut self, event: Event<'_>) -> Result<()> {
        let has_begun = self.open.keys.take().is_some() && self.open.beginning.take().is_none();
        self.is_leaving_out = !has_begun;
        if has_begun { self.inner.event(event) } else { Ok(()) }
    }
}

impl Consumer for Filtered<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if self.scope.is_everything() {
            return self.inner.event(event);
        }
        // What has no protocol has no name.
        let Some(protocol) = event.protocol() else { return Ok(()) };
        let step = event.step();
        if let Event::Fs(event) = event {
            return self.in_file_system(event, &step);
        }
        match step {
            Step::Scope { name, forms, .. } => {
                self.open.forms = forms;
                self.is_leaving_out = false;
                self.begin(protocol, name, event.keep())
            }
            Step::Thing { number: Some(number), kind, key, .. } => {
                let keys = self.scope.keys_in(protocol, number.to_string().as_bytes());
                let is_selected = self.scope.includes_kind(kind) && keys.contains_thing(&key, KeyForms::Uniform);
                self.open.keys = Some(keys);
                self.pass_if(|_, _| is_selected, &step, event)
            }
            Step::Thing { key, .. } => self.pass_if(|keys, forms| keys.contains_thing(&key, forms), &step, event),
            Step::Inside { .. } if self.is_passing => self.inner.event(event),
            Step::Beside(key) => {
                let is_full = self.is_full();
                self.pass_if(|keys, _| !is_full && keys.contains(key), &step, event)
            }
            Step::Unseen => self.pass_if(|keys, _| keys.is_all(), &step, event),
            Step::ScopeEnd => self.end(event),
            Step::Inside { .. } | Step::Around(_) | Step::Nameless => Ok(()),
        }
    }

    fn findings(&self) -> Findings {
        self.inner.findings()
    }

    fn is_leaving_out(&self) -> bool {
        self.is_leaving_out || self.inner.is_leaving_out()
    }
}
