//! Options of `report`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use ekv_backup::see::ReportOptions;

use super::{AdapterList, AdapterParser, ReadArguments, SOURCE_HELP, ScopeArguments, parse_adapters, with_names};

const REPORT_AFTER_HELP: &str = "\
Examples:
  ekv-backup report /var/lib/elastickv/n1            a node: its newest valid snapshots
  ekv-backup report dump.tar.zst --depth 2           an archive, or a dump
  ekv-backup report snapshot.fsm --html report.html  a page for a browser
  ekv-backup report snapshot.fsm --adapter redis --type hash --top 100
  ekv-backup report snapshot.fsm --json | jq '.biggest[].address'

What takes the space, what expires when, what is overwritten all the time? All
numbers but p50, p90 and p99 are exact; those are within 1.6 %.";

/// Tell what a snapshot or a dump consists of: sizes, prefixes, the biggest keys, expiry, versions.
///
/// Sizes are payload: values and the names in them, of a DynamoDB item what DynamoDB counts. Of a snapshot everything retained is looked at as well:
/// what compaction would free, what is overwritten most, when it was committed; a dump holds one version of everything. The data are read
/// once, a snapshot twice; memory does not grow with them. Nothing is written but the page of --html.
#[derive(Clone, Debug, Args)]
#[command(after_help = REPORT_AFTER_HELP, after_long_help = with_names(REPORT_AFTER_HELP))]
pub(crate) struct ReportArguments {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub(crate) source: PathBuf,
    /// Write a page for a browser: one file that needs no network, and works without scripts
    ///
    /// FILE is there as a whole or not at all, and is readable for you alone: it shows names of keys.
    #[arg(long, value_name = "FILE", help_heading = "What is told")]
    pub(crate) html: Option<PathBuf>,
    /// Replace an existing FILE of --html, which must be a regular file
    #[arg(long, requires = "html", help_heading = "What is told")]
    pub(crate) force: bool,
    /// Rows of each list, and nodes of the tree of prefixes; at most 1000
    #[arg(long, value_name = "N", default_value_t = ReportOptions::TOP, value_parser = parse_top, help_heading = "What is told")]
    pub(crate) top: usize,
    /// Levels of the tree of prefixes; 0: tables, buckets, queues and databases only
    #[arg(long, value_name = "D", default_value_t = ReportOptions::DEPTH, value_parser = parse_depth, help_heading = "What is told")]
    pub(crate) depth: usize,
    /// Bytes that end a level of the tree of prefixes, such as ':/#|'
    ///
    /// Between hash and range key of a DynamoDB item there is a slash; one inside of them separates nothing.
    #[arg(long, value_name = "BYTES", default_value = ReportOptions::SEPARATORS, help_heading = "What is told")]
    pub(crate) separators: OsString,
    /// Adapters whose data is looked at: dynamodb, s3, redis, sqs, fs, or all; comma-separated
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = AdapterParser(parse_adapters),
        hide_possible_values = true, help_heading = "What is selected")]
    pub(crate) adapter: AdapterList,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
}

fn parse_top(text: &str) -> Result<usize, String> {
    parse_number(text, ReportOptions::TOP_MAX)
}

fn parse_depth(text: &str) -> Result<usize, String> {
    parse_number(text, ReportOptions::DEPTH_MAX)
}

fn parse_number(text: &str, max: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| format!("expected a number from 0 to {max}"))
}
