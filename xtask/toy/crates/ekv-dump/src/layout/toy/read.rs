//! Files to events.

use ekv_files::{DumpPath, Error, Result};
use ekv_model::toy::Event;
use ekv_model::{Consumer, Event as ModelEvent, Protocol};

use super::entry::Entry as Toy;
use crate::entry::Entry;
use crate::layout::inside::Inside;
use crate::replay::ReadPosition;
use crate::replay::reading::{DumpFile, Reading, Visit, emit};
use crate::replay::value::ValueBuffer;
use crate::segment::{Decoded, decode_component, decode_segment};
use crate::verify::problem::ProblemKind;

/// Replays the boxes.
pub(super) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut directories = reading.scopes(Protocol::Toy)?.finish()?;
    let value = ValueBuffer::new(&reading.scratch());
    let mut toys = Toys { place: reading.place(), target, value };
    while let Some((directory, _)) = directories.next()? {
        let path = Entry::Scope(Protocol::Toy, directory).path();
        let Ok(Decoded::Raw(name)) = decode_component(directory) else {
            return Err(Error::from(ProblemKind::FallbackWithoutKeymap).at(&path));
        };
        toys.emit(Event::Begin(&name))?;
        reading.show(&DumpPath::new(&path)?, &mut toys)?;
        toys.emit(Event::End)?;
    }
    Ok(())
}

/// The toys of the box at hand.
struct Toys<'t> {
    place: &'t ReadPosition,
    target: &'t mut dyn Consumer,
    value: ValueBuffer,
}

impl Toys<'_> {
    fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.place, ModelEvent::Toy(event))
    }
}

impl Visit for Toys<'_> {
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        let Entry::In(_, Inside::Toy(Toy(segment))) = entry else { return Ok(()) };
        let Ok(Decoded::Raw(name)) = decode_segment(segment) else {
            return Err(ProblemKind::FallbackWithoutKeymap.into());
        };
        self.value.fill_from(file)?;
        let Toys { place, target, value } = self;
        emit(*target, place, ModelEvent::Toy(Event::Toy { name: &name, body: value.body(), commit_ts: 0 }))
    }
}
