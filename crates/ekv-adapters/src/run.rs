//! What every adapter works with during one decode.

use std::sync::Arc;

use ekv_model::{Consumer, Event, Example, FileOffset, Finding, Findings, LossLog, Monitor, Result, Scope};
use ekv_snapshot::{CommitTs, FamilyTotals, View};
use ekv_spill::Scratch;

use crate::{Family, Outcome, Owner, Role, Tally};

/// One decode: where records come from, where events go, and the books that are kept.
pub struct Run<'a> {
    view: &'a View,
    visible: Vec<u64>,
    damaged: Vec<u64>,
    target: &'a mut dyn Consumer,
    monitor: &'a dyn Monitor,
    scratch: Arc<dyn Scratch>,
    tally: Tally,
    findings: Findings,
    scope: Arc<Scope>,
    looks_ahead: bool,
}

impl<'a> Run<'a> {
    /// A run over `view`; `families` holds the totals of pass 1 by family number, summed over all groups.
    pub fn new(
        view: &'a View,
        families: &[FamilyTotals],
        target: &'a mut dyn Consumer,
        monitor: &'a dyn Monitor,
        scratch: Arc<dyn Scratch>,
    ) -> Self {
        let visible = families.iter().map(|family| family.visible).collect();
        let damaged = families.iter().map(|family| family.damaged).collect();
        Run {
            view,
            visible,
            damaged,
            target,
            monitor,
            scratch,
            tally: Tally::default(),
            findings: Findings::default(),
            scope: Arc::default(),
            looks_ahead: false,
        }
    }

    /// Reads only what `scope` selects from now on; at first that is everything.
    pub fn select(&mut self, scope: Arc<Scope>) {
        self.looks_ahead |= scope.looks_ahead();
        self.scope = scope;
    }

    /// Has every collection tell at its beginning how large it is and when it was changed, at the cost of reading some of them twice.
    pub fn look_ahead(&mut self) {
        self.looks_ahead = true;
    }

    /// Whether collections are to tell at their beginning how large they are.
    pub(crate) fn looks_ahead(&self) -> bool {
        self.looks_ahead
    }

    /// What is read.
    pub fn scope(&self) -> Arc<Scope> {
        Arc::clone(&self.scope)
    }

    /// Accounts for all records of an owner that nothing has asked for as not selected.
    ///
    /// # Errors
    /// The monitor's wish to stop.
    pub fn leave_rest(&mut self, owner: Owner) -> Result<()> {
        for family in Family::ALL.iter().filter(|family| family.owner() == owner && family.role() == Role::Data) {
            self.account(*family, Outcome::NotSelected, self.unaccounted(*family))?;
        }
        Ok(())
    }

    /// Notes every loss from now on in `losses`.
    pub fn log_losses(&mut self, losses: Option<Arc<dyn LossLog>>) {
        self.findings = Findings::with_log(losses);
    }

    /// The records.
    pub fn view(&self) -> &'a View {
        self.view
    }

    /// Scratch space for what would grow with the input.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    /// Who may stop the run; to be asked (with no records) during long steps.
    pub(crate) fn monitor(&self) -> &'a dyn Monitor {
        self.monitor
    }

    /// The read timestamp in Unix milliseconds: the moment at which expiries are judged.
    pub fn instant_ms(&self) -> u64 {
        self.view.read_ts().unix_ms()
    }

    /// The read timestamp.
    pub fn read_ts(&self) -> CommitTs {
        self.view.read_ts()
    }

    /// Visible records of a family; 0 means that a range read finds nothing in it.
    pub fn visible(&self, family: Family) -> u64 {
        self.visible.get(family.number()).copied().unwrap_or(0)
    }

    /// Whether a point read can find a record of a family: a visible one, or one with a damaged value header.
    pub fn can_find(&self, family: Family) -> bool {
        self.visible(family) > 0 || self.has_damage(family)
    }

    /// Whether a record of a family has a damaged value header.
    pub(crate) fn has_damage(&self, family: Family) -> bool {
        self.damaged.get(family.number()).is_some_and(|damaged| *damaged > 0)
    }

    /// Hands an event to the target.
    ///
    /// # Errors
    /// Whatever the target reports.
    pub fn emit(&mut self, event: Event<'_>) -> Result<()> {
        self.target.event(event)
    }

    /// Whether the target leaves out what was emitted last.
    pub(crate) fn is_leaving_out(&self) -> bool {
        self.target.is_leaving_out()
    }

    /// Accounts for visible records; as not selected, where the target leaves out what they were emitted for.
    ///
    /// # Errors
    /// The monitor's wish to stop.
    pub fn account(&mut self, family: Family, outcome: Outcome, records: u64) -> Result<()> {
        let outcome = match outcome {
            Outcome::Emitted if self.target.is_leaving_out() => Outcome::NotSelected,
            outcome => outcome,
        };
        self.tally.add(family, outcome, records);
        Ok(self.monitor.advance(records)?)
    }

    /// Records of a family that no outcome has been given yet.
    pub fn unaccounted(&self, family: Family) -> u64 {
        self.visible(family).saturating_sub(self.tally.of(family).total())
    }

    /// Notes a finding about a user's key.
    pub fn record_finding(
        &mut self,
        finding: Finding,
        key: &[u8],
        at: Option<FileOffset>,
        detail: impl FnOnce() -> String,
    ) {
        self.findings.record(finding, || {
            let byte_offset = at.and_then(|at| at.byte_offset);
            Example::new(Some(key), byte_offset, detail()).in_file(at.map(|at| at.file))
        });
    }

    /// Notes a finding that occurred `count` times, without examples.
    pub fn record_findings(&mut self, finding: Finding, count: u64) {
        self.findings.record_many(finding, count);
    }

    /// What was found so far.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The books.
    pub fn into_books(self) -> (Tally, Findings) {
        (self.tally, self.findings)
    }
}

/// A failure of scratch space as an error of the run.
pub(crate) fn scratch_error(error: ekv_spill::Error) -> ekv_model::Error {
    ekv_snapshot::Error::from(error).into()
}
