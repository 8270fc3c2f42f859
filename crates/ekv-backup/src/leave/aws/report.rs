//! What is told of a load into a service, and of a comparison with one.

use serde::Serialize;

use crate::leave::counts::Reason;
use crate::leave::ledger::{LoadCounts, Verified};
use crate::see::Compared;

/// The service.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AwsTarget {
    /// `dynamodb`, `s3` or `sqs`.
    pub service: &'static str,
    /// Its address.
    pub endpoint: String,
    /// Its region.
    pub region: String,
}

/// What became of a load.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AwsLoadReport {
    /// Version of this structure.
    pub format_version: u32,
    /// The service.
    pub target: AwsTarget,
    /// Whether nothing was written: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What was found beforehand; absent without preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survey: Option<AwsSurvey>,
    /// What became of the things.
    #[serde(flatten)]
    pub counts: LoadCounts,
    /// Tables, buckets or queues, the first thousand of them.
    pub scopes: Vec<LoadedScope>,
    /// How many of them there are.
    pub scope_count: u64,
    /// How many of them the service does not take, with all that is in them.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub scopes_failed: u64,
    /// Things that were done by the run before, of a load that went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_after: Option<u64>,
    /// Things that were read back, of a finished load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Requests that were sent.
    pub requests: u64,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What had been lost before in what was read, or cannot be read.
    pub source_losses: u64,
    /// The first of these, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_lost: Vec<String>,
    /// Whether the source holds everything, as far as it can tell.
    pub source_is_complete: bool,
    /// Filters that nothing met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

impl AwsLoadReport {
    /// Whether everything that was selected is there, or was left out on purpose.
    pub fn is_whole(&self) -> bool {
        let refused = self.survey.as_ref().filter(|_| self.dry_run).map_or(0, AwsSurvey::refused_count);
        let differ = self.verified.as_ref().map_or(0, |verified| verified.different);
        let failed = self.counts.failed.saturating_add(self.scopes_failed);
        failed == 0 && refused == 0 && differ == 0 && self.source_is_complete && self.source_losses == 0
    }
}

/// A table, bucket or queue.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadedScope {
    /// Its name in the source.
    pub name: String,
    /// Its name on the target.
    pub target: String,
    /// Whether the load makes it, or would.
    pub is_new: bool,
    /// Things that are in it in the source.
    pub things: u64,
}

/// Tables, buckets or queues as they pass by. Memory: those that a report lists.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    listed: Vec<LoadedScope>,
    count: u64,
    /// The one at hand.
    open: LoadedScope,
}

/// Scopes that a report lists; of all it has the number.
const SCOPES_LISTED_MAX: usize = 1000;

impl Scopes {
    /// One begins.
    pub(crate) fn begin(&mut self, scope: LoadedScope) {
        self.end();
        self.count = self.count.saturating_add(1);
        self.open = scope;
    }

    /// A thing of it.
    pub(crate) fn add_thing(&mut self) {
        self.open.things = self.open.things.saturating_add(1);
    }

    /// What the one at hand is called on the target.
    pub(crate) fn target(&self) -> &str {
        &self.open.target
    }

    fn end(&mut self) {
        let scope = std::mem::take(&mut self.open);
        if !scope.name.is_empty() && self.listed.len() < SCOPES_LISTED_MAX {
            self.listed.push(scope);
        }
    }

    /// The first of them, and how many there are.
    pub(crate) fn finish(mut self) -> (Vec<LoadedScope>, u64) {
        self.end();
        (self.listed, self.count)
    }
}

/// What is selected of a source, and what of that cannot be written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AwsSurvey {
    /// Things that are selected.
    pub things: u64,
    /// Those that would be sent.
    pub fitting: u64,
    /// Payload of those, in bytes as the service counts them.
    pub bytes: u64,
    /// What the service does not take.
    pub refused: Vec<Reason>,
    /// What it will give back in another form.
    pub changed: Vec<Reason>,
}

impl AwsSurvey {
    /// Things that the service does not take.
    pub fn refused_count(&self) -> u64 {
        self.refused.iter().fold(0, |sum, reason| sum.saturating_add(reason.count))
    }
}

/// What came of a comparison with a service.
pub struct AwsCompared {
    /// As of two backups.
    pub compared: Compared,
    /// The service.
    pub target: AwsTarget,
    /// What else is to be known.
    pub notes: Vec<String>,
}
