//! JSON values as the server stored them. Source: `docs/format/s3.md`, section 1, rule C4.

mod write;

use std::fmt;

use ekv_model::ByteSource;
use ekv_text::BytesAt;
use ekv_text::json::{JsonFault, JsonSource, Position, StoredReader};

pub(crate) use ekv_text::json::{ObjectText, is_name};
pub(crate) use write::{begin_object, push_stored};

/// Reads a value with the leniency of the server's own reader.
pub(crate) type JsonReader<'v> = StoredReader<Stored<'v>>;

pub(crate) type JsonResult<T> = Result<T, JsonError>;

/// Why a value is not read.
#[derive(Debug)]
pub(crate) enum JsonError {
    /// The snapshot cannot be read.
    Read(ekv_model::Error),
    /// The value is not what its place demands.
    Fault(FaultAt),
}

/// What is wrong with a value, and where.
#[derive(Debug)]
pub(crate) struct FaultAt {
    fault: JsonFault,
    byte_offset: u64,
}

impl fmt::Display for FaultAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of the JSON text: ", self.byte_offset)?;
        match &self.fault {
            JsonFault::Expected { expected, .. } => write!(f, "expected {expected}"),
            JsonFault::LongString { len_max } => write!(f, "a string is longer than {len_max} bytes"),
            JsonFault::Nesting { .. } => f.write_str("nested too deeply"),
            other => other.fmt(f),
        }
    }
}

impl From<ekv_model::Error> for JsonError {
    fn from(error: ekv_model::Error) -> Self {
        JsonError::Read(error)
    }
}

/// A value that is read.
pub(crate) struct Stored<'v>(&'v dyn ByteSource);

impl<'v> From<&'v dyn ByteSource> for Stored<'v> {
    fn from(value: &'v dyn ByteSource) -> Self {
        Stored(value)
    }
}

impl BytesAt for Stored<'_> {
    type Error = JsonError;

    fn byte_count(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> JsonResult<()> {
        Ok(self.0.read_exact_at(offset, buf)?)
    }
}

impl JsonSource for Stored<'_> {
    fn refuse(fault: JsonFault, position: Position) -> JsonError {
        JsonError::Fault(FaultAt { fault, byte_offset: position.byte_offset })
    }
}
