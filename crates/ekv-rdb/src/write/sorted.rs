//! A file of keys that come in any order.

use std::sync::Arc;

use ekv_model::{CHUNK_LEN, Class, Error, Result};
use ekv_spill::{RECORD_LEN_MAX, Scratch, Sorter, Spool};

use super::file::{Database, FileWriter, WrittenFile};
use super::refusal::Refusal;
use super::value::Value;
use crate::{DATABASES, file_len};

/// Longest key and value that are sorted together, in bytes.
const SORTED_LEN_MAX: u64 = 64 << 10;
/// Memory of values that are not sorted, in bytes.
const APART_MEMORY_LEN: usize = 1 << 20;
/// What a record in the sorter has beside key and value, in bytes.
const AROUND_LEN: usize = 4 + RowHead::LEN + 16;

/// Takes keys in any order and writes them sorted by database and key, so that the same keys are always the same bytes.
///
/// Cost: memory within the budget and 1 MiB; scratch space for all records, twice that for those that are sorted and do not fit.
pub struct SortedFile {
    records: Sorter,
    apart: Spool,
    databases: Vec<Database>,
    place: Vec<u8>,
    row: Vec<u8>,
}

/// The key is in the file already.
#[derive(Debug, thiserror::Error)]
#[error("the key {} comes twice in database {database}: no server loads such a file", key.escape_ascii())]
pub struct RepeatedKey {
    /// Index of the database.
    pub database: u32,
    /// The key.
    pub key: Vec<u8>,
}

impl SortedFile {
    /// A file without keys, which are sorted within `memory_budget` bytes.
    pub fn new(scratch: Arc<dyn Scratch>, memory_budget: usize) -> Self {
        SortedFile {
            records: Sorter::new(Arc::clone(&scratch), memory_budget),
            apart: Spool::new(scratch, APART_MEMORY_LEN),
            databases: (0..DATABASES).map(|_| Database::default()).collect(),
            place: Vec::new(),
            row: Vec::new(),
        }
    }

    /// Adds a key; expiry in Unix milliseconds. The inner result says whether a file can have it.
    ///
    /// # Errors
    /// Those of scratch files.
    pub fn push(
        &mut self,
        number: u32,
        key: &[u8],
        expire_at_ms: Option<u64>,
        value: &Value,
    ) -> Result<Result<(), Refusal>> {
        let SortedFile { records, apart, databases, place, row } = self;
        let Some(database) = usize::try_from(number).ok().and_then(|number| databases.get_mut(number)) else {
            return Ok(Err(Refusal::Database));
        };
        let key_len = file_len(key.len());
        if key.len().saturating_add(AROUND_LEN) > RECORD_LEN_MAX {
            return Ok(Err(Refusal::LongKey { len: key_len }));
        }
        place.clear();
        place.extend_from_slice(&number.to_be_bytes());
        place.extend_from_slice(key);
        let is_apart = key_len.saturating_add(value.byte_count()) > SORTED_LEN_MAX;
        row.clear();
        RowHead { value_type: value.value_type(), expire_at_ms, is_apart }.push(row);
        if is_apart {
            row.extend_from_slice(&apart.len().to_le_bytes());
            row.extend_from_slice(&value.byte_count().to_le_bytes());
            value.for_each_chunk(|chunk| apart.write_all(chunk))?;
        } else {
            value.for_each_chunk(|chunk| -> Result<()> {
                row.extend_from_slice(chunk);
                Ok(())
            })?;
        }
        records.push(place, row)?;
        database.keys = database.keys.saturating_add(1);
        database.expiring = database.expiring.saturating_add(u64::from(expire_at_ms.is_some()));
        Ok(Ok(()))
    }

    /// Keys so far.
    pub fn keys(&self) -> u64 {
        self.records.len()
    }

    /// Hands the bytes of the file to `write`, piece by piece.
    ///
    /// # Errors
    /// Those of `write` and of scratch files; [`RepeatedKey`].
    pub fn finish(self, write: impl FnMut(&[u8]) -> Result<()>) -> Result<WrittenFile> {
        let SortedFile { records, apart, databases, mut place, .. } = self;
        let mut sorted = records.finish()?;
        let apart = apart.into_reader()?;
        let mut file = FileWriter::new(write)?;
        let mut buffer = vec![0; CHUNK_LEN];
        let mut open = None;
        place.clear();
        while let Some((next, row)) = sorted.next()? {
            let (number, key) = next.split_first_chunk().ok_or_else(torn)?;
            let number = u32::from_be_bytes(*number);
            if place == next {
                return Err(Error::new(Class::Data, RepeatedKey { database: number, key: key.to_vec() }));
            }
            place.clear();
            place.extend_from_slice(next);
            if open != Some(number) {
                let database = usize::try_from(number).ok().and_then(|number| databases.get(number));
                file.database(number, database.copied().unwrap_or_default())?;
                open = Some(number);
            }
            let (head, rest) = RowHead::split(row).ok_or_else(torn)?;
            file.head(key, head.expire_at_ms, head.value_type)?;
            if !head.is_apart {
                file.put(rest)?;
                continue;
            }
            let (offset, rest) = rest.split_first_chunk().ok_or_else(torn)?;
            let (len, _) = rest.split_first_chunk().ok_or_else(torn)?;
            let (mut offset, mut left) = (u64::from_le_bytes(*offset), u64::from_le_bytes(*len));
            while left > 0 {
                let want = usize::try_from(left).unwrap_or(CHUNK_LEN).min(CHUNK_LEN);
                let piece = buffer.get_mut(..want).unwrap_or_default();
                apart.read_at(offset, piece)?;
                file.put(piece)?;
                offset = offset.saturating_add(file_len(want));
                left = left.saturating_sub(file_len(want));
            }
        }
        file.finish()
    }
}

/// What a row of the sorter begins with.
struct RowHead {
    value_type: u8,
    expire_at_ms: Option<u64>,
    /// Whether only the place of the value follows.
    is_apart: bool,
}

impl RowHead {
    const LEN: usize = 10;
    const EXPIRES: u8 = 1;
    const APART: u8 = 2;

    fn push(&self, to: &mut Vec<u8>) {
        let expires = if self.expire_at_ms.is_some() { RowHead::EXPIRES } else { 0 };
        let apart = if self.is_apart { RowHead::APART } else { 0 };
        to.push(expires | apart);
        to.push(self.value_type);
        to.extend_from_slice(&self.expire_at_ms.unwrap_or(0).to_le_bytes());
    }

    fn split(row: &[u8]) -> Option<(RowHead, &[u8])> {
        let ([flags, value_type, expiry @ ..], rest) = row.split_first_chunk::<{ RowHead::LEN }>()?;
        let expire_at_ms = (flags & RowHead::EXPIRES > 0).then_some(u64::from_le_bytes(*expiry));
        Some((RowHead { value_type: *value_type, expire_at_ms, is_apart: flags & RowHead::APART > 0 }, rest))
    }
}

/// What was pushed is not what came back.
fn torn() -> Error {
    Error::new(Class::Data, "a row that was sorted is torn")
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::super::file::tests::{string, value};
    use super::*;

    type Key<'k> = (u32, &'k [u8], Option<u64>, &'k [u8]);

    fn file(keys: &[Key<'_>], memory_budget: usize) -> Result<Vec<u8>> {
        let mut file = SortedFile::new(Arc::new(SystemScratch::new()), memory_budget);
        for (database, key, expire_at_ms, body) in keys {
            file.push(*database, key, *expire_at_ms, &value(&string(body)))?.unwrap();
        }
        let mut bytes = Vec::new();
        let written = file.finish(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        assert_eq!(written.byte_count, file_len(bytes.len()));
        Ok(bytes)
    }

    #[test]
    fn same_keys_in_any_order_and_memory_are_the_same_bytes() {
        let long = vec![b'v'; 200_000];
        let mut keys: Vec<Key<'_>> =
            vec![(3, b"a", None, b"1"), (0, b"b", Some(7), &long), (0, b"", None, b""), (0, b"a\xff", None, b"2")];
        let bytes = file(&keys, 1 << 20).unwrap();
        let at = |part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap();
        assert!(at(b"\xfe\x00\xfb\x03\x01\x00\x00\x00") < at(b"\x00\x02a\xff\x012"));
        assert!(at(b"\x00\x02a\xff\x012") < at(b"\xfc\x07\0\0\0\0\0\0\0\x00\x01b\x80\x00\x03\x0d\x40vvv"));
        assert!(at(b"vvv\xfe\x03\xfb\x01\x00") > at(b"\xfc\x07"));
        keys.reverse();
        assert_eq!(file(&keys, 0).unwrap(), bytes);
    }

    #[test]
    fn key_comes_once_in_a_database() {
        let error = file(&[(0, b"k", None, b""), (1, b"k", None, b""), (0, b"k", None, b"")], 1 << 20).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        assert_eq!(error.to_string(), "the key k comes twice in database 0: no server loads such a file");
        file(&[(0, b"k", None, b""), (1, b"k", None, b"")], 1 << 20).unwrap();
    }

    #[test]
    fn what_no_file_can_have_is_refused() {
        let mut file = SortedFile::new(Arc::new(SystemScratch::new()), 1 << 20);
        let value = value(&string(b""));
        assert_eq!(file.push(16, b"k", None, &value).unwrap(), Err(Refusal::Database));
        let key = vec![b'k'; RECORD_LEN_MAX];
        assert!(matches!(file.push(15, &key, None, &value).unwrap(), Err(Refusal::LongKey { .. })));
        assert_eq!(file.keys(), 0);
        let mut bytes = Vec::new();
        file.finish(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert_eq!(bytes.get(..9), Some(&b"REDIS0009"[..]));
    }
}
