//! What a server can restore of a dump. Source: `docs/format/restore.md`, section 2.2.
//!
//! A dump holds whatever a server had stored, also what no server takes back: keys beyond the limit of its restore, numbers that are
//! none. One of them must not cost all others, so they are left out here, each with a finding, and what is merely incomplete is mended.
//! `encode` sends the events of a dump through this filter on their way into records, and once more on their way into the files that the
//! payload is compared with.

use std::sync::Arc;

use ekv_model::{Consumer, Event, Findings, LossLog, Map, Result};

use crate::adapter_of;
use crate::encode_error::EncodeOptions;
use crate::restores::{NOT_RESTORABLE, Passing, Restores};

/// Passes events on that can become records.
pub struct Restorable<'t> {
    target: &'t mut dyn Consumer,
    findings: Findings,
    protocols: Map<Box<dyn Restores>>,
}

impl<'t> Restorable<'t> {
    /// Passes what can be restored on to `target`. Everything else goes to `losses`, one by one.
    pub fn new(target: &'t mut dyn Consumer, losses: Option<Arc<dyn LossLog>>, options: EncodeOptions) -> Self {
        let protocols = Map::of(|protocol| (adapter_of(protocol).restores)(options));
        Restorable { target, findings: Findings::with_log(losses), protocols }
    }

    /// How many things were left out so far.
    pub fn left_out(&self) -> u64 {
        self.findings.count(NOT_RESTORABLE)
    }

    /// What was left out or mended.
    pub fn into_findings(self) -> Findings {
        self.findings
    }
}

impl Consumer for Restorable<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let Restorable { target, findings, protocols } = self;
        match event.protocol() {
            Some(protocol) => {
                protocols.get_mut(protocol).event(event, &mut Passing { target: &mut **target, findings, protocol })
            }
            None => target.event(event),
        }
    }
}
