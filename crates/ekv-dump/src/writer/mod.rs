//! Writes a dump to a sink, and its CHECKSUMS with it.

mod batch;
mod stages;

use std::num::NonZeroUsize;
use std::sync::Arc;

use ekv_files::checksums::{CHECKSUMS_FILE, FileDigest, write_line};
use ekv_files::path::{Escaped, is_at_or_below};
use ekv_files::sink::{Published, Sink, SinkError};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::Body;
use ekv_spill::{Scratch, Sorter, Spooled};

use crate::manifest::MANIFEST_FILE;
use crate::portable::{PortableCheck, PortableReport};
use crate::taken::TakenNames;

use batch::Batch;
use stages::{Running, Stages};

/// What a [`DumpWriter`] has written; CHECKSUMS itself is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpTotals {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Writes the files of a dump to a [`Sink`], hashes them on the way, and ends with MANIFEST.json and CHECKSUMS.
///
/// What is written is gathered in batches, which are hashed and then go to the sink: in threads of their own if there is more than one
/// job. The dump does not depend on that. An error of the sink may thus belong to an earlier call.
///
/// Source: `docs/format/tree.md`, section 7.
/// Cost: at most 16 MiB of memory beyond the sink's, whatever the number of files; more goes to the sink's scratch files.
///
/// After an error, [`DumpWriter::abort`] is all that is left. A writer that is dropped publishes nothing.
pub struct DumpWriter {
    /// Here, unless they are at work in threads.
    stages: Option<Stages>,
    running: Option<Running>,
    batch: Batch,
    scratch: Arc<dyn Scratch>,
    totals: DumpTotals,
}

impl DumpWriter {
    /// Makes a writer to an empty sink, without threads.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        DumpWriter {
            scratch: sink.scratch(),
            stages: Some(Stages::new(sink)),
            running: None,
            batch: Batch::default(),
            totals: DumpTotals::default(),
        }
    }

    /// Makes a writer to an empty sink that hashes and writes beside the caller's thread if there is more than one job.
    pub fn with_jobs(sink: Box<dyn Sink>, jobs: NonZeroUsize) -> Self {
        let mut writer = Self::new(sink);
        if jobs.get() > 1
            && let Some(stages) = writer.stages.take()
        {
            match Running::start(stages) {
                Ok(running) => writer.running = Some(running),
                Err(stages) => writer.stages = Some(*stages),
            }
        }
        writer
    }

    /// Which names of the files so far are not portable. To be called once, after the last file of an adapter.
    ///
    /// # Errors
    /// If a scratch file fails; the first error of the sink.
    pub fn portable_names(&mut self) -> Result<PortableReport> {
        let scratch = self.scratch();
        let names = &mut self.settle()?.digests.names;
        std::mem::replace(names, PortableCheck::new(scratch, 0)).finish()
    }

    /// Scratch files of the sink.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    /// What was written so far.
    pub fn totals(&self) -> DumpTotals {
        self.totals
    }

    /// Creates a directory, with those above it, unless it was created before.
    ///
    /// # Errors
    /// As [`Sink::directory`].
    pub fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.batch.directory(path);
        self.hand_over_if_full()
    }

    /// Creates a file, with the directories above it.
    ///
    /// # Errors
    /// As [`Sink::begin`].
    pub fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.batch.begin(path);
        self.hand_over_if_full()
    }

    /// Adds bytes to the open file.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.totals.bytes = self.totals.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.batch.write(rest);
            rest = rest.get(taken..).unwrap_or_default();
            self.hand_over_if_full()?;
        }
        Ok(())
    }

    /// Adds zeros to the open file, which take no room where the sink can leave them out.
    ///
    /// # Errors
    /// As [`Sink::hole`].
    pub fn hole(&mut self, len: u64) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.totals.bytes = self.totals.bytes.saturating_add(len);
        self.batch.hole(len);
        self.hand_over_if_full()
    }

    /// Ends the open file.
    ///
    /// # Errors
    /// As [`Sink::end`], and if the digest cannot be kept.
    pub fn end(&mut self) -> Result<()> {
        self.batch.end();
        self.totals.files = self.totals.files.saturating_add(1);
        self.hand_over_if_full()
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// As [`DumpWriter::begin`], [`DumpWriter::write`] and [`DumpWriter::end`].
    pub fn write_file(&mut self, path: &DumpPath, content: &[u8]) -> Result<()> {
        self.begin(path)?;
        self.write(content)?;
        self.end()
    }

    /// Adds a value to the open file.
    ///
    /// # Errors
    /// As [`DumpWriter::write`], and if the value cannot be read.
    pub fn write_body(&mut self, body: &Body<'_>) -> Result<()> {
        Ok(body.for_each_chunk(|chunk| Ok(self.write(chunk)?))?)
    }

    /// Adds spooled bytes to the open file.
    ///
    /// # Errors
    /// As [`DumpWriter::write`], and if the spool cannot be read.
    pub fn write_spooled(&mut self, spooled: &Spooled) -> Result<()> {
        spooled.for_each_chunk(|chunk| self.write(chunk))
    }

    /// Writes a whole file in the root from spooled bytes.
    ///
    /// # Errors
    /// As [`DumpWriter::write_file`], and if the spool cannot be read.
    pub fn write_spooled_file(&mut self, name: &str, content: &Spooled) -> Result<()> {
        self.begin(&DumpPath::new(name.as_bytes())?)?;
        self.write_spooled(content)?;
        self.end()
    }

    /// Writes MANIFEST.json with this content, then CHECKSUMS, then publishes the dump; returns what became of it, and what it holds with these
    /// two.
    ///
    /// # Errors
    /// [`SinkError::NameTaken`] for a file whose name another file has or needs as a directory, also where the sink cannot see it.
    /// Whatever the sink reports. Nothing is published then and nothing is left behind, except as [`Sink::publish`] says.
    pub fn finish(mut self, manifest: &[u8]) -> Result<(Published, DumpTotals)> {
        match self.write_last_files(manifest) {
            Ok(totals) => match self.into_stages() {
                Some(stages) => Ok((stages.output.sink.publish()?, totals)),
                None => Err(lost()),
            },
            Err(error) => Err(match self.abort() {
                Ok(()) => error,
                Err(later) => error.followed_by(later),
            }),
        }
    }

    /// Gives up and removes everything.
    ///
    /// # Errors
    /// What could not be removed; a warning to the user rather than a failure.
    pub fn abort(self) -> Result<()> {
        match self.into_stages() {
            Some(stages) => stages.output.sink.abort(),
            None => Ok(()),
        }
    }

    fn into_stages(self) -> Option<Stages> {
        self.stages.or_else(|| self.running?.abandon())
    }

    fn hand_over_if_full(&mut self) -> Result<()> {
        if self.batch.is_full() { self.hand_over() } else { Ok(()) }
    }

    /// Lets the stages have the batch, and begins a new one.
    fn hand_over(&mut self) -> Result<()> {
        if let Some(running) = &mut self.running {
            if let Some(next) = running.spare_batch()
                && running.send(std::mem::replace(&mut self.batch, next))
            {
                return Ok(());
            }
            // A stage has ended before its time: its error comes with it.
            return self.settle().and(Err(lost()));
        }
        let taken = self.stages.as_mut().ok_or_else(lost)?.take(&self.batch);
        self.batch.clear();
        taken
    }

    /// Waits until everything so far is done. There are no threads afterwards.
    fn settle(&mut self) -> Result<&mut Stages> {
        match self.running.take() {
            Some(running) => {
                running.send(std::mem::take(&mut self.batch));
                let (stages, result) = running.join().ok_or_else(lost)?;
                self.stages = Some(stages);
                result?;
            }
            None => self.hand_over()?,
        }
        self.stages.as_mut().ok_or_else(lost)
    }

    fn write_last_files(&mut self, manifest: &[u8]) -> Result<DumpTotals> {
        self.write_file(&DumpPath::new(MANIFEST_FILE.as_bytes())?, manifest)?;
        let mut totals = self.totals;
        totals.files = totals.files.saturating_add(1);
        let empty = Sorter::new(self.scratch(), 0);
        let Stages { digests, output } = self.settle()?;
        let mut sorted = std::mem::replace(&mut digests.checksums, empty).finish()?;
        let sink = &mut output.sink;
        sink.begin(&DumpPath::new(CHECKSUMS_FILE.as_bytes())?)?;
        let mut line = Vec::new();
        let mut names = TakenNames::default();
        while let Some((path, digest)) = sorted.next()? {
            if names.is_taken(path) || is_at_or_below(path, CHECKSUMS_FILE.as_bytes()) {
                return Err(SinkError::NameTaken { path: Escaped(path).to_string(), alias: None }.into());
            }
            let digest = FileDigest::try_from(digest).unwrap_or_default();
            line.clear();
            write_line(&digest, path, &mut line);
            sink.write(&line)?;
            totals.bytes = totals.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        }
        sink.end()?;
        Ok(totals)
    }
}

fn lost() -> Error {
    Error::new(SinkError::Misuse { rule: "a part of the writer ended before its time" })
}
