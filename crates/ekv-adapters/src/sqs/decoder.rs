//! What decoding works with, and what it does with a queue without settings. Source: `docs/format/sqs.md`, section 3.

use ekv_model::sqs::Event;
use ekv_model::{Event as ModelEvent, Keys, Result};
use ekv_snapshot::Lookup;

use super::messages::{Messages, Wanted};
use super::rows::Owners;
use super::side::SideRecords;
use super::{Options, findings};
use crate::{Outcome, Run};

/// What decoding works with.
pub(super) struct Decoder {
    pub(super) options: Options,
    pub(super) owners: Owners,
    pub(super) messages: Messages,
    pub(super) side: SideRecords,
    pub(super) generations: Lookup,
    pub(super) sequences: Lookup,
    pub(super) user_key: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(run: &Run<'_>, options: Options) -> Self {
        Decoder {
            options,
            owners: Owners::new(run),
            messages: Messages::new(run),
            side: SideRecords::new(run),
            generations: run.view().lookup(),
            sequences: run.view().lookup(),
            user_key: Vec::new(),
        }
    }

    /// Emits the messages and side records of a queue without settings, or gives all of them this outcome.
    pub(super) fn remains(
        &mut self,
        run: &mut Run<'_>,
        text: &[u8],
        name: &[u8],
        outcome: Outcome,
        keys: &Keys<'_>,
    ) -> Result<()> {
        let mut is_open = false;
        let mut open = |run: &mut Run<'_>| {
            if std::mem::replace(&mut is_open, true) {
                return Ok(());
            }
            run.emit(ModelEvent::Sqs(Event::Orphan { name }))
        };
        let messages = if self.options.include_orphans {
            let (sorter, _) = self.messages.collect(run, &mut self.owners, text, Wanted::Every, keys)?;
            let count = sorter.len();
            if count > 0 {
                open(run)?;
                self.messages.emit(run, sorter)?;
            }
            count
        } else {
            self.messages.leave_out(run, &mut self.owners, text, outcome)?
        };
        if messages > 0 {
            let side_records = self.side.count(&mut self.owners, text)?;
            run.record_finding(findings::ORPHAN_MESSAGES, name, None, || {
                let verb =
                    if self.options.include_orphans { "written as those of a lost queue" } else { "not written" };
                format!("{messages} messages {verb}, {side_records} side records")
            });
        }
        if self.options.include_side_records && keys.is_all() {
            self.side.emit(run, &mut self.owners, text, &mut open)?;
        }
        if is_open { run.emit(ModelEvent::Sqs(Event::End)) } else { Ok(()) }
    }
}
