//! Decode, verify and inspect elastickv backups.

mod open;

pub use open::{Opened, OpenedSnapshot, open};
