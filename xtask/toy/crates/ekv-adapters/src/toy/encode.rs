//! Events to records.

use ekv_model::toy::Event;
use ekv_model::{Event as ModelEvent, Result};
use ekv_snapshot::RecordSink;

use super::keys;
use crate::EncodeError;
use crate::adapter::EncodeEvents;

/// Builds records from the events of one box after the other.
#[derive(Default)]
pub(super) struct Encoder {
    /// The open box.
    open: Option<Vec<u8>>,
}

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        match (event, &self.open) {
            (ModelEvent::Toy(Event::Begin(name)), None) => {
                self.open = Some(name.to_vec());
                Ok(())
            }
            (ModelEvent::Toy(Event::Toy { name, body, .. }), Some(of)) => sink.put(&keys::toy(of, name), &[body]),
            (ModelEvent::Toy(Event::End), Some(_)) => {
                self.open = None;
                Ok(())
            }
            _ => Err(EncodeError::Misplaced { what: "a toy outside of a box, or a box in a box" }.into()),
        }
    }
}
