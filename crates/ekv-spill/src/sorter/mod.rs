//! Orders records by key within a memory budget.

mod batch;
mod merge;
mod run;

use std::sync::Arc;

use batch::{Batch, SortedBatch};
use merge::Merge;
use run::Runs;

use crate::{Error, RECORD_LEN_MAX, Result, Scratch, file_len};

/// External merge sort: takes records in any order, gives them back by key.
///
/// Order: key bytes ascending; records with equal keys in the order in which they were pushed.
///
/// Cost: memory within the budget, plus less than 200 KiB of buffers, plus three times the longest record if such records
/// do not fit into the budget. As long as all records fit, no file is made; else sorted runs go to one scratch file, or two
/// while runs are merged into longer ones.
pub struct Sorter {
    scratch: Arc<dyn Scratch>,
    memory_budget: usize,
    batch: Batch,
    runs: Option<Runs>,
    len: u64,
}

impl Sorter {
    /// Makes an empty sorter that holds up to `memory_budget` bytes in memory.
    pub fn new(scratch: Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Sorter { scratch, memory_budget, batch: Batch::new(memory_budget), runs: None, len: 0 }
    }

    /// Records pushed so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`Error::RecordTooLong`] beyond [`RECORD_LEN_MAX`], [`Error::Io`] if a scratch file fails. The sorter is useless
    /// after the latter.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        let record_len = key.len().saturating_add(payload.len());
        if record_len > RECORD_LEN_MAX {
            return Err(Error::RecordTooLong { len: file_len(record_len) });
        }
        if !self.batch.make_room(record_len) {
            self.spill()?;
            self.batch.make_room(record_len);
        }
        self.batch.push(key, payload);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Ends pushing.
    ///
    /// # Errors
    /// [`Error::Io`] if a scratch file fails.
    pub fn finish(mut self) -> Result<Sorted> {
        if self.runs.is_some() {
            self.spill()?;
        }
        let order = match self.runs {
            None => Order::Memory(self.batch.sort()),
            Some(runs) => {
                drop(self.batch);
                Order::Merge(merge::merge_all(runs, self.scratch.as_ref(), self.memory_budget)?)
            }
        };
        Ok(Sorted { order, len: self.len })
    }

    /// Writes the batch as a run and empties it.
    fn spill(&mut self) -> Result<()> {
        let runs = match &mut self.runs {
            Some(runs) => runs,
            None => self.runs.insert(Runs::create(self.scratch.as_ref())?),
        };
        self.batch.spill_into(runs)
    }
}

/// The records of a [`Sorter`], in order.
pub struct Sorted {
    order: Order,
    len: u64,
}

enum Order {
    Memory(SortedBatch),
    Merge(Merge),
}

impl Sorted {
    /// Number of records, those already given included.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there never was a record.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key and payload of the next record; `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Io`] if the scratch file cannot be read; no further record may be asked for.
    #[expect(
        clippy::should_implement_trait,
        reason = "the record is lent until the next call, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        match &mut self.order {
            Order::Memory(batch) => Ok(batch.next()),
            Order::Merge(merge) => merge.next(),
        }
    }
}

#[cfg(test)]
mod tests;
