//! `encode`: from a dump to a payload that a new cluster can begin with.
//!
//! | file | question |
//! |---|---|
//! | `plan.rs` | what does the manifest allow: which adapters, which timestamp? |
//! | `payload.rs` | how do files become sorted records? |
//! | `observed.rs` | what was there of all that was asked for? |
//! | `self_test.rs`, `differences.rs` | does the payload decode to the dump that it was made from? |
//! | `rdb.rs`, `fs_tar.rs` | how does something else become a dump first? |
//! | `reference.rs` | what does the reference encoder keep? |
//! | `stage.rs` | where does it grow before it has a name? |
//! | `error.rs` | why is an encode refused? |
//!
//! Source: `docs/format/restore.md`, sections 1 to 6.

mod differences;
mod error;
mod fs_tar;
mod observed;
mod options;
mod payload;
mod plan;
mod rdb;
mod reference;
mod self_test;
mod stage;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ekv_dump::manifest::{Choice, StoredManifest, format_wall_time};
use ekv_dump::replay::read_manifest;
use ekv_files::sink::{DirOptions, ExistingTarget, Fsync, Privacy, Published, StagedFiles};
use ekv_files::source::ScopedSource;
use ekv_model::Result;
use serde::Serialize;

use crate::Moment;
use crate::contents::Contents;
use crate::dump_source::{index_warning, open_dump};
use crate::losses::Losses;
use crate::new_parents::NewParents;
use crate::overlap::refuse_overlap;
use crate::progress::{Phase, Progress};
use crate::report::is_zero;
use crate::restore::{EncodeInfo, Payload, SelfTest, format_sha256};
use crate::selection::{joined, warnings_of};

use differences::Differences;
use payload::{Encoded, unmatched_warnings, write_payload};

use fs_tar::open_tar_as_dump;
use plan::Plan;
use rdb::{AsDump, is_rdb, open_rdb_as_dump};
use self_test::{Verdict, self_test, staged_input};
use stage::{INFO, begin_stage, write_file};

pub use ekv_snapshot::WrittenForm;
pub use error::EncodeRefusal;
pub use options::EncodeOptions;
pub(crate) use plan::choose_adapters;
pub(crate) use stage::Stage;

/// Differences that an error carries with it.
const FIRST_DIFFERENCES: usize = 10;

/// What an encode did.
#[derive(Debug, Serialize)]
pub struct EncodeReport {
    /// Version of this structure.
    pub format_version: u32,
    /// Where the payload is.
    pub snapshot: String,
    /// Whether nothing was created: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Where its info file is.
    pub encode_info: String,
    /// What was read and written.
    #[serde(flatten)]
    pub payload: PayloadReport,
    /// How payload and info file got their names.
    pub published_by: &'static str,
    /// What was brought to stable storage first.
    pub fsync: &'static str,
    /// What keeps them from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What is odd, and what could not be cleaned up; the payload is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Everything in the dump that no server can restore, one by one, in the form of LOSSES.jsonl.
    #[serde(skip_serializing_if = "Losses::is_empty")]
    pub lost: Losses,
}

/// What was read from a dump and written into a payload.
#[derive(Clone, Debug, Serialize)]
pub struct PayloadReport {
    /// What surrounds the payload: `payload` = nothing, `file` = header and footer.
    pub form: &'static str,
    /// Adapters of which there were files to encode.
    pub adapters: Vec<&'static str>,
    /// The filters with which it was encoded; absent if all of the dump was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// The filters with which the dump was decoded: it is a part of its snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump_selection: Option<String>,
    /// How much was selected of the dump, also what no server restores.
    pub contents: Contents,
    /// Files of the dump that were read.
    pub dump_files: u64,
    /// Bytes in them.
    pub dump_bytes: u64,
    /// Files of the dump that were not asked for.
    pub dump_files_left_out: u64,
    /// Records in the payload.
    pub records: u64,
    /// Things of the dump that no server can restore: they are not in the payload, and the list `lost` of the report names them.
    pub not_restorable: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// SHA-256 of the payload, without header and footer, in hex.
    pub payload_sha256: String,
    /// Checksum in the footer, in hex, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fsm_crc32c: Option<String>,
    /// Redis keys among them whose expiry has passed by this machine's clock: a server drops them.
    pub expired_keys: u64,
    /// Things that the decode of the dump left out because they were damaged.
    #[serde(skip_serializing_if = "is_zero")]
    pub losses: u64,
    /// What options of that decode left out or accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_choice: Vec<Choice>,
    /// The commit timestamp of all records.
    pub last_commit: Moment,
    /// The one in the manifest of the dump.
    pub manifest_last_commit_ts: u64,
    /// The cluster that the dump is from, if its manifest names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_cluster_id: String,
    /// What came of the self test.
    pub self_test: SelfTestReport,
}

/// What came of a self test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SelfTestReport {
    /// Whether the payload was decoded again and compared.
    pub ran: bool,
    /// Whether it was equal; false if it was not compared.
    pub matched: bool,
}

/// Encodes the dump at `dump`, a directory or an archive, into a new payload at `snapshot`, with its info file beside it.
///
/// Everything is written into a private directory beside `snapshot`, read back, decoded and compared with the dump; then payload and
/// info file get their names, the info file last. Cost: memory as the options say, whatever the dump holds; in the file system of
/// `snapshot` room for up to three times the payload while it works.
///
/// # Errors
/// [`EncodeRefusal`], the errors of a replay ([`ekv_dump::replay::replay`]) and of writing. Nothing is published then; a self test that
/// fails leaves `<snapshot>.mismatch.txt`.
pub fn encode(dump: &Path, snapshot: &Path, options: &EncodeOptions, progress: &dyn Progress) -> Result<EncodeReport> {
    let info_path = EncodeInfo::path_beside(snapshot);
    let targets = [snapshot, info_path.as_path()];
    let mismatch_path = mismatch_path(snapshot);
    refuse_overlap(&[dump], &[snapshot, &info_path, &mismatch_path])?;
    let missing = NewParents::missing_above(snapshot).filter(|_| options.parents);
    if missing.is_none() {
        StagedFiles::check_targets(&targets, options.sink)?;
    }
    let (mut source, left_out) = open_source(dump, options, progress)?;
    let plan = plan(source.as_mut(), options)?;
    let parents = NewParents::create_missing(missing.filter(|_| !options.dry_run), options.sink.fsync)?;
    let stage = begin_stage(&targets, options.sink, options.dry_scratch())?;
    let job = Job { dump, snapshot, plan: &plan, options };
    let (encoded, verdict, published) = job.run(source.as_mut(), stage, progress)?;
    parents.keep();
    let left_behind = published.warnings.iter().map(ToString::to_string);
    Ok(EncodeReport {
        format_version: 1,
        snapshot: snapshot.display().to_string(),
        dry_run: published.is_nothing(),
        encode_info: info_path.display().to_string(),
        payload: payload_report(&plan, options, &encoded, verdict.as_ref()),
        published_by: published.method.name(),
        fsync: published.fsync.name(),
        privacy: published.privacy,
        warnings: left_out
            .into_iter()
            .chain(warnings(source.as_ref(), &plan, options, &encoded))
            .chain(left_behind)
            .collect(),
        lost: encoded.lost,
    })
}

/// Opens the dump that `dump` names; of an RDB file or an archive of files one is made in scratch space. Tells what that left out.
fn open_source(
    dump: &Path,
    options: &EncodeOptions,
    progress: &dyn Progress,
) -> Result<(Box<dyn ScopedSource>, Option<String>)> {
    let EncodeOptions { resources, last_commit_ts, strict, now, fs_tar, .. } = options;
    if let Some(archive) = fs_tar {
        let (source, skipped) = open_tar_as_dump(dump, *archive, options, progress)?;
        let left_out = || {
            format!("entries of the archive that no store can hold: {skipped}, left out as --fs-skip-unsupported says")
        };
        return Ok((source, (skipped > 0).then(left_out)));
    }
    let source = match is_rdb(dump) {
        true => {
            let as_dump = AsDump { resources, last_commit_ts: *last_commit_ts, strict: *strict, now: *now };
            open_rdb_as_dump(dump, &as_dump, progress)?
        }
        false => open_dump(dump, resources)?,
    };
    Ok((source, None))
}

/// A payload in a staging directory, which vanishes with it.
pub(crate) struct UnnamedPayload {
    pub(crate) payload: Payload,
    pub(crate) report: PayloadReport,
    pub(crate) warnings: Vec<String>,
    pub(crate) lost: Losses,
    pub(crate) stage: Box<dyn Stage>,
}

/// Encodes the dump at `dump` into a payload that has no name, in a staging directory beside `place`, where nothing may exist.
/// `check_dump` is asked about the dump before anything is written.
///
/// # Errors
/// As [`encode`].
pub(crate) fn encode_unnamed(
    dump: &Path,
    place: &Path,
    options: &EncodeOptions,
    check_dump: &dyn Fn(&StoredManifest) -> Result<()>,
    progress: &dyn Progress,
) -> Result<UnnamedPayload> {
    let (mut source, left_out) = open_source(dump, options, progress)?;
    let stored = read_manifest(source.as_mut(), &options.resources.scratch())?;
    check_dump(&stored)?;
    let plan = Plan::of(stored, source.as_mut(), options)?;
    let sink = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
    let mut stage = begin_stage(&[place], sink, options.dry_scratch())?;
    let (encoded, verdict) = write_and_test(source.as_mut(), stage.as_mut(), &plan, options, options.form, progress)?;
    if let Some(differences) = failed(verdict.as_ref()) {
        return Err(refusal(differences, None).into());
    }
    let info = encode_info(&plan, options, &encoded, verdict.as_ref(), dump, place);
    let payload = Payload { input: staged_input(stage.as_mut(), options.form)?, info };
    let report = payload_report(&plan, options, &encoded, verdict.as_ref());
    Ok(UnnamedPayload {
        payload,
        report,
        warnings: left_out.into_iter().chain(warnings(source.as_ref(), &plan, options, &encoded)).collect(),
        lost: encoded.lost,
        stage,
    })
}

/// Reads the manifest and decides what will be done.
fn plan(source: &mut dyn ScopedSource, options: &EncodeOptions) -> Result<Plan> {
    let scratch = options.resources.scratch();
    Plan::of(read_manifest(source, &scratch)?, source, options)
}

/// One encode into a payload with an info file.
struct Job<'a> {
    dump: &'a Path,
    snapshot: &'a Path,
    plan: &'a Plan,
    options: &'a EncodeOptions,
}

impl Job<'_> {
    /// Writes, tests and publishes; removes everything if any of it fails.
    fn run(
        &self,
        source: &mut dyn ScopedSource,
        mut stage: Box<dyn Stage>,
        progress: &dyn Progress,
    ) -> Result<(Encoded, Option<Verdict>, Published)> {
        match self.write(source, stage.as_mut(), progress) {
            Ok((encoded, verdict)) => match failed(verdict.as_ref()) {
                None => {
                    progress.begin(Phase::Publish, None);
                    Ok((encoded, verdict, stage.publish()?))
                }
                Some(differences) => {
                    let aborted = stage.abort();
                    let report = (!self.options.dry_run).then(|| self.write_mismatch(differences)).flatten();
                    Err(ekv_model::Error::from(refusal(differences, report)).after_cleaning_up(aborted))
                }
            },
            Err(error) => Err(error.after_cleaning_up(stage.abort())),
        }
    }

    fn write(
        &self,
        source: &mut dyn ScopedSource,
        stage: &mut dyn Stage,
        progress: &dyn Progress,
    ) -> Result<(Encoded, Option<Verdict>)> {
        let Job { plan, options, .. } = self;
        let (encoded, verdict) = write_and_test(source, stage, plan, options, options.form, progress)?;
        let info = encode_info(plan, options, &encoded, verdict.as_ref(), self.dump, self.snapshot);
        let bytes = info.to_bytes().map_err(|error| ekv_model::Error::new(ekv_model::Class::WriteIo, error))?;
        write_file(stage, INFO, |output| {
            output.write_all(&bytes).map_err(|source| ekv_snapshot::Error::io("write the info file", source).into())
        })?;
        Ok((encoded, verdict))
    }

    /// Leaves a list of the differences beside the payload that is not there; its path, if that works. An older one is replaced where the
    /// payload would have been.
    fn write_mismatch(&self, differences: &Differences) -> Option<String> {
        let path = mismatch_path(self.snapshot);
        let write = || -> ekv_files::Result<Published> {
            let mut stage = StagedFiles::create(&[&path], self.options.sink)?;
            stage.begin(0)?;
            stage.write(differences.to_text().as_bytes())?;
            stage.end()?;
            stage.publish()
        };
        write().ok().map(|_| path.display().to_string())
    }
}

/// Where the list of differences goes.
fn mismatch_path(snapshot: &Path) -> PathBuf {
    let mut path = OsString::from(snapshot);
    path.push(OsStr::new(".mismatch.txt"));
    PathBuf::from(path)
}

/// Writes the payload into the stage, and compares it with the dump if that is wanted.
fn write_and_test(
    source: &mut dyn ScopedSource,
    stage: &mut dyn Stage,
    plan: &Plan,
    options: &EncodeOptions,
    form: WrittenForm,
    progress: &dyn Progress,
) -> Result<(Encoded, Option<Verdict>)> {
    let (encoded, digests) = write_payload(source, stage, plan, options, form, progress)?;
    let verdict = match options.self_test {
        true => Some(self_test(stage, plan, options, form, (&encoded.written, digests), progress)?),
        false => None,
    };
    Ok((encoded, verdict))
}

fn warnings(source: &dyn ScopedSource, plan: &Plan, options: &EncodeOptions, encoded: &Encoded) -> Vec<String> {
    let Encoded { replayed, seen, .. } = encoded;
    let found = warnings_of(&replayed.findings).into_iter().chain(unmatched_warnings(seen, options));
    let found = index_warning(source).into_iter().chain(found);
    plan.accepted.iter().chain(&plan.warnings).cloned().chain(found).collect()
}

/// What a self test found wrong.
fn failed(verdict: Option<&Verdict>) -> Option<&Differences> {
    verdict.map(|verdict| &verdict.differences).filter(|differences| differences.count > 0)
}

fn refusal(differences: &Differences, report: Option<String>) -> EncodeRefusal {
    let first = differences.lines.iter().take(FIRST_DIFFERENCES).cloned().collect();
    EncodeRefusal::SelfTest { differences: differences.count, first, report }
}

/// What the info file says. The digest is that of the payload alone, also where header and footer surround it.
fn encode_info(
    plan: &Plan,
    options: &EncodeOptions,
    encoded: &Encoded,
    verdict: Option<&Verdict>,
    dump: &Path,
    snapshot: &Path,
) -> EncodeInfo {
    let SelfTestReport { ran, matched, .. } = self_test_report(verdict);
    EncodeInfo {
        encoder_version: options.encoder_version.clone(),
        encoder_key_format_version: EncodeInfo::KEY_FORMAT_VERSION,
        wall_time_iso: format_wall_time(options.now),
        input_root: dump.display().to_string(),
        output_fsm_path: snapshot.display().to_string(),
        output_fsm_sha256: encoded.written.payload_sha256,
        last_commit_ts: plan.commit_ts.0,
        last_commit_ts_overridden: options.last_commit_ts.is_some(),
        manifest_last_commit_ts: plan.manifest.last_commit_ts,
        manifest_cluster_id: plan.manifest.cluster_id.clone(),
        adapters_enabled: EncodeInfo::adapter_names(&plan.adapters),
        self_test: SelfTest { ran, matched },
        selection: joined(plan.account.selection.as_deref(), options.narrowed_selection()),
        losses: plan.account.loss_count,
        not_restorable: encoded.lost.count(),
    }
}

fn self_test_report(verdict: Option<&Verdict>) -> SelfTestReport {
    SelfTestReport { ran: verdict.is_some(), matched: verdict.is_some_and(|verdict| verdict.differences.count == 0) }
}

fn payload_report(plan: &Plan, options: &EncodeOptions, encoded: &Encoded, verdict: Option<&Verdict>) -> PayloadReport {
    let Encoded { replayed, written, seen, .. } = encoded;
    PayloadReport {
        form: match options.form {
            WrittenForm::Payload => "payload",
            WrittenForm::File => "file",
        },
        adapters: seen.adapters.iter().map(|adapter| adapter.name()).collect(),
        selection: options.narrowed_selection(),
        dump_selection: plan.account.selection.clone(),
        contents: seen.contents.clone(),
        dump_files: replayed.totals.files,
        dump_bytes: replayed.totals.bytes,
        dump_files_left_out: replayed.totals.files_left_out,
        records: written.records,
        not_restorable: encoded.lost.count(),
        bytes: written.bytes,
        payload_sha256: format_sha256(&written.payload_sha256),
        fsm_crc32c: written.footer_crc32c.map(|crc| format!("{crc:08x}")),
        expired_keys: seen.expired_keys,
        losses: plan.account.loss_count,
        by_choice: plan.account.choices.clone(),
        last_commit: Moment::from(plan.commit_ts),
        manifest_last_commit_ts: plan.manifest.last_commit_ts,
        source_cluster_id: plan.manifest.cluster_id.clone(),
        self_test: self_test_report(verdict),
    }
}

#[cfg(test)]
mod tests;
