//! Expiry lines in the order of the files that they belong to.

use ekv_spill::{Sorted, Sorter};

use crate::expiry::{ExpiryLine, ExpirySidecar};
use crate::layout::redis::joins::folder_of;
use ekv_files::Result;

/// The lines of a sidecar while it is read.
pub(super) struct ExpiryLines {
    /// By file name.
    sorter: Sorter,
    name: Vec<u8>,
}

impl ExpiryLines {
    pub(super) fn new(sorter: Sorter) -> Self {
        ExpiryLines { sorter, name: Vec::new() }
    }

    pub(super) fn add(&mut self, sidecar: ExpirySidecar, line: &ExpiryLine<'_>) -> Result<()> {
        // As files are ordered: with the extension.
        self.name.clear();
        self.name.extend_from_slice(line.segment);
        self.name.extend_from_slice(folder_of(sidecar).extension().as_bytes());
        Ok(self.sorter.push(&self.name, &line.expire_at_ms.to_be_bytes())?)
    }

    /// Sorts the lines.
    pub(super) fn finish(self) -> Result<Expiries> {
        let mut expiries = Expiries { sorted: self.sorter.finish()?, name: Vec::new(), at_ms: None };
        expiries.advance()?;
        Ok(expiries)
    }
}

/// Gives expiries to files, in byte order of the file names.
pub(super) struct Expiries {
    sorted: Sorted,
    /// File name of the line at hand.
    name: Vec<u8>,
    /// Its expiry in Unix milliseconds.
    at_ms: Option<u64>,
}

impl Expiries {
    /// The expiry of a file; names must ascend. Lines that no file asks for are passed over.
    pub(super) fn take(&mut self, file_name: &[u8]) -> Result<Option<u64>> {
        while self.at_ms.is_some() && self.name.as_slice() < file_name {
            self.advance()?;
        }
        Ok(self.at_ms.filter(|_| self.name == file_name))
    }

    fn advance(&mut self) -> Result<()> {
        self.name.clear();
        self.at_ms = self.sorted.next()?.map(|(name, at_ms)| {
            self.name.extend_from_slice(name);
            at_ms.first_chunk().map_or(0, |at_ms| u64::from_be_bytes(*at_ms))
        });
        Ok(())
    }
}
