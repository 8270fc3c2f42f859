//! Text, as formats of this workspace have it: JSON piece by piece, hex digits, lines, times, names in keys, and what a person is shown of it.
//!
//! This crate knows no format of its own and no other crate of the workspace.

pub mod base64;
mod cursor;
pub mod hex;
pub mod human;
pub mod json;
mod lines;
pub mod ordered;
pub mod protobuf;
mod shown;
mod source;
pub mod time;

pub use cursor::ByteCursor;
pub use lines::{LineError, Lines};
pub use shown::{Line, Percent, Shown, is_shown_as_it_is, shorten, write_percent};
pub use source::{BytesAt, Window};
