//! Where encoders put records.

use ekv_model::{Body, Result};

/// Takes records: each user key once, in any order.
pub trait RecordSink {
    /// Takes a record whose body is `parts`, one behind the other.
    ///
    /// # Errors
    /// A key or value beyond the limits of the store (`docs/format/restore.md`, section 1), a failing read of a part, or a failing
    /// scratch file.
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()>;
}
