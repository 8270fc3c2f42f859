//! Several record files read as one.

use crate::Result;
use crate::file::{Cursor, RecordFile};

/// Walks over the records of several files in raw-key order; where two hold the same raw key, the first one counts.
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
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
        Merge { cursors: files.iter().map(|file| Cursor::new(file, window_len)).collect(), on: None }
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
        for cursor in &mut self.cursors {
            cursor.seek(target)?;
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
            for i in 0..self.cursors.len() {
                let hidden = match (self.cursors.get(i), self.cursors.get(on)) {
                    (Some(other), Some(current)) => {
                        i != on && other.is_on_record() && other.raw_key() == current.raw_key()
                    }
                    _ => false,
                };
                if let Some(cursor) = self.cursors.get_mut(i).filter(|_| hidden) {
                    cursor.advance()?;
                }
            }
        }
        if let Some(cursor) = self.cursors.get_mut(on) {
            cursor.advance()?;
        }
        self.settle();
        Ok(())
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
        for (cursor, offset) in self.cursors.iter_mut().zip(&mark.offsets) {
            cursor.go_to(*offset)?;
        }
        self.on = mark.on;
        Ok(())
    }

    fn settle(&mut self) {
        self.on = match self.cursors.as_slice() {
            [only] => only.is_on_record().then_some(0),
            cursors => smallest(cursors.iter().map(|c| c.is_on_record().then(|| c.raw_key()))),
        };
    }
}

/// Index of the smallest key; of the first one where keys are equal.
pub(crate) fn smallest<'k>(keys: impl Iterator<Item = Option<&'k [u8]>>) -> Option<usize> {
    keys.enumerate().filter_map(|(i, key)| key.map(|key| (key, i))).min().map(|(_, i)| i)
}
