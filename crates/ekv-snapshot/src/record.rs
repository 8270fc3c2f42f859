//! One stored entry: raw key, value header, body.

use ekv_model::{Body, ByteSource};

use crate::format::{
    ENCRYPTION_STATE_ENCRYPTED, FLAG_TOMBSTONE, FLAGS_ENCRYPTION, FLAGS_RESERVED, TS_LEN, VALUE_HEADER_LEN,
};
use crate::{CommitTs, Error, ErrorKind, Input, Result};

/// Splits a raw key into user key and commit timestamp; `None` if it is shorter than a timestamp.
///
/// Source: `docs/format/snapshot.md`, section 7.1.
pub fn split_raw_key(raw_key: &[u8]) -> Option<(&[u8], CommitTs)> {
    let (user_key, suffix) = raw_key.split_last_chunk::<TS_LEN>()?;
    Some((user_key, CommitTs::from_suffix(*suffix)))
}

/// Rows that carry no timestamp and no value header, recognised by exact raw key.
///
/// Source: `docs/format/snapshot.md`, section 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnversionedRow {
    /// `_meta_applied_index`.
    AppliedIndex,
    /// `_meta_last_commit_ts`.
    LastCommitTs,
    /// `_meta_min_retained_ts`.
    MinRetainedTs,
    /// `_meta_pending_min_retained_ts`.
    PendingMinRetainedTs,
    /// A row of the encryption writer registry.
    EncryptionWriter,
}

impl UnversionedRow {
    /// The row that `raw_key` names, if it is one.
    pub fn of(raw_key: &[u8]) -> Option<Self> {
        const WRITERS: &[u8] = b"!encryption|writers|";
        match raw_key {
            b"_meta_applied_index" => Some(Self::AppliedIndex),
            b"_meta_last_commit_ts" => Some(Self::LastCommitTs),
            b"_meta_min_retained_ts" => Some(Self::MinRetainedTs),
            b"_meta_pending_min_retained_ts" => Some(Self::PendingMinRetainedTs),
            _ if raw_key.len() == 27 && raw_key.starts_with(WRITERS) && raw_key.get(24) == Some(&b'|') => {
                Some(Self::EncryptionWriter)
            }
            _ => None,
        }
    }
}

/// The nine bytes in front of a versioned value. Source: `docs/format/snapshot.md`, section 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueHeader {
    /// The version says "deleted".
    pub tombstone: bool,
    /// Store expiry as a timestamp; 0 = none.
    pub expire_at: CommitTs,
}

impl ValueHeader {
    /// Reads the header of a value of `value_len` bytes from its first bytes.
    ///
    /// # Errors
    /// `ShortValue`, `ReservedFlags`, `Encrypted`, without a place.
    pub fn parse(head: &[u8], value_len: u64) -> Result<ValueHeader> {
        let Some((&flags, expire_at)) = head.split_first().and_then(|(f, rest)| Some((f, rest.first_chunk::<8>()?)))
        else {
            return Err(Error::new(ErrorKind::ShortValue { len: value_len }));
        };
        if flags & FLAGS_RESERVED != 0 {
            return Err(Error::new(ErrorKind::ReservedFlags { flags }));
        }
        match flags & FLAGS_ENCRYPTION {
            0 => {}
            ENCRYPTION_STATE_ENCRYPTED => {
                // Body: version, flag, then the data key id.
                let key_id = head.get(11..).and_then(<[u8]>::first_chunk).map(|id| u32::from_be_bytes(*id));
                return Err(Error::new(ErrorKind::Encrypted { key_id }));
            }
            _ => return Err(Error::new(ErrorKind::ReservedFlags { flags })),
        }
        let expire_at = CommitTs(u64::from_le_bytes(*expire_at));
        Ok(ValueHeader { tombstone: flags & FLAG_TOMBSTONE != 0, expire_at })
    }

    /// Whether the version shows nothing at `read_ts` although it is the newest one.
    pub fn hides_at(self, read_ts: CommitTs) -> bool {
        self.tombstone || self.expired_at(read_ts)
    }

    /// Whether the store expiry has passed at `read_ts`. Source: `docs/format/snapshot.md`, section 7.4.
    pub fn expired_at(self, read_ts: CommitTs) -> bool {
        self.expire_at.0 != 0 && self.expire_at <= read_ts
    }
}

/// The bytes of a value where they lie in the snapshot; the first of them are in memory.
#[derive(Clone, Copy)]
pub struct StoredValue<'a> {
    input: &'a Input,
    offset: u64,
    len: u64,
    head: &'a [u8],
}

impl<'a> StoredValue<'a> {
    pub(crate) fn new(input: &'a Input, offset: u64, len: u64, head: &'a [u8]) -> Self {
        StoredValue { input, offset, len, head }
    }

    /// The input in which the value lies.
    pub fn input(&self) -> &'a Input {
        self.input
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the value is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Byte offset in the snapshot.
    pub fn byte_offset(&self) -> u64 {
        self.offset
    }

    /// The first bytes: all of a small value, at least 64 of a large one.
    pub fn head(&self) -> &'a [u8] {
        self.head
    }

    /// All bytes, if they are in memory; values of a few KiB always are.
    pub fn whole(&self) -> Option<&'a [u8]> {
        (u64::try_from(self.head.len()) == Ok(self.len)).then_some(self.head)
    }

    /// The value without its first `n` bytes (nothing, if it is shorter).
    #[must_use]
    pub fn after(&self, n: usize) -> StoredValue<'a> {
        let skipped = u64::try_from(n).unwrap_or(u64::MAX).min(self.len);
        StoredValue {
            input: self.input,
            offset: self.offset.saturating_add(skipped),
            len: self.len.saturating_sub(skipped),
            head: self.head.get(n..).unwrap_or(&[]),
        }
    }

    /// The `len` bytes from index `start`, cut to what the value has.
    #[must_use]
    pub fn slice(&self, start: u64, len: u64) -> StoredValue<'a> {
        let rest = self.after(usize::try_from(start).unwrap_or(usize::MAX));
        let len = len.min(rest.len);
        let kept = usize::try_from(len).unwrap_or(usize::MAX).min(rest.head.len());
        StoredValue { len, head: rest.head.get(..kept).unwrap_or(&[]), ..rest }
    }

    /// The value as the body of an event.
    pub fn body<'s>(&'s self) -> Body<'s> {
        match self.whole() {
            Some(bytes) => Body::Inline(bytes),
            None => Body::Streamed(self),
        }
    }

    /// The body of a versioned value: what follows the value header.
    pub(crate) fn without_header(&self) -> StoredValue<'a> {
        self.after(VALUE_HEADER_LEN)
    }
}

impl ByteSource for StoredValue<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        let at = self.offset.saturating_add(offset);
        let got = self.input.fill_at(at, buf)?;
        if got < buf.len() {
            let missing = ErrorKind::Truncated {
                what: "value",
                needed: u64::try_from(buf.len()).unwrap_or(u64::MAX),
                available: u64::try_from(got).unwrap_or(u64::MAX),
            };
            return Err(Error::new(missing).at(at).in_file(&self.input.name).into());
        }
        Ok(())
    }
}
