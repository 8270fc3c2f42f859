//! Hybrid logical clock timestamps.

use std::fmt;

/// A commit or read timestamp: 48 bits of Unix milliseconds, 16 bits of counter; ordered as a plain number.
///
/// Source: `docs/format/snapshot.md`, section 7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitTs(pub u64);

impl CommitTs {
    /// The greatest timestamp.
    pub const MAX: CommitTs = CommitTs(u64::MAX);

    /// The last timestamp of a Unix millisecond; `None` if the millisecond does not fit into 48 bits.
    pub fn last_of_ms(unix_ms: u64) -> Option<CommitTs> {
        (unix_ms < 1 << 48).then_some(CommitTs((unix_ms & ((1 << 48) - 1)) << 16 | 0xffff))
    }

    /// Unix milliseconds.
    pub fn unix_ms(self) -> u64 {
        self.0 >> 16
    }

    /// Logical counter within the millisecond.
    pub fn counter(self) -> u16 {
        u16::try_from(self.0 & 0xffff).unwrap_or(u16::MAX)
    }

    /// The eight bytes that follow a user key in a raw key: big-endian, inverted.
    pub fn to_suffix(self) -> [u8; 8] {
        (!self.0).to_be_bytes()
    }

    /// Reads the suffix of a raw key.
    pub fn from_suffix(suffix: [u8; 8]) -> CommitTs {
        CommitTs(!u64::from_be_bytes(suffix))
    }
}

impl fmt::Display for CommitTs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_timestamp_splits_into_milliseconds_and_counter() {
        let ts = CommitTs(0x01a2_03c8_0991_0003);
        assert_eq!(ts.0, 117_660_697_953_894_403);
        assert_eq!((ts.unix_ms(), ts.counter()), (1_795_359_771_025, 3));
        assert_eq!(CommitTs::from_suffix(ts.to_suffix()), ts);
        assert_eq!(ts.to_suffix()[0], 0xfe);
    }

    #[test]
    fn milliseconds_beyond_48_bits_have_no_timestamp() {
        assert_eq!(CommitTs::last_of_ms((1 << 48) - 1), Some(CommitTs::MAX));
        assert_eq!(CommitTs::last_of_ms(1 << 48), None);
    }
}
