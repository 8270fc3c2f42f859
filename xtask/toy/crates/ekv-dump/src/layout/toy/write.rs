//! Events to files.

use ekv_files::{DumpPath, Result};
use ekv_model::Event as ModelEvent;
use ekv_model::toy::Event;

use super::entry::Entry;
use crate::DumpWriter;
use crate::layout::in_scope::InScope as _;
use crate::layout::scopes::ScopeNames;
use crate::layout::write_files::{WriteFiles, Written};
use crate::segment::{component, encode_segment};

/// Writes boxes one after the other.
#[derive(Default)]
pub(super) struct Boxes {
    /// The directory of the open one.
    directory: Vec<u8>,
    names: ScopeNames,
}

impl WriteFiles for Boxes {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        match event {
            ModelEvent::Toy(Event::Begin(name)) => {
                self.directory = component(name);
                // The manifest is text.
                std::str::from_utf8(name).map_or(Ok(()), |name| self.names.push(name, &writer.scratch()))
            }
            ModelEvent::Toy(Event::Toy { name, body, .. }) => {
                writer.begin(&DumpPath::new(&Entry(&encode_segment(name)).path(&self.directory))?)?;
                writer.write_body(&body)?;
                writer.end()
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, _: &mut DumpWriter) -> Result<Written> {
        Ok(Written { names: std::mem::take(&mut self.names), ..Written::default() })
    }
}
