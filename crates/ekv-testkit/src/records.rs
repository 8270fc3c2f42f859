//! Records that an encoder puts.

use ekv_model::{Body, Result};

/// A value whose parts were given one by one.
///
/// # Errors
/// If a part cannot be read.
pub fn whole_value(parts: &[Body<'_>]) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    for part in parts {
        part.for_each_chunk(|chunk| {
            value.extend_from_slice(chunk);
            Ok(())
        })?;
    }
    Ok(value)
}
