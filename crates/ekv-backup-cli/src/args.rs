//! The command line: every option is declared here, once.

mod archive;
mod aws;
mod bytes;
mod cache;
mod checking;
mod checksums;
mod diff;
mod encode;
mod export;
mod get;
mod history;
mod keys;
mod list;
mod load;
mod offload;
mod prepare_restore;
mod report;
mod restore;
mod scope;
mod server;

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use ekv_backup::{Attempt, Class, Error, Protocol, ReadTime, Wanted, parse_age, shell};
use ekv_text::{Line, is_shown_as_it_is};

pub(crate) use archive::{
    CompressionArguments, CompressionRule, LimitArguments, PackArguments, PartArguments, UnpackArguments,
};
pub(crate) use aws::AwsArguments;
pub(crate) use cache::{CacheArguments, IndexArguments};
pub(crate) use checking::CheckingArguments;
pub(crate) use checksums::ChecksumsArguments;
pub(crate) use diff::DiffArguments;
pub(crate) use encode::{DumpReadArguments, EncodeArguments, FormRule};
pub(crate) use export::{ExportArguments, FormatRule as ExportFormatRule};
pub(crate) use get::GetArguments;
pub(crate) use history::HistoryArguments;
pub(crate) use keys::KeyArguments;
pub(crate) use list::ListArguments;
pub(crate) use load::{CompareArguments, LoadArguments, NanRule};
pub(crate) use offload::OffloadArguments;
pub(crate) use prepare_restore::{ClusterArguments, DurableRule, PrepareRestoreArguments};
pub(crate) use report::ReportArguments;
pub(crate) use restore::RestoreArguments;
pub(crate) use scope::{FirstArguments, ScopeArguments};
pub(crate) use server::ServerArguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
First steps:
  ekv-backup inspect snapshot.fsm            what is in it, and from when?
  ekv-backup report snapshot.fsm             what takes the space, what expires?
  ekv-backup ls snapshot.fsm                 every key, item, object and message
  ekv-backup get snapshot.fsm user:1         one of them
  ekv-backup decode snapshot.fsm dump        turn it into plain files
  ekv-backup verify dump                     is the dump whole?

And back:
  ekv-backup restore dump DATA_DIR --peers n1=HOST:PORT --fresh-cluster
                                             make a node of it
  ekv-backup load dump redis://HOST:PORT     or leave for Redis or Valkey

`ekv-backup help COMMAND` explains a command, its options and the exit codes.";

/// Turns elastickv snapshots into plain files that need no database to read.
#[derive(Debug, Parser)]
#[command(name = "ekv-backup", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArguments {
    /// Print the result as JSON on standard output, or on standard error if an archive goes to standard output; messages go to standard error
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print only errors, and what was lost or odd
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Colour and progress bar: on a terminal, always or never (NO_COLOR and TERM=dumb work, too)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, global = true, help_heading = "Output")]
    pub(crate) color: When,
}

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

// What a command does is said at its arguments: a text here would replace the longer one there.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "dump")]
    Decode(Box<DecodeArguments>),
    #[command(visible_alias = "check")]
    Verify(VerifyArguments),
    #[command(visible_alias = "info")]
    Inspect(Box<InspectArguments>),
    #[command(visible_alias = "list")]
    Ls(Box<ListArguments>),
    #[command(visible_alias = "cat")]
    Get(Box<GetArguments>),
    #[command(visible_alias = "versions")]
    History(Box<HistoryArguments>),
    Diff(Box<DiffArguments>),
    Report(Box<ReportArguments>),
    Index(IndexArguments),
    Export(Box<ExportArguments>),
    Checksums(ChecksumsArguments),
    Encode(Box<EncodeArguments>),
    Restore(Box<RestoreArguments>),
    Load(Box<LoadArguments>),
    Compare(Box<CompareArguments>),
    PrepareRestore(Box<PrepareRestoreArguments>),
    Pack(Box<PackArguments>),
    Unpack(Box<UnpackArguments>),
    Clean(CleanArguments),
    Completions(CompletionsArguments),
    #[command(visible_alias = "man")]
    Manual(ManualArguments),
    /// Print the version
    Version,
}

impl Command {
    /// What is read, and what it should be.
    pub(crate) fn input(&self) -> Option<(&Path, Wanted)> {
        match self {
            Command::Decode(decode) => Some((either(&decode.snapshot, &decode.input), Wanted::Snapshot)),
            Command::Inspect(inspect) => Some((&inspect.snapshot, Wanted::Snapshot)),
            Command::Ls(list) => Some((&list.source, Wanted::Source)),
            Command::Get(get) => Some((&get.source, Wanted::Source)),
            Command::History(history) => Some((&history.source, Wanted::Source)),
            Command::Diff(diff) => Some((&diff.first, Wanted::Source)),
            Command::Report(report) => Some((&report.source, Wanted::Source)),
            Command::Index(index) => Some((&index.snapshot, Wanted::Snapshot)),
            Command::Load(load) => Some((&load.source, Wanted::Source)),
            Command::Export(export) => Some((&export.source, Wanted::Source)),
            Command::Compare(compare) => Some((&compare.source, Wanted::Source)),
            Command::Verify(verify) => Some((either(&verify.dump, &verify.input), Wanted::Dump)),
            // An archive of files is judged by whoever reads it.
            Command::Encode(encode) if encode.read.fs_from_tar.is_some() => None,
            Command::Restore(restore) if restore.read.fs_from_tar.is_some() || restore.from_store.is_some() => None,
            Command::Encode(encode) => Some((either(&encode.dump, &encode.input), Wanted::Dump)),
            Command::Restore(restore) => Some((either(&restore.dump, &None), Wanted::Dump)),
            Command::Unpack(unpack) => Some((either(&unpack.archive, &unpack.input), Wanted::Dump)),
            Command::Pack(pack) => Some((either(&pack.dump, &pack.input), Wanted::DumpDirectory)),
            Command::Checksums(checksums) => Some((either(&checksums.dump, &checksums.input), Wanted::DumpDirectory)),
            Command::PrepareRestore(prepare) => Some((either(&prepare.snapshot, &prepare.input), Wanted::Payload)),
            Command::Clean(_) | Command::Completions(_) | Command::Manual(_) | Command::Version => None,
        }
    }
}

impl Command {
    /// How snapshots, and what else is a source, are read.
    fn reading(&self) -> Option<&SnapshotArguments> {
        Some(match self {
            Command::Decode(decode) => &decode.read.snapshot,
            Command::Inspect(inspect) => &inspect.read.snapshot,
            Command::Ls(list) => &list.read.snapshot,
            Command::Get(get) => &get.read.snapshot,
            Command::History(history) => &history.snapshot,
            Command::Diff(diff) => &diff.snapshot,
            Command::Report(report) => &report.read.snapshot,
            Command::Load(load) => &load.read.snapshot,
            Command::Compare(compare) => &compare.read.snapshot,
            Command::Export(export) => &export.read.snapshot,
            _ => return None,
        })
    }

    /// How running servers are reached.
    pub(crate) fn server(&self) -> Option<&ServerArguments> {
        self.reading().map(|snapshot| &snapshot.server)
    }

    /// Its name on the command line.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Command::Decode(_) => "decode",
            Command::Verify(_) => "verify",
            Command::Inspect(_) => "inspect",
            Command::Ls(_) => "ls",
            Command::Get(_) => "get",
            Command::History(_) => "history",
            Command::Diff(_) => "diff",
            Command::Report(_) => "report",
            Command::Index(_) => "index",
            Command::Export(_) => "export",
            Command::Checksums(_) => "checksums",
            Command::Encode(_) => "encode",
            Command::Restore(_) => "restore",
            Command::Load(_) => "load",
            Command::Compare(_) => "compare",
            Command::PrepareRestore(_) => "prepare-restore",
            Command::Pack(_) => "pack",
            Command::Unpack(_) => "unpack",
            Command::Clean(_) => "clean",
            Command::Completions(_) => "completions",
            Command::Manual(_) => "manual",
            Command::Version => "version",
        }
    }

    /// What is attempted, for advice when it fails.
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        let requires_checksum = self.reading().is_some_and(|snapshot| snapshot.require_checksum);
        let checksum_option = requires_checksum.then_some("--require-checksum");
        let attempt = Attempt { input: self.input().map(|(input, _)| input), checksum_option, ..Attempt::default() };
        match self {
            Command::Decode(decode) => Attempt {
                target: Some(either(&decode.dump, &decode.output)),
                force: Some("a dump or an empty directory, or one archive by another"),
                has_parents: true,
                checksum_option: checksum_option.or(decode.strict.then_some("--strict")),
                ..attempt
            },
            Command::Get(get) => Attempt { target: get.output.as_deref(), ..attempt },
            Command::Report(report) => {
                Attempt { target: report.html.as_deref(), force: Some("a page, or another regular file"), ..attempt }
            }
            Command::Export(export) => Attempt {
                target: Some(&export.target),
                force: Some("an empty directory, or an RDB file by another"),
                has_parents: true,
                checksum_option: checksum_option.or(export.strict.then_some("--strict")),
                ..attempt
            },
            Command::Encode(encode) => Attempt {
                target: encode.target(),
                force: Some("a payload and its info file"),
                has_parents: true,
                reads_edited: true,
                ..attempt
            },
            Command::Restore(restore) => {
                Attempt { target: restore.target(), reads_edited: true, has_parents: true, ..attempt }
            }
            Command::PrepareRestore(prepare) => Attempt {
                target: Some(either(&prepare.data_dir, &prepare.data_dir_option)),
                has_parents: true,
                ..attempt
            },
            Command::Pack(pack) => Attempt {
                target: Some(either(&pack.archive, &pack.output)),
                force: Some("an archive, or another regular file"),
                has_parents: true,
                ..attempt
            },
            Command::Unpack(unpack) => Attempt {
                target: Some(either(&unpack.dump, &unpack.output)),
                force: Some("a dump or an empty directory"),
                has_parents: true,
                ..attempt
            },
            _ => attempt,
        }
    }
}

/// Which moment of the snapshot is read.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadArguments {
    /// Read the store as it was at TIME, back to the retention limit
    ///
    /// TIME is RFC 3339 (2026-11-22T15:02:51Z), an age ('2h ago', '1d 12h ago'), how long before the newest commit ('1d before the end'), a Unix time in seconds or milliseconds (1795359771), or a
    /// raw timestamp (hlc:117660697953894403). A time without fractions of a second means the end of that second, in either notation, and one with
    /// them the end of that millisecond: what was committed in it counts. Without it: the last commit in the snapshot. A time before the
    /// first commit, beyond the retention limit or more than 10 seconds after the end of the snapshot is refused; `inspect` shows which
    /// times can be answered.
    ///
    /// The server stamps commits with a leased clock that runs up to 10 seconds ahead of the wall clock, so that a wall-clock TIME is
    /// exact to about 10 seconds only: a write made just before TIME may carry a later stamp and be missing. To be sure to include
    /// it, add 10 seconds; to be sure to exclude later writes, use the raw timestamp. Commits are not applied in the order of their stamps:
    /// a TIME within 10 seconds of the newest commit is warned about.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<ReadTime>,
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArguments,
}

/// Which snapshots are taken, and what of them counts.
#[derive(Clone, Debug, Args)]
pub(crate) struct SnapshotArguments {
    /// Refuse a snapshot whose newest commit is older than AGE (24h, 90m, 2d)
    ///
    /// For jobs that would otherwise back up the same old snapshot for ever. If the clock in the snapshot's header is later than the newest
    /// commit, that counts: a store without writes is not old. Of several groups each must be young enough.
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub(crate) max_age: Option<Duration>,
    #[command(flatten)]
    pub(crate) empty: EmptyArguments,
    /// Accept an older snapshot where the newest one of a group is damaged, not named by a .snap file, or no longer answers --at
    ///
    /// A server keeps several snapshots, and each answers the times for which it still has old versions. Where the newest one of a group of a data
    /// directory no longer answers TIME, that is an error, which names an older one that does; with this option that one is read, and a warning
    /// says so. `inspect` lists all of them.
    ///
    /// The newest intact snapshot that a .snap file names is taken in any case. Where a newer one is damaged, that is a loss without this
    /// option (exit code 5); where a newer one is intact, but not named, as in a copy of a running node, it is a warning (exit code 0).
    /// Either is an error under --strict, unless this option is given.
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Accept that groups are missing, as when one group of several is wanted
    ///
    /// The routing catalog in a snapshot names the groups of the cluster. One that is not there is a loss (exit code 5), and an error
    /// under --strict, since its keys are not in the result. A group that is read alone leaves keys in doubt: the outcome of a transaction
    /// over several groups stands in one of them only, and where that is not there the older value counts, with a warning.
    #[arg(long)]
    pub(crate) allow_missing_groups: bool,
    /// Refuse a snapshot without checksum footer
    ///
    /// Files that lie in a data directory must have one in any case. A loose file or a pipe without footer is accepted with a
    /// warning, since such files exist; but a file that was cut at the right place then looks whole.
    #[arg(long)]
    pub(crate) require_checksum: bool,
    /// Which writes of transactions over several groups count
    ///
    /// protocol: every write that was acknowledged. live: what the server returns, which misses some of them; the keys that
    /// differ are reported either way.
    #[arg(long, value_name = "VIEW", value_enum, default_value_t = ViewRule::Protocol)]
    pub(crate) view: ViewRule,
    /// Keep records in a group that does not own their keys
    ///
    /// A node's group can hold stale copies of keys that were moved to another group; they are left out and counted. With this
    /// option nothing is left out: of every key the newest version of any group counts.
    #[arg(long)]
    pub(crate) keep_unowned: bool,
    #[command(flatten)]
    pub(crate) keys: KeyArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) offload: OffloadArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

/// Whether nothing is accepted as a result.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct EmptyArguments {
    /// Accept input that holds nothing, and a selection that selects nothing
    ///
    /// A file without content or of a header alone is what a failed copy leaves behind, and a selection of nothing is mostly a typing error: they are
    /// refused. An empty store that proves itself by a checksum is decoded in any case.
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

const DECODE_AFTER_HELP: &str = "\
Examples:
  ekv-backup decode 00000000000007d1.fsm dump
  ekv-backup decode /var/lib/elastickv/n1 dump      a node: its newest valid snapshots
  zstd -dc old.fsm.zst | ekv-backup decode - dump   standard input
  ekv-backup decode old.fsm.zst dump                the same
  ekv-backup decode snapshot.fsm dump.tar.zst       one file instead of a directory
  ekv-backup decode snapshot.fsm - | ssh HOST tar -x
  ekv-backup decode /var/lib/elastickv/n1 s3://backups/n1/2026-11-22.tar.zst
  ekv-backup decode snapshot.fsm dump --at 2026-11-22T15:33:50Z --adapter redis
  ekv-backup decode snapshot.fsm users --prefix user: --type hash
  ekv-backup decode snapshot.fsm part s3:photos/2026/a.jpg dynamodb:orders/
  ekv-backup decode snapshot.fsm new --changed-after 2026-11-22T00:00:00Z
  ekv-backup decode redis://127.0.0.1:6379 dump     a running Redis or Valkey, or x.rdb

An object of a store is written in parts and appears as a whole, only if it is new.
The environment says how the store is reached, as it does for the AWS CLI:
AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL …

A dump is complete or absent: files are written into a private directory beside
DUMP, which gets its name in one step at the end. Ctrl-C stops and leaves
nothing behind; another one, two seconds later, stops at once, and
`ekv-backup clean` removes what is left.

A snapshot holds what was applied up to its Raft index; later writes are in the
node's log only.";

/// Turn a snapshot, or what Redis and Valkey hold, into a dump: a directory of plain files, or an archive of one.
///
/// One file per Redis string, JSON for collections, MANIFEST.json with the account of every record, and CHECKSUMS, which
/// `sha256sum -c` accepts. The snapshot is checked as a whole before the first file is created.
#[derive(Clone, Debug, Args)]
#[command(after_help = DECODE_AFTER_HELP, after_long_help = with_names(DECODE_AFTER_HELP))]
pub(crate) struct DecodeArguments {
    /// Snapshot file (.fsm, also compressed with zstd), data directory of a node, offload store, RDB file of Redis or Valkey, running server of these (redis://HOST, unix:PATH), object of a store (s3://BUCKET/KEY), or - for standard input
    #[arg(value_name = "SNAPSHOT", required_unless_present = "input", conflicts_with_all = ["input", "output"])]
    pub(crate) snapshot: Option<PathBuf>,
    /// Directory to create, archive if it ends in .tar, .tar.zst or .tzst, object of a store (s3://BUCKET/KEY), or - for a tar stream; the parent must exist
    #[arg(value_name = "DUMP", required_unless_present = "output", conflicts_with_all = ["input", "output"])]
    pub(crate) dump: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) read: ReadArguments,
    /// Print the account of all records and a line for each key family, too
    #[arg(long, help_heading = "Output")]
    pub(crate) families: bool,

    /// Adapters whose data is written: dynamodb, s3, redis, sqs, fs, or all; comma-separated
    ///
    /// An empty LIST means all, as the reference decoder reads it.
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = AdapterParser(parse_adapters),
        hide_possible_values = true, help_heading = "What is written")]
    pub(crate) adapter: AdapterList,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    /// What happens to Redis keys that had expired at the moment that is read
    ///
    /// keep: they are written with their past expiry, so that nothing is lost. drop: they are left out, as clients saw it.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = ExpiredRule::Keep, help_heading = "What is written")]
    pub(crate) expired: ExpiredRule,
    /// What happens to keys that no adapter prefixed (raw API, strings of very old servers)
    ///
    /// strings: they are Redis strings, as the live server serves them. ignore: they are only counted.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = BareKeysRule::Strings, help_heading = "What is written")]
    pub(crate) bare_keys: BareKeysRule,
    /// How DynamoDB items are written
    ///
    /// per-item: one file for each item. jsonl: one file for each table, with one item on each line.
    #[arg(
        long,
        value_name = "LAYOUT",
        value_enum,
        default_value_t = DynamodbLayoutRule::PerItem,
        alias = "dynamodb-bundle-mode",
        help_heading = "What is written"
    )]
    pub(crate) dynamodb_layout: DynamodbLayoutRule,
    /// What the files of the file system lie in
    ///
    /// tree: files of their own in fs/fs_0/tree/, with modes, owners and times in fs/fs_0/entries.jsonl. tar: one archive, fs/fs_0/tree.tar, from
    /// which tar unpacks them with modes, owners, times, holes and hard links.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = FsFormatRule::Tree, help_heading = "What is written")]
    pub(crate) fs_format: FsFormatRule,
    /// Let tree.tar have setuid and setgid bits
    ///
    /// Without it they are cleared: unpacked as root they would let programs run as somebody else. encode gives them back all the same.
    #[arg(long, help_heading = "What is written")]
    pub(crate) fs_special_bits: bool,
    /// Make every loss and everything unknown an error; nothing is published then
    ///
    /// Refused are: whatever would end with exit code 5 (damaged values, missing groups, an older state, data that no adapter decodes); a
    /// snapshot without a checksum, since nobody knows whether it is whole; a newer snapshot of a group that no .snap file names;
    /// transactions in doubt; entries that no reader can address. Other warnings are not.
    #[arg(long, help_heading = "What is written")]
    pub(crate) strict: bool,
    /// Write what is left of things that are gone: messages without a queue, S3 content without an object, files without a name
    ///
    /// They are in sqs/QUEUE.orphan/ (QUEUE in base64url), s3/BUCKET/_orphans/ and fs/fs_0/orphans/. Clients cannot see them.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) include_orphans: bool,
    /// Write the records of S3 uploads that were not completed, in s3/BUCKET/_incomplete_uploads/
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) include_incomplete_uploads: bool,
    /// Snapshot or data directory of another node, in which offloaded S3 content is looked for; may be given more than once
    ///
    /// Each node keeps only a part of the content that was offloaded. An object of which any is missing is left out and named.
    #[arg(long, value_name = "SNAPSHOT", help_heading = "What is written")]
    pub(crate) blob_source: Vec<PathBuf>,
    /// Write the bookkeeping records of SQS queues: indexes, deduplication windows, group locks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) include_sqs_side_records: bool,
    /// Keep when SQS messages in flight become visible again, and how often they were received
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) preserve_sqs_visibility: bool,
    /// Write records that no adapter understands, as raw keys and values in _unknown/
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) include_unknown: bool,
    /// Write fields that the reference decoder leaves out: tags, throttling and times of SQS queues, creation times
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is written")]
    pub(crate) extended: bool,
    /// Name of the cluster, for MANIFEST.json
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, help_heading = "What is written")]
    pub(crate) cluster_id: String,
    /// What MANIFEST.json calls the input, instead of SNAPSHOT as given
    ///
    /// Useful with standard input, and to get the same bytes from a file that lies elsewhere: the time in MANIFEST.json, the only other thing
    /// in which two decodes of a snapshot differ, is that of the environment variable SOURCE_DATE_EPOCH (Unix seconds) where it is set.
    #[arg(long, value_name = "NAME", help_heading = "What is written")]
    pub(crate) source_name: Option<PathBuf>,

    /// Replace an existing dump
    ///
    /// DUMP must be an empty directory or a dump, with nothing in it that its CHECKSUMS does not list; an archive must be a regular file. Neither may
    /// be what is read, nor hold it. Old and new trade places in one step where the file system can do that; elsewhere (many network file
    /// systems) the old dump is first moved aside, so that for a moment the name is absent. A mount point cannot be replaced: name a new
    /// directory in it.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) force: bool,
    /// What is brought to stable storage before the dump gets its name
    ///
    /// full: everything, in the quickest way that reports errors. file: every file by itself, where syncfs is not trusted. none:
    /// nothing; the dump may be lost with the power.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = FsyncRule::Full, help_heading = "How it is written")]
    pub(crate) fsync: FsyncRule,
    /// Make every check and say what would be written, but create nothing
    ///
    /// The same is read, judged and reported as without it, files and bytes included, and the exit code is the same. Only what the file system
    /// says while it is written to (space, quota, permissions) does not come out.
    #[arg(long, help_heading = "How it is written", conflicts_with = "verify")]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of DUMP
    #[arg(long, help_heading = "How it is written")]
    pub(crate) parents: bool,
    /// Threads at work; by default as many as the machine runs at a time
    ///
    /// 1: only the first reading of the snapshot overlaps with anything. More: reading, hashing and writing do, too. The dump is the same whatever the number.
    #[arg(long, value_name = "N", value_parser = parse_jobs, help_heading = "How it is written")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Read the finished dump once more and compare
    #[arg(long, help_heading = "How it is written")]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) compression: CompressionArguments,
    /// What happens to file names that other systems refuse or take for each other (CON, Case and case, trailing dots)
    ///
    /// off: they are counted and reported. require: such a name is an error, and nothing is published.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = PortableRule::Off, help_heading = "How it is written")]
    pub(crate) portable_names: PortableRule,

    /// SNAPSHOT, as scripts for the reference decoder name it
    #[arg(long, value_name = "FILE", help_heading = "Names of the reference decoder", requires = "output")]
    pub(crate) input: Option<PathBuf>,
    /// DUMP, as scripts for the reference decoder name it
    #[arg(long, value_name = "DIR", help_heading = "Names of the reference decoder", requires = "input")]
    pub(crate) output: Option<PathBuf>,
    /// Accepted and without effect: awkward S3 keys are always renamed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "Names of the reference decoder")]
    pub(crate) rename_collisions: bool,
}

/// What a source may be.
const SOURCE_HELP: &str = "Snapshot (.fsm, also compressed), data directory of a node, offload store, dump, archive of a dump, RDB file, running Redis or \
    Valkey server (redis://HOST, unix:PATH), object of a store (s3://BUCKET/KEY), or - for standard input";

/// What the help of a command says about names.
const NAMES: &str = "\
Names, as every command reads and prints them; %HH is a byte:
  redis:0/user:1               key user:1       user:1 is the same
  dynamodb:orders/c%2F1/17.5   item: hash key c/1, range key 17.5
  s3:photos/2026/a%20b.jpg     object           s3:photos/ is the bucket
  sqs:jobs.fifo/6f1c           message          sqs:jobs.fifo/ is the queue
  fs:0/etc/hosts               file             fs:0/. is the root directory";

/// The end of the long help of a command that selects.
fn with_names(examples: &str) -> String {
    with_exit_codes(&format!("{examples}\n\n{}", NAMES))
}

/// The end of the long help of a command.
fn with_exit_codes(examples: &str) -> String {
    format!("{examples}\n\nExit codes:\n{}", crate::exit::table())
}

const VERIFY_AFTER_HELP: &str = "\
Examples:
  ekv-backup verify dump
  ekv-backup verify dump.tar.zst                    an archive, as it is
  ssh HOST cat dump.tar.zst | ekv-backup verify -   standard input";

/// Check a dump: manifest, checksums, names; nothing missing, nothing extra.
///
/// Every file is read once. Exit code 0 means that the dump is what was written; 5 that it is, but the decode that wrote it had to leave
/// something out; 2 that it is not, with the first differences listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = VERIFY_AFTER_HELP, after_long_help = with_exit_codes(VERIFY_AFTER_HELP))]
pub(crate) struct VerifyArguments {
    /// The dump: a directory, an archive, or - for an archive on standard input
    #[arg(value_name = "DUMP", required_unless_present = "input", conflicts_with = "input")]
    pub(crate) dump: Option<PathBuf>,
    /// DUMP, as an option
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

const INSPECT_AFTER_HELP: &str = "\
Examples:
  ekv-backup inspect 00000000000007d1.fsm
  ekv-backup inspect /var/lib/elastickv/n1          a node: its newest valid snapshots
  gzip -dc old.fsm.gz | ekv-backup inspect -        standard input
  ekv-backup inspect snapshot.fsm --json
  ekv-backup inspect snapshot.fsm --prefix user:    how many keys, how large?
  ekv-backup inspect snapshot.fsm s3:photos/ dynamodb:orders/
  ekv-backup inspect snapshot.fsm --larger-than 1M --no-expiry";

/// Show what a snapshot holds, without writing anything.
///
/// Header, checksum, the times that can be answered and what it holds; with --families records, versions and bytes per key family. All checks of a decode are made
/// that need no decoding, and it ends like one: with exit code 5 where a group is missing or an older state was taken.
///
/// With addresses or filters what they select is decoded, counted and forgotten: things and bytes by type, and by database, table, bucket and
/// queue. The exit code is then that of a decode of it, and 6 if it is nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = INSPECT_AFTER_HELP, after_long_help = with_names(INSPECT_AFTER_HELP))]
pub(crate) struct InspectArguments {
    /// Snapshot file (.fsm, also compressed with zstd), data directory of a node, offload store, RDB file of Redis or Valkey, running server of these, or - for standard input
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshot: PathBuf,
    /// Adapters whose data is looked at: dynamodb, s3, redis, sqs, fs, or all; comma-separated
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = AdapterParser(parse_adapters),
        hide_possible_values = true, hide_default_value = true, help_heading = "What is selected")]
    pub(crate) adapter: AdapterList,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(flatten)]
    pub(crate) first: FirstArguments,
    #[command(flatten)]
    pub(crate) read: ReadArguments,
    /// Print the account of all records and a line for each key family, too
    #[arg(long, help_heading = "Output")]
    pub(crate) families: bool,
}

const CLEAN_AFTER_HELP: &str = "\
Examples:
  ekv-backup clean /backups --dry-run
  ekv-backup clean /backups";

/// Remove staging directories that killed runs left behind.
///
/// A run that is killed by force or by loss of power leaves `.NAME.ekv-staging-…` beside its target. It is never taken for a dump. This
/// command removes those that no run uses, that belong to the caller, and that hold nothing but what a staging directory holds. Whatever else has
/// such a name is kept; what was done, and why not, is said for each. A dump, archive or payload that was moved aside while it was replaced is put
/// back; where something else has its name, it stays in the staging directory, and the path is said.
#[derive(Clone, Debug, Args)]
#[command(after_help = CLEAN_AFTER_HELP, after_long_help = with_exit_codes(CLEAN_AFTER_HELP))]
pub(crate) struct CleanArguments {
    /// Directory in which dumps are written
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) parent: PathBuf,
    /// Say what would be removed, put back or kept, and touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Print a completion script for a shell.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page of the program, or write that and one page per command into a directory.
///
/// All pages are written or none. If anything has the name of one, nothing is written (exit code 1), unless --force replaces older pages.
/// `ekv-backup manual DIR; man -l DIR/ekv-backup-decode.1` shows the page of a command.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManualArguments {
    /// Existing directory for one page per command
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Replace pages that are there
    ///
    /// Only regular files with the names of pages; links and everything else are refused and stay.
    #[arg(long, requires = "directory")]
    pub(crate) force: bool,
}

/// See [`ekv_backup::TxnView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewRule {
    /// Every acknowledged write
    Protocol,
    /// What the server returns
    Live,
}

/// See [`ekv_backup::Expired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExpiredRule {
    /// Write them with their past expiry
    Keep,
    /// Leave them out
    Drop,
}

/// See [`ekv_backup::BareKeys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BareKeysRule {
    /// They are strings
    Strings,
    /// They are only counted
    Ignore,
}

/// See [`ekv_backup::FsFormat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FsFormatRule {
    /// Files of their own
    Tree,
    /// One archive
    Tar,
}

/// See [`ekv_backup::Fsync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FsyncRule {
    /// Everything
    Full,
    /// Every file by itself
    File,
    /// Nothing
    None,
}

/// See [`ekv_backup::PortableNames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PortableRule {
    /// Count and report them
    Off,
    /// Refuse them
    Require,
}

/// See [`ekv_backup::DynamodbLayout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DynamodbLayoutRule {
    /// One file for each item
    PerItem,
    /// One line for each item
    Jsonl,
}

/// Reads a list of adapters, and offers their names to shells that complete words.
#[derive(Clone, Copy, Debug)]
struct AdapterParser(fn(&str) -> Result<AdapterList, String>);

impl TypedValueParser for AdapterParser {
    type Value = AdapterList;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<AdapterList, clap::Error> {
        self.0.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = Protocol::IN_DUMPS.into_iter().map(Protocol::name).chain(["all"]);
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

/// Text of at least one character: nothing would select everything.
fn non_empty_text() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|text| match text.is_empty() {
        true => Err("it is empty; without the option, everything is selected"),
        false => Ok(text),
    })
}

/// Adapters, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdapterList(pub(crate) Vec<Protocol>);

/// Long options of the reference's tools, whose scripts may write them with one dash.
const REFERENCE_OPTIONS: [&str; 23] = [
    "input",
    "output",
    "adapter",
    "compression",
    "dynamodb-bundle-mode",
    "cluster-id",
    "include-incomplete-uploads",
    "include-orphans",
    "include-sqs-side-records",
    "preserve-sqs-visibility",
    "rename-collisions",
    "encode-info",
    "data-dir",
    "index",
    "term",
    "peers",
    "target-cluster-id",
    "fresh-cluster",
    "allow-missing-cluster-id",
    "allow-unverified-self-test",
    "last-commit-ts",
    "self-test",
    "scratch-root",
];

/// Gives options of the reference's tools that are written with one dash, as in `-input=FILE`, their second dash. The first word is the name
/// of the program.
pub(crate) fn with_reference_spelling(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    let respell = |(at, word): (usize, OsString)| {
        only_values |= word == "--";
        let bytes = word.as_encoded_bytes();
        let name = bytes.strip_prefix(b"-").and_then(|rest| rest.split(|byte| *byte == b'=').next());
        let is_known = name.is_some_and(|name| REFERENCE_OPTIONS.iter().any(|known| known.as_bytes() == name));
        match is_known && !only_values && at > 0 {
            true => {
                let mut respelled = OsString::from("-");
                respelled.push(word);
                respelled
            }
            false => word,
        }
    };
    words.enumerate().map(respell).collect()
}

/// Reads the command line.
///
/// # Errors
/// What the parser says, with the words of the command line escaped in it where they could steer a terminal.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let is_plain = |word: &OsString| word.to_string_lossy().chars().all(is_shown_as_it_is);
    if words.iter().all(is_plain) {
        return check(try_parse(&words), &words);
    }
    let error = match check(try_parse(&words), &words) {
        Ok(arguments) => return Ok(arguments),
        Err(error) => error,
    };
    let shown =
        || words.iter().map(|word| OsString::from(Line(word.to_string_lossy()).to_string())).collect::<Vec<_>>();
    let escaped = check(try_parse(&shown()), &shown()).err();
    Err(escaped.unwrap_or_else(|| Arguments::command().error(error.kind(), "the command line is not understood")))
}

/// Examples that the long help of a command begins with; the others are at its end.
const FIRST_EXAMPLES: usize = 2;

fn try_parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |below| match first_examples(&below) {
            Some(examples) => below.before_long_help(examples),
            None => below,
        });
    }
    let matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The first examples of a command, as its help has them.
fn first_examples(command: &clap::Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let mut examples = Vec::new();
    let mut count = 0_usize;
    for line in help.strip_prefix("Examples:\n")?.lines().take_while(|line| !line.is_empty()) {
        count = count.saturating_add(usize::from(line.starts_with("  ekv-backup")));
        if count > FIRST_EXAMPLES {
            break;
        }
        examples.push(line);
    }
    Some(format!("For example:\n{}", examples.join("\n")))
}

/// What the parser cannot check by itself, and better tips than it has.
fn check(parsed: Result<Arguments, clap::Error>, words: &[OsString]) -> Result<Arguments, clap::Error> {
    let arguments = parsed.map_err(|error| crate::tips::improve(error, words))?;
    let (name, checked) = match &arguments.command {
        Command::Restore(restore) => ("restore", restore.cluster.check()),
        Command::PrepareRestore(prepare) => ("prepare-restore", prepare.cluster.check()),
        _ => return Ok(arguments),
    };
    checked.map(|()| arguments).map_err(|(kind, text)| {
        let mut all = Arguments::command();
        all.build();
        match all.find_subcommand_mut(name) {
            Some(command) => command.error(kind, text),
            None => all.error(kind, text),
        }
    })
}

/// The command that was given, as it reads an older snapshot that answers: by its name in the place of another file of its folder, and of a
/// directory by an option.
pub(crate) fn with_older(command: impl Iterator<Item = OsString>, older: &Path) -> String {
    let mut words: Vec<OsString> = command.skip(1).collect();
    match words.iter_mut().find(|word| Path::new(word).parent() == older.parent()) {
        Some(word) => *word = older.into(),
        None => {
            let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
            words.insert(end, "--allow-older".into());
        }
    }
    let words: Vec<String> = words.iter().map(|word| shell::quote(word)).collect();
    format!("ekv-backup {}", words.join(" "))
}

/// A boolean as the reference's tools, which are written in Go, read it.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false (or 1, t, T, TRUE, True, 0, f, F, FALSE, False)".to_owned()),
    }
}

/// As [`parse_adapters`], but nothing is no list.
fn parse_some_adapters(text: &str) -> Result<AdapterList, String> {
    match text.trim().is_empty() {
        true => Err(format!(
            "expected {} or several of them, comma-separated; without the option, everything",
            Protocol::in_words(", ")
        )),
        false => parse_adapters(text),
    }
}

fn parse_jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a number of threads, from 1 on".to_owned())
}

/// Names in any letter case, blanks and empty items skipped; `all` or nothing means all (`docs/format/tree.md`, section 10.1).
fn parse_adapters(text: &str) -> Result<AdapterList, String> {
    let names: Vec<String> =
        text.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    if names == ["all"] || text.trim().is_empty() {
        return Ok(AdapterList(Protocol::IN_DUMPS.to_vec()));
    }
    if names.is_empty() {
        return Err("selected zero adapters".to_owned());
    }
    if names.iter().any(|name| name == "all") {
        return Err("all stands alone: it means every adapter".to_owned());
    }
    let known = |name: &String| {
        let adapter = Protocol::IN_DUMPS.into_iter().find(|adapter| adapter.name() == name);
        adapter.ok_or_else(|| format!("{name}: unknown adapter name; known are {} and all", Protocol::in_words(", ")))
    };
    names.iter().map(known).collect::<Result<Vec<_>, _>>().map(AdapterList)
}

/// What is read and what is made: two arguments, or an archive of files as an option and one argument.
pub(crate) fn source_and_target<'a>(
    tar: &'a Option<PathBuf>,
    [first, second]: [&'a Option<PathBuf>; 2],
) -> Result<(&'a Path, &'a Path), Error> {
    match (tar.as_deref(), first.as_deref(), second.as_deref()) {
        (Some(tar), Some(target), None) | (Some(tar), None, Some(target)) => Ok((tar, target)),
        (Some(_), Some(_), Some(_)) => {
            let text = "what is read is named by --fs-from-tar or --from-store: no other source goes with it";
            Err(Error::new(Class::Environment, text))
        }
        (Some(_), None, None) => {
            Err(Error::new(Class::Environment, "--fs-from-tar and --from-store need the name of what is to be made"))
        }
        (None, first, second) => Ok((first.unwrap_or(Path::new("")), second.unwrap_or(Path::new("")))),
    }
}

/// An argument that is given by its place or as an option; the parser makes sure that it is given.
pub(crate) fn either<'a>(by_place: &'a Option<PathBuf>, as_option: &'a Option<PathBuf>) -> &'a Path {
    by_place.as_deref().or(as_option.as_deref()).unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn adapter_lists_are_read_as_the_reference_reads_them() {
        assert_eq!(parse_adapters("all").unwrap().0, Protocol::IN_DUMPS);
        assert_eq!(parse_adapters("").unwrap().0, Protocol::IN_DUMPS);
        assert_eq!(parse_adapters(" Redis , ,s3").unwrap().0, [Protocol::Redis, Protocol::S3]);
        assert!(parse_adapters(",").is_err());
        assert!(parse_adapters("foo").unwrap_err().starts_with("foo: unknown adapter name"));
        for text in ["all,redis", "redis,all"] {
            assert!(parse_adapters(text).unwrap_err().starts_with("all stands alone"), "{text}");
        }
        for text in ["", " "] {
            assert!(parse_some_adapters(text).is_err());
        }
        assert_eq!(parse_some_adapters("s3").unwrap().0, [Protocol::S3]);
    }

    #[test]
    fn options_of_the_reference_work_with_one_dash_and_values_stay_alone() {
        let respelled = with_reference_spelling(
            [
                "-input",
                "decode",
                "-input",
                "a",
                "-output=b",
                "-rename-collisions",
                "-q",
                "-",
                "-inputs",
                "--",
                "-input",
            ]
            .map(OsString::from)
            .into_iter(),
        );
        let expected = [
            "-input",
            "decode",
            "--input",
            "a",
            "--output=b",
            "--rename-collisions",
            "-q",
            "-",
            "-inputs",
            "--",
            "-input",
        ];
        assert_eq!(respelled, expected.map(OsString::from));
    }

    #[test]
    fn command_for_an_older_snapshot_is_the_one_that_was_given_but_for_that() {
        let command = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            with_older(words.into_iter(), Path::new("g/fsm-snap/old one.fsm"))
        };
        let directory = command(&["x", "get", "g", "--at", "2h ago", "--", "-k"]);
        assert_eq!(directory, "ekv-backup get g --at '2h ago' --allow-older -- -k");
        let file = command(&["x", "-q", "diff", "other.fsm", "g/fsm-snap/new.fsm"]);
        assert_eq!(file, "ekv-backup -q diff other.fsm 'g/fsm-snap/old one.fsm'");
    }

    #[test]
    fn positional_arguments_and_reference_names_do_not_mix() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["ekv-backup", "decode"], words].concat());
        assert!(parse(&["a.fsm", "dump"]).is_ok());
        assert!(parse(&["--input", "a.fsm", "--output", "dump"]).is_ok());
        assert!(parse(&["--input", "a.fsm"]).is_err());
        assert!(parse(&["a.fsm"]).is_err());
        assert!(parse(&["a.fsm", "--output", "dump"]).is_err());
        assert!(parse(&["a.fsm", "dump", "--input", "b.fsm", "--output", "c"]).is_err());
    }
}
