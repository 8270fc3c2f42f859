//! Which inodes have several names. Source: `docs/format/fs.md`, section 5.

use std::sync::Arc;

use ekv_model::Result;
use ekv_spill::{Scratch, Sorter, Table, TableBuilder};

use crate::run::scratch_error;

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Bits in a word.
const WORD_BITS: u32 = u64::BITS;

/// Whether an inode was met before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It has so many names.
    First {
        names: u64,
    },
    Again,
}

/// Inodes with several names, and which of them have been met. Memory: a bit for each.
pub(super) struct Several {
    /// Of each its own number and that of its names.
    table: Table<16>,
    met: Vec<u64>,
}

/// Collects what all names name.
pub(super) struct SeveralBuilder {
    sorter: Sorter,
    scratch: Arc<dyn Scratch>,
}

impl SeveralBuilder {
    pub(super) fn new(scratch: Arc<dyn Scratch>) -> Self {
        SeveralBuilder { sorter: Sorter::new(Arc::clone(&scratch), SORT_BUDGET), scratch }
    }

    pub(super) fn add(&mut self, inode: u64) -> Result<()> {
        self.sorter.push(&inode.to_be_bytes(), b"").map_err(scratch_error)
    }

    /// `None` if each has one name.
    pub(super) fn finish(self) -> Result<Option<Several>> {
        let mut sorted = self.sorter.finish().map_err(scratch_error)?;
        let mut builder = TableBuilder::new(&self.scratch);
        let (mut last, mut names, mut count) = (Vec::new(), 0_u64, 0_u64);
        loop {
            let next = sorted.next().map_err(scratch_error)?.map(|(inode, _)| inode);
            if next.is_some_and(|inode| inode == last) {
                names = names.saturating_add(1);
                continue;
            }
            if names > 1 {
                let row = u128::from(count) << WORD_BITS | u128::from(names);
                builder.push(&last, &row.to_le_bytes()).map_err(scratch_error)?;
                count = count.saturating_add(1);
            }
            let Some(inode) = next else { break };
            names = 1;
            last.clear();
            last.extend_from_slice(inode);
        }
        if count == 0 {
            return Ok(None);
        }
        let words = usize::try_from(count.div_ceil(WORD_BITS.into())).unwrap_or(usize::MAX);
        Ok(Some(Several { table: builder.finish().map_err(scratch_error)?, met: vec![0; words] }))
    }
}

impl Several {
    /// Meets an inode.
    pub(super) fn meet(&mut self, inode: u64) -> Result<Met> {
        let wanted = inode.to_be_bytes();
        let mut found = None;
        self.table
            .rows_from(&wanted, &mut |key, row: &[u8; 16]| {
                if key == wanted {
                    found = Some(u128::from_le_bytes(*row));
                }
                Ok::<bool, ekv_spill::Error>(key < wanted.as_slice())
            })
            .map_err(scratch_error)?;
        let [names, number] = found.map_or([1, 0], |row| [row & u128::from(u64::MAX), row >> WORD_BITS]);
        let first = Met::First { names: u64::try_from(names).unwrap_or(u64::MAX) };
        let bits = u128::from(WORD_BITS);
        let word = usize::try_from(number / bits).ok().and_then(|word| self.met.get_mut(word));
        let Some(word) = word.filter(|_| found.is_some()) else { return Ok(first) };
        let bit = 1 << (number % bits);
        let is_again = *word & bit != 0;
        *word |= bit;
        Ok(if is_again { Met::Again } else { first })
    }
}
