//! CRC32C of an input while it is read. Source: `docs/format/snapshot.md`, section 3.2.

use crate::Input;
use crate::format::FOOTER_LEN;

/// The checksum of all bytes so far, the footer's excepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum {
    crc32c: u32,
    /// Bytes that are yet to be hashed.
    left: u64,
}

impl Checksum {
    pub(crate) fn new(input: &Input) -> Self {
        Checksum { crc32c: 0, left: input.len.saturating_sub(FOOTER_LEN) }
    }

    /// CRC32C of what it has taken.
    pub(crate) fn crc32c(self) -> u32 {
        self.crc32c
    }

    /// Takes the next bytes of the input.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let to_hash = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes.get(..to_hash).unwrap_or(&[]));
        self.left = self.left.saturating_sub(u64::try_from(to_hash).unwrap_or(u64::MAX));
    }
}
