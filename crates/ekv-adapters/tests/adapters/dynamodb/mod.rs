//! DynamoDB tables from records to a dump and back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod fixture;
mod golden;
mod model;
mod support;
