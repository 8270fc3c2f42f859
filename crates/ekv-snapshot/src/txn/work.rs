//! What is asked of transactions, and what the steps share.

use std::sync::Arc;

use ekv_model::{Example, Finding, Findings, LossLog, Monitor};
use ekv_spill::{Scratch, Sorter};

use super::findings;
use super::keys::{self, LOCK};
use super::locks::{HeldLock, LockScan, is_open, read_lock};
use super::record::Damage;
use crate::{CommitTs, Error, ErrorKind, RecordFile, Result, escape};

/// Memory for one sort, in bytes; a few run at once.
const SORT_BUDGET: usize = 4 << 20;

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

/// What [`resolve`](super::resolve) should do.
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

/// What the steps share.
pub(super) struct Work<'w> {
    pub(super) groups: &'w [TxnGroup],
    pub(super) options: &'w TxnOptions<'w>,
    pub(super) scratch: &'w Arc<dyn Scratch>,
    pub(super) monitor: &'w dyn Monitor,
    pub(super) totals: TxnTotals,
    pub(super) findings: Findings,
    /// Group index and user key of what must be left out.
    pub(super) damaged: Sorter,
}

impl<'w> Work<'w> {
    pub(super) fn new(
        groups: &'w [TxnGroup],
        options: &'w TxnOptions<'w>,
        scratch: &'w Arc<dyn Scratch>,
        monitor: &'w dyn Monitor,
    ) -> Self {
        Work {
            groups,
            options,
            scratch,
            monitor,
            totals: TxnTotals::default(),
            findings: Findings::with_log(options.losses.clone()),
            damaged: Sorter::new(scratch.clone(), SORT_BUDGET),
        }
    }

    pub(super) fn sorter(&self) -> Sorter {
        Sorter::new(self.scratch.clone(), SORT_BUDGET)
    }

    pub(super) fn group(&self, index: u16) -> Option<&TxnGroup> {
        self.groups.get(usize::from(index))
    }

    /// The greatest timestamp that can count.
    pub(super) fn limit(&self) -> CommitTs {
        match self.options.read_point {
            ReadPoint::At(read_ts) => read_ts,
            ReadPoint::NewestOfEach | ReadPoint::NewestOfAll => CommitTs::MAX,
        }
    }

    /// Whether the view that was asked for knows this lock.
    pub(super) fn counts(&self, lock: &HeldLock) -> bool {
        lock.live || self.options.view == TxnView::Protocol
    }

    pub(super) fn visit(&mut self) -> Result<()> {
        Ok(self.monitor.advance(1)?)
    }

    /// Sorts all locks by transaction: key = [`keys::transaction_id`], payload = [`HeldLock`]. A lock that was resolved counts as well:
    /// only the version that its commit wrote shows that it was applied.
    pub(super) fn locks(&mut self) -> Result<Sorter> {
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
    pub(super) fn lose(&mut self, lock: &HeldLock, damage: &Damage) -> Result<()> {
        if !self.counts(lock) {
            return Ok(());
        }
        self.totals.damaged = self.totals.damaged.saturating_add(1);
        self.record_finding(findings::DAMAGED_RECORD, lock, |_| damage.to_string());
        if !lock.user_key.is_empty() {
            self.damaged.push(&keys::row_key(lock.group, &lock.user_key), &[])?;
        }
        Ok(())
    }

    pub(super) fn record_finding(
        &mut self,
        finding: Finding,
        lock: &HeldLock,
        detail: impl FnOnce(&TxnGroup) -> String,
    ) {
        let Some(group) = self.groups.get(usize::from(lock.group)) else { return };
        self.findings.record(finding, || {
            Example::new(Some(&lock.user_key), Some(lock.byte_offset), detail(group)).in_file(Some(lock.group))
        });
    }
}

/// How examples name a transaction.
pub(super) fn describe(primary: &[u8], start_ts: CommitTs) -> String {
    format!("transaction started at {start_ts}, primary key {}", escape(primary))
}

fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::Invalid { structure: "set of transaction records", reason: reason.to_owned() })
}

/// A row that was sorted does not have the shape in which it was pushed.
pub(super) fn changed() -> Error {
    invalid("a sorted record has changed")
}
