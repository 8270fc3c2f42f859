//! A consumer of what is selected, for sources that know no better than to give everything.

use super::{Keys, Scope};
use crate::consumer::Beginning;
use crate::dynamodb::KeyForms;
use crate::step::Step;
use crate::{Consumer, Event, Findings, Protocol, Result};

/// Passes on the events of what a [`Scope`] selects: of each thing all or none, of a table, bucket or queue its beginning with the first
/// selected thing in it, or if it is selected itself.
///
/// Memory: the settings of one table, bucket or queue.
pub struct Filtered<'a> {
    scope: &'a Scope,
    inner: &'a mut dyn Consumer,
    is_passing: bool,
    open: Open<'a>,
}

/// The table, bucket or queue at hand.
struct Open<'a> {
    keys: Option<Keys<'a>>,
    /// Its beginning, until that has been passed on.
    beginning: Option<Beginning>,
    forms: KeyForms,
}

impl<'a> Filtered<'a> {
    /// Passes on to `inner` what `scope` selects.
    pub fn new(scope: &'a Scope, inner: &'a mut dyn Consumer) -> Self {
        let open = Open { keys: None, beginning: None, forms: KeyForms::Uniform };
        Filtered { scope, inner, is_passing: false, open }
    }

    fn begin(&mut self, protocol: Protocol, name: &[u8], beginning: Option<Beginning>) -> Result<()> {
        let keys = self.scope.keys_in(protocol, name);
        let has_scope = keys.has_scope();
        self.open.keys = Some(keys);
        self.open.beginning = beginning;
        if has_scope { self.pass_beginning() } else { Ok(()) }
    }

    fn pass_beginning(&mut self) -> Result<()> {
        match self.open.beginning.take() {
            None => Ok(()),
            Some(beginning) => beginning(self.inner),
        }
    }

    /// Passes a thing of the open scope on, if it is selected.
    fn pass_if(&mut self, is_selected: impl FnOnce(&Keys<'a>, KeyForms) -> bool, event: Event<'_>) -> Result<()> {
        self.is_passing = self.open.keys.as_ref().is_some_and(|keys| is_selected(keys, self.open.forms));
        if !self.is_passing {
            return Ok(());
        }
        self.pass_beginning()?;
        self.inner.event(event)
    }

    fn end(&mut self, event: Event<'_>) -> Result<()> {
        let has_begun = self.open.keys.take().is_some() && self.open.beginning.take().is_none();
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
        match event.step() {
            Step::Scope { name, forms, .. } => {
                self.open.forms = forms;
                self.begin(protocol, name, event.keep())
            }
            Step::Thing { number: Some(number), kind, key, .. } => {
                let keys = self.scope.keys_in(protocol, number.to_string().as_bytes());
                let is_selected = self.scope.includes_kind(kind) && keys.contains_thing(&key, KeyForms::Uniform);
                self.open.keys = Some(keys);
                self.pass_if(|_, _| is_selected, event)
            }
            Step::Thing { key, .. } => self.pass_if(|keys, forms| keys.contains_thing(&key, forms), event),
            Step::Inside { .. } if self.is_passing => self.inner.event(event),
            Step::Beside(key) => self.pass_if(|keys, _| keys.contains(key), event),
            Step::Unseen => self.pass_if(|keys, _| keys.is_all(), event),
            Step::ScopeEnd => self.end(event),
            Step::Inside { .. } | Step::Nameless => Ok(()),
        }
    }

    fn findings(&self) -> Findings {
        self.inner.findings()
    }
}
