//! Merges runs, as many at once as the memory budget allows.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use super::run::{Run, RunReader, Runs};
use crate::file::ScratchFile;
use crate::{Result, Scratch};

/// Bytes read from a run at once, at least and at most.
const READ_LEN_MIN: usize = 4 * 1024;
const READ_LEN_MAX: usize = 64 * 1024;

/// Runs that are merged at once if the budget allows.
const FAN_IN: usize = 128;

/// Merges passes of neighbouring runs into longer ones until the rest can be merged at once, and opens that merge.
pub(super) fn merge_all(runs: Runs, scratch: &dyn Scratch, memory_budget: usize) -> Result<Merge> {
    let read_len = (memory_budget / FAN_IN).clamp(READ_LEN_MIN, READ_LEN_MAX);
    let (mut file, mut runs) = runs.finish();
    loop {
        let first = group_len(&runs, read_len, memory_budget);
        if first == runs.len() {
            return Merge::open(&file, &runs, read_len);
        }
        let mut longer = Runs::create(scratch)?;
        let mut rest = runs.as_slice();
        while !rest.is_empty() {
            let (group, behind) = rest.split_at(group_len(rest, read_len, memory_budget));
            let mut merge = Merge::open(&file, group, read_len)?;
            while let Some((key, payload)) = merge.next()? {
                longer.append(key, payload)?;
            }
            longer.end_run()?;
            rest = behind;
        }
        (file, runs) = longer.finish();
    }
}

/// How many of the first runs can be merged at once: what the budget allows, but two at least.
fn group_len(runs: &[Run], read_len: usize, memory_budget: usize) -> usize {
    let mut left = memory_budget;
    let mut count = 0;
    for run in runs.iter().take(FAN_IN) {
        let cost = read_len.max(run.record_len_max);
        if cost > left && count >= 2 {
            break;
        }
        left = left.saturating_sub(cost);
        count += 1;
    }
    count
}

/// The records of several runs in order.
pub(super) struct Merge {
    heap: BinaryHeap<Head>,
    /// Whether the top of the heap was given out and must be moved on.
    top_is_lent: bool,
}

impl Merge {
    fn open(file: &Arc<ScratchFile>, runs: &[Run], read_len: usize) -> Result<Self> {
        let mut heap = BinaryHeap::with_capacity(runs.len());
        for (position, run) in runs.iter().enumerate() {
            heap.push(Head { reader: RunReader::open(Arc::clone(file), *run, read_len)?, position });
        }
        Ok(Merge { heap, top_is_lent: false })
    }

    pub(super) fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if self.top_is_lent
            && let Some(mut top) = self.heap.peek_mut()
            && !top.reader.advance()?
        {
            PeekMut::pop(top);
        }
        self.top_is_lent = true;
        Ok(self.heap.peek().map(|head| (head.reader.key(), head.reader.payload())))
    }
}

/// A run at its current record; the smallest key of the earliest run is the greatest, as the heap gives the greatest.
struct Head {
    reader: RunReader,
    position: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        other.reader.key().cmp(self.reader.key()).then_with(|| other.position.cmp(&self.position))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}
