//! Fuzz targets: each is a plain function over bytes that panics if a promise of the product does not hold.
//!
//! `cargo xtask fuzz TARGET` drives a target with a coverage-guided engine; the test `replay.rs` runs all of them over their corpora
//! and finds on every test run. `tests/damage/` changes, cuts and exchanges bytes and files exhaustively. `docs/testing.md` says how all of it
//! is used.
//!
//! | file | holds |
//! |---|---|
//! | `targets/` | the targets, by what they attack |
//! | `records.rs` | snapshots whose records an engine can mutate one by one |
//! | `dump.rs` | the whole decode in memory, and what must hold of its result |
//! | `corpus.rs`, `seeds.rs` | inputs: packed corpora, finds, pieces of real snapshots |
//! | `engine.rs`, `corpus_tool.rs` | the programs behind `cargo xtask fuzz` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target reports a broken promise by a panic"
)]

pub mod corpus;
mod dump;
pub mod records;
mod seeds;
pub mod targets;

use std::path::PathBuf;

pub use seeds::small_dump;

/// A fuzz target.
pub struct Target {
    /// Its name on the command line; also that of its corpus.
    pub name: &'static str,
    /// Runs one input; panics if a promise does not hold.
    pub run: fn(&[u8]),
    /// Makes inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Longest useful input in bytes.
    pub len_max: usize,
}

/// The target with a name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}

/// The folder of this package: corpora and finds lie in it.
fn package_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
