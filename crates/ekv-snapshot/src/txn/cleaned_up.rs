//! Writes of committed transactions that the server cleaned up without applying them. Source: `docs/format/snapshot.md`, section 11.4,
//! rule 9.
//!
//! Decision and value are both there: the commit record, and the intent at the start timestamp. But the server can give two transactions
//! one start and one commit timestamp, and then one of them finds its locks taken for its own by the other. So a value counts only where
//! nothing speaks for such a mix.

use ekv_spill::{Sorted, Sorter};

use super::findings;
use super::keys::{self, COMMIT, INTENT};
use super::locks::HeldLock;
use super::record::parse_commit;
use super::row::{Row, RowKind, WINDOW_LEN, is_at, read_intent};
use super::work::{Work, changed, describe};
use crate::file::Cursor;
use crate::record::{ValueHeader, split_raw_key};
use crate::stream::for_each_piece;
use crate::view::{Range, View};
use crate::{CommitTs, Input, Result};

/// Bytes of commit and start timestamp at the beginning of the sort keys here.
const TIMES_LEN: usize = 16;

/// A write to be settled, as key and payload of a sort. `version_key` is that of its row; `None` if it does not have that shape.
pub(super) fn suspect(version_key: &[u8], start_ts: CommitTs, row: Row, primary: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, commit_ts) = split_raw_key(version_key)?;
    let key = [&times(commit_ts, start_ts)[..], version_key].concat();
    Some((key, [&row.encode(), primary].concat()))
}

/// Passes on to `rows` what counts, and reports the rest.
pub(super) fn settle(work: &mut Work<'_>, suspects: Sorter, rows: &mut Sorter) -> Result<()> {
    if suspects.is_empty() {
        return Ok(());
    }
    let mut commits = Commits::new(work)?;
    let groups = work.groups;
    let cursor = |file| Cursor::new(file, WINDOW_LEN);
    let mut cursors: Vec<_> = groups.iter().map(|group| (cursor(&group.file), cursor(&group.file))).collect();
    let mut suspects = suspects.finish()?;
    while let Some((key, payload)) = suspects.next()? {
        work.visit()?;
        let (times, version_key) = key.split_first_chunk::<TIMES_LEN>().ok_or_else(changed)?;
        let (row, primary) = payload.split_at_checked(Row::LEN).ok_or_else(changed)?;
        let (start_ts, commit_ts) = (start_of(times), split_raw_key(version_key).ok_or_else(changed)?.1);
        let doubt = if commits.are_several(times)? {
            Some("another transaction has the same start and commit timestamps")
        } else if primary_differs(&mut cursors, primary, start_ts, commit_ts)? {
            Some("its primary key has another value than it wrote")
        } else {
            None
        };
        let Some(doubt) = doubt else {
            rows.push(version_key, row)?;
            continue;
        };
        let (group, raw_key) = version_key.split_first_chunk().ok_or_else(changed)?;
        let lock = HeldLock {
            group: u16::from_be_bytes(*group),
            live: false,
            deadline: CommitTs(0),
            byte_offset: Row::decode(row).ok_or_else(changed)?.lock_offset,
            cleaned_up: None,
            user_key: split_raw_key(raw_key).ok_or_else(changed)?.0.to_vec(),
        };
        if work.counts(&lock) {
            work.record_finding(findings::CLEANED_UP_IN_DOUBT, &lock, |_| {
                format!("{}, committed at {commit_ts}: {doubt}", describe(primary, start_ts))
            });
        }
    }
    Ok(())
}

fn times(commit_ts: CommitTs, start_ts: CommitTs) -> [u8; TIMES_LEN] {
    (u128::from(commit_ts.0) << u64::BITS | u128::from(start_ts.0)).to_be_bytes()
}

fn start_of(times: &[u8; TIMES_LEN]) -> CommitTs {
    CommitTs(times.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

/// The commit records of all groups, by their two timestamps.
struct Commits {
    sorted: Sorted,
    /// The record that comes next: timestamps and primary key.
    next: Option<Vec<u8>>,
    /// The timestamps that were asked for last, and the answer.
    known: Option<([u8; TIMES_LEN], bool)>,
}

impl Commits {
    fn new(work: &mut Work<'_>) -> Result<Commits> {
        let mut sorter = work.sorter();
        for group in work.groups {
            let mut records = View::of_file(&group.file, CommitTs::MAX).scan_range(Range::prefix(COMMIT))?;
            while let Some(record) = records.next_visible()? {
                work.visit()?;
                let id = record.user_key.strip_prefix(COMMIT).unwrap_or_default();
                if let Some((primary, start_ts)) = keys::split_transaction_id(id)
                    && let Ok(commit_ts) = parse_commit(record.body.head(), record.body.len())
                {
                    sorter.push(&[&times(commit_ts, start_ts)[..], primary].concat(), &[])?;
                }
            }
        }
        let mut commits = Commits { sorted: sorter.finish()?, next: None, known: None };
        commits.advance()?;
        Ok(commits)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = self.sorted.next()?.map(|(key, _)| key.to_vec());
        Ok(())
    }

    /// Whether transactions with different primary keys have these timestamps, which ascend from call to call.
    fn are_several(&mut self, times: &[u8; TIMES_LEN]) -> Result<bool> {
        if let Some((known, several)) = self.known
            && known == *times
        {
            return Ok(several);
        }
        let mut several = false;
        let mut first: Option<Vec<u8>> = None;
        while let Some(next) = &self.next
            && next.get(..TIMES_LEN).is_some_and(|found| found <= times.as_slice())
        {
            if next.starts_with(times) {
                several |= first.as_ref().is_some_and(|first| first != next);
                first.get_or_insert_with(|| next.clone());
            }
            self.advance()?;
        }
        self.known = Some((*times, several));
        Ok(several)
    }
}

/// Whether the primary key of a transaction got another value at its commit than its intent says; false where one of them is not known.
fn primary_differs(
    cursors: &mut [(Cursor, Cursor)],
    primary: &[u8],
    start_ts: CommitTs,
    commit_ts: CommitTs,
) -> Result<bool> {
    let (data_key, intent_key) = (keys::raw_key(b"", primary, commit_ts), keys::raw_key(INTENT, primary, start_ts));
    let (mut written, mut intended) = (None, None);
    for (data, intents) in cursors {
        if written.is_none() && is_at(data, &data_key)? {
            written = Some(&*data);
        }
        if intended.is_none() && is_at(intents, &intent_key)? {
            intended = Some(&*intents);
        }
    }
    let (Some(written), Some(intended)) = (written, intended) else { return Ok(false) };
    let Ok(Some((kind, place))) = read_intent(Some(intended), start_ts) else { return Ok(false) };
    let value = written.value();
    let Ok(header) = ValueHeader::parse(value.head(), value.len()) else { return Ok(false) };
    let body = value.without_header();
    match (kind, header.tombstone) {
        (RowKind::Delete, is_deleted) => Ok(!is_deleted),
        (_, true) => Ok(true),
        (_, false) if body.len() != place.len => Ok(true),
        (_, false) => {
            let (first, second) = (intended.file().input(), body.input());
            differ(first, place.offset, second, body.byte_offset(), place.len)
        }
    }
}

/// Whether two ranges of `len` bytes differ.
fn differ(first: &Input, first_at: u64, second: &Input, second_at: u64, len: u64) -> Result<bool> {
    let (mut at, mut other, mut differ) = (second_at, Vec::new(), false);
    for_each_piece(first, first_at, len, |piece| {
        other.resize(piece.len(), 0);
        let got = second.fill_at(at, &mut other)?;
        differ |= other.get(..got) != Some(piece);
        at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        Ok(())
    })?;
    Ok(differ)
}
