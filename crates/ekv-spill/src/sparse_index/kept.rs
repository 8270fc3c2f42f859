//! A [`SparseIndex`] as bytes, for who keeps it beyond the run that made it. Source: `docs/format/index.md`, section 4.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use super::{BUDGET_BYTES, Entry, KEPT_KEY_LEN, MARK_LEN, MARKS_BUDGET_BYTES, STRIDE, Samples, SparseIndex, marks_in};
use crate::{Scratch, Spool, file_len};

/// Bit of the length of a key that says that the key goes on.
const TRUNCATED: u16 = 1 << 15;

impl SparseIndex {
    /// Writes it.
    ///
    /// # Errors
    /// Those of `out`, and a failing scratch file.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Samples { entries, marks_per_entry, .. } = &self.samples;
        out.write_all(&marks_per_entry.to_le_bytes())?;
        out.write_all(&file_len(entries.len()).to_le_bytes())?;
        for entry in entries {
            let key = self.samples.key(entry);
            let flag = if entry.truncated { TRUNCATED } else { 0 };
            let len = u16::try_from(key.len()).map_err(io::Error::other)? | flag;
            out.write_all(&entry.offset.to_le_bytes())?;
            out.write_all(&len.to_le_bytes())?;
            out.write_all(key)?;
        }
        let marks_len = self.marks.as_ref().map_or(0, crate::Spooled::len);
        out.write_all(&marks_in(marks_len).to_le_bytes())?;
        match &self.marks {
            Some(marks) => io::copy(&mut io::BufReader::with_capacity(64 << 10, marks.reader()), out).map(drop),
            None => Ok(()),
        }
    }

    /// Reads what [`SparseIndex::write`] wrote for a file whose records lie in `records`, as byte offsets.
    ///
    /// Whatever the bytes are, searches with the result end, begin in `records`, and take the memory of any other index.
    ///
    /// # Errors
    /// `InvalidData` for what no index of that file says; those of `input`, and a failing scratch file.
    pub fn read(input: &mut dyn Read, records: Range<u64>, scratch: &Arc<dyn Scratch>) -> io::Result<SparseIndex> {
        let marks_per_entry = u64_from(input)?;
        let entry_count = u64_from(input)?;
        let mut samples = Samples { marks_per_entry, ..Samples::default() };
        let mut before = None;
        for _ in 0..entry_count {
            let offset = u64_from(input)?;
            let [low, high] = array_from(input)?;
            let stated = u16::from_le_bytes([low, high]);
            let (key_len, truncated) = (usize::from(stated & !TRUNCATED), stated & TRUNCATED != 0);
            let key_start = samples.keys.len();
            samples.keys.resize(key_start.saturating_add(key_len), 0);
            input.read_exact(samples.keys.get_mut(key_start..).unwrap_or_default())?;
            samples.entries.push(Entry { offset, key_start, key_len, truncated });
            let ascends = before.is_none_or(|before| before < offset) && records.contains(&offset);
            if !ascends || key_len > KEPT_KEY_LEN || samples.used_len() > BUDGET_BYTES {
                return Err(invalid());
            }
            before = Some(offset);
        }
        let mark_count = u64_from(input)?;
        let marks_max = (records.end.saturating_sub(records.start) / STRIDE).saturating_add(1);
        let is_sampled = marks_per_entry > 0 && mark_count.div_ceil(marks_per_entry) == entry_count;
        if mark_count > marks_max || !is_sampled || (mark_count == 0) != records.is_empty() {
            return Err(invalid());
        }
        let mut marks = Spool::new(Arc::clone(scratch), MARKS_BUDGET_BYTES);
        let mut last = None;
        for number in 0..mark_count {
            let bytes = array_from::<MARK_LEN>(input)?;
            let offset = u64::from_le_bytes(bytes);
            let least = last.map_or(records.start, |last: u64| last.saturating_add(STRIDE));
            let sample = number.is_multiple_of(marks_per_entry).then(|| {
                let entry = usize::try_from(number / marks_per_entry).ok().and_then(|at| samples.entries.get(at));
                entry.map(|entry| entry.offset)
            });
            if offset < least || offset >= records.end || sample.is_some_and(|sample| sample != Some(offset)) {
                return Err(invalid());
            }
            last = Some(offset);
            marks.write_all(&bytes).map_err(io::Error::other)?;
        }
        let marks = match marks.is_empty() {
            true => None,
            false => Some(marks.into_reader().map_err(io::Error::other)?),
        };
        Ok(SparseIndex { samples, marks })
    }
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn array_from<const N: usize>(input: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u64_from(input: &mut dyn Read) -> io::Result<u64> {
    array_from(input).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SparseIndexBuilder, SystemScratch};

    const STEP: u64 = STRIDE + 100;

    fn scratch() -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    fn keys(count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|i| [&vec![b'k'; KEPT_KEY_LEN - 3][..], &i.to_be_bytes()].concat()).collect()
    }

    fn written(count: u32) -> (SparseIndex, Vec<u8>, Range<u64>) {
        let mut builder = SparseIndexBuilder::with_sizes(&scratch(), 64 << 10, STRIDE);
        for (key, number) in keys(count).iter().zip(0_u64..) {
            builder.offer(7 + number * STEP, key).unwrap();
        }
        let index = builder.finish().unwrap();
        let mut bytes = Vec::new();
        index.write(&mut bytes).unwrap();
        (index, bytes, 7..7 + u64::from(count) * STEP)
    }

    #[test]
    fn index_that_was_kept_answers_as_the_one_that_was_made() {
        for count in [0, 1, 2, 3, 1000] {
            let (made, bytes, records) = written(count);
            let kept = SparseIndex::read(&mut bytes.as_slice(), records, &scratch()).unwrap();
            let keys = keys(count);
            for target in keys.iter().map(Vec::as_slice).chain([&b""[..], b"kk", b"z"]) {
                let find = |index: &SparseIndex| {
                    let compare =
                        |offset: u64| Ok(keys[usize::try_from((offset - 7) / STEP).unwrap()].as_slice().cmp(target));
                    index.start_for::<crate::Error>(target, compare).unwrap()
                };
                assert_eq!(find(&kept), find(&made));
            }
            let mut again = Vec::new();
            kept.write(&mut again).unwrap();
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn cut_index_and_one_of_other_records_are_refused() {
        let (_, bytes, records) = written(50);
        for len in 0..bytes.len() {
            assert!(SparseIndex::read(&mut &bytes[..len], records.clone(), &scratch()).is_err(), "{len} bytes");
        }
        for other in [8..records.end, 7..records.end - STEP - 1, 7..7] {
            assert!(SparseIndex::read(&mut bytes.as_slice(), other.clone(), &scratch()).is_err(), "{other:?}");
        }
    }
}
