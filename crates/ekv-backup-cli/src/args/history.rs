//! `history`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{CacheArguments, SnapshotArguments, non_empty_text, with_names};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup history snapshot.fsm user:1
  ekv-backup history /var/lib/elastickv/n1 dynamodb:orders/c%2F1/17.5 --json
  ekv-backup history snapshot.fsm s3:photos/2026/a%20b.jpg
  ekv-backup history snapshot.fsm sqs:jobs.fifo/               the settings of a queue

`get --at hlc:NUMBER` prints what it was then.";

/// Print every retained version of one thing, the newest first.
///
/// A line for each commit that concerns it: when, and what a reader saw from then on. A server drops overwritten versions after a while; the last line
/// says how far back they are kept. If no version is there, the exit code is 6.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct HistoryArguments {
    /// Snapshot (.fsm, also compressed), data directory of a node, offload store, or - for standard input; a dump has no older versions
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PathBuf,
    /// What it is about: redis:0/user:1 (or user:1), dynamodb:TABLE/HASH/RANGE, s3:BUCKET/KEY, sqs:QUEUE/ID, fs:0/PATH, dynamodb:TABLE/
    #[arg(value_name = "ADDRESS", value_parser = non_empty_text())]
    pub(crate) address: OsString,
    /// The address has no escapes: % is a percent sign
    #[arg(long, help_heading = "What is selected")]
    pub(crate) raw_names: bool,
    #[command(flatten)]
    pub(crate) cache: CacheArguments,
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArguments,
}
