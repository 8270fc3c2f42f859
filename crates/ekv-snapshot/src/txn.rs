//! Two-phase transactions: which staged writes count. Source: `docs/format/snapshot.md`, section 11.
//!
//! A write of a transaction over several Raft groups is first staged beside its key (an *intent*, protected by a *lock*) and
//! moved to the key after the transaction was committed. A snapshot can be taken in between, and it holds writes that were never
//! moved although clients got their answer. [`resolve`] finds the committed ones among them and makes an *overlay* for each
//! group: a record file with the versions that the group's snapshot lacks, to be read together with it.
//!
//! | file | question |
//! |---|---|
//! | `keys.rs`, `record.rs` | how are the records laid out? |
//! | `locks.rs` | which locks were not resolved, or only cleaned up? |
//! | `status.rs` | what became of their transactions? |
//! | `cleaned_up.rs` | is a write that the server cleaned up known without doubt? |
//! | `overlay.rs` | which versions follow from that? |
//!
//! Memory is bounded by constants whatever the number of locks: the steps pass their results on through external sorts.

mod cleaned_up;
pub mod findings;
mod keys;
mod locks;
mod overlay;
mod record;
mod status;

use std::sync::Arc;

use ekv_model::{Example, Finding, Findings, LossLog};
use ekv_spill::{Scratch, Sorter};

use crate::{CommitTs, Error, ErrorKind, RecordFile, Result, Watch, escape};
use keys::LOCK;
use locks::{HeldLock, LockScan, is_open, read_lock};
use record::Damage;

/// Memory for one sort, in bytes; a few run at once.
const SORT_BUDGET: usize = 4 << 20;
/// Records between two calls of the watch.
const WATCH_INTERVAL: u64 = 1024;

/// The snapshot of one Raft group.
#[derive(Clone)]
pub struct TxnGroup {
    /// Its records.
    pub file: RecordFile,
    /// Id of the group, if it is known.
    pub group_id: Option<u64>,
    /// Its newest state ([`crate::Scan::effective_last_commit_ts`]).
    pub last_commit_ts: CommitTs,
}

/// Which committed writes count. Source: `docs/format/snapshot.md`, section 11.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TxnView {
    /// All that were acknowledged.
    #[default]
    Protocol,
    /// Those that the server would return, its defects included.
    Live,
}

/// The read timestamp of the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadPoint {
    /// Each group's own newest state, the committed writes that still wait included.
    NewestOfEach,
    /// For all groups the newest timestamp of any of them.
    NewestOfAll,
    /// This timestamp.
    At(CommitTs),
}

/// What [`resolve`] should do.
pub struct TxnOptions<'a> {
    /// Which committed writes count.
    pub view: TxnView,
    /// The read timestamp.
    pub read_point: ReadPoint,
    /// The id of the group that owns a user key, if the routing catalog is known.
    pub owner_of: &'a dyn Fn(&[u8]) -> Option<u64>,
    /// Where every loss is noted.
    pub losses: Option<Arc<dyn LossLog>>,
}

/// What [`resolve`] found.
pub struct Transactions {
    /// In the order in which the groups were given.
    pub groups: Vec<TxnState>,
    /// Numbers over all groups.
    pub totals: TxnTotals,
    /// What is in doubt, damaged or odd.
    pub findings: Findings,
}

/// What follows for one group.
pub struct TxnState {
    /// Versions that the group's snapshot lacks; where a raw key is in both, the overlay counts. `None` = there are none.
    pub overlay: Option<RecordFile>,
    /// The timestamp at which the group is to be read.
    pub read_ts: CommitTs,
}

/// What became of the locks that were open at the read timestamp. Each lock counts once, in the live view only if the server
/// finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxnTotals {
    /// Locks that no later version resolved.
    pub open_locks: u64,
    /// Committed, and the write was still to be applied.
    pub applied: u64,
    /// Committed, and the write had been applied.
    pub already_applied: u64,
    /// Committed after the read timestamp.
    pub committed_later: u64,
    /// Rolled back.
    pub rolled_back: u64,
    /// Neither committed nor rolled back as far as is known.
    pub in_doubt: u64,
    /// Committed, but the write is missing.
    pub without_intent: u64,
    /// With a damaged record: the key is left out.
    pub damaged: u64,
    /// Committed, but cleaned up without the write being applied, and no newer write covers it. Not among the open ones.
    pub cleaned_up: u64,
}

/// Decides about all staged writes of the groups.
///
/// Shape: one snapshot per group -> for each group its read timestamp and the versions that it lacks there: the committed writes,
/// and tombstones at the read timestamp for keys whose value depends on a damaged record. `watch` is told the number of records so
/// far. Cost: a few reads of the transaction records, scratch space for the open locks and their values, fixed memory.
///
/// # Errors
/// A failing read, failing scratch space, more than 65535 groups, or the watch's wish to stop.
pub fn resolve(
    groups: &[TxnGroup],
    options: &TxnOptions<'_>,
    scratch: &Arc<dyn Scratch>,
    watch: &dyn Watch,
) -> Result<Transactions> {
    let mut work = Work {
        groups,
        options,
        scratch,
        watch,
        visited: 0,
        totals: TxnTotals::default(),
        findings: Findings::with_log(options.losses.clone()),
        damaged: Sorter::new(scratch.clone(), SORT_BUDGET),
    };
    let locks = work.locks()?;
    let decided = status::decide(&mut work, locks)?;
    status::report_undecided(&mut work, decided.undecided)?;
    let groups = overlay::build(&mut work, decided.committed, &decided.newest_commits)?;
    let Work { totals, findings, .. } = work;
    Ok(Transactions { groups, totals, findings })
}

/// What the steps share.
struct Work<'w> {
    groups: &'w [TxnGroup],
    options: &'w TxnOptions<'w>,
    scratch: &'w Arc<dyn Scratch>,
    watch: &'w dyn Watch,
    visited: u64,
    totals: TxnTotals,
    findings: Findings,
    /// Group index and user key of what must be left out.
    damaged: Sorter,
}

impl Work<'_> {
    fn sorter(&self) -> Sorter {
        Sorter::new(self.scratch.clone(), SORT_BUDGET)
    }

    fn group(&self, index: u16) -> Option<&TxnGroup> {
        self.groups.get(usize::from(index))
    }

    /// The greatest timestamp that can count.
    fn limit(&self) -> CommitTs {
        match self.options.read_point {
            ReadPoint::At(read_ts) => read_ts,
            ReadPoint::NewestOfEach | ReadPoint::NewestOfAll => CommitTs::MAX,
        }
    }

    /// Whether the view that was asked for knows this lock.
    fn counts(&self, lock: &HeldLock) -> bool {
        lock.live || self.options.view == TxnView::Protocol
    }

    fn visit(&mut self) -> Result<()> {
        self.visited = self.visited.saturating_add(1);
        if self.visited.is_multiple_of(WATCH_INTERVAL) { self.watch.progress(self.visited) } else { Ok(()) }
    }

    /// Sorts all locks by transaction: key = [`keys::transaction_id`], payload = [`HeldLock`]. A lock that was resolved counts as well:
    /// only the version that its commit wrote shows that it was applied.
    fn locks(&mut self) -> Result<Sorter> {
        let groups = self.groups;
        let limit = self.limit();
        let mut sorter = self.sorter();
        for (index, group) in groups.iter().enumerate() {
            let index = u16::try_from(index).map_err(|_| invalid("more than 65535 groups"))?;
            let mut scan = LockScan::new(&group.file)?;
            while let Some(version) = scan.next_lock()? {
                self.visit()?;
                if version.commit_ts > limit {
                    continue;
                }
                let is_open = is_open(&version);
                let mut lock = HeldLock {
                    group: index,
                    live: version.newer.is_none() && !version.shadowed,
                    deadline: CommitTs(0),
                    byte_offset: version.byte_offset,
                    cleaned_up: None,
                    user_key: version.user_key.strip_prefix(LOCK).unwrap_or_default().to_vec(),
                };
                if is_open && self.counts(&lock) {
                    self.totals.open_locks = self.totals.open_locks.saturating_add(1);
                }
                match read_lock(&version)? {
                    // Nothing depends on a resolved lock that cannot be read.
                    Err(_) if !is_open => {}
                    _ if lock.user_key.is_empty() => {
                        if is_open {
                            self.lose(&lock, &Damage::EmptyKey)?;
                        }
                    }
                    Err(damage) => self.lose(&lock, &damage)?,
                    Ok((fields, primary)) => {
                        lock.deadline = fields.deadline;
                        lock.cleaned_up = (!is_open).then(|| primary.clone());
                        sorter.push(&keys::transaction_id(&primary, fields.start_ts), &lock.encode())?;
                    }
                }
            }
        }
        Ok(sorter)
    }

    /// Leaves out the key of a lock, because a record that decides about it is damaged.
    fn lose(&mut self, lock: &HeldLock, damage: &Damage) -> Result<()> {
        if !self.counts(lock) {
            return Ok(());
        }
        self.totals.damaged = self.totals.damaged.saturating_add(1);
        self.find(findings::DAMAGED_RECORD, lock, |_| damage.to_string());
        if !lock.user_key.is_empty() {
            self.damaged.push(&overlay::row_key(lock.group, &lock.user_key), &[])?;
        }
        Ok(())
    }

    fn find(&mut self, finding: Finding, lock: &HeldLock, detail: impl FnOnce(&TxnGroup) -> String) {
        let Some(group) = self.groups.get(usize::from(lock.group)) else { return };
        self.findings.record(finding, || Example::new(Some(&lock.user_key), Some(lock.byte_offset), detail(group)));
    }
}

/// How examples name a transaction.
fn describe(primary: &[u8], start_ts: CommitTs) -> String {
    format!("transaction started at {start_ts}, primary key {}", escape(primary))
}

fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::Invalid { structure: "set of transaction records", reason: reason.to_owned() })
}

/// A row that was sorted does not have the shape in which it was pushed.
fn changed() -> Error {
    invalid("a sorted record has changed")
}
