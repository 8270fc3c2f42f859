//! Stands in for the directory sink on platforms that lack what it needs. Single files can be written there.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_spill::{Scratch, SystemScratch};

use super::{
    DirOptions, ExistingTarget, Fsync, LeftoverState, Privacy, PublishMethod, Published, Sink, SinkError,
    SinkOperation, for_each_zeros, misuse, rule,
};
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

/// One or several files that are created exclusively under their final names and removed unless all are published. A killed run leaves
/// incomplete files.
pub struct StagedFiles {
    files: Vec<(PathBuf, Option<File>)>,
    open: Option<usize>,
    fsync: Fsync,
    scratch: Arc<dyn Scratch>,
    is_published: bool,
}

impl StagedFiles {
    /// Prepares files at `targets`; each is created when it is begun.
    ///
    /// # Errors
    /// [`SinkError::TargetExists`]; [`SinkError::Unsupported`] if old files shall be replaced, which cannot be done safely here.
    pub fn create(targets: &[&Path], options: DirOptions) -> Result<Self> {
        Self::check_targets(targets, options)?;
        Ok(StagedFiles {
            files: targets.iter().map(|target| (target.to_path_buf(), None)).collect(),
            open: None,
            fsync: options.fsync,
            scratch: Arc::new(SystemScratch::new()),
            is_published: false,
        })
    }

    /// Checks that files may be written at `targets`, without creating anything.
    ///
    /// # Errors
    /// As [`StagedFiles::create`].
    pub fn check_targets(targets: &[&Path], options: DirOptions) -> Result<()> {
        if options.existing == ExistingTarget::Replace {
            return Err(SinkError::Unsupported.into());
        }
        targets.iter().try_for_each(|target| match target.symlink_metadata() {
            Ok(_) => Err(SinkError::TargetExists { path: target.display().to_string(), found: None }.into()),
            Err(_) => Ok(()),
        })
    }

    /// Begins the file for the target with this index.
    ///
    /// # Errors
    /// [`SinkError::Io`] if it cannot be created; [`SinkError::Misuse`] while another one is open.
    pub fn begin(&mut self, index: usize) -> Result<()> {
        if self.open.is_some() {
            return Err(misuse(rule::ONE_FILE_AT_A_TIME));
        }
        let Some((path, file)) = self.files.get_mut(index) else { return Err(misuse(rule::FILE_NEEDS_A_NAME)) };
        let created = File::options().read(true).write(true).create_new(true).open(&*path);
        *file = Some(created.map_err(|source| io_error(SinkOperation::CreateFile, path, source))?);
        self.open = Some(index);
        Ok(())
    }

    /// Adds bytes to the open file.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.open.and_then(|index| self.files.get_mut(index)) {
            Some((path, Some(file))) => {
                file.write_all(bytes).map_err(|source| io_error(SinkOperation::Write, path, source))
            }
            _ => Err(misuse(rule::NO_FILE_OPEN)),
        }
    }

    /// Adds zeros to the open file.
    ///
    /// # Errors
    /// As [`StagedFiles::write`].
    pub fn hole(&mut self, len: u64) -> Result<()> {
        for_each_zeros(len, |zeros| self.write(zeros))
    }

    /// Ends the open file.
    ///
    /// # Errors
    /// [`SinkError::Io`] if it cannot be brought to stable storage.
    pub fn end(&mut self) -> Result<()> {
        match self.open.take().and_then(|index| self.files.get(index)) {
            Some((path, Some(file))) if self.fsync != Fsync::None => {
                file.sync_all().map_err(|source| io_error(SinkOperation::Sync, path, source))
            }
            Some((_, Some(_))) => Ok(()),
            _ => Err(misuse(rule::NO_FILE_OPEN)),
        }
    }

    /// Opens a file that was written, to read it back before it is published.
    ///
    /// # Errors
    /// [`SinkError::Io`] if it cannot be opened; [`SinkError::Misuse`] while a file is open for writing.
    pub fn open_staged(&mut self, index: usize) -> Result<File> {
        match (self.open, self.files.get(index)) {
            (None, Some((path, Some(_)))) => {
                File::open(path).map_err(|source| io_error(SinkOperation::ReadBack, path, source))
            }
            (Some(_), _) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            _ => Err(misuse(rule::FILE_NEEDS_A_NAME)),
        }
    }

    /// Path of the target with this index, for messages; `None` if there is none.
    pub fn target(&self, index: usize) -> Option<String> {
        self.files.get(index).map(|(path, _)| path.display().to_string())
    }

    /// Scratch files, which vanish with this.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    /// Keeps the files.
    ///
    /// # Errors
    /// [`SinkError::Misuse`] unless every file was written.
    pub fn publish(mut self) -> Result<Published> {
        if self.open.is_some() || self.files.iter().any(|(_, file)| file.is_none()) {
            return Err(misuse(rule::EVERY_FILE_ONCE));
        }
        self.is_published = true;
        let place = self.files.first().map_or_else(String::new, |(path, _)| path.display().to_string());
        Ok(Published {
            place,
            method: PublishMethod::CreateExclusively,
            fsync: self.fsync,
            privacy: Privacy::Unknown,
            archive_len: None,
            warnings: Vec::new(),
        })
    }

    /// Gives up: removes everything.
    ///
    /// # Errors
    /// What could not be removed; a warning to the user rather than a failure.
    pub fn abort(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        self.is_published = true;
        let mut removed = Ok(());
        for (path, file) in self.files.drain(..) {
            if file.is_some() {
                drop(file);
                let gone = std::fs::remove_file(&path);
                removed = removed.and(gone.map_err(|source| io_error(SinkOperation::Remove, &path, source)));
            }
        }
        removed
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        if !self.is_published {
            // Nobody is there to hear of an error.
            let _ = self.remove();
        }
    }
}

fn io_error(operation: SinkOperation, path: &Path, source: io::Error) -> Error {
    Error::new(SinkError::Io { operation, path: path.display().to_string(), source })
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

    /// Why it may not be removed.
    pub fn reason(&self) -> Option<&str> {
        match self.never {}
    }

    /// Whether its run was replacing something.
    pub fn was_replacing(&self) -> bool {
        match self.never {}
    }

    /// Removes it.
    ///
    /// # Errors
    /// None on this platform.
    pub fn remove(&self) -> Result<Vec<String>> {
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
