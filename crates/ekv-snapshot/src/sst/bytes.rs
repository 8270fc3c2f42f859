//! Bytes of a block, in memory or not, and numbers in them.

use crate::Result;
use crate::sequential::Sequential;
use crate::stream::len_u64;

/// Longest number, in bytes.
pub(super) const VARINT_LEN_MAX: usize = 10;

/// Bytes that are read from front to back.
pub(super) enum Bytes<'b> {
    Memory(&'b [u8]),
    Input(Box<Sequential<'b>>),
}

impl Bytes<'_> {
    pub(super) fn left(&self) -> u64 {
        match self {
            Bytes::Memory(bytes) => len_u64(bytes),
            Bytes::Input(reader) => reader.left(),
        }
    }

    /// The next `len` bytes, or as many as there are; they stay.
    pub(super) fn ahead_most(&mut self, len: usize) -> Result<&[u8]> {
        match self {
            Bytes::Memory(bytes) => Ok(bytes.get(..len).unwrap_or(bytes)),
            Bytes::Input(reader) => reader.ahead(usize::try_from(reader.left()).unwrap_or(usize::MAX).min(len)),
        }
    }

    /// Passes bytes that are there.
    pub(super) fn skip(&mut self, len: u64) -> Result<()> {
        match self {
            Bytes::Memory(bytes) => {
                *bytes = usize::try_from(len).ok().and_then(|len| bytes.get(len..)).unwrap_or_default();
                Ok(())
            }
            Bytes::Input(reader) => reader.skip(len),
        }
    }
}

/// The number at the front of `bytes`, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(VARINT_LEN_MAX).enumerate() {
        let group = u64::from(byte & 0x7f);
        let shift = u32::try_from(at).ok()?.checked_mul(7)?;
        let shifted = group.checked_shl(shift)?;
        if shifted >> shift != group {
            return None;
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at.checked_add(1)?..)?));
        }
    }
    None
}
