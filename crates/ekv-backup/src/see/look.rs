//! What passes by of a source, and what does not: filters that nothing met, keys that had expired, things that cannot be read.

use std::sync::Arc;

use ekv_adapters::redis::Expired;
use ekv_model::{Class, Consumer, Error, Event, Findings, Name, Result, Scope, Severity, Unmatched, redis};
use ekv_snapshot::CommitTs;
use ekv_spill::Scratch;

use super::source::{Source, SourceBooks};
use crate::EventOptions;
use crate::groups::{MISSING, NO_CATALOG, NOT_IN_CATALOG, UNROUTED};
use crate::loaded::{NEWER_SNAPSHOT, OLDER_SNAPSHOT};
use crate::losses::Losses;
use crate::pipe::Books;
use crate::progress::Progress;

/// Losses that are told one by one.
const LOST_TOLD_MAX: usize = 10;

/// What is said where nothing was found in an excerpt of a dump ([`Look::is_excerpt`]).
pub const BY_INDEX: &str = ", by the index of names; --thorough reads all of the dump";

/// What is known when everything that was selected has passed by.
pub struct Look {
    /// Tables, buckets, queues, and things in them or in Redis that were selected.
    pub things: u64,
    /// The filters that nothing met, as options.
    pub unmatched: Vec<String>,
    /// Redis keys that had expired, and were passed over.
    pub expired: u64,
    /// Expiry of the last one of them, in Unix milliseconds.
    pub last_expired_at_ms: Option<u64>,
    /// Whether everything is there, as far as the source can tell.
    pub is_complete: bool,
    /// A group is missing, or an older state of one was taken: what is there may be older than it should be, and what is not there
    /// may exist.
    pub is_doubtful: bool,
    /// How many things of the source cannot be read, or were lost before.
    pub lost_count: u64,
    /// The first of them, a line each.
    pub lost: Vec<String>,
    /// All of them, where the source was no dump.
    losses: Option<Losses>,
    /// What was odd.
    pub findings: Findings,
    /// Of a dump, nothing was looked at but the files in which the selected things lie.
    pub is_excerpt: bool,
    /// The consumer had enough before the end.
    pub was_stopped: bool,
}

impl Look {
    /// Of a running server, of which so many keys were read.
    pub(crate) fn of_server(keys: u64) -> Look {
        Look {
            things: keys,
            unmatched: Vec::new(),
            expired: 0,
            last_expired_at_ms: None,
            is_complete: true,
            is_doubtful: false,
            lost_count: 0,
            lost: Vec::new(),
            losses: None,
            is_excerpt: false,
            findings: Findings::default(),
            was_stopped: false,
        }
    }

    /// What is unusual about the groups and the moment that were read, a line each: it may concern anything.
    pub fn of_groups(&self) -> impl Iterator<Item = String> {
        self.findings.iter().filter(|(finding, _)| finding.name.starts_with("groups_")).map(|(finding, totals)| {
            let first = totals.examples.first().map(|example| format!("; {}", example.detail)).unwrap_or_default();
            format!("{}: {}{first}", finding.name, finding.meaning)
        })
    }
}

/// The wish of a consumer to see no more.
#[derive(Clone, Copy, Debug)]
pub struct Enough;

impl std::fmt::Display for Enough {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no more is wanted")
    }
}

impl std::error::Error for Enough {}

impl Enough {
    /// As an error that ends the run.
    pub fn error() -> Error {
        Error::new(Class::Cancelled, Enough)
    }
}

impl Source {
    /// What is known to have made a thing unreadable that `look` did not meet, in a line.
    pub(crate) fn loss_of(&mut self, name: &Name, look: &Look) -> Option<String> {
        match (self, &look.losses) {
            (Source::Store(_) | Source::Rdb(_) | Source::Server(_), losses) => losses.as_ref()?.of(name),
            (Source::Dump(dump), _) => dump.loss_of(name),
        }
    }

    /// Hands everything that `options` select to `consumer`. Redis keys that had expired at the moment of the source are passed over if
    /// the options say so, in a dump as in a snapshot. A consumer may stop early with [`Enough`].
    ///
    /// # Errors
    /// As [`Source::pour`].
    pub fn look(
        &mut self,
        options: &EventOptions,
        consumer: &mut dyn Consumer,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Look> {
        let drops_expired = options.redis.expired == Expired::Drop;
        let instant_ms = drops_expired.then(|| CommitTs(self.header().read_ts).unix_ms());
        let mut seen = Seen::new(consumer, &options.scope, instant_ms);
        // What has expired is decided here, for all sources.
        let mut options = options.clone();
        options.redis.expired = Expired::Keep;
        let poured = self.pour_to(&options, &mut seen, true, scratch, progress);
        let books = match poured {
            Err(_) if seen.was_stopped => return Ok(seen.told(Findings::default())),
            poured => poured?,
        };
        match (books, self) {
            (SourceBooks::Store(books), _) => {
                let Books { report, losses, findings, .. } = *books;
                let is_doubtful = findings
                    .iter()
                    .any(|(finding, _)| finding.severity == Severity::Loss && is_of_groups(finding.name));
                Ok(Look {
                    is_complete: report.completeness.is_complete(),
                    is_doubtful,
                    lost_count: losses.count(),
                    lost: losses.first(LOST_TOLD_MAX)?,
                    losses: Some(losses),
                    ..seen.told(findings)
                })
            }
            (SourceBooks::Dump(replayed), Source::Dump(dump)) => {
                // The books of a store have those of the consumer.
                let mut findings = replayed.findings;
                findings.merge(seen.findings());
                let account = &dump.manifest().account;
                let (lost_count, is_doubtful) =
                    (account.loss_count, account.losses.iter().any(|kind| is_of_groups(&kind.name)));
                Ok(Look {
                    is_complete: lost_count == 0,
                    is_doubtful,
                    lost_count,
                    lost: dump.first_losses(LOST_TOLD_MAX),
                    is_excerpt: replayed.is_excerpt,
                    ..seen.told(findings)
                })
            }
            // A source gives the books of its own kind.
            _ => Ok(seen.told(Findings::default())),
        }
    }
}

/// Whether a finding is about groups as a whole, so that any key may be concerned.
fn is_of_groups(name: &str) -> bool {
    [OLDER_SNAPSHOT, NEWER_SNAPSHOT, MISSING, NO_CATALOG, NOT_IN_CATALOG, UNROUTED].iter().any(|one| one.name == name)
}

/// Watches what passes by, and keeps back what has expired.
struct Seen<'c> {
    consumer: &'c mut dyn Consumer,
    unmatched: Unmatched,
    /// Redis keys that expire up to this moment have expired; Unix milliseconds.
    instant_ms: Option<u64>,
    is_passing: bool,
    expired: u64,
    last_expired_at_ms: Option<u64>,
    was_stopped: bool,
}

impl<'c> Seen<'c> {
    fn new(consumer: &'c mut dyn Consumer, scope: &Scope, instant_ms: Option<u64>) -> Self {
        Seen {
            consumer,
            unmatched: Unmatched::of(scope),
            instant_ms,
            is_passing: true,
            expired: 0,
            last_expired_at_ms: None,
            was_stopped: false,
        }
    }

    fn told(self, findings: Findings) -> Look {
        Look {
            things: self.unmatched.things(),
            unmatched: self.unmatched.filters().map(str::to_owned).collect(),
            expired: self.expired,
            last_expired_at_ms: self.last_expired_at_ms,
            is_complete: true,
            is_doubtful: false,
            lost_count: 0,
            lost: Vec::new(),
            losses: None,
            findings,
            is_excerpt: false,
            was_stopped: self.was_stopped,
        }
    }

    /// Whether a key with this expiry is passed on.
    fn passes(&mut self, expire_at_ms: Option<u64>) -> bool {
        let has_expired = match (expire_at_ms, self.instant_ms) {
            (Some(at_ms), Some(instant_ms)) => at_ms <= instant_ms,
            _ => false,
        };
        if has_expired {
            self.expired = self.expired.saturating_add(1);
            self.last_expired_at_ms = expire_at_ms;
        }
        !has_expired
    }
}

impl Consumer for Seen<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::Redis { event, .. } = &event {
            match event {
                redis::Event::Scalar { expiry, .. } => self.is_passing = self.passes(expiry.map(|expiry| expiry.at_ms)),
                redis::Event::Begin { expire_at_ms, .. } => self.is_passing = self.passes(*expire_at_ms),
                redis::Event::Element(_) | redis::Event::End => {}
            }
            if !self.is_passing {
                return Ok(());
            }
        }
        self.unmatched.saw(&event);
        self.consumer.event(event).inspect_err(|error| self.was_stopped |= error.get_ref().is::<Enough>())
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}
