//! The server's own offload store in a directory: physical snapshots, each with a manifest. Source: `docs/format/offload.md`.
//!
//! Nothing is ever written to a store, and nothing in it is locked, renamed or removed.

mod manifest;
mod store;

pub use manifest::{MANIFEST_LEN_MAX, Manifest};
pub use store::{Listed, OffloadStore, Published, StoreSelection, payload_sha256, verify_payload};

#[cfg(test)]
mod tests;
