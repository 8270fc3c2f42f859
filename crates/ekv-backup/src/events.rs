//! The records of a [`Store`] as events, and the books that are kept of them.

use std::path::PathBuf;
use std::sync::Arc;

use ekv_adapters::{AdapterOptions, Family, Outcome, Owner, Role, Run, Tally, decode, fs, raw, redis, s3, sqs};
use ekv_dump::replay::Checking;
use ekv_model::{Class, Consumer, Event, Example, Filtered, Finding, Findings, Result, Scope, Unmatched};
use ekv_snapshot::View;
use ekv_spill::Scratch;

use crate::books::{Books, BooksReport, Header};
use crate::contents::{Census, Contents};
use crate::load::load;
use crate::loaded::{Loaded, ReadOptions};
use crate::losses::LossFile;
use crate::pipe::Events;
use crate::progress::{Phase, Progress};
use crate::report::{Accounts, families, prefixes};
use crate::{Completeness, Protocol, Store};

/// Data that nothing in the output represents.
const NOT_DECODED: Finding = Finding::loss(
    "data_not_decoded",
    "records with data of users that no adapter of this tool decodes: they are missing, unless --include-unknown keeps them as they are",
);

/// The books do not balance.
pub(crate) const UNACCOUNTED: Finding = Finding::loss(
    "records_unaccounted",
    "visible records of which this run cannot say what became: please report this as a defect",
);

/// An adapter that was asked for by name has nothing.
pub(crate) const ADAPTER_WITHOUT_DATA: Finding = Finding::warning(
    "adapter_without_data",
    "an adapter that --adapter names has no data in the snapshot: is it the right one?",
)
.fatal_if_strict();

/// A filter that nothing meets.
const NOTHING_MATCHES: Finding = Finding::warning(
    "filter_matches_nothing",
    "a name, prefix or pattern that was asked for matches nothing, while others do",
)
.fatal_if_strict();

/// Which events a store is asked for.
#[derive(Clone, Debug)]
pub struct EventOptions {
    /// Which adapters' data comes.
    pub adapters: Vec<Protocol>,
    /// Options of the Redis adapter.
    pub redis: redis::Options,
    /// Options of the S3 adapter.
    pub s3: s3::Options,
    /// Snapshots of other nodes, or their data directories, in which offloaded S3 content is looked for that this one lacks.
    pub blob_sources: Vec<PathBuf>,
    /// Options of the SQS adapter.
    pub sqs: sqs::Options,
    /// Options of the file system adapter.
    pub fs: fs::Options,
    /// Whether records that no adapter decodes come as they are, if everything is selected: they have no names.
    pub include_unknown: bool,
    /// What of these adapters' data comes.
    pub scope: Arc<Scope>,
    /// How much of a dump is compared with its CHECKSUMS; a store has been checked before.
    pub checking: Checking,
    /// Whether every collection says at its beginning how large it is and when it was changed; some are read twice for that.
    pub looks_ahead: bool,
}

impl Default for EventOptions {
    fn default() -> Self {
        EventOptions::of(Protocol::IN_DUMPS)
    }
}

impl EventOptions {
    /// The events of some adapters.
    pub fn of(adapters: impl Into<Vec<Protocol>>) -> Self {
        EventOptions {
            adapters: adapters.into(),
            redis: redis::Options::default(),
            s3: s3::Options::default(),
            blob_sources: Vec::new(),
            sqs: sqs::Options::default(),
            fs: fs::Options::default(),
            include_unknown: false,
            scope: Arc::default(),
            checking: Checking::All,
            looks_ahead: false,
        }
    }

    /// Whether there are filters, beyond a choice of adapters.
    pub fn is_selection(&self) -> bool {
        self.scope.is_narrowed()
    }

    /// The filters, in words, if there are some.
    pub(crate) fn selection(&self) -> Option<String> {
        self.scope.is_narrowed().then(|| self.scope.describe(&self.adapters))
    }

    /// Whether a family is asked for.
    pub(crate) fn has(&self, family: Family) -> bool {
        family.owner().protocol().map_or(self.takes_unknown(), |adapter| self.takes(adapter))
    }

    /// Whether any data of an adapter may be asked for.
    fn takes(&self, adapter: Protocol) -> bool {
        self.adapters.contains(&adapter) && self.scope.includes(adapter)
    }

    fn takes_unknown(&self) -> bool {
        self.include_unknown && !self.scope.is_narrowed()
    }

    /// Whether some adapters, or some of their data, are left out.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.scope.is_narrowed() || Protocol::IN_DUMPS.iter().any(|adapter| !self.adapters.contains(adapter))
    }
}

/// The visible records of a store, as the options say.
pub struct StoreEvents<'s> {
    store: &'s Store,
    options: &'s EventOptions,
    /// Each is a view of its own, so that a damaged copy in one does not hide a sound one in another.
    blob_sources: Vec<Loaded>,
    /// Whether it is watched what of the filters is met, and how much passes.
    is_watched: bool,
}

impl<'s> StoreEvents<'s> {
    /// Opens and checks the snapshots of other nodes, if S3 content may be looked for there; `progress` is told how they are read.
    ///
    /// # Errors
    /// If one of those is not sound.
    pub fn of(store: &'s Store, options: &'s EventOptions, progress: &dyn Progress) -> Result<Self> {
        let read = ReadOptions { at: None, ..store.read.clone() };
        let wanted = options.blob_sources.iter().filter(|_| options.takes(Protocol::S3));
        let blob_sources = wanted.map(|source| load(source, &read, &store.scratch, progress)).collect::<Result<_>>()?;
        Ok(StoreEvents { store, options, blob_sources, is_watched: true })
    }

    /// The same for a consumer that watches itself which filters are met and how much passes: the books do not say it.
    #[must_use]
    pub(crate) fn unwatched(self) -> Self {
        StoreEvents { is_watched: false, ..self }
    }

    /// Pours events and keeps the books.
    fn run(
        &self,
        consumer: &mut dyn Consumer,
        losses: Arc<LossFile>,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<(Tally, Findings, Contents)> {
        let StoreEvents { store, options, .. } = self;
        let scope = &options.scope;
        let mut watched = Watched { is_watched: self.is_watched, ..Watched::new(consumer, scope) };
        let ((tally, mut findings), beyond_limit) = if scope.has_limits() {
            let mut filtered = Filtered::new(scope, store.state.view.read_ts().unix_ms(), &mut watched);
            let books = self.run_adapters(&mut filtered, losses, scratch, progress)?;
            (books, filtered.beyond_limit())
        } else {
            (self.run_adapters(&mut watched, losses, scratch, progress)?, 0)
        };
        let is_chosen = Protocol::IN_DUMPS.iter().any(|adapter| !options.adapters.contains(adapter));
        for adapter in options.adapters.iter().filter(|adapter| is_chosen && !store.has_data_of(**adapter)) {
            findings.record(ADAPTER_WITHOUT_DATA, || Example::new(None, None, adapter.name().to_owned()));
        }
        findings.merge(store.findings());
        let contents = watched.finish(beyond_limit, &mut findings);
        Ok((tally, findings, contents))
    }

    /// Runs the adapters that were asked for and closes their books.
    fn run_adapters(
        &self,
        target: &mut dyn Consumer,
        losses: Arc<LossFile>,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<(Tally, Findings)> {
        let StoreEvents { store, options, blob_sources, .. } = self;
        let blob_views: Vec<View> = blob_sources.iter().flat_map(Loaded::views).collect();
        let EventOptions { redis, s3, sqs, fs, .. } = **options;
        let adapter_options = AdapterOptions { redis, s3, sqs, fs, blob_sources: &blob_views };
        let mut run = Run::new(&store.state.view, &store.state.families, target, progress, Arc::clone(scratch));
        run.log_losses(Some(losses));
        run.select(Arc::clone(&options.scope));
        if options.looks_ahead {
            run.look_ahead();
        }
        for adapter in Protocol::IN_DUMPS.iter().filter(|adapter| options.takes(**adapter)) {
            decode(&mut run, *adapter, &adapter_options)?;
        }
        if options.takes_unknown() {
            raw::decode(&mut run)?;
        }
        match options.scope.is_narrowed() {
            // They have no names.
            true => run.leave_rest(Owner::Unknown)?,
            false => raw::leave_out(&mut run, NOT_DECODED)?,
        }
        close_books(&mut run, options)?;
        Ok(run.into_books())
    }

    fn report(&self, tally: &Tally, found: &Findings) -> BooksReport {
        let Store { loaded, state, read, .. } = self.store;
        let snapshots = state.reports(loaded);
        let families = families(&state.families, Some(tally));
        let completeness = Completeness::of(loaded, state, read, found, Some((tally, &self.options.adapters)));
        BooksReport {
            records: Accounts::new(&snapshots, &families),
            snapshots,
            families,
            unknown_prefixes: prefixes(&loaded.unknown_prefixes),
            transactions: state.transactions.into(),
            ..BooksReport::new(completeness, self.options.selection(), found)
        }
    }

    /// An input that was written to while it was read explains whatever seemed wrong with it, and spoils what seemed right.
    fn blame_changed_input<T>(&self, done: Result<T>) -> Result<T> {
        match &done {
            Err(error) if !matches!(error.class(), Class::Data | Class::Environment) => done,
            _ => {
                let mut inputs = [&*self.store.loaded].into_iter().chain(&self.blob_sources);
                inputs.try_for_each(Loaded::check_unchanged).and(done)
            }
        }
    }
}

impl Events for StoreEvents<'_> {
    type Books = Books;

    fn header(&self) -> Header {
        self.store.header()
    }

    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Books> {
        progress.begin(phase, self.store.header().visible);
        let losses = self.store.losses.fork()?;
        let done =
            self.run(consumer, Arc::clone(&losses), scratch, progress).and_then(|(tally, findings, contents)| {
                Ok(Books {
                    report: self.report(&tally, &findings),
                    losses: losses.finish(&findings)?,
                    tally,
                    findings,
                    contents,
                })
            });
        self.blame_changed_input(done)
    }
}

/// Watches what of the filters is met, and how much passes.
pub(crate) struct Watched<'c> {
    pub(crate) consumer: &'c mut dyn Consumer,
    pub(crate) unmatched: Unmatched,
    pub(crate) census: Census,
    is_watched: bool,
}

impl<'c> Watched<'c> {
    /// Watches what goes to `consumer`, for the filters of `scope`.
    pub(crate) fn new(consumer: &'c mut dyn Consumer, scope: &Scope) -> Self {
        Watched { consumer, unmatched: Unmatched::of(scope), census: Census::default(), is_watched: true }
    }

    /// How much has passed; what was found of filters, and by the consumer, goes to `findings`.
    pub(crate) fn finish(self, beyond_limit: u64, findings: &mut Findings) -> Contents {
        let Watched { consumer, unmatched, census, .. } = self;
        if unmatched.things() > 0 {
            for filter in unmatched.filters() {
                findings.record(NOTHING_MATCHES, || Example::new(None, None, filter.to_owned()));
            }
        }
        findings.merge(consumer.findings());
        census.finish(beyond_limit)
    }
}

impl Consumer for Watched<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if self.is_watched {
            self.unmatched.saw(&event);
            self.census.event(&event);
        }
        self.consumer.event(event)
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}

/// Accounts for the families that no adapter was run for.
fn close_books(run: &mut Run<'_>, options: &EventOptions) -> Result<()> {
    for family in Family::ALL {
        let left = run.unaccounted(*family);
        let wanted = family.owner().protocol().map(|adapter| options.adapters.contains(&adapter));
        match (family.role(), wanted) {
            (Role::Data, Some(true)) if !options.has(*family) => run.account(*family, Outcome::NotSelected, left)?,
            (Role::Internal, Some(true)) if !options.has(*family) => run.account(*family, Outcome::Internal, left)?,
            (Role::Internal, None | Some(false)) => run.account(*family, Outcome::Internal, left)?,
            (Role::Data, Some(false)) => run.account(*family, Outcome::NotDecoded, left)?,
            (_, Some(true)) | (Role::Data, None) => run.record_findings(UNACCOUNTED, left),
        }
    }
    Ok(())
}
