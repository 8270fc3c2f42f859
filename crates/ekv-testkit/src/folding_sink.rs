//! A sink that takes names for the same that differ in letter case only, as many file systems do.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_files::sink::{Published, Sink, SinkError};
use ekv_files::{DumpPath, Error, Result};
use ekv_spill::Scratch;

/// Passes everything on to another sink, but refuses a name that differs from an earlier one in letter case only, in the way in which
/// the directory sink does on a file system that folds case.
pub struct FoldingSink {
    inner: Box<dyn Sink>,
    /// Names as they were created, by their folded form.
    names: BTreeMap<String, String>,
}

impl FoldingSink {
    /// Wraps a sink to which nothing has been written.
    pub fn new(inner: Box<dyn Sink>) -> Self {
        FoldingSink { inner, names: BTreeMap::new() }
    }

    /// Notes the path and every directory above it.
    fn claim(&mut self, path: &DumpPath) -> Result<()> {
        let mut name = String::new();
        for component in path.components() {
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(&String::from_utf8_lossy(component));
            let listed = self.names.entry(name.to_lowercase()).or_insert_with(|| name.clone());
            if *listed != name {
                return Err(Error::new(SinkError::NameTaken { path: name, alias: Some(listed.clone()) }));
            }
        }
        Ok(())
    }
}

impl Sink for FoldingSink {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.claim(path)?;
        self.inner.directory(path)
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.claim(path)?;
        self.inner.begin(path)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write(bytes)
    }

    fn end(&mut self) -> Result<()> {
        self.inner.end()
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        self.inner.scratch()
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        self.inner.publish()
    }

    fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort()
    }
}
