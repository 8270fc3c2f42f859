//! Options of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::leave::BackLengths;

use super::{
    AdapterList, AdapterParser, FirstArguments, FsyncRule, ReadArguments, SOURCE_HELP, ScopeArguments,
    parse_some_adapters, with_names,
};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup export snapshot.fsm dump.rdb            all Redis keys, for Redis or Valkey to load
  ekv-backup export dump.tar.zst part.rdb --prefix user: --exclude '*:tmp'
  ekv-backup export dump - --format rdb | ssh host 'cat > /var/lib/redis/dump.rdb'
  ekv-backup export old.rdb new.rdb redis:3/ --to-db 3=0
  ekv-backup export dump - --format resp | redis-cli -h HOST --pipe
  ekv-backup export snapshot.fsm tables --format dynamodb-import --s3 s3://my-bucket/moved
  ekv-backup export dump.tar.zst tables --format dynamodb-import --table users --rename users=users-restored
  aws s3 cp tables s3://my-bucket/moved --recursive --exclude '*/import-table.json'
  aws dynamodb import-table --cli-input-json file://tables/users/import-table.json

dynamodb-import: a directory for each table, with its items in data files and, in
import-table.json, what makes a table of them: DynamoDB creates it and reads the
files itself, without write capacity. What DynamoDB does not take stays behind and
is told by kind (exit code 5); --strict makes that an error.

rdb: the Redis keys, as a file that Redis from 5 on and Valkey load when they
start: stop the server, put the file where CONFIG GET dir and dbfilename say, with
appendonly off, and start it; redis-check-rdb checks it. Keys that had expired at
the moment of the backup stay behind. HyperLogLogs become what PFADD would have made
of their members. The same keys are always the same bytes.

resp: the same keys as a RESTORE command each, for redis-cli --pipe and a server
that runs, Redis from 5 on or Valkey, where load cannot be used; no cluster. A key
that the server has is refused by it, unless --replace is given; redis-cli says how
many were. The server does nothing else while it takes a large key: some 10 ms for
each MB.";

/// Make files of other stores of a backup: tables for DynamoDB to import, a file for Redis or Valkey to load, commands for redis-cli.
///
/// The source may be a snapshot, a node, a dump, an archive, an RDB file or a running server; filters select a part of it. TARGET is there as a whole or not at all. The source
/// is not changed.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct ExportArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    /// What is made; its parent must exist; - for an RDB file or commands to standard output
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    /// What TARGET is; without it its ending says so: .rdb, .resp
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "What is written")]
    pub(crate) format: Option<FormatRule>,
    /// Call a table otherwise: --rename users=users-restored; may be given more than once
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename, help_heading = "What is written")]
    pub(crate) rename: Vec<(String, String)>,
    /// Where the files will be uploaded to, for import-table.json: s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", value_parser = parse_place, help_heading = "What is written")]
    pub(crate) s3: Option<(String, String)>,
    /// How data files are compressed; emulators of DynamoDB want none
    #[arg(long, value_name = "HOW", value_enum, default_value_t = super::CompressionRule::Zstd, help_heading = "What is written")]
    pub(crate) compression: super::CompressionRule,
    /// Make whatever stays behind, or was lost before, an error; nothing is published then
    #[arg(long, help_heading = "What is written")]
    pub(crate) strict: bool,
    /// Replace an existing TARGET that is an empty directory, or of an RDB file a regular file
    #[arg(long, help_heading = "How it is written")]
    pub(crate) force: bool,
    /// Make every check and say what would be written, but create nothing
    #[arg(long, help_heading = "How it is written")]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of TARGET
    #[arg(long, help_heading = "How it is written")]
    pub(crate) parents: bool,
    /// What is brought to stable storage before TARGET gets its name (see `ekv-backup help decode`)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full, help_heading = "How it is written")]
    pub(crate) fsync: FsyncRule,
    /// Write keys that had expired, too: a server drops them when it loads the file, a replica or a reader of the file does not
    #[arg(long, help_heading = "What becomes of keys (rdb, resp)")]
    pub(crate) keep_expired: bool,
    /// Put all expiries off by the age of the backup, so that what was to live for another hour then does so now
    #[arg(long, conflicts_with = "keep_expired", help_heading = "What becomes of keys (rdb, resp)")]
    pub(crate) shift_expiry: bool,
    /// Write the keys of database FROM into database TO; may be repeated
    #[arg(long, value_name = "FROM=TO", value_parser = parse_databases, help_heading = "What becomes of keys (rdb, resp)")]
    pub(crate) to_db: Vec<(u32, u32)>,
    /// Replace keys that the server has (resp); without it the server refuses them, and redis-cli counts that as errors
    #[arg(long, help_heading = "What becomes of keys (rdb, resp)")]
    pub(crate) replace: bool,
    /// The servers that will load the file, where they differ (rdb): streams with a text of 16378, 2097146 or 268435450 bytes
    #[arg(long, value_name = "SERVER", value_enum, default_value_t = ServerRule::Redis, help_heading = "What becomes of keys (rdb, resp)")]
    pub(crate) server: ServerRule,
    /// Adapters whose data leaves: dynamodb, s3, redis, sqs; comma-separated [default: those that the format has]
    #[arg(long, value_name = "LIST", value_parser = AdapterParser(parse_some_adapters), hide_possible_values = true,
        help_heading = "What is selected")]
    pub(crate) adapter: Option<AdapterList>,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatRule {
    /// Files that DynamoDB imports
    DynamodbImport,
    /// A file that Redis and Valkey load when they start
    Rdb,
    /// Commands for redis-cli --pipe
    Resp,
}

/// See [`BackLengths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServerRule {
    /// Redis, and Valkey up to 8
    Redis,
    /// Valkey from 9 on
    Valkey9,
}

impl From<ServerRule> for BackLengths {
    fn from(rule: ServerRule) -> Self {
        match rule {
            ServerRule::Redis => BackLengths::Redis,
            ServerRule::Valkey9 => BackLengths::Valkey9,
        }
    }
}

fn parse_databases(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('=').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let is_known = |(_, to): &(u32, u32)| *to < 16;
    numbers
        .filter(is_known)
        .ok_or_else(|| "expected two numbers of databases, the second below 16, as in 3=0".to_owned())
}

pub(super) fn parse_rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("expected OLD=NEW".to_owned()),
    }
}

fn parse_place(text: &str) -> Result<(String, String), String> {
    let place = text.strip_prefix("s3://").filter(|place| !place.is_empty());
    let (bucket, prefix) =
        place.map(|place| place.split_once('/').unwrap_or((place, ""))).ok_or("expected s3://BUCKET/PREFIX")?;
    if bucket.is_empty() {
        Err("expected s3://BUCKET/PREFIX".to_owned())
    } else {
        Ok((bucket.to_owned(), prefix.to_owned()))
    }
}
