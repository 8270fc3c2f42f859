//! The strict test double of a sink.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ekv_spill::{Scratch, SystemScratch};

use super::{Published, Sink, SinkError, misuse, rule};
use crate::path::split_last;
use crate::{DumpPath, Error, Result};

/// Every path of a dump with the content of the file, or `None` for a directory.
pub type MemoryEntries = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Keeps a dump in memory: for tests and small dumps. Cost: the whole dump.
pub struct MemorySink {
    dump: MemoryDump,
    entries: MemoryEntries,
    open: Option<(Vec<u8>, Vec<u8>)>,
    failed: bool,
}

/// What a [`MemorySink`] has published; clones show the same dump.
#[derive(Clone, Debug, Default)]
pub struct MemoryDump {
    published: Arc<Mutex<Option<MemoryEntries>>>,
}

impl MemoryDump {
    /// A place to which nothing has been published.
    pub fn new() -> Self {
        MemoryDump::default()
    }

    /// The dump, or `None` if nothing has been published.
    pub fn entries(&self) -> Option<MemoryEntries> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MemorySink {
    /// Makes an empty sink that publishes to `dump`.
    pub fn new(dump: &MemoryDump) -> Self {
        MemorySink { dump: dump.clone(), entries: BTreeMap::new(), open: None, failed: false }
    }

    /// Runs a step unless one failed before, and remembers whether it failed.
    fn step(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.failed {
            return Err(misuse(rule::NOT_AFTER_AN_ERROR));
        }
        step(self).inspect_err(|_| self.failed = true)
    }

    fn create_directory(&mut self, path: &[u8]) -> Result<()> {
        let mut path = path;
        while !path.is_empty() {
            match self.entries.get(path) {
                Some(None) => return Ok(()),
                Some(Some(_)) => return Err(name_taken(path)),
                None => self.entries.insert(path.to_vec(), None),
            };
            path = split_last(path).0;
        }
        Ok(())
    }
}

fn name_taken(path: &[u8]) -> Error {
    let path = crate::path::Escaped(path).to_string();
    Error::new(SinkError::NameTaken { path, alias: None })
}

impl Sink for MemorySink {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.step(|sink| match sink.open {
            Some(_) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            None => sink.create_directory(path.as_bytes()),
        })
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.step(|sink| {
            if sink.open.is_some() {
                return Err(misuse(rule::ONE_FILE_AT_A_TIME));
            }
            if path.is_empty() {
                return Err(misuse(rule::FILE_NEEDS_A_NAME));
            }
            sink.create_directory(path.split_last().0)?;
            if sink.entries.contains_key(path.as_bytes()) {
                return Err(name_taken(path.as_bytes()));
            }
            sink.open = Some((path.as_bytes().to_vec(), Vec::new()));
            Ok(())
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.step(|sink| match &mut sink.open {
            Some((_, content)) => {
                content.extend_from_slice(bytes);
                Ok(())
            }
            None => Err(misuse(rule::NO_FILE_OPEN)),
        })
    }

    fn end(&mut self) -> Result<()> {
        self.step(|sink| match sink.open.take() {
            Some((path, content)) => {
                sink.entries.insert(path, Some(content));
                Ok(())
            }
            None => Err(misuse(rule::NO_FILE_OPEN)),
        })
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        self.step(|sink| match sink.open {
            Some(_) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            None => Ok(()),
        })?;
        let mut published = self.dump.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published.is_some() {
            return Err(Error::new(SinkError::TargetExists { path: "memory".into(), found: None }));
        }
        *published = Some(std::mem::take(&mut self.entries));
        Ok(Published::in_memory("memory"))
    }

    fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
