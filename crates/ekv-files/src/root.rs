//! The names at the root of a dump: by them it is found in an archive, and known before it is replaced.
//!
//! Source: `docs/format/tree.md`, section 1.

use ekv_model::Protocol;

/// Name of the manifest.
pub const MANIFEST_FILE: &str = "MANIFEST.json";

/// Longest manifest that is read, in bytes.
pub const MANIFEST_LEN_MAX: usize = 64 << 20;

/// Longest string in a manifest that is read, in bytes between its quotes.
pub const MANIFEST_STRING_LEN_MAX: usize = 4 << 20;

/// The version that a manifest has.
pub const FORMAT_VERSION: u32 = 1;

/// Name of the list of everything that was lost.
pub const LOSSES_FILE: &str = "LOSSES.jsonl";

/// Name of the list of scopes that are too many for the manifest.
pub const SCOPES_FILE: &str = "SCOPES.jsonl";

/// Directory of the records that no adapter knows.
pub const UNKNOWN_DIRECTORY: &str = "_unknown";

/// Whether a directory of a dump may have nothing in it: that of the items of a table, and those at the root.
///
/// Source: `docs/format/tree.md`, section 1.
pub fn may_be_empty(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').take(4).collect();
    matches!(parts.as_slice(), [b"dynamodb", _] | [b"dynamodb", _, b"items"])
}

/// Whether a name is that of a directory at the root: of a protocol, or of records that no adapter knows.
pub fn is_top_directory(name: &[u8]) -> bool {
    Protocol::named(name).is_some() || name == UNKNOWN_DIRECTORY.as_bytes()
}
