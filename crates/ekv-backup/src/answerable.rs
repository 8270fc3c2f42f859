//! Which times snapshots can answer. Source: `docs/format/snapshot.md`, sections 7.3, 8 and 12.
//!
//! What the times of one snapshot are: `snapshot_times.rs`.

use ekv_model::{Example, Finding, Findings};
use ekv_snapshot::{CommitTs, Scan, check_read_ts};

use crate::CommandError;
use crate::loaded::LoadedSnapshot;
use crate::snapshot_times::{Answerable, CLOCK_LEASE_MS};
use crate::time::{format_commit_ts, format_unix_ms};

/// The read timestamp is not far enough in the past.
const RECENT_TIME: Finding = Finding::warning(
    "groups_read_near_newest_commit",
    "groups whose newest commit is less than 10 seconds after the time that was asked for: commits are not applied in the order of their \
     times, so that a commit of an earlier time may have been applied only after the snapshot was taken, and is missing then",
);

/// The read timestamp is behind the end of one snapshot, but not behind that of another.
const ENDS_BEFORE: Finding = Finding::loss(
    "group_ends_before_time",
    "groups whose snapshot ends before the time that was asked for: what they committed in between is not in it",
);

/// The read timestamp is before the first commit of one group, but not of another.
const BEGINS_AFTER: Finding = Finding::warning(
    "group_begins_after_time",
    "groups whose first commit is later than the time that was asked for: nothing of them is in the result",
);

/// The ends of snapshots of one cluster that differ by more are warned about, in milliseconds.
const ENDS_APART_MAX_MS: u64 = 3_600_000;

/// The snapshot of one group is much older than that of another.
const ENDS_APART: Finding = Finding::warning(
    "group_ends_far_apart",
    "groups whose snapshot ends more than an hour before that of another group: what they committed since is not in it; are the directories \
     of one cluster, and of one time?",
);

/// Makes sure that the snapshots of a node can answer a read at `read_ts`.
///
/// # Errors
/// It is before the first commit of all groups, below the retention limit of any, or behind the end of all by more than the lease.
pub(crate) fn check(snapshots: &[LoadedSnapshot], read_ts: CommitTs) -> Result<(), CommandError> {
    let groups = || snapshots.iter().filter(|snapshot| snapshot.is_data_group());
    let time = format!("{} (hlc:{read_ts})", format_commit_ts(read_ts));
    let error = |why: String| CommandError::TimeNotAnswerable { time: time.clone(), why, older: None };
    if let Some(snapshot) = groups().find(|snapshot| is_compacted(&snapshot.scan, read_ts)) {
        let older = snapshot.older_answer.clone();
        let way =
            older.as_ref().map(|older| format!("; {}, an older snapshot of the group, answers it", older.display()));
        return Err(CommandError::TimeNotAnswerable {
            time,
            why: format!(
                "that has been compacted away in {}, which answers times {}{}",
                snapshot.input_name,
                span(&[snapshot.answerable()]),
                way.unwrap_or_default()
            ),
            older,
        });
    }
    let all: Vec<Answerable> = groups().map(LoadedSnapshot::answerable).collect();
    let Some(end) = all.iter().map(|times| times.end).max() else { return Ok(()) };
    let first = all.iter().filter_map(|times| times.first).min();
    if read_ts == CommitTs(0) || first.is_some_and(|first| read_ts < first) {
        return Err(error(format!("that is before the first commit; the snapshot answers times {}", span(&all))));
    }
    if read_ts.unix_ms() > end.unix_ms().saturating_add(CLOCK_LEASE_MS) {
        return Err(error(format!(
            "the snapshot ends before it, and what was committed later is not in it; it answers times {}; without a time, the newest \
             state is read",
            span(&all)
        )));
    }
    Ok(())
}

/// Whether the state at a time has been compacted away.
pub(crate) fn is_compacted(scan: &Scan, read_ts: CommitTs) -> bool {
    read_ts != CommitTs(0) && check_read_ts(scan, read_ts).is_err()
}

/// Whether a snapshot answers a read at `read_ts` by itself.
pub(crate) fn answers(scan: &Scan, read_ts: CommitTs) -> bool {
    let Answerable { first, end, .. } = Answerable::of(scan);
    !is_compacted(scan, read_ts) && first.is_some_and(|first| first <= read_ts) && read_ts.unix_ms() <= end.unix_ms()
}

/// From when to when snapshots answer.
pub(crate) fn span(all: &[Answerable]) -> String {
    let from = all.iter().filter_map(Answerable::from).min().map(format_commit_ts);
    let end = all.iter().map(|times| times.end).max().map(format_commit_ts).unwrap_or_default();
    let newest = all.iter().map(|times| times.newest).max().map(format_commit_ts).unwrap_or_default();
    let from = from.map_or_else(String::new, |from| format!("from {from} "));
    let newest = if newest == end { String::new() } else { format!(" (its newest commit is of {newest})") };
    format!("{from}to {end}{newest}")
}

/// Whether a read at `read_ts` gives what each group gives without a time.
pub(crate) fn is_newest_of_all(snapshots: &[LoadedSnapshot], read_ts: CommitTs) -> bool {
    snapshots.iter().filter(|snapshot| snapshot.is_data_group()).all(|snapshot| snapshot.answerable().newest == read_ts)
}

/// The newest commit of all groups.
pub(crate) fn newest_of_all(snapshots: &[LoadedSnapshot]) -> CommitTs {
    let groups = snapshots.iter().filter(|snapshot| snapshot.is_data_group());
    groups.map(|snapshot| snapshot.answerable().newest).max().unwrap_or_default()
}

/// Warns about groups whose snapshot is much older than the newest one.
pub(crate) fn warn_about_ends(snapshots: &[LoadedSnapshot], findings: &mut Findings) {
    let groups = || snapshots.iter().filter(|snapshot| snapshot.is_data_group());
    let newest = groups().map(|snapshot| snapshot.answerable().end).max().unwrap_or_default();
    for snapshot in groups() {
        let end = snapshot.answerable().end;
        if newest.unix_ms().saturating_sub(end.unix_ms()) > ENDS_APART_MAX_MS {
            let (name, end, newest) = (snapshot.group_name(), format_commit_ts(end), format_commit_ts(newest));
            let detail = format!("{name}: it ends at {end}, the newest one at {newest}");
            findings.record(ENDS_APART, || Example::new(None, None, detail));
        }
    }
}

/// Warns about groups that may get commits of before `read_ts`, or begin after it, and tells of those that end before it.
pub(crate) fn compare_with_time(snapshots: &[LoadedSnapshot], read_ts: CommitTs, findings: &mut Findings) {
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.is_data_group()) {
        let times = snapshot.answerable();
        let name = snapshot.group_name();
        if times.first.is_some_and(|first| read_ts < first) {
            let detail = format!("{name}: it answers times {}", span(&[times]));
            findings.record(BEGINS_AFTER, || Example::new(None, None, detail));
        }
        if read_ts <= times.closed_until {
            continue;
        }
        let newest = format_commit_ts(times.newest);
        if read_ts.unix_ms() > times.end.unix_ms().saturating_add(CLOCK_LEASE_MS) {
            let end = format_commit_ts(times.end);
            findings.record(ENDS_BEFORE, || Example::new(None, None, format!("{name}: it ends at {end}")));
        } else {
            let closed = format_commit_ts(times.closed_until);
            let detail = format!("{name}: newest commit {newest}; final up to {closed}");
            findings.record(RECENT_TIME, || Example::new(None, None, detail));
        }
    }
}

/// Makes sure that no snapshot is older than `not_before_ms`, in Unix milliseconds.
///
/// # Errors
/// The newest commit of a group, or the clock in its header, is older.
pub(crate) fn check_age(snapshots: &[LoadedSnapshot], not_before_ms: u64) -> Result<(), CommandError> {
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.is_data_group()) {
        let times = snapshot.answerable();
        if times.end.unix_ms() < not_before_ms {
            return Err(CommandError::TooOld {
                file: snapshot.input_name.clone(),
                end: format_commit_ts(times.end),
                limit: format_unix_ms(not_before_ms),
            });
        }
    }
    Ok(())
}
