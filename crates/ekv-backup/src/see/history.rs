//! `history`: what a thing was at every commit that is retained. Source: `docs/format/tree.md`, section 20.4.

use std::sync::Arc;

use ekv_adapters::{AdapterOptions, Concern, Family, Router, Run, concerns, decode, ranges_of};
use ekv_model::{Class, Consumer, Error, Event, Monitor as _, Name, Result, Scope, Severity, Step, Thing, Things};
use ekv_snapshot::{Classify as _, CommitTs, FamilyTotals, VersionScan, View};
use ekv_spill::{Scratch, Sorted, Sorter};

use super::source::Source;
use crate::digest::{Aspects, Fingerprint};
use crate::losses::{garbled_row, scratch_error};
use crate::progress::{Follower, Phase, Progress};
use crate::{CommandError, Resources, Store};

/// Memory for sorting the commits of a thing, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// A commit that made something of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Commit timestamp (HLC).
    pub commit_ts: u64,
    /// What clients saw from then on.
    pub state: VersionState,
    /// Whether it was staged by a transaction, and not yet applied.
    pub is_staged: bool,
    /// Raft group that holds it, where there are several.
    pub group_id: Option<u64>,
}

/// What a thing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// Not there.
    Deleted,
    /// It cannot be read; this says why.
    Damaged(String),
    /// There.
    There(ThingState),
}

/// What clients saw of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingState {
    /// Its type, as `--type` takes it; of a table, bucket or queue the word for that.
    pub kind: &'static str,
    /// Payload in bytes.
    pub bytes: u64,
    /// Elements of a Redis collection.
    pub elements: Option<u64>,
    /// Expiry in Unix milliseconds.
    pub expire_at_ms: Option<u64>,
    fingerprint: Fingerprint,
}

/// How far a history goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// How many commits were told.
    pub commits: u64,
    /// Before this time (HLC) compaction may have dropped what was overwritten; 0: nothing was dropped.
    pub since: u64,
}

/// Tells what a thing was at every commit that concerns it, the newest first: what a reader at that time saw.
///
/// Cost: the ranges of its records are read once, and once more for each commit: of a key those of the key, of an item those of its table, of an object
/// those of its bucket, of a message those of its queue. Fixed memory.
///
/// # Errors
/// [`CommandError::OneMoment`] for a dump, which has no versions; a name of several things; `NoMatch` if no version is retained; a failing
/// read; those of `take`.
pub fn history(
    source: &Source,
    name: &Name,
    resources: &Resources,
    take: &mut dyn FnMut(&Version) -> Result<()>,
    progress: &dyn Progress,
) -> Result<Retained> {
    let Source::Store(store) = source else {
        return Err(CommandError::NoVersions.into());
    };
    if name.scope.is_empty() || (name.key.is_empty() && name.protocol.has_numbered_scopes()) {
        let text = format!("{name} is many things, and a history is of one: `ls SOURCE {name}` lists them");
        return Err(Error::new(Class::Environment, text));
    }
    progress.begin(Phase::Look, None);
    let scratch = resources.scratch();
    let follower = Follower::new(progress);
    let mut commits = Commits { sorted: commits(store, name, &scratch, &follower)?, pending: None };
    let past = Past::new(store, name, scratch)?;
    let since = store.loaded.retained_since().max().map_or(0, |since| since.0);
    let mut retained = Retained { commits: 0, since };
    // The state of a commit is told once it is known whether the one before it was another.
    let mut later: Option<(Commit, VersionState)> = None;
    loop {
        let commit = commits.next()?;
        let state = match &commit {
            Some(commit) => past.state_at(commit.ts, &follower)?,
            None => VersionState::Deleted,
        };
        if let Some((commit, after)) = later.take() {
            // A commit around the thing counts only if it made a difference.
            if commit.is_own || after != state {
                retained.commits = retained.commits.saturating_add(1);
                take(&Version {
                    commit_ts: commit.ts,
                    state: after,
                    is_staged: commit.is_staged,
                    group_id: group_id(store, commit.group),
                })?;
            }
        }
        match commit {
            Some(commit) => later = Some((commit, state)),
            None => break,
        }
    }
    if retained.commits == 0 {
        return Err(Error::new(Class::NoMatch, format!("no version of {name} is retained")));
    }
    Ok(retained)
}

fn group_id(store: &Store, group: u64) -> Option<u64> {
    let several = store.loaded.snapshots.len() > 1;
    let snapshot = usize::try_from(group).ok().and_then(|group| store.loaded.snapshots.get(group));
    snapshot.and_then(|snapshot| snapshot.group_id).filter(|_| several)
}

/// A commit of a record that concerns the thing.
#[derive(Clone, Copy, Debug)]
struct Commit {
    ts: u64,
    is_own: bool,
    is_staged: bool,
    group: u64,
}

/// Finds all commits of records that concern the thing, the newest first.
fn commits(store: &Store, name: &Name, scratch: &Arc<dyn Scratch>, follower: &Follower<'_>) -> Result<Sorted> {
    let mut sorter = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
    let mut router = Router::default();
    for (group, file) in store.state.view.files() {
        for range in ranges_of(name) {
            let mut scan = VersionScan::new(std::slice::from_ref(file), range)?;
            while let Some(version) = scan.next_version()? {
                follower.visited(1)?;
                let family = Family::ALL.get(router.family(version.user_key)).copied().unwrap_or(Family::Unknown);
                let Some(concern) = concerns(name, family, version.user_key) else { continue };
                let group = u64::try_from(group).unwrap_or(u64::MAX).to_be_bytes();
                let flags = [u8::from(concern == Concern::Own), u8::from(file.is_overlay())];
                let row = [&flags[..], &group].concat();
                sorter.push(&(!version.commit_ts.0).to_be_bytes(), &row).map_err(scratch_error)?;
            }
        }
    }
    sorter.finish().map_err(scratch_error)
}

/// Commits, the newest first; rows of one commit are one.
struct Commits {
    sorted: Sorted,
    /// The first row of the next one.
    pending: Option<Commit>,
}

impl Commits {
    fn next(&mut self) -> Result<Option<Commit>> {
        let mut commit = self.pending.take();
        while let Some((key, row)) = self.sorted.next().map_err(scratch_error)? {
            let row = Commit::parse(key, row).ok_or_else(garbled_row)?;
            match &mut commit {
                Some(commit) if commit.ts == row.ts => {
                    commit.is_own |= row.is_own;
                    commit.is_staged |= row.is_staged;
                }
                Some(_) => {
                    self.pending = Some(row);
                    break;
                }
                None => commit = Some(row),
            }
        }
        Ok(commit)
    }
}

impl Commit {
    fn parse(key: &[u8], row: &[u8]) -> Option<Self> {
        let ts = !u64::from_be_bytes(key.try_into().ok()?);
        let (flags, group) = row.split_first_chunk::<2>()?;
        let [is_own, is_staged] = flags.map(|flag| flag == 1);
        Some(Commit { ts, is_own, is_staged, group: u64::from_be_bytes(group.try_into().ok()?) })
    }
}

/// The store at earlier moments, as far as one thing is concerned.
struct Past<'s> {
    store: &'s Store,
    name: &'s Name,
    scope: Arc<Scope>,
    families: Vec<FamilyTotals>,
    scratch: Arc<dyn Scratch>,
}

impl<'s> Past<'s> {
    fn new(store: &'s Store, name: &'s Name, scratch: Arc<dyn Scratch>) -> Result<Self> {
        let mut scope = Scope::everything();
        let added = scope.add_address(name.to_string().as_bytes(), false);
        added.map_err(|error| Error::new(Class::Environment, error))?;
        // What was visible then is not known: whatever has records is asked for.
        let asked =
            |totals: &FamilyTotals| FamilyTotals { visible: totals.visible.max(totals.records.min(1)), ..*totals };
        let families = store.state.families.iter().map(asked).collect();
        Ok(Past { store, name, scope: Arc::new(scope), families, scratch })
    }

    /// What a reader at this commit saw.
    fn state_at(&self, commit_ts: u64, follower: &Follower<'_>) -> Result<VersionState> {
        let view: View = self.store.state.view.reading_at(CommitTs(commit_ts));
        let mut seen = Seen { name: self.name, things: Things::default(), aspects: Aspects::new(true), state: None };
        let mut run = Run::new(&view, &self.families, &mut seen, follower, Arc::clone(&self.scratch));
        run.select(Arc::clone(&self.scope));
        decode(&mut run, self.name.protocol, &AdapterOptions::default())?;
        let (_, findings) = run.into_books();
        let lost = findings.iter().find(|(finding, _)| finding.severity == Severity::Loss);
        Ok(match (seen.state, lost) {
            (Some(state), _) => VersionState::There(state),
            (None, Some((finding, _))) => VersionState::Damaged(format!("{}: {}", finding.name, finding.meaning)),
            (None, None) => VersionState::Deleted,
        })
    }
}

/// Looks at the one thing that passes by.
struct Seen<'n> {
    name: &'n Name,
    things: Things,
    aspects: Aspects,
    state: Option<ThingState>,
}

impl Consumer for Seen<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let fingerprint = self.aspects.event(&event)?;
        let is_scope = matches!(event.step(), Step::Scope { is_gone: false, .. });
        let thing = self.things.event(&event);
        let Some(fingerprint) = fingerprint else { return Ok(()) };
        if self.name.key.is_empty() {
            if is_scope {
                let kind = self.name.protocol.scope_word();
                self.state = Some(ThingState { kind, bytes: 0, elements: None, expire_at_ms: None, fingerprint });
            }
            return Ok(());
        }
        if let Some(Thing { kind, size, expire_at_ms, .. }) = thing {
            let (kind, bytes, elements) = (kind.name(), size.bytes, size.elements);
            self.state = Some(ThingState { kind, bytes, elements, expire_at_ms, fingerprint });
        }
        Ok(())
    }
}
