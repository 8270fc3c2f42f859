//! Files of a Raft member that a new data directory needs beside its snapshot. Source: `docs/format/restore.md`, section 8.
//!
//! | file | question |
//! |---|---|
//! | `node_id.rs` | which number has a member? |
//! | `peers.rs` | who are the members, and where? (`etcd-raft-peers.bin`) |
//! | `wal.rs` | from which position does the log begin? (`wal/*.wal`) |
//!
//! The `.snap` file is in [`crate::snapfile`], the frame of the `.fsm` file in [`ekv_snapshot::server_file`].

mod node_id;
pub mod peers;
pub mod wal;

use ekv_snapshot::{Error, ErrorKind};

pub use node_id::node_id;

fn invalid(structure: &'static str, reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure, reason: reason.into() })
}
