//! Messages of FIFO queues whose deduplication ids come again in their queue.

use std::sync::Arc;

use ekv_model::Result;
use ekv_spill::{Scratch, Sorted, Sorter};

use crate::losses::{garbled_row, scratch_error};

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Takes the ids of all messages.
pub(crate) struct RepeatsFinder {
    ids: Sorter,
    scratch: Arc<dyn Scratch>,
}

impl RepeatsFinder {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        RepeatsFinder { ids: Sorter::new(Arc::clone(scratch), SORT_BUDGET), scratch: Arc::clone(scratch) }
    }

    /// A message with its number among all of them, of a queue with its number.
    ///
    /// # Errors
    /// Of scratch files.
    pub(crate) fn push(&mut self, queue: u64, id: &str, number: u64) -> Result<()> {
        let key = [&queue.to_be_bytes()[..], id.as_bytes()].concat();
        self.ids.push(&key, &number.to_be_bytes()).map_err(scratch_error)
    }

    /// The numbers of messages that share their id with another one of their queue.
    ///
    /// # Errors
    /// Of scratch files.
    pub(crate) fn finish(self) -> Result<Repeats> {
        let mut ids = self.ids.finish().map_err(scratch_error)?;
        let mut numbers = Sorter::new(self.scratch, SORT_BUDGET);
        let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
        let mut is_told = false;
        while let Some((key, number)) = ids.next().map_err(scratch_error)? {
            match &last {
                Some((same, first)) if same == key => {
                    if !is_told {
                        numbers.push(first, b"").map_err(scratch_error)?;
                    }
                    is_told = true;
                    numbers.push(number, b"").map_err(scratch_error)?;
                }
                _ => {
                    is_told = false;
                    last = Some((key.to_vec(), number.to_vec()));
                }
            }
        }
        let mut repeats = Repeats { numbers: numbers.finish().map_err(scratch_error)?, next: None };
        repeats.advance()?;
        Ok(repeats)
    }
}

/// Numbers of messages, ascending.
pub(crate) struct Repeats {
    numbers: Sorted,
    next: Option<u64>,
}

impl Repeats {
    /// Whether the message with this number is among them; asked for in ascending order.
    ///
    /// # Errors
    /// Of scratch files.
    pub(crate) fn contains(&mut self, number: u64) -> Result<bool> {
        while self.next.is_some_and(|next| next < number) {
            self.advance()?;
        }
        Ok(self.next == Some(number))
    }

    fn advance(&mut self) -> Result<()> {
        self.next = match self.numbers.next().map_err(scratch_error)? {
            Some((number, _)) => Some(u64::from_be_bytes(number.try_into().map_err(|_| garbled_row())?)),
            None => None,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_only_inside_of_a_queue() {
        let mut finder = RepeatsFinder::new(&crate::Resources::default().scratch());
        for (number, (queue, id)) in
            (0_u64..).zip([(0, "a"), (0, "b"), (0, "a"), (1, "b"), (1, "c"), (1, "c"), (1, "c")])
        {
            finder.push(queue, id, number).unwrap();
        }
        let mut repeats = finder.finish().unwrap();
        let found: Vec<u64> = (0..7).filter(|number| repeats.contains(*number).unwrap()).collect();
        assert_eq!(found, [0, 2, 4, 5, 6]);
    }
}
