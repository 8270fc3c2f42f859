//! Which filters nothing has met: mostly typing errors.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::Target;
use super::{Scope, item_key};
use crate::dynamodb::{self, KeyForms};
use crate::{Event, Protocol, redis, s3, sqs};

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
    pub fn saw(&mut self, event: &Event<'_>) {
        match event {
            Event::Redis { database, event: redis::Event::Scalar { key, .. } | redis::Event::Begin { key, .. } } => {
                self.enter(database.to_string().as_bytes());
                self.thing(Protocol::Redis, key);
                self.strike(&(Protocol::Redis, Vec::new(), Some(key.to_vec())));
            }
            Event::DynamoDb(dynamodb::Event::TableBegin(table)) => {
                self.forms = table.key_forms;
                self.scope_begins(Protocol::DynamoDb, table.name.as_bytes());
            }
            Event::DynamoDb(dynamodb::Event::ItemBegin { key, .. }) => {
                self.things = self.things.saturating_add(1);
                let looked_for = item_key(key, self.forms, true);
                self.strike(&(Protocol::DynamoDb, self.scope.clone(), Some(looked_for)));
                let Unmatched { filters, scope, forms, .. } = self;
                filters.retain(|(_, one)| !one.keys_in(Protocol::DynamoDb, scope).contains_item(key, *forms));
            }
            Event::S3(s3::Event::Begin(bucket)) => self.scope_begins(Protocol::S3, bucket.name.as_bytes()),
            Event::S3(s3::Event::Object(object)) => self.thing(Protocol::S3, object.key),
            Event::Sqs(sqs::Event::Queue(sqs::Queue { name, .. }) | sqs::Event::Orphan { name }) => {
                self.scope_begins(Protocol::Sqs, name);
            }
            Event::Sqs(sqs::Event::Message(message)) => self.thing(Protocol::Sqs, message.message_id.as_bytes()),
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

    fn thing(&mut self, protocol: Protocol, key: &[u8]) {
        self.things = self.things.saturating_add(1);
        let Unmatched { filters, scope, .. } = self;
        filters.retain(|(_, one)| !one.keys_in(protocol, scope).contains(key));
        if self.targets.is_empty() {
            return;
        }
        self.strike(&(protocol, self.scope.clone(), Some(key.to_vec())));
        if protocol.has_numbered_scopes() {
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
