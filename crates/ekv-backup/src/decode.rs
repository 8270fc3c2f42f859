//! `decode`: from a snapshot, an RDB file or a running server to a dump.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_dump::manifest::{Adapters, Exclusions, Manifest, Origin, SnapshotOrigin, format_wall_time};
use ekv_dump::portable::PortableNames;
use ekv_dump::{SqsVisibility, TreeOptions};
use ekv_files::sink::Privacy;
use ekv_model::{Map, Result, Severity};
use jiff::Timestamp;
use serde::Serialize;

use crate::books::BooksReport;
use crate::contents::Contents;
use crate::culprit;
use crate::dump_output::{DumpOutput, DumpPlan, PublishedDump};
use crate::events::{EventOptions, StoreEvents};
use crate::loaded::ReadOptions;
use crate::losses::Losses;
use crate::pipe::{self, Books, Events, Header};
use crate::progress::Progress;
use crate::rdb::RdbEvents;
use crate::report::program;
use crate::see::Source;
use crate::server::ServerEvents;
use crate::{CommandError, DumpTarget, Protocol, Store, time};

/// What a decode should do.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// How the snapshot is read.
    pub read: ReadOptions,
    /// What of it is written.
    pub events: EventOptions,
    /// What the files hold, and how.
    pub tree: TreeOptions,
    /// Threads at work: with more than one, reading, hashing and writing overlap. The dump does not depend on it.
    pub jobs: NonZeroUsize,
    /// What happens to names that other systems refuse.
    pub portable_names: PortableNames,
    /// Whether every loss and every unknown thing is an error.
    pub strict: bool,
    /// What MANIFEST.json calls the cluster; may be empty.
    pub cluster_id: String,
    /// What MANIFEST.json calls the input; `None` = as it was given.
    pub source_name: Option<PathBuf>,
    /// The time that MANIFEST.json states.
    pub now: Timestamp,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions {
            read: ReadOptions::default(),
            events: EventOptions::default(),
            tree: TreeOptions::default(),
            jobs: available_jobs(),
            portable_names: PortableNames::default(),
            strict: false,
            cluster_id: String::new(),
            source_name: None,
            now: time::now(),
        }
    }
}

/// As many jobs as the machine runs at a time.
pub fn available_jobs() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What a decode did.
#[derive(Debug, Serialize)]
pub struct DecodeReport {
    /// Version of this structure.
    pub format_version: u32,
    /// Where the dump is.
    pub dump: String,
    /// Whether nothing was created: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Files in it, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes in these files.
    pub bytes: u64,
    /// Bytes of the archive, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<u64>,
    /// How the dump got its name.
    pub published_by: &'static str,
    /// What was brought to stable storage first.
    pub fsync: &'static str,
    /// What keeps it from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What could not be cleaned up; the dump is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How much was written.
    pub contents: Contents,
    /// What was damaged and left out; more than none means exit code 5.
    pub losses: u64,
    /// Unusual things about where the snapshots were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The books, as MANIFEST.json has them.
    #[serde(flatten)]
    pub books: BooksReport,
    /// Everything that was left out, one by one, as LOSSES.jsonl has it.
    #[serde(skip_serializing_if = "Losses::is_empty")]
    pub lost: Losses,
}

/// Decodes what `input` names, a snapshot, a node's data directory, an RDB file or a running server, into a new dump at `target`.
///
/// The snapshot is read once and checked before anything is created; then records become files in a private place, which get their name in
/// one step, or go into a stream. Cost: fixed memory, whatever the snapshot holds.
///
/// # Errors
/// Nothing is published and nothing is left behind, except as `docs/format/tree.md`, section 8.1, says for a failure after the dump
/// got its name. A stream has no end then.
pub fn decode(
    input: &Path,
    target: impl Into<DumpTarget>,
    options: &DecodeOptions,
    progress: &dyn Progress,
) -> Result<DecodeReport> {
    let target = target.into();
    let inputs: Vec<&Path> =
        [input].into_iter().chain(options.events.blob_sources.iter().map(PathBuf::as_path)).collect();
    target.check(&inputs)?;
    time::check_wall_time(options.now)?;
    // What nothing proves to be whole is unknown.
    let read = ReadOptions {
        require_checksum: options.read.require_checksum || options.strict,
        looks_for_rebadged: options.strict && options.read.keys.is_some(),
        ..options.read.clone()
    };
    match Source::open_but_dump(input, &read, progress)? {
        Source::Store(store) => {
            store.check_has_data(input)?;
            let mut events = StoreEvents::of(&store, &options.events, progress)?;
            check_selection(&store, options)?;
            let may_be_nothing = !is_narrowed(options) || has_damage(&store, &options.events);
            let nothing = (!may_be_nothing).then(|| nothing_selected(&store, options));
            let mut notes = store.notes();
            if store.has_opened_values() {
                notes.push(
                    "the dump is not encrypted: it holds the plain text of values that the snapshot has encrypted"
                        .to_owned(),
                );
            }
            let named = Named { input, cluster_id: store.source_cluster(), nothing };
            write(&mut events, target, named, options, progress).map(|dump| report(dump, notes))
        }
        Source::Rdb(file) => {
            file.check_moment()?;
            let scope = &options.events.scope;
            let nothing = is_narrowed(options).then(|| nothing_matches(options, scope.hint()));
            let mut events = RdbEvents::of(&file, &options.events)?;
            let named = Named { input, cluster_id: None, nothing };
            write(&mut events, target, named, options, progress).map(|dump| report(dump, Vec::new()))
        }
        Source::Server(mut server) => {
            let nothing = is_narrowed(options).then(|| nothing_matches(options, options.events.scope.hint()));
            let mut events = ServerEvents::of(&mut server, &options.events)?;
            let named = Named { input, cluster_id: None, nothing };
            write(&mut events, target, named, options, progress).map(|dump| report(dump, Vec::new()))
        }
        Source::Dump(_) => Err(CommandError::IsDump { path: input.display().to_string() }.into()),
    }
}

/// What a dump says of where it comes from.
struct Named<'i> {
    input: &'i Path,
    /// The cluster that the source names.
    cluster_id: Option<String>,
    /// The error if there is nothing in it.
    nothing: Option<CommandError>,
}

/// Writes the dump.
fn write(
    events: &mut dyn Events<Books = Books>,
    target: DumpTarget,
    named: Named<'_>,
    options: &DecodeOptions,
    progress: &dyn Progress,
) -> Result<PublishedDump<Books>> {
    let begin = |header: &Header| DumpOutput::create(target, plan(header, named, options), progress);
    let accept = |books: Books| if options.strict { refuse_findings(books) } else { Ok(books) };
    pipe::run(events, begin, accept, progress)
}

/// Whether the user asked for some of it only, and wants to know if there is nothing of that.
fn is_narrowed(options: &DecodeOptions) -> bool {
    !options.read.allow_empty && options.events.is_narrowed()
}

/// Refuses a selection of adapters that have nothing in the snapshot, before anything is created.
fn check_selection(store: &Store, options: &DecodeOptions) -> Result<()> {
    let mut selected = store.data_families(|family| options.events.has(family));
    if !is_narrowed(options) || selected.any(|totals| totals.visible > 0 || totals.damaged > 0) {
        return Ok(());
    }
    Err(nothing_selected(store, options).into())
}

/// The error for such a selection.
fn nothing_selected(store: &Store, options: &DecodeOptions) -> CommandError {
    let scope = &options.events.scope;
    if scope.is_narrowed() {
        let found = store.findings();
        let lost = found.iter().filter(|(finding, _)| finding.severity == Severity::Loss);
        let lost = match lost.fold(0, |sum: u64, (_, totals)| sum.saturating_add(totals.count)) {
            0 => None,
            1 => Some(
                "a damaged or missing thing has no name here, and may be what is meant: inspect tells of it".to_owned(),
            ),
            lost => Some(format!(
                "{lost} damaged or missing things have no names here, and may be what is meant: inspect tells of them"
            )),
        };
        let hints: Vec<String> = scope.hint().into_iter().chain(lost).collect();
        let hint = (!hints.is_empty()).then(|| hints.join("; "));
        return nothing_matches(options, hint);
    }
    let names = |adapters: Vec<&Protocol>| adapters.iter().map(|adapter| adapter.name()).collect::<Vec<_>>().join(", ");
    let wanted = &options.events.adapters;
    let is_there = |adapter: &&Protocol| !wanted.contains(adapter) && store.has_data_of(**adapter);
    let there = names(Protocol::IN_DUMPS.iter().filter(is_there).collect());
    CommandError::NothingSelected {
        asked: names(wanted.iter().collect()),
        there: Some(there).filter(|names| !names.is_empty()),
    }
}

fn nothing_matches(options: &DecodeOptions, hint: Option<String>) -> CommandError {
    let EventOptions { scope, adapters, .. } = &options.events;
    CommandError::NothingMatches { filters: scope.describe(adapters), hint }
}

/// Whether records of families that are selected as a whole were damaged before anybody knew their names.
pub(crate) fn has_damage(store: &Store, events: &EventOptions) -> bool {
    let is_whole = |adapter| events.scope.is_all_of(adapter);
    let mut selected =
        store.data_families(|family| events.has(family) && family.owner().protocol().is_none_or(is_whole));
    selected.any(|totals| totals.damaged > 0)
}

fn plan<'o>(header: &Header, named: Named<'_>, options: &'o DecodeOptions) -> DumpPlan<'o> {
    let Named { input, cluster_id, nothing } = named;
    let source_name = options.source_name.as_deref().unwrap_or(input);
    let named_index = options.source_name.as_deref().and_then(ekv_node::datadir::snapshot_index);
    let events = &options.events;
    let included = Map::only(&events.adapters);
    DumpPlan {
        manifest: Manifest {
            elastickv_version: program(),
            cluster_id: Some(&options.cluster_id)
                .filter(|id| !id.is_empty())
                .cloned()
                .or(cluster_id)
                .unwrap_or_default(),
            snapshot_index: named_index.or(header.snapshot_index).unwrap_or(0),
            last_commit_ts: header.last_commit_ts,
            wall_time_iso: format_wall_time(options.now),
            origin: Origin::Snapshot(SnapshotOrigin {
                fsm_path: source_name.display().to_string(),
                fsm_crc32c: header.footer_crc32c.map_or_else(String::new, |crc| format!("{crc:08x}")),
            }),
            adapters: Adapters::default(),
            exclusions: Exclusions {
                include_incomplete_uploads: events.s3.include_incomplete_uploads,
                include_orphans: events.s3.include_orphans || events.sqs.include_orphans || events.fs.include_orphans,
                preserve_sqs_visibility: options.tree.sqs_visibility == SqsVisibility::Keep,
                include_sqs_side_records: events.sqs.include_side_records,
                rename_s3_collisions: false,
            },
            dynamodb_layout: options.tree.dynamodb_layout,
        },
        included,
        tree: options.tree,
        jobs: options.jobs,
        portable_names: options.portable_names,
        nothing,
        modified: options.now,
        resources: &options.read.resources,
    }
}

/// The error for the first finding that strict mode does not accept; what was lost goes with it.
fn refuse_findings(books: Books) -> Result<Books> {
    let Some((finding, totals)) = books.findings.first_strict_fatal() else { return Ok(books) };
    let (finding, count) = (*finding, totals.count);
    let first = totals.examples.first().map(|example| culprit::line(finding.name, example));
    Err(CommandError::Strict { finding, count, first, lost: Arc::new(books.losses) }.into())
}

fn report(dump: PublishedDump<Books>, notes: Vec<String>) -> DecodeReport {
    let PublishedDump { published, totals, books } = dump;
    DecodeReport {
        format_version: 1,
        warnings: published.warnings.iter().map(ToString::to_string).collect(),
        dry_run: published.is_nothing(),
        dump: published.place,
        files: totals.files,
        bytes: totals.bytes,
        archive_bytes: published.archive_len,
        published_by: published.method.name(),
        fsync: published.fsync.name(),
        privacy: published.privacy,
        contents: books.contents,
        losses: books.losses.count(),
        notes,
        books: books.report,
        lost: books.losses,
    }
}
