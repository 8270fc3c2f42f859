//! Staged writes of two-phase transactions. Source: `docs/format/snapshot.md`, section 11.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod case;
mod damage;
mod fates;
mod history;
mod limits;
mod views;
