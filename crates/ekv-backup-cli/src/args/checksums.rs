//! Options of `checksums`.

use std::path::PathBuf;

use clap::Args;

use super::{FsyncRule, LimitArguments, with_exit_codes};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup checksums dump --dry-run               how much was edited?
  ekv-backup checksums dump";

/// Bring CHECKSUMS of a dump up to date after it was edited by hand.
///
/// Files may have been changed, added and removed. All other checks of `verify` are made first: what has no meaning in its place, a
/// sidecar line without its file or a manifest that lists what is not there is refused, and nothing is written. A CHECKSUMS that was
/// removed is written anew. What the files hold is not read, sidecars, MANIFEST.json and LOSSES.jsonl aside: JSON that is malformed, or a value that
/// does not fit its key, is found by `encode`. Whoever runs this says that the files are right as they are: run `verify` before the first edit.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_exit_codes(AFTER_HELP))]
pub(crate) struct ChecksumsArguments {
    /// The dump
    #[arg(value_name = "DUMP", required_unless_present = "input", conflicts_with = "input")]
    pub(crate) dump: Option<PathBuf>,
    /// DUMP, as an option
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) input: Option<PathBuf>,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What is brought to stable storage: full and file, the new CHECKSUMS; none, nothing
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full)]
    pub(crate) fsync: FsyncRule,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}
