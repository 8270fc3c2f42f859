//! Pass 1 over everything that the user named: checked and indexed snapshots.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ekv_adapters::Router;
use ekv_model::{Findings, Result};
use ekv_snapshot::datadir::{GroupDir, Note};
use ekv_snapshot::txn::TxnView;
use ekv_snapshot::{
    CommitTs, FamilyTotals, FooterPolicy, Form, Input, RecordFile, Scan, ScanOptions, View, check_read_ts, scan,
};
use ekv_spill::Scratch;

use crate::losses::LossFile;
use crate::open::too_many_bytes;
use crate::progress::{Follower, Phase, Progress};
use crate::report::SnapshotReport;
use crate::{CommandError, Opened, ReadTime, Resources, open};

/// What happens to records in a group that does not own their keys. Source: `docs/format/snapshot.md`, section 12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unowned {
    /// They are left out, and counted.
    #[default]
    Drop,
    /// They are kept: of every key the newest version of any group counts, be it a deletion; of copies with the same commit
    /// timestamp the one of the group with the smallest id.
    Keep,
}

/// How snapshots are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The moment at which versions are resolved; `None` = the newest state of each snapshot.
    pub at: Option<ReadTime>,
    /// Whether a snapshot without checksum footer is refused.
    pub require_checksum: bool,
    /// Which committed writes count where the server would miss some.
    pub view: TxnView,
    /// What happens to records in a group that does not own their keys.
    pub unowned: Unowned,
    /// What reading may take.
    pub resources: Resources,
}

/// A snapshot that has passed all checks.
pub(crate) struct LoadedSnapshot {
    pub(crate) scan: Scan,
    pub(crate) file: RecordFile,
    pub(crate) read_ts: CommitTs,
    pub(crate) bytes: u64,
    /// The file, seen from the data directory that was named.
    pub(crate) place: Option<String>,
    pub(crate) group_id: Option<u64>,
    pub(crate) snapshot_index: Option<u64>,
    /// What is unusual about where it was found.
    pub(crate) notes: Vec<String>,
}

/// Everything that the user named.
pub(crate) struct Loaded {
    pub(crate) snapshots: Vec<LoadedSnapshot>,
    /// Prefixes of keys in no known family, with the number of their records.
    pub(crate) unknown_prefixes: Vec<(Vec<u8>, u64)>,
    /// What is lost of it, so far.
    pub(crate) losses: Arc<LossFile>,
}

/// Opens and checks what `argument` names. Nothing is written but nameless scratch files.
pub(crate) fn load(
    argument: &Path,
    options: &ReadOptions,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let mut loader = Loader::new(options, scratch, progress);
    progress.begin(Phase::Check, None);
    let snapshots = match open(argument, &options.resources, scratch, &Follower::new(progress))? {
        Opened::Snapshot(opened) => vec![loader.snapshot(opened.input, None, opened.snapshot_index, Vec::new())?],
        Opened::DataDirectory(groups) => {
            let loaded: Result<Vec<_>> = groups.iter().map(|group| loader.group(argument, group)).collect();
            loaded?
        }
    };
    Ok(loader.loaded(snapshots))
}

/// Checks one snapshot that is open already.
pub(crate) fn load_input(
    input: Input,
    options: &ReadOptions,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let mut loader = Loader::new(options, scratch, progress);
    let snapshots = vec![loader.snapshot(input, None, None, Vec::new())?];
    Ok(loader.loaded(snapshots))
}

struct Loader<'a> {
    options: &'a ReadOptions,
    scratch: &'a Arc<dyn Scratch>,
    progress: &'a dyn Progress,
    /// Of the snapshots that are used; bounded, since each gives a bounded number.
    unknown_prefixes: BTreeMap<Vec<u8>, u64>,
    losses: Arc<LossFile>,
}

impl<'a> Loader<'a> {
    fn new(options: &'a ReadOptions, scratch: &'a Arc<dyn Scratch>, progress: &'a dyn Progress) -> Self {
        let losses = LossFile::new(scratch);
        Loader { options, scratch, progress, unknown_prefixes: BTreeMap::new(), losses }
    }

    fn loaded(self, snapshots: Vec<LoadedSnapshot>) -> Loaded {
        Loaded { snapshots, unknown_prefixes: self.unknown_prefixes.into_iter().collect(), losses: self.losses }
    }
}

impl Loader<'_> {
    fn snapshot(
        &mut self,
        mut input: Input,
        group_id: Option<u64>,
        snapshot_index: Option<u64>,
        notes: Vec<String>,
    ) -> Result<LoadedSnapshot> {
        if self.options.require_checksum {
            input.footer = FooterPolicy::Required;
        }
        let resources = &self.options.resources;
        if let Some(max) = resources.bytes_max.filter(|max| input.len > *max) {
            return Err(ekv_snapshot::Error::new(too_many_bytes(max)).in_file(&input.name).into());
        }
        self.progress.begin(Phase::Check, Some(input.len));
        let at = self.options.at.map(ReadTime::commit_ts);
        let losses = self.losses.another();
        let scan_options = ScanOptions {
            read_ts: at,
            entries_max: resources.entries_max.unwrap_or(u64::MAX),
            losses: Some(losses.clone()),
            ..ScanOptions::default()
        };
        let watch = Follower::new(self.progress);
        let mut router = Router::default();
        let (scan, file) = scan(&input, &scan_options, &mut router, self.scratch, &watch)?;
        if let Some(read_ts) = at {
            check_read_ts(&scan, read_ts).map_err(|e| e.in_file(&input.name))?;
        }
        // What was found in a file that is not used counts for nothing.
        self.losses.append(&losses)?;
        let read_ts = at.unwrap_or(scan.effective_last_commit_ts);
        for (prefix, records) in router.unknown_prefixes() {
            let sum = self.unknown_prefixes.entry(prefix.to_vec()).or_default();
            *sum = sum.saturating_add(records);
        }
        Ok(LoadedSnapshot { scan, file, read_ts, bytes: input.len, place: None, group_id, snapshot_index, notes })
    }

    /// The newest snapshot of a group of the data directory `argument` that passes all checks.
    fn group(&mut self, argument: &Path, group: &GroupDir) -> Result<LoadedSnapshot> {
        let mut candidates = group.candidates();
        while let Some(found) = candidates.next()? {
            let notes = found.notes.iter().map(Note::to_string).collect();
            match self.snapshot(found.input.clone(), found.group_id, found.file_index, notes) {
                Ok(mut loaded) => {
                    let place = found.path.strip_prefix(argument).unwrap_or(&found.path);
                    loaded.place = Some(place.display().to_string());
                    let rejected = candidates.rejected().iter().map(|rejected| format!("passed over {rejected}"));
                    loaded.notes.extend(rejected);
                    return Ok(loaded);
                }
                Err(error) if error.class() == ekv_model::Class::Data && !is_limit(&error) => {
                    match into_snapshot_error(error) {
                        Ok(error) => candidates.reject(&found, error),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(candidates.into_error().into())
    }
}

/// Whether a snapshot is not damaged but larger than was asked for: an older one is no answer to that.
fn is_limit(error: &ekv_model::Error) -> bool {
    let snapshot_error = error.get_ref().downcast_ref::<ekv_snapshot::Error>();
    snapshot_error.is_some_and(|error| matches!(error.kind(), ekv_snapshot::ErrorKind::LimitExceeded { .. }))
}

/// The snapshot error inside an error, to be listed with its file.
fn into_snapshot_error(error: ekv_model::Error) -> std::result::Result<ekv_snapshot::Error, ekv_model::Error> {
    error.downcast::<ekv_snapshot::Error>()
}

impl Loaded {
    /// Each snapshot by itself.
    pub(crate) fn views(&self) -> impl Iterator<Item = View> {
        self.snapshots.iter().map(|snapshot| View::of_file(&snapshot.file, snapshot.read_ts))
    }

    /// Makes sure that what was checked is what was read since.
    ///
    /// # Errors
    /// A file was written to in the meantime.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        Ok(self.snapshots.iter().try_for_each(|snapshot| snapshot.file.check_unchanged())?)
    }

    /// Totals per family, summed over all snapshots.
    pub(crate) fn families(&self) -> Vec<FamilyTotals> {
        let mut sums: Vec<FamilyTotals> = Vec::new();
        for loaded in &self.snapshots {
            if sums.len() < loaded.scan.families.len() {
                sums.resize(loaded.scan.families.len(), FamilyTotals::default());
            }
            for (sum, totals) in sums.iter_mut().zip(&loaded.scan.families) {
                sum.add(totals);
            }
        }
        sums
    }

    /// What pass 1 found odd.
    pub(crate) fn findings(&self) -> Findings {
        let mut all = Findings::default();
        for loaded in &self.snapshots {
            all.merge(loaded.scan.findings.clone());
        }
        all
    }

    /// What is unusual about where the snapshots were found.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.snapshots.iter().flat_map(|loaded| loaded.notes.clone())
    }

    pub(crate) fn reports(&self) -> Vec<SnapshotReport> {
        let report = |loaded: &LoadedSnapshot| {
            let LoadedSnapshot { scan, bytes, group_id, snapshot_index, read_ts, .. } = loaded;
            let report = SnapshotReport::new(scan, *bytes, *group_id, *snapshot_index, *read_ts);
            SnapshotReport { file: loaded.place.clone(), ..report }
        };
        self.snapshots.iter().map(report).collect()
    }

    /// An error if all that was named is the state of a timestamp oracle.
    pub(crate) fn check_has_data(&self, argument: &Path) -> Result<()> {
        let is_oracle = |loaded: &LoadedSnapshot| matches!(loaded.scan.envelope.form, Form::TimestampOracle { .. });
        if !self.snapshots.is_empty() && self.snapshots.iter().all(is_oracle) {
            return Err(CommandError::NoData { what: argument.display().to_string() }.into());
        }
        Ok(())
    }
}
