//! The versions that a group's snapshot lacks. Source: `docs/format/snapshot.md`, section 11.4, rules 4 and 7 and the policy switch.

use ekv_model::NoMonitor;
use ekv_spill::Sorter;
use ekv_text::ordered::common_prefix_len;

use super::keys::{self, INTENT, split_row_key};
use super::locks::HeldLock;
use super::row::{Row, RowKind, WINDOW_LEN, is_at, read_intent};
use super::work::{ReadPoint, TxnView, Work, changed};
use super::{cleaned_up, findings};
use crate::file::Cursor;
use crate::format::{FLAG_TOMBSTONE, VALUE_HEADER_LEN};
use crate::record::split_raw_key;
use crate::record_writer::{BodyPlace, RecordWriter};
use crate::resolver::OpenKeys;
use crate::view::{Shows, effective_read_ts, seek_version, shows};
use crate::{CommitTs, OneFamily, RecordFile, Result, ScanOptions, scan};

/// What follows for one group.
pub struct TxnState {
    /// Versions that the group's snapshot lacks; where a raw key is in both, the overlay counts. `None` = there are none.
    pub overlay: Option<RecordFile>,
    /// The timestamp at which the group is to be read.
    pub read_ts: CommitTs,
}

/// Reads the intents of the committed locks and writes the overlays.
pub(super) fn build(work: &mut Work<'_>, committed: Sorter, newest_commits: &[CommitTs]) -> Result<Vec<TxnState>> {
    let read_ts = read_timestamps(work, newest_commits);
    let mut rows = work.sorter();
    let suspects = apply(work, committed, &read_ts, &mut rows)?;
    cleaned_up::settle(work, suspects, &mut rows)?;
    let damaged = std::mem::replace(&mut work.damaged, Sorter::new(work.scratch.clone(), 0));
    hide(damaged, &read_ts, &mut rows)?;
    let overlays = write(work, rows, &read_ts)?;
    Ok(overlays.into_iter().zip(read_ts).map(|(overlay, read_ts)| TxnState { overlay, read_ts }).collect())
}

fn read_timestamps(work: &Work<'_>, newest_commits: &[CommitTs]) -> Vec<CommitTs> {
    let groups = work.groups.iter().zip(newest_commits);
    let newest: Vec<CommitTs> = groups.map(|(group, commit)| group.last_commit_ts.max(*commit)).collect();
    let newest_of_all = newest.iter().copied().max().unwrap_or_default();
    match work.options.read_point {
        ReadPoint::At(read_ts) => vec![read_ts; newest.len()],
        ReadPoint::NewestOfAll => vec![newest_of_all; newest.len()],
        ReadPoint::NewestOfEach => newest,
    }
}

/// Turns committed locks into rows: key = [`keys::row_key`] of the raw key, payload = [`Row`]. Writes that the server cleaned up are returned,
/// as [`cleaned_up::settle`] takes them.
fn apply(work: &mut Work<'_>, committed: Sorter, read_ts: &[CommitTs], rows: &mut Sorter) -> Result<Sorter> {
    let mut suspects = work.sorter();
    let mut at: Option<(u16, Cursor, Cursor)> = None;
    let mut committed = committed.finish()?;
    while let Some((key, lock)) = committed.next()? {
        work.visit()?;
        let lock = HeldLock::decode(lock).ok_or_else(changed)?;
        let counts = work.counts(&lock);
        let count = |total: &mut u64| *total = total.saturating_add(u64::from(counts));
        let (version_key, start_ts) = split_raw_key(key).ok_or_else(changed)?;
        let (_, raw_key) = split_row_key(version_key).ok_or_else(changed)?;
        let group = work.group(lock.group).ok_or_else(changed)?;
        let (_, data, intents) = match &mut at {
            Some(at) if at.0 == lock.group => at,
            slot => {
                slot.insert((lock.group, Cursor::new(&group.file, WINDOW_LEN), Cursor::new(&group.file, WINDOW_LEN)))
            }
        };
        if is_at(data, raw_key)? {
            if lock.cleaned_up.is_none() {
                count(&mut work.totals.already_applied);
            }
            continue;
        }
        if lock.cleaned_up.is_some() {
            // What a newer write covers is of no interest, and a compaction may have removed its version.
            let read_ts = read_ts.get(usize::from(lock.group)).copied().ok_or_else(changed)?;
            let newest_key = keys::raw_key(b"", &lock.user_key, effective_read_ts(&lock.user_key, read_ts));
            let (_, commit_ts) = split_raw_key(raw_key).ok_or_else(changed)?;
            if seek_version(data, &lock.user_key, &newest_key)?.is_some_and(|newest| newest > commit_ts) {
                continue;
            }
        }
        let found = is_at(intents, &keys::raw_key(INTENT, &lock.user_key, start_ts))?;
        match (read_intent(Some(&*intents).filter(|_| found), start_ts), &lock.cleaned_up) {
            (Ok(Some((kind, body))), None) => {
                count(&mut work.totals.applied);
                let row = Row { kind, live: lock.live, is_cleaned_up: false, lock_offset: lock.byte_offset, body };
                rows.push(version_key, &row.encode())?;
            }
            (Ok(Some((kind, body))), Some(primary)) => {
                count(&mut work.totals.cleaned_up);
                let row = Row { kind, live: false, is_cleaned_up: true, lock_offset: lock.byte_offset, body };
                let (key, payload) = cleaned_up::suspect(version_key, start_ts, row, primary).ok_or_else(changed)?;
                suspects.push(&key, &payload)?;
            }
            (Ok(None), resolved) if counts => {
                if resolved.is_none() {
                    work.totals.without_intent = work.totals.without_intent.saturating_add(1);
                }
                work.record_finding(findings::INTENT_MISSING, &lock, |_| format!("transaction started at {start_ts}"));
            }
            (Ok(None), _) => {}
            (Err(damage), None) => work.lose(&lock, &damage)?,
            (Err(damage), Some(_)) if counts => {
                work.record_finding(findings::CLEANED_UP_IN_DOUBT, &lock, |_| damage.to_string());
            }
            (Err(_), Some(_)) => {}
        }
    }
    Ok(suspects)
}

/// Adds a tombstone at the read timestamp for every damaged key.
fn hide(damaged: Sorter, read_ts: &[CommitTs], rows: &mut Sorter) -> Result<()> {
    let body = BodyPlace { offset: 0, len: 0 };
    let row = Row { kind: RowKind::Hide, live: true, is_cleaned_up: false, lock_offset: 0, body }.encode();
    let mut damaged = damaged.finish()?;
    while let Some((key, _)) = damaged.next()? {
        let (group, user_key) = split_row_key(key).ok_or_else(changed)?;
        let read_ts = read_ts.get(usize::from(group)).copied().ok_or_else(changed)?;
        let at = effective_read_ts(user_key, read_ts);
        rows.push(&[key, &at.to_suffix()].concat(), &row)?;
    }
    Ok(())
}

/// Writes the rows of each group into a record file of its own.
fn write(work: &mut Work<'_>, rows: Sorter, read_ts: &[CommitTs]) -> Result<Vec<Option<RecordFile>>> {
    let mut overlays: Vec<Option<RecordFile>> = vec![None; work.groups.len()];
    let mut open: Option<(u16, GroupOverlay)> = None;
    let mut rows = rows.finish()?;
    while let Some((key, row)) = rows.next()? {
        work.visit()?;
        let row = Row::decode(row).ok_or_else(changed)?;
        let (group, raw_key) = split_row_key(key).ok_or_else(changed)?;
        if open.as_ref().is_some_and(|(on, _)| *on != group) {
            close(work, &mut open, &mut overlays)?;
        }
        let overlay = match &mut open {
            Some((_, overlay)) => overlay,
            slot => {
                let read_ts = read_ts.get(usize::from(group)).copied().ok_or_else(changed)?;
                &mut slot.insert((group, GroupOverlay::new(work, group, read_ts)?)).1
            }
        };
        overlay.take(work, raw_key, row)?;
    }
    close(work, &mut open, &mut overlays)?;
    Ok(overlays)
}

fn close(
    work: &mut Work<'_>,
    open: &mut Option<(u16, GroupOverlay)>,
    overlays: &mut [Option<RecordFile>],
) -> Result<()> {
    let Some((group, overlay)) = open.take() else { return Ok(()) };
    if let Some(slot) = overlays.get_mut(usize::from(group)) {
        *slot = overlay.finish(work)?;
    }
    Ok(())
}

/// The overlay of one group while it is written.
struct GroupOverlay {
    group: u16,
    read_ts: CommitTs,
    writer: RecordWriter,
    is_empty: bool,
    /// The row that is written next, unless one with the same raw key wins over it.
    pending: Option<(Vec<u8>, Row)>,
    /// Keys of which a row was seen; the first one is the newest.
    keys: OpenKeys<()>,
    /// Walks over the snapshot's own versions.
    data: Cursor,
}

impl GroupOverlay {
    fn new(work: &Work<'_>, group: u16, read_ts: CommitTs) -> Result<GroupOverlay> {
        let file = &work.group(group).ok_or_else(changed)?.file;
        Ok(GroupOverlay {
            group,
            read_ts,
            writer: RecordWriter::new(work.scratch, CommitTs(0))?,
            is_empty: true,
            pending: None,
            keys: OpenKeys::default(),
            data: Cursor::new(file, WINDOW_LEN),
        })
    }

    fn take(&mut self, work: &mut Work<'_>, raw_key: &[u8], row: Row) -> Result<()> {
        let Some((_, waiting)) = self.pending.as_mut().filter(|(waiting, _)| waiting == raw_key) else {
            self.write_pending(work)?;
            self.pending = Some((raw_key.to_vec(), row));
            return Ok(());
        };
        match (waiting.kind, row.kind) {
            (RowKind::Hide, _) => {}
            (_, RowKind::Hide) => *waiting = row,
            _ => {
                let (user_key, commit_ts) = split_raw_key(raw_key).ok_or_else(changed)?;
                let lock = self.lock(user_key, row);
                work.record_finding(findings::SAME_COMMIT, &lock, |_| format!("commit timestamp {commit_ts}"));
            }
        }
        Ok(())
    }

    fn lock(&self, user_key: &[u8], row: Row) -> HeldLock {
        HeldLock {
            group: self.group,
            live: row.live,
            deadline: CommitTs(0),
            byte_offset: row.lock_offset,
            cleaned_up: None,
            user_key: user_key.to_vec(),
        }
    }

    fn write_pending(&mut self, work: &mut Work<'_>) -> Result<()> {
        let Some((raw_key, row)) = self.pending.take() else { return Ok(()) };
        let (user_key, commit_ts) = split_raw_key(&raw_key).ok_or_else(changed)?;
        let common = common_prefix_len(&raw_key, self.keys.previous());
        let is_newest = self.keys.update(&raw_key, common, |_| ()).is_none();
        let lock = self.lock(user_key, row);
        if is_newest && !row.live && self.would_show(user_key, commit_ts, row.kind)? {
            work.record_finding(findings::VIEWS_DIFFER, &lock, |_| format!("committed at {commit_ts}"));
        }
        if !row.live && work.options.view == TxnView::Live {
            return Ok(());
        }
        if row.kind != RowKind::Hide {
            let finding = if row.is_cleaned_up { findings::CLEANED_UP } else { findings::APPLIED };
            work.record_finding(finding, &lock, |_| format!("committed at {commit_ts}"));
        }
        let flags = if row.kind == RowKind::Put { 0 } else { FLAG_TOMBSTONE };
        let mut header = [0; VALUE_HEADER_LEN];
        if let Some(first) = header.first_mut() {
            *first = flags;
        }
        let input = work.group(self.group).ok_or_else(changed)?.file.input();
        self.is_empty = false;
        self.writer.entry(&raw_key, header, input, row.body)
    }

    /// Whether the version would change what a reader of the snapshot alone sees.
    fn would_show(&mut self, user_key: &[u8], commit_ts: CommitTs, kind: RowKind) -> Result<bool> {
        let read_ts = effective_read_ts(user_key, self.read_ts);
        let found = seek_version(&mut self.data, user_key, &keys::raw_key(b"", user_key, read_ts))?;
        Ok(match found {
            Some(newer) if newer > commit_ts => false,
            Some(_) => kind == RowKind::Put || !matches!(shows(&self.data, read_ts), Shows::Nothing),
            None => kind == RowKind::Put,
        })
    }

    fn finish(mut self, work: &mut Work<'_>) -> Result<Option<RecordFile>> {
        self.write_pending(work)?;
        if self.is_empty {
            return Ok(None);
        }
        let snapshot = &work.group(self.group).ok_or_else(changed)?.file.input().name;
        let input = self.writer.finish(format!("{snapshot} (writes of committed transactions)"))?;
        let options = ScanOptions { raw_key_len_max: u64::MAX, ..ScanOptions::default() };
        let (_, file) = scan(&input, &options, &mut OneFamily, work.scratch, &NoMonitor)?;
        Ok(Some(file.into_overlay().numbered(self.group)))
    }
}
