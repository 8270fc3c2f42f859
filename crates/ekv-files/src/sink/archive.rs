//! Writes a dump as an archive: a file that is whole or absent, or a stream.
//!
//! Source: `docs/format/tree.md`, section 9.2.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ekv_spill::{Scratch, SystemScratch};

use super::path_table::PathTable;
use super::{
    DirOptions, Fsync, Privacy, PublishMethod, Published, Sink, SinkError, SinkOperation, StagedFiles, misuse, rule,
};
use crate::archive::ArchiveOptions;
use crate::archive::compress::Compressor;
use crate::archive::write_error::WriteError;
use crate::archive::writer::TarWriter;
use crate::path::{Escaped, is_at_or_below, prefixes, split_last};
use crate::{DumpPath, Error, Result};

/// Writes a dump as a tar archive, plain or compressed.
///
/// Entries stand in the order in which they are written, each directory once, before anything in it. That a name is taken is seen when all names are
/// sorted: here for the index of a compressed archive, and before that by who writes a whole dump (the writer and the checks of a dump do).
///
/// Cost: a buffer of 1 MiB, 2 MiB for directories, and for compression 4 MiB for sorting names and 4 MiB for each of its threads and two more. Files that
/// do not fit into the buffer pass through a scratch file, and so do names.
pub struct ArchiveSink {
    writer: TarWriter<Compressor<Counted>>,
    scratch: Arc<dyn Scratch>,
    /// Where the archive goes, for messages.
    place: String,
    made: PathTable,
    /// The directory of the last entry.
    directory: Vec<u8>,
    is_open: bool,
    failed: bool,
}

impl ArchiveSink {
    /// Makes an archive file at `target`, whose parent must exist. Nothing has the name before [`Sink::publish`].
    ///
    /// # Errors
    /// As [`StagedFiles::create`]; [`SinkError::Io`] if the compression is not available.
    pub fn create(target: &Path, options: &ArchiveOptions, publication: DirOptions) -> Result<Self> {
        let mut staged = StagedFiles::create(&[target], publication)?;
        staged.begin(0)?;
        let scratch = staged.scratch();
        Self::new(Output::File(Box::new(staged)), target.display().to_string(), scratch, options)
    }

    /// Writes the archive to a stream as it comes. Only its end says that it is whole: [`Sink::publish`] writes that.
    ///
    /// # Errors
    /// [`SinkError::Io`] if the compression is not available.
    pub fn stream(output: Box<dyn Write + Send>, place: &str, options: &ArchiveOptions) -> Result<Self> {
        Self::new(Output::Stream(output), place.to_owned(), Arc::new(SystemScratch::new()), options)
    }

    /// Writes the archive to something that shows it as a whole, or not at all.
    ///
    /// # Errors
    /// [`SinkError::Io`] if the compression is not available.
    pub fn whole(output: Box<dyn WholeStream>, place: &str, options: &ArchiveOptions) -> Result<Self> {
        Self::new(Output::Whole(output), place.to_owned(), Arc::new(SystemScratch::new()), options)
    }

    /// Makes an archive of which nothing is kept: what it says of itself is that of a file at `place`.
    ///
    /// # Errors
    /// [`SinkError::Io`] if the compression is not available.
    pub fn nowhere(place: &str, options: &ArchiveOptions, scratch: Arc<dyn Scratch>) -> Result<Self> {
        Self::new(Output::Nowhere, place.to_owned(), scratch, options)
    }

    fn new(output: Output, place: String, scratch: Arc<dyn Scratch>, options: &ArchiveOptions) -> Result<Self> {
        let output = Counted { output, len: 0 };
        let compressor = Compressor::new(output, options, Arc::clone(&scratch)).map_err(|source| SinkError::Io {
            operation: SinkOperation::CreateFile,
            path: place.clone(),
            source,
        })?;
        let modified_unix_s = u64::try_from(options.modified.as_second()).unwrap_or(0);
        let with_names = compressor.takes_names();
        Ok(ArchiveSink {
            writer: TarWriter::new(compressor, modified_unix_s, with_names, Arc::clone(&scratch)),
            made: PathTable::new(Arc::clone(&scratch)),
            scratch,
            place,
            directory: Vec::new(),
            is_open: false,
            failed: false,
        })
    }

    /// The same, with other scratch files; nothing may have been written yet.
    #[must_use]
    pub fn with_scratch(mut self, scratch: Arc<dyn Scratch>) -> Self {
        self.writer.set_scratch(Arc::clone(&scratch));
        self.writer.output_mut().set_scratch(Arc::clone(&scratch));
        self.made = PathTable::new(Arc::clone(&scratch));
        self.scratch = scratch;
        self
    }

    /// Runs a step unless one failed before, and remembers whether it failed.
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(misuse(rule::NOT_AFTER_AN_ERROR));
        }
        step(self).inspect_err(|_| self.failed = true)
    }

    /// Writes the entries of a directory and those above it, unless they were written before.
    fn enter(&mut self, path: &[u8]) -> Result<()> {
        if path == self.directory {
            return Ok(());
        }
        for directory in prefixes(path) {
            if !is_at_or_below(&self.directory, directory) && self.made.get(directory)?.is_none() {
                self.writer.directory(directory).map_err(|error| write_error(error, &self.place))?;
                self.made.insert(directory, [1; 16])?;
            }
        }
        self.directory.clear();
        self.directory.extend_from_slice(path);
        Ok(())
    }

    /// Ends the archive and what lies around it.
    fn finish(self) -> Result<(Counted, String)> {
        let ArchiveSink { writer, place, .. } = self;
        let finished = writer.finish().and_then(|(compressor, names)| compressor.finish(names));
        let output = finished.map_err(|error| write_error(error, &place))?;
        Ok((output, place))
    }
}

fn write_error(error: WriteError, place: &str) -> Error {
    match error {
        WriteError::Scratch(error) => error.into(),
        WriteError::Repeated(path) => {
            let taken = SinkError::NameTaken { path: Escaped(&path).to_string(), alias: None };
            Error::from(taken).at(&path)
        }
        WriteError::Output(source) => source.downcast::<Error>().unwrap_or_else(|source| {
            SinkError::Io { operation: SinkOperation::Write, path: place.to_owned(), source }.into()
        }),
    }
}

impl Sink for ArchiveSink {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.step(|sink| if sink.is_open { Err(misuse(rule::ONE_FILE_AT_A_TIME)) } else { sink.enter(path.as_bytes()) })
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.step(|sink| {
            if sink.is_open {
                return Err(misuse(rule::ONE_FILE_AT_A_TIME));
            }
            if path.is_empty() {
                return Err(misuse(rule::FILE_NEEDS_A_NAME));
            }
            sink.enter(split_last(path.as_bytes()).0)?;
            sink.is_open = true;
            sink.writer.begin(path.as_bytes()).map_err(|error| write_error(error, &sink.place))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.step(|sink| match sink.is_open {
            true => sink.writer.write(bytes).map_err(|error| write_error(error, &sink.place)),
            false => Err(misuse(rule::NO_FILE_OPEN)),
        })
    }

    fn end(&mut self) -> Result<()> {
        self.step(|sink| match std::mem::take(&mut sink.is_open) {
            true => sink.writer.end().map_err(|error| write_error(error, &sink.place)),
            false => Err(misuse(rule::NO_FILE_OPEN)),
        })
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        self.step(|sink| if sink.is_open { Err(misuse(rule::ONE_FILE_AT_A_TIME)) } else { Ok(()) })?;
        let (Counted { output, len }, place) = self.finish()?;
        let archive_len = Some(len);
        match output {
            Output::File(mut staged) => {
                staged.end()?;
                Ok(Published { archive_len, ..staged.publish()? })
            }
            Output::Nowhere => Ok(Published { archive_len, ..Published::nothing(&place) }),
            Output::Whole(output) => {
                let method = output.publish().map_err(|error| write_error(error.into(), &place))?;
                let (fsync, privacy) = (Fsync::None, Privacy::Elsewhere);
                Ok(Published { place, method, fsync, privacy, archive_len, warnings: Vec::new() })
            }
            Output::Stream(mut output) => {
                let flushed = output.flush();
                flushed.map_err(|error| write_error(error.into(), &place))?;
                Ok(Published {
                    place,
                    method: PublishMethod::Stream,
                    fsync: Fsync::None,
                    privacy: Privacy::Elsewhere,
                    archive_len,
                    warnings: Vec::new(),
                })
            }
        }
    }

    fn abort(self: Box<Self>) -> Result<()> {
        let ArchiveSink { writer, place, .. } = *self;
        match writer.into_output().into_output().output {
            Output::File(staged) => staged.abort(),
            Output::Whole(output) => output.abort().map_err(|error| write_error(error.into(), &place)),
            Output::Stream(_) | Output::Nowhere => Ok(()),
        }
    }
}

/// What is written like a stream and is to be seen as a whole, or not at all, such as an object of a store.
pub trait WholeStream: Write + Send {
    /// Lets it be seen; how.
    ///
    /// # Errors
    /// If that fails; nothing is to be seen then.
    fn publish(self: Box<Self>) -> io::Result<PublishMethod>;

    /// Forgets what was written.
    ///
    /// # Errors
    /// If something of it stays, which nobody sees.
    fn abort(self: Box<Self>) -> io::Result<()>;
}

/// Where the bytes of the archive go.
enum Output {
    File(Box<StagedFiles>),
    Whole(Box<dyn WholeStream>),
    Stream(Box<dyn Write + Send>),
    Nowhere,
}

/// The same, and how many they are.
struct Counted {
    output: Output,
    len: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.len = self.len.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::File(staged) => staged.write(bytes).map(|()| bytes.len()).map_err(io::Error::other),
            Output::Whole(output) => output.write(bytes),
            Output::Stream(output) => output.write(bytes),
            Output::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::File(_) | Output::Nowhere => Ok(()),
            Output::Whole(output) => output.flush(),
            Output::Stream(output) => output.flush(),
        }
    }
}
