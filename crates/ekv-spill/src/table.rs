//! Rows in key order, written once, in which any key is found.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Result, Scratch, SparseIndex, SparseIndexBuilder, Spool, Spooled, file_len};

/// Memory for the beginning of the rows, in bytes.
const ROWS_BUDGET: usize = 1 << 20;

/// Bytes read at once: rows that are asked for one after the other often lie together.
const WINDOW_LEN: usize = 128 << 10;

/// Bytes of the length before a row: little-endian `u32`.
const LEN_LEN: usize = 4;

/// Makes a [`Table`] of rows that come in key order, each with a payload of `N` bytes.
///
/// Cost: memory bounded by a constant; what does not fit goes to a scratch file.
pub struct TableBuilder<const N: usize> {
    rows: Spool,
    sparse: SparseIndexBuilder,
}

/// Rows in key order.
///
/// Cost: memory bounded by a constant. To find a key costs reading 16 KiB of rows, and a search by halves.
pub struct Table<const N: usize> {
    rows: Spooled,
    sparse: SparseIndex,
    window: Vec<u8>,
    window_offset: u64,
}

/// Takes key and payload of a row; answers whether it wants the next one.
pub type TakeRow<'t, const N: usize, E> = &'t mut dyn FnMut(&[u8], &[u8; N]) -> Result<bool, E>;

impl<const N: usize> TableBuilder<N> {
    /// Makes an empty table.
    pub fn new(scratch: &Arc<dyn Scratch>) -> Self {
        TableBuilder { rows: Spool::new(Arc::clone(scratch), ROWS_BUDGET), sparse: SparseIndexBuilder::new(scratch) }
    }

    /// Adds the next row; its key must not be below that of the one before.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a scratch file fails.
    pub fn push(&mut self, key: &[u8], payload: &[u8; N]) -> Result<()> {
        self.sparse.offer(self.rows.len(), key)?;
        self.rows.write_all(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        self.rows.write_all(payload)?;
        self.rows.write_all(key)
    }

    /// Ends adding.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a scratch file fails.
    pub fn finish(self) -> Result<Table<N>> {
        let sparse = self.sparse.finish()?;
        Ok(Table { rows: self.rows.into_reader()?, sparse, window: Vec::new(), window_offset: 0 })
    }
}

impl<const N: usize> Table<N> {
    /// Calls `take` for rows in order, from one at or before `key` on, until it answers false.
    ///
    /// # Errors
    /// The first error of `take`, and [`Error::Io`](crate::Error::Io) if a scratch file fails.
    pub fn rows_from<E: From<crate::Error>>(&mut self, key: &[u8], take: TakeRow<'_, N, E>) -> Result<(), E> {
        let mut found = Vec::new();
        let rows = &self.rows;
        let start = self.sparse.start_for(key, |offset| compare_key::<N>(rows, offset, key, &mut found))?;
        let mut offset = start.unwrap_or(0);
        while offset < self.rows.len() {
            let mut len = [0; LEN_LEN];
            let mut payload = [0; N];
            self.read(&mut offset, &mut len)?;
            self.read(&mut offset, &mut payload)?;
            found.resize(key_len(len), 0);
            self.read(&mut offset, &mut found)?;
            if !take(&found, &payload)? {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, offset: &mut u64, buf: &mut [u8]) -> Result<()> {
        let known = |table: &Self| {
            let start = offset.checked_sub(table.window_offset).and_then(|start| usize::try_from(start).ok())?;
            Some(start..start.checked_add(buf.len()).filter(|end| *end <= table.window.len())?)
        };
        let range = match known(self) {
            Some(range) => range,
            None => {
                let left = usize::try_from(self.rows.len().saturating_sub(*offset)).unwrap_or(usize::MAX);
                self.window.resize(left.min(WINDOW_LEN.max(buf.len())), 0);
                self.window_offset = *offset;
                let read = self.rows.read_at(*offset, &mut self.window);
                if read.is_err() {
                    self.window.clear();
                }
                read?;
                0..buf.len()
            }
        };
        match self.window.get(range) {
            Some(bytes) => buf.copy_from_slice(bytes),
            // The last row is cut off: reading beyond the end is an error.
            None => self.rows.read_at(*offset, buf)?,
        }
        *offset = offset.saturating_add(file_len(buf.len()));
        Ok(())
    }
}

fn key_len(len: [u8; LEN_LEN]) -> usize {
    usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX)
}

/// How the key of the row at an offset compares with `key`; `buffer` is for reading it.
fn compare_key<const N: usize>(rows: &Spooled, offset: u64, key: &[u8], buffer: &mut Vec<u8>) -> Result<Ordering> {
    let mut len = [0; LEN_LEN];
    rows.read_at(offset, &mut len)?;
    buffer.resize(key_len(len), 0);
    rows.read_at(offset.saturating_add(file_len(LEN_LEN)).saturating_add(file_len(N)), buffer)?;
    Ok(buffer.as_slice().cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, SystemScratch};

    #[test]
    fn rows_come_in_order_from_any_key_on_whatever_their_lengths_are() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let keys: Vec<Vec<u8>> = (0..2000_u32)
            .map(|i| [&i.to_be_bytes()[..], &vec![b'k'; if i % 500 == 7 { 200_000 } else { 9 }]].concat())
            .collect();
        let mut builder = TableBuilder::<4>::new(&scratch);
        for (number, key) in (0_u32..).zip(&keys) {
            builder.push(key, &number.to_le_bytes()).unwrap();
        }
        let mut table = builder.finish().unwrap();
        for first in [0, 1, 6, 7, 8, 507, 1234, 1999] {
            let mut numbers = Vec::new();
            let take = &mut |key: &[u8], payload: &[u8; 4]| {
                let number = u32::from_le_bytes(*payload);
                assert!(key == keys[usize::try_from(number).unwrap()]);
                if key >= keys[first].as_slice() {
                    numbers.push(number);
                }
                Ok::<bool, Error>(numbers.len() < 3)
            };
            table.rows_from(&keys[first], take).unwrap();
            let expected: Vec<u32> = (u32::try_from(first).unwrap()..2000).take(3).collect();
            assert_eq!(numbers, expected);
        }
    }
}
