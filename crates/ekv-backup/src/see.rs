//! Looking into what holds data, without making anything of it.
//!
//! | file | question |
//! |---|---|
//! | `source.rs` | is it a snapshot, a node, a dump or an archive, and what are its events? |

mod source;

pub use source::{Source, SourceBooks};
