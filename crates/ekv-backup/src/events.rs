//! The records of a [`Store`] as events, and the books that are kept of them.

use std::path::PathBuf;
use std::sync::Arc;

use ekv_adapters::{Family, Outcome, Role, Run, Tally, dynamodb, raw, redis, s3, sqs};
use ekv_model::{Class, Consumer, Finding, Findings, Result};
use ekv_snapshot::View;
use ekv_spill::Scratch;
use serde::Serialize;

use crate::inspect::{PrefixReport, prefixes};
use crate::load::{Loaded, ReadOptions, load};
use crate::losses::LossFile;
use crate::pipe::{Books, Events, Header};
use crate::progress::{Follower, Phase, Progress};
use crate::report::{
    Accounts, FamilyReport, FindingReport, NamesReport, SnapshotReport, TransactionsReport, families, findings,
};
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
    /// Whether records that no adapter decodes come as they are.
    pub include_unknown: bool,
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
            include_unknown: false,
        }
    }

    /// Whether a family is asked for.
    pub(crate) fn has(&self, family: Family) -> bool {
        family.owner().protocol().map_or(self.include_unknown, |adapter| self.adapters.contains(&adapter))
    }
}

/// The account of a run, as MANIFEST.json carries it under `ekv_backup`.
#[derive(Debug, Serialize)]
pub struct BooksReport {
    /// Whether everything is there that was asked for, and what that rests on.
    pub completeness: Completeness,
    /// The snapshots that were read.
    pub snapshots: Vec<SnapshotReport>,
    /// Where every entry went.
    pub records: Accounts,
    /// The same per key family.
    pub families: Vec<FamilyReport>,
    /// Beginnings of keys that no known family has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_prefixes: Vec<PrefixReport>,
    /// Staged writes of transactions.
    #[serde(skip_serializing_if = "TransactionsReport::is_empty")]
    pub transactions: TransactionsReport,
    /// What was odd or lost.
    pub findings: Vec<FindingReport>,
    /// How many losses LOSSES.jsonl lists; absent where nothing was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_losses: Option<u64>,
    /// How many tables, buckets and queues SCOPES.jsonl lists; absent where they are few enough for the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_scopes: Option<u64>,
    /// File names that other systems refuse or take for each other.
    #[serde(skip_serializing_if = "NamesReport::is_empty")]
    pub names_not_portable: NamesReport,
}

/// What [`Store::events`] gives.
pub struct StoreEvents<'s> {
    store: &'s Store,
    options: &'s EventOptions,
    /// Each is a view of its own, so that a damaged copy in one does not hide a sound one in another.
    blob_sources: Vec<Loaded>,
}

impl<'s> StoreEvents<'s> {
    /// Opens and checks the snapshots of other nodes, if S3 content may be looked for there.
    pub(crate) fn of(store: &'s Store, options: &'s EventOptions, progress: &dyn Progress) -> Result<Self> {
        let read = ReadOptions { at: None, ..store.read.clone() };
        let wanted = options.blob_sources.iter().filter(|_| options.adapters.contains(&Protocol::S3));
        let blob_sources = wanted.map(|source| load(source, &read, &store.scratch, progress)).collect::<Result<_>>()?;
        Ok(StoreEvents { store, options, blob_sources })
    }

    /// Runs the adapters that were asked for and closes the books.
    fn run_adapters(
        &self,
        consumer: &mut dyn Consumer,
        losses: Arc<LossFile>,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<(Tally, Findings)> {
        let StoreEvents { store, options, blob_sources } = self;
        let blob_views: Vec<View> = blob_sources.iter().flat_map(Loaded::views).collect();
        let follower = Follower::new(progress);
        let mut run = Run::new(&store.state.view, &store.state.families, consumer, &follower, Arc::clone(scratch));
        run.log_losses(Some(losses));
        for adapter in Protocol::IN_DUMPS.iter().filter(|adapter| options.adapters.contains(adapter)) {
            match adapter {
                Protocol::Redis => redis::decode(&mut run, &options.redis)?,
                Protocol::DynamoDb => dynamodb::decode(&mut run)?,
                Protocol::Sqs => sqs::decode(&mut run, &options.sqs)?,
                Protocol::S3 => s3::decode(&mut run, &options.s3, &blob_views)?,
            }
        }
        if options.include_unknown {
            raw::decode(&mut run)?;
        }
        raw::leave_out(&mut run, NOT_DECODED)?;
        close_books(&mut run, options)?;
        let (tally, mut findings) = run.into_books();
        findings.merge(store.findings());
        findings.merge(consumer.findings());
        Ok((tally, findings))
    }

    fn report(&self, tally: &Tally, found: &Findings) -> BooksReport {
        let Store { loaded, state, read, .. } = self.store;
        let snapshots = state.reports(loaded);
        let families = families(&state.families, Some(tally));
        BooksReport {
            completeness: Completeness::of(loaded, state, read, found, Some((tally, &self.options.adapters))),
            records: Accounts::new(&snapshots, &families),
            snapshots,
            families,
            unknown_prefixes: prefixes(&loaded.unknown_prefixes),
            transactions: state.transactions.into(),
            findings: findings(found),
            listed_losses: None,
            listed_scopes: None,
            names_not_portable: NamesReport::default(),
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
        progress.begin(phase, Some(self.store.header().visible));
        let losses = self.store.losses.fork()?;
        let done = self.run_adapters(consumer, Arc::clone(&losses), scratch, progress).and_then(|(tally, findings)| {
            Ok(Books { report: self.report(&tally, &findings), losses: losses.finish(&findings)?, tally, findings })
        });
        self.blame_changed_input(done)
    }
}

/// Accounts for the families that no adapter was run for.
fn close_books(run: &mut Run<'_>, options: &EventOptions) -> Result<()> {
    for family in Family::ALL {
        let left = run.unaccounted(*family);
        let wanted = family.owner().protocol().map(|adapter| options.adapters.contains(&adapter));
        match (family.role(), wanted) {
            (Role::Internal, None | Some(false)) => run.account(*family, Outcome::Internal, left)?,
            (Role::Data, Some(false)) => run.account(*family, Outcome::NotDecoded, left)?,
            (_, Some(true)) | (Role::Data, None) => run.find_many(UNACCOUNTED, left),
        }
    }
    Ok(())
}
