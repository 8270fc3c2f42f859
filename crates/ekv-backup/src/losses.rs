//! Everything that a decode or an encode leaves out, one line each. Source: `docs/format/tree.md`, section 15.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};

use ekv_adapters::{Concern, Router, concerns};
use ekv_dump::losses::{LOSSES_FILE, Loss, LossKey, LossesReader};
use ekv_dump::manifest::{Account, LossKind};
use ekv_files::DumpPath;
use ekv_files::source::ScopedSource;
use ekv_model::{Example, Finding, Findings, LossLog, Name, Protocol, Result, Severity};
use ekv_spill::{Scratch, Spool, Spooled};
use serde::Serialize;
use serde::ser::{Error as _, SerializeSeq, Serializer};

use crate::culprit;

/// Lines that are kept in memory, in bytes; more goes to a scratch file.
const MEMORY_LEN_MAX: usize = 256 << 10;

/// Losses that are told in messages, where all of them are in a list.
pub const LISTED_LOSSES_MAX: usize = 100;

/// Writes every loss as a line. Memory is bounded, whatever the number of losses.
pub(crate) struct LossFile {
    scratch: Arc<dyn Scratch>,
    /// The one of several snapshots in which byte offsets are, if it is known.
    snapshot: Option<String>,
    state: Mutex<State>,
}

struct State {
    lines: Spool,
    /// The snapshots that are read together, by number; none where there is one.
    snapshots: Vec<Option<String>>,
    /// How many losses of each kind were noted, by name.
    counts: BTreeMap<&'static str, u64>,
    line: Vec<u8>,
    router: Router,
    /// The first failure; nothing is written after it.
    failed: Option<ekv_spill::Error>,
}

impl LossFile {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Arc<Self> {
        LossFile::of_snapshot(scratch, None)
    }

    fn of_snapshot(scratch: &Arc<dyn Scratch>, snapshot: Option<String>) -> Arc<Self> {
        let state = State {
            lines: Spool::new(Arc::clone(scratch), MEMORY_LEN_MAX),
            snapshots: Vec::new(),
            counts: BTreeMap::new(),
            line: Vec::new(),
            router: Router::default(),
            failed: None,
        };
        Arc::new(LossFile { scratch: Arc::clone(scratch), snapshot, state: Mutex::new(state) })
    }

    /// Names the snapshots that are read together, in their order.
    pub(crate) fn name_snapshots(&self, snapshots: Vec<Option<String>>) {
        self.with(|state| state.snapshots = snapshots);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An empty log with the same scratch space, for work that may come to nothing, on `snapshot` if it is one of several.
    pub(crate) fn another(&self, snapshot: Option<String>) -> Arc<Self> {
        LossFile::of_snapshot(&self.scratch, snapshot)
    }

    /// Takes over what another log has noted, which is empty afterwards.
    ///
    /// # Errors
    /// A failure of either log.
    pub(crate) fn append(&self, other: &LossFile) -> Result<()> {
        let taken = other.with(|state| state.take(&other.scratch));
        let (lines, counts) = taken.map_err(scratch_error)?;
        self.with(|state| {
            for (name, count) in counts {
                state.count(name, count);
            }
            lines.for_each_chunk(|chunk| state.lines.write_all(chunk))
        })
        .map_err(scratch_error)
    }

    /// A log that begins with what this one has noted, for work that may be done again.
    ///
    /// # Errors
    /// A failure of either log.
    pub(crate) fn fork(&self) -> Result<Arc<Self>> {
        let fork = self.another(None);
        let (lines, counts) = self.with(|state| state.take(&self.scratch)).map_err(scratch_error)?;
        fork.name_snapshots(self.with(|state| state.snapshots.clone()));
        for log in [self, &fork] {
            log.with(|state| {
                state.counts.clone_from(&counts);
                lines.for_each_chunk(|chunk| state.lines.write_all(chunk))
            })
            .map_err(scratch_error)?;
        }
        Ok(fork)
    }

    /// Ends the log. What `findings` has counted beyond it is noted as well as it is known.
    ///
    /// # Errors
    /// The first failure of the log.
    pub(crate) fn finish(&self, findings: &Findings) -> Result<Losses> {
        for (finding, totals) in findings.iter().filter(|(finding, _)| finding.severity == Severity::Loss) {
            let noted = |file: &LossFile| file.with(|state| state.counts.get(finding.name).copied().unwrap_or(0));
            if noted(self) == 0 {
                totals.examples.iter().for_each(|example| self.lost(*finding, example, 1));
            }
            let nameless = totals.count.saturating_sub(noted(self));
            if nameless > 0 {
                self.lost(*finding, &Example::new(None, None, String::new()), nameless);
            }
        }
        let (lines, counts) = self.with(|state| state.take(&self.scratch)).map_err(scratch_error)?;
        Ok(Losses { lines, count: counts.values().fold(0, |sum: u64, count| sum.saturating_add(*count)) })
    }
}

impl State {
    fn count(&mut self, name: &'static str, count: u64) {
        let sum = self.counts.entry(name).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Takes everything out.
    fn take(&mut self, scratch: &Arc<dyn Scratch>) -> ekv_spill::Result<(Spooled, BTreeMap<&'static str, u64>)> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let lines = std::mem::replace(&mut self.lines, Spool::new(Arc::clone(scratch), MEMORY_LEN_MAX));
        Ok((lines.into_reader()?, std::mem::take(&mut self.counts)))
    }

    /// Whose data it was: that of the adapter that reports it, or else of the owner of the key.
    fn adapter(&self, finding: Finding, what: &Example) -> Option<&'static str> {
        if what.adapter.is_some() {
            return what.adapter;
        }
        let (prefix, _) = finding.name.split_once('_')?;
        let protocol = match prefix {
            "ddb" => Some(Protocol::DynamoDb),
            _ => Protocol::named(prefix.as_bytes()),
        };
        match protocol {
            Some(protocol) => Some(protocol.name()),
            None => Some(self.router.family_of(what.key.as_deref()?).owner().name()),
        }
    }
}

impl LossLog for LossFile {
    fn lost(&self, finding: Finding, what: &Example, count: u64) {
        self.with(|state| {
            if state.failed.is_some() {
                return;
            }
            let key = what.key.as_deref();
            let loss = Loss {
                finding: finding.name.into(),
                adapter: state.adapter(finding, what).map(Into::into),
                key: key.map(LossKey::from),
                address: culprit::address(&state.router, finding.name, what).map(Into::into),
                snapshot: match what.file {
                    Some(file) => state.snapshots.get(usize::from(file)).and_then(Option::as_deref),
                    None => self.snapshot.as_deref().filter(|_| what.byte_offset.is_some()),
                }
                .map(Into::into),
                byte_offset: what.byte_offset,
                detail: what.detail.as_str().into(),
                count,
            };
            let mut line = std::mem::take(&mut state.line);
            line.clear();
            loss.write_into(&mut line);
            state.failed = state.lines.write_all(&line).err();
            state.line = line;
            state.count(finding.name, count);
        });
    }

    fn restart(&self) {
        self.with(|state| {
            state.lines = Spool::new(Arc::clone(&self.scratch), MEMORY_LEN_MAX);
            state.counts.clear();
        });
    }
}

impl fmt::Debug for LossFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossFile").finish_non_exhaustive()
    }
}

/// Rows in scratch space that do not parse.
pub(crate) fn garbled_row() -> ekv_model::Error {
    ekv_model::Error::new(ekv_model::Class::WriteIo, "scratch space gives back what was not written there")
}

/// A failure of scratch space as an error of the run.
pub(crate) fn scratch_error(error: ekv_spill::Error) -> ekv_model::Error {
    ekv_files::Error::from(error).into()
}

/// Everything that was left out, in the order in which it was found. Serialized as a list, loss by loss.
pub struct Losses {
    pub(crate) lines: Spooled,
    count: u64,
}

impl Losses {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Calls `take` with each of them until it answers false.
    ///
    /// # Errors
    /// If the scratch file cannot be read.
    pub fn for_each(&self, mut take: impl FnMut(&Loss<'static>) -> bool) -> Result<()> {
        let mut reader = LossesReader::new(BufReader::new(self.lines.reader()));
        while let Some(loss) =
            reader.next_loss().map_err(|fault| ekv_model::Error::new(ekv_model::Class::WriteIo, fault))?
        {
            if !take(&loss) {
                break;
            }
        }
        Ok(())
    }
}

impl Losses {
    /// The first of them that leaves no doubt that a thing was lost, in a line.
    pub(crate) fn of(&self, name: &Name) -> Option<String> {
        let mut reader = LossesReader::new(BufReader::new(self.lines.reader()));
        loss_of(&mut || reader.next_loss().ok().flatten(), name)
    }

    /// The first `count` of them in a line of bounded length each, for people.
    ///
    /// # Errors
    /// If the scratch file cannot be read.
    pub fn first(&self, count: usize) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        self.for_each(|loss| {
            if lines.len() < count {
                lines.push(line(loss));
            }
            lines.len() < count
        })?;
        Ok(lines)
    }
}

/// How many things of which kinds are missing in a dump, as its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossAccount {
    /// How many there are.
    pub count: u64,
    /// The same by kinds, the most frequent one first.
    pub kinds: Vec<LossKindReport>,
    /// Whether LOSSES.jsonl in the dump names them.
    pub is_listed: bool,
}

/// A kind of losses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossKindReport {
    /// Name of the finding.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// How often it occurred.
    pub count: u64,
}

impl From<Account> for LossAccount {
    fn from(account: Account) -> Self {
        let kind = |LossKind { name, meaning, count }| LossKindReport { name, meaning, count };
        let mut kinds: Vec<LossKindReport> = account.losses.into_iter().map(kind).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        LossAccount { count: account.loss_count, kinds, is_listed: account.listed_losses.is_some() }
    }
}

impl LossAccount {
    /// Kinds that a message tells at most.
    const KINDS_SHOWN_MAX: usize = 5;
}

impl fmt::Display for LossAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, if self.count == 1 { "loss" } else { "losses" })?;
        for (place, kind) in self.kinds.iter().take(Self::KINDS_SHOWN_MAX).enumerate() {
            let lead = if place == 0 { ": " } else { ", " };
            write!(f, "{lead}{} {}", kind.count, kind.name)?;
        }
        if self.kinds.len() > Self::KINDS_SHOWN_MAX {
            f.write_str(" and other kinds")?;
        }
        if self.is_listed { write!(f, "; {LOSSES_FILE} in the dump names each") } else { Ok(()) }
    }
}

/// LOSSES.jsonl of a dump, if it has one that can be read.
fn listed<'s>(source: &'s mut dyn ScopedSource, account: &Account) -> Option<LossesReader<impl BufRead + use<'s>>> {
    let path = DumpPath::new(LOSSES_FILE.as_bytes()).ok().filter(|_| account.listed_losses.is_some())?;
    source.open_file(&path).ok().map(|content| LossesReader::new(BufReader::new(content)))
}

/// The first losses that LOSSES.jsonl of a dump names, in a line each; none where it has no such file, or one that cannot be read: that
/// it has losses is known without it.
pub(crate) fn first_losses(source: &mut dyn ScopedSource, account: &Account, count: usize) -> Vec<String> {
    let Some(mut reader) = listed(source, account) else { return Vec::new() };
    std::iter::from_fn(|| reader.next_loss().ok().flatten()).take(count).map(|loss| line(&loss)).collect()
}

/// The first of these losses that leaves no doubt that a thing was lost, in a line: it is about the thing, or all of its table, bucket or queue.
fn loss_of(next: &mut dyn FnMut() -> Option<Loss<'static>>, name: &Name) -> Option<String> {
    let (router, around) = (Router::default(), Name { key: Vec::new(), ..name.clone() });
    std::iter::from_fn(next).find_map(|loss| {
        let key = loss.key.as_ref()?.to_bytes();
        let is_stored = key.starts_with(b"!");
        if loss.address.as_ref().is_some_and(|address| *address == name.to_string()) {
            return Some(line(&loss));
        }
        let found = ekv_adapters::culprit(&router, &loss.finding, &key);
        let is_own = is_stored && concerns(name, router.family_of(&key), &key) == Some(Concern::Own);
        (is_own || found.as_ref() == Some(name) || (!is_stored && found == Some(around.clone()))).then(|| line(&loss))
    })
}

/// As [`Losses::of`], of those that LOSSES.jsonl of a dump names.
pub(crate) fn dump_loss_of(source: &mut dyn ScopedSource, account: &Account, name: &Name) -> Option<String> {
    let mut reader = listed(source, account)?;
    loss_of(&mut || reader.next_loss().ok().flatten(), name)
}

/// A loss as a message names it, in bounded length.
fn line(loss: &Loss<'_>) -> String {
    let key = || loss.key.as_ref().map(|key| key.to_bytes());
    // Dumps of older versions have no addresses.
    let address = loss
        .address
        .as_deref()
        .map(culprit::short)
        .or_else(|| culprit::short_address(&loss.finding, &Example::new(Some(&key()?), None, String::new())));
    let key = address.or_else(|| key().map(|key| ekv_snapshot::escape(&key))).map(|key| format!(" {key}:"));
    let at = match (loss.byte_offset, &loss.snapshot) {
        (Some(at), Some(file)) => Some(format!(" (byte offset {at} of {file})")),
        (Some(at), None) => Some(format!(" (byte offset {at})")),
        (None, file) => file.as_ref().map(|file| format!(" (of {file})")),
    };
    let count = (loss.count > 1).then(|| format!(" ({} times)", loss.count));
    let [key, at, count] = [key, at, count].map(Option::unwrap_or_default);
    format!("{}:{key} {}{at}{count}", loss.finding, loss.detail)
}

impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut failed = None;
        self.for_each(|loss| match list.serialize_element(loss) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        })
        .map_err(S::Error::custom)?;
        match failed {
            Some(error) => Err(error),
            None => list.end(),
        }
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Losses").field("count", &self.count).finish_non_exhaustive()
    }
}
