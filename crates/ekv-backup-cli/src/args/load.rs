//! Options of `load`, and of whatever reaches a running server.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::leave::{Method, OnExists, ServerAddress};

use super::{FirstArguments, ReadArguments, ScopeArguments, non_empty_text, with_names};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup load dump redis://127.0.0.1:6379 --dry-run   what would happen?
  ekv-backup load dump redis://127.0.0.1:6379
  ekv-backup load snapshot.fsm redis://app@db.example:6380/2 --password-file pw
  ekv-backup load dump.tar.zst unix:/run/redis.sock --prefix user: --on-exists skip
  ekv-backup load /var/lib/elastickv/n1 redis://127.0.0.1:7001     a cluster: any node
  ekv-backup load dump redis://127.0.0.1 --rename-prefix user:=restored:user:
  ekv-backup load dump redis://127.0.0.1 --rate 5000 --on-exists replace

Clients of the target see each key whole or not at all, but they see the load grow
key by key. What cannot go is told before the first key is written (--strict: then
nothing is). Expired keys, by the clock of the target, are not sent.

A run that ends early (exit code 4, or 3 if the target is full) leaves the keys
that were written, each whole. With --resume FILE the same command goes on from
there; without it, run it again with --on-exists replace or skip.";

/// Write the Redis keys of a backup into a running Redis or Valkey server, or a cluster.
///
/// SOURCE is looked at as a whole first; then strings go by SET, small collections by RESTORE, large ones in pieces under another name that is replaced in
/// one step at the end. A HyperLogLog becomes the registers that PFADD would have made of its members: from then on it is an estimate. Keys that
/// are there already end the run unless --on-exists says otherwise; nothing is ever merged with what is there.
///
/// A password is never an argument, where others could read it: it comes from EKV_REDIS_PASSWORD or --password-file.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct LoadArguments {
    /// Snapshot (.fsm, also compressed), data directory of a node, dump, archive of a dump, or - for standard input
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PathBuf,
    #[arg(value_name = "TARGET", help = "redis://[USER@]HOST[:PORT][/DATABASE] or unix:PATH; of a cluster any node")]
    pub(crate) target: ServerAddress,
    #[command(flatten)]
    pub(crate) server: ServerArguments,

    /// What happens to keys that the target has already
    ///
    /// fail: the run ends at the first one, which stays as it is. skip: they stay as they are, and are counted. replace: they are replaced, each in
    /// one step.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = OnExistsRule::Fail, help_heading = "How it is written")]
    pub(crate) on_exists: OnExistsRule,
    /// How collections are written
    ///
    /// auto: small ones by RESTORE, and by commands where the target does not take that (an access list, an older version). commands: all by
    /// commands, which is slower. restore: as auto, but a target that does not take RESTORE is refused.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = MethodRule::Auto, help_heading = "How it is written")]
    pub(crate) method: MethodRule,
    /// Most keys per second
    #[arg(long, value_name = "N", help_heading = "How it is written")]
    pub(crate) rate: Option<NonZeroU64>,
    /// Write keys that begin with OLD under names that begin with NEW; may be given more than once, the first that fits counts
    ///
    /// Two keys that would get one name are an error before anything is written.
    #[arg(long, value_name = "OLD=NEW", value_parser = non_empty_text(), help_heading = "How it is written")]
    pub(crate) rename_prefix: Vec<OsString>,
    /// Let every expiry count from now, as it did from the moment of SOURCE
    ///
    /// Without it keys keep the time at which they expire, so that those of an old backup have expired.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) shift_expiry: bool,
    /// Refuse a target that holds any key
    #[arg(long, help_heading = "How it is written")]
    pub(crate) require_empty: bool,
    /// Accept a target that throws away any keys when its memory is full (maxmemory-policy allkeys-*)
    #[arg(long, help_heading = "How it is written")]
    pub(crate) allow_eviction: bool,
    /// Write nothing if anything that is selected cannot go
    #[arg(long, help_heading = "How it is written")]
    pub(crate) strict: bool,
    /// Do not look at everything before the first key is written
    ///
    /// Saves one of two reads of SOURCE; what cannot go then comes out on the way.
    #[arg(long, conflicts_with_all = ["strict", "dry_run"], help_heading = "How it is written")]
    pub(crate) no_preflight: bool,
    /// Look at everything, ask the target for every key, and write nothing
    #[arg(long, help_heading = "How it is written")]
    pub(crate) dry_run: bool,
    /// Write down in FILE how far the load has come, and go on from there if it is there already
    ///
    /// It is written each second and when the run ends early, and removed when everything is done. A run goes on only with the same source,
    /// selection and rules, into servers that were neither started anew nor emptied since; else it says what is different. What is found on the target then counts as
    /// loaded if it is what the backup has.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "How it is written")]
    pub(crate) resume: Option<PathBuf>,
    /// How many keys are read back and compared at the end: none, or sample:N chosen at random among those that were written
    ///
    /// `compare` reads back everything.
    #[arg(long, value_name = "HOW", default_value = "sample:1000", value_parser = parse_verify, help_heading = "How it is written")]
    pub(crate) verify: u64,

    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}

/// How a running server is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerArguments {
    /// File with the password of the server, which may end with a line feed; else EKV_REDIS_PASSWORD counts
    #[arg(long, value_name = "FILE", help_heading = "The server")]
    pub(crate) password_file: Option<PathBuf>,
}

/// See [`OnExists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExistsRule {
    Fail,
    Skip,
    Replace,
}

impl From<OnExistsRule> for OnExists {
    fn from(rule: OnExistsRule) -> Self {
        match rule {
            OnExistsRule::Fail => OnExists::Fail,
            OnExistsRule::Skip => OnExists::Skip,
            OnExistsRule::Replace => OnExists::Replace,
        }
    }
}

/// See [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodRule {
    Auto,
    Commands,
    Restore,
}

impl From<MethodRule> for Method {
    fn from(rule: MethodRule) -> Self {
        match rule {
            MethodRule::Auto => Method::Auto,
            MethodRule::Commands => Method::Commands,
            MethodRule::Restore => Method::Restore,
        }
    }
}

/// Most keys that are kept to be read back.
const VERIFIED_MAX: u64 = 10_000;

fn parse_verify(text: &str) -> Result<u64, String> {
    let count = match text {
        "none" => Some(0),
        text => text.strip_prefix("sample:").and_then(|count| count.parse().ok()),
    };
    count
        .filter(|count| *count <= VERIFIED_MAX)
        .ok_or_else(|| format!("expected none or sample:N, N up to {VERIFIED_MAX}"))
}

const COMPARE_AFTER_HELP: &str = "\
Examples:
  ekv-backup compare dump redis://127.0.0.1:6379
  ekv-backup compare snapshot.fsm redis://127.0.0.1:6379 --prefix user: --json
  ekv-backup compare dump redis://127.0.0.1 --rename-prefix user:=restored:user: -q && echo the same

Marks: + only the server has it, - only the backup has it, ~ another value, E another
expiry only, T another type. The names are those on the server.";

/// Compare the Redis keys of a backup with what a running server has.
///
/// Every selected key of both is read; type, value and expiry count. No difference are: keys that have expired meanwhile, collections without elements, the
/// sign of a zero score, and how a HyperLogLog is stored, as long as its registers are the same. What is read of a server is not one moment: keys that
/// clients change meanwhile may be told. Exit code 0: the same; 6: they differ.
#[derive(Clone, Debug, Args)]
#[command(after_help = COMPARE_AFTER_HELP, after_long_help = with_names(COMPARE_AFTER_HELP))]
pub(crate) struct CompareArguments {
    /// Snapshot (.fsm, also compressed), data directory of a node, dump, archive of a dump, or - for standard input
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PathBuf,
    #[arg(value_name = "TARGET", help = "redis://[USER@]HOST[:PORT][/DATABASE] or unix:PATH; of a cluster any node")]
    pub(crate) target: ServerAddress,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Keys that begin with OLD are called NEW there; may be given more than once, the first that fits counts
    #[arg(long, value_name = "OLD=NEW", value_parser = non_empty_text(), help_heading = "What is selected")]
    pub(crate) rename_prefix: Vec<OsString>,
    /// Print how many keys were added, removed and changed, and not each of them
    #[arg(long, help_heading = "How it is told")]
    pub(crate) stat: bool,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}
