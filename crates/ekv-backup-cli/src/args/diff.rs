//! `diff`.

use std::path::PathBuf;

use clap::Args;
use ekv_backup::ReadTime;

use super::{
    AdapterList, AdapterParser, CacheArguments, ExpiredRule, SOURCE_HELP, ScopeArguments, SnapshotArguments,
    parse_adapters, with_names,
};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup diff monday.fsm tuesday.fsm
  ekv-backup diff monday.tar.zst tuesday.fsm --stat      a dump and a snapshot, by table, bucket, queue
  ekv-backup diff snapshot.fsm --at 2026-11-22T15:34:24.600Z --at 2026-11-22T15:34:25Z --prefix user:
  ekv-backup diff dump.tar.zst snapshot.fsm -q && echo the same

Marks: + added, - removed, ~ another value, E another expiry only, T another type,
M what describes it only (headers of an object, settings of a queue, a schema).
Without further options a Redis key that has expired counts as not there.";

/// Compare two backups, or one at two moments.
///
/// FIRST and SECOND are snapshots, data directories, dumps or archives, in any combination. Compared are type, value, expiry and description of
/// everything that is selected; when it was committed and how it is stored does not count. Exit code 0: the same; 6: they differ.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct DiffArguments {
    #[arg(value_name = "FIRST", help = SOURCE_HELP)]
    pub(crate) first: PathBuf,
    /// What it is compared with; without it --at is given twice
    #[arg(value_name = "SECOND", required_unless_present = "at")]
    pub(crate) second: Option<PathBuf>,
    /// The moment of both; given twice, the moment of the first and that of the second
    ///
    /// As `ekv-backup help decode` explains TIME. Of dumps none can be given.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Vec<ReadTime>,
    /// Print a line for each database, table, bucket and queue: how many things were added, removed and changed
    #[arg(long, help_heading = "How it is told")]
    pub(crate) stat: bool,
    /// Adapters whose data is compared: dynamodb, s3, redis, sqs, fs, or all; comma-separated
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = AdapterParser(parse_adapters),
        hide_possible_values = true, help_heading = "What is selected")]
    pub(crate) adapter: AdapterList,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    /// What happens to Redis keys that had expired at the moment of their side
    ///
    /// drop: they count as not there, as clients saw it. keep: they are compared as they are stored.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = ExpiredRule::Drop, help_heading = "What is selected")]
    pub(crate) expired: ExpiredRule,
    /// Compare who has received SQS messages and when they can be received again, too
    #[arg(long, help_heading = "What is selected")]
    pub(crate) strict_sqs: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArguments,
}
