//! Which filters nothing has met: mostly typing errors.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::Target;
use super::{Scope, item_key};
use crate::dynamodb::KeyForms;
use crate::step::{Step, ThingKey};
use crate::{Event, Protocol};

/// Watches events and strikes off the filters of a [`Scope`] that something meets.
#[derive(Clone, Debug)]
pub struct Unmatched {
    names: Vec<Option<String>>,
    targets: BTreeMap<Target, Vec<usize>>,
    /// Every other filter alone.
    filters: Vec<(String, Scope)>,
    things: u64,
    scope: Vec<u8>,
    forms: KeyForms,
}

impl Unmatched {
    /// All filters of a scope, as if nothing met them.
    pub fn of(scope: &Scope) -> Self {
        let Scope { prefixes, globs, scopes, pending, given, .. } = scope;
        let texts = |option: &'static str| given.iter().filter(move |(own, _)| *own == option);
        let with = |fill: &dyn Fn(&mut Scope)| {
            let mut one = Scope::everything();
            fill(&mut one);
            one
        };
        let shown = |option: &str, text: &str| format!("--{option} {text}");
        let mut filters = Vec::new();
        for ((option, text), pattern) in texts("prefix").zip(prefixes).chain(texts("match").zip(globs)) {
            filters.push((shown(option, text), with(&|one| one.globs.push(pattern.clone()))));
        }
        for (protocol, name) in scopes.iter().flatten() {
            let option = protocol.scope_word();
            let text = crate::Part { bytes: name, is_slash_escaped: true }.to_string();
            let only = BTreeSet::from([(*protocol, name.clone())]);
            filters.push((shown(option, &text), with(&|one| one.scopes = Some(only.clone()))));
        }
        Unmatched {
            names: pending.names.iter().cloned().map(Some).collect(),
            targets: pending.targets.clone(),
            filters,
            things: 0,
            scope: Vec::new(),
            forms: KeyForms::Uniform,
        }
    }

    /// Takes note of an event of something that is selected.
    #[inline]
    pub fn saw(&mut self, event: &Event<'_>) {
        // Most runs have no filter that could be met.
        if self.filters.is_empty() && self.targets.is_empty() {
            let is_counted = matches!(event.step(), Step::Scope { .. } | Step::Thing { .. });
            self.things = self.things.saturating_add(u64::from(is_counted && event.protocol().is_some()));
            return;
        }
        self.watch(event);
    }

    fn watch(&mut self, event: &Event<'_>) {
        let Some(protocol) = event.protocol() else { return };
        match event.step() {
            Step::Scope { name, forms, .. } => {
                self.forms = forms;
                self.scope_begins(protocol, name);
            }
            Step::Thing { number, key, .. } => {
                if let Some(number) = number {
                    self.enter(number.to_string().as_bytes());
                }
                self.thing(protocol, &key);
            }
            _ => {}
        }
    }

    /// How many tables, buckets, queues, and things in them or in Redis were seen.
    pub fn things(&self) -> u64 {
        self.things
    }

    /// The filters that nothing has met, as options.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().flatten().map(String::as_str);
        names.chain(self.filters.iter().map(|(shown, _)| shown.as_str()))
    }

    fn enter(&mut self, scope: &[u8]) {
        self.scope.clear();
        self.scope.extend_from_slice(scope);
    }

    fn scope_begins(&mut self, protocol: Protocol, scope: &[u8]) {
        self.enter(scope);
        self.things = self.things.saturating_add(1);
        self.filters.retain(|(_, one)| !one.keys_in(protocol, scope).has_scope());
        self.strike(&(protocol, scope.to_vec(), None));
        self.strike(&(protocol, Vec::new(), None));
    }

    fn thing(&mut self, protocol: Protocol, key: &ThingKey<'_>) {
        self.things = self.things.saturating_add(1);
        let Unmatched { filters, scope, forms, .. } = self;
        filters.retain(|(_, one)| !one.keys_in(protocol, scope).contains_thing(key, *forms));
        if self.targets.is_empty() {
            return;
        }
        let looked_for = match key {
            ThingKey::Plain(key) => key.to_vec(),
            ThingKey::Item(key) => item_key(key, self.forms, true),
        };
        self.strike(&(protocol, self.scope.clone(), Some(looked_for.clone())));
        if protocol.has_numbered_scopes() {
            self.strike(&(protocol, Vec::new(), Some(looked_for)));
            self.strike(&(protocol, self.scope.clone(), None));
            self.strike(&(protocol, Vec::new(), None));
        }
    }

    fn strike(&mut self, target: &Target) {
        for met in self.targets.remove(target).into_iter().flatten() {
            if let Some(name) = self.names.get_mut(met) {
                *name = None;
            }
        }
    }
}
