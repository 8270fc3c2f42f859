//! `messages.jsonl`: checked as a whole, then replayed. Source: `docs/format/sqs.md`, section 6.
//!
//! The text is read twice: nothing of a queue may be handed on before all of it makes sense, and which generation the messages have
//! belongs to the beginning of the events. Lines that somebody added in any place are put into the order of sending.

use std::sync::Arc;

use ekv_files::{Error, Result};
use ekv_model::sqs::{Event, OwnedMessage};
use ekv_spill::{Scratch, Sorter};

use super::message::{Visibility, put_place, read};
use crate::json::{JsonReader, Position};
use crate::replay::ReplayFault;
use crate::replay::value::ValueBuffer;

/// Memory for sorting the ids of a queue's messages, and for sorting its lines, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// What a first look at a file told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// The generation that all messages have; `None` if they differ or there is none.
    pub(super) generation: Option<u64>,
    is_out_of_order: bool,
}

/// Reads the messages of one queue.
pub(super) struct Messages<'a> {
    pub(super) content: &'a ValueBuffer,
    pub(super) visibility: Visibility,
    pub(super) scratch: &'a Arc<dyn Scratch>,
}

impl Messages<'_> {
    /// Checks every message.
    pub(super) fn outline(&self) -> Result<Outline> {
        let mut outline = Outline::default();
        let mut places = self.sorter();
        let mut place = Vec::new();
        let mut previous: Option<OwnedMessage> = None;
        self.for_each_line(|reader, position| {
            let message = read(reader, self.visibility, &mut |_| Ok(()))?;
            place.clear();
            put_place(&message, &mut place);
            places.push(&place, &position.line.to_be_bytes())?;
            match &previous {
                None => outline.generation = Some(message.queue_generation),
                Some(previous) => {
                    outline.is_out_of_order |= previous.order() > message.order();
                    outline.generation = outline.generation.filter(|common| *common == message.queue_generation);
                }
            }
            previous = Some(message);
            Ok(())
        })?;
        check_places(places)?;
        Ok(outline)
    }

    /// Hands every message to `emit`, with its line.
    pub(super) fn replay(
        &self,
        outline: Outline,
        body: &mut ValueBuffer,
        emit: &mut dyn FnMut(Event<'_>, u64) -> Result<()>,
    ) -> Result<()> {
        let mut one = |reader: &mut JsonReader<'_>, line: u64| {
            body.clear();
            let message = read(reader, self.visibility, &mut |piece| body.push(piece))?;
            body.seal()?;
            emit(Event::Message(&message.event(body.body(), &message.attributes())), line)
        };
        if !outline.is_out_of_order {
            return self.for_each_line(|reader, position| one(reader, position.line));
        }
        let mut sorted = self.sort()?.finish()?;
        let mut reader = JsonReader::lines(self.content);
        while let Some((_, place)) = sorted.next()? {
            let position = Position::from_bytes(place);
            reader.seek(position);
            one(&mut reader, position.line)?;
        }
        Ok(())
    }

    /// Sorts the places of the lines into the order of sending.
    fn sort(&self) -> Result<Sorter> {
        let mut lines = self.sorter();
        let mut order = Vec::new();
        self.for_each_line(|reader, position| {
            let message = read(reader, self.visibility, &mut |_| Ok(()))?;
            order.clear();
            message.put_order(&mut order);
            Ok(lines.push(&order, &position.to_bytes())?)
        })?;
        Ok(lines)
    }

    fn for_each_line(&self, mut line: impl FnMut(&mut JsonReader<'_>, Position) -> Result<()>) -> Result<()> {
        let mut reader = JsonReader::lines(self.content);
        while !reader.is_at_end()? {
            let position = reader.position()?;
            line(&mut reader, position)?;
            reader.end_or_last()?;
        }
        Ok(())
    }

    fn sorter(&self) -> Sorter {
        Sorter::new(Arc::clone(self.scratch), SORT_BUDGET)
    }
}

/// Refuses two messages in one place.
fn check_places(places: Sorter) -> Result<()> {
    let mut sorted = places.finish()?;
    let mut previous = Vec::new();
    let mut first_line = None;
    while let Some((place, line)) = sorted.next()? {
        let line = line.first_chunk().map_or(0, |line| u64::from_be_bytes(*line));
        match first_line {
            Some(first_line) if previous == place => {
                return Err(Error::from(ReplayFault::MessageRepeated { first_line }).at_line(line));
            }
            _ => first_line = Some(line),
        }
        previous.clear();
        previous.extend_from_slice(place);
    }
    Ok(())
}
