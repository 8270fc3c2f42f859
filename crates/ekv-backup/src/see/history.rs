//! `history`: what a thing was at every commit that is retained. Source: `docs/format/tree.md`, section 20.4.

use std::sync::Arc;

use ekv_adapters::redis::element_family;
use ekv_adapters::{AdapterOptions, Concern, Family, Router, Run, concerns, decode, ranges_of, subject};
use ekv_model::{Class, Consumer, Error, Event, Kind, Name, Result, Scope, Severity, Step, Thing, Things};
use ekv_snapshot::{Classify as _, CommitTs, FamilyTotals, Range, VersionKind, VersionScan, View, len_u64};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};

use super::source::Source;
use crate::digest::{Aspects, Fingerprint};
use crate::losses::{garbled_row, scratch_error};
use crate::progress::{Phase, Progress};
use crate::{CommandError, Resources, Store};

/// Memory for sorting the commits of a thing, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Why a state is not known.
const UNREADABLE: &str =
    "a record of it is damaged, or encrypted with a data key that was not given (--encryption-keys with --kek-file)";

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
/// Cost: the ranges of its records are read some four times for 16,000 commits, and 16 times for each 16-fold of them: of a key those of the key, of an item those of its
/// table, of an object those of its bucket, of a message those of its queue, of a file those of its path; for each commit, what the thing was at that time. Fixed memory; scratch space for the
/// versions of the thing where there are more than 16 commits.
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
    let commits = Commits::of(store, name, &scratch, progress)?;
    let since = store.loaded.retained_since().max().map_or(0, |since| since.0);
    let mut told = Told { store, take, later: None, count: 0 };
    let past = Past::new(store, name, commits.has_around, scratch)?;
    past.tell(&commits, 0..commits.count(), &mut told, progress)?;
    // Before the first commit it was not there.
    told.state(None, VersionState::Deleted)?;
    if told.count == 0 {
        return Err(Error::new(Class::NoMatch, format!("no version of {name} is retained")));
    }
    Ok(Retained { commits: told.count, since })
}

/// Tells versions, the newest first.
struct Told<'t> {
    store: &'t Store,
    take: &'t mut dyn FnMut(&Version) -> Result<()>,
    /// The state of a commit is told once it is known whether the one before it was another.
    later: Option<(Commit, VersionState)>,
    count: u64,
}

impl Told<'_> {
    /// Takes the state of the next commit.
    fn state(&mut self, commit: Option<Commit>, state: VersionState) -> Result<()> {
        let later = match commit {
            Some(commit) => self.later.replace((commit, state.clone())),
            None => self.later.take(),
        };
        // A commit around the thing counts only if it made a difference.
        let Some((commit, after)) = later.filter(|(commit, after)| commit.is_own || *after != state) else {
            return Ok(());
        };
        self.count = self.count.saturating_add(1);
        let group_id = group_id(self.store, commit.group);
        (self.take)(&Version { commit_ts: commit.ts, state: after, is_staged: commit.is_staged, group_id })
    }
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

impl Commit {
    /// Bytes of a row.
    const LEN: usize = 18;

    fn encode(self) -> [u8; Self::LEN] {
        let mut row = [0; Self::LEN];
        let parts =
            [&self.ts.to_be_bytes()[..], &[u8::from(self.is_own), u8::from(self.is_staged)], &self.group.to_be_bytes()];
        row.iter_mut().zip(parts.concat()).for_each(|(slot, byte)| *slot = byte);
        row
    }

    fn parse(row: &[u8]) -> Option<Self> {
        let (ts, rest) = row.split_first_chunk()?;
        let ([is_own, is_staged], group) = rest.split_first_chunk()?;
        let group = u64::from_be_bytes(group.try_into().ok()?);
        Some(Commit { ts: u64::from_be_bytes(*ts), is_own: *is_own == 1, is_staged: *is_staged == 1, group })
    }
}

/// All commits of records that concern a thing, the newest first.
struct Commits {
    /// A row of [`Commit::LEN`] bytes each.
    rows: Spooled,
    /// Whether some are of something around it.
    has_around: bool,
    /// The user keys of its own records with versions that cannot be read, each with its length before it.
    unreadable: Spooled,
}

impl Commits {
    /// Finds them.
    fn of(store: &Store, name: &Name, scratch: &Arc<dyn Scratch>, progress: &dyn Progress) -> Result<Self> {
        let mut sorter = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
        let mut concern = Concerns::of(name);
        let mut has_around = false;
        let mut unreadable = Spool::new(Arc::clone(scratch), SORT_BUDGET);
        let mut last_unreadable = Vec::new();
        let ranges = ranges_of(&store.state.view, name)?;
        for (group, file) in store.state.view.files() {
            let group = u64::try_from(group).unwrap_or(u64::MAX);
            for range in &ranges {
                let mut scan = VersionScan::new(std::slice::from_ref(file), range.clone())?;
                while let Some(version) = scan.next_version()? {
                    progress.advance(1)?;
                    let (_, Some(concern)) = concern.of_record(version.user_key) else { continue };
                    let is_own = concern == Concern::Own;
                    has_around |= !is_own;
                    if is_own && version.kind == VersionKind::Damaged && last_unreadable != version.user_key {
                        last_unreadable = version.user_key.to_vec();
                        let row = [&len_u64(version.user_key).to_be_bytes()[..], version.user_key].concat();
                        unreadable.write_all(&row).map_err(scratch_error)?;
                    }
                    let commit = Commit { ts: version.commit_ts.0, is_own, is_staged: file.is_overlay(), group };
                    sorter.push(&(!commit.ts).to_be_bytes(), &commit.encode()).map_err(scratch_error)?;
                }
            }
        }
        let mut rows = Spool::new(Arc::clone(scratch), SORT_BUDGET);
        let mut pending: Option<Commit> = None;
        let mut sorted = sorter.finish().map_err(scratch_error)?;
        loop {
            let row = sorted.next().map_err(scratch_error)?;
            let commit = row.map(|(_, row)| Commit::parse(row).ok_or_else(garbled_row)).transpose()?;
            match (&mut pending, commit) {
                // Rows of one commit are one.
                (Some(pending), Some(commit)) if commit.ts == pending.ts => {
                    pending.is_own |= commit.is_own;
                    pending.is_staged |= commit.is_staged;
                }
                (before, commit) => {
                    let is_last = commit.is_none();
                    if let Some(before) = std::mem::replace(before, commit) {
                        rows.write_all(&before.encode()).map_err(scratch_error)?;
                    }
                    if is_last {
                        break;
                    }
                }
            }
        }
        let [rows, unreadable] = [rows, unreadable].map(|spool| spool.into_reader().map_err(scratch_error));
        Ok(Commits { rows: rows?, has_around, unreadable: unreadable? })
    }

    /// Whether one of its records cannot be read in a view.
    fn has_unreadable(&self, view: &View) -> Result<bool> {
        if self.unreadable.is_empty() {
            return Ok(false);
        }
        let (mut at, mut lookup) = (0_u64, view.lookup());
        while at < self.unreadable.len() {
            let mut len = [0; size_of::<u64>()];
            self.unreadable.read_at(at, &mut len).map_err(scratch_error)?;
            let mut user_key = vec![0; usize::try_from(u64::from_be_bytes(len)).map_err(|_| garbled_row())?];
            at = at.saturating_add(len_u64(&len));
            self.unreadable.read_at(at, &mut user_key).map_err(scratch_error)?;
            at = at.saturating_add(len_u64(&user_key));
            if lookup.get(&user_key)?.is_some_and(|found| found.is_damaged) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(&self) -> u64 {
        self.rows.len() / len_u64(&[0; Commit::LEN])
    }

    /// The one with this number.
    fn get(&self, number: u64) -> Result<Commit> {
        let mut row = [0; Commit::LEN];
        self.rows.read_at(number.saturating_mul(len_u64(&row)), &mut row).map_err(scratch_error)?;
        Commit::parse(&row).ok_or_else(garbled_row)
    }
}

/// Tells how records concern a thing.
struct Concerns<'n> {
    name: &'n Name,
    router: Router,
}

impl<'n> Concerns<'n> {
    fn of(name: &'n Name) -> Self {
        Concerns { name, router: Router::default() }
    }

    /// The family of a record, and how it concerns the thing.
    fn of_record(&mut self, user_key: &[u8]) -> (Family, Option<Concern>) {
        let family = Family::ALL.get(self.router.family(user_key)).copied().unwrap_or(Family::Unknown);
        (family, concerns(self.name, family, user_key))
    }
}

/// Commits that are told of one copy of the versions around them; of more, parts of it are copied again.
const COMMITS_AT_ONCE: u64 = 16;
/// Elements that are not worth to be left out of a copy.
const FEW_ELEMENTS: u64 = 16;

/// Elements of a collection that last throughout some time, and are not in the copy that is read of it.
#[derive(Clone, Copy)]
struct Lasting {
    kind: &'static str,
    bytes: u64,
    elements: u64,
}

/// The store at earlier moments, as far as one thing is concerned.
struct Past<'s> {
    store: &'s Store,
    name: &'s Name,
    scope: Arc<Scope>,
    /// What is read: the store, or what of it concerns the thing in some time.
    view: View,
    families: Vec<FamilyTotals>,
    is_copy: bool,
    /// What was left out of it.
    lasting: Option<Lasting>,
    /// Whether states are compared.
    has_around: bool,
    scratch: Arc<dyn Scratch>,
}

impl<'s> Past<'s> {
    fn new(store: &'s Store, name: &'s Name, has_around: bool, scratch: Arc<dyn Scratch>) -> Result<Self> {
        let mut scope = Scope::everything();
        let added = scope.add_address(name.to_string().as_bytes(), false);
        added.map_err(|error| Error::new(Class::Environment, error))?;
        // What was visible then is not known: whatever has records is asked for.
        let asked =
            |totals: &FamilyTotals| FamilyTotals { visible: totals.visible.max(totals.records.min(1)), ..*totals };
        let families = store.state.families.iter().map(asked).collect();
        let (scope, view) = (Arc::new(scope), store.state.view.clone());
        Ok(Past { store, name, scope, view, families, is_copy: false, lasting: None, has_around, scratch })
    }

    /// Tells the states at some of the commits. Where they are many, each is read of a copy of the few versions that count around its
    /// time, so that none is resolved again from the newest or the oldest version; of a large collection, of a copy of what changes in
    /// that time.
    fn tell(
        &self,
        commits: &Commits,
        numbers: std::ops::Range<u64>,
        told: &mut Told<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let count = numbers.end.saturating_sub(numbers.start);
        if count <= COMMITS_AT_ONCE {
            for number in numbers {
                let commit = commits.get(number)?;
                let is_unreadable = commits.has_unreadable(&self.store.state.view.reading_at(CommitTs(commit.ts)))?;
                let state = match is_unreadable {
                    true => VersionState::Damaged(UNREADABLE.to_owned()),
                    false => self.state_at(commit.ts, progress)?,
                };
                told.state(Some(commit), state)?;
            }
            return Ok(());
        }
        let mut part = COMMITS_AT_ONCE;
        while part.saturating_mul(COMMITS_AT_ONCE) < count {
            part = part.saturating_mul(COMMITS_AT_ONCE);
        }
        let mut start = numbers.start;
        while start < numbers.end {
            let end = start.saturating_add(part).min(numbers.end);
            let [newest, oldest] = [start, end.saturating_sub(1)].map(|number| commits.get(number));
            self.between(oldest?.ts, newest?.ts, progress)?.tell(commits, start..end, told, progress)?;
            start = end;
        }
        Ok(())
    }

    /// What of it counts for readers from one commit to another.
    fn between(&self, oldest: u64, newest: u64, progress: &dyn Progress) -> Result<Self> {
        let changes = match self.state_at(oldest, progress)? {
            VersionState::There(before) if before.elements.is_some_and(|elements| elements > FEW_ELEMENTS) => {
                self.changes_between(oldest, newest, &before, progress)?
            }
            _ => None,
        };
        match changes {
            Some(changes) => Ok(changes),
            None => Ok(self.copy_between(oldest, newest, None, progress)?.0),
        }
    }

    /// The same without the elements that last throughout that time but for one, if those are independent of all others; `before` is
    /// what the thing was at first.
    fn changes_between(
        &self,
        oldest: u64,
        newest: u64,
        before: &ThingState,
        progress: &dyn Progress,
    ) -> Result<Option<Self>> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == before.kind);
        // What several groups own may be in either. Digests are no sums.
        let is_alone = self.view.files().all(|(group, _)| group == 0) && !self.has_around;
        let is_alone = is_alone && self.lasting.is_none_or(|lasting| lasting.kind == before.kind);
        let Some(family) = kind.and_then(element_family).filter(|_| is_alone) else { return Ok(None) };
        let (copy, left_out) = self.copy_between(oldest, newest, Some(family), progress)?;
        if left_out == 0 {
            return Ok(Some(copy));
        }
        let copy = Past { lasting: None, ..copy };
        let VersionState::There(rest) = copy.state_at(oldest, progress)? else { return Ok(None) };
        let difference = || {
            let bytes = before.bytes.checked_sub(rest.bytes)?;
            let elements = before.elements?.checked_sub(rest.elements?)?;
            Some(Lasting { kind: before.kind, bytes, elements })
        };
        let lasting = difference().filter(|_| rest.kind == before.kind);
        Ok(lasting.map(|lasting| Past { lasting: Some(lasting), ..copy }))
    }

    /// What of it counts for readers from one commit to another; of the records of `left_out` only the first one that lasts throughout,
    /// and how many others there are.
    fn copy_between(
        &self,
        oldest: u64,
        newest: u64,
        left_out: Option<Family>,
        progress: &dyn Progress,
    ) -> Result<(Self, u64)> {
        let ranges = if self.is_copy { vec![Range::default()] } else { ranges_of(&self.view, self.name)? };
        let mut families = vec![FamilyTotals::default(); self.families.len()];
        let mut concern = Concerns::of(self.name);
        let mut lasting = 0_u64;
        let mut is_wanted = |user_key: &[u8], lasts: ekv_snapshot::Lasting| {
            progress.advance(1)?;
            let (family, concern) = concern.of_record(user_key);
            // What is malformed may be a part of it.
            let is_wanted = concern.is_some() || subject(family, user_key).is_none();
            let number = family.number();
            if let (true, Some(slot), Some(totals)) = (is_wanted, families.get_mut(number), self.families.get(number)) {
                *slot = *totals;
            }
            let is_own = concern == Some(Concern::Own);
            if lasts == ekv_snapshot::Lasting::Throughout && is_own && left_out == Some(family) {
                lasting = lasting.saturating_add(1);
                return Ok(lasting == 1);
            }
            Ok::<bool, Error>(is_wanted)
        };
        let view = &self.view;
        let view = view.between(CommitTs(oldest), CommitTs(newest), &ranges, &mut is_wanted, &self.scratch)?;
        let (scope, scratch) = (Arc::clone(&self.scope), Arc::clone(&self.scratch));
        Ok((Past { view, families, is_copy: true, scope, scratch, ..*self }, lasting.saturating_sub(1)))
    }

    /// What a reader at this commit saw.
    fn state_at(&self, commit_ts: u64, progress: &dyn Progress) -> Result<VersionState> {
        let view = self.view.reading_at(CommitTs(commit_ts));
        // Content that is kept by its digest concerns no single thing.
        let blobs: Vec<View> =
            self.is_copy.then(|| self.store.state.view.reading_at(CommitTs(commit_ts))).into_iter().collect();
        let options = AdapterOptions { blob_sources: &blobs, ..AdapterOptions::default() };
        let aspects = self.has_around.then(|| Aspects::new(true));
        let mut seen = Seen { name: self.name, things: Things::default(), aspects, state: None };
        let mut run = Run::new(&view, &self.families, &mut seen, progress, Arc::clone(&self.scratch));
        run.select(Arc::clone(&self.scope));
        decode(&mut run, self.name.protocol, &options)?;
        let (_, findings) = run.into_books();
        let lost = findings.iter().find(|(finding, _)| finding.severity == Severity::Loss);
        Ok(match (seen.state, lost) {
            (Some(mut state), _) => {
                if let Some(Lasting { bytes, elements, .. }) = self.lasting.filter(|lasting| lasting.kind == state.kind)
                {
                    state.bytes = state.bytes.saturating_add(bytes);
                    state.elements = state.elements.map(|own| own.saturating_add(elements));
                }
                VersionState::There(state)
            }
            (None, Some((finding, _))) => VersionState::Damaged(format!("{}: {}", finding.name, finding.meaning)),
            (None, None) => VersionState::Deleted,
        })
    }
}

/// Looks at the one thing that passes by.
struct Seen<'n> {
    name: &'n Name,
    things: Things,
    /// Where states are compared.
    aspects: Option<Aspects>,
    state: Option<ThingState>,
}

impl Consumer for Seen<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let fingerprint = match &mut self.aspects {
            Some(aspects) => aspects.event(&event)?,
            None => Some(Fingerprint::default()),
        };
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
