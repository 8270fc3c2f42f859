//! Where in a dump a replay is.

use std::cell::{Cell, RefCell};

use ekv_files::Location;

/// The file and line that are being read; shared with those who take the events, so that they can say where one came from.
#[derive(Debug, Default)]
pub struct ReadPosition {
    path: RefCell<Vec<u8>>,
    line: Cell<Option<u64>>,
}

impl ReadPosition {
    /// The file, and the line where one is known.
    pub fn location(&self) -> Location {
        let path = self.path.borrow();
        Location { path: (!path.is_empty()).then(|| path.clone()), line: self.line.get(), byte_offset: None }
    }

    pub(crate) fn enter_file(&self, path: &[u8]) {
        let mut shown = self.path.borrow_mut();
        shown.clear();
        shown.extend_from_slice(path);
        self.line.set(None);
    }

    pub(crate) fn enter_line(&self, line: u64) {
        self.line.set(Some(line));
    }

    pub(crate) fn line(&self) -> Option<u64> {
        self.line.get()
    }
}
