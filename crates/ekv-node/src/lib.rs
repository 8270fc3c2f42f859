//! The files of a Raft member: where its snapshots are, and what a new member's data directory needs beside its snapshot.
//!
//! Source: `docs/format/snapshot.md`, section 1; `docs/format/restore.md`, sections 7 to 10. What is in a snapshot is the matter of
//! `ekv-snapshot`.

pub mod datadir;
pub mod offload;
mod peer_list;
mod placement;
mod protobuf;
pub mod raft;
pub mod snapfile;

pub use peer_list::{PeerList, PeersError};
pub use placement::Placement;
