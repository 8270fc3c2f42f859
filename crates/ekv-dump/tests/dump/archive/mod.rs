//! Archives: their bytes, what is refused, and what other programs make of them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests may panic and say why they skip"
)]

mod bounds;
mod bytes;
mod copies;
mod damage;
mod gnu;
mod hostile;
mod indexed;
mod indexed_hostile;
mod support;
