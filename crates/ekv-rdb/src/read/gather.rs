//! The fields or members of a key in ascending order, each once.

use std::sync::Arc;

use ekv_model::{Body, KEY_LEN_MAX};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};

use super::cursor::Cursor;
use super::fault::Result;
use super::string::{Held, Slice};
use crate::file_len;
use crate::length::{push_length, push_string};

/// Memory for sorting, in bytes.
const SORT_LEN: usize = 6 << 20;
/// Memory for what is sorted, in bytes.
const ROWS_LEN: usize = 2 << 20;
/// Longest value that is sorted with its field, in bytes.
const SORTED_LEN_MAX: u64 = 16 << 10;
/// Longest field or member, in bytes: it is sorted with a value.
pub(super) const NAME_LEN_MAX: usize = KEY_LEN_MAX - (32 << 10);

/// Before a value in the sorter.
const WHOLE: u8 = 0;
/// Its place among those that are not sorted follows.
const APART: u8 = 1;

/// Gathers fields or members in any order.
pub(super) struct Gathered {
    scratch: Arc<dyn Scratch>,
    sorter: Sorter,
    apart: Option<Spool>,
    row: Vec<u8>,
}

/// Fields or members in ascending order, each with its value.
pub(super) struct Rows {
    rows: Spooled,
    pub(super) count: u64,
    /// Bytes of all names and values.
    pub(super) bytes: u64,
    /// Names that came again: the last one was kept.
    pub(super) repeated: u64,
}

impl Gathered {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        let sorter = Sorter::new(Arc::clone(scratch), SORT_LEN);
        Gathered { scratch: Arc::clone(scratch), sorter, apart: None, row: Vec::new() }
    }

    /// Adds a name of at most [`NAME_LEN_MAX`] bytes and its value.
    pub(super) fn push(&mut self, name: &[u8], value: Body<'_>) -> Result<()> {
        let Gathered { scratch, sorter, apart, row } = self;
        row.clear();
        if value.len() <= SORTED_LEN_MAX {
            row.push(WHOLE);
            value.for_each_chunk(|chunk| {
                row.extend_from_slice(chunk);
                Ok(())
            })?;
        } else {
            let apart = apart.get_or_insert_with(|| Spool::new(Arc::clone(scratch), 0));
            row.push(APART);
            row.extend_from_slice(&apart.len().to_le_bytes());
            row.extend_from_slice(&value.len().to_le_bytes());
            value.for_each_chunk(|chunk| Ok(apart.write_all(chunk)?))?;
        }
        Ok(sorter.push(name, row)?)
    }

    /// Ends gathering.
    pub(super) fn finish(self) -> Result<Rows> {
        let Gathered { scratch, sorter, apart, .. } = self;
        let apart = apart.map(Spool::into_reader).transpose()?;
        let mut sorted = sorter.finish()?;
        let mut rows = Spool::new(scratch, ROWS_LEN);
        let (mut count, mut bytes, mut repeated) = (0_u64, 0_u64, 0_u64);
        let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
        loop {
            let next = sorted.next()?;
            let is_repeated = next.is_some_and(|(name, _)| last.as_ref().is_some_and(|(last, _)| last == name));
            if is_repeated {
                repeated = repeated.saturating_add(1);
            } else if let Some((name, row)) = &last {
                let len = write_row(&mut rows, name, row, apart.as_ref())?;
                bytes = bytes.saturating_add(len);
                count = count.saturating_add(1);
            }
            let Some((name, row)) = next else { break };
            let (last_name, last_row) = last.get_or_insert_default();
            last_name.clear();
            last_name.extend_from_slice(name);
            last_row.clear();
            last_row.extend_from_slice(row);
        }
        Ok(Rows { rows: rows.into_reader()?, count, bytes, repeated })
    }
}

/// Writes a name and its value as strings; how many bytes they have.
fn write_row(rows: &mut Spool, name: &[u8], row: &[u8], apart: Option<&Spooled>) -> Result<u64> {
    let mut head = Vec::new();
    push_string(&mut head, name);
    let (kind, rest) = row.split_first().unwrap_or((&WHOLE, &[]));
    let slice;
    let value = match (*kind, apart) {
        (APART, Some(source)) => {
            let (start, len) = rest.split_at_checked(8).unwrap_or_default();
            slice = Slice { source, start: number(start), len: number(len) };
            Body::Streamed(&slice)
        }
        _ => Body::Inline(rest),
    };
    push_length(&mut head, value.len());
    rows.write_all(&head)?;
    value.for_each_chunk(|chunk| Ok(rows.write_all(chunk)?))?;
    Ok(file_len(name.len()).saturating_add(value.len()))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Rows {
    /// Hands on each name and its value.
    pub(super) fn for_each(
        &self,
        scratch: &Arc<dyn Scratch>,
        f: &mut dyn FnMut(&[u8], Body<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = Cursor::of_body(self.rows.body());
        let mut held = Held::new(scratch);
        let mut name = Vec::new();
        for _ in 0..self.count {
            super::string::load(held.string(&mut cursor)?, "a name", KEY_LEN_MAX, &mut name)?;
            f(&name, held.string(&mut cursor)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::*;

    #[test]
    fn names_come_sorted_and_once_with_their_last_value_also_long_ones() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut gathered = Gathered::new(&scratch);
        let long = vec![7; 100_000];
        for (name, value) in [(&b"b"[..], &b"1"[..]), (b"", &long), (b"b", b"2"), (b"a", b""), (b"b", &long)] {
            gathered.push(name, Body::Inline(value)).unwrap();
        }
        let rows = gathered.finish().unwrap();
        assert_eq!((rows.count, rows.repeated, rows.bytes), (3, 2, 200_002));
        let mut seen = Vec::new();
        rows.for_each(&scratch, &mut |name, value| {
            seen.push((name.to_vec(), value.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(b"".to_vec(), 100_000), (b"a".to_vec(), 0), (b"b".to_vec(), 100_000)]);
    }
}
