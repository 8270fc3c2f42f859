//! Tables on their way to DynamoDB.
//!
//! Source: `docs/format/leave.md`, section 3.

mod import;
mod item;
mod limits;
mod table;

pub use import::{ImportCompression, ImportOptions, ImportReport, ImportedTable};

pub(super) use import::ImportOutput;
