//! Keys of Redis and Valkey, of a file or a running server, on their way to be taken for those of a store: what is selected of them, what
//! elastickv would not take, and the books.

use std::sync::Arc;

use ekv_adapters::redis::Expired;
use ekv_adapters::{EncodeOptions, Family, Outcome, Restorable, Tally, is_utf8_body};
use ekv_model::redis::{Element, Event as RedisEvent};
use ekv_model::{Consumer, Event, Example, Filtered, Finding, Findings, Keys, Kind, LossLog, Result, payload};
use ekv_rdb::Taker;
use ekv_rdb::hll::Registers;
use ekv_snapshot::CommitTs;
use ekv_snapshot::format::BODY_LEN_MAX;
use ekv_spill::Scratch;

use crate::books::{Books, BooksReport};
use crate::completeness::{Completeness, Proof, choice};
use crate::contents::Contents;
use crate::events::Watched;
use crate::losses::{LossFile, Losses};
use crate::progress::Progress;
use crate::report::{RdbReport, ServerReport};
use crate::{EventOptions, Protocol};

/// Most elements of a collection that a server reads at once. Source: `docs/format/redis.md`, section 1.
const ELEMENTS_MAX: u64 = 100_000;

/// Keys that had expired at the moment of the source, where those are not wanted.
const EXPIRED_KEYS: Finding = Finding::info("rdb_expired_keys", "keys that had expired at the moment of the RDB file");
/// Registers instead of members.
const OPAQUE_HLL: Finding = Finding::warning(
    "redis_hll_opaque",
    "a HyperLogLog of Redis, whose members nobody knows any more: it becomes a string, and PFCOUNT refuses it in elastickv",
);
/// A dump has wider limits than elastickv.
const BEYOND: Finding = Finding::warning(
    "redis_beyond_elastickv",
    "keys that a dump holds, and elastickv does not take or does not read as they are: the details say why",
);

/// How keys are imported.
pub(crate) struct Import<'i> {
    pub(crate) options: &'i EventOptions,
    /// The moment of the source, if it has one.
    pub(crate) moment: Option<CommitTs>,
    /// Where losses are noted.
    pub(crate) scratch: &'i Arc<dyn Scratch>,
    pub(crate) progress: &'i dyn Progress,
}

impl Import<'_> {
    /// Lets `read` hand keys over, one after the other, and passes on what is selected of them. `read` gets the findings so far, and adds to them.
    ///
    /// # Errors
    /// Of `read`, and of scratch files.
    pub(crate) fn run(
        self,
        consumer: &mut dyn Consumer,
        read: &mut dyn FnMut(Findings, &mut Taking<'_, '_>) -> Result<Findings>,
    ) -> Result<Imported> {
        let Import { options, moment, scratch, progress } = self;
        let losses = LossFile::new(scratch);
        let log: Arc<dyn LossLog> = Arc::<LossFile>::clone(&losses);
        let now_ms = moment.unwrap_or_default().unix_ms();
        let mut watched = Watched::new(consumer, &options.scope);
        let mut nowhere = Nowhere;
        let mut limited = Limited::new(&mut watched, &mut nowhere);
        let mut filtered = Filtered::new(&options.scope, now_ms, &mut limited);
        let mut taking = Taking {
            consumer: &mut filtered,
            selection: Selection { options, open: None },
            drops_until_ms: (options.redis.expired == Expired::Drop && moment.is_some()).then_some(now_ms),
            is_passing: false,
            keys: 0,
            counts: Counts::default(),
            progress,
        };
        let mut found = read(Findings::with_log(Some(log)), &mut taking)?;
        let counts = taking.counts;
        let beyond_limit = filtered.beyond_limit();
        found.merge(limited.findings);
        found.record_many(EXPIRED_KEYS, counts.expired);
        let contents = watched.finish(beyond_limit, &mut found);
        let losses = losses.finish(&found)?;
        Ok(Imported { found, counts, contents, losses })
    }
}

/// What became of the keys of a source.
pub(crate) struct Imported {
    found: Findings,
    counts: Counts,
    contents: Contents,
    losses: Losses,
}

/// What the source is.
pub(crate) struct Origin {
    pub(crate) kind: &'static str,
    pub(crate) rdb: Option<RdbReport>,
    pub(crate) server: Option<ServerReport>,
    /// Whether there is any key, selected or not.
    pub(crate) holds_data: bool,
    pub(crate) proof: Proof,
    pub(crate) moment: CommitTs,
}

impl Imported {
    /// The books.
    pub(crate) fn into_books(self, options: &EventOptions, origin: Origin) -> Result<Books> {
        let Imported { found, counts, contents, losses } = self;
        let rows: [(&str, u64, [&str; 2]); 2] = [
            ("filters", counts.left_out, ["key that was not selected", "keys that were not selected"]),
            ("--expired", counts.expired, ["key that had expired", "keys that had expired"]),
        ];
        let rows = rows.into_iter().filter(|(_, count, _)| *count > 0);
        let by_choice = rows.map(|(option, count, what)| choice(option, count, what)).collect();
        let Origin { kind, rdb, server, holds_data, proof, moment } = origin;
        let completeness = Completeness::of_keys(&found, by_choice, holds_data, proof, moment);
        let report = BooksReport {
            source_kind: Some(kind),
            rdb,
            server,
            ..BooksReport::new(completeness, options.selection(), &found)
        };
        let mut tally = Tally::default();
        tally.add(Family::RedisString, Outcome::Lost, losses.count());
        Ok(Books { report, tally, findings: found, contents, losses })
    }
}

/// What becomes of keys that are not handed on.
#[derive(Clone, Copy, Default)]
struct Counts {
    left_out: u64,
    expired: u64,
}

/// Which keys are wanted by their names and types.
struct Selection<'o> {
    options: &'o EventOptions,
    /// The database at hand.
    open: Option<(u32, Keys<'o>)>,
}

impl Selection<'_> {
    fn takes(&mut self, database: u32, key: &[u8], kind: Option<Kind>) -> bool {
        let EventOptions { scope, adapters, .. } = self.options;
        if !adapters.contains(&Protocol::Redis)
            || !kind.map_or(scope.includes(Protocol::Redis), |kind| scope.includes_kind(kind))
        {
            return false;
        }
        if self.open.as_ref().is_none_or(|(open, _)| *open != database) {
            self.open = Some((database, scope.keys_in(Protocol::Redis, database.to_string().as_bytes())));
        }
        self.open.as_ref().is_some_and(|(_, keys)| keys.contains(key))
    }
}

/// Hands on what is selected and has not expired.
pub(crate) struct Taking<'a, 'o> {
    consumer: &'a mut dyn Consumer,
    selection: Selection<'o>,
    /// Keys that expire up to this moment have expired; Unix milliseconds.
    drops_until_ms: Option<u64>,
    is_passing: bool,
    /// Keys that were not told of.
    keys: u64,
    counts: Counts,
    progress: &'a dyn Progress,
}

impl Taking<'_, '_> {
    /// So many keys were not selected, and not even read.
    pub(crate) fn leave_out(&mut self, keys: u64) {
        self.counts.left_out = self.counts.left_out.saturating_add(keys);
    }
}

impl Taker for Taking<'_, '_> {
    fn wants(&mut self, database: u32, key: &[u8], kind: Option<Kind>) -> Result<bool> {
        self.keys = self.keys.saturating_add(1);
        let wants = self.selection.takes(database, key, kind);
        self.leave_out((!wants).into());
        Ok(wants)
    }

    fn event(&mut self, database: u32, event: RedisEvent<'_>) -> Result<()> {
        let expiry = match &event {
            RedisEvent::Scalar { expiry, .. } => Some(expiry.map(|expiry| expiry.at_ms)),
            RedisEvent::Begin { expire_at_ms, .. } => Some(*expire_at_ms),
            RedisEvent::Element(_) | RedisEvent::End => None,
        };
        if let Some(expire_at_ms) = expiry {
            let has_expired = expire_at_ms.zip(self.drops_until_ms).is_some_and(|(at_ms, until_ms)| at_ms <= until_ms);
            self.counts.expired = self.counts.expired.saturating_add(has_expired.into());
            self.is_passing = !has_expired;
        }
        if !self.is_passing {
            return Ok(());
        }
        self.consumer.event(Event::Redis { database, event })?;
        if expiry.is_some() {
            self.leave_out(self.consumer.is_leaving_out().into());
        }
        Ok(())
    }

    fn passed(&mut self, _: u64) -> Result<()> {
        Ok(self.progress.advance(std::mem::take(&mut self.keys))?)
    }
}

impl Consumer for Taking<'_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Redis { database, event } => Taker::event(self, database, event),
            _ => Ok(()),
        }
    }
}

/// A consumer that keeps nothing.
pub(crate) struct Nowhere;

impl Consumer for Nowhere {
    fn event(&mut self, _: Event<'_>) -> Result<()> {
        Ok(())
    }
}

/// Passes keys on, and tells of those that elastickv would not take, so that nobody learns it from a restore.
struct Limited<'l> {
    consumer: &'l mut dyn Consumer,
    /// Knows which keys and names are too long.
    restorable: Restorable<'l>,
    findings: Findings,
    key: Vec<u8>,
    database: u32,
    elements: u64,
    /// Whether something was told of the key at hand.
    is_told: bool,
}

impl<'l> Limited<'l> {
    fn new(consumer: &'l mut dyn Consumer, nowhere: &'l mut Nowhere) -> Self {
        let restorable = Restorable::new(nowhere, None, EncodeOptions::default());
        let (findings, key) = (Findings::default(), Vec::new());
        Limited { consumer, restorable, findings, key, database: 0, elements: 0, is_told: false }
    }

    fn begin(&mut self, key: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(key);
        (self.elements, self.is_told) = (0, false);
    }

    fn tell(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            self.record(BEYOND, why.to_owned());
        }
    }

    fn record(&mut self, finding: Finding, detail: String) {
        let Limited { findings, key, database, .. } = self;
        findings
            .record(finding, || Example::new(Some(key), None, detail).in_scope(Protocol::Redis, database.to_string()));
    }
}

impl Consumer for Limited<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let before = self.restorable.left_out();
        self.restorable.event(event)?;
        if let Event::Redis { event, database } = &event {
            self.database = *database;
            let long_value = |len: u64| (len > BODY_LEN_MAX).then_some("a value of more than 256 MiB");
            let why = match event {
                RedisEvent::Scalar { key, body, .. } => {
                    self.begin(key);
                    if Registers::of_string(*body)?.is_some() {
                        self.record(OPAQUE_HLL, String::new());
                    }
                    long_value(body.len())
                }
                RedisEvent::Begin { key, .. } => {
                    self.begin(key);
                    None
                }
                RedisEvent::Element(element) => {
                    self.elements = self.elements.saturating_add(payload::is_element(element).into());
                    let why = match element {
                        Element::EntryField { name, value } if !(is_utf8_body(name)? && is_utf8_body(value)?) => {
                            Some("a text of a stream that is not UTF-8")
                        }
                        element => long_value(payload::element_len(element)),
                    };
                    why.or((self.elements > ELEMENTS_MAX).then_some("more than 100,000 elements"))
                }
                RedisEvent::End => None,
            };
            let long_name = self.restorable.left_out() > before;
            if let Some(why) = why.or(long_name.then_some("a key, or a name in it, of more than 1 MiB")) {
                self.tell(why);
            }
        }
        self.consumer.event(event)
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }

    fn is_leaving_out(&self) -> bool {
        self.consumer.is_leaving_out()
    }
}
