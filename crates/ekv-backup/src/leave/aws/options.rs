//! What is loaded into a service, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::see::DiffOptions;
use crate::{EventOptions, Resources};

/// What is loaded, and how.
#[derive(Clone, Debug)]
pub struct AwsLoadOptions {
    /// What is selected; things of the service's protocol alone are looked at.
    pub events: EventOptions,
    /// What happens to things that are there.
    pub on_exists: AwsOnExists,
    /// New names of tables, buckets or queues by their old ones.
    pub renames: BTreeMap<String, String>,
    /// Whether everything is looked at before the first thing is written.
    pub has_preflight: bool,
    /// Whether nothing is written.
    pub is_dry_run: bool,
    /// Whether nothing is written if something cannot go.
    pub is_strict: bool,
    /// What is read back at the end.
    pub verify: Verify,
    /// Whether nothing selected is accepted.
    pub allow_empty: bool,
    /// What reading may take.
    pub resources: Resources,
    /// The file in which the load says how far it has come, and from which it goes on.
    pub resume: Option<PathBuf>,
    /// Chooses the things that are read back, and names the run.
    pub seed: u64,
    /// Capacity of new tables; by request if it is absent.
    pub capacity: Option<Capacity>,
    /// Whether buckets and queues that are not there are created.
    pub creates: bool,
    /// Whether the entity tag that an object had goes along as metadata.
    pub keeps_etag: bool,
    /// What becomes of messages of which nobody knows whether they are there.
    pub in_doubt: InDoubt,
}

/// What becomes of messages that were sent and of which no answer came, where the service would not tell them from new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// The run ends there.
    Stop,
    /// They are sent again, and may be there twice.
    Resend,
    /// They are not sent again, and may not be there.
    Drop,
}

/// How a backup is compared with a service.
#[derive(Clone, Debug)]
pub struct AwsCompareOptions {
    /// What is compared, and how it is told.
    pub diff: DiffOptions,
    /// What tables, buckets or queues are called there, by their names here.
    pub renames: BTreeMap<String, String>,
    /// Whether objects are read back.
    pub is_deep: bool,
}

/// What happens to a thing that the service has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsOnExists {
    /// The run ends there.
    Fail,
    /// It is left as it is.
    Skip,
    /// It is replaced.
    Replace,
    /// Messages are sent to those that are there.
    Append,
}

impl AwsOnExists {
    /// As the option has it.
    pub fn name(self) -> &'static str {
        match self {
            AwsOnExists::Fail => "fail",
            AwsOnExists::Skip => "skip",
            AwsOnExists::Replace => "replace",
            AwsOnExists::Append => "append",
        }
    }
}

/// Provisioned capacity of a table, in units per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// For reading.
    pub read: u64,
    /// For writing.
    pub write: u64,
}

/// What is read back when a load is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Nothing.
    None,
    /// How many there are.
    Count,
    /// Which there are, and how large they are.
    List,
    /// So many, chosen at random among those that were written.
    Sample(u64),
    /// All of them.
    Full,
}
