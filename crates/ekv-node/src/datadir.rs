//! Finds the snapshots in a server's data directory. Source: `docs/format/snapshot.md`, section 1.
//!
//! [`groups()`] finds the Raft groups below a path; [`GroupDir::candidates`] offers the snapshots of one group, best first. The
//! caller reads a candidate as a whole (which verifies its checksum) and goes on to the next one where that fails.
//!
//! A server may be running on the directory: files are only listed and opened for reading, never locked, renamed or removed.

mod candidates;
mod groups;
mod names;

pub use candidates::{Candidates, GroupSnapshot, Note, Rejected};
pub use groups::{GroupDir, groups};
pub use names::{fsm_path, group_id, snap_path, snapshot_index};

#[cfg(test)]
mod tests;
