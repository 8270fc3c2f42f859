//! A dump in memory.

use std::io::{self, Read};

use super::{Refusal, ScopedSource, Source, SourceError, SourceOperation, Visitor};
use crate::path::split_last;
use crate::sink::MemoryEntries;
use crate::{DumpPath, Error, Result};

/// A dump in memory, such as a [`crate::sink::MemorySink`] publishes: for tests and small dumps.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    entries: MemoryEntries,
}

impl MemorySource {
    /// A dump with these entries; directories above files must be among them.
    pub fn new(entries: MemoryEntries) -> Self {
        MemorySource { entries }
    }
}

fn missing(operation: SourceOperation, path: &DumpPath) -> Error {
    let source = io::ErrorKind::NotFound.into();
    Error::from(SourceError::Io { operation, source }).at(path.as_bytes())
}

impl Source for MemorySource {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        for (path, content) in &self.entries {
            let path = DumpPath::new(path)?;
            match content {
                None => visitor.directory(&path)?,
                Some(content) => visitor.file(&path, &mut content.as_slice())?,
            }
        }
        Ok(())
    }
}

impl ScopedSource for MemorySource {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        if !directory.is_empty() && self.entries.get(directory.as_bytes()) != Some(&None) {
            return Err(missing(SourceOperation::OpenDirectory, directory));
        }
        for (path, content) in self.entries.iter().filter(|(path, _)| split_last(path).0 == directory.as_bytes()) {
            let path = DumpPath::new(path)?;
            match content {
                None => visitor.directory(&path)?,
                Some(content) => visitor.file(&path, &mut content.as_slice())?,
            }
        }
        Ok(())
    }

    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        match self.entries.get(path.as_bytes()) {
            Some(Some(content)) => Ok(Box::new(content.as_slice())),
            Some(None) => Err(Error::from(SourceError::Refused(Refusal::Replaced)).at(path.as_bytes())),
            None => Err(missing(SourceOperation::OpenFile, path)),
        }
    }
}
