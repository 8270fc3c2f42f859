//! `get`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{CacheArguments, CheckingArguments, ExpiredRule, ReadArguments, SOURCE_HELP, non_empty_text, with_names};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup get snapshot.fsm user:1                            a Redis string: its bytes, and nothing else
  ekv-backup get snapshot.fsm s3:photos/2026/a%20b.jpg -o a.jpg
  ekv-backup get dump.tar.zst dynamodb:orders/c%2F1/17.5 | jq .
  ekv-backup get snapshot.fsm sqs:jobs.fifo/                    the messages of a queue, line by line
  ekv-backup get snapshot.fsm fs:0/etc/hosts -o hosts           a file; holes stay holes
  ekv-backup get snapshot.fsm redis:0/cart:7 --json             with type, size, expiry and commit time
  ekv-backup get /var/lib/elastickv/n1 user:1 --at 2026-11-22T15:33:50Z

`ls` prints addresses.";

/// Print one key, item, object, message or file of a backup.
///
/// A string, an object or a file is its bytes; a collection, an item, a message or a directory is the JSON that a dump has of it. An address that names nothing, or a
/// key that has expired, ends with exit code 6 and prints nothing; a value that is damaged with 2.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct GetArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    /// What is printed: redis:0/user:1 (or user:1), dynamodb:TABLE/HASH/RANGE, s3:BUCKET/KEY, sqs:QUEUE/ID, fs:0/PATH
    #[arg(value_name = "ADDRESS", value_parser = non_empty_text())]
    pub(crate) address: OsString,
    /// The address has no escapes: % is a percent sign
    #[arg(long, help_heading = "What is selected")]
    pub(crate) raw_names: bool,
    /// What happens to a Redis key that had expired at the moment that is read
    #[arg(long, value_name = "RULE", value_enum, default_value_t = ExpiredRule::Drop, help_heading = "What is selected")]
    pub(crate) expired: ExpiredRule,
    /// Write into a new file, which is there as a whole or not at all
    #[arg(long, short, value_name = "FILE", help_heading = "How it is written")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
    #[command(flatten)]
    pub(crate) checking: CheckingArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}
