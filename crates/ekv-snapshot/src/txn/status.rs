//! What became of transactions. Source: `docs/format/snapshot.md`, sections 11.3 and 11.4, rules 3 to 6.

use std::cmp::Ordering;

use ekv_spill::Sorter;

use super::findings;
use super::keys::{self, COMMIT, LOCK, ROLLBACK};
use super::locks::{HeldLock, LockScan};
use super::record::{Damage, parse_commit, parse_rollback};
use super::work::{Work, changed, describe};
use crate::view::{Lookup, View};
use crate::{CommitTs, Result};

/// What the status records say about a transaction.
#[derive(Clone, Debug)]
enum Status {
    Committed(CommitTs),
    RolledBack,
    Damaged(Damage),
    /// There is no status record.
    Unknown,
}

/// Locks by the fate of their transactions.
pub(super) struct Decided {
    /// Key = [`keys::committed_key`], payload = [`HeldLock`].
    pub(super) committed: Sorter,
    /// Key = primary key and inverted start timestamp, payload = [`HeldLock`].
    pub(super) undecided: Sorter,
    /// Greatest commit timestamp among the committed ones that were not resolved, by group.
    pub(super) newest_commits: Vec<CommitTs>,
}

/// Looks the status of every transaction up, once, in all groups at their newest state.
pub(super) fn decide(work: &mut Work<'_>, locks: Sorter) -> Result<Decided> {
    let mut decided = Decided {
        committed: work.sorter(),
        undecided: work.sorter(),
        newest_commits: vec![CommitTs(0); work.groups.len()],
    };
    let mut records = StatusRecords::new(work);
    let mut current: Option<(Vec<u8>, Status)> = None;
    let mut locks = locks.finish()?;
    while let Some((id, lock)) = locks.next()? {
        work.visit()?;
        let lock = HeldLock::decode(lock).ok_or_else(changed)?;
        let (primary, start_ts) = keys::split_transaction_id(id).ok_or_else(changed)?;
        let status = match &mut current {
            Some((known, status)) if known == id => &*status,
            slot => &slot.insert((id.to_vec(), records.get(id)?)).1,
        };
        let counts = work.counts(&lock);
        let count = |total: &mut u64| *total = total.saturating_add(u64::from(counts));
        match status {
            Status::Committed(commit_ts) if lock.cleaned_up.is_some() => {
                if *commit_ts <= work.limit() {
                    // Beyond the newest commit of the group it cannot have been applied there.
                    let group = work.group(lock.group).ok_or_else(changed)?;
                    if *commit_ts > group.last_commit_ts
                        && let Some(newest) = decided.newest_commits.get_mut(usize::from(lock.group)).filter(|_| counts)
                    {
                        *newest = (*newest).max(*commit_ts);
                    }
                    let key = keys::committed_key(lock.group, &lock.user_key, *commit_ts, start_ts);
                    decided.committed.push(&key, &lock.encode())?;
                }
            }
            _ if lock.cleaned_up.is_some() => {}
            Status::Committed(commit_ts) if *commit_ts > work.limit() => count(&mut work.totals.committed_later),
            Status::Committed(commit_ts) => {
                if let Some(newest) = decided.newest_commits.get_mut(usize::from(lock.group)).filter(|_| counts) {
                    *newest = (*newest).max(*commit_ts);
                }
                let key = keys::committed_key(lock.group, &lock.user_key, *commit_ts, start_ts);
                decided.committed.push(&key, &lock.encode())?;
            }
            Status::RolledBack => count(&mut work.totals.rolled_back),
            Status::Damaged(damage) => work.lose(&lock, damage)?,
            Status::Unknown if counts => {
                decided.undecided.push(&keys::raw_key(b"", primary, start_ts), &lock.encode())?;
            }
            Status::Unknown => {}
        }
    }
    Ok(decided)
}

/// Commit and rollback records of all groups.
struct StatusRecords {
    commits: Vec<Lookup>,
    rollbacks: Vec<Lookup>,
    key: Vec<u8>,
}

impl StatusRecords {
    fn new(work: &Work<'_>) -> StatusRecords {
        let lookups = || work.groups.iter().map(|group| View::of_file(&group.file, CommitTs::MAX).lookup()).collect();
        StatusRecords { commits: lookups(), rollbacks: lookups(), key: Vec::new() }
    }

    /// A commit record wins over a rollback record, and a readable record over a damaged one.
    fn get(&mut self, id: &[u8]) -> Result<Status> {
        let mut damaged = None;
        for (lookups, prefix) in [(&mut self.commits, COMMIT), (&mut self.rollbacks, ROLLBACK)] {
            self.key.clear();
            self.key.extend_from_slice(prefix);
            self.key.extend_from_slice(id);
            for lookup in lookups {
                let Some(record) = lookup.get(&self.key)? else { continue };
                let (head, len) = (record.body.head(), record.body.len());
                let status = if prefix == COMMIT {
                    parse_commit(head, len).map(Status::Committed)
                } else {
                    parse_rollback(head, len).map(|()| Status::RolledBack)
                };
                match status {
                    Ok(status) => return Ok(status),
                    Err(damage) => damaged = damaged.or(Some(damage)),
                }
            }
            if let Some(damage) = damaged.take() {
                return Ok(Status::Damaged(damage));
            }
        }
        Ok(Status::Unknown)
    }
}

/// Says why transactions without a status record are in doubt, where they are.
pub(super) fn report_undecided(work: &mut Work<'_>, undecided: Sorter) -> Result<()> {
    if undecided.is_empty() {
        return Ok(());
    }
    let scans: Result<Vec<LockScan>> = work.groups.iter().map(|group| LockScan::new(&group.file)).collect();
    let mut scans = scans?;
    for scan in &mut scans {
        scan.next_open()?;
    }
    let mut undecided = undecided.finish()?;
    while let Some((primary_raw_key, lock)) = undecided.next()? {
        work.visit()?;
        let lock = HeldLock::decode(lock).ok_or_else(changed)?;
        let (primary, start_ts) = crate::split_raw_key(primary_raw_key).ok_or_else(changed)?;
        let mut is_pending = false;
        for scan in &mut scans {
            is_pending |= stands_on(scan, primary_raw_key)?;
        }
        let doubt = if is_pending { Some(Doubt::Pending) } else { doubt(work, &lock, primary, start_ts) };
        let Some(doubt) = doubt else {
            work.totals.rolled_back = work.totals.rolled_back.saturating_add(1);
            continue;
        };
        work.totals.in_doubt = work.totals.in_doubt.saturating_add(1);
        let (finding, remark) = match doubt {
            Doubt::Pending => (findings::PENDING, ""),
            Doubt::GroupNotLoaded => (findings::GROUP_NOT_LOADED, ""),
            Doubt::MayPredate => (findings::PREDATES_PREPARE, ", the other snapshot may be older"),
            Doubt::Predates => (findings::PREDATES_PREPARE, ", the other snapshot is older"),
        };
        work.record_finding(finding, &lock, |_| {
            format!("{}, deadline {}{remark}", describe(primary, start_ts), lock.deadline)
        });
    }
    Ok(())
}

/// Whether there is an open lock whose raw key is `target` behind the lock prefix; targets ascend.
fn stands_on(scan: &mut LockScan, target: &[u8]) -> Result<bool> {
    loop {
        let order = match scan.current() {
            None => return Ok(false),
            Some(version) => {
                let user_key = version.user_key.strip_prefix(LOCK).unwrap_or_default();
                let suffix = version.commit_ts.to_suffix();
                user_key.iter().chain(&suffix).cmp(target)
            }
        };
        match order {
            Ordering::Less => scan.next_open()?,
            Ordering::Equal => return Ok(true),
            Ordering::Greater => return Ok(false),
        };
    }
}

/// Why a transaction is in doubt.
enum Doubt {
    Pending,
    GroupNotLoaded,
    MayPredate,
    Predates,
}

/// Why a transaction without status record and without primary lock is in doubt; `None` = it was rolled back, which only the
/// snapshot that holds both its primary key and this lock proves.
fn doubt(work: &Work<'_>, lock: &HeldLock, primary: &[u8], start_ts: CommitTs) -> Option<Doubt> {
    let owner_of = work.options.owner_of;
    let Some(deciding) = owner_of(primary) else { return Some(Doubt::GroupNotLoaded) };
    let own = work.group(lock.group).and_then(|group| group.group_id).or_else(|| owner_of(&lock.user_key));
    if own == Some(deciding) {
        return None;
    }
    let group = work.groups.iter().find(|group| group.group_id == Some(deciding));
    Some(match group {
        None => Doubt::GroupNotLoaded,
        Some(group) if group.last_commit_ts < start_ts => Doubt::Predates,
        Some(_) => Doubt::MayPredate,
    })
}
