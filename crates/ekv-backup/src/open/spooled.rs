//! Streams that are copied to a scratch file, so that they can be read by position.

use std::io::{self, Read};
use std::sync::Arc;

use ekv_files::compressed::{Beginning, CompressedFault, Decompressed};
use ekv_model::Monitor;
use ekv_snapshot::{Error, ErrorKind, FooterPolicy, Input, Result, check_beginning};
use ekv_spill::{Scratch, Spool};

use crate::Resources;

/// Length of the buffer, in bytes: as much is read before anything is kept.
const BUFFER_LEN: usize = 128 << 10;

/// How streams are kept.
pub(super) struct Spooling<'a> {
    pub(super) resources: &'a Resources,
    pub(super) scratch: &'a Arc<dyn Scratch>,
    pub(super) monitor: &'a dyn Monitor,
    /// Whether something other than a snapshot is wanted.
    pub(super) is_other: bool,
}

impl Spooling<'_> {
    /// Copies `stream` to a scratch file; messages name it `name`.
    pub(super) fn copy(&self, stream: impl Read, name: &str) -> Result<Input> {
        self.copy_with(stream, name, |e| read_error(e, name))
    }

    /// Decompresses `stream` to a scratch file.
    pub(super) fn decompress(&self, stream: impl Read, beginning: Beginning, name: &str) -> Result<Input> {
        let decompressed = Decompressed::new(stream, beginning, self.resources.expansion_max);
        let decompressed = decompressed.map_err(|fault| refused(fault).in_file(name))?;
        let name = format!("{name} (decompressed)");
        self.copy_with(decompressed, &name, |e| match e.downcast::<CompressedFault>() {
            Ok(fault) => refused(fault).in_file(&name),
            Err(e) => read_error(e, &name),
        })
    }

    fn copy_with(&self, mut stream: impl Read, name: &str, failed: impl Fn(io::Error) -> Error) -> Result<Input> {
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        let buffer_len = u64::try_from(BUFFER_LEN).unwrap_or(u64::MAX);
        let bytes_max = self.resources.spooled_bytes_max();
        let mut spool = Spool::new(Arc::clone(self.scratch), 0);
        loop {
            buffer.clear();
            stream.by_ref().take(buffer_len).read_to_end(&mut buffer).map_err(&failed)?;
            if let Some(what) = crate::advice::of_stream(&buffer).filter(|_| spool.is_empty() && !self.is_other) {
                return Err(Error::new(ErrorKind::UnsupportedForm { what }).in_file(name));
            }
            if spool.is_empty() && buffer.len() == BUFFER_LEN && !self.is_other {
                check_beginning(&buffer, name)?;
            }
            if spool.len().saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX)) > bytes_max {
                return Err(Error::new(too_many_bytes(bytes_max)).in_file(name));
            }
            spool.write_all(&buffer).map_err(|e| Error::from(e).in_file(name))?;
            self.monitor.advance(u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
            if buffer.len() < BUFFER_LEN {
                break;
            }
        }
        let len = spool.len();
        let source = Arc::new(spool.into_file().map_err(|e| Error::from(e).in_file(name))?);
        Ok(Input { source, len, name: name.to_owned(), footer: FooterPolicy::Optional, token_crc32c: None })
    }
}

/// The error for a snapshot with more than `max` bytes.
pub(crate) fn too_many_bytes(max: u64) -> ErrorKind {
    ErrorKind::LimitExceeded { what: "bytes", max, option: "--max-bytes" }
}

/// The error for an input with more keys than `max`.
pub(crate) fn too_many_keys(max: u64) -> ErrorKind {
    ErrorKind::LimitExceeded { what: "keys", max, option: "--max-entries" }
}

fn refused(fault: CompressedFault) -> Error {
    Error::new(match fault {
        CompressedFault::Damaged { reason } => ErrorKind::Invalid { structure: "zstd stream", reason },
        CompressedFault::Expansion { max } => {
            ErrorKind::LimitExceeded { what: "bytes for each compressed one", max, option: "--max-expansion" }
        }
        other => ErrorKind::UnsupportedForm { what: other.to_string() },
    })
}

/// An error of a stream: the input's own error where it is one.
pub(super) fn read_error(error: io::Error, name: &str) -> Error {
    error.downcast().unwrap_or_else(|e| Error::io("read the snapshot", e)).in_file(name)
}
