//! What is left of queues that are gone, or whose settings cannot be read. Source: `docs/format/sqs.md`, section 3.

use ekv_model::sqs::Event;
use ekv_model::{Event as ModelEvent, Keys, Protocol, Result};
use ekv_snapshot::Range;
use ekv_spill::{Sorted, Sorter};

use super::keys::queue_name;
use super::messages::Wanted;
use super::{Decoder, findings, side};
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Memory for the names of queues that are gone, in bytes.
const NAMES_BUDGET_BYTES: usize = 1 << 20;

/// Why a queue has no settings to go with its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// There are none.
    Gone,
    /// They are damaged.
    Lost,
}

impl Decoder {
    /// Deals with all records that no settings record led to.
    pub(super) fn orphans(&mut self, run: &mut Run<'_>) -> Result<()> {
        let scope = run.scope();
        let is_everything = scope.is_all_of(Protocol::Sqs);
        if !is_everything && !self.options.include_orphans && !self.options.include_side_records {
            return Ok(());
        }
        let mut names = self.names(run, is_everything)?;
        let mut last = Vec::new();
        while let Some((text, _)) = names.next().map_err(scratch_error)? {
            if text == last {
                continue;
            }
            last.clear();
            last.extend_from_slice(text);
            let name = queue_name(text).unwrap_or_default();
            let keys = scope.keys_in(Protocol::Sqs, &name);
            if !keys.is_nothing() {
                self.remains(run, text, &name, Fate::Gone, &keys)?;
            }
        }
        Ok(())
    }

    /// The base64url names of queues that are gone, sorted, with repeats. Malformed keys are dealt with on the way.
    fn names(&mut self, run: &mut Run<'_>, is_everything: bool) -> Result<Sorted> {
        let mut names = Sorter::new(run.scratch(), NAMES_BUDGET_BYTES);
        let with_side = if self.options.include_side_records { &side::FAMILIES[..] } else { &[] };
        for family in [Family::SqsMessage].iter().chain(with_side) {
            if run.unaccounted(*family) == 0 {
                continue;
            }
            let mut last = None;
            let mut scan = run.view().scan_range(Range::prefix(family.prefix()))?;
            while let Some(found) = scan.next_visible()? {
                let rest = found.user_key.get(family.prefix().len()..).unwrap_or(&[]);
                let Some(place) = self.owners.place(*family, rest)? else {
                    if !is_everything {
                        continue;
                    }
                    run.find(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), || {
                        format!("{} key does not parse", family.name())
                    });
                    run.account(*family, Outcome::Lost, 1)?;
                    continue;
                };
                let text = place.queue_text(rest);
                if last.as_deref() != Some(text) {
                    if !self.owners.is_known(text)? {
                        names.push(text, b"").map_err(scratch_error)?;
                    }
                    last = Some(text.to_vec());
                }
            }
        }
        names.finish().map_err(scratch_error)
    }

    /// Emits or accounts for the messages and side records of a queue without settings.
    pub(super) fn remains(
        &mut self,
        run: &mut Run<'_>,
        text: &[u8],
        name: &[u8],
        fate: Fate,
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
            let outcome = match fate {
                Fate::Gone => Outcome::Orphaned,
                Fate::Lost => Outcome::Lost,
            };
            self.messages.leave_out(run, &mut self.owners, text, outcome)?
        };
        if messages > 0 {
            let side_records = self.side.count(&mut self.owners, text)?;
            run.find(findings::ORPHAN_MESSAGES, name, None, || {
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
