//! The entries of an archive, directory by directory, in a sorted file.
//!
//! The payload of a row: a byte for the kind, offset and length of the content as little-endian `u64`. The key is the path of the directory, NUL, and the name: the entries of a directory lie together, in byte order of their names, behind
//! the entry of the directory itself.

use std::sync::Arc;

use ekv_spill::{Scratch, Sorter, Table, TableBuilder};

use crate::archive::ArchiveFault;
use crate::path::split_last;
use crate::{DumpPath, Error, Result};

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

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

    fn from_payload(payload: &[u8; PAYLOAD_LEN]) -> Self {
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
        let mut rows = TableBuilder::new(scratch);
        let mut last = (Vec::new(), Row::Directory);
        while let Some((key, payload)) = sorted.next()? {
            let payload = payload.first_chunk().unwrap_or(&[0; PAYLOAD_LEN]);
            let row = Row::from_payload(payload);
            if key == last.0.as_slice() {
                match (last.1, row) {
                    (Row::Directory, Row::Directory) => continue,
                    _ => return Err(Error::from(ArchiveFault::Repeated).at(&path_of(key))),
                }
            }
            rows.push(key, payload)?;
            last.0.clear();
            last.0.extend_from_slice(key);
            last.1 = row;
        }
        Ok(Index { rows: rows.finish()? })
    }
}

/// The entries, sorted.
pub(super) struct Index {
    rows: Table<PAYLOAD_LEN>,
}

impl Index {
    /// Looks an entry up.
    pub(super) fn find(&mut self, path: &DumpPath) -> Result<Option<Row>> {
        let mut wanted = Vec::new();
        set_key(path, &mut wanted);
        let mut found = None;
        self.rows.rows_from(&wanted, &mut |key, payload| {
            if key == wanted {
                found = Some(Row::from_payload(payload));
            }
            Ok::<bool, Error>(key < wanted.as_slice())
        })?;
        Ok(found)
    }

    /// Shows the entries of one directory, or all, directory by directory.
    pub(super) fn for_each(
        &mut self,
        directory: Option<&DumpPath>,
        show: &mut dyn FnMut(&DumpPath, Row) -> Result<()>,
    ) -> Result<()> {
        let beginning = directory.map_or_else(Vec::new, |directory| [directory.as_bytes(), &[0]].concat());
        let mut path = DumpPath::root();
        self.rows.rows_from(&beginning, &mut |key, payload| {
            if key < beginning.as_slice() {
                return Ok(true);
            }
            if !key.starts_with(&beginning) {
                return Ok(false);
            }
            path.truncate(0);
            path.extend(&path_of(key))?;
            show(&path, Row::from_payload(payload))?;
            Ok(true)
        })
    }
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
            let take = &mut |key: &[u8], _: &[u8; PAYLOAD_LEN]| {
                rows += 1;
                Ok::<bool, Error>(key < wanted.as_slice())
            };
            index.rows.rows_from(&wanted, take).unwrap();
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
            let row_len = 4 + PAYLOAD_LEN + paths[0].len();
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
