//! `ls`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::see::SortBy;

use super::{
    AdapterList, AdapterParser, CacheArguments, CheckingArguments, ExpiredRule, ReadArguments, SOURCE_HELP,
    ScopeArguments, parse_adapters, with_names,
};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup ls snapshot.fsm                        every key, item, object and message
  ekv-backup ls snapshot.fsm --scopes --long        databases, tables, buckets and queues, with their sizes
  ekv-backup ls dump.tar.zst s3:photos/ --long --sort size --limit 10
  ekv-backup ls snapshot.fsm --prefix user: --type hash --count
  ekv-backup ls /var/lib/elastickv/n1 --at 2026-11-22T15:33:50Z --json
  ekv-backup ls snapshot.fsm --match '*:cart' | ekv-backup decode snapshot.fsm part --from-file -

What is printed are addresses: they need no quotes in any shell, and every command takes them back.
Redis keys that had expired are not listed, as clients do not see them.";

/// List what is in a backup: an address on each line.
///
/// SOURCE is a snapshot, a node's data directory, a dump, or an archive of one. Lines come in the order of the source, as it is read, unless
/// --sort is given. If the selection matches nothing, nothing is printed, and the exit code is 6.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct ListArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    /// Adapters whose data is listed: dynamodb, s3, redis, sqs, fs, or all; comma-separated
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = AdapterParser(parse_adapters),
        hide_possible_values = true, help_heading = "What is selected")]
    pub(crate) adapter: AdapterList,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    /// What happens to Redis keys that had expired at the moment that is read
    ///
    /// --only-expired and --expires-before take them whatever this says.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = ExpiredRule::Drop, help_heading = "What is selected")]
    pub(crate) expired: ExpiredRule,
    /// End after N lines
    #[arg(long, value_name = "N", help_heading = "What is selected")]
    pub(crate) limit: Option<u64>,

    /// Print type, size, elements, expiry and commit time in front of each address
    ///
    /// The size is that of the values and of the names in them. A dump does not say when a key was written.
    #[arg(long, short, help_heading = "How it is listed")]
    pub(crate) long: bool,
    /// Sort the lines: by name; by size or elements, the largest first; by expiry, the next one first; by changed, the newest first
    #[arg(long, value_name = "KEY", value_enum, help_heading = "How it is listed")]
    pub(crate) sort: Option<SortRule>,
    /// The other way round
    #[arg(long, requires = "sort", help_heading = "How it is listed")]
    pub(crate) reverse: bool,
    /// List databases, tables, buckets and queues, and not what is in them
    #[arg(long, help_heading = "How it is listed")]
    pub(crate) scopes: bool,
    /// Print the number of lines only
    #[arg(long, conflicts_with_all = ["long", "sort", "limit"], help_heading = "How it is listed")]
    pub(crate) count: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
    #[command(flatten)]
    pub(crate) checking: CheckingArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}

/// See [`SortBy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortRule {
    Name,
    Size,
    Elements,
    Expiry,
    Changed,
}

impl From<SortRule> for SortBy {
    fn from(rule: SortRule) -> Self {
        match rule {
            SortRule::Name => SortBy::Name,
            SortRule::Size => SortBy::Size,
            SortRule::Elements => SortBy::Elements,
            SortRule::Expiry => SortBy::Expiry,
            SortRule::Changed => SortBy::Changed,
        }
    }
}
