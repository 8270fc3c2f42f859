//! SQS: records to dumps and back. Source: `docs/format/sqs.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod edits;
mod golden;
mod producer_modes;
mod random;
mod real;
