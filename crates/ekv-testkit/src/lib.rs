//! Test support for the workspace: snapshots built in memory, real fixtures, faulty sinks, the sink conformance suite.
//!
//! Not published. Panics freely: its callers are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "test support")]

pub mod fixtures;
mod folding_sink;
mod sink_conformance;
mod snapshot;
mod transaction;

pub use folding_sink::FoldingSink;
pub use sink_conformance::{SinkUnderTest, sink_conformance};
pub use snapshot::{SnapshotBuilder, memory_input};
pub use transaction::{intent_body, lock_body};
