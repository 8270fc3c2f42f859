//! Reads elastickv snapshot files (`.fsm`).
//!
//! Source: `docs/format/snapshot.md`. This crate knows bytes, versions and timestamps; it knows no adapter and writes no dump.

mod error;
pub mod format;
mod hlc;
mod input;

pub use error::{Error, ErrorKind, Location, Result};
pub use hlc::CommitTs;
pub use input::{FooterPolicy, Input, MemoryInput, ReadAt, SubRange};
