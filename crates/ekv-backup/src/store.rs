//! A snapshot, or a node's data directory: opened and checked once, asked as often as one likes.

use std::path::Path;
use std::sync::Arc;

use ekv_adapters::{Family, Role};
use ekv_model::{Findings, Result};
use ekv_snapshot::{FamilyTotals, Input};
use ekv_spill::Scratch;

use crate::books::Header;
use crate::load::{load, load_input};
use crate::loaded::Loaded;
use crate::losses::LossFile;
use crate::report::{FamilyReport, families};
use crate::state::State;
use crate::{Completeness, IndexUse, Progress, Protocol, ReadOptions, ReadTime};

/// A sound snapshot, or the newest sound snapshot of every group of a node, as a reader sees it at one moment.
///
/// ```no_run
/// use ekv_backup::pipe::Events;
/// use ekv_backup::{EventOptions, NoProgress, Phase, ReadOptions, Store, StoreEvents};
/// # fn count(consumer: &mut dyn ekv_model::Consumer) -> ekv_backup::Result<()> {
/// let read = ReadOptions::default();
/// let store = Store::open("node/data".as_ref(), &read, &NoProgress)?;
/// println!("{:?} visible records", store.header().visible);
/// let options = EventOptions::default();
/// let mut events = StoreEvents::of(&store, &options, &NoProgress)?;
/// let books = events.pour(consumer, Phase::Decode, &read.resources.scratch(), &NoProgress)?;
/// assert!(books.report.completeness.is_complete());
/// # Ok(())
/// # }
/// ```
pub struct Store {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) state: State,
    pub(crate) read: ReadOptions,
    pub(crate) scratch: Arc<dyn Scratch>,
    /// What is lost so far.
    pub(crate) losses: Arc<LossFile>,
}

impl Store {
    /// Opens what `input` names, checks all of it (structure, order, checksums, groups), and resolves versions at `read.at`.
    ///
    /// Cost: one read, and another one if there are staged writes of transactions or several groups; fixed memory. Nothing is written
    /// but nameless scratch files.
    ///
    /// # Errors
    /// What is damaged, incomplete, too old or too large for `read`, or cannot answer the time; a failing read; the user's wish to stop.
    pub fn open(input: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<Store> {
        let scratch = read.resources.scratch();
        let loaded = load(input, read, &scratch, progress)?;
        Store::resolve(Arc::new(loaded), read, scratch, progress)
    }

    /// As [`Store::open`], of a snapshot that is open already.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn of_input(
        input: Input,
        read: &ReadOptions,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Store> {
        let loaded = load_input(input, read, scratch, progress)?;
        Store::resolve(Arc::new(loaded), read, Arc::clone(scratch), progress)
    }

    /// The same at another moment; `None` = the newest state. The snapshots are not checked again.
    ///
    /// Cost: one read; fixed memory.
    ///
    /// # Errors
    /// If the snapshots cannot answer the time, and as [`Store::open`].
    pub fn at(&self, at: Option<ReadTime>, progress: &dyn Progress) -> Result<Store> {
        let read = ReadOptions { at, ..self.read.clone() };
        Store::resolve(Arc::clone(&self.loaded), &read, Arc::clone(&self.scratch), progress)
    }

    fn resolve(
        loaded: Arc<Loaded>,
        read: &ReadOptions,
        scratch: Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Store> {
        let losses = loaded.losses.fork()?;
        let state = State::of(&loaded, read, &losses, &scratch, progress)?;
        Ok(Store { loaded, state, read: read.clone(), scratch, losses })
    }

    /// What is known without reading a record.
    pub fn header(&self) -> Header {
        let snapshots = &self.loaded.snapshots;
        let only = snapshots.first().filter(|_| snapshots.len() == 1);
        Header {
            visible: Some(self.state.families.iter().map(|family| family.visible).sum()),
            read_ts: self.state.newest_read_ts().0,
            last_commit_ts: snapshots.iter().map(|loaded| loaded.scan.last_commit_ts.0).max().unwrap_or(0),
            snapshot_index: only.and_then(|loaded| loaded.snapshot_index),
            footer_crc32c: only.and_then(|loaded| loaded.scan.envelope.footer_crc32c),
        }
    }

    /// What the records of each key family are.
    pub fn families(&self) -> Vec<FamilyReport> {
        families(&self.state.families, None)
    }

    /// Whether everything is here, as far as that can be said before the records are read, and what that rests on.
    pub fn completeness(&self) -> Completeness {
        Completeness::of(&self.loaded, &self.state, &self.read, &self.findings(), None)
    }

    /// What was odd or lost so far.
    pub fn findings(&self) -> Findings {
        let mut findings = self.loaded.findings();
        findings.merge(self.state.findings.clone());
        findings
    }

    /// What is unusual about where the snapshots were found, and what holds for the result as a whole.
    pub fn notes(&self) -> Vec<String> {
        self.loaded.notes().chain(self.state.notes.iter().cloned()).collect()
    }

    /// What became of the indexes of its snapshots, by the names that messages give these; nothing if none were asked for.
    pub fn indexes(&self) -> impl Iterator<Item = (&str, &IndexUse)> {
        let snapshots = self.loaded.snapshots.iter();
        snapshots.filter_map(|loaded| Some((loaded.input_name.as_str(), loaded.index.as_ref()?)))
    }

    /// Makes sure that there is more than the state of a clock.
    ///
    /// # Errors
    /// If there is not; `input` is what the user named.
    pub fn check_has_data(&self, input: &Path) -> Result<()> {
        self.loaded.check_has_data(input)
    }

    /// Totals of the families with data of users that `is_meant`.
    pub(crate) fn data_families(&self, is_meant: impl Fn(Family) -> bool) -> impl Iterator<Item = &FamilyTotals> {
        let meant = Family::ALL.iter().filter(move |family| family.role() == Role::Data && is_meant(**family));
        meant.filter_map(|family| self.state.families.get(family.number()))
    }

    /// The cluster that an offload store names for all snapshots that were read.
    pub(crate) fn source_cluster(&self) -> Option<String> {
        let mut names = self.loaded.snapshots.iter().map(|loaded| Some(&loaded.offload.as_ref()?.source_cluster));
        let first = names.next()??;
        names.all(|name| name == Some(first)).then(|| first.clone())
    }

    /// Whether encrypted values were opened.
    pub(crate) fn has_opened_values(&self) -> bool {
        self.loaded.snapshots.iter().any(|loaded| !loaded.scan.opened.is_empty())
    }

    /// Whether a reader sees data of an adapter.
    pub(crate) fn has_data_of(&self, adapter: Protocol) -> bool {
        self.data_families(|family| family.owner().protocol() == Some(adapter)).any(|totals| totals.visible > 0)
    }
}
