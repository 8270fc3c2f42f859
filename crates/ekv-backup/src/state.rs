//! What a reader sees of the loaded snapshots: staged writes of transactions applied, records of other groups left out.
//!
//! Source: `docs/format/snapshot.md`, sections 11 and 12.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_adapters::Router;
use ekv_model::{Example, Finding, Findings, Result};
use ekv_snapshot::txn::{ReadPoint, TxnGroup, TxnOptions, TxnState, TxnTotals, resolve};
use ekv_snapshot::{CommitTs, FamilyTotals, Group, Owner, OwnerOf, Owns, RecordFile, View};
use ekv_spill::Scratch;

use crate::ReadTime;
use crate::load::{Loaded, LoadedSnapshot, ReadOptions, Unowned};
use crate::ownership::{Catalog, CatalogError, is_exempt};
use crate::progress::{Follower, Phase, Progress};
use crate::time::format_commit_ts;

/// The group that the server reserves for its clock; it holds no data of users.
const CLOCK_GROUP: u64 = 0;
/// How far commit timestamps run ahead of the wall clock, in milliseconds (`docs/format/snapshot.md`, section 7.3).
const CLOCK_LEASE_MS: u64 = 10_000;

/// The routing catalog cannot be used.
const NO_CATALOG: Finding = Finding::warning(
    "groups_without_routing_catalog",
    "nothing says which group owns which keys: of every key the newest version of any group was taken",
)
.fatal_if_strict();

/// The read timestamp is not far enough in the past.
const RECENT_TIME: Finding = Finding::warning(
    "groups_read_near_newest_commit",
    "groups whose newest commit is less than 10 seconds after the time that was asked for: it is a common time of all groups, \
              not a proven cut",
);

/// The visible state of everything that was loaded.
pub(crate) struct State {
    pub(crate) view: View,
    /// Totals per family, where `visible` counts what the view shows.
    pub(crate) families: Vec<FamilyTotals>,
    pub(crate) transactions: TxnTotals,
    pub(crate) findings: Findings,
    /// What holds for the result as a whole.
    pub(crate) notes: Vec<String>,
}

impl State {
    /// Decides which records count and sets the read timestamp of each snapshot accordingly.
    ///
    /// Cost: one read of the transaction records, and one read of everything if there are staged writes or several groups;
    /// fixed memory besides the routing catalog.
    pub(crate) fn of(
        loaded: &mut Loaded,
        options: &ReadOptions,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<State> {
        progress.begin(Phase::Resolve, None);
        let follower = Follower::new(progress);
        let mut findings = Findings::default();
        let data_groups = loaded.snapshots.iter().filter(|snapshot| is_data_group(snapshot)).count();
        let catalog = read_catalog(&loaded.snapshots, data_groups, &mut findings)?;
        let filter = catalog.clone().filter(|_| data_groups > 1 && options.unowned == Unowned::Drop);
        let merges_groups = data_groups > 1 && filter.is_none();

        let groups: Vec<TxnGroup> = loaded.snapshots.iter().map(txn_group).collect();
        let owner_of = |user_key: &[u8]| catalog.as_ref().and_then(|catalog| catalog.owner_of(user_key));
        let read_point = match options.at.map(ReadTime::commit_ts) {
            Some(read_ts) => ReadPoint::At(read_ts),
            None if merges_groups => ReadPoint::NewestOfAll,
            None => ReadPoint::NewestOfEach,
        };
        let txn_options =
            TxnOptions { view: options.view, read_point, owner_of: &owner_of, losses: Some(loaded.losses.clone()) };
        let resolved = resolve(&groups, &txn_options, scratch, &follower)?;
        findings.merge(resolved.findings);
        for (snapshot, state) in loaded.snapshots.iter_mut().zip(&resolved.groups) {
            snapshot.read_ts = state.read_ts;
        }

        let has_overlay = resolved.groups.iter().any(|state| state.overlay.is_some());
        let view = if merges_groups {
            View::new(vec![merge(&loaded.snapshots, &resolved.groups)])
        } else {
            let pairs = loaded.snapshots.iter().zip(&resolved.groups);
            let groups = pairs
                .filter_map(|(snapshot, state)| Some((group(snapshot, state, filter.as_ref())?, snapshot.group_id)));
            let (groups, ids): (Vec<Group>, Vec<Option<u64>>) = groups.unzip();
            let view = View::new(groups);
            match filter.and_then(|catalog| owner_of_groups(catalog, &ids)) {
                Some(owner_of) => view.with_owner_of(owner_of),
                None => view,
            }
        };
        let mut families = loaded.families();
        if has_overlay || data_groups > 1 {
            let router = Router::default();
            let counts = view.count(&|user_key| router.number_of(user_key), &follower)?;
            if families.len() < counts.families.len() {
                families.resize(counts.families.len(), FamilyTotals::default());
            }
            let counted = counts.families.iter().copied().chain(std::iter::repeat(Default::default()));
            for (family, counted) in families.iter_mut().zip(counted) {
                family.recount(&counted);
            }
            findings.merge(counts.findings);
        }
        let mut notes = Vec::new();
        if data_groups > 1 {
            match options.at {
                Some(at) => warn_about_recent_time(&loaded.snapshots, at.commit_ts(), &mut findings),
                None => notes.push(format!(
                    "{data_groups} groups, each read at its own newest state: their snapshots were taken at different moments, so \
                     that the latest writes of one may be there and those of another not; use --at for a common time"
                )),
            }
        }
        Ok(State { view, families, transactions: resolved.totals, findings, notes })
    }
}

fn is_data_group(snapshot: &LoadedSnapshot) -> bool {
    snapshot.group_id != Some(CLOCK_GROUP)
}

/// How examples name a group; they are part of the dump and hold no path.
fn name(snapshot: &LoadedSnapshot) -> String {
    snapshot.group_id.map_or_else(|| "the only group".to_owned(), |id| format!("group {id}"))
}

fn txn_group(snapshot: &LoadedSnapshot) -> TxnGroup {
    TxnGroup {
        file: snapshot.file.clone(),
        group_id: snapshot.group_id,
        last_commit_ts: snapshot.scan.effective_last_commit_ts,
    }
}

/// Reads the catalog from the group with the smallest id; `None` if it cannot be used.
fn read_catalog(
    snapshots: &[LoadedSnapshot],
    data_groups: usize,
    findings: &mut Findings,
) -> Result<Option<Arc<Catalog>>> {
    let holder = snapshots.iter().filter(|snapshot| is_data_group(snapshot)).min_by_key(|snapshot| snapshot.group_id);
    let Some(holder) = holder else { return Ok(None) };
    let problem = match Catalog::read(&holder.file, holder.read_ts) {
        Ok(catalog) => return Ok(Some(Arc::new(catalog))),
        Err(CatalogError::Read(error)) => return Err(error),
        Err(problem) => problem,
    };
    // Without other groups nothing depends on the catalog.
    if data_groups > 1 {
        findings.record(NO_CATALOG, || Example::new(None, None, format!("{}: {problem}", name(holder))));
    }
    Ok(None)
}

/// Which group of a view owns a key, if the catalog decides that for all of them; `ids` are theirs, in the order of the view.
fn owner_of_groups(catalog: Arc<Catalog>, ids: &[Option<u64>]) -> Option<OwnerOf> {
    let numbered = ids.iter().enumerate().map(|(number, id)| id.map(|id| (id, number)));
    let numbers: BTreeMap<u64, usize> = numbered.collect::<Option<_>>()?;
    if numbers.len() != ids.len() {
        return None;
    }
    Some(Arc::new(move |user_key: &[u8]| match is_exempt(user_key) {
        true => Owner::Any,
        false => {
            let number = catalog.owner_of(user_key).and_then(|id| numbers.get(&id));
            number.map_or(Owner::Nobody, |number| Owner::Group(*number))
        }
    }))
}

/// The view of one group; `None` if it has no records. The catalog leaves out what the group does not own.
fn group(snapshot: &LoadedSnapshot, state: &TxnState, catalog: Option<&Arc<Catalog>>) -> Option<Group> {
    let files = files(snapshot, state);
    let owns = match (catalog.cloned(), snapshot.group_id) {
        (Some(catalog), Some(id)) => {
            let owns: Owns =
                Arc::new(move |user_key: &[u8]| is_exempt(user_key) || catalog.owner_of(user_key) == Some(id));
            Some(owns)
        }
        _ => None,
    };
    (!files.is_empty()).then_some(Group { files, read_ts: state.read_ts, owns })
}

/// All groups as one: of every key the newest version counts, whichever group holds it.
fn merge(snapshots: &[LoadedSnapshot], states: &[TxnState]) -> Group {
    let pairs = snapshots.iter().zip(states);
    // Overlays come first, so that what they hide is hidden in all groups.
    let (overlays, files): (Vec<RecordFile>, Vec<RecordFile>) =
        pairs.flat_map(|(snapshot, state)| files(snapshot, state)).partition(RecordFile::is_overlay);
    let read_ts = states.iter().map(|state| state.read_ts).max().unwrap_or_default();
    Group { files: overlays.into_iter().chain(files).collect(), read_ts, owns: None }
}

/// Overlay and snapshot, as far as they hold something.
fn files(snapshot: &LoadedSnapshot, state: &TxnState) -> Vec<RecordFile> {
    state.overlay.iter().chain([&snapshot.file]).filter(|file| !file.is_empty()).cloned().collect()
}

fn warn_about_recent_time(snapshots: &[LoadedSnapshot], read_ts: CommitTs, findings: &mut Findings) {
    for snapshot in snapshots.iter().filter(|snapshot| is_data_group(snapshot)) {
        let newest = snapshot.scan.effective_last_commit_ts;
        if newest.unix_ms() < read_ts.unix_ms().saturating_add(CLOCK_LEASE_MS) {
            findings.record(RECENT_TIME, || {
                Example::new(None, None, format!("{}: newest commit {}", name(snapshot), format_commit_ts(newest)))
            });
        }
    }
}
