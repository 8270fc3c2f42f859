//! Data directories of nodes with several Raft groups. Source: `docs/format/snapshot.md`, sections 11 and 12.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod missing;
pub(crate) mod node;
mod nothing;
mod offload;
mod ownership;
mod real;
mod times;
mod transactions;
