//! Are all Raft groups here? Source: `docs/format/snapshot.md`, section 12.
//!
//! The routing catalog, itself among the records of the group with the smallest id, names every group that owns keys. A group that it
//! names and that has no snapshot is a loss: half of the data of a cluster must not look like all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ekv_adapters::Family;
use ekv_model::{Example, Finding, Findings, Result};
use ekv_snapshot::{CommitTs, FamilyTotals};

use crate::loaded::LoadedSnapshot;
use crate::ownership::{Catalog, CatalogError};
use crate::snapshot_times::first_commit;

/// A group is not here.
pub(crate) const MISSING: Finding = Finding::loss(
    "group_missing",
    "groups that own keys, as the routing catalog says, and of which there is no snapshot here: their keys are missing",
);

/// The routing catalog cannot be used.
pub(crate) const NO_CATALOG: Finding = Finding::loss(
    "groups_without_routing_catalog",
    "nothing says which groups there are and which of them owns which keys: a group may be missing, and of every key the newest version \
     of any group was taken",
);

/// A group is here under another name, or lost all its keys to others.
pub(crate) const NOT_IN_CATALOG: Finding = Finding::loss(
    "group_not_in_routing_catalog",
    "groups that own no key, as the routing catalog says, but hold records, which were left out: is the directory named right?",
);

/// A group is that of another directory.
pub(crate) const OF_ANOTHER: Finding = Finding::loss(
    "group_of_another_directory",
    "groups that own keys, as the routing catalog says, but hold only keys of others, or the very snapshot of another group: their own keys \
     are missing; is the directory named right?",
);

/// The routes have a gap.
pub(crate) const UNROUTED: Finding = Finding::loss(
    "records_of_no_group",
    "records were left out because the routing catalog gives their keys to no group at all",
);

/// Families that a cluster of one group never writes.
const OF_SEVERAL_GROUPS: [Family; 4] = [Family::TxnLock, Family::TxnIntent, Family::TxnCommit, Family::TxnRollback];

/// How many groups there are, and how many there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Groups with data of users.
    pub(crate) present: u64,
    /// Groups that own keys; `None` if nothing says it.
    pub(crate) expected: Option<u64>,
}

/// Reads the catalog from the group with the smallest id, at a moment or at its newest state; `None` if it cannot be used.
///
/// Compares it with the groups that are here; what is amiss goes into `findings`, which the user may have accepted.
pub(crate) fn compare_with_catalog(
    snapshots: &[LoadedSnapshot],
    at: Option<CommitTs>,
    families: &[FamilyTotals],
    are_missing_allowed: bool,
    findings: &mut Findings,
) -> Result<(Option<Arc<Catalog>>, Groups)> {
    let data_groups: Vec<&LoadedSnapshot> = snapshots.iter().filter(|snapshot| snapshot.is_data_group()).collect();
    let present = u64::try_from(data_groups.len()).unwrap_or(u64::MAX);
    let mut find = |finding: Finding, detail: String| {
        findings.record(finding.accepted_if(are_missing_allowed), || Example::new(None, None, detail));
    };
    let mut firsts = BTreeMap::new();
    for snapshot in &data_groups {
        let Some(contents) = contents(snapshot) else { continue };
        let first: &LoadedSnapshot = firsts.entry(contents).or_insert(snapshot);
        if !std::ptr::eq(first, *snapshot) {
            find(OF_ANOTHER, format!("{} is a copy of {}", snapshot.group_name(), first.group_name()));
        }
    }
    let Some(holder) = data_groups.iter().min_by_key(|snapshot| snapshot.group_id) else {
        if !snapshots.is_empty() {
            find(NO_CATALOG, "group 0 is the clock of a cluster: the groups with its data are not here".to_owned());
        }
        return Ok((None, Groups { present, expected: None }));
    };
    let problem = match Catalog::read(&holder.file, at.unwrap_or(holder.scan.effective_last_commit_ts)) {
        Ok(catalog) => {
            let expected = catalog.groups();
            let count = u64::try_from(expected.len()).unwrap_or(u64::MAX);
            let are_here: BTreeSet<u64> = data_groups.iter().filter_map(|snapshot| snapshot.group_id).collect();
            if are_here.is_empty() {
                // A snapshot that does not say which group it is of is one of them.
                if count > 1 {
                    find(
                        MISSING,
                        format!("this is one group of {count}; the routing catalog in it names {}", list(&expected)),
                    );
                }
            } else {
                for (group_id, start) in expected.iter().filter(|(id, _)| !are_here.contains(id)) {
                    let keys = match start.is_empty() {
                        true => "from the first key on".to_owned(),
                        false => format!("from {} on", ekv_snapshot::escape(start)),
                    };
                    find(MISSING, format!("group {group_id} of {count}, which owns keys {keys}"));
                }
            }
            return Ok((Some(Arc::new(catalog)), Groups { present, expected: Some(count) }));
        }
        Err(CatalogError::Read(error)) => return Err(error),
        Err(problem) => problem,
    };
    let is_of_several = || {
        let records = |family: &Family| families.get(family.number()).map_or(0, |totals| totals.records);
        OF_SEVERAL_GROUPS.iter().map(records).sum::<u64>() > 0
    };
    match (&problem, data_groups.as_slice()) {
        // A payload that `encode` wrote, or the first snapshot of a fresh store.
        (CatalogError::Absent, [only]) if only.group_id.is_none() && !is_of_several() => {}
        (CatalogError::Absent, [only]) => {
            let why = if only.group_id.is_some() { "as its directory says" } else { "as its transactions show" };
            find(
                NO_CATALOG,
                format!("{}: one group of a cluster, {why}; the other groups are not here", only.group_name()),
            );
        }
        _ => find(NO_CATALOG, format!("{}: {problem}", holder.group_name())),
    }
    Ok((None, Groups { present, expected: None }))
}

/// What tells the snapshots of two groups apart: checksum and length in bytes. `None` without any record of a user, as such snapshots may
/// well be equal, and without a checksum.
fn contents(snapshot: &LoadedSnapshot) -> Option<(u32, u64)> {
    let checksum = snapshot.scan.envelope.footer_crc32c?;
    first_commit(&snapshot.scan).map(|_| (checksum, snapshot.bytes))
}

/// The first few groups, for a message.
fn list(groups: &BTreeMap<u64, &[u8]>) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> = groups.keys().take(SHOWN).map(|id| format!("group {id}")).collect();
    if groups.len() > SHOWN {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// Notes which records a view leaves out without anybody else showing them.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// Records of a group that owns nothing, by the group's place among the snapshots.
    of_unnamed_groups: Vec<(String, Arc<AtomicBool>)>,
    /// What the groups that own something hold.
    of_named_groups: Vec<(String, Arc<Holdings>)>,
    unrouted: Arc<AtomicBool>,
}

/// Whose data a group holds.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) own: AtomicBool,
    pub(crate) of_others: AtomicBool,
}

impl LeftOut {
    /// Where to note what a group holds that the catalog names.
    pub(crate) fn named_group(&mut self, snapshot: &LoadedSnapshot) -> Arc<Holdings> {
        let holdings = Arc::new(Holdings::default());
        self.of_named_groups.push((snapshot.group_name(), Arc::clone(&holdings)));
        holdings
    }

    /// A flag for the records of a group that the catalog does not name.
    pub(crate) fn unnamed_group(&mut self, snapshot: &LoadedSnapshot) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        self.of_unnamed_groups.push((snapshot.group_name(), Arc::clone(&flag)));
        flag
    }

    /// The flag for records that no group owns.
    pub(crate) fn unrouted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.unrouted)
    }

    /// What was noted.
    pub(crate) fn report(self, are_missing_allowed: bool, findings: &mut Findings) {
        let mut find = |finding: Finding, detail: String| {
            findings.record(finding.accepted_if(are_missing_allowed), || Example::new(None, None, detail));
        };
        for (name, flag) in self.of_unnamed_groups {
            if flag.load(Ordering::Relaxed) {
                find(NOT_IN_CATALOG, format!("{name}; --keep-unowned keeps its records"));
            }
        }
        for (name, holdings) in self.of_named_groups {
            if holdings.of_others.load(Ordering::Relaxed) && !holdings.own.load(Ordering::Relaxed) {
                find(OF_ANOTHER, format!("{name} holds only keys of others; --keep-unowned keeps its records"));
            }
        }
        if self.unrouted.load(Ordering::Relaxed) {
            find(UNROUTED, "--keep-unowned keeps them".to_owned());
        }
    }
}
