//! Sums of numbers by key, for any number of keys.

use std::cmp::Ordering;
use std::sync::Arc;

use ekv_model::{Result, Size};
use ekv_spill::{Scratch, Sorted, Sorter};
use ekv_text::ByteCursor;
use ekv_text::protobuf::{put_varint, read_varint};
use serde::Serialize;

use crate::losses::{garbled_row, scratch_error};

/// Memory for rows that wait to be joined, and for sorting those that could not, in bytes.
const MEMORY_LEN: usize = 4 << 20;

/// What is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Keys, items, objects or messages.
    pub keys: u64,
    /// Their payload.
    pub bytes: u64,
    /// Elements of the collections among them.
    pub elements: u64,
    /// How many of them never expire.
    pub without_expiry: u64,
}

impl Totals {
    /// Of one thing.
    pub(super) fn of(size: Size, expire_at_ms: Option<u64>) -> Self {
        let without_expiry = u64::from(expire_at_ms.is_none());
        Totals { keys: 1, bytes: size.bytes, elements: size.elements.unwrap_or(0), without_expiry }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Totals) {
        let Totals { keys, bytes, elements, without_expiry } = other;
        self.keys = self.keys.saturating_add(*keys);
        self.bytes = self.bytes.saturating_add(*bytes);
        self.elements = self.elements.saturating_add(*elements);
        self.without_expiry = self.without_expiry.saturating_add(*without_expiry);
    }

    /// What is left without a part.
    #[must_use]
    pub fn without(&self, part: &Totals) -> Totals {
        Totals {
            keys: self.keys.saturating_sub(part.keys),
            bytes: self.bytes.saturating_sub(part.bytes),
            elements: self.elements.saturating_sub(part.elements),
            without_expiry: self.without_expiry.saturating_sub(part.without_expiry),
        }
    }

    /// Appends them in a form that [`Totals::from_bytes`] reads.
    fn put(&self, out: &mut Vec<u8>) {
        let Totals { keys, bytes, elements, without_expiry } = *self;
        [keys, bytes, elements, without_expiry].into_iter().for_each(|number| put_varint(number, out));
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut cursor = ByteCursor::new(bytes);
        let mut next = || read_varint(|| cursor.u8().ok_or(())).ok().flatten();
        Some(Totals { keys: next()?, bytes: next()?, elements: next()?, without_expiry: next()? })
    }
}

/// Sums totals by key. Rows of equal keys are joined in memory; when there are too many different ones they go to a [`Sorter`].
///
/// Memory: twice [`MEMORY_LEN`], and the longest key. Cheapest where equal keys come one after the other, and keys in their order.
pub(super) struct Sums {
    memory_len: usize,
    /// The keys, one after the other.
    keys: Vec<u8>,
    rows: Vec<Row>,
    /// Whether the keys came in their order so far, each once.
    is_joined: bool,
    spilled: Sorter,
}

struct Row {
    start: usize,
    end: usize,
    totals: Totals,
}

impl Row {
    fn key<'k>(&self, keys: &'k [u8]) -> &'k [u8] {
        keys.get(self.start..self.end).unwrap_or_default()
    }
}

impl Sums {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Sums::within(scratch, MEMORY_LEN)
    }

    fn within(scratch: &Arc<dyn Scratch>, memory_len: usize) -> Self {
        let spilled = Sorter::new(Arc::clone(scratch), memory_len);
        Sums { memory_len, keys: Vec::new(), rows: Vec::new(), is_joined: true, spilled }
    }

    /// Adds to the totals of a key.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(super) fn add(&mut self, key: &[u8], totals: &Totals) -> Result<()> {
        if let Some(last) = self.rows.last_mut() {
            match last.key(&self.keys).cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => {
                    last.totals.add(totals);
                    return Ok(());
                }
                Ordering::Greater => self.is_joined = false,
            }
        }
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.rows.push(Row { start, end: self.keys.len(), totals: *totals });
        if self.len() < self.memory_len {
            return Ok(());
        }
        self.join();
        // What could be joined once may be so again; else there is no use in keeping it.
        if self.len() < self.memory_len / 2 { Ok(()) } else { self.spill() }
    }

    fn len(&self) -> usize {
        self.rows.len().saturating_mul(size_of::<Row>()).saturating_add(self.keys.len())
    }

    /// Brings the rows into the order of their keys, and leaves one of each.
    fn join(&mut self) {
        if std::mem::replace(&mut self.is_joined, true) {
            return;
        }
        let Sums { keys, rows, .. } = self;
        rows.sort_by(|one, other| one.key(keys).cmp(other.key(keys)));
        rows.dedup_by(|next, first| {
            let is_equal = next.key(keys) == first.key(keys);
            if is_equal {
                first.totals.add(&next.totals);
            }
            is_equal
        });
        let mut kept = Vec::with_capacity(rows.iter().map(|row| row.end.saturating_sub(row.start)).sum());
        for row in rows {
            let start = kept.len();
            kept.extend_from_slice(row.key(keys));
            (row.start, row.end) = (start, kept.len());
        }
        *keys = kept;
    }

    fn spill(&mut self) -> Result<()> {
        let mut totals = Vec::new();
        for row in self.rows.drain(..) {
            totals.clear();
            row.totals.put(&mut totals);
            self.spilled.push(row.key(&self.keys), &totals).map_err(scratch_error)?;
        }
        self.keys.clear();
        Ok(())
    }

    /// Calls `take` with every key and its totals, in the order of the keys.
    ///
    /// # Errors
    /// A failing scratch file, and the first error of `take`.
    pub(super) fn finish(mut self, mut take: impl FnMut(&[u8], &Totals) -> Result<()>) -> Result<()> {
        self.join();
        if self.spilled.is_empty() {
            return self.rows.iter().try_for_each(|row| take(row.key(&self.keys), &row.totals));
        }
        self.spill()?;
        let Sums { keys, rows, spilled, .. } = self;
        drop((keys, rows));
        let mut sorted = spilled.finish().map_err(scratch_error)?;
        let (mut key, mut sum) = (Vec::new(), None);
        while let Some((next, totals)) = next_row(&mut sorted)? {
            match &mut sum {
                Some(sum) if key == next => Totals::add(sum, &totals),
                _ => {
                    if let Some(sum) = sum.replace(totals) {
                        take(&key, &sum)?;
                    }
                    key.clear();
                    key.extend_from_slice(next);
                }
            }
        }
        sum.map_or(Ok(()), |sum| take(&key, &sum))
    }
}

fn next_row(sorted: &mut Sorted) -> Result<Option<(&[u8], Totals)>> {
    let row = sorted.next().map_err(scratch_error)?;
    row.map(|(key, totals)| Ok((key, Totals::from_bytes(totals).ok_or_else(garbled_row)?))).transpose()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ekv_spill::SystemScratch;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_exact_in_any_order_and_however_little_memory_there_is(
            rows in prop::collection::vec(("[ab:]{0,6}", 0_u64..1000, any::<bool>()), 0..400),
            memory_len in prop_oneof![Just(1_usize), 64_usize..2000, Just(MEMORY_LEN)],
        ) {
            let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
            let mut sums = Sums::within(&scratch, memory_len);
            let mut expected: BTreeMap<Vec<u8>, Totals> = BTreeMap::new();
            for (key, bytes, expires) in &rows {
                let totals = Totals::of(Size { bytes: *bytes, elements: Some(2) }, expires.then_some(7));
                sums.add(key.as_bytes(), &totals).unwrap();
                expected.entry(key.clone().into_bytes()).or_default().add(&totals);
            }
            let mut found = Vec::new();
            sums.finish(|key, totals| {
                found.push((key.to_vec(), *totals));
                Ok(())
            }).unwrap();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn few_keys_in_any_number_of_rows_need_no_scratch_file() {
        let counted = Arc::new(ekv_testkit::CountedScratch::new());
        let scratch: Arc<dyn Scratch> = counted.clone();
        let mut sums = Sums::within(&scratch, 4096);
        for n in 0..100_000_u64 {
            sums.add(&[b'k', u8::try_from(n * 7 % 16).unwrap()], &Totals { keys: 1, ..Totals::default() }).unwrap();
        }
        let mut keys = Vec::new();
        sums.finish(|_, totals| {
            keys.push(totals.keys);
            Ok(())
        })
        .unwrap();
        assert_eq!(keys, [6250; 16]);
        assert_eq!(counted.bytes(), 0);
    }
}
