//! The dump of plain files: names, KEYMAP, MANIFEST, CHECKSUMS, safe writing and checked reading.

pub mod checksums;
mod error;
pub mod expiry;
pub mod json;
pub mod keymap;
mod lines;
pub mod manifest;
mod path;
pub mod portable;
pub mod s3_name;
pub mod segment;
pub mod sink;
pub mod source;
pub mod verify;
mod target;
mod writer;

pub use error::{Error, ErrorKind, Location, Result};
pub use lines::LineError;
pub use path::{COMPONENT_LEN_MAX, DumpPath, PathError};
pub use target::{Scopes, TreeTarget};
pub use writer::{DumpTotals, DumpWriter};
