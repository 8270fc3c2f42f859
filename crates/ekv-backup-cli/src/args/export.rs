//! Options of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    AdapterList, AdapterParser, FirstArguments, FsyncRule, ReadArguments, ScopeArguments, parse_some_adapters,
    with_names,
};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup export snapshot.fsm tables --format dynamodb-import --s3 s3://my-bucket/moved
  ekv-backup export dump.tar.zst tables --format dynamodb-import --table users --rename users=users-restored
  aws s3 cp tables s3://my-bucket/moved --recursive --exclude '*/import-table.json'
  aws dynamodb import-table --cli-input-json file://tables/users/import-table.json

dynamodb-import: a directory for each table, with its items in data files and, in
import-table.json, what makes a table of them: DynamoDB creates it and reads the
files itself, without write capacity. What DynamoDB does not take stays behind and
is told by kind (exit code 5); --strict makes that an error.";

/// Make files of other stores of a backup: tables for DynamoDB to import.
///
/// The source may be a snapshot, a node, a dump or an archive; filters select a part of it. TARGET is there as a whole or not at all. The source
/// is not changed.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct ExportArguments {
    /// Snapshot file (.fsm, also compressed with zstd), data directory of a node, dump, archive of one, or - for standard input
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PathBuf,
    /// What is made; its parent must exist
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    /// What TARGET is
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "What is written")]
    pub(crate) format: FormatRule,
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
    /// Replace an existing TARGET that is an empty directory
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
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
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
