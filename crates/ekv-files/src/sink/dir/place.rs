//! Where a sink works, for its messages.

use std::fmt::Display;
use std::io;

use crate::Error;
use crate::path::Escaped;
use crate::sink::{SinkError, SinkOperation};

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
