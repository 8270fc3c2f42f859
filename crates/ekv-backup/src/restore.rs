//! The way back: from a dump to a payload, and from a payload to the data directory of a new node.
//!
//! | file | question |
//! |---|---|
//! | `encode_info.rs` | what does the file beside a payload say about it? |
//!
//! Source: `docs/format/restore.md`.

mod encode_info;

pub use encode_info::{EncodeInfo, EncodeInfoError, SelfTest};
