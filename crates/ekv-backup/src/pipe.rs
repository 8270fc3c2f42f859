//! From a source of events to an output: how every command that makes something of data is put together.
//!
//! ```text
//! Events ──event──► Output (a Consumer) ──► Published
//!    └──── Books: what became of everything ────┘
//! ```
//!
//! A source has proved sound before the output exists; an output is ended with the books, or taken back. A new source is a new [`Events`],
//! a new output a new [`Output`]; nothing else has to know of it.

use std::sync::Arc;

use ekv_adapters::Tally;
use ekv_model::{Consumer, Findings, Result};
use ekv_spill::{Scratch, SystemScratch};

use crate::events::BooksReport;
use crate::losses::Losses;
use crate::{Phase, Progress};

/// A source of events that has been opened and checked.
pub trait Events {
    /// What it says of itself at the end.
    type Books;

    /// What is known before the first event.
    fn header(&self) -> Header;

    /// Hands everything to `consumer`, in the order that `ekv_model` prescribes for each protocol. `scratch` takes what would grow with
    /// the input. `progress` is told that `phase` begins. Memory is bounded. May be called again, and gives the same then.
    ///
    /// # Errors
    /// A source that cannot be read or was written to in the meantime, the first error of the consumer, or that the user wants to stop.
    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Self::Books>;
}

/// What is known of a source before its first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Visible records.
    pub visible: u64,
    /// The moment at which versions were resolved, of several groups the latest (HLC).
    pub read_ts: u64,
    /// Newest commit that the source states (HLC).
    pub last_commit_ts: u64,
    /// Index of the snapshot in the log of its group, if there is one snapshot and its name tells it.
    pub snapshot_index: Option<u64>,
    /// Checksum in the footer of the snapshot, if there is one snapshot and it has one.
    pub footer_crc32c: Option<u32>,
}

/// What became of the records of a snapshot.
#[derive(Debug)]
pub struct Books {
    /// Where every entry went, as reports and manifests have it.
    pub report: BooksReport,
    /// What became of the visible records of each key family.
    pub tally: Tally,
    /// What was odd or lost.
    pub findings: Findings,
    /// Everything that was left out, one by one.
    pub losses: Losses,
}

/// Something that is made of events and is there as a whole, or not at all.
pub trait Output: Consumer + Sized {
    /// What it becomes.
    type Published;

    /// Where what would grow with the input may lie meanwhile.
    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    /// Ends and publishes it.
    ///
    /// # Errors
    /// Nothing is published and nothing left behind then, except as the type says.
    fn finish(self, books: Books) -> Result<Self::Published>;

    /// Takes everything back. An output that cannot be taken back, such as a live server, says in its error what is there.
    ///
    /// # Errors
    /// If something is left behind.
    fn abort(self) -> Result<()>;
}

/// Makes an output of events. `begin` is called once and makes the output, in which nothing can be seen yet; `accept` judges the books
/// before anything is published.
///
/// # Errors
/// Those of the parts; the output has then been taken back.
pub fn run<O: Output>(
    events: &mut dyn Events<Books = Books>,
    begin: impl FnOnce(&Header) -> Result<O>,
    accept: impl FnOnce(Books) -> Result<Books>,
    progress: &dyn Progress,
) -> Result<O::Published> {
    let mut output = begin(&events.header())?;
    let scratch = output.scratch();
    let poured = events.pour(&mut output, Phase::Decode, &scratch, progress);
    match poured.and_then(accept) {
        Ok(books) => output.finish(books),
        Err(error) => Err(error.after_cleaning_up(output.abort())),
    }
}
