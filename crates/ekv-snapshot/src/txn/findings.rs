//! What can be odd about transactions. Source: `docs/format/snapshot.md`, sections 11 and 16.

use ekv_model::Finding;

/// A record of a transaction cannot be read, so that the current value of a key is unknown.
pub const DAMAGED_RECORD: Finding = Finding::loss(
    "txn_damaged_record",
    "keys whose current value depends on a damaged lock, intent, commit or rollback record",
);
/// The lock of the primary key is still there.
pub const PENDING: Finding = Finding::warning(
    "txn_in_doubt_pending",
    "keys with a write that was neither committed nor rolled back at the time of the snapshot; the older value counts",
)
.fatal_if_strict();
/// Nothing says what became of the transaction, and nothing loaded can say it.
pub const GROUP_NOT_LOADED: Finding = Finding::warning(
    "txn_in_doubt_group_not_loaded",
    "keys with a write whose outcome is recorded in a group that was not given or is not known; the older value counts",
)
.fatal_if_strict();
/// The group of the primary key is loaded, but its snapshot may be older than the transaction.
pub const PREDATES_PREPARE: Finding = Finding::warning(
    "txn_in_doubt_snapshot_predates_prepare",
    "keys with a write of which the snapshot of the deciding group knows nothing yet; the older value counts",
)
.fatal_if_strict();
/// A lock without its intent.
pub const INTENT_MISSING: Finding = Finding::warning(
    "txn_intent_missing",
    "locks of committed transactions without the write that they protect; there is nothing to apply",
);
/// Two transactions that wrote one key at one commit timestamp.
pub const SAME_COMMIT: Finding = Finding::warning(
    "txn_same_commit_timestamp",
    "keys that two transactions wrote at the same commit timestamp; the one that started last counts",
)
.fatal_if_strict();
/// The two views differ.
pub const VIEWS_DIFFER: Finding = Finding::warning(
    "txn_views_differ",
    "keys with an acknowledged write that the server itself does not return: the protocol view has it, the live view does not",
);
/// A write that was committed but not yet moved to its key.
pub const APPLIED: Finding = Finding::info(
    "txn_committed_intent",
    "writes of committed transactions that still waited beside their keys; they count as written",
);
/// A write that was committed and then cleaned up as that of an aborted transaction.
pub const CLEANED_UP: Finding = Finding::warning(
    "txn_cleaned_up_unapplied",
    "writes of committed transactions that the server cleaned up without applying them; they count as written, which the server itself \
     does not show",
);
/// As [`CLEANED_UP`], but what was written cannot be told.
pub const CLEANED_UP_IN_DOUBT: Finding = Finding::warning(
    "txn_cleaned_up_in_doubt",
    "keys with an acknowledged write that the server cleaned up without applying it, and whose value cannot be told from that of another \
     transaction; the older value counts, as in the server",
)
.fatal_if_strict();
