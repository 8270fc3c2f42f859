//! The way back: from a dump to a payload, and from a payload to the data directory of a new node.
//!
//! | file | question |
//! |---|---|
//! | `encode_info.rs` | what does the file beside a payload say about it? |
//! | `payload.rs` | where are the payload and that file? |
//! | `timestamp.rs` | can a node go on from this timestamp? |
//! | `prepare.rs` | the command: may it be, and what was done? |
//! | `dump.rs` | the command `restore`, which needs no payload file |
//! | `published.rs` | what of an offload store becomes a data directory, unchanged? |
//! | `data_dir.rs` | which files does a data directory hold, and do they read back? |
//! | `error.rs` | why is a restore refused? |
//!
//! Source: `docs/format/restore.md`.

mod data_dir;
mod dump;
mod encode_info;
mod error;
mod payload;
mod prepare;
mod published;
pub(crate) mod timestamp;

pub use dump::{RestoreReport, restore};
pub use ekv_node::{PeerList, PeersError, Placement};
pub(crate) use encode_info::format_sha256;
pub use encode_info::{EncodeInfo, EncodeInfoError, SelfTest};
pub use error::{RAFT_NUMBER_MAX, RestoreError};
pub use payload::Payload;
pub use prepare::{DurableFsync, MemberReport, PrepareOptions, PrepareReport, RestoreTarget, prepare, prepare_restore};
pub use published::restore_published;
