//! A tree of files that is there as a whole or not at all: safe writing and checked reading, in a directory, an archive or memory.
//!
//! This crate knows by which names a whole tree is recognised ([`root`]), and nothing of what the files mean.

pub mod archive;
pub mod checksums;
pub mod compressed;
mod error;
pub mod path;
pub mod root;
pub mod sink;
pub mod source;

pub use error::{Error, ErrorKind, Location, Result};
pub use path::{COMPONENT_LEN_MAX, DumpPath, PathError};
