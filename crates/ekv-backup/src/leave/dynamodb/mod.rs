//! Tables on their way to DynamoDB.
//!
//! Source: `docs/format/leave.md`, section 3.

mod compare;
mod import;
mod item;
mod limits;
mod load;
mod read_back;
mod served;
mod table;

pub use import::{ImportCompression, ImportOptions, ImportReport, ImportedTable};

pub(super) use compare::compare;
pub(super) use import::ImportOutput;
pub(super) use load::load;
