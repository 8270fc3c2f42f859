//! Writes a directory tree: a private staging directory beside the target, exclusive creates relative to open directories, one rename
//! at the end. A dump is written this way, and so is any other tree that must be whole or absent.
//!
//! Source: `docs/format/tree.md`, section 8.

mod directories;
mod files;
mod leftover;
mod names;
mod ours;
mod place;
mod privacy;
mod publish;
mod remove;
mod replacing;
mod staging;
mod sys;
mod target;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ekv_spill::Scratch;

use self::directories::Directories;
use self::names::TREE;
use self::place::{below, io_error, join};
use self::publish::{Failure, Publisher};
use self::staging::Staging;
use self::sys::{FileId, Native, Stat, SyncScope, System, write_fully};
use self::target::Target;
use super::{DirOptions, ExistingTarget, Fsync, Privacy, PublishMethod, Published, Sink, SinkOperation, misuse, rule};
use crate::{DumpPath, Error, Result};

pub use files::StagedFiles;
pub use leftover::{Leftover, leftovers};

/// How often, and after which pauses, a run looks whether it is its turn to replace something: for a minute at most.
const TURN_ATTEMPTS: u32 = 6_000;
const TURN_PAUSE: Duration = Duration::from_millis(10);
/// Small writes are gathered up to this many bytes.
const BUFFER_LEN: usize = 64 * 1024;

/// Writes a dump as a directory. Nothing has the target's name before [`Sink::publish`], which gives it to the whole dump in one
/// step; whatever happens in the staging directory, nothing outside of it is touched.
///
/// Cost: one `openat`, one `write` and one `close` for a small file. At most 128 open directories, fewer where the process may
/// open few files.
pub struct DirSink {
    writer: DirWriter<Native>,
}

impl DirSink {
    /// Makes a staging directory beside `target`, whose parent must exist.
    ///
    /// # Errors
    /// [`SinkError::TargetExists`](super::SinkError::TargetExists) and
    /// [`SinkError::NotReplaceable`](super::SinkError::NotReplaceable) for what lies at the target,
    /// [`SinkError::Unsupported`](super::SinkError::Unsupported) where the platform lacks what it takes, and
    /// [`SinkError::Io`](super::SinkError::Io).
    pub fn create(target: &Path, options: DirOptions) -> Result<Self> {
        Ok(DirSink { writer: DirWriter::create(Native, target, options)? })
    }
}

impl DirSink {
    /// Makes a staging directory beside `target` for a tree that is for its owner alone: all of its directories have mode 0700. What
    /// exists at the target is never replaced.
    ///
    /// # Errors
    /// As [`DirSink::create`].
    pub fn create_private(target: &Path, fsync: Fsync) -> Result<Self> {
        let options = DirOptions { existing: ExistingTarget::Refuse, fsync };
        let mut writer = DirWriter::create(Native, target, options)?;
        writer.directories.make_private();
        Ok(DirSink { writer })
    }

    /// Opens a file that this sink wrote, to read it back before it is published.
    ///
    /// # Errors
    /// [`SinkError::Io`](super::SinkError::Io) if it cannot be opened, or is not a regular file of this sink's directory;
    /// [`SinkError::Misuse`](super::SinkError::Misuse) while a file is open for writing.
    pub fn open_staged(&mut self, path: &DumpPath) -> Result<File> {
        self.writer.step(|writer| writer.open_staged(path))
    }

    /// Checks that a dump may be written at `target`, without creating anything: for commands that have long work before the first
    /// file. [`DirSink::create`] and [`Sink::publish`] check again.
    ///
    /// # Errors
    /// As [`DirSink::create`], and [`SinkError::HoldsOthers`](super::SinkError::HoldsOthers).
    pub fn check_target(target: &Path, options: DirOptions) -> Result<()> {
        let target = Target::open(&Native, target)?;
        match check_free(&Native, &target, options)? {
            Some(_) => target.refuse_strangers(&Native, target.at()),
            None => Ok(()),
        }
    }
}

/// Refuses what lies at the target, as the options say; answers what may be replaced.
fn check_free<S: System>(system: &S, target: &Target, options: DirOptions) -> Result<Option<Stat>> {
    match options.existing {
        ExistingTarget::Refuse if target.examine(system)?.is_some() => Err(target.exists(system)),
        ExistingTarget::Refuse => Ok(None),
        ExistingTarget::Replace => target.replaceable(system),
    }
}

impl Sink for DirSink {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.writer.step(|writer| writer.directory(path))
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        self.writer.step(|writer| writer.begin(path))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.step(|writer| writer.write(bytes))
    }

    fn hole(&mut self, len: u64) -> Result<()> {
        self.writer.step(|writer| writer.hole(len))
    }

    fn end(&mut self) -> Result<()> {
        self.writer.step(DirWriter::end)
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        self.writer.staging.scratch()
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        self.writer.publish()
    }

    fn abort(self: Box<Self>) -> Result<()> {
        self.writer.abort()
    }
}

/// When data is brought to stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SyncPlan {
    /// Once for the whole file system; files in the root also one by one.
    FileSystem,
    /// Every file and directory.
    Each,
    Never,
}

/// The sink, over any system.
struct DirWriter<S: System> {
    system: S,
    staging: Staging<S>,
    directories: Directories<S>,
    tree_id: FileId,
    /// What keeps that which gets a name from others.
    privacy: Privacy,
    options: DirOptions,
    sync_plan: SyncPlan,
    open: Option<OpenFile>,
    buffer: Vec<u8>,
    failed: bool,
    /// Whether the staging directory is gone or must stay.
    finished: bool,
}

struct OpenFile {
    fd: OwnedFd,
    path: DumpPath,
}

impl<S: System> DirWriter<S> {
    fn create(system: S, target: &Path, options: DirOptions) -> Result<Self> {
        let target = Target::open(&system, target)?;
        leftover::recover_target(&system, &target, &[&target.base])?;
        check_free(&system, &target, options)?;
        let sync_plan = match options.fsync {
            Fsync::None => SyncPlan::Never,
            Fsync::Full if system.file_system_sync_reports_errors() => SyncPlan::FileSystem,
            Fsync::Full | Fsync::File => SyncPlan::Each,
        };
        Self::stage(system, target, options, sync_plan)
    }

    /// Makes the staging directory.
    fn stage(system: S, target: Target, options: DirOptions, sync_plan: SyncPlan) -> Result<Self> {
        let (staging, tree, tree_stat) = Staging::create(&system, target)?;
        let place = below(&staging.path(), TREE);
        let mut directories = Directories::new(system.clone(), place, tree, tree_stat, staging.scratch());
        if sync_plan == SyncPlan::Each {
            directories.sync_each();
        }
        Ok(DirWriter {
            system,
            privacy: staging.privacy,
            staging,
            directories,
            tree_id: tree_stat.id,
            options,
            sync_plan,
            open: None,
            buffer: Vec::with_capacity(BUFFER_LEN),
            failed: false,
            finished: false,
        })
    }

    /// Runs a step unless one failed before, and remembers whether it failed.
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(misuse(rule::NOT_AFTER_AN_ERROR));
        }
        step(self).inspect_err(|_| self.failed = true)
    }

    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        match self.open {
            Some(_) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            None => self.directories.enter(path.as_bytes()),
        }
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        if self.open.is_some() {
            return Err(misuse(rule::ONE_FILE_AT_A_TIME));
        }
        if path.is_empty() {
            return Err(misuse(rule::FILE_NEEDS_A_NAME));
        }
        let fd = self.directories.create_file(path.as_bytes())?;
        self.open = Some(OpenFile { fd, path: path.clone() });
        self.buffer.clear();
        Ok(())
    }

    /// What the open file is.
    fn open_stat(&self) -> Result<Stat> {
        let Some(file) = &self.open else { return Err(misuse(rule::NO_FILE_OPEN)) };
        let stat = self.system.stat(file.fd.as_fd());
        stat.map_err(|source| self.file_error(SinkOperation::CreateFile, &file.path, source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(file) = &self.open else { return Err(misuse(rule::NO_FILE_OPEN)) };
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER_LEN {
            self.write_out(file, &self.buffer)?;
            self.buffer.clear();
        }
        if bytes.len() >= BUFFER_LEN {
            self.write_out(file, bytes)
        } else {
            self.buffer.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn hole(&mut self, len: u64) -> Result<()> {
        let Some(file) = &self.open else { return Err(misuse(rule::NO_FILE_OPEN)) };
        self.write_out(file, &self.buffer)?;
        self.buffer.clear();
        let skipped = self.system.skip(file.fd.as_fd(), len);
        skipped.map_err(|source| self.file_error(SinkOperation::Write, &file.path, source))
    }

    fn end(&mut self) -> Result<()> {
        let Some(file) = self.open.take() else { return Err(misuse(rule::NO_FILE_OPEN)) };
        let written = self.write_out(&file, &self.buffer).and_then(|()| match self.sync_plan {
            SyncPlan::Never => Ok(()),
            SyncPlan::FileSystem if file.path.components().nth(1).is_some() => Ok(()),
            SyncPlan::FileSystem | SyncPlan::Each => {
                let synced = self.system.sync(file.fd.as_fd(), SyncScope::Entry);
                synced.map_err(|source| self.file_error(SinkOperation::Sync, &file.path, source))
            }
        });
        let closed = self.system.close(file.fd);
        join(written, closed.map_err(|source| self.file_error(SinkOperation::Close, &file.path, source)))
    }

    fn open_staged(&mut self, path: &DumpPath) -> Result<File> {
        match self.open {
            Some(_) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            None => self.directories.open_file(path.as_bytes()).map(File::from),
        }
    }

    fn publish(self) -> Result<Published> {
        self.publish_by(|writer| {
            let publisher = Publisher {
                system: &writer.system,
                staging: &writer.staging,
                tree_id: writer.tree_id,
                sync: writer.sync_plan != SyncPlan::Never,
            };
            publisher.publish(writer.options.existing)
        })
    }

    /// Makes everything ready, lets `publish` give the names, and cleans up.
    fn publish_by(mut self, publish: impl FnOnce(&Self) -> Result<PublishMethod, Failure>) -> Result<Published> {
        let ready = match self.open {
            Some(_) => Err(misuse(rule::ONE_FILE_AT_A_TIME)),
            None => self.step(Self::make_ready),
        };
        let published = ready.and_then(|()| self.turn()).map_err(Failure::from).and_then(|turn| {
            let published = publish(&self);
            drop(turn);
            published
        });
        match published {
            Ok(method) => {
                self.finished = true;
                // An open file keeps its directory from being removed on some file systems.
                self.directories.forget_made(self.staging.scratch());
                let warnings = self.staging.remove().err().into_iter().collect();
                let place = self.staging.target.path();
                Ok(Published {
                    place,
                    method,
                    fsync: self.options.fsync,
                    privacy: self.privacy,
                    archive_len: None,
                    warnings,
                })
            }
            Err(Failure { error, keep_staging: true }) => {
                self.finished = true;
                Err(error)
            }
            Err(Failure { error, keep_staging: false }) => Err(match self.remove() {
                Ok(()) => error,
                Err(later) => error.followed_by(later),
            }),
        }
    }

    /// Waits until no other run replaces anything in the directory of the target, by the lock of that directory: of three runs that look
    /// and exchange in turns, one could be left with the output of another, and no place for it. Who does not get the lock goes on without:
    /// what was exchanged with something else than was looked at is given back, as where anybody else interferes.
    fn turn(&self) -> Result<Option<OwnedFd>> {
        if self.options.existing == ExistingTarget::Refuse {
            return Ok(None);
        }
        let target = &self.staging.target;
        let directory = self.system.open_directory(target.parent.as_fd(), b".");
        let directory = directory.map_err(|source| target.error(SinkOperation::Publish, b".", source))?;
        for _ in 0..TURN_ATTEMPTS {
            match self.system.lock(directory.as_fd()) {
                Ok(false) => std::thread::sleep(TURN_PAUSE),
                // Where directories cannot be locked nobody waits.
                Ok(true) | Err(_) => return Ok(Some(directory)),
            }
        }
        Ok(Some(directory))
    }

    /// Everything that comes before the dump gets its name.
    fn make_ready(&mut self) -> Result<()> {
        self.directories.close_all()?;
        if self.sync_plan == SyncPlan::FileSystem {
            let synced = self.system.sync(self.staging.fd(), SyncScope::FileSystem);
            synced.map_err(|source| io_error(SinkOperation::Sync, self.staging.path(), source))?;
        }
        Ok(())
    }

    fn abort(mut self) -> Result<()> {
        self.remove()
    }

    /// Closes everything and removes the staging directory.
    fn remove(&mut self) -> Result<()> {
        self.finished = true;
        self.directories.forget_changes();
        self.directories.forget_made(self.staging.scratch());
        let closed = self.directories.close_all();
        let file_closed = self.open.take().map_or(Ok(()), |file| {
            let closed = self.system.close(file.fd);
            closed.map_err(|source| self.file_error(SinkOperation::Close, &file.path, source))
        });
        join(join(file_closed, closed), self.staging.remove())
    }

    fn write_out(&self, file: &OpenFile, bytes: &[u8]) -> Result<()> {
        let written = write_fully(&self.system, file.fd.as_fd(), bytes);
        written.map_err(|source| self.file_error(SinkOperation::Write, &file.path, source))
    }

    fn file_error(&self, operation: SinkOperation, path: &DumpPath, source: io::Error) -> Error {
        io_error(operation, below(&below(&self.staging.path(), TREE), path.as_bytes()), source)
    }
}

impl<S: System> Drop for DirWriter<S> {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody is there to hear of an error; a clean-up finds what is left.
            let _ = self.remove();
        }
    }
}

#[cfg(test)]
mod tests;
