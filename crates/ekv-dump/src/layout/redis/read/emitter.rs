//! Events of a database, on their way to who takes them.

use ekv_model::payload::{element_len, is_element};
use ekv_model::redis::{CollectionSize, Event};
use ekv_model::{Consumer, Event as ModelEvent};

use crate::replay::ReadPosition;
use crate::replay::reading::{Reading, emit};
use ekv_files::Result;

/// Hands events of a database to the target.
pub(super) struct Emitter<'a> {
    target: &'a mut dyn Consumer,
    database: u32,
    place: &'a ReadPosition,
    /// Whether collections are measured before they begin.
    looks_ahead: bool,
}

/// Measures the elements that pass.
#[derive(Default)]
struct Meter(CollectionSize);

impl Consumer for Meter {
    fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
        if let ModelEvent::Redis { event: Event::Element(element), .. } = event {
            let CollectionSize { elements, bytes } = &mut self.0;
            *elements = elements.saturating_add(u64::from(is_element(&element)));
            *bytes = bytes.saturating_add(element_len(&element));
        }
        Ok(())
    }
}

impl<'a> Emitter<'a> {
    pub(super) fn new<'r: 'a>(reading: &Reading<'r>, database: u32, target: &'a mut dyn Consumer) -> Self {
        Emitter { target, database, place: reading.place(), looks_ahead: reading.scope().looks_ahead() }
    }

    /// How large a collection is, if that is asked for; `elements` emits what is in it.
    pub(super) fn measure(
        &mut self,
        elements: impl FnOnce(&mut Emitter<'_>) -> Result<()>,
    ) -> Result<Option<CollectionSize>> {
        if !self.looks_ahead {
            return Ok(None);
        }
        let mut meter = Meter::default();
        let database = self.database;
        elements(&mut Emitter { target: &mut meter, database, place: self.place, looks_ahead: false })?;
        Ok(Some(meter.0))
    }

    pub(super) fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.place, ModelEvent::Redis { database: self.database, event })
    }

    /// Says in which line of the file the next events are.
    pub(super) fn enter_line(&mut self, line: u64) {
        self.place.enter_line(line);
    }
}
