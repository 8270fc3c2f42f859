//! From a payload to a data directory. Source: `docs/format/restore.md`, sections 7, 8, 13 and 14.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod data_dir;
mod golden;
mod hostile_info;
mod hostile_payload;
mod scene;
