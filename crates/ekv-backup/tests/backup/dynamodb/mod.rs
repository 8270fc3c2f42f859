//! DynamoDB tables from a snapshot to files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod collisions;
mod fixture;
mod golden;
mod support;
