//! Options of `load` and `compare`.

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::leave::{AwsOnExists, AwsService, Capacity, Destination, InDoubt, Method, OnExists, Verify};

use super::aws::parse_capacity;
use super::export::parse_rename;
use super::{AwsArguments, FirstArguments, ReadArguments, SOURCE_HELP, ScopeArguments, non_empty_text, with_names};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup load dump redis://127.0.0.1:6379 --dry-run   what would happen?
  ekv-backup load dump redis://127.0.0.1:6379
  ekv-backup load snapshot.fsm redis://app@db.example:6380/2 --password-file pw
  ekv-backup load dump.tar.zst unix:/run/redis.sock --prefix user: --on-exists skip
  ekv-backup load /var/lib/elastickv/n1 redis://127.0.0.1:7001     a cluster: any node
  ekv-backup load dump redis://127.0.0.1 --rename-prefix user:=restored:user:
  ekv-backup load dump redis://127.0.0.1 --rate 5000 --max-latency 10 --on-exists replace
  ekv-backup load dump redis://127.0.0.1 --into-db 1 --verify full
  ekv-backup load dump dynamodb: --region eu-central-1 --profile work --dry-run
  ekv-backup load dump dynamodb: --table users --rename users=users-restored
  ekv-backup load dump dynamodb: --endpoint-url http://127.0.0.1:4566 --region us-east-1
  ekv-backup load dump s3: --bucket photos --rename photos=photos-restored --on-exists skip
  ekv-backup load dump sqs: --queue orders --rate 100/s --resume load.json

redis://, rediss://, unix: takes Redis keys, dynamodb: items with their tables, s3: objects with
their buckets, sqs: messages with their queues.
Clients of the target see each key whole or not at all, but they see the load grow
key by key. What cannot go is told before the first key is written (--strict: then
nothing is). Expired keys, by the clock of the target, are not sent.

A run that ends early (exit code 4, or 3 if the target is full) leaves the keys
that were written, each whole. With --resume FILE the same command goes on from
there; without it, run it again with --on-exists replace or skip.

Credentials of AWS come from where the AWS CLI takes them. For tables of many
gigabytes `export --format dynamodb-import` is the cheaper way.";

/// Write what a backup holds into a running service: Redis, Valkey, DynamoDB, S3, SQS.
///
/// SOURCE is looked at as a whole first; then strings go by SET, small collections by RESTORE, large ones in pieces under another name that is replaced in
/// one step at the end. A HyperLogLog becomes the registers that PFADD would have made of its members: from then on it is an estimate. Keys that
/// are there already end the run unless --on-exists says otherwise; nothing is ever merged with what is there.
///
/// A password is never an argument, where others could read it: it comes from EKV_REDIS_PASSWORD or --password-file.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct LoadArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(crate) target: Destination,
    #[command(flatten)]
    pub(crate) aws: AwsArguments,

    /// What happens to things that the target has already
    ///
    /// fail: the run ends at the first one, which stays as it is. skip: they stay as they are, and are counted. replace: they are replaced, each in
    /// one step. append: messages are sent behind those that are in a queue.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = OnExistsRule::Fail, help_heading = "How it is written")]
    pub(crate) on_exists: OnExistsRule,
    /// How collections are written
    ///
    /// auto: small ones by RESTORE, and by commands where the target does not take that (an access list, an older version). commands: all by
    /// commands, which is slower. restore: as auto, but a target that does not take RESTORE is refused.
    #[arg(long, value_name = "HOW", value_enum, help_heading = "How it is written")]
    pub(crate) method: Option<MethodRule>,
    /// Most keys, items, objects or messages per second: 500, or 500/s
    #[arg(long, value_name = "N", value_parser = parse_rate, help_heading = "How it is written")]
    pub(crate) rate: Option<NonZeroU32>,
    /// Most bytes per second: 10M, or 10M/s
    #[arg(long, value_name = "BYTES", value_parser = parse_bandwidth, help_heading = "How it is written")]
    pub(crate) max_bandwidth: Option<NonZeroU64>,
    /// Longest time that another client of a Redis server may have to wait for an answer, in milliseconds
    ///
    /// It is asked every 100 ms on a connection of its own: where it takes longer, half as much is under way at once, else a tenth more.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000), help_heading = "How it is written")]
    pub(crate) max_latency: Option<u64>,
    /// Write into database N of a Redis server, which is empty, and let it change places with that of TARGET in one step at the end
    ///
    /// Clients see all of it at once, and what was there before is in database N afterwards. If anything did not arrive, they do not change places.
    #[arg(long, value_name = "N", help_heading = "How it is written")]
    pub(crate) into_db: Option<u32>,
    /// Remove a large key that is there before the new one is made, and not when it is whole
    ///
    /// For servers with little memory: old and new are never there together. Until the new one is whole, clients see none.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) replace_first: bool,
    /// Wait at the end until N replicas have everything, for a minute at most; fewer are exit code 5
    #[arg(long, value_name = "N", help_heading = "How it is written")]
    pub(crate) wait_replicas: Option<NonZeroU64>,
    /// What happens to sorted sets with a score that is not a number, which no server takes
    ///
    /// lose: such a key is lost. drop-member: it is written without those members.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = NanRule::Lose, help_heading = "How it is written")]
    pub(crate) nan: NanRule,
    /// Call a table, bucket or queue otherwise: --rename users=users-restored; may be given more than once
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename, help_heading = "How it is written")]
    pub(crate) rename: Vec<(String, String)>,
    /// Capacity of new tables for reading and writing, in units per second; else they are billed by request
    #[arg(long, value_name = "R:W", value_parser = parse_capacity, help_heading = "How it is written")]
    pub(crate) capacity: Option<Capacity>,
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
    /// Write into buckets and queues that are there, and create none (s3:, sqs:)
    #[arg(long, help_heading = "How it is written")]
    pub(crate) no_create: bool,
    /// Let the entity tag that each object had go along as its metadata elastickv-etag (s3:)
    ///
    /// The service computes entity tags anew, and others for objects that are or were written in several parts.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) etag_metadata: bool,
    /// What becomes of messages that were sent and of which no answer came (sqs:) [default: stop]
    ///
    /// Nobody knows whether they are there. stop: the run ends. resend: they are sent again, and may be there twice; their number is told. drop: they are
    /// not, and may be missing; they count as lost. FIFO queues know a message again for five minutes: until then it is sent again in any case.
    #[arg(long, value_name = "RULE", value_enum, help_heading = "How it is written")]
    pub(crate) in_doubt: Option<InDoubtRule>,
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
    /// What is read back and compared at the end: none, count, list, full, or sample:N chosen at random among what was written [default: sample:1000]
    ///
    /// redis: none; count, list: every key that was written is there; sample:N, full: it is what it should be. Of a load that went on, what this run wrote. dynamodb: none, count, sample:N, full. s3: none, list (default). sqs: none (default), count. `compare` reads back everything.
    #[arg(long, value_name = "HOW", value_parser = parse_verify, help_heading = "How it is written")]
    pub(crate) verify: Option<Verify>,

    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}

/// See [`OnExists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExistsRule {
    Fail,
    Skip,
    Replace,
    Append,
}

impl OnExistsRule {
    /// For Redis keys, of which nothing is ever merged.
    pub(crate) fn of_keys(self) -> Option<OnExists> {
        match self {
            OnExistsRule::Fail => Some(OnExists::Fail),
            OnExistsRule::Skip => Some(OnExists::Skip),
            OnExistsRule::Replace => Some(OnExists::Replace),
            OnExistsRule::Append => None,
        }
    }
}

impl From<OnExistsRule> for AwsOnExists {
    fn from(rule: OnExistsRule) -> Self {
        match rule {
            OnExistsRule::Fail => AwsOnExists::Fail,
            OnExistsRule::Skip => AwsOnExists::Skip,
            OnExistsRule::Replace => AwsOnExists::Replace,
            OnExistsRule::Append => AwsOnExists::Append,
        }
    }
}

/// See [`InDoubt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InDoubtRule {
    Stop,
    Resend,
    Drop,
}

impl From<InDoubtRule> for InDoubt {
    fn from(rule: InDoubtRule) -> Self {
        match rule {
            InDoubtRule::Stop => InDoubt::Stop,
            InDoubtRule::Resend => InDoubt::Resend,
            InDoubtRule::Drop => InDoubt::Drop,
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

/// What happens to sorted sets with a score that is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NanRule {
    Lose,
    DropMember,
}

/// Most keys that are kept to be read back.
const VERIFIED_MAX: u64 = 10_000;

fn parse_verify(text: &str) -> Result<Verify, String> {
    let expected = || format!("expected none, count, list, full or sample:N, N up to {VERIFIED_MAX}");
    let sample = |text: &str| text.strip_prefix("sample:")?.parse().ok().filter(|count| *count <= VERIFIED_MAX);
    match text {
        "none" => Ok(Verify::None),
        "count" => Ok(Verify::Count),
        "list" => Ok(Verify::List),
        "full" => Ok(Verify::Full),
        text => sample(text).map(Verify::Sample).ok_or_else(expected),
    }
}

fn parse_bandwidth(text: &str) -> Result<NonZeroU64, String> {
    let bytes = super::bytes::parse_bytes(text.strip_suffix("/s").unwrap_or(text))?;
    NonZeroU64::new(bytes).ok_or_else(|| "nothing would ever arrive".to_owned())
}

fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number.parse().map_err(|_| "expected a number per second, such as 500 or 500/s".to_owned())
}

const TARGET_HELP: &str =
    "redis://[USER@]HOST[:PORT][/DATABASE] or unix:PATH, of a cluster any node; or dynamodb:, s3:, sqs:";

impl LoadArguments {
    /// Options that were given and say nothing about the target.
    pub(crate) fn misplaced(&self) -> Vec<&'static str> {
        let given = |options: &[(&'static str, bool)]| {
            options.iter().filter(|(_, is_given)| *is_given).map(|(option, _)| *option).collect::<Vec<_>>()
        };
        match &self.target {
            Destination::Redis(_) => {
                let own = [
                    ("--rename", !self.rename.is_empty()),
                    ("--capacity", self.capacity.is_some()),
                    ("--no-create", self.no_create),
                    ("--etag-metadata", self.etag_metadata),
                    ("--in-doubt", self.in_doubt.is_some()),
                ];
                self.aws.given().filter(|option| *option != "--connections").chain(given(&own)).collect()
            }
            Destination::Aws(service) => given(&[
                ("--method", self.method.is_some()),
                ("--max-bandwidth", self.max_bandwidth.is_some()),
                ("--max-latency", self.max_latency.is_some()),
                ("--into-db", self.into_db.is_some()),
                ("--replace-first", self.replace_first),
                ("--wait-replicas", self.wait_replicas.is_some()),
                ("--nan", self.nan != NanRule::Lose),
                ("--rename-prefix", !self.rename_prefix.is_empty()),
                ("--shift-expiry", self.shift_expiry),
                ("--require-empty", self.require_empty),
                ("--allow-eviction", self.allow_eviction),
                ("--capacity", self.capacity.is_some() && *service != AwsService::DynamoDb),
                ("--no-create", self.no_create && *service == AwsService::DynamoDb),
                ("--etag-metadata", self.etag_metadata && *service != AwsService::S3),
                ("--in-doubt", self.in_doubt.is_some() && *service != AwsService::Sqs),
            ]),
        }
    }
}

const COMPARE_AFTER_HELP: &str = "\
Examples:
  ekv-backup compare dump redis://127.0.0.1:6379
  ekv-backup compare snapshot.fsm redis://127.0.0.1:6379 --prefix user: --json
  ekv-backup compare dump redis://127.0.0.1 --rename-prefix user:=restored:user: -q && echo the same
  ekv-backup compare dump dynamodb: --region eu-central-1 --table users --rename users=users-restored
  ekv-backup compare dump s3: --bucket photos --deep

Marks: + only the target has it, - only the backup has it, ~ another value, E another
expiry only, T another type, M another table. The names are those on the target.";

/// Compare a backup with what a running service has: Redis, Valkey, DynamoDB, S3, SQS.
///
/// Every selected key of both is read; type, value and expiry count. No difference are: keys that have expired meanwhile, collections without elements, the
/// sign of a zero score, and how a HyperLogLog is stored, as long as its registers are the same. What is read of a server is not one moment: keys that
/// clients change meanwhile may be told. Exit code 0: the same; 6: they differ.
#[derive(Clone, Debug, Args)]
#[command(after_help = COMPARE_AFTER_HELP, after_long_help = with_names(COMPARE_AFTER_HELP))]
pub(crate) struct CompareArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(crate) target: Destination,
    #[command(flatten)]
    pub(crate) aws: AwsArguments,
    /// A table, bucket or queue is called otherwise there: --rename users=users-restored; may be given more than once
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename, help_heading = "What is selected")]
    pub(crate) rename: Vec<(String, String)>,
    /// Read every object back, and compare content, type and metadata (s3:)
    #[arg(long, help_heading = "How it is told")]
    pub(crate) deep: bool,
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

impl CompareArguments {
    /// Options that were given and say nothing about the target.
    pub(crate) fn misplaced(&self) -> Vec<&'static str> {
        match &self.target {
            Destination::Redis(_) => {
                let rename = (!self.rename.is_empty()).then_some("--rename");
                self.aws.given().chain(rename).chain(self.deep.then_some("--deep")).collect()
            }
            Destination::Aws(_) => (!self.rename_prefix.is_empty()).then_some("--rename-prefix").into_iter().collect(),
        }
    }
}
