//! Options of `encode`, and those that say what is read of a dump.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use ekv_backup::Error;

use super::{
    AdapterList, AdapterParser, FirstArguments, FsyncRule, LimitArguments, ScopeArguments, parse_bool,
    parse_some_adapters, source_and_target, with_names,
};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup encode dump restored.fsm               the whole dump
  ekv-backup encode dump users.fsm --adapter redis --prefix user:
  ekv-backup encode dump part.fsm s3:photos/2026/a%20b.jpg dynamodb:orders/
  ekv-backup encode --fs-from-tar site.tar files.fsm   files of any tar archive
  ekv-backup prepare-restore restored.fsm /var/lib/elastickv/n1 \\
      --peers n1=10.0.0.1:50051 --fresh-cluster     make a node of it

SNAPSHOT.encode_info.json, which prepare-restore needs, is written beside
SNAPSHOT; both appear together or not at all. `ekv-backup restore` does both
steps at once.

A dump may be edited by hand. Then bring CHECKSUMS up to date first:
  ekv-backup checksums dump
Every file is compared with CHECKSUMS while it is read; what has no meaning is
refused with its file and line.";

/// Turn a dump into a payload that a new cluster can begin with.
///
/// The dump is compared with its CHECKSUMS while it is read. The payload is then decoded again and compared with the dump, byte for
/// byte, before it gets its name. Same dump and timestamp: same bytes.
///
/// What no server restores is left out and named, and the exit code is 5: see --strict.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct EncodeArguments {
    /// The dump: a directory, an archive, or - for an archive on standard input; or an RDB file of Redis or Valkey
    #[arg(value_name = "DUMP", required_unless_present_any = ["input", "fs_from_tar"],
        conflicts_with_all = ["input", "output"])]
    pub(crate) dump: Option<PathBuf>,
    /// Payload to create; its directory must exist, or see --parents
    #[arg(value_name = "SNAPSHOT", required_unless_present_any = ["output", "fs_from_tar"],
        conflicts_with_all = ["input", "output"])]
    pub(crate) snapshot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) read: DumpReadArguments,

    /// What surrounds the payload
    ///
    /// payload: nothing, as the reference tools take it. file: header and checksum of a server's snapshot file; decode and
    /// prepare-restore of this program take either.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = FormRule::Payload, help_heading = "How it is written")]
    pub(crate) form: FormRule,
    /// Make every check and say what would be written, but create nothing
    ///
    /// The payload is made, decoded again and compared all the same, in scratch space (see --scratch-dir), so that the report and the exit code are
    /// those of a run without it.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of SNAPSHOT
    #[arg(long, help_heading = "How it is written")]
    pub(crate) parents: bool,
    /// Do not decode the payload again and compare it with the dump
    ///
    /// prepare-restore then asks for --allow-unverified-self-test.
    #[arg(long, conflicts_with = "self_test", help_heading = "How it is written")]
    pub(crate) no_self_test: bool,
    /// Replace an existing SNAPSHOT and its info file, which must be regular files and not what is read
    #[arg(long, help_heading = "How it is written")]
    pub(crate) force: bool,
    /// What is brought to stable storage before the payload gets its name
    ///
    /// full and file: payload and info file. none: nothing; they may be lost with the power.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full, help_heading = "How it is written")]
    pub(crate) fsync: FsyncRule,

    /// DUMP, as scripts for the reference tool name it
    #[arg(long, value_name = "DIR", help_heading = "Names of the reference tool", requires = "output")]
    pub(crate) input: Option<PathBuf>,
    /// SNAPSHOT, as scripts for the reference tool name it
    #[arg(long, value_name = "FILE", help_heading = "Names of the reference tool")]
    pub(crate) output: Option<PathBuf>,
    /// The default: decode the payload again and compare; =false is --no-self-test
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = parse_bool, help_heading = "Names of the reference tool")]
    pub(crate) self_test: Option<bool>,
    /// Accepted and without effect: scratch files lie beside SNAPSHOT and have no names
    #[arg(long, value_name = "DIR", help_heading = "Names of the reference tool")]
    pub(crate) scratch_root: Option<PathBuf>,
}

impl EncodeArguments {
    /// What is read, and the payload to be made.
    pub(crate) fn source_and_target(&self) -> Result<(&Path, &Path), Error> {
        let by_option = self.input.is_some() || self.output.is_some();
        let names = if by_option { [&self.input, &self.output] } else { [&self.dump, &self.snapshot] };
        source_and_target(&self.read.fs_from_tar, names)
    }

    pub(crate) fn target(&self) -> Option<&Path> {
        self.source_and_target().ok().map(|(_, target)| target)
    }
}

/// What is read of a dump, and how it is encoded.
#[derive(Clone, Debug, Args)]
pub(crate) struct DumpReadArguments {
    /// Adapters whose files are encoded: dynamodb, s3, redis, sqs, fs; comma-separated [default: all that the dump holds]
    #[arg(long, value_name = "LIST", value_parser = AdapterParser(parse_some_adapters), hide_possible_values = true,
        help_heading = "What is encoded")]
    pub(crate) adapter: Option<AdapterList>,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    /// Commit timestamp of all records, decimal or 0x and hex [default: that of the dump]
    ///
    /// The clock of the new cluster begins there. A timestamp below that of the dump is refused.
    #[arg(long, value_name = "TS", value_parser = parse_timestamp, help_heading = "What is encoded")]
    pub(crate) last_commit_ts: Option<u64>,
    /// Accept a timestamp that is more than a day newer than this machine's clock
    ///
    /// The new node's clock goes on from it, and never back.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) allow_future_timestamps: bool,
    /// Go on with a dump that lacks something: that was written by a decode with exit code 5
    ///
    /// Without it such a dump is refused before any work, and the first things that are missing are listed. What is accepted here is no
    /// warning for --strict, and the exit code is 0.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) accept_losses: bool,
    /// Go on where nothing is selected, or the dump holds no data
    ///
    /// Without it such a run ends with exit code 6, and nothing is published: a typo would make an empty cluster.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) allow_empty: bool,
    /// Make every warning an error; nothing is published then
    ///
    /// Without it, what no server restores is left out, such as a key of more than 1 MiB: the exit code is 5, each is named in the list
    /// `lost` of --json, and the first hundred on standard error. With it they are named, and refused.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) strict: bool,
    /// Write the records of the reference encoder, also where a server would have stored others
    ///
    /// It begins every SQS queue anew: generation, sequence numbers and deduplication windows are lost, and delayed messages count as
    /// visible. Without it records are those that the live server would have stored.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) reference_bytes: bool,
    /// Encode files of types that no known server has, as they are
    ///
    /// Without it they are left out and named: a server would show them as regular files.
    #[arg(long, help_heading = "What is encoded")]
    pub(crate) fs_keep_unknown_types: bool,
    /// Read a tar archive of files instead of a dump, such as tree.tar of a decode, and make a file system of it; - for standard input
    ///
    /// Any tar program may have made it. Files, directories and hard links are taken, with modes, owners, times and holes; names must be relative
    /// and without `..`. What no store can hold, such as symbolic links, is refused. Same archive, same payload: the commit timestamp is the newest
    /// time of a change in it, see --last-commit-ts.
    #[arg(long, value_name = "FILE", help_heading = "What is encoded")]
    pub(crate) fs_from_tar: Option<PathBuf>,
    /// Leave out what no store can hold of the archive: symbolic links, devices, pipes, what has extended attributes; it is counted
    #[arg(long, help_heading = "What is encoded", requires = "fs_from_tar")]
    pub(crate) fs_skip_unsupported: bool,
    /// Memory for sorting records, in MiB; what does not fit goes to scratch files
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536),
        help_heading = "How it is written")]
    pub(crate) sort_memory: u32,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

/// See [`ekv_backup::WrittenForm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormRule {
    /// The payload alone
    Payload,
    /// Header, payload and checksum
    File,
}

/// A plain decimal number, or hex digits behind `0x`.
fn parse_timestamp(text: &str) -> Result<u64, String> {
    let is_plain = |digits: &str| !digits.starts_with('+');
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if is_plain(hex) => u64::from_str_radix(hex, 16).ok(),
        None if is_plain(text) => text.parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| "expected a number below 2^64, decimal or hex behind 0x".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_decimal_or_hex_and_nothing_else() {
        assert_eq!(parse_timestamp("111411200000000007"), Ok(111_411_200_000_000_007));
        assert_eq!(parse_timestamp("0x18bcfe568000007"), Ok(0x018b_cfe5_6800_0007));
        assert_eq!(parse_timestamp("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "0x", "12zz", "-1", "+1", "0x+1", "18446744073709551616", "1e9", " 1", "ff"] {
            assert!(parse_timestamp(text).is_err(), "{text}");
        }
    }
}
