//! What is left of queues that are gone, or whose settings cannot be read. Source: `docs/format/sqs.md`, section 3.

use ekv_model::{Protocol, Result};
use ekv_snapshot::Range;
use ekv_spill::{Sorted, Sorter};

use super::decoder::Decoder;
use super::keys::queue_name;
use super::{findings, side};
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Memory for the names of queues that are gone, in bytes.
const NAMES_BUDGET_BYTES: usize = 1 << 20;

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
                self.remains(run, text, &name, Outcome::Orphaned, &keys)?;
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
                    run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), || {
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
}
