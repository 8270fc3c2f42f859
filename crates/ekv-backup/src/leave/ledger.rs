//! The account of a load: what became of each thing, and how far it has come.

use std::time::Duration;

use ekv_model::Error;
use serde::Serialize;

use super::checkpoint::{Checkpoint, Done, Tally, ThingOutcome};
use super::counts::{KindCount, Kinds, Reason, Reasons};

/// Addresses that are told of things that differ.
const FIRST_MAX: usize = 20;

/// What became of what was selected: the first is the sum of all others.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadCounts {
    /// How many were selected.
    pub sent: u64,
    /// They are there, whole.
    pub loaded: u64,
    /// The target had them and keeps what it had.
    pub existed: u64,
    /// Redis keys that have expired by the clock of the target.
    pub expired: u64,
    /// Hashes, lists, sets and sorted sets without an element: no server has those.
    pub empty: u64,
    /// They could not be written.
    pub failed: u64,
    /// What was loaded, by kind.
    pub kinds: Vec<KindCount>,
    /// Why some could not be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// What came of reading things back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// How many were read back.
    pub count: u64,
    /// Of these, Redis keys that had expired meanwhile.
    pub expired: u64,
    /// Of these, how many are different, or gone.
    pub different: u64,
    /// Addresses of the first ones of those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
}

impl Verified {
    /// One is different, or gone.
    pub(crate) fn differs(&mut self, address: impl FnOnce() -> String) {
        self.different = self.different.saturating_add(1);
        if self.first.len() < FIRST_MAX {
            self.first.push(address());
        }
    }
}

/// A load that ended before its end. What is there stays, and each thing of it is whole.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {loaded} of {sent} {what} that were looked at are on the target, each of them whole{}{}", if *.failed == 0 { String::new() } else { format!(", and {} could not be written", .failed) }, if *.is_resumable { "; the same command goes on from here" } else { "" })]
pub struct LoadStopped {
    /// Why.
    pub cause: String,
    /// What is counted: `keys`, `items`, `objects` or `messages`.
    pub what: &'static str,
    /// How many are there.
    pub loaded: u64,
    /// How many were looked at.
    pub sent: u64,
    /// How many could not be written.
    pub failed: u64,
    /// Whether another run can go on from here.
    pub is_resumable: bool,
}

/// Says of an error how far a load had come.
pub(crate) fn stopped(error: Error, what: &'static str, counts: &LoadCounts, is_resumable: bool) -> Error {
    use std::error::Error as _;
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    let LoadCounts { loaded, sent, failed, .. } = *counts;
    Error::new(error.class(), LoadStopped { cause, what, loaded, sent, failed, is_resumable })
}

/// What became of the things of a load so far.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) tally: Tally,
    pub(crate) kinds: Kinds,
    pub(crate) reasons: Reasons,
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl Ledger {
    /// A thing is done.
    pub(crate) fn done(&mut self, number: u64, done: Done, now: Duration) {
        self.tally.add(done.fate);
        if done.fate == ThingOutcome::Loaded {
            self.kinds.add(done.kind, done.elements, done.bytes);
        }
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.done(number, done, now);
        }
    }

    /// All of it; `sent` is how many were looked at.
    pub(crate) fn counts(&self, sent: u64) -> LoadCounts {
        let Tally { loaded, existed, expired, empty, failed } = self.tally;
        let (kinds, reasons) = (self.kinds.report(), self.reasons.report());
        LoadCounts { sent, loaded, existed, expired, empty, failed, kinds, reasons }
    }
}
