//! What every load into a service does before the first thing, and after the last.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ekv_model::{Cancelled, Class, Error, Monitor, Result};

use super::connection::Connection;
use super::options::AwsLoadOptions;
use super::report::{AwsLoadReport, AwsSurvey};
use crate::leave::checkpoint::{Checkpoint, Done, Terms};
use crate::leave::destination::AwsService;
use crate::leave::ledger::{Ledger, stopped};
use crate::progress::{Phase, Progress};
use crate::see::{Look, Source};
use crate::{CommandError, EventOptions};

/// A load that has begun: the account of its things, and the report.
pub(crate) struct Run<'r> {
    pub(crate) options: &'r AwsLoadOptions,
    pub(crate) report: AwsLoadReport,
    pub(crate) ledger: RefCell<Ledger>,
    /// Things before this one were done by an earlier run.
    pub(crate) position: u64,
    /// Whether things may have been written by an earlier run.
    pub(crate) is_in_doubt: bool,
    service: AwsService,
    progress: &'r dyn Progress,
}

impl<'r> Run<'r> {
    /// A run of which nothing is known yet.
    pub(crate) fn new(
        service: AwsService,
        connection: &Connection,
        options: &'r AwsLoadOptions,
        progress: &'r dyn Progress,
    ) -> Self {
        let report = AwsLoadReport {
            format_version: 1,
            target: connection.report.clone(),
            dry_run: options.is_dry_run,
            source_is_complete: true,
            ..AwsLoadReport::default()
        };
        let ledger = RefCell::new(Ledger::default());
        Run { options, report, ledger, position: 0, is_in_doubt: false, service, progress }
    }

    /// Whether everything is looked at before something is written.
    pub(crate) fn has_preflight(&self) -> bool {
        self.options.has_preflight || self.options.is_dry_run || self.options.is_strict
    }

    /// Judges what was found beforehand.
    ///
    /// # Errors
    /// Nothing is selected; in strict mode something cannot go.
    pub(crate) fn surveyed(&mut self, look: Look, survey: AwsSurvey) -> Result<()> {
        if look.things == 0 && !self.options.allow_empty {
            return Err(nothing(self.service, &self.options.events));
        }
        self.looked(look);
        if let Some(reason) = survey.refused.first().filter(|_| self.options.is_strict) {
            let text = format!(
                "--strict: {} {} cannot go: {}; first: {}; nothing was written",
                reason.count,
                self.service.things().1,
                reason.why,
                reason.first.join(", ")
            );
            return Err(Error::new(Class::Data, text));
        }
        self.report.survey = Some(survey);
        Ok(())
    }

    fn looked(&mut self, look: Look) {
        let report = &mut self.report;
        (report.source_losses, report.source_lost) = (look.lost_count, look.lost);
        (report.source_is_complete, report.unmatched) = (look.is_complete, look.unmatched);
    }

    /// Opens the file of `--resume`, if there is one. What its run met is compared with what is there by whoever knows it; then the file is
    /// written for the first time.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub(crate) fn open_checkpoint(&mut self, source: &mut Source) -> Result<Option<Checkpoint>> {
        let Some(file) = &self.options.resume else { return Ok(None) };
        let AwsLoadOptions { on_exists, renames, events, capacity, keeps_etag, seed, .. } = self.options;
        let target = &self.report.target;
        let terms = Terms {
            source: source.identity()?,
            selection: events.scope.describe(&events.adapters),
            policy: format!(
                "on-exists {}, renames {renames:?}, capacity {capacity:?}, etag-metadata {keeps_etag}",
                on_exists.name()
            ),
            target: format!("{} at {} in {}", target.service, target.endpoint, target.region),
        };
        let run = format!("{:012x}", seed & 0xffff_ffff_ffff);
        let (checkpoint, before) = Checkpoint::open(file.clone(), terms, &run)?;
        if before.is_some() {
            self.position = checkpoint.position();
            self.is_in_doubt = true;
            self.report.resumed_after = Some(self.position);
        }
        Ok(Some(checkpoint))
    }

    /// Begins to count: with the checkpoint, if there is one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn begin(&mut self, checkpoint: Option<Checkpoint>) -> Result<()> {
        let mut ledger = Ledger::default();
        if let Some(mut checkpoint) = checkpoint {
            (ledger.tally, ledger.kinds) = checkpoint.state();
            checkpoint.write()?;
            ledger.checkpoint = Some(checkpoint);
        }
        let known = self.report.survey.as_ref().map(|survey| survey.things);
        self.progress.begin(Phase::Load, known);
        self.progress.advance(self.position)?;
        self.ledger = RefCell::new(ledger);
        Ok(())
    }

    /// What shows how far it is, and hears the wish to stop.
    pub(crate) fn progress(&self) -> &'r dyn Progress {
        self.progress
    }

    /// Things before this one are done, as far as the checkpoint is concerned; without one nobody has to remember which are.
    pub(crate) fn position_now(&self) -> u64 {
        self.ledger.borrow().checkpoint.as_ref().map_or(u64::MAX, Checkpoint::position)
    }

    /// A thing is done, in any order.
    ///
    /// # Errors
    /// The checkpoint cannot be written; the user wants to stop.
    pub(crate) fn done(&self, number: u64, done: Done, now: Duration) -> Result<()> {
        let mut ledger = self.ledger.borrow_mut();
        ledger.done(number, done, now);
        let failure = ledger.checkpoint.as_mut().and_then(Checkpoint::take_failure);
        failure.map_or_else(|| Ok(self.progress.advance(1)?), Err)
    }

    /// A thing cannot go, or was not taken.
    pub(crate) fn note_failure(&self, why: &str, address: impl FnOnce() -> String) {
        self.ledger.borrow_mut().reasons.add(why, address);
    }

    /// Closes the books of a load of `sent` things, and removes the checkpoint of one that is done.
    ///
    /// # Errors
    /// Why it ended early, with how far it has come; nothing was selected; the books do not balance.
    pub(crate) fn close(&mut self, poured: Result<Look>, sent: u64, requests: u64) -> Result<()> {
        let mut ledger = std::mem::take(&mut *self.ledger.borrow_mut());
        let mut checkpoint = ledger.checkpoint.take();
        let counts = ledger.counts(sent.max(self.position));
        let what = self.service.things().1;
        let look = match poured {
            Ok(look) => look,
            Err(error) => {
                let kept = checkpoint.as_mut().map_or(Ok(()), Checkpoint::write);
                return Err(stopped(error, what, &counts, self.options.resume.is_some()).after_cleaning_up(kept));
            }
        };
        if ledger.tally.sum() != sent {
            let text = format!(
                "{sent} {what} were looked at, and what became of them does not add up: please report this as a defect"
            );
            return Err(stopped(Error::new(Class::WriteIo, text), what, &counts, false));
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.remove()?;
        }
        if look.things == 0 && !self.options.allow_empty {
            return Err(nothing(self.service, &self.options.events));
        }
        self.looked(look);
        self.report.counts = counts;
        self.report.requests = requests;
        Ok(())
    }
}

/// Nothing is selected.
fn nothing(service: AwsService, events: &EventOptions) -> Error {
    match events.is_selection() {
        true => {
            let hint = events.scope.hint();
            CommandError::NothingMatches { filters: events.scope.describe(&events.adapters), hint }.into()
        }
        false => {
            let (protocol, things) = (service.protocol(), service.things().1);
            let scopes = protocol.scopes_word();
            let text = format!(
                "there are no {scopes} and no {things} in it, and nothing was written (--allow-empty accepts that)"
            );
            Error::new(Class::NoMatch, text)
        }
    }
}

/// The name of a table, bucket or queue on the target.
pub(crate) fn rename<'n>(renames: &'n BTreeMap<String, String>, name: &'n str) -> &'n str {
    renames.get(name).map_or(name, String::as_str)
}

/// Remembers which names are taken on the target.
///
/// # Errors
/// Two names of the source would be one there.
pub(crate) fn check_renames(taken: &mut BTreeMap<String, String>, name: &str, target: &str) -> Result<()> {
    match taken.insert(target.to_owned(), name.to_owned()) {
        Some(other) if other != name => {
            let text = format!("{other} and {name} would both be called {target}: choose another NEW for --rename");
            Err(Error::new(Class::Environment, text))
        }
        _ => Ok(()),
    }
}

/// Progress of a source while what is counted is what comes of it elsewhere: only the wish to stop passes.
pub(crate) struct Settling<'p>(pub(crate) &'p dyn Progress);

impl Monitor for Settling<'_> {
    fn advance(&self, _done: u64) -> Result<(), Cancelled> {
        self.0.advance(0)
    }
}

impl Progress for Settling<'_> {
    fn begin(&self, _phase: Phase, _total: Option<u64>) {}
}
