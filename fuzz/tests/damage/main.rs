//! Damage to files, exhaustively: every byte, every bit, every length. Tests whose name begins with `all_` are long forms, which
//! `cargo xtask long` runs; the others take a sample of the same cases.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod dump;
mod member;
mod snapshot;
