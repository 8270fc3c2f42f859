//! Dumps become payloads, and payloads the same dumps again.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod agreement;
mod edits;
mod golden;
mod incomplete;
mod laws;
mod options;
mod random;
mod restore;
mod room;
mod s3;
mod whole_way;
