//! The parts of one entry of an `EKVPBBL1` payload. Source: `docs/format/snapshot.md`, section 4.

use crate::format::{VALUE_HEADER_LEN, VALUE_LEN_MAX};
use crate::sequential::Sequential;
use crate::{Error, ErrorKind, Result, escape};

/// Bytes of a value that are in memory with its entry: the value header, and the data key id of an encrypted body.
pub(crate) const VALUE_HEAD_LEN: usize = VALUE_HEADER_LEN + 6;

/// The entry at which a reader stands; the reader was not moved.
pub(crate) struct Entry<'r> {
    pub(crate) raw_key: &'r [u8],
    /// The first bytes of the value, all of them if there are few.
    pub(crate) value_head: &'r [u8],
    pub(crate) value_len: u64,
    /// Bytes of the whole entry: two length fields, raw key, value.
    pub(crate) len: u64,
}

/// Lengths of raw key and value of the entry at the start of `bytes`; `None` unless both length fields are there.
pub(crate) fn lengths(bytes: &[u8]) -> Option<(usize, u64)> {
    let number_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let key_len = usize::try_from(number_at(0)?).ok()?;
    Some((key_len, number_at(key_len.checked_add(8)?)?))
}

/// Where the parts of an entry are, in bytes from its start.
#[derive(Clone, Copy)]
struct Layout {
    value_start: usize,
    head_len: usize,
    value_len: u64,
    len: u64,
}

impl Layout {
    /// The layout of an acceptable entry whose keys and value head lie in `window`; `None` asks for a closer look.
    fn in_window(window: &[u8], left: u64, raw_key_len_max: u64) -> Option<Layout> {
        let (raw_key_len, value_len) = lengths(window)?;
        let value_start = raw_key_len.checked_add(16)?;
        let key_len = u64::try_from(raw_key_len).ok()?;
        let len = key_len.checked_add(16)?.checked_add(value_len)?;
        let head_len = usize::try_from(value_len).unwrap_or(usize::MAX).min(VALUE_HEAD_LEN);
        let is_acceptable = key_len <= raw_key_len_max && value_len <= VALUE_LEN_MAX && len <= left;
        let is_there = value_start.checked_add(head_len)? <= window.len();
        (is_acceptable && is_there).then_some(Layout { value_start, head_len, value_len, len })
    }

    /// The entry at the start of `bytes`.
    fn entry(self, bytes: &[u8]) -> Entry<'_> {
        let (fixed, rest) = bytes.split_at_checked(self.value_start).unwrap_or((bytes, &[]));
        let raw_key = fixed.get(8..fixed.len().saturating_sub(8)).unwrap_or(&[]);
        let value_head = rest.get(..self.head_len).unwrap_or(rest);
        Entry { raw_key, value_head, value_len: self.value_len, len: self.len }
    }
}

/// Looks at the entry at which `reader` stands; all of it is in the file.
///
/// # Errors
/// `KeyTooLarge`, `ValueTooLarge`, `Truncated`, or a failing read.
pub(crate) fn peek<'r>(reader: &'r mut Sequential<'_>, raw_key_len_max: u64) -> Result<Entry<'r>> {
    match Layout::in_window(reader.window(), reader.left(), raw_key_len_max) {
        Some(layout) => Ok(layout.entry(reader.window())),
        None => read(reader, raw_key_len_max),
    }
}

fn read<'r>(reader: &'r mut Sequential<'_>, raw_key_len_max: u64) -> Result<Entry<'r>> {
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
    let layout = Layout { value_start: to_value_len, head_len, value_len, len };
    Ok(layout.entry(reader.ahead(to_value_len.saturating_add(head_len))?))
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

/// The error for a snapshot with more than `max` entries.
pub(crate) fn too_many_entries(max: u64) -> ErrorKind {
    ErrorKind::LimitExceeded { what: "entries", max, option: "--max-entries" }
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
