//! The JSON of a dump, read strictly. How is in [`ekv_text::json`].

use ekv_model::ByteSource;
use ekv_text::BytesAt;
use ekv_text::json::JsonSource;

use ekv_files::{Error, ErrorKind, Result};

use crate::DumpFault;

pub use ekv_text::json::{Found, JsonFault, Position, ValueKind};

/// Reads the text of a file; the errors name line and byte.
pub type JsonReader<'s> = ekv_text::json::JsonReader<FileText<'s>>;

/// The text of a file.
pub struct FileText<'s>(&'s dyn ByteSource);

impl<'s> From<&'s dyn ByteSource> for FileText<'s> {
    fn from(text: &'s dyn ByteSource) -> Self {
        FileText(text)
    }
}

impl<'s, T: ByteSource> From<&'s T> for FileText<'s> {
    fn from(text: &'s T) -> Self {
        FileText(text)
    }
}

impl BytesAt for FileText<'_> {
    type Error = Error;

    fn byte_count(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.0.read_exact_at(offset, buf)?)
    }
}

impl JsonSource for FileText<'_> {
    fn refuse(fault: JsonFault, position: Position) -> Error {
        refused(DumpFault::from(fault), position)
    }
}

/// Refuses the meaning of a text at the place where it is read.
pub(crate) trait Refuse {
    /// An error at the next byte.
    fn refuse(&self, kind: impl Into<ErrorKind>) -> Error;
}

impl Refuse for JsonReader<'_> {
    fn refuse(&self, kind: impl Into<ErrorKind>) -> Error {
        refused(kind, self.here())
    }
}

fn refused(kind: impl Into<ErrorKind>, Position { byte_offset, line }: Position) -> Error {
    Error::new(kind).at_line(line).at_byte_offset(byte_offset)
}
