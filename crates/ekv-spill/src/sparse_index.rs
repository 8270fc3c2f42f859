//! A sparse index over sorted records, of fixed size whatever the file.

/// Bytes that keys and entries may take together.
const BUDGET_BYTES: usize = 1 << 20;
/// Distance between entries to start with, in bytes of the file.
const FIRST_STRIDE: u64 = 16 << 10;
/// Longest key prefix kept.
const KEPT_KEY_LEN: usize = 512;

/// Maps keys to offsets of records at or before them.
///
/// The stride doubles whenever the fixed budget is used up, so that memory does not follow the file.
#[derive(Clone, Debug)]
pub struct SparseIndex {
    entries: Vec<Entry>,
    keys: Vec<u8>,
    stride: u64,
    next_at: u64,
    budget: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    key_start: usize,
    key_len: usize,
    truncated: bool,
}

impl Default for SparseIndex {
    fn default() -> Self {
        SparseIndex::new(BUDGET_BYTES, FIRST_STRIDE)
    }
}

impl SparseIndex {
    /// An index of at most `budget` bytes that begins with one entry per `stride` bytes of the file.
    pub fn new(budget: usize, stride: u64) -> Self {
        SparseIndex { entries: Vec::new(), keys: Vec::new(), stride, next_at: 0, budget }
    }

    /// Offers the record at `offset`; records must be offered in file order.
    #[inline]
    pub fn offer(&mut self, offset: u64, key: &[u8]) {
        if offset >= self.next_at {
            self.add(offset, key);
        }
    }

    fn add(&mut self, offset: u64, key: &[u8]) {
        let kept = key.get(..KEPT_KEY_LEN).unwrap_or(key);
        let truncated = kept.len() < key.len();
        self.entries.push(Entry { offset, key_start: self.keys.len(), key_len: kept.len(), truncated });
        self.keys.extend_from_slice(kept);
        self.next_at = offset.saturating_add(self.stride);
        let used = self.keys.len().saturating_add(self.entries.len().saturating_mul(size_of::<Entry>()));
        if used > self.budget {
            self.thin_out();
        }
    }

    /// Drops every second entry and doubles the stride.
    fn thin_out(&mut self) {
        let mut keys = Vec::with_capacity(self.keys.len() / 2);
        let mut entries = Vec::with_capacity(self.entries.len() / 2);
        for entry in self.entries.iter().step_by(2) {
            entries.push(Entry { key_start: keys.len(), ..*entry });
            keys.extend_from_slice(self.key(entry));
        }
        self.entries = entries;
        self.keys = keys;
        self.stride = self.stride.saturating_mul(2);
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        self.keys.get(entry.key_start..entry.key_start.saturating_add(entry.key_len)).unwrap_or(&[])
    }

    /// Offset of the last known record whose key is certainly at or below `target`; `None` if there is none.
    pub fn start_for(&self, target: &[u8]) -> Option<u64> {
        let mut at = self.entries.partition_point(|entry| self.key(entry) <= target);
        while let Some(entry) = at.checked_sub(1).and_then(|before| self.entries.get(before)) {
            // A cut key only tells that the record is at or above it.
            if !(entry.truncated && target.starts_with(self.key(entry))) {
                return Some(entry.offset);
            }
            at = at.saturating_sub(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn start_never_lies_beyond_the_target_and_memory_stays_in_budget(
            mut keys in proptest::collection::vec(proptest::collection::vec(0_u8..3, 500..530), 1..120),
            probe in proptest::collection::vec(0_u8..3, 500..530),
        ) {
            keys.sort();
            keys.dedup();
            let budget = 16 << 10;
            let mut index = SparseIndex::new(budget, FIRST_STRIDE);
            for (i, key) in keys.iter().enumerate() {
                index.offer(u64::try_from(i).unwrap() * FIRST_STRIDE, key);
            }
            prop_assert!(index.keys.len() + index.entries.len() * size_of::<Entry>() <= budget);
            for target in keys.iter().chain([&probe]) {
                if let Some(offset) = index.start_for(target) {
                    let found = &keys[usize::try_from(offset / FIRST_STRIDE).unwrap()];
                    prop_assert!(found <= target);
                }
            }
        }
    }

    #[test]
    fn every_key_is_its_own_start_while_the_index_is_dense() {
        let mut index = SparseIndex::default();
        for i in 0..1000_u64 {
            index.offer(i * FIRST_STRIDE, &i.to_be_bytes());
        }
        for i in 0..1000_u64 {
            assert_eq!(index.start_for(&i.to_be_bytes()), Some(i * FIRST_STRIDE));
        }
        assert_eq!(index.start_for(b""), None);
    }
}
