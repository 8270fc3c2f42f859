//! The file system: records to dumps and back. Source: `docs/format/fs.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod golden;
mod hostile;
mod states;
mod store;
mod tar;
mod trees;
