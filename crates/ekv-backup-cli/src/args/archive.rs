//! Options of archives, and of `pack` and `unpack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::DEFAULT_EXPANSION_MAX;

use super::bytes::parse_bytes;
use super::{AdapterList, AdapterParser, FirstArguments, FsyncRule, ScopeArguments, parse_some_adapters, with_names};

const PACK_AFTER_HELP: &str = "\
Examples:
  ekv-backup pack dump dump.tar.zst
  ekv-backup pack dump - | ssh HOST 'cat > dump.tar.zst'
  ekv-backup pack dump dump.tar                      not compressed
  ekv-backup pack dump users.tar.zst --prefix user: --type hash
  ekv-backup pack dump part.tar.zst s3:photos/2026/a.jpg dynamodb:orders/

Equal dumps give equal bytes. tar and zstd read the result; an index behind it
lets ekv-backup find one file without reading all of it. A part of a dump is a
dump of its own: its manifest says that, and of which moment it is.";

const UNPACK_AFTER_HELP: &str = "\
Examples:
  ekv-backup unpack dump.tar.zst dump
  ssh HOST cat dump.tar.zst | ekv-backup unpack - dump
  ekv-backup unpack dump.tar.zst orders dynamodb:orders/

verify, encode and restore read archives as they are.";

/// Pack a dump into one file: tar, compressed with zstd or not.
///
/// Every file is compared with CHECKSUMS while it is packed, and the structure of the dump is checked as `verify` does. If anything is
/// wrong, there is no archive; one on standard output then has no end, which every reader notices. Exit code 5 means that the dump was
/// packed as it is, but was written with losses.
///
/// With filters a part of it is packed, as a dump of its own. Only files in which something may be selected are read and compared then, and
/// written anew; of the others it is checked that they are there. What no server restores (orphans, uploads that were not completed, records of no
/// adapter) stays in the whole dump.
#[derive(Clone, Debug, Args)]
#[command(after_help = PACK_AFTER_HELP, after_long_help = with_names(PACK_AFTER_HELP))]
pub(crate) struct PackArguments {
    /// The dump: a directory
    #[arg(value_name = "DUMP", required_unless_present = "input", conflicts_with_all = ["input", "output"])]
    pub(crate) dump: Option<PathBuf>,
    /// Archive to create, or - for standard output
    #[arg(value_name = "ARCHIVE", required_unless_present = "output", conflicts_with_all = ["input", "output"])]
    pub(crate) archive: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) part: PartArguments,
    #[command(flatten)]
    pub(crate) compression: CompressionArguments,
    /// Replace an existing ARCHIVE, which must be a regular file outside of DUMP
    #[arg(long)]
    pub(crate) force: bool,
    /// What is brought to stable storage before the archive gets its name: full and file, the archive; none, nothing
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full)]
    pub(crate) fsync: FsyncRule,
    /// Make every check and say what would be written, but create nothing
    ///
    /// Everything is read and checked, and the report and the exit code are those of a run without it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of ARCHIVE
    #[arg(long)]
    pub(crate) parents: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// DUMP, as scripts for the reference tool name it
    #[arg(long, value_name = "DIR", help_heading = "Names of the reference tool", requires = "output")]
    pub(crate) input: Option<PathBuf>,
    /// ARCHIVE, as scripts for the reference tool name it
    #[arg(long, value_name = "FILE", help_heading = "Names of the reference tool", requires = "input")]
    pub(crate) output: Option<PathBuf>,
}

/// Unpack an archive into a dump: a directory of plain files.
///
/// Nothing in the archive is trusted: names that lead elsewhere, links, devices and lies about sizes are refused, and every file is
/// compared with CHECKSUMS while it is unpacked. If anything is wrong, nothing is left. Modes and owners in the archive are ignored.
/// Exit code 5 means that the dump was unpacked as it is, but was written with losses.
///
/// With filters a part of it is unpacked, as a dump of its own; see `ekv-backup help pack`.
#[derive(Clone, Debug, Args)]
#[command(after_help = UNPACK_AFTER_HELP, after_long_help = with_names(UNPACK_AFTER_HELP))]
pub(crate) struct UnpackArguments {
    /// The archive, or - for standard input; its first bytes tell whether it is compressed
    #[arg(value_name = "ARCHIVE", required_unless_present = "input", conflicts_with_all = ["input", "output"])]
    pub(crate) archive: Option<PathBuf>,
    /// Directory to create; its parent must exist
    #[arg(value_name = "DUMP", required_unless_present = "output", conflicts_with_all = ["input", "output"])]
    pub(crate) dump: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) part: PartArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
    /// Replace an existing dump that holds nothing else, or an empty directory; not one that holds ARCHIVE
    #[arg(long)]
    pub(crate) force: bool,
    /// What is brought to stable storage before the dump gets its name (see `ekv-backup help decode`)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full)]
    pub(crate) fsync: FsyncRule,
    /// Make every check and say what would be written, but create nothing
    ///
    /// Everything is read and checked, and the report and the exit code are those of a run without it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of DUMP
    #[arg(long)]
    pub(crate) parents: bool,

    /// ARCHIVE, as scripts for the reference tool name it
    #[arg(long, value_name = "FILE", help_heading = "Names of the reference tool", requires = "output")]
    pub(crate) input: Option<PathBuf>,
    /// DUMP, as scripts for the reference tool name it
    #[arg(long, value_name = "DIR", help_heading = "Names of the reference tool", requires = "input")]
    pub(crate) output: Option<PathBuf>,
    /// Accepted and without effect: the first bytes of the archive tell
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Names of the reference tool")]
    pub(crate) compression: Option<CompressionRule>,
}

/// What of a dump is copied.
#[derive(Clone, Debug, Args)]
pub(crate) struct PartArguments {
    /// Adapters whose data is copied: dynamodb, s3, redis, sqs, fs; comma-separated [default: all that the dump holds]
    #[arg(long, value_name = "LIST", value_parser = AdapterParser(parse_some_adapters), hide_possible_values = true,
        help_heading = "What is selected")]
    pub(crate) adapter: Option<AdapterList>,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    /// Make a copy of nothing where nothing is selected
    ///
    /// Without it such a run ends with exit code 6, and nothing is published: an empty backup would look like a good one.
    #[arg(long, help_heading = "What is selected")]
    pub(crate) allow_empty: bool,
}

/// What lies around a tar.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompressionArguments {
    /// Compression of the archive [default: by its name, .tar or .tar.zst]
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Archives")]
    pub(crate) compression: Option<CompressionRule>,
    /// Level of zstd: 1 is the fastest, 19 the smallest [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=19),
        help_heading = "Archives")]
    pub(crate) level: Option<u8>,
}

/// What reading may take.
#[derive(Clone, Debug, Args)]
pub(crate) struct LimitArguments {
    /// Refuse an input with more entries [default: 50000000 in an archive, any number elsewhere]
    ///
    /// They are the entries of a snapshot, or the files and directories of a dump, those counted that an archive only implies.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) max_entries: Option<u64>,
    /// Refuse an input with more bytes; K, M, G and T count in powers of 1024 [default: 4T in an archive or a stream]
    ///
    /// They are those of a snapshot when it is decompressed, or of all files of a dump.
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Limits")]
    pub(crate) max_bytes: Option<u64>,
    /// Refuse compressed input that grows to more than N times its size
    ///
    /// Real data stay far below the default, unless most of it is the same byte; zstd reaches about 32000. What grows to less than 16 MiB is
    /// never refused.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_EXPANSION_MAX, help_heading = "Limits")]
    pub(crate) max_expansion: u64,
    /// Directory for scratch files [default: that of TMPDIR to read, a private one beside the output to write]
    ///
    /// Streams and compressed snapshots are copied there, and what must be sorted and does not fit into memory. The files have no names and
    /// vanish with the program, however it ends.
    #[arg(long, value_name = "DIR", help_heading = "Limits")]
    pub(crate) scratch_dir: Option<PathBuf>,
}

/// See [`ekv_backup::Compression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionRule {
    /// Compressed
    Zstd,
    /// Plain tar
    None,
}
