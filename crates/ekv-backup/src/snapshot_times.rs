//! The times of one snapshot. Source: `docs/format/snapshot.md`, sections 7.3, 8 and 12.
//!
//! ```text
//!    first commit of a user      closed until          newest commit     end
//!  ───────────┬──────────────────────┬─────────────────────┬──────────────┬──────────
//!   refused   │        final         │  commits may still  │   nothing    │  refused
//!             │                      │  come in between    │   known yet  │
//! ```
//!
//! The server stamps commits with a leased clock that runs up to ten seconds ahead of the wall clock, and applies them in another order
//! than that of their stamps. The clock ceiling in a snapshot's header says how far the lease went when it was written: a store without
//! writes answers times up to there, although its newest commit is older.

use ekv_adapters::{Family, Role};
use ekv_snapshot::{CommitTs, Scan};

/// How far commit timestamps run ahead of the wall clock, in milliseconds (`docs/format/snapshot.md`, section 7.3).
pub(crate) const CLOCK_LEASE_MS: u64 = 10_000;

/// The times between which a snapshot has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answerable {
    /// First commit of a user; `None` if there is no data of users.
    pub(crate) first: Option<CommitTs>,
    /// Older states were compacted away; 0 = none were.
    pub(crate) retained_from: CommitTs,
    /// Newest commit.
    pub(crate) newest: CommitTs,
    /// The clock had not gone beyond that when the snapshot was written.
    pub(crate) end: CommitTs,
    /// No later commit can have this time or an older one.
    pub(crate) closed_until: CommitTs,
}

impl Answerable {
    /// The times that the snapshot of a scan answers.
    pub(crate) fn of(scan: &Scan) -> Answerable {
        let newest = scan.effective_last_commit_ts;
        let ceiling_ms = scan.envelope.header.ceiling_ms().unwrap_or(0);
        let ceiling = CommitTs::last_of_ms(ceiling_ms).unwrap_or(newest);
        // Below the ceiling by the lease and as much again for commits on their way.
        let by_ceiling = ceiling_ms.saturating_sub(CLOCK_LEASE_MS.saturating_mul(2));
        let closed_ms = newest.unix_ms().saturating_sub(CLOCK_LEASE_MS).max(by_ceiling);
        Answerable {
            first: first_commit(scan),
            retained_from: CommitTs(scan.watermarks.oldest_answerable()),
            newest,
            end: newest.max(ceiling),
            closed_until: CommitTs::last_of_ms(closed_ms).unwrap_or(newest),
        }
    }

    /// Oldest time that can be answered; `None` if there is no data of users.
    pub(crate) fn from(&self) -> Option<CommitTs> {
        self.first.map(|first| first.max(self.retained_from))
    }
}

/// The first commit that is still there of a record with data of users: the routing catalog has timestamps of its own.
pub(crate) fn first_commit(scan: &Scan) -> Option<CommitTs> {
    let families = Family::ALL.iter().filter(|family| family.role() == Role::Data);
    families.filter_map(|family| scan.families.get(family.number())?.first_commit_ts).min()
}
