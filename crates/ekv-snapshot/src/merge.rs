//! Several record files read as one.

use crate::Result;
use crate::file::{Cursor, RecordFile};
use crate::key_heap::KeyHeap;

/// Walks over the records of several files in raw-key order; where two hold the same raw key, the first one counts.
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
    order: KeyHeap,
    /// The cursor that stands on the current record.
    on: Option<usize>,
}

/// A place in a [`Merge`].
#[derive(Clone, Debug)]
pub(crate) struct MergeMark {
    offsets: Vec<u64>,
    on: Option<usize>,
}

impl Merge {
    /// Stands nowhere; begin with [`Merge::seek`].
    pub(crate) fn new(files: &[RecordFile], window_len: usize) -> Merge {
        let cursors = files.iter().map(|file| Cursor::new(file, window_len)).collect();
        Merge { cursors, order: KeyHeap::new(files.len()), on: None }
    }

    /// The cursor on the current record; `None` at the end.
    pub(crate) fn current(&self) -> Option<&Cursor> {
        self.on.and_then(|on| self.cursors.get(on))
    }

    /// Goes to the first record at or above the raw key `target`.
    ///
    /// # Errors
    /// As [`Cursor::seek`].
    pub(crate) fn seek(&mut self, target: &[u8]) -> Result<()> {
        for index in 0..self.cursors.len() {
            if let Some(cursor) = self.cursors.get_mut(index) {
                cursor.seek(target)?;
            }
            self.moved(index);
        }
        self.settle();
        Ok(())
    }

    /// Goes to the next raw key; stays at the end.
    ///
    /// # Errors
    /// As [`Cursor::advance`].
    pub(crate) fn advance(&mut self) -> Result<()> {
        let Some(on) = self.on else { return Ok(()) };
        if self.cursors.len() > 1 {
            // What the first file hides.
            for index in self.order.equal_to_first(|index| raw_key(&self.cursors, index)) {
                self.advance_one(index)?;
            }
        }
        self.advance_one(on)?;
        self.settle();
        Ok(())
    }

    fn advance_one(&mut self, index: usize) -> Result<()> {
        if let Some(cursor) = self.cursors.get_mut(index) {
            cursor.advance()?;
        }
        self.moved(index);
        Ok(())
    }

    fn moved(&mut self, index: usize) {
        // One alone has no order.
        if self.cursors.len() > 1 {
            self.order.moved(index, |index| raw_key(&self.cursors, index));
        }
    }

    /// Stops here: there is no current record any more.
    pub(crate) fn end(&mut self) {
        self.on = None;
    }

    /// Remembers the place, for [`Merge::go_to`].
    pub(crate) fn mark(&self) -> MergeMark {
        MergeMark { offsets: self.cursors.iter().map(Cursor::byte_offset).collect(), on: self.on }
    }

    /// Goes back to a place.
    ///
    /// # Errors
    /// As [`Cursor::go_to`].
    pub(crate) fn go_to(&mut self, mark: &MergeMark) -> Result<()> {
        for (index, offset) in mark.offsets.iter().enumerate() {
            if let Some(cursor) = self.cursors.get_mut(index) {
                cursor.go_to(*offset)?;
            }
            self.moved(index);
        }
        self.on = mark.on;
        Ok(())
    }

    fn settle(&mut self) {
        let first = if self.cursors.len() == 1 { Some(0) } else { self.order.first() };
        self.on = first.filter(|first| self.cursors.get(*first).is_some_and(Cursor::is_on_record));
    }
}

/// The raw key on which a cursor stands.
fn raw_key(cursors: &[Cursor], index: usize) -> Option<&[u8]> {
    cursors.get(index).filter(|cursor| cursor.is_on_record()).map(Cursor::raw_key)
}
