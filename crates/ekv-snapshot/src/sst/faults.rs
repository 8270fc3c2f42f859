//! What can be wrong with an `EKVSSTI1` payload. Source: `docs/format/ssti1.md`, section 7.

use crate::{Error, ErrorKind};

/// What to do with a snapshot of a form that is not read.
const WAY_OUT: &str =
    "restart the node without ELASTICKV_PEBBLE_SST_INGEST_SNAPSHOT, let it take a new snapshot, and use that one";

/// A hash or checksum that does not match, or files that are not where they should be.
pub(super) fn damaged(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "EKVSSTI1 payload", reason: reason.into() })
}

/// An error in an SST file.
pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "SST file", reason: reason.into() })
}

/// A sound SST file that is not of the kind that servers write today.
pub(super) fn unsupported(what: impl std::fmt::Display) -> Error {
    let what = format!("the snapshot holds SST files (form EKVSSTI1) {what}, which this tool does not read: {WAY_OUT}");
    Error::new(ErrorKind::UnsupportedForm { what })
}
