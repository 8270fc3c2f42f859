//! Platforms without `openat`: no weaker way to read a directory is offered.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ekv_spill::Scratch;

use super::{ScopedSource, Source, SourceError, Visitor};
use crate::{DumpPath, Result};

/// A dump in a directory; cannot be made on this platform.
pub struct DirSource {
    never: Infallible,
}

impl DirSource {
    /// Fails on this platform.
    ///
    /// # Errors
    /// Always [`SourceError::Unsupported`].
    pub fn open(_root: &Path, _scratch: Arc<dyn Scratch>) -> Result<Self> {
        Err(SourceError::Unsupported.into())
    }

    /// Cannot be called on this platform.
    pub fn in_path_order(&mut self) -> impl Source + '_ {
        Unreachable { source: self }
    }

    /// Cannot be called on this platform.
    ///
    /// # Errors
    /// None.
    pub fn open_file(&mut self, _path: &DumpPath) -> Result<File> {
        match self.never {}
    }
}

/// As [`DirSource`].
struct Unreachable<'s> {
    source: &'s mut DirSource,
}

impl Source for Unreachable<'_> {
    fn walk(&mut self, _visitor: &mut dyn Visitor) -> Result<()> {
        match self.source.never {}
    }
}

impl Source for DirSource {
    fn walk(&mut self, _visitor: &mut dyn Visitor) -> Result<()> {
        match self.never {}
    }
}

impl ScopedSource for DirSource {
    fn walk_directory(&mut self, _directory: &DumpPath, _visitor: &mut dyn Visitor) -> Result<()> {
        match self.never {}
    }

    fn open_file(&mut self, _path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        match self.never {}
    }
}
