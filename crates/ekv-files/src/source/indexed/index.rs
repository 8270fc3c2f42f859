//! The entries of an archive, directory by directory, in a sorted file.
//!
//! A row: length of the key as little-endian `u32`, a byte for the kind, offset and length of the content as little-endian `u64`, the key.
//! The key is the path of the directory, NUL, and the name: the entries of a directory lie together, in byte order of their names, behind
//! the entry of the directory itself.

use std::cmp::Ordering;
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter, SparseIndex, SparseIndexBuilder, Spool};

use super::content::{Content, Window};
use crate::archive::ArchiveFault;
use crate::path::split_last;
use crate::source::read_error;
use crate::{DumpPath, Error, Result};

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Memory for the beginning of the rows, in bytes.
const ROWS_BUDGET: usize = 1 << 20;

/// Bytes before the key of a row.
const HEAD_LEN: usize = 4 + PAYLOAD_LEN;
/// Bytes of kind, offset and length.
const PAYLOAD_LEN: usize = 17;

const DIRECTORY: u8 = b'd';
const FILE: u8 = b'f';

/// What an entry is, and where its content lies in the tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Directory,
    File { offset: u64, len: u64 },
}

impl Row {
    fn to_payload(self) -> [u8; PAYLOAD_LEN] {
        let (kind, offset, len) = match self {
            Row::Directory => (DIRECTORY, 0, 0),
            Row::File { offset, len } => (FILE, offset, len),
        };
        let mut payload = [0; PAYLOAD_LEN];
        let bytes = [kind].into_iter().chain(offset.to_le_bytes()).chain(len.to_le_bytes());
        payload.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        payload
    }

    fn from_payload(payload: &[u8]) -> Self {
        match payload.split_first() {
            Some((&FILE, numbers)) => {
                let number = |bytes: Option<&[u8; 8]>| u64::from_le_bytes(bytes.copied().unwrap_or_default());
                Row::File { offset: number(numbers.first_chunk()), len: number(numbers.last_chunk()) }
            }
            _ => Row::Directory,
        }
    }
}

/// Collects entries in any order.
pub(super) struct IndexBuilder {
    sorter: Sorter,
    key: Vec<u8>,
}

impl IndexBuilder {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        IndexBuilder { sorter: Sorter::new(Arc::clone(scratch), SORT_BUDGET), key: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &DumpPath, row: Row) -> Result<()> {
        set_key(path, &mut self.key);
        Ok(self.sorter.push(&self.key, &row.to_payload())?)
    }

    /// Sorts the entries. A directory may be there several times; any other name that is, is an error.
    pub(super) fn finish(self, scratch: &Arc<dyn Scratch>) -> Result<Index> {
        let mut sorted = self.sorter.finish()?;
        let mut rows = Spool::new(Arc::clone(scratch), ROWS_BUDGET);
        let mut sparse = SparseIndexBuilder::new(scratch);
        let mut last = (Vec::new(), Row::Directory);
        while let Some((key, payload)) = sorted.next()? {
            let row = Row::from_payload(payload);
            if key == last.0.as_slice() {
                match (last.1, row) {
                    (Row::Directory, Row::Directory) => continue,
                    _ => return Err(Error::from(ArchiveFault::Repeated).at(&path_of(key))),
                }
            }
            sparse.offer(rows.len(), key)?;
            rows.write_all(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes())?;
            rows.write_all(payload)?;
            rows.write_all(key)?;
            last.0.clear();
            last.0.extend_from_slice(key);
            last.1 = row;
        }
        let len = rows.len();
        let rows = Content::Spooled(rows.into_reader()?);
        Ok(Index { rows, len, sparse: sparse.finish()?, window: Window::default() })
    }
}

/// The entries, sorted.
pub(super) struct Index {
    rows: Content,
    len: u64,
    sparse: SparseIndex,
    window: Window,
}

impl Index {
    /// Looks an entry up.
    pub(super) fn find(&mut self, path: &DumpPath) -> Result<Option<Row>> {
        let mut wanted = Vec::new();
        set_key(path, &mut wanted);
        let mut found = None;
        self.rows_from(&wanted, &mut |key, row| {
            if key == wanted {
                found = Some(row);
            }
            Ok(key < wanted.as_slice())
        })?;
        Ok(found)
    }

    /// Shows the entries of one directory.
    pub(super) fn show_directory(
        &mut self,
        directory: &DumpPath,
        show: &mut dyn FnMut(&DumpPath, Row) -> Result<()>,
    ) -> Result<()> {
        let mut beginning = directory.as_bytes().to_vec();
        beginning.push(0);
        self.show_from(&beginning, &beginning, show)
    }

    /// Shows the entries from a key on, as long as their keys have this beginning.
    pub(super) fn show_from(
        &mut self,
        first: &[u8],
        beginning: &[u8],
        show: &mut dyn FnMut(&DumpPath, Row) -> Result<()>,
    ) -> Result<()> {
        let mut path = DumpPath::root();
        self.rows_from(first, &mut |key, row| {
            if key < first {
                return Ok(true);
            }
            if !key.starts_with(beginning) {
                return Ok(false);
            }
            path.truncate(0);
            path.extend(&path_of(key))?;
            show(&path, row)?;
            Ok(true)
        })
    }

    /// Calls `take` for rows in order, from one at or before `key` on, until it answers false.
    fn rows_from(&mut self, key: &[u8], take: &mut dyn FnMut(&[u8], Row) -> Result<bool>) -> Result<()> {
        let mut found = Vec::new();
        let start = self.sparse.start_for(key, |offset| compare_key(&self.rows, offset, key, &mut found))?;
        let mut offset = start.unwrap_or(0);
        while offset < self.len {
            let mut head = [0; HEAD_LEN];
            self.read(&mut offset, &mut head)?;
            let (key_len, payload) = split_head(&head);
            found.resize(key_len, 0);
            self.read(&mut offset, &mut found)?;
            if !take(&found, Row::from_payload(payload))? {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, offset: &mut u64, buf: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let len = match self.window.read(&self.rows, *offset, rest).map_err(read_error)? {
                0 => return Err(read_error(std::io::ErrorKind::UnexpectedEof.into())),
                len => len,
            };
            filled = filled.saturating_add(len);
            *offset = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// Length of the key, and the payload.
fn split_head(head: &[u8; HEAD_LEN]) -> (usize, &[u8]) {
    let (len, payload) = head.split_first_chunk().unwrap_or((&[0; 4], &[]));
    (usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX), payload)
}

/// How the key of the row at an offset compares with `key`; `buffer` is for reading it.
fn compare_key(rows: &Content, mut offset: u64, key: &[u8], buffer: &mut Vec<u8>) -> Result<Ordering> {
    let mut head = [0; HEAD_LEN];
    rows.read_exact_at(offset, &mut head).map_err(read_error)?;
    offset = offset.saturating_add(u64::try_from(HEAD_LEN).unwrap_or(u64::MAX));
    buffer.resize(split_head(&head).0, 0);
    rows.read_exact_at(offset, buffer).map_err(read_error)?;
    Ok(buffer.as_slice().cmp(key))
}

fn set_key(path: &DumpPath, key: &mut Vec<u8>) {
    let (directory, name) = split_last(path.as_bytes());
    key.clear();
    key.extend_from_slice(directory);
    key.push(0);
    key.extend_from_slice(name);
}

fn path_of(key: &[u8]) -> Vec<u8> {
    let mut path: Vec<u8> = key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect();
    if path.first() == Some(&b'/') {
        path.remove(0);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use ekv_spill::SystemScratch;

    /// The most rows that are read to find one of the paths.
    fn rows_per_search(paths: &[Vec<u8>]) -> usize {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut builder = IndexBuilder::new(&scratch);
        for path in paths {
            builder.add(&DumpPath::new(path).unwrap(), Row::Directory).unwrap();
        }
        let mut index = builder.finish(&scratch).unwrap();
        let rows = paths.iter().map(|path| {
            let mut wanted = Vec::new();
            set_key(&DumpPath::new(path).unwrap(), &mut wanted);
            let mut rows = 0;
            index
                .rows_from(&wanted, &mut |key, _| {
                    rows += 1;
                    Ok(key < wanted.as_slice())
                })
                .unwrap();
            rows
        });
        rows.max().unwrap()
    }

    #[test]
    fn entry_is_found_within_sixteen_kib_of_rows_whatever_paths_have_in_common() {
        for common_len in [0, 600, 3_000] {
            let common = vec![b"d".as_slice(); common_len / 2].join(&b'/');
            let paths: Vec<Vec<u8>> =
                (0..3_000).map(|i| [&common[..], format!("x/{i:06}").as_bytes()].concat()).collect();
            let row_len = HEAD_LEN + paths[0].len();
            let rows = rows_per_search(&paths);
            assert!(rows <= (16 << 10) / row_len + 2, "{rows} rows of {row_len} bytes");
        }
    }

    #[test]
    fn directories_one_in_the_other_are_each_found_within_sixteen_kib_of_rows() {
        let deepest = vec![b"d".as_slice(); 1_500].join(&b'/');
        let paths: Vec<Vec<u8>> = (0..1_500).map(|depth| deepest[..2 * depth + 1].to_vec()).collect();
        // The rows of the first directories are short.
        let rows = rows_per_search(&paths);
        assert!(rows <= 150, "{rows}");
    }
}
