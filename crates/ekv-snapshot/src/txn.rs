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
//! | `work.rs` | what is asked, and what do the steps share? |
//! | `locks.rs` | which locks were not resolved, or only cleaned up? |
//! | `status.rs` | what became of their transactions? |
//! | `cleaned_up.rs` | is a write that the server cleaned up known without doubt? |
//! | `row.rs`, `overlay.rs` | which versions follow from that? |
//!
//! Memory is bounded by constants whatever the number of locks: the steps pass their results on through external sorts.

mod cleaned_up;
pub mod findings;
mod keys;
mod locks;
mod overlay;
mod record;
mod row;
mod status;
mod work;

use std::sync::Arc;

use ekv_model::{Findings, Monitor};
use ekv_spill::Scratch;

use crate::Result;
use work::Work;

pub use overlay::TxnState;
pub use work::{ReadPoint, TxnGroup, TxnOptions, TxnTotals, TxnView};

/// What [`resolve`] found.
pub struct Transactions {
    /// In the order in which the groups were given.
    pub groups: Vec<TxnState>,
    /// Numbers over all groups.
    pub totals: TxnTotals,
    /// What is in doubt, damaged or odd.
    pub findings: Findings,
}

/// Decides about all staged writes of the groups.
///
/// Shape: one snapshot per group -> for each group its read timestamp and the versions that it lacks there: the committed writes,
/// and tombstones at the read timestamp for keys whose value depends on a damaged record. `monitor` is told of every record. Cost: a few reads of the transaction records, scratch space for the open locks and their values, fixed memory.
///
/// # Errors
/// A failing read, failing scratch space, more than 65535 groups, or the monitor's wish to stop.
pub fn resolve(
    groups: &[TxnGroup],
    options: &TxnOptions<'_>,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Transactions> {
    let mut work = Work::new(groups, options, scratch, monitor);
    let locks = work.locks()?;
    let decided = status::decide(&mut work, locks)?;
    status::report_undecided(&mut work, decided.undecided)?;
    let groups = overlay::build(&mut work, decided.committed, &decided.newest_commits)?;
    let Work { totals, findings, .. } = work;
    Ok(Transactions { groups, totals, findings })
}
