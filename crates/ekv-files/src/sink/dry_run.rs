//! A sink that creates nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Seek as _;
use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use super::{Published, Sink, SinkError, SinkOperation, misuse, rule};
use crate::{DumpPath, Result};

/// Takes files and publishes nothing: for a run that shall tell what another one would do. No name is created anywhere.
pub struct DrySink {
    place: String,
    scratch: Arc<dyn Scratch>,
    is_open: bool,
    kept: Option<Kept>,
}

/// What is kept to be read back, in files without names.
#[derive(Default)]
struct Kept {
    files: BTreeMap<Vec<u8>, File>,
    open: Option<(Vec<u8>, Spool)>,
}

impl DrySink {
    /// Makes a sink in the place of one at `place`, which messages name; what is written is dropped.
    pub fn new(place: impl Into<String>, scratch: Arc<dyn Scratch>) -> Self {
        DrySink { place: place.into(), scratch, is_open: false, kept: None }
    }

    /// As [`DrySink::new`]; what is written lies in `scratch` until the sink is dropped, and can be read back.
    pub fn keeping(place: impl Into<String>, scratch: Arc<dyn Scratch>) -> Self {
        DrySink { kept: Some(Kept::default()), ..DrySink::new(place, scratch) }
    }

    /// Opens a file that was written and is kept.
    ///
    /// # Errors
    /// [`SinkError::Misuse`] if there is none; [`SinkError::Io`].
    pub fn open_staged(&mut self, path: &DumpPath) -> Result<File> {
        let kept = self.kept.as_ref().and_then(|kept| kept.files.get(path.as_bytes()));
        let file = kept.ok_or_else(|| misuse(rule::NO_FILE_OPEN))?;
        // As a file that was opened anew begins at its start.
        let again = file.try_clone().and_then(|mut again| again.rewind().map(|()| again));
        again.map_err(|source| {
            SinkError::Io { operation: SinkOperation::ReadBack, path: self.place.clone(), source }.into()
        })
    }

    /// Where it would be, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl Sink for DrySink {
    fn directory(&mut self, _: &DumpPath) -> Result<()> {
        if self.is_open { Err(misuse(rule::ONE_FILE_AT_A_TIME)) } else { Ok(()) }
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.directory(path)?;
        self.is_open = true;
        if let Some(kept) = &mut self.kept {
            kept.open = Some((path.as_bytes().to_vec(), Spool::new(Arc::clone(&self.scratch), 0)));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.kept.as_mut().map(|kept| &mut kept.open) {
            _ if !self.is_open => Err(misuse(rule::NO_FILE_OPEN)),
            Some(Some((_, spool))) => Ok(spool.write_all(bytes)?),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Err(misuse(rule::NO_FILE_OPEN));
        }
        if let Some(kept) = &mut self.kept
            && let Some((path, spool)) = kept.open.take()
        {
            kept.files.insert(path, spool.into_file()?);
        }
        Ok(())
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        Ok(Published::nothing(&self.place))
    }

    fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
