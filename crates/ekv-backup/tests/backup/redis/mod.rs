//! Redis keys from snapshot to dump: the golden examples, names, sidecars, texts, damage.
//!
//! Source: `docs/format/redis.md`, sections 6 and 13. Which keys there are and what they hold is tested in `ekv-adapters`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod damage;
mod golden;
mod losses;
mod names;
mod sidecars;
mod support;
mod texts;
