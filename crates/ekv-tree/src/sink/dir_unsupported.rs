//! Stands in for the directory sink on platforms that lack what it needs.

use std::convert::Infallible;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ekv_spill::Scratch;

use super::{DirOptions, Fsync, LeftoverState, Published, Sink, SinkError};
use crate::{DumpPath, Error, Result};

/// Writes a dump as a directory; not on this platform.
pub struct DirSink {
    never: Infallible,
}

impl DirSink {
    /// Answers that this platform is not supported.
    ///
    /// # Errors
    /// [`SinkError::Unsupported`], always.
    pub fn create(_target: &Path, _options: DirOptions) -> Result<Self> {
        Err(Error::new(SinkError::Unsupported))
    }

    /// Answers that this platform is not supported.
    ///
    /// # Errors
    /// [`SinkError::Unsupported`], always.
    pub fn create_private(_target: &Path, _fsync: Fsync) -> Result<Self> {
        Err(Error::new(SinkError::Unsupported))
    }

    /// Opens a file that this sink wrote; none exists on this platform.
    ///
    /// # Errors
    /// None on this platform.
    pub fn open_staged(&mut self, _path: &DumpPath) -> Result<File> {
        match self.never {}
    }

    /// Answers that this platform is not supported.
    ///
    /// # Errors
    /// [`SinkError::Unsupported`], always.
    pub fn check_target(_target: &Path, _options: DirOptions) -> Result<()> {
        Err(Error::new(SinkError::Unsupported))
    }
}

impl Sink for DirSink {
    fn directory(&mut self, _path: &DumpPath) -> Result<()> {
        match self.never {}
    }

    fn begin(&mut self, _path: &DumpPath) -> Result<()> {
        match self.never {}
    }

    fn write(&mut self, _bytes: &[u8]) -> Result<()> {
        match self.never {}
    }

    fn end(&mut self) -> Result<()> {
        match self.never {}
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        match self.never {}
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        match self.never {}
    }

    fn abort(self: Box<Self>) -> Result<()> {
        match self.never {}
    }
}

/// A staging directory that a killed run left; none exists on this platform.
#[derive(Debug)]
pub struct Leftover {
    never: Infallible,
}

impl Leftover {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self.never {}
    }

    /// Whether it may be removed.
    pub fn state(&self) -> LeftoverState {
        match self.never {}
    }

    /// Removes it.
    ///
    /// # Errors
    /// None on this platform.
    pub fn remove(&self) -> Result<()> {
        match self.never {}
    }
}

/// Answers that this platform is not supported.
///
/// # Errors
/// [`SinkError::Unsupported`], always.
pub fn leftovers(_parent: &Path) -> Result<Vec<Leftover>> {
    Err(Error::new(SinkError::Unsupported))
}
