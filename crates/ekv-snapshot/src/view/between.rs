//! A view of what readers saw between two moments.

use std::sync::Arc;

use ekv_spill::{Scratch, SparseIndexBuilder};
use ekv_text::ordered::common_prefix_len;

use super::{Group, Range, Shows, View, effective_read_ts, shows};
use crate::merge::Merge;
use crate::record::{UnversionedRow, split_raw_key};
use crate::record_writer::RecordWriter;
use crate::resolver::OpenKeys;
use crate::{CommitTs, RecordFile, Result};

/// Buffer of the cursors, in bytes.
const WINDOW_LEN: usize = 128 << 10;

/// What a version is to readers in some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// All of them see it.
    Throughout,
    /// Some of them do, or nobody can tell what it says.
    Partly,
}

/// Whether a version of a user key goes into a copy.
pub type IsWanted<'w, E> = &'w mut dyn FnMut(&[u8], Lasting) -> Result<bool, E>;

/// What is known of a user key while its versions pass, the newest first.
#[derive(Clone, Copy, Default)]
struct Passed {
    /// The version has passed that the first reader sees.
    is_decided: bool,
    /// A version has passed that came in that time.
    has_changed: bool,
}

impl View {
    /// A copy of the versions that any reader from `oldest` to `newest` sees of the user keys in `ranges`, each of
    /// all with one prefix, of which `is_wanted` says so. If it leaves nothing out, then, read at a moment of that time, it shows of these keys what this view shows then, and costs as much as
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
        is_wanted: IsWanted<'_, E>,
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
        is_wanted: IsWanted<'_, E>,
    ) -> Result<(), E> {
        let mut keys: OpenKeys<Passed> = OpenKeys::default();
        merge.seek(&range.start)?;
        while let Some(cursor) = merge.current().filter(|cursor| range.holds(cursor.raw_key())) {
            let raw_key = cursor.raw_key();
            let common = common_prefix_len(raw_key, keys.previous());
            match split_raw_key(raw_key).filter(|_| UnversionedRow::of(raw_key).is_none()) {
                None => keys.pass(raw_key, common),
                Some((user_key, commit_ts)) => {
                    let [oldest, newest] = [oldest, newest].map(|read_ts| effective_read_ts(user_key, read_ts));
                    let (decides, comes) = (commit_ts <= oldest, commit_ts > oldest && commit_ts <= newest);
                    let next = |before: Option<Passed>| {
                        let Passed { is_decided, has_changed } = before.unwrap_or_default();
                        Passed { is_decided: is_decided | decides, has_changed: has_changed | comes }
                    };
                    let before = keys.update(raw_key, common, next).unwrap_or_default();
                    let seen = match shows(cursor, oldest) {
                        _ if comes => Some(Lasting::Partly),
                        _ if before.is_decided || !decides => None,
                        // What was deleted before is not there, with or without its deletion.
                        Shows::Nothing => None,
                        // It may have an expiry of the store.
                        Shows::Body if !before.has_changed && matches!(shows(cursor, newest), Shows::Body) => {
                            Some(Lasting::Throughout)
                        }
                        Shows::Body | Shows::Damage => Some(Lasting::Partly),
                    };
                    if let Some(lasting) = seen
                        && user_key.starts_with(&range.prefix)
                        && is_wanted(user_key, lasting)?
                    {
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
