//! What can be odd about transactions. Source: `docs/format/snapshot.md`, sections 11 and 16.

use ekv_model::{Finding, Severity};

/// A record of a transaction cannot be read, so that the current value of a key is unknown.
pub const DAMAGED_RECORD: Finding = Finding {
    name: "txn_damaged_record",
    severity: Severity::Loss,
    strict_fatal: true,
    meaning: "keys whose current value depends on a damaged lock, intent, commit or rollback record",
};
/// The lock of the primary key is still there.
pub const PENDING: Finding = Finding {
    name: "txn_in_doubt_pending",
    severity: Severity::Warning,
    strict_fatal: true,
    meaning: "keys with a write that was neither committed nor rolled back at the time of the snapshot; the older value counts",
};
/// Nothing says what became of the transaction, and nothing loaded can say it.
pub const GROUP_NOT_LOADED: Finding = Finding {
    name: "txn_in_doubt_group_not_loaded",
    severity: Severity::Warning,
    strict_fatal: true,
    meaning: "keys with a write whose outcome is recorded in a group that was not given or is not known; the older value counts",
};
/// The group of the primary key is loaded, but its snapshot may be older than the transaction.
pub const PREDATES_PREPARE: Finding = Finding {
    name: "txn_in_doubt_snapshot_predates_prepare",
    severity: Severity::Warning,
    strict_fatal: true,
    meaning: "keys with a write of which the snapshot of the deciding group knows nothing yet; the older value counts",
};
/// A lock without its intent.
pub const INTENT_MISSING: Finding = Finding {
    name: "txn_intent_missing",
    severity: Severity::Warning,
    strict_fatal: false,
    meaning: "locks of committed transactions without the write that they protect; there is nothing to apply",
};
/// Two transactions that wrote one key at one commit timestamp.
pub const SAME_COMMIT: Finding = Finding {
    name: "txn_same_commit_timestamp",
    severity: Severity::Warning,
    strict_fatal: true,
    meaning: "keys that two transactions wrote at the same commit timestamp; the one that started last counts",
};
/// The two views differ.
pub const VIEWS_DIFFER: Finding = Finding {
    name: "txn_views_differ",
    severity: Severity::Warning,
    strict_fatal: false,
    meaning: "keys with an acknowledged write that the server itself does not return: the protocol view has it, the live view does not",
};
/// A write that was committed but not yet moved to its key.
pub const APPLIED: Finding = Finding {
    name: "txn_committed_intent",
    severity: Severity::Info,
    strict_fatal: false,
    meaning: "writes of committed transactions that still waited beside their keys; they count as written",
};
