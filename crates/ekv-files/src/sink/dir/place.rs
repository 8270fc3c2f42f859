//! Where a sink works, for its messages.

use std::fmt::Display;
use std::io;

use crate::path::Escaped;
use crate::sink::{SinkError, SinkOperation};
use crate::{Error, Result};

/// Makes the error of a refused operation.
pub(super) fn io_error(operation: SinkOperation, path: impl Display, source: io::Error) -> Error {
    Error::new(SinkError::Io { operation, path: path.to_string(), source })
}

/// A path below a directory, for a person to read.
pub(super) fn below(directory: &str, path: &[u8]) -> String {
    match (directory, path) {
        (_, []) => directory.to_owned(),
        ("", _) => Escaped(path).to_string(),
        ("/", _) => format!("/{}", Escaped(path)),
        _ => format!("{directory}/{}", Escaped(path)),
    }
}

/// The first error, with the second one after it.
pub(super) fn join(first: Result<()>, second: Result<()>) -> Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => Err(first.followed_by(second)),
        (first, second) => first.and(second),
    }
}
