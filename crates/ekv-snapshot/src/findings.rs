//! What can be odd about a snapshot without being an error. Source: `docs/format/snapshot.md`, sections 3.2, 6 and 7.2.

use ekv_model::{Example, Finding};

/// The file has no checksum footer: its integrity was not verified.
pub const NO_CHECKSUM: Finding =
    Finding::warning("snapshot_no_checksum", "the snapshot carries no checksum, its integrity could not be verified");
/// An entry with a raw key of fewer than eight bytes.
pub const SHORT_KEY: Finding = Finding::warning(
    "snapshot_short_key",
    "entries whose key is too short to carry a commit timestamp; no reader can address them",
)
.fatal_if_strict();
/// An entry with a raw key of exactly eight bytes.
pub const EMPTY_USER_KEY: Finding =
    Finding::warning("snapshot_empty_user_key", "records with an empty user key, which the server never writes");
/// A `_meta_` row whose value is not eight bytes long.
pub const META_ROW_WIDTH: Finding = Finding::warning(
    "snapshot_meta_row_width",
    "store rows whose value is not 8 bytes long; shorter ones count as absent",
);
/// A tombstone with a body or a store expiry.
pub const TOMBSTONE_WITH_BODY: Finding =
    Finding::warning("snapshot_tombstone_with_body", "tombstones that carry a body or an expiry, which is ignored");

/// A visible version whose value header does not parse.
pub const DAMAGED_VALUE: Finding = Finding::loss(
    "snapshot_damaged_value",
    "current versions whose value header is cut short or uses reserved bits; the server cannot read them either",
);
/// The same, but hidden by a newer version or newer than the read timestamp.
pub const DAMAGED_OLD_VALUE: Finding = Finding::warning(
    "snapshot_damaged_hidden_value",
    "hidden versions whose value header is cut short or uses reserved bits",
);

/// A visible version whose value is encrypted.
pub const ENCRYPTED_VALUE: Finding = Finding::loss(
    "snapshot_encrypted_value",
    "current versions whose value is encrypted with a data key that was not given: --encryption-keys with --kek-file, or --data-key",
);
/// The same, but hidden by a newer version or newer than the read timestamp.
pub const ENCRYPTED_OLD_VALUE: Finding =
    Finding::info("snapshot_encrypted_hidden_value", "hidden versions whose value is encrypted");

/// A visible version whose encrypted value is not what was encrypted.
pub const BROKEN_VALUE: Finding = Finding::loss(
    "snapshot_encrypted_integrity",
    "current versions whose encrypted value was changed since it was written: its data key does not open it",
);
/// The same, but hidden by a newer version or newer than the read timestamp.
pub const BROKEN_OLD_VALUE: Finding = Finding::warning(
    "snapshot_encrypted_hidden_integrity",
    "hidden versions whose encrypted value was changed since it was written",
);

/// A visible record in the snapshot of a group that does not own its key.
pub const UNOWNED: Finding = Finding::warning(
    "snapshot_unowned_record",
    "records in a group that no longer owns their keys, as the routing catalog says; they were left out",
);

pub(crate) fn example(key: Option<&[u8]>, byte_offset: Option<u64>, detail: &str) -> Example {
    Example::new(key, byte_offset, detail.to_owned())
}
