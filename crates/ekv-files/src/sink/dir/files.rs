//! Writes single files that must be whole or absent, and where several belong together, all of them or none.
//!
//! They grow in a staging directory beside their names and get them in order, so that the last one is the mark that all are there.
//!
//! Source: `docs/format/restore.md`, section 6; `docs/format/tree.md`, section 9.2.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ekv_spill::Scratch;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::directories::sync_directory;
use super::names::TREE;
use super::ours::is_still;
use super::privacy;
use super::publish::{Failure, Publisher};
use super::replacing::{Record, away, give_back, take_back};
use super::sys::{At, FileId, Native, Stat, SyncScope, System, has_errno, is_unsupported};
use super::target::{Target, without_trailing_slashes};
use super::{DirWriter, SyncPlan, leftover};
use crate::path::{check_component, split_last};
use crate::sink::{
    DirOptions, ExistingTarget, Fsync, PublishMethod, Published, SinkError, SinkOperation, misuse, rule,
};
use crate::{DumpPath, Error, Result};

/// A rule that callers know.
const ONE_DIRECTORY: &str = "files that are published together must lie in one directory";

/// One or several files in one directory that are written in private and published together.
///
/// The files are known by their index in the list of targets. Each is written once, from start to end: [`StagedFiles::begin`], any
/// number of [`StagedFiles::write`], [`StagedFiles::end`]. Nothing has a target's name before [`StagedFiles::publish`]; dropping
/// removes everything. With [`ExistingTarget::Replace`] an old regular file is replaced in one step. After a crash while several files
/// are published there is the old set, the new set, or the first files of either without the last one.
pub struct StagedFiles {
    files: Files<Native>,
}

impl StagedFiles {
    /// Makes a staging directory beside the first of `targets`, all of which must lie in the same existing directory.
    ///
    /// # Errors
    /// [`SinkError::TargetExists`] and [`SinkError::FileNotReplaceable`] for what lies at a target, [`SinkError::Unsupported`] where the
    /// platform lacks what it takes, [`SinkError::Misuse`] for targets in several directories, and [`SinkError::Io`].
    pub fn create(targets: &[&Path], options: DirOptions) -> Result<Self> {
        Ok(StagedFiles { files: Files::create(Native, targets, options)? })
    }

    /// Checks that files may be written at `targets`, without creating anything: for commands that have long work before the first
    /// file.
    ///
    /// # Errors
    /// As [`StagedFiles::create`].
    pub fn check_targets(targets: &[&Path], options: DirOptions) -> Result<()> {
        let (target, names) = open(&Native, targets)?;
        names.iter().try_for_each(|name| old_file(&Native, &target, name, options.existing).map(|_| ()))
    }

    /// Begins the file for the target with this index.
    ///
    /// # Errors
    /// [`SinkError::NameTaken`] if it was begun before; [`SinkError::Misuse`] while another one is open.
    pub fn begin(&mut self, index: usize) -> Result<()> {
        self.files.begin(index)
    }

    /// Adds bytes to the open file.
    ///
    /// # Errors
    /// [`SinkError::Io`]; an error may belong to bytes of an earlier call, as small writes are gathered.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.files.writer.step(|writer| writer.write(bytes))
    }

    /// Adds zeros to the open file, as a hole.
    ///
    /// # Errors
    /// As [`StagedFiles::write`].
    pub fn hole(&mut self, len: u64) -> Result<()> {
        self.files.writer.step(|writer| writer.hole(len))
    }

    /// Ends the open file. All its bytes have been accepted by the system then.
    ///
    /// # Errors
    /// [`SinkError::Io`], also if the file cannot be closed.
    pub fn end(&mut self) -> Result<()> {
        self.files.writer.step(DirWriter::end)
    }

    /// Opens a file that was written, to read it back before it is published.
    ///
    /// # Errors
    /// [`SinkError::Io`] if it cannot be opened, or is not a regular file; [`SinkError::Misuse`] while a file is open for writing.
    pub fn open_staged(&mut self, index: usize) -> Result<File> {
        let path = self.files.path(index)?;
        self.files.writer.step(|writer| writer.open_staged(&path))
    }

    /// Path of the target with this index, for messages; `None` if there is none.
    pub fn target(&self, index: usize) -> Option<String> {
        let name = self.files.names.get(index)?;
        Some(self.files.writer.staging.target.path_of(name))
    }

    /// Scratch files in the file system of the targets, which vanish with this.
    pub fn scratch(&self) -> Arc<dyn Scratch> {
        self.files.writer.staging.scratch()
    }

    /// Gives the files their names, in order.
    ///
    /// # Errors
    /// Nothing is published then, old files are where they were, and nothing is left behind, with the exceptions that
    /// [`SinkError::NotDurable`] and [`SinkError::OldDumpMoved`] describe. Errors while cleaning up are in [`Error::later`].
    pub fn publish(self) -> Result<Published> {
        self.files.publish()
    }

    /// Gives up: removes everything.
    ///
    /// # Errors
    /// What could not be removed; a warning to the user rather than a failure.
    pub fn abort(self) -> Result<()> {
        self.files.writer.abort()
    }
}

/// The staged files, over any system.
pub(super) struct Files<S: System> {
    pub(super) writer: DirWriter<S>,
    /// Names of the targets.
    names: Vec<Vec<u8>>,
    /// Which files were begun, as what.
    ids: Vec<Option<FileId>>,
}

impl<S: System> Files<S> {
    pub(super) fn create(system: S, targets: &[&Path], options: DirOptions) -> Result<Self> {
        let (target, names) = open(&system, targets)?;
        leftover::recover_target(&system, &target, &names)?;
        names.iter().try_for_each(|name| old_file(&system, &target, name, options.existing).map(|_| ()))?;
        let sync_plan = if options.fsync == Fsync::None { SyncPlan::Never } else { SyncPlan::Each };
        let writer = DirWriter::stage(system, target, options, sync_plan)?;
        Ok(Files { writer, ids: vec![None; names.len()], names })
    }

    fn path(&self, index: usize) -> Result<DumpPath> {
        let name = self.names.get(index).ok_or_else(|| misuse(rule::FILE_NEEDS_A_NAME))?;
        Ok(DumpPath::new(name)?)
    }

    pub(super) fn begin(&mut self, index: usize) -> Result<()> {
        let path = self.path(index)?;
        let id = self.writer.step(|writer| {
            writer.begin(&path)?;
            let stat = writer.open_stat()?;
            writer.privacy = privacy::of_file(writer.privacy, &stat);
            Ok(stat.id)
        })?;
        if let Some(slot) = self.ids.get_mut(index) {
            *slot = Some(id);
        }
        Ok(())
    }

    pub(super) fn publish(self) -> Result<Published> {
        let Files { writer, names, ids } = self;
        writer.publish_by(|writer| {
            let ids: Option<Vec<FileId>> = ids.into_iter().collect();
            let ids = ids.ok_or_else(|| misuse(rule::EVERY_FILE_ONCE))?;
            let publisher = Publisher {
                system: &writer.system,
                staging: &writer.staging,
                tree_id: writer.tree_id,
                sync: writer.sync_plan != SyncPlan::Never,
            };
            let files = names.into_iter().zip(ids).map(|(name, id)| StagedFile { name, id, stat: None }).collect();
            FilePublisher::new(publisher, files)?.publish(writer.options.existing)
        })
    }
}

/// The directory of all targets, and their names in it.
fn open<S: System>(system: &S, targets: &[&Path]) -> Result<(Target, Vec<Vec<u8>>)> {
    let mut named = targets.iter().map(|path| split_last(without_trailing_slashes(path.as_os_str().as_bytes())));
    let (parent, first_name) = named.next().ok_or_else(|| misuse(rule::FILE_NEEDS_A_NAME))?;
    let mut names = vec![first_name.to_vec()];
    for (other, name) in named {
        if other != parent || names.iter().any(|known| known == name) {
            return Err(misuse(ONE_DIRECTORY));
        }
        names.push(name.to_vec());
    }
    for (name, path) in names.iter().zip(targets) {
        check_component(name).map_err(|_| SinkError::TargetName { path: path.display().to_string() })?;
    }
    let first_target = targets.first().ok_or_else(|| misuse(rule::FILE_NEEDS_A_NAME))?;
    Ok((Target::open(system, first_target)?, names))
}

/// What the file at a target is that may be replaced, or `None` if nothing is there.
fn old_file<S: System>(system: &S, target: &Target, name: &[u8], existing: ExistingTarget) -> Result<Option<Stat>> {
    let stat = match system.stat_at(target.parent.as_fd(), name) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(None),
        result => result.map_err(|source| target.error(SinkOperation::ExamineTarget, name, source))?,
    };
    let path = target.path_of(name);
    if existing == ExistingTarget::Refuse {
        return Err(target.name_exists(system, name));
    }
    target.refuse_mount_point(system, name)?;
    match stat.kind {
        FileType::RegularFile => Ok(Some(stat)),
        FileType::Symlink => Err(SinkError::FileNotReplaceable { path, found: "a symbolic link" }.into()),
        FileType::Directory => Err(SinkError::FileNotReplaceable { path, found: "a directory" }.into()),
        _ => Err(SinkError::FileNotReplaceable { path, found: "a special file" }.into()),
    }
}

/// A file that was written.
struct StagedFile {
    name: Vec<u8>,
    id: FileId,
    /// What it is once it is whole.
    stat: Option<Stat>,
}

/// What was done so far, to undo it.
enum Done {
    /// The staged file got its name, which nothing had.
    Named(usize),
    /// The staged file and the old one changed places.
    Exchanged(usize),
    /// The old file was moved into the staging directory.
    MovedAway(usize),
}

/// Publishes files that lie in a staging directory below `tree/`.
struct FilePublisher<'a, S: System> {
    publisher: Publisher<'a, S>,
    tree: OwnedFd,
    files: Vec<StagedFile>,
    done: Vec<Done>,
}

impl<'a, S: System> FilePublisher<'a, S> {
    fn new(publisher: Publisher<'a, S>, files: Vec<StagedFile>) -> Result<Self> {
        publisher.check_tree()?;
        let tree = publisher.system.open_directory(publisher.staging.fd(), TREE);
        let tree = tree.map_err(|source| publisher.error(source))?;
        Ok(FilePublisher { publisher, tree, files, done: Vec::new() })
    }

    fn publish(mut self, existing: ExistingTarget) -> Result<PublishMethod, Failure> {
        match self.try_publish(existing) {
            Ok(method) => {
                self.publisher.remove_record();
                Ok(method)
            }
            Err(Failure { error, .. })
                if matches!(error.kind(), crate::ErrorKind::Sink(SinkError::NotDurable { .. })) =>
            {
                let holds_old = self.done.iter().any(|done| !matches!(done, Done::Named(_)));
                Err(Failure { error, keep_staging: holds_old })
            }
            Err(Failure { error, keep_staging }) => match self.undo() {
                Ok(()) => Err(Failure { error, keep_staging }),
                Err(undone) => {
                    let failure = Failure { error: error.followed_by(undone), keep_staging: true };
                    self.publisher.note_failure(&failure);
                    Err(failure)
                }
            },
        }
    }

    fn try_publish(&mut self, existing: ExistingTarget) -> Result<PublishMethod, Failure> {
        let target = &self.publisher.staging.target;
        let olds = self.files.iter().map(|file| old_file(self.publisher.system, target, &file.name, existing));
        let olds = olds.collect::<Result<Vec<_>>>()?;
        self.check_staged()?;
        if olds.iter().any(Option::is_some) {
            let files = self.files.iter().zip(&olds);
            let files = files.filter_map(|(file, old)| Some((&*file.name, file.stat.as_ref()?, old.as_ref())));
            self.publisher.leave_record(&Record::of_files(files))?;
            // Another run may have replaced them while the record was written.
            for (index, old) in olds.iter().enumerate() {
                let Some(old) = old else { continue };
                match self.publisher.leads_to(self.target(index), old) {
                    Ok(true) => {}
                    Ok(false) => return Err(self.changed(index).into()),
                    Err(source) => return Err(self.error(index, source).into()),
                }
            }
        }
        let last = self.files.len().saturating_sub(1);
        // Without its last file an old set is recognised as incomplete.
        for (index, old) in olds.iter().enumerate().skip(1).rev() {
            if old.is_some() {
                self.move_away(index)?;
                self.check_moved(index, old.as_ref())?;
                self.sync(false)?;
            }
        }
        let mut method = PublishMethod::Rename;
        for index in 0..self.files.len() {
            let old = if index == 0 { olds.first().and_then(Option::as_ref) } else { None };
            let used = match old {
                None => self.name(index)?,
                Some(old) => self.replace(index, old)?,
            };
            if index == 0 {
                method = used;
            }
            self.check_published(index, index == last)?;
            self.sync(index == last)?;
        }
        Ok(method)
    }

    /// Every staged name must still lead to the file that this run wrote.
    fn check_staged(&mut self) -> Result<()> {
        for index in 0..self.files.len() {
            let found = self.publisher.stat_at(self.staged(index)).map_err(|source| self.error(index, source))?;
            let (system, place) = (self.publisher.system, self.tree.as_fd());
            let Some(file) = self.files.get_mut(index) else { continue };
            match found {
                Some(found) if is_still(system, place, file.id, found.id) => file.stat = Some(found),
                _ => {
                    let path = super::below(&self.publisher.staging.path(), TREE);
                    return Err(SinkError::DirectoryReplaced { path }.into());
                }
            }
        }
        Ok(())
    }

    /// An old file that was moved away must be what was looked at.
    fn check_moved(&self, index: usize, old: Option<&Stat>) -> Result<()> {
        let away = away(index);
        let at = self.publisher.staging.at(&away);
        match old.map(|old| self.publisher.leads_to(at, old)) {
            Some(Ok(false)) => Err(self.changed(index)),
            Some(Err(source)) => Err(self.error(index, source)),
            _ => Ok(()),
        }
    }

    /// Whether a name leads to the file that was written for the target with this index.
    fn is_ours(&self, at: At<'_>, index: usize) -> io::Result<bool> {
        match self.files.get(index).and_then(|file| file.stat) {
            Some(known) => self.publisher.leads_to(at, &known),
            None => Ok(false),
        }
    }

    fn staged(&self, index: usize) -> At<'_> {
        (self.tree.as_fd(), self.name_of(index))
    }

    fn target(&self, index: usize) -> At<'_> {
        (self.publisher.staging.target.parent.as_fd(), self.name_of(index))
    }

    fn name_of(&self, index: usize) -> &[u8] {
        self.files.get(index).map_or(b"", |file| &file.name)
    }

    /// Gives a file a name that nothing has.
    fn name(&mut self, index: usize) -> Result<PublishMethod> {
        let method = self.publisher.rename_file(self.staged(index), self.target(index))?;
        self.done.push(Done::Named(index));
        Ok(method)
    }

    /// Puts a file in the place of an old one.
    fn replace(&mut self, index: usize, old: &Stat) -> Result<PublishMethod> {
        let system = self.publisher.system;
        match system.exchange(self.staged(index), self.target(index)) {
            Ok(()) => {
                self.done.push(Done::Exchanged(index));
                match self.publisher.leads_to(self.staged(index), old) {
                    Ok(true) => Ok(PublishMethod::Exchange),
                    // Something else was put there since it was looked at: it is given back.
                    Ok(false) => Err(self.changed(index)),
                    Err(source) => Err(self.error(index, source)),
                }
            }
            Err(error) if has_errno(&error, &[Errno::NOENT]) => self.name(index),
            Err(error) if is_unsupported(&error) && self.files.len() == 1 => {
                system
                    .rename(self.staged(index), self.target(index))
                    .map_err(|source| self.replace_error(index, source))?;
                Ok(PublishMethod::Replace)
            }
            Err(error) if is_unsupported(&error) => {
                self.move_away(index)?;
                self.check_moved(index, Some(old))?;
                self.name(index)?;
                Ok(PublishMethod::MoveAsideThenRename)
            }
            Err(error) => Err(self.replace_error(index, error)),
        }
    }

    fn move_away(&mut self, index: usize) -> Result<()> {
        let away = away(index);
        let moved = self.publisher.system.rename(self.target(index), self.publisher.staging.at(&away));
        moved.map_err(|source| self.replace_error(index, source))?;
        self.done.push(Done::MovedAway(index));
        Ok(())
    }

    fn check_published(&self, index: usize, is_last: bool) -> Result<()> {
        let path = self.publisher.staging.target.path_of(self.name_of(index));
        match self.is_ours(self.target(index), index) {
            Ok(true) => Ok(()),
            // What lies there now is not ours, and is left alone; what this run named before is taken back.
            Ok(false) => Err(SinkError::PublishedForeign { path }.into()),
            Err(source) if is_last => Err(SinkError::NotDurable { path, source }.into()),
            Err(source) => Err(self.error(index, source)),
        }
    }

    /// Brings the names to stable storage.
    fn sync(&self, is_last: bool) -> Result<()> {
        if !self.publisher.sync {
            return Ok(());
        }
        let target = &self.publisher.staging.target;
        sync_directory(self.publisher.system, target.parent.as_fd(), SyncScope::Drive).map_err(|source| match is_last {
            true => SinkError::NotDurable { path: target.path(), source }.into(),
            false => target.error(SinkOperation::Sync, b"", source),
        })
    }

    /// Puts everything back, the last step first.
    fn undo(&mut self) -> Result<()> {
        let system = self.publisher.system;
        while let Some(done) = self.done.pop() {
            let (index, undone) = match done {
                Done::Named(index) => {
                    if !self.is_ours(self.target(index), index).unwrap_or(false) {
                        continue;
                    }
                    let is_ours = |at: At<'_>| self.is_ours(at, index);
                    (index, take_back(system, self.target(index), self.staged(index), is_ours))
                }
                Done::Exchanged(index) => (index, self.exchange_back(index)),
                Done::MovedAway(index) => {
                    let away = away(index);
                    let from = self.publisher.staging.at(&away);
                    // The name is free, unless somebody took it: that is not replaced.
                    (index, give_back(system, from, self.target(index)))
                }
            };
            undone.map_err(|source| {
                let path = match done {
                    Done::MovedAway(_) => super::below(&self.publisher.staging.path(), &away(index)),
                    Done::Exchanged(_) => {
                        let tree = super::below(&self.publisher.staging.path(), TREE);
                        super::below(&tree, self.name_of(index))
                    }
                    Done::Named(_) => self.publisher.staging.target.path_of(self.name_of(index)),
                };
                Error::new(SinkError::OldDumpMoved { path, source })
            })?;
        }
        Ok(())
    }

    /// Gives back what is in the place of the staged file, which must be at the target.
    fn exchange_back(&self, index: usize) -> io::Result<()> {
        if !self.is_ours(self.target(index), index)? {
            return Err(Errno::EXIST.into());
        }
        self.publisher.system.exchange(self.staged(index), self.target(index))?;
        match self.is_ours(self.staged(index), index)? {
            true => Ok(()),
            false => Err(Errno::EXIST.into()),
        }
    }

    fn changed(&self, index: usize) -> Error {
        let path = self.publisher.staging.target.path_of(self.name_of(index));
        SinkError::FileNotReplaceable { path, found: "something else than it was a moment ago" }.into()
    }

    /// The error for an old file that stays where it is.
    fn replace_error(&self, index: usize, source: io::Error) -> Error {
        match has_errno(&source, &[Errno::XDEV, Errno::BUSY]) {
            true => {
                let path = self.publisher.staging.target.path_of(self.name_of(index));
                SinkError::NotMovable { path, source }.into()
            }
            false => self.error(index, source),
        }
    }

    fn error(&self, index: usize, source: io::Error) -> Error {
        self.publisher.staging.target.error(SinkOperation::Publish, self.name_of(index), source)
    }
}
