//! Bodies of transaction records. Source: `docs/format/snapshot.md`, section 11.2.
//!
//! Only the fixed part is parsed here, which always lies in memory; where keys and values follow, their place is given.

use ekv_text::ByteCursor;

use crate::CommitTs;
use crate::format::USER_KEY_LEN_MAX;

/// The record version this tool knows.
const VERSION: u8 = 1;
/// Bytes of a lock before its primary key.
pub(crate) const LOCK_FIXED_LEN: usize = 26;
/// Bytes of an intent before its value.
pub(crate) const INTENT_FIXED_LEN: usize = 18;

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("the {record} record is cut short: {len} bytes, {needed} are needed")]
    Short { record: &'static str, len: u64, needed: u64 },
    #[error("the {record} record has version {found}, this tool knows version 1")]
    Version { record: &'static str, found: u8 },
    #[error("the intent record has operation {found}, known are 0 (put) and 1 (delete)")]
    Operation { found: u8 },
    #[error("the {record} record of a transaction started at {expected} says {found}")]
    StartTs { record: &'static str, expected: CommitTs, found: CommitTs },
    #[error("the lock record names no primary key")]
    NoPrimary,
    #[error("the lock record names a primary key of {len} bytes, more than any key may have")]
    PrimaryTooLong { len: u64 },
    #[error("the {record} record has a damaged value header")]
    ValueHeader { record: &'static str },
    #[error("the lock record locks an empty key")]
    EmptyKey,
}

/// The fixed part of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) start_ts: CommitTs,
    /// Until when other transactions wait for this one.
    pub(crate) deadline: CommitTs,
    /// Length of the primary key, which follows the fixed part.
    pub(crate) primary_len: u64,
}

impl Lock {
    /// Reads the fixed part from the first bytes of a body of `len` bytes.
    pub(crate) fn parse(head: &[u8], len: u64, expected: CommitTs) -> Result<Lock, Damage> {
        let mut fields = Fields::new("lock", head, len)?;
        let start_ts = CommitTs(fields.u64()?);
        let deadline = CommitTs(fields.u64()?);
        fields.u8()?;
        let primary_len = fields.u64()?;
        fields.followed_by(primary_len)?;
        match (start_ts == expected, primary_len) {
            (false, _) => Err(Damage::StartTs { record: "lock", expected, found: start_ts }),
            (_, 0) => Err(Damage::NoPrimary),
            (_, len) if len > USER_KEY_LEN_MAX => Err(Damage::PrimaryTooLong { len }),
            _ => Ok(Lock { start_ts, deadline, primary_len }),
        }
    }
}

/// What an intent will do to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Write the `len` bytes behind the fixed part.
    Put { len: u64 },
    /// Delete the key.
    Delete,
}

impl Intent {
    /// Reads the fixed part from the first bytes of a body of `len` bytes.
    pub(crate) fn parse(head: &[u8], len: u64, expected: CommitTs) -> Result<Intent, Damage> {
        let mut fields = Fields::new("intent", head, len)?;
        let start_ts = CommitTs(fields.u64()?);
        let operation = fields.u8()?;
        let value_len = fields.u64()?;
        fields.followed_by(value_len)?;
        if start_ts != expected {
            return Err(Damage::StartTs { record: "intent", expected, found: start_ts });
        }
        match operation {
            0 => Ok(Intent::Put { len: value_len }),
            1 => Ok(Intent::Delete),
            found => Err(Damage::Operation { found }),
        }
    }
}

/// Reads the commit timestamp from a commit record.
pub(crate) fn parse_commit(head: &[u8], len: u64) -> Result<CommitTs, Damage> {
    Fields::new("commit", head, len)?.u64().map(CommitTs)
}

/// Checks a rollback record, whose presence is all it says.
pub(crate) fn parse_rollback(head: &[u8], len: u64) -> Result<(), Damage> {
    Fields::new("rollback", head, len).map(|_| ())
}

/// Takes a body apart from its front; integers are big-endian.
struct Fields<'a> {
    record: &'static str,
    rest: ByteCursor<'a>,
    len: u64,
}

impl<'a> Fields<'a> {
    fn new(record: &'static str, head: &'a [u8], len: u64) -> Result<Fields<'a>, Damage> {
        let mut fields = Fields { record, rest: ByteCursor::new(head), len };
        match fields.u8()? {
            VERSION => Ok(fields),
            found => Err(Damage::Version { record, found }),
        }
    }

    fn u8(&mut self) -> Result<u8, Damage> {
        self.rest.u8().ok_or_else(|| self.short(1))
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.rest.u64().ok_or_else(|| self.short(8))
    }

    /// Checks that `len` more bytes follow; yet more are ignored, as the live server does.
    fn followed_by(&self, len: u64) -> Result<(), Damage> {
        match self.short(len) {
            Damage::Short { needed, .. } if needed <= self.len => Ok(()),
            short => Err(short),
        }
    }

    /// What is missing where `more` bytes must follow.
    fn short(&self, more: u64) -> Damage {
        let needed = u64::try_from(self.rest.offset()).unwrap_or(u64::MAX).saturating_add(more);
        Damage::Short { record: self.record, len: self.len, needed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    const START: CommitTs = CommitTs(0x01a2_03e8_3988_0001);
    const LOCK: &str = "01 01a203e839880001 01a203e88a100000 00 000000000000000f 2168737c6d6574617c000000027a31";
    const INTENT: &str = "01 01a203e839880001 00 0000000000000008 ff0100414741494e";

    #[test]
    fn records_of_a_real_server_are_read() {
        let body = hex(LOCK);
        let lock = Lock::parse(&body, 41, START).unwrap();
        assert_eq!(lock, Lock { start_ts: START, deadline: CommitTs(0x01a2_03e8_8a10_0000), primary_len: 15 });
        assert_eq!(&body[LOCK_FIXED_LEN..], b"!hs|meta|\0\0\0\x02z1");
        let body = hex(INTENT);
        assert_eq!(Intent::parse(&body, 26, START), Ok(Intent::Put { len: 8 }));
        assert_eq!(&body[INTENT_FIXED_LEN..], b"\xff\x01\0AGAIN");
        assert_eq!(parse_commit(&hex("01 01a203e839880002"), 9), Ok(CommitTs(0x01a2_03e8_3988_0002)));
        assert_eq!(parse_rollback(&[1], 1), Ok(()));
    }

    #[test]
    fn records_cut_anywhere_are_short_and_longer_ones_are_accepted() {
        for (text, fixed) in [(LOCK, LOCK_FIXED_LEN), (INTENT, INTENT_FIXED_LEN)] {
            let body = hex(text);
            let parse = |head: &[u8], len: usize| {
                let len = u64::try_from(len).unwrap();
                if fixed == LOCK_FIXED_LEN {
                    Lock::parse(head, len, START).map(|_| ())
                } else {
                    Intent::parse(head, len, START).map(|_| ())
                }
            };
            for cut in 0..body.len() {
                assert!(matches!(parse(&body[..cut], cut), Err(Damage::Short { .. })), "{cut}");
            }
            assert_eq!(parse(&body[..fixed], body.len() + 5), Ok(()));
        }
        assert!(matches!(parse_commit(&[1; 8], 8), Err(Damage::Short { .. })));
        assert!(matches!(parse_rollback(&[], 0), Err(Damage::Short { .. })));
    }

    #[test]
    fn unknown_versions_operations_and_timestamps_are_damage() {
        let mut lock = hex(LOCK);
        assert!(matches!(Lock::parse(&lock, 41, CommitTs(1)), Err(Damage::StartTs { .. })));
        lock[18..26].fill(0);
        assert_eq!(Lock::parse(&lock, 41, START), Err(Damage::NoPrimary));
        lock[18..26].copy_from_slice(&(USER_KEY_LEN_MAX + 1).to_be_bytes());
        assert_eq!(Lock::parse(&lock, u64::MAX, START), Err(Damage::PrimaryTooLong { len: USER_KEY_LEN_MAX + 1 }));
        lock[18..26].fill(0xff);
        assert!(matches!(Lock::parse(&lock, 41, START), Err(Damage::Short { .. })));
        lock[0] = 2;
        assert_eq!(Lock::parse(&lock, 41, START), Err(Damage::Version { record: "lock", found: 2 }));
        let mut intent = hex(INTENT);
        intent[9] = 2;
        assert_eq!(Intent::parse(&intent, 26, START), Err(Damage::Operation { found: 2 }));
        intent[9] = 1;
        assert_eq!(Intent::parse(&intent, 26, START), Ok(Intent::Delete));
        assert!(matches!(Intent::parse(&intent, 26, CommitTs(9)), Err(Damage::StartTs { .. })));
    }
}
