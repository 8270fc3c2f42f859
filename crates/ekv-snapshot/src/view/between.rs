//! A view of what readers saw between two moments.

use std::sync::Arc;

use ekv_spill::{Scratch, SparseIndexBuilder};

use super::{Group, Range, Shows, View, effective_read_ts, shows};
use crate::merge::Merge;
use crate::record::{UnversionedRow, split_raw_key};
use crate::record_writer::RecordWriter;
use crate::resolver::{Resolver, Standing, common_prefix_len};
use crate::{CommitTs, RecordFile, Result};

/// Buffer of the cursors, in bytes.
const WINDOW_LEN: usize = 128 << 10;

impl View {
    /// A copy of the versions that any reader from `oldest` to `newest` sees of the user keys in `ranges`, each of
    /// all with one prefix, of which `is_wanted` says so. Read at a moment of that time, it shows of these keys what this view shows then, and costs as much as
    /// they have changed in that time, not as often as they ever have.
    ///
    /// Cost: one read of these ranges, and scratch space for the versions that are copied.
    ///
    /// # Errors
    /// A failing read, of a file or of scratch space; those of `is_wanted`.
    pub fn between<E: From<crate::Error>>(
        &self,
        oldest: CommitTs,
        newest: CommitTs,
        ranges: &[Range],
        is_wanted: &mut dyn FnMut(&[u8]) -> Result<bool, E>,
        scratch: &Arc<dyn Scratch>,
    ) -> Result<View, E> {
        let mut ranges: Vec<&Range> = ranges.iter().collect();
        ranges.sort_unstable_by_key(|range| &range.prefix);
        ranges.dedup_by(|longer, shorter| longer.prefix.starts_with(&shorter.prefix));
        let mut groups = Vec::new();
        for group in &self.groups {
            let mut copy = Copy::begin(scratch)?;
            let mut merge = Merge::new(&group.files, WINDOW_LEN);
            for range in &ranges {
                copy.range(&mut merge, range, (oldest, newest), is_wanted)?;
            }
            let name = group.files.first().map(|file| file.input().name.clone()).unwrap_or_default();
            groups.push(Group { files: vec![copy.finish(name)?], ..group.clone() });
        }
        Ok(View { groups, owners: self.owners.clone() })
    }
}

/// A record file that is being written.
struct Copy {
    writer: RecordWriter,
    index: SparseIndexBuilder,
    start: u64,
}

impl Copy {
    fn begin(scratch: &Arc<dyn Scratch>) -> Result<Self> {
        let writer = RecordWriter::new(scratch, CommitTs(0))?;
        Ok(Copy { start: writer.output().len(), writer, index: SparseIndexBuilder::new(scratch) })
    }

    fn range<E: From<crate::Error>>(
        &mut self,
        merge: &mut Merge,
        range: &Range,
        (oldest, newest): (CommitTs, CommitTs),
        is_wanted: &mut dyn FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut resolver = Resolver::default();
        merge.seek(&range.start)?;
        while let Some(cursor) = merge.current().filter(|cursor| range.holds(cursor.raw_key())) {
            let raw_key = cursor.raw_key();
            let common = common_prefix_len(raw_key, resolver.previous());
            match split_raw_key(raw_key).filter(|_| UnversionedRow::of(raw_key).is_none()) {
                None => resolver.pass(raw_key, common),
                Some((user_key, commit_ts)) => {
                    let [oldest, newest] = [oldest, newest].map(|read_ts| effective_read_ts(user_key, read_ts));
                    let standing = resolver.next(raw_key, common, commit_ts, oldest).standing;
                    let is_seen = match standing {
                        Standing::Newer => commit_ts <= newest,
                        // What was deleted before is not there, with or without its deletion.
                        Standing::Decides => !matches!(shows(cursor, oldest), Shows::Nothing),
                        Standing::Older => false,
                    };
                    if is_seen && user_key.starts_with(&range.prefix) && is_wanted(user_key)? {
                        self.index.offer(self.writer.output().len(), raw_key).map_err(crate::Error::from)?;
                        self.writer.stored(raw_key, &cursor.value())?;
                    }
                }
            }
            merge.advance()?;
        }
        Ok(())
    }

    fn finish(self, name: String) -> Result<RecordFile> {
        let index = self.index.finish()?;
        let input = self.writer.finish(name)?;
        let end = input.len;
        Ok(RecordFile::new(input, self.start, end, index))
    }
}
