//! Writes a dump to a sink, and its CHECKSUMS with it.

use std::sync::Arc;

use ekv_model::Body;
use ekv_spill::{Scratch, Sorter, Spooled};
use sha2::{Digest, Sha256};

use crate::checksums::{CHECKSUMS_FILE, FileDigest, write_line};
use crate::manifest::MANIFEST_FILE;
use crate::portable::{PortableCheck, PortableReport};
use crate::sink::{Published, Sink};
use crate::{DumpPath, Result};

/// Memory for the paths and digests that wait to be sorted, in bytes.
const CHECKSUMS_BUDGET_LEN: usize = 8 << 20;
/// Memory for the names that wait to be compared, in bytes.
const NAMES_BUDGET_LEN: usize = 4 << 20;

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
/// Source: `docs/format/tree.md`, section 7.
/// Cost: at most 13 MiB of memory beyond the sink's, whatever the number of files; more goes to the sink's scratch files.
///
/// After an error, [`DumpWriter::abort`] is all that is left. A writer that is dropped publishes nothing.
pub struct DumpWriter {
    sink: Box<dyn Sink>,
    checksums: Sorter,
    names: Option<PortableCheck>,
    open: Option<OpenFile>,
    totals: DumpTotals,
}

struct OpenFile {
    path: DumpPath,
    hasher: Sha256,
}

impl DumpWriter {
    /// Makes a writer to an empty sink.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        let checksums = Sorter::new(sink.scratch(), CHECKSUMS_BUDGET_LEN);
        let names = Some(PortableCheck::new(sink.scratch(), NAMES_BUDGET_LEN));
        DumpWriter { sink, checksums, names, open: None, totals: DumpTotals::default() }
    }

    /// Which names of the files so far are not portable. To be called once, after the last file of an adapter.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub fn portable_names(&mut self) -> Result<PortableReport> {
        self.names.take().map_or_else(|| Ok(PortableReport::default()), PortableCheck::finish)
    }

    /// Scratch files of the sink.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        self.sink.scratch()
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
        self.sink.directory(path)
    }

    /// Creates a file, with the directories above it.
    ///
    /// # Errors
    /// As [`Sink::begin`].
    pub fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.sink.begin(path)?;
        self.open = Some(OpenFile { path: path.clone(), hasher: Sha256::new() });
        Ok(())
    }

    /// Adds bytes to the open file.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write(bytes)?;
        if let Some(open) = &mut self.open {
            open.hasher.update(bytes);
        }
        self.totals.bytes = self.totals.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Ends the open file.
    ///
    /// # Errors
    /// As [`Sink::end`], and if the digest cannot be kept.
    pub fn end(&mut self) -> Result<()> {
        self.sink.end()?;
        if let Some(OpenFile { path, hasher }) = self.open.take() {
            let digest: FileDigest = hasher.finalize().into();
            self.checksums.push(path.as_bytes(), &digest)?;
            if let Some(names) = &mut self.names {
                names.add_file(&path)?;
            }
            self.totals.files = self.totals.files.saturating_add(1);
        }
        Ok(())
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

    /// Writes MANIFEST.json with this content, then CHECKSUMS, then publishes the dump.
    ///
    /// # Errors
    /// Whatever the sink reports. Nothing is published then and nothing is left behind, except as [`Sink::publish`] says.
    pub fn finish(mut self, manifest: &[u8]) -> Result<Published> {
        match self.write_last_files(manifest) {
            Ok(()) => self.sink.publish(),
            Err(error) => Err(match self.sink.abort() {
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
        self.sink.abort()
    }

    fn write_last_files(&mut self, manifest: &[u8]) -> Result<()> {
        self.write_file(&DumpPath::new(MANIFEST_FILE.as_bytes())?, manifest)?;
        let unsorted = std::mem::replace(&mut self.checksums, Sorter::new(self.sink.scratch(), 0));
        let mut sorted = unsorted.finish()?;
        self.sink.begin(&DumpPath::new(CHECKSUMS_FILE.as_bytes())?)?;
        let mut line = Vec::new();
        while let Some((path, digest)) = sorted.next()? {
            let digest = FileDigest::try_from(digest).unwrap_or_default();
            line.clear();
            write_line(&digest, path, &mut line);
            self.sink.write(&line)?;
        }
        self.sink.end()
    }
}
