//! The dump of plain files: names, KEYMAP, MANIFEST, CHECKSUMS, safe writing and checked reading.

pub mod archive;
pub mod checksums;
pub mod compressed;
mod copy;
mod error;
pub mod expiry;
mod hlc;
pub mod json;
pub mod keymap;
mod lines;
pub mod losses;
pub mod manifest;
mod path;
pub mod portable;
pub mod replay;
pub mod s3_name;
pub mod scope_list;
pub mod segment;
pub mod sink;
pub mod source;
mod taken;
mod target;
pub mod verify;
mod writer;

pub use copy::{Copied, copy};
pub use error::{Error, ErrorKind, Location, Result};
pub use lines::LineError;
pub use path::{COMPONENT_LEN_MAX, DumpPath, PathError};
pub use target::{DYNAMODB_NAME_COLLISION, Included, Scopes, SqsVisibility, TreeOptions, TreeTarget};
pub use writer::{DumpTotals, DumpWriter};
