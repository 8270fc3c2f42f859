//! Test support for the workspace: snapshots built in memory, real fixtures, faulty sinks, the sink conformance suite.
//!
//! Not published. Panics freely: its callers are tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test support"
)]

pub mod aws;
mod cases;
mod counted_scratch;
mod encryption;
mod faulty_input;
mod files;
pub mod fixtures;
mod folding_sink;
pub mod fs;
#[allow(clippy::as_conversions, reason = "lengths of tests fit")]
mod indexed_archive;
mod reading;
mod records;
pub mod redis;
pub mod remote;
mod selection;
pub mod servers;
mod sink_conformance;
mod snapshot;
mod source_conformance;
mod sst;
mod transaction;
pub mod truth;
pub mod vectors;

pub use cases::Cases;
pub use counted_scratch::CountedScratch;
pub use encryption::{encrypted_value, sidecar};
pub use faulty_input::{FaultyInput, ReadFault};
pub use files::{EditedDump, edit_dump, from_base64url, read_files, tar_of};
pub use folding_sink::FoldingSink;
pub use indexed_archive::{
    IndexRow, archive_with_index, blocks_of, encoded_rows, index_payload, index_payload_of, rows_of,
};
pub use reading::{Visible, scan_as, scan_input, visible_at};
pub use records::whole_value;
pub use selection::selection;
pub use sink_conformance::{SinkUnderTest, TakenNames, sink_conformance};
pub use snapshot::{SnapshotBuilder, entry, input_of, memory_input, reseal, seal};
pub use source_conformance::{scoped_source_conformance, source_conformance};
pub use sst::{SstFile, SstLayout, SstRow, put_varint, sst_container, sst_manifest, sst_payload};
pub use transaction::{intent_body, lock_body};
