//! What is in a staging directory, and under which names.
//!
//! ```text
//! PARENT/.BASE.ekv-staging-<16 hex digits>/    0700, locked as long as the run lives
//!     ekv-staging   the marker, by which a clean-up knows the directory
//!     tree/         the dump
//!     scratch/      nameless scratch files
//!     publishing    the target's name; only while the dump is published on a file system without rename flags
//!     replaced/     the old dump; only as above, while it is replaced
//!     replaced-1    an old file that was moved away, while a set of files is replaced
//!     replacing     what is replaced, and by what; as long as the old dump or files may be needed
//!     kept          only if what was there before could not be put back
//!     probe         only while a clean-up looks at what the file system makes of modes
//! ```

/// Names inside a staging directory.
pub(super) const TREE: &[u8] = b"tree";
pub(super) const SCRATCH: &[u8] = b"scratch";
pub(super) const PUBLISHING: &[u8] = b"publishing";
pub(super) const REPLACED: &[u8] = b"replaced";
pub(super) const REPLACING: &[u8] = b"replacing";
pub(super) const KEPT: &[u8] = b"kept";

pub(super) const MARKER: &[u8] = b"ekv-staging";
pub(super) const PROBE: &[u8] = b"probe";
/// The number of the file follows.
pub(super) const REPLACED_FILE: &[u8] = b"replaced-";

/// What the marker says.
pub(super) const MARKER_TEXT: &[u8] = b"A staging directory of ekv-backup, form 1. `ekv-backup clean` removes it.\n";
