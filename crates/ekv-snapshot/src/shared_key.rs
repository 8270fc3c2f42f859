//! Raw keys that many records share, in the record files that this tool makes of `EKVMVCC2` payloads.
//!
//! In the place of its raw key a record of such a file has 32 bytes: where the user key lies among the keys, how long it is, how many bytes
//! of it the record before has as well, all as little-endian `u64`, and the timestamp behind it as in a raw key.

use crate::format::TS_LEN;

/// What stands for a raw key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SharedKey {
    /// Where the user key begins in the file of the keys.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// So many of its first bytes are those of the raw key of the record before.
    pub(crate) kept_len: u64,
    /// The end of the raw key.
    pub(crate) suffix: [u8; TS_LEN],
}

impl SharedKey {
    /// Bytes of the encoded form.
    pub(crate) const ENCODED_LEN: usize = 24 + TS_LEN;

    pub(crate) fn encode(self) -> [u8; Self::ENCODED_LEN] {
        let mut out = [0; Self::ENCODED_LEN];
        let numbers = [self.start, self.len, self.kept_len].into_iter().flat_map(u64::to_le_bytes);
        out.iter_mut().zip(numbers.chain(self.suffix)).for_each(|(to, from)| *to = from);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<SharedKey> {
        let (numbers, suffix) = bytes.split_last_chunk()?;
        let ([start, len, kept_len], []) = numbers.as_chunks() else { return None };
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        Some(SharedKey { start: number(start), len: number(len), kept_len: number(kept_len), suffix: *suffix })
    }
}
