//! Looking into what holds data, without making anything of it.
//!
//! | file | question |
//! |---|---|
//! | `report.rs`, `report/`, `html.rs`, `html/` | what does it consist of, in text and as a page? |
//! | `source.rs` | is it a snapshot, a node, a dump or an archive, and what are its events? |
//! | `look.rs` | what is selected of it, what had expired, and what could not be read? |
//! | `list.rs` | which things are there? |
//! | `get.rs` | what is one of them? |
//! | `history.rs` | what was one of them, at every commit? |
//! | `diff.rs` | what do two sources differ in, or one at two moments? |
//!
//! Source: `docs/format/tree.md`, section 20.

mod diff;
mod get;
mod history;
mod html;
mod list;
mod look;
pub mod report;
mod source;

pub use diff::{Change, Compared, DiffOptions, Difference, Side, diff};
pub(crate) use diff::{diff_side, diff_sides};
pub use get::{GetOptions, GetOutput, GetReport, get};
pub use history::{Retained, ThingState, Version, VersionState, history};
pub use html::{PageOptions, PageReport, report_page};
pub use list::{CommitTime, ListOptions, Listed, Row, ScopeRow, SortBy, list};
pub use look::{BY_INDEX, Enough, Look};
pub use report::{Report, ReportOptions, report};
pub use source::{Source, SourceBooks};
