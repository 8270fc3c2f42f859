//! Entries of a block: keys without what they share with the one before, and values. Source: `docs/format/ssti1.md`, section 3.3.

use super::block::Content;
use super::bytes::{Bytes, VARINT_LEN_MAX, varint};
use super::faults::invalid;
use crate::format::{RAW_KEY_LEN_MAX, TS_LEN, VALUE_LEN_MAX};
use crate::stream::len_u64;
use crate::{Error, ErrorKind, Result};

/// Bytes of one restart point, and of their number.
const RESTART_LEN: u64 = 4;
/// Longest piece of a value, in bytes.
const PIECE_LEN: usize = 64 << 10;

/// Walks over the entries of a block; stands before the first one at the beginning.
pub(super) struct Entries<'b> {
    bytes: Bytes<'b>,
    /// Bytes of entries that are left.
    left: u64,
    key: Vec<u8>,
    shared_len: usize,
    value_left: u64,
}

impl<'b> Entries<'b> {
    pub(super) fn of(content: &'b Content<'_>) -> Result<Self> {
        let bytes = content.bytes();
        let restarts = content.last_u32()?.filter(|restarts| *restarts > 0);
        let restarts_len = restarts.map(|restarts| u64::from(restarts).saturating_add(1).saturating_mul(RESTART_LEN));
        let left = restarts_len.and_then(|len| bytes.left().checked_sub(len));
        let left = left.ok_or_else(|| invalid("the number of restart points of a block cannot be"))?;
        Ok(Entries { bytes, left, key: Vec::new(), shared_len: 0, value_left: 0 })
    }

    /// Moves to the next entry; `false` behind the last one.
    pub(super) fn next(&mut self) -> Result<bool> {
        self.pass(self.value_left)?;
        self.value_left = 0;
        if self.left == 0 {
            return Ok(false);
        }
        let beyond = || invalid("an entry reaches beyond the entries of its block");
        let numbers = self.bytes.ahead_most(3 * VARINT_LEN_MAX)?;
        let (shared_len, rest) = varint(numbers).ok_or_else(beyond)?;
        let (unshared_len, rest) = varint(rest).ok_or_else(beyond)?;
        let (value_len, rest) = varint(rest).ok_or_else(beyond)?;
        let numbers_len = len_u64(numbers).saturating_sub(len_u64(rest));
        let entry_len = numbers_len.checked_add(unshared_len).and_then(|len| len.checked_add(value_len));
        if shared_len > len_u64(&self.key) {
            return Err(invalid(format!("an entry shares {shared_len} bytes with a key of {}", self.key.len())));
        }
        let key_len = shared_len.saturating_add(unshared_len);
        let raw_key_len = key_len.saturating_sub(u64::try_from(TS_LEN).unwrap_or(u64::MAX));
        if raw_key_len > RAW_KEY_LEN_MAX {
            return Err(Error::new(ErrorKind::KeyTooLarge { found: raw_key_len, limit: RAW_KEY_LEN_MAX }));
        }
        // One byte before the value says where it is.
        if value_len > VALUE_LEN_MAX.saturating_add(1) {
            return Err(Error::new(ErrorKind::ValueTooLarge { found: value_len, limit: VALUE_LEN_MAX }));
        }
        if entry_len.is_none_or(|len| len > self.left) {
            return Err(beyond());
        }
        self.pass(numbers_len)?;
        let unshared = self.bytes.ahead_most(usize::try_from(unshared_len).unwrap_or(usize::MAX))?;
        self.shared_len = usize::try_from(shared_len).unwrap_or(usize::MAX);
        self.key.truncate(self.shared_len);
        self.key.extend_from_slice(unshared);
        self.pass(unshared_len)?;
        self.value_left = value_len;
        Ok(true)
    }

    /// So many bytes of the key are those of the one before.
    pub(super) fn shared_len(&self) -> usize {
        self.shared_len
    }

    /// The key, the first `head_len` bytes of what is left of the value, and how many bytes that is.
    pub(super) fn current(&mut self, head_len: usize) -> Result<(&[u8], &[u8], u64)> {
        let head_len = usize::try_from(self.value_left).unwrap_or(usize::MAX).min(head_len);
        Ok((&self.key, self.bytes.ahead_most(head_len)?, self.value_left))
    }

    /// Calls `f` with the value but for its first `passed` bytes, in pieces.
    pub(super) fn for_each_piece(&mut self, passed: u64, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.pass_value(passed.min(self.value_left))?;
        while self.value_left > 0 {
            let want = usize::try_from(self.value_left).unwrap_or(PIECE_LEN).min(PIECE_LEN);
            let piece = self.bytes.ahead_most(want)?;
            f(piece)?;
            let len = len_u64(piece);
            self.pass_value(len)?;
        }
        Ok(())
    }

    fn pass_value(&mut self, len: u64) -> Result<()> {
        self.value_left = self.value_left.saturating_sub(len);
        self.pass(len)
    }

    fn pass(&mut self, len: u64) -> Result<()> {
        self.left = self.left.saturating_sub(len);
        self.bytes.skip(len)
    }
}
