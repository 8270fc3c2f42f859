//! Expiry lines in the order of the files that they belong to.

use std::io::BufReader;

use ekv_files::{DumpPath, Error, Result};
use ekv_spill::{Sorted, Sorter};
use ekv_text::LineError;

use crate::expiry::{ExpiryFault, ExpiryReader};
use crate::layout::redis::write::names::Folder;
use crate::replay::ReplayFault;
use crate::replay::reading::DumpFile;
use crate::verify::walk::read_error;

/// The lines of a sidecar while it is read.
pub(super) struct ExpiryLines {
    path: DumpPath,
    folder: Folder,
    sorter: Sorter,
}

impl ExpiryLines {
    /// Lines of the sidecar at `path`, which belong to files in `folder`.
    pub(super) fn new(path: DumpPath, folder: Folder, sorter: Sorter) -> Self {
        ExpiryLines { path, folder, sorter }
    }

    /// Reads the file.
    pub(super) fn read(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        let mut reader = ExpiryReader::new(BufReader::new(file));
        let mut line_number = 0_u64;
        let mut name = Vec::new();
        loop {
            line_number = line_number.saturating_add(1);
            let line = match reader.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => {
                    return Err(match error.fault {
                        ExpiryFault::Line(LineError::Io(source)) => read_error(source),
                        fault => Error::from(fault).at_line(error.line_number),
                    });
                }
            };
            // As files are ordered: with the extension.
            name.clear();
            name.extend_from_slice(line.segment);
            name.extend_from_slice(self.folder.extension().as_bytes());
            let mut payload = [0; 16];
            let (at_ms, number) = payload.split_at_mut(8);
            at_ms.copy_from_slice(&line.expire_at_ms.to_be_bytes());
            number.copy_from_slice(&line_number.to_be_bytes());
            self.sorter.push(&name, &payload)?;
        }
    }

    /// Sorts the lines.
    pub(super) fn finish(self) -> Result<Expiries> {
        let mut expiries = Expiries {
            path: self.path,
            folder: self.folder,
            sorted: self.sorter.finish()?,
            name: Vec::new(),
            next: None,
        };
        expiries.advance()?;
        Ok(expiries)
    }
}

/// Gives expiries to files, in byte order of the file names.
pub(super) struct Expiries {
    path: DumpPath,
    folder: Folder,
    sorted: Sorted,
    /// File name of the line at hand.
    name: Vec<u8>,
    /// Its expiry in Unix milliseconds and its number.
    next: Option<(u64, u64)>,
}

impl Expiries {
    /// The expiry of a file; names must ascend, and every line must be asked for.
    pub(super) fn take(&mut self, file_name: &[u8]) -> Result<Option<u64>> {
        let Some((at_ms, line_number)) = self.next else { return Ok(None) };
        match self.name.as_slice().cmp(file_name) {
            std::cmp::Ordering::Greater => Ok(None),
            std::cmp::Ordering::Less => Err(self.without_file()),
            std::cmp::Ordering::Equal => {
                self.advance()?;
                match self.next {
                    Some((_, again)) if self.name == file_name => {
                        let (first_line, line) = (line_number.min(again), line_number.max(again));
                        let fault = ReplayFault::ExpiryRepeated { segment: self.segment(), first_line };
                        Err(Error::from(fault).at(self.path.as_bytes()).at_line(line))
                    }
                    _ => Ok(Some(at_ms)),
                }
            }
        }
    }

    /// Refuses lines that nobody asked for.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.next.is_some() { Err(self.without_file()) } else { Ok(()) }
    }

    fn advance(&mut self) -> Result<()> {
        self.name.clear();
        self.next = self.sorted.next()?.map(|(name, payload)| {
            self.name.extend_from_slice(name);
            let (at_ms, number) = payload.split_first_chunk().unwrap_or((&[0; 8], &[]));
            (u64::from_be_bytes(*at_ms), number.first_chunk().map_or(0, |number| u64::from_be_bytes(*number)))
        });
        Ok(())
    }

    fn segment(&self) -> Vec<u8> {
        let extension = self.folder.extension().as_bytes();
        self.name.strip_suffix(extension).unwrap_or(&self.name).to_vec()
    }

    fn without_file(&self) -> Error {
        let line = self.next.map_or(0, |(_, line)| line);
        let (directory, extension) = (self.folder.name(), self.folder.extension());
        let fault = ReplayFault::ExpiryWithoutFile { directory, segment: self.segment(), extension };
        Error::from(fault).at(self.path.as_bytes()).at_line(line)
    }
}
