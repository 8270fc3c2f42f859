//! Snapshots that were checked, and how they are to be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_model::{Finding, Findings, Result};
use ekv_rdb::FieldExpiry;
use ekv_snapshot::txn::TxnView;
use ekv_snapshot::{CommitTs, DataKeys, FamilyTotals, Form, RecordFile, Scan, View};

use crate::index_cache::{IndexCache, IndexUse};
use crate::losses::LossFile;
use crate::offload::{OffloadChoice, OffloadReport, StoreListing};
use crate::server::ServerAccess;
use crate::snapshot_times::Answerable;
use crate::{CommandError, ReadTime, Resources};

/// The group that the server reserves for its clock; it holds no data of users.
const CLOCK_GROUP: u64 = 0;

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
    /// Whether a snapshot is accepted that holds nothing and does not prove that it never did.
    pub allow_empty: bool,
    /// Whether an older snapshot of a group is accepted where a newer one is damaged, or not named by a `.snap` file.
    pub allow_older: bool,
    /// Whether groups may be missing.
    pub allow_missing_groups: bool,
    /// Snapshots that end before this time are refused; Unix milliseconds.
    pub not_before_ms: Option<u64>,
    /// Where indexes of snapshots are kept; `None` = each snapshot is read as a whole.
    ///
    /// By an index that was kept, what is read besides the newest state has to be counted anew; at another time it is used only if `estimates`
    /// spares that.
    pub index: Option<IndexCache>,
    /// Whether the number of visible records of each family may be an upper bound, where counting them would take another read: for who asks for
    /// single names.
    pub estimates: bool,
    /// The keys of encrypted values; without them each is lost.
    pub keys: Option<Arc<DataKeys>>,
    /// Whether a clear value that opens as an encrypted one is looked for, and lost. Each clear value may cost an attempt.
    pub looks_for_rebadged: bool,
    /// Which snapshots of an offload store are read.
    pub offload: OffloadChoice,
    /// How running servers are reached, where one is named.
    pub server: ServerAccess,
    /// What happens to hashes of Redis and Valkey whose fields expire one by one.
    pub field_expiry: FieldExpiry,
    /// What reading may take.
    pub resources: Resources,
}

/// A snapshot that has passed all checks.
pub(crate) struct LoadedSnapshot {
    pub(crate) scan: Scan,
    pub(crate) file: RecordFile,
    pub(crate) bytes: u64,
    /// How messages name the file.
    pub(crate) input_name: String,
    /// What proves that it is whole, if anything does.
    pub(crate) is_proven: bool,
    /// What is odd about which file of its group it is.
    pub(crate) findings: Findings,
    /// The file, seen from the data directory that was named.
    pub(crate) place: Option<String>,
    pub(crate) group_id: Option<u64>,
    pub(crate) snapshot_index: Option<u64>,
    /// What is unusual about where it was found.
    pub(crate) notes: Vec<String>,
    /// Where it comes from, if that is an offload store.
    pub(crate) offload: Option<OffloadReport>,
    /// What became of its index, if one was asked for.
    pub(crate) index: Option<IndexUse>,
    /// An older snapshot of the same group, if that answers the time that is asked for, and this one no longer does.
    pub(crate) older_answer: Option<PathBuf>,
}

/// Everything that the user named.
pub(crate) struct Loaded {
    pub(crate) snapshots: Vec<LoadedSnapshot>,
    /// What holds for the directory as a whole.
    pub(crate) notes: Vec<String>,
    /// The moment at which visible records were counted; `None` = the newest state of each snapshot.
    pub(crate) counted_at: Option<CommitTs>,
    /// Prefixes of keys in no known family, with the number of their records.
    pub(crate) unknown_prefixes: Vec<(Vec<u8>, u64)>,
    /// What is lost of it, so far.
    pub(crate) losses: Arc<LossFile>,
    /// Everything that is in the offload store, if it is one.
    pub(crate) listing: Option<StoreListing>,
}

/// The newest snapshot of a group cannot be used.
pub(crate) const OLDER_SNAPSHOT: Finding = Finding::loss(
    "group_older_snapshot",
    "groups whose newest snapshot cannot be used, so that an older state was taken: what was written since is missing",
);

/// A newer snapshot lies there, and nothing names it.
pub(crate) const NEWER_SNAPSHOT: Finding = Finding::warning(
    "group_newer_snapshot_unnamed",
    "groups with a newer, intact snapshot that no .snap file names, as in a copy of a running node: it was not taken; to use it, name the file",
)
.fatal_if_strict();

impl LoadedSnapshot {
    /// Which times it can answer.
    pub(crate) fn answerable(&self) -> Answerable {
        Answerable::of(&self.scan)
    }

    /// Whether it is that of a group with data of users.
    pub(crate) fn is_data_group(&self) -> bool {
        self.group_id != Some(CLOCK_GROUP)
    }

    /// How examples name its group; they are part of the dump and hold no path.
    pub(crate) fn group_name(&self) -> String {
        self.group_id.map_or_else(|| "the only group".to_owned(), |id| format!("group {id}"))
    }
}

impl Loaded {
    /// Each snapshot by itself, at its newest state.
    pub(crate) fn views(&self) -> impl Iterator<Item = View> {
        self.snapshots.iter().map(|snapshot| View::of_file(&snapshot.file, snapshot.scan.effective_last_commit_ts))
    }

    /// The time before which compaction may have dropped what was hidden, of each snapshot that was compacted.
    pub(crate) fn retained_since(&self) -> impl Iterator<Item = CommitTs> {
        let oldest = self.snapshots.iter().map(|snapshot| CommitTs(snapshot.scan.watermarks.oldest_answerable()));
        // A server that never compacted states a time at which there was none.
        oldest.filter(|oldest| oldest.unix_ms() > 0)
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
            all.merge(loaded.findings.clone());
        }
        all
    }

    /// What is unusual about where the snapshots were found.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.snapshots.iter().flat_map(|loaded| loaded.notes.clone()).chain(self.notes.iter().cloned())
    }

    /// First and last time that each of several groups with data of users answers; `None` if there is no such time, or one group only.
    pub(crate) fn common_times(&self) -> Option<(CommitTs, CommitTs)> {
        let groups = self.snapshots.iter().filter(|loaded| loaded.is_data_group());
        let all: Vec<Answerable> = groups.map(LoadedSnapshot::answerable).collect();
        let from = all.iter().filter_map(Answerable::from).max()?;
        let end = all.iter().map(|times| times.end).min()?;
        (all.len() > 1 && from <= end).then_some((from, end))
    }

    /// No later commit can be of this time or before, in any group.
    pub(crate) fn closed_until(&self) -> CommitTs {
        let groups = self.snapshots.iter().filter(|loaded| loaded.is_data_group());
        groups.map(|loaded| loaded.answerable().closed_until).min().unwrap_or_default()
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
