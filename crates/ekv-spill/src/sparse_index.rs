//! An index over sorted records, in fixed memory whatever the file.

mod kept;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Error, Result, Scratch, Spool, Spooled, file_len};

/// Bytes that the keys and entries in memory may take together.
const BUDGET_BYTES: usize = 1 << 20;
/// Distance between the records that are marked, in bytes of the file.
const STRIDE: u64 = 16 << 10;
/// Longest beginning of a key that is kept.
const KEPT_KEY_LEN: usize = 512;
/// Bytes of marks that are kept in memory; more go to a scratch file.
const MARKS_BUDGET_BYTES: usize = 512 << 10;
/// Bytes of a mark.
const MARK_LEN: usize = size_of::<u64>();

/// Makes a [`SparseIndex`] while the records are read for the first time.
///
/// Cost: memory bounded by a constant; 8 bytes of scratch space for every 16 KiB of a file of more than 1 GiB.
pub struct SparseIndexBuilder {
    samples: Samples,
    marks: Spool,
    stride: u64,
    next_at: u64,
}

/// Finds records of a sorted file by key: where to begin to read for one.
///
/// Every 16 KiB of the file a record is marked with its offset. Of as many of them as fit in memory the beginnings of the keys are kept,
/// too. A search goes through these first, then halves what lies between two of them, and asks the file itself where what is kept does not
/// decide: its cost grows with the logarithm of the file's length, also if all keys begin with the same kilobytes.
#[derive(Default)]
pub struct SparseIndex {
    samples: Samples,
    /// Offsets of all marked records, ascending, as little-endian `u64`; `None` if there is none.
    marks: Option<Spooled>,
}

/// The keys of some marked records.
struct Samples {
    /// Of every `marks_per_entry`-th mark.
    entries: Vec<Entry>,
    keys: Vec<u8>,
    marks_per_entry: u64,
    budget: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    key_start: usize,
    key_len: usize,
    truncated: bool,
}

impl SparseIndexBuilder {
    /// An index in the usual memory.
    pub fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Self::with_sizes(scratch, BUDGET_BYTES, STRIDE)
    }

    /// An index that keeps at most `budget` bytes of keys and entries in memory and marks a record every `stride` bytes of the file.
    pub fn with_sizes(scratch: &Arc<dyn Scratch>, budget: usize, stride: u64) -> Self {
        let marks = Spool::new(Arc::clone(scratch), MARKS_BUDGET_BYTES);
        SparseIndexBuilder { samples: Samples { budget, ..Samples::default() }, marks, stride, next_at: 0 }
    }

    /// Offers the record at `offset`; records must be offered in file order.
    ///
    /// # Errors
    /// [`Error::Io`] if a scratch file fails.
    #[inline]
    pub fn offer(&mut self, offset: u64, key: &[u8]) -> Result<()> {
        if offset >= self.next_at { self.mark(offset, key) } else { Ok(()) }
    }

    fn mark(&mut self, offset: u64, key: &[u8]) -> Result<()> {
        let number = marks_in(self.marks.len());
        if number.is_multiple_of(self.samples.marks_per_entry) {
            self.samples.add(offset, key);
        }
        self.next_at = offset.saturating_add(self.stride);
        self.marks.write_all(&offset.to_le_bytes())
    }

    /// Ends offering.
    ///
    /// # Errors
    /// [`Error::Io`] if a scratch file fails.
    pub fn finish(self) -> Result<SparseIndex> {
        let marks = if self.marks.is_empty() { None } else { Some(self.marks.into_reader()?) };
        Ok(SparseIndex { samples: self.samples, marks })
    }
}

impl SparseIndex {
    /// Offset of the last marked record whose key is at or below `target`; `None` if there is none.
    ///
    /// `compare` answers how the key of the record at an offset compares with `target`.
    ///
    /// # Errors
    /// Those of `compare`, and [`Error::Io`] if a scratch file fails.
    pub fn start_for<E: From<Error>>(
        &self,
        target: &[u8],
        mut compare: impl FnMut(u64) -> Result<Ordering, E>,
    ) -> Result<Option<u64>, E> {
        let entries = &self.samples.entries;
        let mut is_at_or_below = |number: u64| -> Result<bool, E> {
            let entry = usize::try_from(number).ok().and_then(|number| entries.get(number));
            let Some(entry) = entry else { return Ok(false) };
            let key = self.samples.key(entry);
            if entry.truncated && target.starts_with(key) {
                // Of the key only so much is known as it has in common with the target.
                return Ok(compare(entry.offset)? != Ordering::Greater);
            }
            Ok(key <= target)
        };
        let above = first_above(0, file_len(entries.len()), &mut is_at_or_below)?;
        let Some(last) = above.checked_sub(1) else { return Ok(None) };
        let Some(marks) = &self.marks else { return Ok(None) };
        let known = last.saturating_mul(self.samples.marks_per_entry);
        let end = above.saturating_mul(self.samples.marks_per_entry).min(marks_in(marks.len()));
        let above = first_above(known.saturating_add(1), end, &mut |number| -> Result<bool, E> {
            Ok(compare(mark(marks, number)?)? != Ordering::Greater)
        })?;
        Ok(Some(mark(marks, above.saturating_sub(1))?))
    }
}

impl Default for Samples {
    fn default() -> Self {
        Samples { entries: Vec::new(), keys: Vec::new(), marks_per_entry: 1, budget: BUDGET_BYTES }
    }
}

impl Samples {
    fn add(&mut self, offset: u64, key: &[u8]) {
        let kept = key.get(..KEPT_KEY_LEN).unwrap_or(key);
        let truncated = kept.len() < key.len();
        self.entries.push(Entry { offset, key_start: self.keys.len(), key_len: kept.len(), truncated });
        self.keys.extend_from_slice(kept);
        if self.used_len() > self.budget {
            self.thin_out();
        }
    }

    fn used_len(&self) -> usize {
        self.keys.len().saturating_add(self.entries.len().saturating_mul(size_of::<Entry>()))
    }

    /// Drops every second entry.
    fn thin_out(&mut self) {
        let mut keys = Vec::with_capacity(self.keys.len() / 2);
        let mut entries = Vec::with_capacity(self.entries.len() / 2);
        for entry in self.entries.iter().step_by(2) {
            entries.push(Entry { key_start: keys.len(), ..*entry });
            keys.extend_from_slice(self.key(entry));
        }
        self.entries = entries;
        self.keys = keys;
        self.marks_per_entry = self.marks_per_entry.saturating_mul(2);
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        self.keys.get(entry.key_start..entry.key_start.saturating_add(entry.key_len)).unwrap_or(&[])
    }
}

/// How many marks so many bytes are.
fn marks_in(len: u64) -> u64 {
    len / file_len(MARK_LEN)
}

fn mark(marks: &Spooled, number: u64) -> Result<u64> {
    let mut bytes = [0; MARK_LEN];
    marks.read_at(number.saturating_mul(file_len(MARK_LEN)), &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The first number from `low` on, or `high`, for which `is_at_or_below` does not hold; it holds for none behind that.
fn first_above<E>(
    mut low: u64,
    mut high: u64,
    is_at_or_below: &mut dyn FnMut(u64) -> Result<bool, E>,
) -> Result<u64, E> {
    while low < high {
        let middle = low.midpoint(high);
        if is_at_or_below(middle)? {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemScratch;
    use proptest::prelude::*;

    fn builder(budget: usize, stride: u64) -> SparseIndexBuilder {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        SparseIndexBuilder::with_sizes(&scratch, budget, stride)
    }

    /// An index over keys at every `STRIDE`-th byte.
    fn index(budget: usize, keys: &[Vec<u8>]) -> SparseIndex {
        let mut builder = builder(budget, STRIDE);
        for (i, key) in keys.iter().enumerate() {
            builder.offer(u64::try_from(i).unwrap() * STRIDE, key).unwrap();
        }
        builder.finish().unwrap()
    }

    /// The key at which a search begins, and how often it asked for a key.
    fn start(index: &SparseIndex, keys: &[Vec<u8>], target: &[u8]) -> (Option<usize>, usize) {
        let mut asked = 0;
        let number = |offset: u64| usize::try_from(offset / STRIDE).unwrap();
        let found = index.start_for::<Error>(target, |offset| {
            asked += 1;
            Ok(keys[number(offset)].as_slice().cmp(target))
        });
        (found.unwrap().map(number), asked)
    }

    proptest! {
        #[test]
        fn start_is_the_last_marked_record_at_or_below_the_target_and_memory_stays_in_budget(
            mut keys in proptest::collection::vec(proptest::collection::vec(0_u8..3, 500..530), 1..120),
            mut probes in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..530), 1..20),
            is_alike in any::<bool>(),
        ) {
            if is_alike {
                // What is kept tells none from another.
                keys.iter_mut().chain(&mut probes).for_each(|key| *key = [&[1; KEPT_KEY_LEN], key.as_slice()].concat());
            }
            keys.sort();
            keys.dedup();
            let budget = 16 << 10;
            let index = index(budget, &keys);
            prop_assert!(index.samples.used_len() <= budget);
            for target in keys.iter().chain(&probes) {
                let expected = keys.partition_point(|key| key <= target).checked_sub(1);
                prop_assert_eq!(start(&index, &keys, target).0, expected);
            }
        }
    }

    #[test]
    fn keys_are_asked_for_no_more_than_a_search_by_halves_needs_whatever_they_have_in_common() {
        for common_len in [0, KEPT_KEY_LEN - 4, KEPT_KEY_LEN, 4 * KEPT_KEY_LEN] {
            let keys: Vec<Vec<u8>> =
                (0..4096_u32).map(|i| [&vec![b'k'; common_len][..], &i.to_be_bytes()].concat()).collect();
            let index = index(BUDGET_BYTES / 16, &keys);
            for (number, key) in keys.iter().enumerate() {
                let (found, asked) = start(&index, &keys, key);
                assert_eq!(found, Some(number));
                assert!(asked <= 13, "{asked} keys for one of {} with {common_len} bytes in common", keys.len());
            }
        }
    }

    #[test]
    fn every_key_is_its_own_start_and_no_key_is_asked_for_while_all_fit_in_memory() {
        let keys: Vec<Vec<u8>> = (0..1000_u64).map(|i| i.to_be_bytes().to_vec()).collect();
        let index = index(BUDGET_BYTES, &keys);
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(start(&index, &keys, key), (Some(number), 0));
        }
        assert_eq!(start(&index, &keys, b""), (None, 0));
    }

    #[test]
    fn only_one_record_per_stride_is_marked() {
        let mut builder = builder(BUDGET_BYTES, 100);
        for offset in (0..1000_u64).step_by(7) {
            builder.offer(offset, &offset.to_be_bytes()).unwrap();
        }
        let index = builder.finish().unwrap();
        assert_eq!(index.samples.entries.len(), 10);
        let unasked = |_| -> Result<Ordering> { panic!("all keys are in memory") };
        assert_eq!(index.start_for(&99_u64.to_be_bytes(), unasked).unwrap(), Some(0));
        assert_eq!(index.start_for(&105_u64.to_be_bytes(), unasked).unwrap(), Some(105));
        assert_eq!(SparseIndex::default().start_for(b"x", unasked).unwrap(), None);
    }
}
