//! The versions of all keys in raw-key order, found without making their raw keys.
//!
//! Keys come in their own order, so that those that begin with a key follow it. All of them that may still have versions to give are open;
//! each is a beginning of the next. A raw key is the user key and eight bytes: where the bytes behind an open key are known, a version of it
//! is compared by these eight. A version of a key that is eight or more bytes shorter than another one comes before or behind all that begins
//! with the latter. So only the last open key, and those less than eight bytes shorter, can be next: at most eight.

use ekv_spill::{Sorted, Spooled};
use ekv_text::ordered::common_prefix_len;

use crate::format::{TS_LEN, VALUE_HEADER_LEN};
use crate::record_writer::BodyPlace;
use crate::shared_key::SharedKey;
use crate::stream::len_u64;
use crate::{CommitTs, Error, ErrorKind, Result};

/// Where a key and its versions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPlace {
    /// Byte offset among the keys.
    pub(super) start: u64,
    /// Number of its oldest version among all versions.
    pub(super) first_version: u64,
    pub(super) version_count: u64,
}

impl KeyPlace {
    pub(super) fn encode(self) -> Vec<u8> {
        [self.start, self.first_version, self.version_count].into_iter().flat_map(u64::to_le_bytes).collect()
    }

    fn decode(bytes: &[u8]) -> Option<KeyPlace> {
        let ([start, first_version, version_count], []) = bytes.as_chunks() else { return None };
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let [start, first_version, version_count] = [start, first_version, version_count].map(number);
        Some(KeyPlace { start, first_version, version_count })
    }
}

/// A version without its bytes: timestamp, value header, and where the value lies in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) commit_ts: CommitTs,
    pub(super) flags: u8,
    pub(super) expire_at: u64,
    pub(super) value: BodyPlace,
}

impl Version {
    const ENCODED_LEN: usize = 33;

    pub(super) fn encode(self) -> [u8; Self::ENCODED_LEN] {
        let numbers = [self.commit_ts.0, self.expire_at, self.value.offset, self.value.len];
        let mut out = [0; Self::ENCODED_LEN];
        let bytes = numbers.into_iter().flat_map(u64::to_le_bytes).chain([self.flags]);
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        out
    }

    fn decode(bytes: &[u8; Self::ENCODED_LEN]) -> Option<Version> {
        let (numbers, [flags]) = bytes.as_chunks() else { return None };
        let [commit_ts, expire_at, offset, len] = <[_; 4]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        Some(Version { commit_ts: CommitTs(commit_ts), flags: *flags, expire_at, value: BodyPlace { offset, len } })
    }

    /// How many versions so many bytes are.
    pub(super) fn number_in(len: u64) -> u64 {
        len / len_u64(&[0; Self::ENCODED_LEN])
    }

    fn read(versions: &Spooled, number: u64) -> Result<Version> {
        let mut bytes = [0; Self::ENCODED_LEN];
        versions.read_at(number.saturating_mul(len_u64(&bytes)), &mut bytes)?;
        Version::decode(&bytes).ok_or_else(|| invalid("a version that was taken down has changed"))
    }

    pub(super) fn value_header(&self) -> [u8; VALUE_HEADER_LEN] {
        let [e0, e1, e2, e3, e4, e5, e6, e7] = self.expire_at.to_le_bytes();
        [self.flags, e0, e1, e2, e3, e4, e5, e6, e7]
    }
}

/// Gives every version, with what stands for its raw key.
type Give<'g> = &'g mut dyn FnMut(SharedKey, &Version) -> Result<()>;

/// Gives the versions of all keys in raw-key order.
///
/// Cost: one key and, for each of its beginnings that is a key, a few words. At most eight versions are compared for one that is given.
///
/// # Errors
/// `Invalid` for a key that comes twice; `Scratch`; those of `give`.
pub(super) fn in_raw_key_order(mut keys: Sorted, versions: &Spooled, give: Give<'_>) -> Result<()> {
    let mut open = OpenKeys { versions, keys: Vec::new(), deepest: Vec::new(), kept_len: 0 };
    while let Some((key, place)) = keys.next()? {
        let place = KeyPlace::decode(place).ok_or_else(|| invalid("a sorted key has changed"))?;
        let common_len = common_prefix_len(&open.deepest, key);
        if common_len == key.len() && open.keys.last().is_some_and(|last| last.len == common_len) {
            return Err(invalid("a key comes twice").with_key(key));
        }
        while open.keys.last().is_some_and(|last| last.len > common_len) {
            open.end_last(give)?;
        }
        open.give_below(key, give)?;
        open.begin(key, common_len, place)?;
    }
    while !open.keys.is_empty() {
        open.end_last(give)?;
    }
    Ok(())
}

/// The keys that may still have versions to give.
struct OpenKeys<'v> {
    versions: &'v Spooled,
    /// From the shortest to the longest, each a beginning of the next.
    keys: Vec<OpenKey>,
    /// The key that was begun last; the open keys are beginnings of it.
    deepest: Vec<u8>,
    /// How many bytes of the user key that was given last are those of `deepest`.
    kept_len: usize,
}

struct OpenKey {
    len: usize,
    place: KeyPlace,
    /// Versions that were not given, the next one among them.
    left: u64,
    next: Option<Version>,
}

impl OpenKeys<'_> {
    fn begin(&mut self, key: &[u8], common_len: usize, place: KeyPlace) -> Result<()> {
        self.deepest.truncate(common_len);
        self.deepest.extend_from_slice(key.get(common_len..).unwrap_or_default());
        self.kept_len = self.kept_len.min(common_len);
        let mut open = OpenKey { len: key.len(), place, left: place.version_count, next: None };
        open.read_next(self.versions)?;
        self.keys.push(open);
        Ok(())
    }

    /// Gives what comes before all that begins with `key`, of which every open key is a beginning.
    fn give_below(&mut self, key: &[u8], give: Give<'_>) -> Result<()> {
        while let Some(index) = self.smallest() {
            let Some((open, version)) = self.keys.get(index).and_then(|open| Some((open, open.next?))) else { break };
            let behind = key.get(open.len..).unwrap_or_default();
            let suffix = version.commit_ts.to_suffix();
            let is_below = match behind.get(..TS_LEN) {
                Some(behind) => suffix.as_slice() <= behind,
                None => suffix.get(..behind.len()).is_some_and(|beginning| beginning < behind),
            };
            if !is_below {
                break;
            }
            self.give(index, give)?;
        }
        Ok(())
    }

    /// Gives what is left of the longest open key, and what comes before that of others; it is open no more then.
    fn end_last(&mut self, give: Give<'_>) -> Result<()> {
        while self.keys.last().is_some_and(|last| last.next.is_some()) {
            let Some(index) = self.smallest() else { break };
            self.give(index, give)?;
        }
        self.keys.pop();
        Ok(())
    }

    /// Which of the open keys that can be next has the version with the smallest raw key.
    fn smallest(&self) -> Option<usize> {
        let last_len = self.keys.last()?.len;
        let near =
            self.keys.iter().enumerate().rev().take_while(|(_, open)| last_len.saturating_sub(open.len) < TS_LEN);
        let mut smallest: Option<(usize, &OpenKey, [u8; TS_LEN])> = None;
        for (index, open) in near {
            let Some(version) = open.next else { continue };
            let suffix = version.commit_ts.to_suffix();
            // Here come shorter ones: what the longer key has in front of its timestamp is known.
            let is_smaller = smallest.as_ref().is_none_or(|(_, longer, longer_suffix)| {
                let behind = self.deepest.get(open.len..longer.len).unwrap_or_default();
                suffix.iter().lt(behind.iter().chain(longer_suffix))
            });
            if is_smaller {
                smallest = Some((index, open, suffix));
            }
        }
        smallest.map(|(index, ..)| index)
    }

    fn give(&mut self, index: usize, give: Give<'_>) -> Result<()> {
        let Some(open) = self.keys.get_mut(index) else { return Ok(()) };
        let Some(version) = open.next else { return Ok(()) };
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let kept_len = number(self.kept_len.min(open.len));
        let suffix = version.commit_ts.to_suffix();
        give(SharedKey { start: open.place.start, len: number(open.len), kept_len, suffix }, &version)?;
        self.kept_len = open.len;
        open.read_next(self.versions)
    }
}

impl OpenKey {
    /// Goes to the next older version.
    fn read_next(&mut self, versions: &Spooled) -> Result<()> {
        self.next = match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(Version::read(versions, self.place.first_version.saturating_add(left))?)
            }
            None => None,
        };
        Ok(())
    }
}

/// The error of an `EKVMVCC2` payload that does not hold together.
pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "EKVMVCC2 payload", reason: reason.into() })
}
