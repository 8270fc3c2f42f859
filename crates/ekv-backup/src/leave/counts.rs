//! How many things of which kind, and which of them have something in common.

use std::collections::BTreeMap;

use ekv_model::Kind;
use serde::Serialize;

/// Names that are told of each reason.
const NAMES_MAX: usize = 20;
/// Longest name that is told, in characters.
pub(crate) const NAME_LEN_MAX: usize = 400;

/// Keys, items, objects or messages of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// Its name, as `--type` has it.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// Elements of collections.
    pub elements: u64,
    /// Payload in bytes.
    pub bytes: u64,
}

/// Things that have something in common, mostly why they did not arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What.
    pub why: String,
    /// How many.
    pub count: u64,
    /// Addresses of the first ones.
    pub first: Vec<String>,
}

/// Counts by kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds([(u64, u64, u64); Kind::ALL.len()]);

impl Kinds {
    pub(crate) fn add(&mut self, kind: Kind, elements: u64, bytes: u64) {
        self.add_many(kind, 1, elements, bytes);
    }

    pub(crate) fn add_many(&mut self, kind: Kind, count: u64, elements: u64, bytes: u64) {
        let at = Kind::ALL.iter().position(|one| *one == kind);
        if let Some((keys, own_elements, own_bytes)) = at.and_then(|at| self.0.get_mut(at)) {
            *keys = keys.saturating_add(count);
            *own_elements = own_elements.saturating_add(elements);
            *own_bytes = own_bytes.saturating_add(bytes);
        }
    }

    pub(crate) fn report(&self) -> Vec<KindCount> {
        let counts = Kind::ALL.iter().zip(self.0).filter(|(_, (keys, ..))| *keys > 0);
        counts.map(|(kind, (count, elements, bytes))| KindCount { kind: kind.name(), count, elements, bytes }).collect()
    }
}

/// Reasons with the things that they concern. Memory: their number, which is small, and 20 names of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reasons(BTreeMap<String, (u64, Vec<String>)>);

/// Most reasons that are told apart.
const REASONS_MAX: usize = 100;

impl Reasons {
    pub(crate) fn add(&mut self, why: &str, address: impl FnOnce() -> String) {
        let why = if self.0.len() >= REASONS_MAX && !self.0.contains_key(why) { "other reasons" } else { why };
        let (keys, first) = self.0.entry(why.to_owned()).or_default();
        *keys = keys.saturating_add(1);
        if first.len() < NAMES_MAX {
            first.push(ekv_text::shorten(&address(), NAME_LEN_MAX));
        }
    }

    pub(crate) fn report(&self) -> Vec<Reason> {
        let reason = |(why, (count, first)): (&String, &(u64, Vec<String>))| Reason {
            why: why.clone(),
            count: *count,
            first: first.clone(),
        };
        self.0.iter().map(reason).collect()
    }
}
