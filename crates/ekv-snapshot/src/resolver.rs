//! Which version of each user key is visible: the open-prefix resolver. Source: `docs/format/snapshot.md`, section 9.
//!
//! Its cost is linear in the bytes of the raw keys, whatever keys are chosen. Let a record have a raw key of `n` bytes, the user key and
//! eight bytes behind it.
//!
//! * Comparing it with the raw key before, and keeping it, reads and copies at most `n` bytes.
//! * What is closed was opened by an earlier record, one key by each, so that closing costs no more than the number of records altogether.
//! * All keys that stay open are beginnings of this raw key. They are told apart by their lengths, so that there are at most `n` of them, and
//!   the one of the record is found by halves, in `log n` steps.
//! * Those longer than its user key end within the eight bytes behind it: a new key is put before at most eight others.
//!
//! The worst case is a chain of keys each of which begins with the one before it: `k` of them have at least `k * k / 2` bytes, so that even
//! looking at all `k` open keys for each record would be linear in what was read.

use crate::CommitTs;

/// What a record is to its user key at the read timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Committed after the read timestamp.
    Newer,
    /// The newest version at or before the read timestamp: decides what is visible.
    Decides,
    /// Hidden by a newer version that was seen before.
    Older,
}

/// A record's standing, and whether it is the first of its user key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// What the record is to its user key.
    pub standing: Standing,
    /// No record of this user key came before.
    pub first_of_key: bool,
}

/// A user key whose records may still come; it is the first `len` bytes of the previous raw key.
#[derive(Clone, Copy, Debug)]
struct OpenKey<S> {
    len: usize,
    state: S,
}

/// The user keys that may still get records, each with a state, while records pass in raw-key order.
///
/// Records of one user key need not be neighbours: a longer key that starts with it can sort between two of its versions.
/// All keys that may still get records are prefixes of the previous raw key, so that their lengths identify them.
/// Cost: one copy of the previous raw key and one small entry per open prefix, at most one per byte of the longest key.
#[derive(Clone, Debug)]
pub(crate) struct OpenKeys<S> {
    previous: Vec<u8>,
    open: Vec<OpenKey<S>>,
}

impl<S> Default for OpenKeys<S> {
    fn default() -> Self {
        OpenKeys { previous: Vec::new(), open: Vec::new() }
    }
}

impl<S: Copy> OpenKeys<S> {
    /// Forgets everything, for a new range.
    pub(crate) fn reset(&mut self) {
        self.previous.clear();
        self.open.clear();
    }

    /// The raw key given last.
    pub(crate) fn previous(&self) -> &[u8] {
        &self.previous
    }

    /// Number of user keys that may still get records.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Passes a raw key that is not a version of anything, so that order and open prefixes stay right.
    ///
    /// `common_len` is the length of the prefix that it shares with [`OpenKeys::previous`].
    pub(crate) fn pass(&mut self, raw_key: &[u8], common_len: usize) {
        while self.open.last().is_some_and(|open| open.len > common_len) {
            self.open.pop();
        }
        self.previous.truncate(common_len);
        self.previous.extend_from_slice(raw_key.get(common_len..).unwrap_or(&[]));
    }

    /// Takes the next record, whose raw key is strictly above the previous one and ends with a timestamp.
    ///
    /// `next` makes the new state of its user key from the old one; `None` = no record of this user key came before. Returns the
    /// old state.
    pub(crate) fn update(&mut self, raw_key: &[u8], common_len: usize, next: impl FnOnce(Option<S>) -> S) -> Option<S> {
        self.pass(raw_key, common_len);
        let len = raw_key.len().saturating_sub(crate::format::TS_LEN);
        // Few keys begin with others.
        if self.open.last().is_none_or(|last| last.len < len) {
            self.open.push(OpenKey { len, state: next(None) });
            return None;
        }
        let at = self.open.partition_point(|open| open.len < len);
        match self.open.get_mut(at).filter(|open| open.len == len) {
            Some(open) => {
                let before = open.state;
                open.state = next(Some(before));
                Some(before)
            }
            None => {
                self.open.insert(at, OpenKey { len, state: next(None) });
                None
            }
        }
    }
}

/// Resolves versions in one pass over records in raw-key order: the state of an open key is whether it is decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver {
    keys: OpenKeys<bool>,
}

impl Resolver {
    /// As [`OpenKeys::reset`].
    pub(crate) fn reset(&mut self) {
        self.keys.reset();
    }

    /// As [`OpenKeys::previous`].
    pub(crate) fn previous(&self) -> &[u8] {
        self.keys.previous()
    }

    /// As [`OpenKeys::depth`].
    pub(crate) fn depth(&self) -> usize {
        self.keys.depth()
    }

    /// As [`OpenKeys::pass`].
    pub(crate) fn pass(&mut self, raw_key: &[u8], common_len: usize) {
        self.keys.pass(raw_key, common_len);
    }

    /// Takes the next record: its raw key, strictly above the previous one, and its timestamp.
    ///
    /// `common_len` is the length of the prefix that it shares with [`Resolver::previous`].
    pub(crate) fn next(
        &mut self,
        raw_key: &[u8],
        common_len: usize,
        commit_ts: CommitTs,
        read_ts: CommitTs,
    ) -> Resolution {
        let was_decided =
            self.keys.update(raw_key, common_len, |decided| decided == Some(true) || commit_ts <= read_ts);
        let standing = match was_decided {
            Some(true) => Standing::Older,
            _ if commit_ts <= read_ts => Standing::Decides,
            _ => Standing::Newer,
        };
        Resolution { standing, first_of_key: was_decided.is_none() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ekv_text::ordered::common_prefix_len;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Newest version at or before `read_ts` per user key, straight from the definition.
    fn model(records: &[(Vec<u8>, u64)], read_ts: u64) -> BTreeMap<Vec<u8>, u64> {
        let mut newest = BTreeMap::new();
        for (key, ts) in records.iter().filter(|(_, ts)| *ts <= read_ts) {
            let slot = newest.entry(key.clone()).or_insert(*ts);
            *slot = (*slot).max(*ts);
        }
        newest
    }

    fn resolve(records: &[(Vec<u8>, u64)], read_ts: u64) -> BTreeMap<Vec<u8>, u64> {
        let mut raw: Vec<(Vec<u8>, u64)> =
            records.iter().map(|(key, ts)| ([key.as_slice(), &CommitTs(*ts).to_suffix()].concat(), *ts)).collect();
        raw.sort();
        raw.dedup();
        let mut resolver = Resolver::default();
        let mut visible = BTreeMap::new();
        for (raw_key, ts) in &raw {
            let common = common_prefix_len(raw_key, resolver.previous());
            let standing = resolver.next(raw_key, common, CommitTs(*ts), CommitTs(read_ts)).standing;
            let len = raw_key.len() - 8;
            let longer = resolver.keys.open.iter().filter(|open| open.len > len).count();
            assert!(longer <= 8, "a new key is put before {longer} others");
            if standing == Standing::Decides {
                let user_key = raw_key[..raw_key.len() - 8].to_vec();
                assert!(visible.insert(user_key, *ts).is_none(), "a key was decided twice");
            }
        }
        visible
    }

    /// Keys made of a few prefixes and of pieces that look like inverted timestamps.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"k".to_vec()),
            Just(b"ka".to_vec()),
            Just(vec![0xff]),
            Just(vec![0xfe, 0x5d]),
            (0_u64..6).prop_map(|ts| CommitTs(ts).to_suffix().to_vec()),
            (0_u64..6).prop_map(|ts| CommitTs(ts).to_suffix()[..5].to_vec()),
        ];
        proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn resolver_equals_the_naive_model_for_keys_with_prefixes_and_timestamp_like_suffixes(
            records in proptest::collection::vec((keys(), 0_u64..6), 0..60),
            read_ts in 0_u64..7,
        ) {
            prop_assert_eq!(resolve(&records, read_ts), model(&records, read_ts));
        }
    }

    #[test]
    fn nested_prefixes_cost_one_entry_each() {
        let key = vec![b'x'; 5_000];
        let mut raw: Vec<Vec<u8>> =
            (0..key.len()).map(|n| [&key[..n], &CommitTs(1).to_suffix()[..]].concat()).collect();
        raw.sort();
        let mut resolver = Resolver::default();
        let mut deepest = 0;
        for raw_key in &raw {
            let common = common_prefix_len(raw_key, resolver.previous());
            resolver.next(raw_key, common, CommitTs(1), CommitTs::MAX);
            deepest = deepest.max(resolver.depth());
        }
        assert!(deepest <= key.len());
    }
}
