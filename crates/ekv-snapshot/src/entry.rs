//! The parts of one entry of an `EKVPBBL1` payload. Source: `docs/format/snapshot.md`, section 4.

use crate::format::{VALUE_HEADER_LEN, VALUE_LEN_MAX};
use crate::sequential::Sequential;
use crate::{Error, ErrorKind, Result, escape};

/// Bytes of a value that are in memory with its entry: the value header, and the data key id of an encrypted body.
const VALUE_HEAD_LEN: usize = VALUE_HEADER_LEN + 6;

/// The entry at which a reader stands; the reader was not moved.
pub(crate) struct Entry<'r> {
    pub(crate) raw_key: &'r [u8],
    /// The first bytes of the value, all of them if there are few.
    pub(crate) value_head: &'r [u8],
    pub(crate) value_len: u64,
    /// Bytes of the whole entry: two length fields, raw key, value.
    pub(crate) len: u64,
}

/// Looks at the entry at which `reader` stands; all of it is in the file.
///
/// # Errors
/// `KeyTooLarge`, `ValueTooLarge`, `Truncated`, or a failing read.
pub(crate) fn peek<'r>(reader: &'r mut Sequential<'_>, raw_key_len_max: u64) -> Result<Entry<'r>> {
    let at = reader.offset();
    need(reader, "key length", 8, at)?;
    let key_len = le_u64(reader.ahead(8)?, 0);
    if key_len > raw_key_len_max {
        return Err(Error::new(ErrorKind::KeyTooLarge { found: key_len, limit: raw_key_len_max }).at(at));
    }
    let to_value = key_len.saturating_add(16);
    need(reader, "key and value length", to_value, at)?;
    let to_value_len = usize::try_from(to_value).unwrap_or(usize::MAX);
    let available = reader.left();
    let fixed = reader.ahead(to_value_len)?;
    let value_len = le_u64(fixed, to_value_len.saturating_sub(8));
    let len = to_value.saturating_add(value_len);
    let refusal = if value_len > VALUE_LEN_MAX {
        Some(ErrorKind::ValueTooLarge { found: value_len, limit: VALUE_LEN_MAX })
    } else if len > available {
        Some(ErrorKind::Truncated { what: "value", needed: len, available })
    } else {
        None
    };
    if let Some(kind) = refusal {
        let raw_key = fixed.get(8..to_value_len.saturating_sub(8)).unwrap_or(&[]);
        return Err(Error::new(kind).at(at).with_key(raw_key));
    }
    let head_len = usize::try_from(value_len).unwrap_or(usize::MAX).min(VALUE_HEAD_LEN);
    let bytes = reader.ahead(to_value_len.saturating_add(head_len))?;
    let (fixed, value_head) = bytes.split_at_checked(to_value_len).unwrap_or((bytes, &[]));
    let raw_key = fixed.get(8..to_value_len.saturating_sub(8)).unwrap_or(&[]);
    Ok(Entry { raw_key, value_head, value_len, len })
}

/// Checks that a raw key is strictly above the one before it, with which it shares the first `common_len` bytes.
///
/// # Errors
/// `Order`.
pub(crate) fn check_order(previous: &[u8], raw_key: &[u8], common_len: usize) -> Result<()> {
    match raw_key.get(common_len) > previous.get(common_len) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Order { previous: escape(previous) })),
    }
}

/// Checks that `needed` bytes are left.
pub(crate) fn need(reader: &Sequential<'_>, what: &'static str, needed: u64, at: u64) -> Result<()> {
    let available = reader.left();
    if available < needed {
        return Err(Error::new(ErrorKind::Truncated { what, needed, available }).at(at));
    }
    Ok(())
}

fn le_u64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_le_bytes(*b))
}
