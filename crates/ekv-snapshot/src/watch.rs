//! Who follows a long read, and may stop it.

use crate::Result;

/// Told about the progress of a long read; may stop it.
pub trait Watch {
    /// `byte_offset` bytes of the input are done.
    ///
    /// # Errors
    /// Any error (normally `ErrorKind::Cancelled`) ends the read.
    fn progress(&self, byte_offset: u64) -> Result<()>;
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatch;

impl Watch for NoWatch {
    fn progress(&self, _byte_offset: u64) -> Result<()> {
        Ok(())
    }
}
