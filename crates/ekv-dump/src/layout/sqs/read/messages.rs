//! `messages.jsonl`: checked as a whole, then replayed. Source: `docs/format/sqs.md`, section 6.
//!
//! The text is read twice: nothing of a queue may be handed on before all of it makes sense, and which generation the messages have
//! belongs to the beginning of the events. Lines that somebody added in any place are put into the order of sending.

use std::sync::Arc;

use ekv_files::{Error, Result};
use ekv_model::sqs::{Event, OwnedMessage};
use ekv_spill::{Scratch, Sorted, Sorter};

use super::message::{Visibility, put_place, read};
use crate::json::{JsonReader, Position};
use crate::replay::ReplayFault;
use crate::replay::value::ValueBuffer;

/// Memory for sorting the ids of a queue's messages, and for sorting its lines, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// What a first look at a file told.
#[derive(Default)]
pub(super) struct Outline {
    /// The generation that all messages have; `None` if they differ or there is none.
    pub(super) generation: Option<u64>,
    is_out_of_order: bool,
    /// The lines of messages with the id of one of another generation, which get another id: key = line.
    repeated: Option<Sorter>,
    /// How many these are.
    pub(super) repeated_count: u64,
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
            places.push(&place, &[position.line.to_be_bytes(), message.queue_generation.to_be_bytes()].concat())?;
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
        self.check_places(places, &mut outline)?;
        Ok(outline)
    }

    /// Refuses two messages in one place, but where they had different generations: then all but the first get another id.
    fn check_places(&self, places: Sorter, outline: &mut Outline) -> Result<()> {
        let mut sorted = places.finish()?;
        let mut previous = Vec::new();
        let mut before: Option<(u64, u64)> = None;
        while let Some((place, payload)) = sorted.next()? {
            let (line, rest) = payload.split_first_chunk().unwrap_or((&[0; 8], &[]));
            let generation = rest.first_chunk().map_or(0, |generation| u64::from_be_bytes(*generation));
            match before {
                Some((first_line, other)) if previous == place => {
                    let line = u64::from_be_bytes(*line);
                    if generation == other {
                        return Err(Error::from(ReplayFault::MessageRepeated { first_line }).at_line(line));
                    }
                    outline.repeated.get_or_insert_with(|| self.sorter()).push(&line.to_be_bytes(), b"")?;
                    outline.repeated_count = outline.repeated_count.saturating_add(1);
                    before = Some((first_line, generation));
                }
                _ => before = Some((u64::from_be_bytes(*line), generation)),
            }
            previous.clear();
            previous.extend_from_slice(place);
        }
        Ok(())
    }

    /// Hands every message to `emit`, with its line.
    pub(super) fn replay(
        &self,
        outline: Outline,
        body: &mut ValueBuffer,
        emit: &mut dyn FnMut(Event<'_>, u64) -> Result<()>,
    ) -> Result<()> {
        let mut one = |reader: &mut JsonReader<'_>, line: u64, is_repeated: bool| {
            body.clear();
            let mut message = read(reader, self.visibility, &mut |piece| body.push(piece))?;
            body.seal()?;
            if is_repeated {
                message.message_id = format!("{}-{}", message.message_id, message.queue_generation);
            }
            emit(Event::Message(&message.event(body.body(), &message.attributes())), line)
        };
        let mut repeated = Repeated::new(outline.repeated)?;
        if !outline.is_out_of_order {
            return self.for_each_line(|reader, position| one(reader, position.line, repeated.take(position.line)?));
        }
        let mut sorted = self.sort(repeated)?.finish()?;
        let mut reader = JsonReader::lines(self.content);
        while let Some((_, payload)) = sorted.next()? {
            let (place, is_repeated) = payload.split_first_chunk().unwrap_or((&[0; 16], &[]));
            let position = Position::from_bytes(place);
            reader.seek(position);
            one(&mut reader, position.line, is_repeated == [1])?;
        }
        Ok(())
    }

    /// Sorts the places of the lines into the order of sending; behind each whether its message gets another id.
    fn sort(&self, mut repeated: Repeated) -> Result<Sorter> {
        let mut lines = self.sorter();
        let mut order = Vec::new();
        self.for_each_line(|reader, position| {
            let message = read(reader, self.visibility, &mut |_| Ok(()))?;
            order.clear();
            message.put_order(&mut order);
            let is_repeated = u8::from(repeated.take(position.line)?);
            Ok(lines.push(&order, &[&position.to_bytes()[..], &[is_repeated]].concat())?)
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

/// Goes through the lines whose messages get another id, together with all lines.
struct Repeated {
    lines: Option<Sorted>,
    next: Option<u64>,
}

impl Repeated {
    fn new(lines: Option<Sorter>) -> Result<Self> {
        let mut repeated = Repeated { lines: lines.map(Sorter::finish).transpose()?, next: None };
        repeated.pull()?;
        Ok(repeated)
    }

    fn pull(&mut self) -> Result<()> {
        let line = self.lines.as_mut().map(Sorted::next).transpose()?.flatten();
        self.next = line.and_then(|(line, _)| line.first_chunk()).map(|line| u64::from_be_bytes(*line));
        Ok(())
    }

    /// Whether it is one of them. Lines come in their order.
    fn take(&mut self, line: u64) -> Result<bool> {
        let is_next = self.next == Some(line);
        if is_next {
            self.pull()?;
        }
        Ok(is_next)
    }
}
