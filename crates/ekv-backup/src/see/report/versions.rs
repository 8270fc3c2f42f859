//! What a snapshot keeps beside the state that is read: older versions, deletions, and when they were committed.

use std::sync::Arc;

use ekv_adapters::{Family, Owner, Router, Subject, subject};
use ekv_model::{Name, Result};
use ekv_snapshot::{Classify, CommitTs, Range, VersionKind, VersionScan};
use ekv_spill::Scratch;
use serde::Serialize;

use super::label::Label;
use super::largest::Largest;
use super::sums::{Sums, Totals};
use crate::Store;
use crate::progress::{Phase, Progress};
use crate::report::Moment;
use crate::time::format_unix_ms;

/// Bytes of the timestamp in a raw key and of the header of a value.
const FRAME_LEN: u64 = 8 + 9;
const MINUTE_MS: u64 = 60_000;
/// Widths of the bars in the course of commits, in minutes.
const STEPS: [u64; 12] =
    [1, 5, 15, 60, 360, 1440, 10_080, 43_200, 525_600, 5_256_000, 52_560_000, u64::MAX / MINUTE_MS];
/// Most bars in the course of commits.
const BARS_MAX: u64 = 120;

/// A number of versions with their keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// How many.
    pub versions: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl Weight {
    fn add(&mut self, bytes: u64) {
        self.versions = self.versions.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn join(&mut self, other: Weight) {
        self.versions = self.versions.saturating_add(other.versions);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The versions of a key family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyVersions {
    /// The family.
    pub family: &'static str,
    /// Whose keys they are.
    pub owner: &'static str,
    /// All of them.
    pub all: Weight,
    /// Those that a newer version hides.
    pub older: Weight,
    /// Deletions that nothing newer hides.
    pub deletions: Weight,
}

/// Something of which versions were overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverwrittenRow {
    /// What it is; of a DynamoDB item its table.
    #[serde(flatten)]
    pub name: Label,
    /// Of a DynamoDB item its primary key as it is stored, with `%HH` escapes; at most the first 1,024 bytes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_key: Option<String>,
    /// Versions of its records that a newer one hides.
    pub overwritten: Weight,
}

/// Commits within a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitBar {
    /// Where the span begins, in Unix milliseconds.
    pub from_ms: u64,
    /// Different commit timestamps.
    pub commits: u64,
    /// Versions that were committed then.
    pub writes: u64,
}

/// The course of commits of data, as far as their versions are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commits {
    /// Different commit timestamps.
    pub commits: u64,
    /// The first and last one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Moment>,
    /// As `first`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
    /// The minute with the most commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busiest_minute: Option<CommitBar>,
    /// Width of a bar in minutes: 1, or as many as it takes for at most 120 bars.
    pub bar_minutes: u64,
    /// The bars that are not empty, in order.
    pub bars: Vec<CommitBar>,
}

/// What is told of the versions in all snapshots, whatever moment is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// The time before which compaction may have dropped what was hidden, of each snapshot that was compacted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retained_since: Vec<String>,
    /// All of them.
    pub all: Weight,
    /// What a compaction of everything would free: what is hidden, and deletions.
    pub reclaimable: Weight,
    /// The same by key family, the most bytes first.
    pub families: Vec<FamilyVersions>,
    /// What was overwritten most often.
    pub overwritten: Vec<OverwrittenRow>,
    /// When it was committed.
    pub commits: Commits,
}

/// Reads all versions once and counts them.
///
/// # Errors
/// A failing read or scratch file, the user's wish to stop.
pub(super) fn count_versions(
    store: &Store,
    entries: u64,
    top: usize,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Versions> {
    progress.begin(Phase::Look, Some(entries));
    let mut counter = Counter {
        router: Router::default(),
        families: Family::ALL.iter().map(|_| Default::default()).collect(),
        overwritten: Sums::new(scratch),
        commits: Sums::new(scratch),
        commit: (CommitTs(0), Totals::default()),
        first: None,
        last: None,
        user_key: Vec::new(),
        family: 0,
        row: Vec::new(),
    };
    for snapshot in &store.loaded.snapshots {
        let mut scan = VersionScan::new(std::slice::from_ref(&snapshot.file), Range::default())?;
        while let Some(version) = scan.next_version()? {
            progress.advance(1)?;
            let bytes =
                ekv_snapshot::len_u64(version.user_key).saturating_add(version.body.len()).saturating_add(FRAME_LEN);
            counter.add(version.user_key, version.commit_ts, (version.kind, version.newer), bytes)?;
        }
        // The next one begins anew.
        counter.user_key.clear();
        counter.row.clear();
    }
    let mut versions = counter.finish(top)?;
    versions.retained_since = store.loaded.retained_since().map(crate::time::format_commit_ts).collect();
    Ok(versions)
}

#[derive(Clone, Copy, Default)]
struct OfFamily {
    all: Weight,
    older: Weight,
    deletions: Weight,
}

struct Counter {
    router: Router,
    families: Vec<OfFamily>,
    overwritten: Sums,
    /// By commit timestamp, but for those at hand.
    commits: Sums,
    /// The last commit timestamp, and what was counted of it at a stretch.
    commit: (CommitTs, Totals),
    first: Option<CommitTs>,
    last: Option<CommitTs>,
    /// The last user key, the number of its family and, once it was needed, the row of what it belongs to.
    user_key: Vec<u8>,
    family: usize,
    row: Vec<u8>,
}

impl Counter {
    fn add(
        &mut self,
        user_key: &[u8],
        commit_ts: CommitTs,
        (kind, newer): (VersionKind, Option<VersionKind>),
        bytes: u64,
    ) -> Result<()> {
        if self.user_key != user_key || user_key.is_empty() {
            self.user_key.clear();
            self.user_key.extend_from_slice(user_key);
            self.family = self.router.family(user_key);
            self.row.clear();
        }
        if let Some(of) = self.families.get_mut(self.family) {
            of.all.add(bytes);
            match (newer, kind) {
                (Some(_), _) => of.older.add(bytes),
                (None, VersionKind::Tombstone) => of.deletions.add(bytes),
                (None, _) => {}
            }
        }
        let family = Family::ALL.get(self.family).copied().unwrap_or(Family::Unknown);
        let one = Totals { keys: 1, bytes, ..Totals::default() };
        // The store commits for itself, too, also at times that no clock has shown.
        if family.owner() != Owner::Store {
            self.first = Some(self.first.map_or(commit_ts, |first| first.min(commit_ts)));
            self.last = Some(self.last.map_or(commit_ts, |last| last.max(commit_ts)));
            if self.commit.0 != commit_ts {
                self.end_commit()?;
                self.commit.0 = commit_ts;
            }
            self.commit.1.add(&one);
        }
        if newer.is_some() {
            if self.row.is_empty() {
                put_row(family, user_key, &mut self.row);
            }
            if !self.row.is_empty() {
                self.overwritten.add(&self.row, &one)?;
            }
        }
        Ok(())
    }

    /// Adds what was counted of the last commit timestamp.
    fn end_commit(&mut self) -> Result<()> {
        let (commit_ts, totals) = std::mem::take(&mut self.commit);
        if totals == Totals::default() { Ok(()) } else { self.commits.add(&commit_ts.0.to_be_bytes(), &totals) }
    }

    fn finish(mut self, top: usize) -> Result<Versions> {
        self.end_commit()?;
        let Counter { families, overwritten, commits, first, last, .. } = self;
        let mut versions = Versions::default();
        for (family, OfFamily { all, older, deletions }) in Family::ALL.iter().zip(families) {
            if all.versions == 0 {
                continue;
            }
            let (family, owner) = (family.name(), family.owner().name());
            versions.families.push(FamilyVersions { family, owner, all, older, deletions });
            versions.all.join(all);
            versions.reclaimable.join(older);
            versions.reclaimable.join(deletions);
        }
        versions
            .families
            .sort_by_key(|family| std::cmp::Reverse(family.older.bytes.saturating_add(family.deletions.bytes)));
        let mut most: Largest<Vec<u8>, Totals> = Largest::new(top);
        overwritten.finish(|row, totals| {
            most.add((totals.keys, totals.bytes), |kept| kept.as_slice().cmp(row), || (row.to_vec(), *totals));
            Ok(())
        })?;
        versions.overwritten = most.finish().filter_map(|(row, totals)| overwritten_row(&row, &totals)).collect();
        if let (Some(first), Some(last)) = (first, last) {
            versions.commits = course(commits, first, last)?;
        }
        Ok(versions)
    }
}

/// In front of a row of something with a name, and of something that only the stored key tells.
const NAMED: u8 = 0;
const STORED: u8 = 1;

/// The row of what a record belongs to; nothing if it belongs to nothing by name.
fn put_row(family: Family, user_key: &[u8], row: &mut Vec<u8>) {
    let Some(Subject { name: Name { protocol, scope, key }, stored_key }) = subject(family, user_key) else { return };
    match stored_key {
        None => {
            row.push(NAMED);
            Label::of(protocol, &scope, &key).put_row(row);
        }
        Some(stored_key) => {
            row.push(STORED);
            Label::of(protocol, &scope, &[stored_key.to_vec()]).put_row(row);
        }
    }
}

fn overwritten_row(row: &[u8], totals: &Totals) -> Option<OverwrittenRow> {
    let (form, row) = row.split_first()?;
    let label = Label::from_row(row)?;
    let (name, stored_key) = if *form == STORED { label.without_key() } else { (label, None) };
    Some(OverwrittenRow { name, stored_key, overwritten: Weight { versions: totals.keys, bytes: totals.bytes } })
}

/// The course of commits, whose sums are by commit timestamp.
fn course(commits: Sums, first: CommitTs, last: CommitTs) -> Result<Commits> {
    let minute_of = |ts: CommitTs| ts.unix_ms() / MINUTE_MS;
    let minutes = minute_of(last).saturating_sub(minute_of(first));
    let is_wide_enough = |step: &u64| minutes / step < BARS_MAX;
    let bar_minutes = STEPS.into_iter().find(is_wide_enough).unwrap_or(u64::MAX / MINUTE_MS);
    let mut course = Commits { first: Some(first.into()), last: Some(last.into()), bar_minutes, ..Commits::default() };
    let mut minute: Option<CommitBar> = None;
    commits.finish(|row, totals| {
        let ts = CommitTs(row.try_into().map_or(0, u64::from_be_bytes));
        let writes = totals.keys;
        course.commits = course.commits.saturating_add(1);
        let minute_ms = minute_of(ts).saturating_mul(MINUTE_MS);
        let bar_ms = (minute_of(ts) / bar_minutes).saturating_mul(bar_minutes).saturating_mul(MINUTE_MS);
        let busiest = &mut course.busiest_minute;
        match course.bars.last_mut().filter(|bar| bar.from_ms == bar_ms) {
            Some(bar) => bar.add(writes),
            None => course.bars.push(CommitBar { from_ms: bar_ms, commits: 1, writes }),
        }
        match minute.as_mut().filter(|minute| minute.from_ms == minute_ms) {
            Some(minute) => minute.add(writes),
            None => keep_busier(busiest, minute.replace(CommitBar { from_ms: minute_ms, commits: 1, writes })),
        }
        Ok(())
    })?;
    keep_busier(&mut course.busiest_minute, minute);
    Ok(course)
}

impl CommitBar {
    /// One more commit.
    fn add(&mut self, writes: u64) {
        self.commits = self.commits.saturating_add(1);
        self.writes = self.writes.saturating_add(writes);
    }

    /// When it begins.
    pub fn from(&self) -> String {
        format_unix_ms(self.from_ms)
    }
}

fn keep_busier(busiest: &mut Option<CommitBar>, other: Option<CommitBar>) {
    if let Some(other) = other.filter(|other| busiest.as_ref().is_none_or(|own| own.commits < other.commits)) {
        *busiest = Some(other);
    }
}
