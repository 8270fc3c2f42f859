//! Options of commands that may read by a kept index, and `index`.

use std::path::PathBuf;

use clap::Args;

use super::{LimitArguments, with_exit_codes};

/// Whether an index is used and kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CacheArguments {
    /// Read the snapshot by the index that an earlier run kept, or keep one: the next run then takes milliseconds
    ///
    /// The index lies in $XDG_CACHE_HOME/ekv-backup, or ~/.cache/ekv-backup, readable for you alone: it holds beginnings of keys. It
    /// is used only while the snapshot is the same file, untouched since: device, inode, length, times of modification and change, checksum. Every
    /// block of 16 KiB that is read is compared with its checksum of the time when all of the file was checked; the rest is not read again. Without
    /// this option and the next one, that is done if standard output is a terminal and the snapshot has at least 64 MiB. A moment given with --at is
    /// read by an index by `get` only.
    #[arg(long, overrides_with = "no_cache", help_heading = "How it is read")]
    pub(crate) cache: bool,
    /// Read and check all of the snapshot, and keep nothing: the default where standard output is not a terminal
    #[arg(long, overrides_with = "cache", help_heading = "How it is read")]
    pub(crate) no_cache: bool,
    /// Say on standard error whether the snapshot was read by an index, and what that means
    #[arg(long, short, help_heading = "How it is read")]
    pub(crate) verbose: bool,
}

const AFTER_HELP: &str = "\
Examples:
  ekv-backup index snapshot.fsm
  ekv-backup index /var/lib/elastickv/n1            a snapshot of each group
  ekv-backup get snapshot.fsm user:1 --cache        by the index, in milliseconds

To be rid of all indexes, remove the directory in which they lie: a run without
one reads the snapshot.";

/// Check a snapshot, and keep an index of it, by which `get --cache`, `ls --cache`, `history --cache` and `diff --cache` read it.
///
/// All of the snapshot is read and checked, unless a sound index of it is there. An index has about a thousandth of the length of the snapshot
/// and lies in $XDG_CACHE_HOME/ekv-backup, or ~/.cache/ekv-backup, readable for you alone. None can be kept of what is compressed, has no
/// checksum, or has something odd about it that every run is to tell; the exit code is 1 then, and everything works without.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_exit_codes(AFTER_HELP))]
pub(crate) struct IndexArguments {
    /// Snapshot file (.fsm), or data directory of a node
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshot: PathBuf,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}
