//! A sink whose scratch files lie elsewhere.

use std::sync::Arc;

use ekv_spill::Scratch;

use super::{Published, Sink};
use crate::{DumpPath, Result};

/// A sink that gives other scratch files than its own.
pub struct WithScratch {
    sink: Box<dyn Sink>,
    scratch: Arc<dyn Scratch>,
}

impl WithScratch {
    /// `sink`, with the scratch files of `scratch`.
    pub fn new(sink: Box<dyn Sink>, scratch: Arc<dyn Scratch>) -> Self {
        WithScratch { sink, scratch }
    }
}

impl Sink for WithScratch {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.sink.directory(path)
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.sink.begin(path)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write(bytes)
    }

    fn hole(&mut self, len: u64) -> Result<()> {
        self.sink.hole(len)
    }

    fn end(&mut self) -> Result<()> {
        self.sink.end()
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        self.sink.publish()
    }

    fn abort(self: Box<Self>) -> Result<()> {
        self.sink.abort()
    }
}
