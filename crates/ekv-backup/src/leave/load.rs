//! `load`: keys into a running server, each whole or not at all, and an account of every one.
//!
//! Source: `docs/format/redis-live.md`, section 9.

use std::cell::RefCell;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ekv_adapters::redis::Expired;
use ekv_live::{
    Account, Clock, DraftWriter, Key, Method, OnExists, Outcome, SendOptions, Sender, Servers, Settled, SystemClock,
    TEXT_LEN_MAX, Value,
};
use ekv_model::redis::{CollectionKind, Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Body, Class, Consumer, Error, Event as AnyEvent, Kind, Result};
use ekv_rdb::hll::Registers;
use ekv_snapshot::CommitTs;
use ekv_spill::Scratch;
use serde::Serialize;

use super::aws::Verify;
use super::checkpoint::{Checkpoint, Done, Terms, ThingOutcome};
use super::counts::Reason;
use super::ledger::{Ledger, LoadCounts, Verified, stopped};
use super::marks;
use super::one_database::OneDatabase;
use super::preflight::{Survey, Surveyor, address, is_nan, shifted};
use super::read_back::{ReadBack, Reading};
use super::renames::Renames;
use super::served::AsServed;
use crate::progress::{Phase, Progress};
use crate::see::Source;
use crate::server::{Opened, ServerTarget, TargetReport};
use crate::{CommandError, EventOptions, Resources};

/// How long replicas are waited for.
const REPLICAS_TIME: Duration = Duration::from_secs(60);

/// What is loaded, and how.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What is selected; Redis keys alone are looked at.
    pub events: EventOptions,
    /// What happens to keys that are there.
    pub on_exists: OnExists,
    /// How collections are written.
    pub method: Method,
    /// Keys per second at most.
    pub rate: Option<NonZeroU64>,
    /// What keys are called on the target.
    pub renames: Renames,
    /// Whether the target must hold no key.
    pub requires_empty: bool,
    /// Whether a target is accepted that throws keys away when it is full.
    pub allows_eviction: bool,
    /// Whether expiries count from now on as they did from the moment of the source.
    pub shifts_expiry: bool,
    /// Whether everything is looked at before the first key is written.
    pub has_preflight: bool,
    /// Whether nothing is written.
    pub is_dry_run: bool,
    /// Whether nothing is written if something cannot go.
    pub is_strict: bool,
    /// Bytes per second at most.
    pub bandwidth: Option<NonZeroU64>,
    /// How long another client of the target may have to wait for an answer.
    pub latency_max: Option<Duration>,
    /// Connections to each node.
    pub connections: NonZeroUsize,
    /// Whether a large key that is there is removed before the new one is made.
    pub replaces_first: bool,
    /// Whether members are dropped whose score is not a number; else the key is lost.
    pub drops_nan: bool,
    /// Everything is written into this logical database, which is empty, and changes places with that of the target at the end.
    pub into_database: Option<u32>,
    /// How many replicas of each node must have everything in the end.
    pub replicas: Option<NonZeroU64>,
    /// Which keys are read back and compared.
    pub verify: Verify,
    /// Whether nothing selected is accepted.
    pub allow_empty: bool,
    /// What reading may take.
    pub resources: Resources,
    /// The file in which the load says how far it has come, and from which it goes on.
    pub resume: Option<PathBuf>,
    /// Chooses the keys that are read back, and names the run.
    pub seed: u64,
}

/// What became of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// Version of this structure.
    pub format_version: u32,
    /// The server.
    pub target: TargetReport,
    /// Whether nothing was written: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What was found beforehand; absent without preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
    /// Keys that are there already, of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_there: Option<u64>,
    /// What became of the keys.
    #[serde(flatten)]
    pub counts: LoadCounts,
    /// Keys that were done by the run before, of a load that went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_after: Option<u64>,
    /// Keys that were read back, of a finished load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Members of sorted sets that were left out, as asked, because their score is not a number.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub dropped_members: u64,
    /// The logical database that changed places with that of the target in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swapped_with: Option<u32>,
    /// Why the databases did not change places, though that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_swapped: Option<String>,
    /// How many replicas have everything, where that was asked for: of the node with the fewest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u64>,
    /// Whether that is fewer than were asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lacks_replicas: bool,
    /// How `RESTORE` is done without: collections went by commands, since the target does not take it.
    pub by_commands: bool,
    /// What had been lost before in what was read, or cannot be read.
    pub source_losses: u64,
    /// The first of these, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_lost: Vec<String>,
    /// Whether the source holds everything, as far as it can tell.
    pub source_is_complete: bool,
    /// Filters that nothing met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

impl LoadReport {
    /// Whether everything that was selected is on the target, or was left out on purpose.
    pub fn is_whole(&self) -> bool {
        let refused = self.survey.as_ref().filter(|_| self.dry_run).map_or(0, Survey::refused_keys);
        let differ = self.verified.as_ref().map_or(0, |verified| verified.different);
        let is_placed = !self.lacks_replicas && self.not_swapped.is_none();
        is_placed
            && self.counts.failed == 0
            && refused == 0
            && differ == 0
            && self.source_is_complete
            && self.source_losses == 0
    }
}

/// Writes what is selected of `source` into a running server.
///
/// The source is read twice, first without writing anything, unless the options say otherwise. Memory is bounded; scratch space for collections of
/// more than 512 KiB.
///
/// # Errors
/// Before the first write: a target that may not or cannot be written to, nothing selected, and with `is_strict` what cannot go. Later:
/// [`LoadStopped`](crate::leave::LoadStopped).
pub fn load(
    source: &mut Source,
    target: &ServerTarget,
    options: &LoadOptions,
    progress: &dyn Progress,
) -> Result<LoadReport> {
    let clock = SystemClock::default();
    let run = format!("{:012x}", options.seed & 0xffff_ffff_ffff);
    let mut opened = target.open()?;
    let goes_on = options.resume.as_ref().is_some_and(|file| file.exists());
    let requires_empty = options.requires_empty && !goes_on;
    let home = target.address.database.unwrap_or(0);
    opened.check(home, requires_empty, options.allows_eviction)?;
    if let Some(database) = options.into_database {
        opened.check_aside(database, home, !goes_on)?;
        opened.servers.select(database);
    }
    if let Some(wanted) = options.replicas.filter(|wanted| opened.identity.replicas < wanted.get()) {
        let (address, has) = (&opened.report.address, opened.identity.replicas);
        let text = format!("{address}: {has} replicas are connected to it, and --wait-replicas wants {wanted}");
        return Err(Error::new(Class::Environment, text));
    }
    let moment_ms = CommitTs(source.header().read_ts).unix_ms();
    if options.shifts_expiry && options.resume.is_some() {
        let text = "--shift-expiry counts from the beginning of a run: it does not go with --resume";
        return Err(Error::new(Class::Environment, text));
    }
    let shift_ms = if options.shifts_expiry { opened.identity.time_ms.saturating_sub(moment_ms) } else { 0 };
    let mut events = options.events.clone();
    // The clock of the target decides.
    events.redis.expired = Expired::Keep;
    let scratch = options.resources.scratch();
    let mut report = LoadReport {
        format_version: 1,
        target: opened.report.clone(),
        dry_run: options.is_dry_run,
        survey: None,
        already_there: None,
        resumed_after: None,
        counts: LoadCounts::default(),
        verified: None,
        dropped_members: 0,
        swapped_with: None,
        not_swapped: None,
        replicas: None,
        lacks_replicas: false,
        by_commands: options.method == Method::Commands,
        source_losses: 0,
        source_lost: Vec::new(),
        source_is_complete: true,
        unmatched: Vec::new(),
    };
    if options.has_preflight || options.is_dry_run || options.is_strict || !options.renames.is_empty() {
        let mut surveyor =
            Surveyor::new(&options.renames, shift_ms, opened.identity.time_ms, options.drops_nan, &scratch);
        let look = match options.is_dry_run {
            true => {
                let mut asking = Asking::new(&mut surveyor, &mut opened, &options.renames);
                let look = source.look(&events, &mut OneDatabase::new(&mut asking), &scratch, progress)?;
                report.already_there = Some(asking.finish()?);
                look
            }
            false => source.look(&events, &mut OneDatabase::new(&mut surveyor), &scratch, progress)?,
        };
        let survey = surveyor.finish()?;
        (report.source_losses, report.source_lost) = (look.lost_count, look.lost);
        (report.source_is_complete, report.unmatched) = (look.is_complete, look.unmatched);
        if survey.keys == 0 && !options.allow_empty {
            return Err(nothing(&events));
        }
        if options.is_strict
            && let Some(reason) = survey.refused.first()
        {
            let Reason { why, count, first } = reason;
            let text =
                format!("--strict: {count} keys cannot go: {why}; first: {}; nothing was written", first.join(", "));
            return Err(Error::new(Class::Data, text));
        }
        report.survey = Some(survey);
    }
    if options.is_dry_run {
        return Ok(report);
    }
    let mut ledger = Ledger::default();
    let mut position = 0;
    if let Some(file) = &options.resume {
        let terms = terms(source, target, options, &events)?;
        let (mut checkpoint, before) = Checkpoint::open(file.clone(), terms, &run)?;
        marks::meet_nodes(&mut checkpoint, &mut opened.servers)?;
        position = checkpoint.position();
        match before {
            None => {
                checkpoint.write()?;
                marks::put(&checkpoint, &mut opened.servers)?;
            }
            Some(before) => {
                // Where nothing is taken for done nothing can have been lost.
                match position {
                    0 => marks::put(&checkpoint, &mut opened.servers)?,
                    // A run that was killed while it removed them has removed some.
                    _ if checkpoint.is_done() => {}
                    _ => marks::check(&checkpoint, &mut opened.servers)?,
                }
                opened.servers.remove_matching(&format!("ekv-load:{{*}}:{before}:*"))?;
                report.resumed_after = Some(checkpoint.position());
            }
        }
        (ledger.tally, ledger.kinds) = checkpoint.state();
        checkpoint.write()?;
        ledger.checkpoint = Some(checkpoint);
    }
    let mut method = options.method;
    if method != Method::Commands && !opened.takes_restore(&run)? {
        if method == Method::Restore {
            let text = format!("{}: it does not take RESTORE: --method auto goes without", report.target.address);
            return Err(Error::new(Class::Environment, text));
        }
        method = Method::Commands;
        report.by_commands = true;
    }
    let ledger = RefCell::new(ledger);
    let read_back = RefCell::new(ReadBack::new(options.verify, options.seed, &scratch));
    let Opened { servers, identity, .. } = opened;
    let version = identity.compatible();
    let send = SendOptions {
        on_exists: options.on_exists,
        method,
        run: run.clone(),
        rate: options.rate,
        bandwidth: options.bandwidth,
        latency_max: options.latency_max,
        connections: options.connections,
        replaces_first: options.replaces_first,
        version,
        target_ms: identity.time_ms,
    };
    let (mut compare, mut account) = (AsServed, Books { ledger: &ledger, read_back: &read_back, clock: &clock });
    let sender = Sender::new(servers, send, &mut compare, &mut account, &clock, &scratch);
    let mut loading = Loading {
        sender,
        ledger: &ledger,
        read_back: &read_back,
        dropped_members: 0,
        clock: &clock,
        options,
        shift_ms,
        scratch: &scratch,
        number: 0,
        position,
        is_in_doubt: report.resumed_after.is_some(),
        open: None,
    };
    let poured = source.look(&events, &mut OneDatabase::new(&mut loading), &scratch, progress);
    let done = match poured {
        Ok(look) => loading.sender.settle().map(|()| look).map_err(Error::from),
        Err(error) => {
            loading.sender.wind_up();
            Err(error)
        }
    };
    let (sent, fell_back) = (loading.number, loading.sender.fell_back());
    report.dropped_members = loading.dropped_members;
    let mut servers = loading.sender.into_servers();
    let mut ledger = ledger.into_inner();
    let mut checkpoint = ledger.checkpoint.take();
    let counts = ledger.counts(sent.max(position));
    let look = match done {
        Ok(look) => look,
        Err(error) => {
            let kept = checkpoint.as_mut().map_or(Ok(()), Checkpoint::write);
            return Err(stopped(error, "keys", &counts, options.resume.is_some()).after_cleaning_up(kept));
        }
    };
    if ledger.tally.sum() != sent {
        let text = format!(
            "{sent} keys were looked at, and what became of them does not add up: please report this as a defect"
        );
        return Err(stopped(Error::new(Class::WriteIo, text), "keys", &counts, false));
    }
    if let Some(mut checkpoint) = checkpoint {
        checkpoint.set_done()?;
        marks::remove(&checkpoint, &mut servers)?;
        checkpoint.remove()?;
    }
    if sent == 0 && !options.allow_empty {
        return Err(nothing(&events));
    }
    (report.source_losses, report.source_lost) = (look.lost_count, look.lost);
    (report.source_is_complete, report.unmatched) = (look.is_complete, look.unmatched);
    report.by_commands |= fell_back;
    report.counts = counts;
    progress.begin(Phase::ReadBack, None);
    let passed_ms = u64::try_from(clock.now().as_millis()).unwrap_or(u64::MAX);
    let now_ms = identity.time_ms.saturating_add(passed_ms);
    let mut reading = Reading { servers: &mut servers, version, now_ms, progress };
    report.verified = read_back.into_inner().check(&mut reading)?;
    if let Some(wanted) = options.replicas {
        let have = servers.wait_replicas(&run, wanted.get(), REPLICAS_TIME)?;
        (report.replicas, report.lacks_replicas) = (Some(have), have < wanted.get());
    }
    if let Some(database) = options.into_database {
        match report.is_whole() {
            true => {
                swap(&mut servers, database, home)?;
                report.swapped_with = Some(database);
            }
            false => {
                let text = format!(
                    "not everything arrived in database {database}, so that it did not change places with {home}"
                );
                report.not_swapped = Some(text);
            }
        }
    }
    Ok(report)
}

/// Lets two logical databases change places.
fn swap(servers: &mut Servers, one: u32, other: u32) -> Result<()> {
    for place in servers.places() {
        servers.connect(&place)?.ask(&[b"SWAPDB", one.to_string().as_bytes(), other.to_string().as_bytes()])?;
    }
    Ok(())
}

fn nothing(events: &EventOptions) -> Error {
    match events.is_selection() {
        true => {
            let hint = events.scope.hint();
            CommandError::NothingMatches { filters: events.scope.describe(&events.adapters), hint }.into()
        }
        false => Error::new(
            Class::NoMatch,
            "there is no Redis key in it, and nothing was written (--allow-empty accepts that)",
        ),
    }
}

/// On which terms a load goes on.
fn terms(source: &mut Source, target: &ServerTarget, options: &LoadOptions, events: &EventOptions) -> Result<Terms> {
    let LoadOptions { on_exists, renames, drops_nan, into_database, .. } = options;
    let further = [drops_nan.then(|| ", nan drop-member".to_owned()), into_database.map(|n| format!(", into-db {n}"))];
    Ok(Terms {
        source: source.identity()?,
        selection: events.scope.describe(&events.adapters),
        policy: format!(
            "on-exists {on_exists:?}, renames {:?}{}",
            renames.describe(),
            further.into_iter().flatten().collect::<String>()
        )
        .to_lowercase(),
        target: target.address.to_string(),
    })
}

/// Takes what the sender tells.
struct Books<'b> {
    ledger: &'b RefCell<Ledger>,
    read_back: &'b RefCell<ReadBack>,
    clock: &'b dyn Clock,
}

impl Account for Books<'_> {
    fn settled(&mut self, settled: &Settled<'_>) {
        let Settled { number, kind, name, elements, bytes, outcome } = settled;
        let mut ledger = self.ledger.borrow_mut();
        let fate = match outcome {
            Outcome::Loaded => ThingOutcome::Loaded,
            Outcome::Existed => ThingOutcome::Existed,
            Outcome::Expired => ThingOutcome::Expired,
            Outcome::Failed(why) => {
                ledger.reasons.add(why, || address(name));
                ThingOutcome::Failed
            }
        };
        let done = Done { fate, kind: *kind, elements: *elements, bytes: *bytes };
        ledger.done(*number, done, self.clock.now());
        self.read_back.borrow_mut().settled(*number, name, *outcome == Outcome::Loaded);
    }
}

/// Makes keys of events and sends them.
struct Loading<'l> {
    sender: Sender<'l>,
    ledger: &'l RefCell<Ledger>,
    read_back: &'l RefCell<ReadBack>,
    dropped_members: u64,
    clock: &'l dyn Clock,
    options: &'l LoadOptions,
    shift_ms: u64,
    scratch: &'l Arc<dyn Scratch>,
    /// Keys so far.
    number: u64,
    /// Keys before this one were done by an earlier run.
    position: u64,
    /// Whether keys may have been written by an earlier run.
    is_in_doubt: bool,
    /// The collection at hand.
    open: Option<(Vec<u8>, Option<u64>, DraftWriter)>,
}

impl Loading<'_> {
    /// The number of a key that is to be sent; `None` if that was done before.
    fn next_number(&mut self) -> Result<Option<u64>> {
        let number = self.number;
        self.number = number.saturating_add(1);
        let failure = self.ledger.borrow_mut().checkpoint.as_mut().and_then(Checkpoint::take_failure);
        failure.map_or(Ok((number >= self.position).then_some(number)), Err)
    }

    /// A key is done that is not sent.
    fn leave_out(&mut self, number: u64, kind: Kind, fate: ThingOutcome) {
        let done = Done { fate, kind, elements: 0, bytes: 0 };
        self.ledger.borrow_mut().done(number, done, self.clock.now());
    }

    fn text(&mut self, kind: Kind, name: &[u8], body: Body<'_>, expire_at_ms: Option<u64>) -> Result<()> {
        let Some(number) = self.next_number()? else { return Ok(()) };
        let name = self.options.renames.apply(name);
        let value = match body {
            Body::Streamed(_) | Body::Inline(_) if body.len() > TEXT_LEN_MAX => {
                let mut feed = |consumer: &mut dyn Consumer| {
                    let expiry = expire_at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
                    let event = Event::Scalar { kind: ScalarKind::String, key: &name, body, expiry, commit_ts: 0 };
                    consumer.event(AnyEvent::Redis { database: 0, event })
                };
                self.read_back.borrow_mut().sending(number, &name, expire_at_ms, &mut feed)?;
                return Ok(self.sender.push_long(number, &name, expire_at_ms, body, self.is_in_doubt)?);
            }
            Body::Inline(bytes) => bytes.to_vec(),
            Body::Streamed(_) => {
                let mut bytes = Vec::new();
                body.for_each_chunk(|chunk| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                })?;
                bytes
            }
        };
        let key = Key { number, name, kind, expire_at_ms, value: Value::Text(value), is_in_doubt: self.is_in_doubt };
        self.push(key)
    }

    fn push(&mut self, key: Key) -> Result<()> {
        let mut feed = |consumer: &mut dyn Consumer| Ok(key.feed(consumer)?);
        self.read_back.borrow_mut().sending(key.number, &key.name, key.expire_at_ms, &mut feed)?;
        Ok(self.sender.push(key)?)
    }
}

impl Consumer for Loading<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        let AnyEvent::Redis { event, .. } = event else { return Ok(()) };
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                let expire_at_ms = shifted(expiry.map(|expiry| expiry.at_ms), self.shift_ms);
                match kind {
                    ScalarKind::String => self.text(Kind::String, key, body, expire_at_ms),
                    ScalarKind::Hll => match Registers::of_members(body) {
                        Ok(registers) => {
                            let value = registers.to_value();
                            self.text(Kind::Hll, key, Body::Inline(&value), expire_at_ms)
                        }
                        Err(_) => {
                            if let Some(number) = self.next_number()? {
                                self.leave_out(number, Kind::Hll, ThingOutcome::Failed);
                                let why = "HyperLogLogs whose members cannot be read";
                                self.ledger.borrow_mut().reasons.add(why, || address(key));
                            }
                            Ok(())
                        }
                    },
                }
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                let expire_at_ms = shifted(expire_at_ms, self.shift_ms);
                self.open = Some((key.to_vec(), expire_at_ms, DraftWriter::new(kind, self.scratch)));
                Ok(())
            }
            Event::Element(element) if self.options.drops_nan && is_nan(&element) => {
                self.dropped_members = self.dropped_members.saturating_add(1);
                Ok(())
            }
            Event::Element(element) => match &mut self.open {
                Some((.., draft)) => Ok(draft.push(&element)?),
                None => Ok(()),
            },
            Event::End => {
                let Some((name, expire_at_ms, draft)) = self.open.take() else { return Ok(()) };
                let Some(number) = self.next_number()? else { return Ok(()) };
                let (draft, is_in_doubt) = (draft.finish()?, self.is_in_doubt);
                let kind = draft.kind();
                if draft.elements() == 0 && !matches!(kind, CollectionKind::Stream { .. }) {
                    self.leave_out(number, kind.into(), ThingOutcome::Empty);
                    return Ok(());
                }
                let name = self.options.renames.apply(&name);
                let kind = kind.into();
                self.push(Key { number, name, kind, expire_at_ms, value: Value::Elements(draft), is_in_doubt })
            }
        }
    }
}

/// Asks the target for every key, on the way to a survey.
struct Asking<'a, 'r> {
    surveyor: &'a mut Surveyor<'r>,
    opened: &'a mut Opened,
    renames: &'a Renames,
    names: Vec<Vec<u8>>,
    there: u64,
}

/// Keys that are asked for at a time.
const ASKED: usize = 500;

impl<'a, 'r> Asking<'a, 'r> {
    fn new(surveyor: &'a mut Surveyor<'r>, opened: &'a mut Opened, renames: &'a Renames) -> Self {
        Asking { surveyor, opened, renames, names: Vec::new(), there: 0 }
    }

    fn ask(&mut self) -> Result<()> {
        let names = std::mem::take(&mut self.names);
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let there = self.opened.servers.are_there(&names)?.into_iter().filter(|is_there| *is_there).count();
        self.there = self.there.saturating_add(u64::try_from(there).unwrap_or(u64::MAX));
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        self.ask()?;
        Ok(self.there)
    }
}

impl Consumer for Asking<'_, '_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        if let AnyEvent::Redis { event: Event::Scalar { key, .. } | Event::Begin { key, .. }, .. } = &event {
            self.names.push(self.renames.apply(key));
            if self.names.len() >= ASKED {
                self.ask()?;
            }
        }
        self.surveyor.event(event)
    }
}
