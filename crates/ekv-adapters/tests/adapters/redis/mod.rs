//! Redis: records in, events out. Source: `docs/format/redis.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod collections;
mod decoded;
mod expiry;
mod hostile;
mod legacy;
mod limits;
mod model;
mod order;
mod scalars;
mod selected;
mod types;
