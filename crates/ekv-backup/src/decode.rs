//! `decode`: from a snapshot to a dump.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_adapters::{Family, Outcome, Role, Run, Tally, dynamodb, raw, redis, s3, sqs};
use ekv_dump::losses::LOSSES_FILE;
use ekv_dump::manifest::{Exclusions, Manifest, Origin, SnapshotOrigin, format_wall_time};
use ekv_dump::portable::PortableNames;
use ekv_dump::{DumpTotals, DumpWriter, Scopes, SqsVisibility, TreeOptions, TreeTarget};
use ekv_files::sink::{Privacy, Published};
use ekv_model::{Class, Finding, Findings, Result};
use ekv_snapshot::{FamilyTotals, View};
use ekv_spill::Scratch;
use jiff::Timestamp;
use serde::Serialize;

use crate::inspect::{PrefixReport, prefixes};
use crate::load::{Loaded, ReadOptions, load};
use crate::losses::{LISTED_LOSSES_MAX, Losses};
use crate::progress::{Follower, Phase, Progress};
use crate::report::{
    Accounts, FamilyReport, FindingReport, NamesReport, SnapshotReport, TransactionsReport, families, findings,
};
use crate::state::State;
use crate::{Adapter, CommandError, Completeness, DumpTarget, time};

/// Data that nothing in the dump represents.
const NOT_DECODED: Finding = Finding::loss(
    "data_not_decoded",
    "records with data of users that no adapter of this tool decodes: they are missing, unless --include-unknown keeps them as they are",
);

/// The books do not balance.
const UNACCOUNTED: Finding = Finding::loss(
    "records_unaccounted",
    "visible records of which this run cannot say what became: please report this as a defect",
);

/// What a decode should do.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// How the snapshot is read.
    pub read: ReadOptions,
    /// Which adapters' data is written.
    pub adapters: Vec<Adapter>,
    /// Options of the Redis adapter.
    pub redis: redis::Options,
    /// Options of the S3 adapter.
    pub s3: s3::Options,
    /// Snapshots of other nodes, or their data directories, in which offloaded S3 content is looked for that this one lacks.
    pub blob_sources: Vec<PathBuf>,
    /// Options of the SQS adapter.
    pub sqs: sqs::Options,
    /// Whether records that no adapter decodes are written as they are.
    pub include_unknown: bool,
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
            adapters: Adapter::ALL.to_vec(),
            redis: redis::Options::default(),
            s3: s3::Options::default(),
            blob_sources: Vec::new(),
            sqs: sqs::Options::default(),
            include_unknown: false,
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
    /// Files in it, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes in these files.
    pub bytes: u64,
    /// How the dump got its name.
    pub published_by: &'static str,
    /// What was brought to stable storage first.
    pub fsync: &'static str,
    /// What keeps it from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What could not be cleaned up; the dump is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was damaged and left out; more than none means exit code 5.
    pub losses: u64,
    /// Unusual things about where the snapshots were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The books, as MANIFEST.json has them.
    #[serde(flatten)]
    pub books: Books,
    /// Everything that was left out, one by one, as LOSSES.jsonl has it.
    #[serde(skip_serializing_if = "Losses::is_empty")]
    pub lost: Losses,
}

/// The account of a decode, as MANIFEST.json carries it under `ekv_backup`.
#[derive(Debug, Serialize)]
pub struct Books {
    /// Whether everything is there that was asked for, and what that rests on.
    pub completeness: Completeness,
    /// The snapshots that were read.
    pub snapshots: Vec<SnapshotReport>,
    /// Where every entry went.
    pub records: Accounts,
    /// The same per key family.
    pub families: Vec<FamilyReport>,
    /// Beginnings of keys that no known family has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_prefixes: Vec<PrefixReport>,
    /// Staged writes of transactions.
    #[serde(skip_serializing_if = "TransactionsReport::is_empty")]
    pub transactions: TransactionsReport,
    /// What was odd or lost.
    pub findings: Vec<FindingReport>,
    /// How many losses LOSSES.jsonl lists; absent where nothing was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_losses: Option<u64>,
    /// How many tables, buckets and queues SCOPES.jsonl lists; absent where they are few enough for the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_scopes: Option<u64>,
    /// File names that other systems refuse or take for each other.
    #[serde(skip_serializing_if = "NamesReport::is_empty")]
    pub names_not_portable: NamesReport,
}

/// Decodes what `input` names into a new dump at `target`.
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
    decode_to(input, target.into(), options, progress)
}

fn decode_to(
    input: &Path,
    target: DumpTarget,
    options: &DecodeOptions,
    progress: &dyn Progress,
) -> Result<DecodeReport> {
    let resources = &options.read.resources;
    let scratch = resources.scratch();
    target.check(&inputs_of(input, options))?;
    time::check_wall_time(options.now)?;
    // What nothing proves to be whole is unknown.
    let read =
        ReadOptions { require_checksum: options.read.require_checksum || options.strict, ..options.read.clone() };
    let mut loaded = load(input, &read, &scratch, progress)?;
    loaded.check_has_data(input)?;
    let blob_sources = load_blob_sources(options, &scratch, progress)?;
    let state = State::of(&mut loaded, &read, &scratch, progress)?;
    check_selection(&state.families, options)?;
    let visible = state.families.iter().map(|family| family.visible).sum();

    let (sink, parents) = target.create(options.now, options.jobs.get(), resources)?;
    let mut tree = TreeTarget::with_options(DumpWriter::with_jobs(sink, options.jobs), options.tree);
    progress.begin(Phase::Decode, Some(visible));
    let blob_views: Vec<View> = blob_sources.iter().flat_map(Loaded::views).collect();
    let done =
        run_adapters(&loaded, &state, &blob_views, options, &mut tree, progress).and_then(|(tally, findings)| {
            let lost = loaded.losses.finish(&findings)?;
            if options.strict {
                refuse_findings(&findings, &lost)?;
            }
            Ok((tally, findings, lost))
        });
    let inputs: Vec<&Loaded> = [&loaded].into_iter().chain(&blob_sources).collect();
    let (tally, findings, lost) = match blame_changed_input(done, &inputs) {
        Ok(done) => done,
        Err(error) => return Err(error.after_cleaning_up(tree.abort())),
    };
    let (mut writer, scopes) = tree.finish()?;
    if is_narrowed(options) && writer.totals().files == 0 && lost.is_empty() {
        let error = nothing_selected(&state.families, options);
        return Err(ekv_model::Error::from(error).after_cleaning_up(writer.abort()));
    }
    let names = match finish_names(&mut writer, options).and_then(|names| {
        if !lost.is_empty() {
            writer.write_spooled_file(LOSSES_FILE, &lost.lines)?;
        }
        Ok(names)
    }) {
        Ok(names) => names,
        Err(error) => return Err(error.after_cleaning_up(writer.abort())),
    };
    let books = Books {
        listed_losses: (!lost.is_empty()).then(|| lost.count()),
        listed_scopes: scopes.listed,
        ..books(&loaded, &state, options, &tally, &findings, names)
    };
    let manifest = manifest(input, &loaded, options, &scopes).to_bytes(Some(&books)).map_err(ekv_files::Error::from)?;
    progress.begin(Phase::Publish, None);
    let (published, dumped) = writer.finish(&manifest)?;
    parents.keep();
    let notes = loaded.notes().chain(state.notes).collect();
    Ok(report(published, dumped, lost, notes, books))
}

/// Whether the user asked for some adapters only, and wants to know if there is nothing of them.
fn is_narrowed(options: &DecodeOptions) -> bool {
    !options.read.allow_empty && Adapter::ALL.iter().any(|adapter| !options.adapters.contains(adapter))
}

/// Refuses a selection of adapters that have nothing in the snapshot, before anything is created.
fn check_selection(families: &[FamilyTotals], options: &DecodeOptions) -> Result<()> {
    let is_selected = |family: &Family| match Adapter::of(family.owner()) {
        Some(adapter) => options.adapters.contains(&adapter),
        None => options.include_unknown,
    };
    let selected = Family::ALL.iter().filter(|family| family.role() == Role::Data && is_selected(family));
    let has_any =
        |family: &Family| families.get(family.number()).is_some_and(|totals| totals.visible > 0 || totals.damaged > 0);
    if !is_narrowed(options) || selected.into_iter().any(has_any) {
        return Ok(());
    }
    Err(nothing_selected(families, options).into())
}

/// The error for such a selection.
fn nothing_selected(families: &[FamilyTotals], options: &DecodeOptions) -> CommandError {
    let has_data = |adapter: &&Adapter| {
        let of_it = |family: &&Family| family.role() == Role::Data && Adapter::of(family.owner()) == Some(**adapter);
        let visible = |family: &Family| families.get(family.number()).is_some_and(|totals| totals.visible > 0);
        Family::ALL.iter().filter(of_it).any(visible)
    };
    let names = |adapters: Vec<&Adapter>| adapters.iter().map(|adapter| adapter.name()).collect::<Vec<_>>().join(", ");
    let asked = names(options.adapters.iter().collect());
    let there = Adapter::ALL.iter().filter(|adapter| !options.adapters.contains(adapter)).filter(has_data).collect();
    CommandError::NothingSelected { asked, there: Some(names(there)).filter(|names| !names.is_empty()) }
}

/// All that a decode reads.
fn inputs_of<'a>(input: &'a Path, options: &'a DecodeOptions) -> Vec<&'a Path> {
    [input].into_iter().chain(options.blob_sources.iter().map(PathBuf::as_path)).collect()
}

/// An input that was written to while it was read explains whatever seemed wrong with it, and spoils what seemed right.
fn blame_changed_input<T>(done: Result<T>, inputs: &[&Loaded]) -> Result<T> {
    match &done {
        Err(error) if !matches!(error.class(), Class::Data | Class::Environment) => done,
        _ => inputs.iter().try_for_each(|input| input.check_unchanged()).and(done),
    }
}

/// Counts names that other systems refuse, and refuses them where that was asked for.
fn finish_names(writer: &mut DumpWriter, options: &DecodeOptions) -> Result<NamesReport> {
    let report = writer.portable_names()?;
    report.enforce(options.portable_names)?;
    Ok(NamesReport::from(&report))
}

/// Checks the snapshots of other nodes. Each is a view of its own, so that a damaged copy in one does not hide a sound one in another.
fn load_blob_sources(
    options: &DecodeOptions,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Vec<Loaded>> {
    let read = ReadOptions { at: None, not_before_ms: None, ..options.read.clone() };
    let wanted = options.blob_sources.iter().filter(|_| options.adapters.contains(&Adapter::S3));
    wanted.map(|source| load(source, &read, scratch, progress)).collect()
}

/// Runs the adapters that were asked for and closes the books.
pub(crate) fn run_adapters(
    loaded: &Loaded,
    state: &State,
    blob_sources: &[View],
    options: &DecodeOptions,
    tree: &mut TreeTarget,
    progress: &dyn Progress,
) -> Result<(Tally, Findings)> {
    let follower = Follower::new(progress);
    let scratch = tree.writer().scratch();
    let mut run = Run::new(&state.view, &state.families, tree, &follower, scratch);
    run.log_losses(Some(loaded.losses.clone()));
    for adapter in Adapter::ALL.iter().filter(|adapter| options.adapters.contains(adapter)) {
        match adapter {
            Adapter::Redis => redis::decode(&mut run, &options.redis)?,
            Adapter::DynamoDb => dynamodb::decode(&mut run)?,
            Adapter::Sqs => sqs::decode(&mut run, &options.sqs)?,
            Adapter::S3 => s3::decode(&mut run, &options.s3, blob_sources)?,
        }
    }
    if options.include_unknown {
        raw::decode(&mut run)?;
    }
    close_books(&mut run, options)?;
    let (tally, mut findings) = run.into_books();
    findings.merge(loaded.findings());
    findings.merge(state.findings.clone());
    findings.merge(tree.findings().clone());
    Ok((tally, findings))
}

/// Accounts for the families that no adapter was run for.
fn close_books(run: &mut Run<'_>, options: &DecodeOptions) -> Result<()> {
    for family in Family::ALL {
        let left = run.unaccounted(*family);
        let wanted = Adapter::of(family.owner()).map(|adapter| options.adapters.contains(&adapter));
        match (family.role(), wanted) {
            (_, Some(true)) => run.find_many(UNACCOUNTED, left),
            (Role::Internal, _) => run.account(*family, Outcome::Internal, left)?,
            (Role::Data, Some(false)) => run.account(*family, Outcome::NotDecoded, left)?,
            (Role::Data, None) => {
                if left > 0 {
                    run.find(NOT_DECODED, family.prefix(), None, || format!("{left} records of {}", family.name()));
                    run.find_many(NOT_DECODED, left.saturating_sub(1));
                }
                run.account(*family, Outcome::NotDecoded, left)?;
            }
        }
    }
    Ok(())
}

/// The error for the first finding that strict mode does not accept.
fn refuse_findings(findings: &Findings, lost: &Losses) -> Result<()> {
    match findings.first_strict_fatal() {
        None => Ok(()),
        Some((finding, totals)) => {
            let losses = lost.first(LISTED_LOSSES_MAX)?;
            let first = totals.examples.first().map(|example| {
                let key = example.key.as_deref().map(|key| format!("{} ", ekv_snapshot::escape(key)));
                format!("{}{}", key.unwrap_or_default(), example.detail)
            });
            Err(CommandError::Strict {
                finding: *finding,
                count: totals.count,
                first,
                losses,
                loss_count: lost.count(),
            }
            .into())
        }
    }
}

fn books(
    loaded: &Loaded,
    state: &State,
    options: &DecodeOptions,
    tally: &Tally,
    found: &Findings,
    names: NamesReport,
) -> Books {
    let snapshots = loaded.reports();
    let families = families(&state.families, Some(tally));
    Books {
        completeness: Completeness::of(loaded, state, &options.read, found, Some((tally, &options.adapters))),
        records: Accounts::new(&snapshots, &families),
        snapshots,
        families,
        unknown_prefixes: prefixes(&loaded.unknown_prefixes),
        transactions: state.transactions.into(),
        findings: findings(found),
        listed_losses: None,
        listed_scopes: None,
        names_not_portable: names,
    }
}

fn manifest(input: &Path, loaded: &Loaded, options: &DecodeOptions, scopes: &Scopes) -> Manifest {
    let only = match loaded.snapshots.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let footer = only.and_then(|loaded| loaded.scan.envelope.footer_crc32c);
    let source_name = options.source_name.as_deref().unwrap_or(input);
    let named_index = options.source_name.as_deref().and_then(ekv_snapshot::datadir::snapshot_index);
    let index = named_index.or(only.and_then(|loaded| loaded.snapshot_index));
    Manifest {
        elastickv_version: format!("ekv-backup/{}", env!("CARGO_PKG_VERSION")),
        cluster_id: options.cluster_id.clone(),
        snapshot_index: index.unwrap_or(0),
        last_commit_ts: loaded.snapshots.iter().map(|loaded| loaded.scan.last_commit_ts.0).max().unwrap_or(0),
        wall_time_iso: format_wall_time(options.now),
        origin: Origin::Snapshot(SnapshotOrigin {
            fsm_path: source_name.display().to_string(),
            fsm_crc32c: footer.map_or_else(String::new, |crc| format!("{crc:08x}")),
        }),
        adapters: scopes.to_adapters(Adapter::included(&options.adapters)),
        exclusions: Exclusions {
            include_incomplete_uploads: options.s3.include_incomplete_uploads,
            include_orphans: options.s3.include_orphans || options.sqs.include_orphans,
            preserve_sqs_visibility: options.tree.sqs_visibility == SqsVisibility::Keep,
            include_sqs_side_records: options.sqs.include_side_records,
            rename_s3_collisions: scopes.has_s3_meta_suffix_rename,
        },
        dynamodb_layout: options.tree.dynamodb_layout,
    }
}

fn report(published: Published, totals: DumpTotals, lost: Losses, notes: Vec<String>, books: Books) -> DecodeReport {
    DecodeReport {
        format_version: 1,
        warnings: published.warnings.iter().map(ToString::to_string).collect(),
        dump: published.place,
        files: totals.files,
        bytes: totals.bytes,
        published_by: published.method.name(),
        fsync: published.fsync.name(),
        privacy: published.privacy,
        losses: lost.count(),
        notes,
        books,
        lost,
    }
}
