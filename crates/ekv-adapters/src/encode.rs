//! Events to records: the reverse of the adapters' `decode` functions.

use std::sync::Arc;

use ekv_model::{Consumer, Event, Findings, Map, Protocol, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::Scratch;

use crate::adapter::EncodeEvents;
use crate::adapter_of;
use crate::encode_error::{EncodeError, EncodeOptions};

/// Turns events into records and puts them into a sink, in the order in which they come.
///
/// Source: `docs/format/restore.md`, section 3.3. Cost: one value that must be put together from several events in memory, or in a
/// scratch file if it is large.
pub struct Encoder<'s> {
    sink: &'s mut dyn RecordSink,
    protocols: Map<Box<dyn EncodeEvents>>,
}

impl<'s> Encoder<'s> {
    /// An encoder that puts records into `sink`.
    pub fn new(sink: &'s mut dyn RecordSink, scratch: &Arc<dyn Scratch>) -> Self {
        Encoder::with_options(sink, scratch, EncodeOptions::default())
    }

    /// As [`Encoder::new`], with options.
    pub fn with_options(sink: &'s mut dyn RecordSink, scratch: &Arc<dyn Scratch>, options: EncodeOptions) -> Self {
        Encoder { sink, protocols: Map::of(|protocol| (adapter_of(protocol).encoder)(scratch, options)) }
    }

    /// What was odd about the events so far and did not keep them from becoming records.
    pub fn take_findings(&mut self) -> Findings {
        let mut findings = Findings::default();
        for protocol in Protocol::ALL {
            findings.merge(self.protocols.get_mut(protocol).take_findings());
        }
        findings
    }
}

impl Consumer for Encoder<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event.protocol() {
            Some(protocol) => self.protocols.get_mut(protocol).event(self.sink, event),
            None => Err(EncodeError::Unsupported { protocol: "records that no adapter decodes" }.into()),
        }
    }
}
