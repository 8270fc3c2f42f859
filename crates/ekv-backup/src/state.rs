//! What a reader sees of the loaded snapshots: staged writes of transactions applied, records of other groups left out.
//!
//! Source: `docs/format/snapshot.md`, sections 11 and 12.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ekv_adapters::{Role, Router};
use ekv_model::{Findings, Result};
use ekv_snapshot::txn::{ReadPoint, TxnGroup, TxnOptions, TxnState, TxnTotals, resolve};
use ekv_snapshot::{CommitTs, FamilyTotals, Group, Owner, Owners, Owns, RecordFile, View};
use ekv_spill::Scratch;

use crate::answerable;
use crate::groups::{Groups, Holdings, LeftOut, compare_with_catalog};
use crate::loaded::{Loaded, LoadedSnapshot, ReadOptions, Unowned};
use crate::losses::LossFile;
use crate::ownership::Catalog;
use crate::progress::{Phase, Progress};
use crate::report::SnapshotReport;
use crate::time::format_commit_ts;
use ekv_adapters::is_exempt;

/// The visible state of everything that was loaded.
pub(crate) struct State {
    pub(crate) view: View,
    /// The moment at which each snapshot is read.
    pub(crate) read_ts: Vec<CommitTs>,
    /// Totals per family, where `visible` counts what the view shows.
    pub(crate) families: Vec<FamilyTotals>,
    pub(crate) transactions: TxnTotals,
    pub(crate) findings: Findings,
    pub(crate) groups: Groups,
    /// Whether each group is read at its own newest state.
    pub(crate) is_newest: bool,
    /// What holds for the result as a whole.
    pub(crate) notes: Vec<String>,
}

impl State {
    /// Decides at which moment each snapshot is read, and which records count then. Every loss goes to `losses`.
    ///
    /// Cost: one read of the transaction records, and one read of everything if there are staged writes or several groups, or if
    /// pass 1 has counted at another moment than `options.at`; fixed memory besides the routing catalog.
    ///
    /// # Errors
    /// Those of [`answerable::check`] and [`answerable::check_age`], and of reading.
    pub(crate) fn of(
        loaded: &Loaded,
        options: &ReadOptions,
        losses: &Arc<LossFile>,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<State> {
        let at = options.at.map(|at| at.commit_ts(answerable::newest_of_all(&loaded.snapshots)));
        if let Some(at) = at {
            answerable::check(&loaded.snapshots, at)?;
        }
        if let Some(not_before_ms) = options.not_before_ms {
            answerable::check_age(&loaded.snapshots, not_before_ms)?;
        }
        progress.begin(Phase::Resolve, None);
        let mut findings = Findings::with_log(Some(losses.clone()));
        let data_groups = loaded.snapshots.iter().filter(|snapshot| snapshot.is_data_group()).count();
        let mut families = loaded.families();
        let allowed = options.allow_missing_groups;
        let (catalog, groups_seen) = compare_with_catalog(&loaded.snapshots, at, &families, allowed, &mut findings)?;
        let filter = catalog.clone().filter(|_| data_groups > 1 && options.unowned == Unowned::Drop);
        let merges_groups = data_groups > 1 && filter.is_none();

        let groups: Vec<TxnGroup> = loaded.snapshots.iter().map(txn_group).collect();
        let owner_of = |user_key: &[u8]| catalog.as_ref().and_then(|catalog| catalog.owner_of(user_key));
        let read_point = match at {
            Some(read_ts) => ReadPoint::At(read_ts),
            None if merges_groups => ReadPoint::NewestOfAll,
            None => ReadPoint::NewestOfEach,
        };
        let txn_options =
            TxnOptions { view: options.view, read_point, owner_of: &owner_of, losses: Some(losses.clone()) };
        let resolved = resolve(&groups, &txn_options, scratch, progress)?;
        findings.merge(resolved.findings);
        let mut left_out = LeftOut::default();
        let has_overlay = resolved.groups.iter().any(|state| state.overlay.is_some());
        let view = if merges_groups {
            View::new(vec![merge(&loaded.snapshots, &resolved.groups)])
        } else {
            let pairs = loaded.snapshots.iter().zip(&resolved.groups);
            let named: BTreeSet<u64> = filter.iter().flat_map(|catalog| catalog.groups().into_keys()).collect();
            let groups = pairs.filter_map(|(snapshot, state)| {
                let is_named = snapshot.group_id.is_some_and(|id| named.contains(&id));
                let noted = match is_named {
                    true => Noted::Named(left_out.named_group(snapshot)),
                    false => Noted::Unnamed(left_out.unnamed_group(snapshot)),
                };
                let group = group(snapshot, state, filter.as_ref(), noted, left_out.unrouted())?;
                Some((group, snapshot.group_id))
            });
            let (groups, ids): (Vec<Group>, Vec<Option<u64>>) = groups.unzip();
            let view = View::new(groups);
            match filter.and_then(|catalog| CatalogOwners::new(catalog, &ids)) {
                Some(owners) => view.with_owners(Arc::new(owners)),
                None => view,
            }
        };
        let read_ts: Vec<CommitTs> = resolved.groups.iter().map(|state| state.read_ts).collect();
        let is_counted = !has_overlay && data_groups <= 1 && at == loaded.counted_at;
        if !is_counted
            && options.estimates
            && !has_overlay
            && data_groups <= 1
            && loaded.findings().iter().next().is_none()
        {
            // A record that is there at all may be visible.
            families.iter_mut().for_each(|family| family.visible = family.records);
        } else if !is_counted {
            let router = Router::default();
            let counts = view.count(&|user_key| router.number_of(user_key), progress)?;
            if families.len() < counts.families.len() {
                families.resize(counts.families.len(), FamilyTotals::default());
            }
            let counted = counts.families.iter().copied().chain(std::iter::repeat(Default::default()));
            for (family, counted) in families.iter_mut().zip(counted) {
                family.recount(&counted);
            }
            findings.merge(counts.findings);
        }
        left_out.report(allowed, &mut findings);
        let is_newest = at.is_none_or(|at| answerable::is_newest_of_all(&loaded.snapshots, at));
        let mut notes = Vec::new();
        match at {
            Some(_) if is_newest => {}
            Some(at) => answerable::compare_with_time(&loaded.snapshots, at, &mut findings),
            None if data_groups > 1 => {
                answerable::warn_about_ends(&loaded.snapshots, &mut findings);
                let closed_until = loaded.closed_until();
                let common = match loaded.common_times() {
                    Some((from, _)) if from <= closed_until => format!(
                        "--at {} reads all of them at the latest time that is final in each",
                        format_commit_ts(closed_until)
                    ),
                    _ => "there is no common time that is final in each".to_owned(),
                };
                notes.push(format!(
                    "{data_groups} groups, each read at its own newest state: their snapshots were taken at different moments, so that \
                     the latest writes of one may be there and those of another not; {common}"
                ));
            }
            None => {}
        }
        Ok(State {
            view,
            read_ts,
            families,
            transactions: resolved.totals,
            findings,
            groups: groups_seen,
            is_newest,
            notes,
        })
    }

    /// The latest moment at which a group is read.
    pub(crate) fn newest_read_ts(&self) -> CommitTs {
        self.read_ts.iter().copied().max().unwrap_or_default()
    }

    /// The earliest moment at which a group of `loaded` with data of users is read.
    pub(crate) fn oldest_read_ts(&self, loaded: &Loaded) -> CommitTs {
        let groups = loaded.snapshots.iter().zip(&self.read_ts).filter(|(snapshot, _)| snapshot.is_data_group());
        groups.map(|(_, read_ts)| *read_ts).min().unwrap_or_default()
    }

    /// What is told of each snapshot of `loaded`.
    pub(crate) fn reports(&self, loaded: &Loaded) -> Vec<SnapshotReport> {
        let report = |(loaded, read_ts): (&LoadedSnapshot, &CommitTs)| {
            let LoadedSnapshot { scan, bytes, group_id, snapshot_index, .. } = loaded;
            let report = SnapshotReport::new(scan, *bytes, *group_id, *snapshot_index, *read_ts);
            SnapshotReport { file: loaded.place.clone(), offload: loaded.offload.clone(), ..report }
        };
        loaded.snapshots.iter().zip(&self.read_ts).map(report).collect()
    }
}

fn txn_group(snapshot: &LoadedSnapshot) -> TxnGroup {
    TxnGroup {
        file: snapshot.file.clone(),
        group_id: snapshot.group_id,
        last_commit_ts: snapshot.scan.effective_last_commit_ts,
    }
}

/// Which group of a view owns which keys, by the catalog.
struct CatalogOwners {
    catalog: Arc<Catalog>,
    /// The number in the view of each group, by its id.
    numbers: BTreeMap<u64, usize>,
}

impl CatalogOwners {
    /// `ids` are those of the groups, in the order of the view; `None` if the catalog does not decide for all of them.
    fn new(catalog: Arc<Catalog>, ids: &[Option<u64>]) -> Option<CatalogOwners> {
        let numbered = ids.iter().enumerate().map(|(number, id)| id.map(|id| (id, number)));
        let numbers: BTreeMap<u64, usize> = numbered.collect::<Option<_>>()?;
        (numbers.len() == ids.len()).then_some(CatalogOwners { catalog, numbers })
    }
}

impl Owners for CatalogOwners {
    fn of(&self, user_key: &[u8]) -> Owner {
        if is_exempt(user_key) {
            return Owner::Any;
        }
        let number = self.catalog.owner_of(user_key).and_then(|id| self.numbers.get(&id));
        number.map_or(Owner::Nobody, |number| Owner::Group(*number))
    }

    fn of_prefix(&self, prefix: &[u8]) -> Owner {
        let number = self.catalog.owner_of_prefix(prefix).and_then(|id| self.numbers.get(&id));
        number.map_or(Owner::Any, |number| Owner::Group(*number))
    }
}

/// What is noted about the records of a group.
enum Noted {
    /// Whether it holds data, although it owns nothing.
    Unnamed(Arc<AtomicBool>),
    /// Whose data it holds.
    Named(Arc<Holdings>),
}

/// The view of one group; `None` if it has no records. The catalog leaves out what the group does not own; whose data that is, and whether it
/// is nobody's, is noted.
fn group(
    snapshot: &LoadedSnapshot,
    state: &TxnState,
    catalog: Option<&Arc<Catalog>>,
    noted: Noted,
    unrouted: Arc<AtomicBool>,
) -> Option<Group> {
    let files = files(snapshot, state);
    let owns = match (catalog.cloned(), snapshot.group_id) {
        (Some(catalog), Some(id)) => {
            let router = Router::default();
            let is_data = move |user_key: &[u8]| router.family_of(user_key).role() == Role::Data;
            let owns: Owns = Arc::new(move |user_key: &[u8]| {
                if is_exempt(user_key) {
                    return true;
                }
                let owner = catalog.owner_of(user_key);
                let is_own = owner == Some(id);
                let flag = match (owner, &noted) {
                    (None, _) => &unrouted,
                    (Some(_), Noted::Unnamed(holds)) => holds,
                    (Some(_), Noted::Named(holdings)) if is_own => &holdings.own,
                    (Some(_), Noted::Named(holdings)) => &holdings.of_others,
                };
                if !flag.load(Ordering::Relaxed) && is_data(user_key) {
                    flag.store(true, Ordering::Relaxed);
                }
                is_own
            });
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
