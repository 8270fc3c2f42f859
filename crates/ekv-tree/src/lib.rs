//! The dump of plain files: names, KEYMAP, MANIFEST, CHECKSUMS, safe writing and checked reading.

pub mod checksums;
mod error;
pub mod json;
pub mod keymap;
mod lines;
pub mod manifest;
mod path;
pub mod segment;
pub mod sink;

pub use error::{Error, ErrorKind, Location, Result};
pub use lines::LineError;
pub use path::{COMPONENT_LEN_MAX, DumpPath, PathError};
