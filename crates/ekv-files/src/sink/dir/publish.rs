//! Gives the finished dump its name.
//!
//! Source: `docs/format/tree.md`, section 8.1, steps 8 and 9.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::Mode;
use rustix::io::Errno;

use super::directories::sync_directory;
use super::names::{KEPT, PUBLISHING, REPLACED, REPLACING, TREE};
use super::ours::{is_same, is_still};
use super::place::{below, io_error, join};
use super::replacing::{self, Record, give_back};
use super::staging::Staging;
use super::sys::{Access, At, FileId, Stat, SyncScope, System, has_errno, is_unsupported, write_fully};
use crate::sink::{ExistingTarget, PublishMethod, SinkError, SinkOperation};
use crate::{Error, Result};

/// Publishes the dump that lies in a staging directory as `tree/`.
pub(super) struct Publisher<'a, S> {
    pub(super) system: &'a S,
    pub(super) staging: &'a Staging<S>,
    /// Identity of the dump's root.
    pub(super) tree_id: FileId,
    /// Whether names are brought to stable storage.
    pub(super) sync: bool,
}

/// A failure, and whether the staging directory must stay.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) keep_staging: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, keep_staging: false }
    }
}

impl<S: System> Publisher<'_, S> {
    /// Publishes; the old dump, if there was one, lies in the staging directory afterwards.
    pub(super) fn publish(&self, existing: ExistingTarget) -> Result<PublishMethod, Failure> {
        let tree = self.check_tree()?;
        let old = match existing {
            ExistingTarget::Refuse => None,
            ExistingTarget::Replace => self.staging.target.replaceable(self.system)?,
        };
        let method = match old {
            None => self.rename()?,
            Some(old) => {
                // Not once it was moved away: another run may have published at the target by then.
                self.staging.target.refuse_strangers(self.system, self.target())?;
                self.leave_record(&Record::of_dump(&self.staging.target.base, &tree, &old))?;
                // Another run may have replaced it while the record was written.
                self.check_old(self.target(), &old)?;
                self.replace(&tree, &old).inspect_err(|failure| self.note_failure(failure))?
            }
        };
        let path = || self.staging.target.path();
        let wrong = match self.leads_to(self.target(), &tree) {
            Ok(true) => None,
            // What lies there now is not ours, and is left alone.
            Ok(false) => Some(SinkError::PublishedForeign { path: path() }),
            Err(source) => Some(SinkError::NotDurable { path: path(), source }),
        };
        if let Some(error) = wrong {
            return Err(Failure { error: Error::new(error), keep_staging: old.is_some() });
        }
        if self.sync {
            let synced = sync_directory(self.system, self.staging.target.parent.as_fd(), SyncScope::Drive);
            synced.map_err(|source| Failure {
                error: Error::new(SinkError::NotDurable { path: path(), source }),
                // Without the sync the name may lead to the old dump again after a loss of power.
                keep_staging: old.is_some(),
            })?;
        }
        self.remove_record();
        Ok(method)
    }

    fn tree(&self) -> At<'_> {
        self.staging.at(TREE)
    }

    fn target(&self) -> At<'_> {
        self.staging.target.at()
    }

    /// One rename that replaces nothing, or what comes nearest to it.
    fn rename(&self) -> Result<PublishMethod> {
        match self.system.rename_no_replace(self.tree(), self.target()) {
            Ok(()) => Ok(PublishMethod::Rename),
            Err(error) if is_occupied(&error) => Err(self.staging.target.exists(self.system)),
            Err(error) if is_unsupported(&error) => {
                self.write_marker(&self.staging.target.base)?;
                self.create_then_rename()?;
                self.remove_marker();
                Ok(PublishMethod::CreateThenRename)
            }
            Err(error) => Err(self.error(error)),
        }
    }

    /// Creates the name exclusively as an empty directory and renames the dump onto it, which fails unless it is still empty.
    fn create_then_rename(&self) -> Result<()> {
        let (parent, base) = self.target();
        match self.system.create_directory(parent, base, Mode::RWXU) {
            Err(error) if is_occupied(&error) => return Err(self.staging.target.exists(self.system)),
            result => result.map_err(|source| self.error(source))?,
        }
        self.system.rename(self.tree(), self.target()).map_err(|source| {
            // Only an empty directory can be removed: the one just created, or nothing that would be missed.
            let _ = self.system.remove_directory(parent, base);
            match is_occupied(&source) || has_errno(&source, &[Errno::NOTDIR]) {
                true => self.staging.target.exists(self.system),
                false => self.error(source),
            }
        })
    }

    /// Gives a staged file a name that nothing has, or what comes nearest to it.
    pub(super) fn rename_file(&self, from: At<'_>, to: At<'_>) -> Result<PublishMethod> {
        match self.system.rename_no_replace(from, to) {
            Ok(()) => Ok(PublishMethod::Rename),
            Err(error) if is_unsupported(&error) => self.link_file(from, to),
            Err(error) => Err(self.file_error(to, error)),
        }
    }

    fn link_file(&self, from: At<'_>, to: At<'_>) -> Result<PublishMethod> {
        match self.system.link(from, to) {
            Ok(()) => {
                // The second name goes with the staging directory at the latest.
                let _ = self.system.remove_file(from.0, from.1);
                Ok(PublishMethod::Link)
            }
            Err(error) if is_unsupported(&error) || has_errno(&error, &[Errno::PERM, Errno::MLINK]) => {
                self.write_marker(to.1)?;
                self.create_file_then_rename(from, to)?;
                self.remove_marker();
                Ok(PublishMethod::CreateThenRename)
            }
            Err(error) => Err(self.file_error(to, error)),
        }
    }

    /// Creates the name exclusively as an empty file and renames the staged one onto it.
    fn create_file_then_rename(&self, from: At<'_>, to: At<'_>) -> Result<()> {
        let created = self.system.create_file(to.0, to.1, Access::WriteOnly);
        let created = created.map_err(|source| self.file_error(to, source))?;
        let made = self.system.stat(created.as_fd());
        let renamed = self.system.close(created).and_then(|()| self.system.rename(from, to));
        renamed.map_err(|source| {
            // Somebody may have put another file there.
            if made.is_ok_and(|made| self.leads_to(to, &made).unwrap_or(false)) {
                let _ = self.system.remove_file(to.0, to.1);
            }
            self.file_error(to, source)
        })
    }

    fn file_error(&self, to: At<'_>, source: io::Error) -> Error {
        let target = &self.staging.target;
        match is_occupied(&source) {
            true => target.name_exists(self.system, to.1),
            false => target.error(SinkOperation::Publish, to.1, source),
        }
    }

    /// Swaps the dump with the old one, or what comes nearest to it.
    fn replace(&self, new: &Stat, old: &Stat) -> Result<PublishMethod, Failure> {
        match self.system.exchange(self.tree(), self.target()) {
            Ok(()) => {
                // Something else may have been put at the target since it was looked at: that is given back.
                let Err(error) = self.check_old(self.tree(), old) else { return Ok(PublishMethod::Exchange) };
                let undone = self.exchange_back(new);
                let keep_staging = undone.is_err();
                let undone = undone.map_err(|source| self.moved(TREE, source));
                Err(Failure { error: first(error, undone), keep_staging })
            }
            Err(error) if has_errno(&error, &[Errno::NOENT]) => Ok(self.rename()?),
            Err(error) if is_unsupported(&error) => self.move_aside_then_rename(old),
            Err(error) => Err(self.replace_error(error).into()),
        }
    }

    /// Gives back what is in the place of the new dump, which must be at the target.
    fn exchange_back(&self, new: &Stat) -> io::Result<()> {
        if !self.leads_to(self.target(), new)? {
            return Err(Errno::EXIST.into());
        }
        self.system.exchange(self.tree(), self.target())?;
        match self.leads_to(self.tree(), new)? {
            true => Ok(()),
            false => Err(Errno::EXIST.into()),
        }
    }

    fn move_aside_then_rename(&self, old: &Stat) -> Result<PublishMethod, Failure> {
        self.write_marker(&self.staging.target.base)?;
        let replaced = self.staging.at(REPLACED);
        self.system.rename(self.target(), replaced).map_err(|source| self.replace_error(source))?;
        if let Err(error) = self.check_old(replaced, old).and_then(|()| self.create_then_rename()) {
            let undone = give_back(self.system, replaced, self.target());
            let keep_staging = undone.is_err();
            let undone = undone.map_err(|source| self.moved(REPLACED, source));
            return Err(Failure { error: first(error, undone), keep_staging });
        }
        self.remove_marker();
        Ok(PublishMethod::MoveAsideThenRename)
    }

    /// Leaves word that this run is about to create the target's name, for a clean-up after a crash.
    fn write_marker(&self, base: &[u8]) -> Result<()> {
        self.leave_word(PUBLISHING, base)
    }

    /// Leaves word of what is replaced, before it is.
    pub(super) fn leave_record(&self, record: &Record) -> Result<()> {
        let bytes = record.to_bytes().map_err(|source| self.error(source))?;
        self.leave_word(REPLACING, &bytes)
    }

    /// Once all names lead to what is new, the old is not needed any more.
    pub(super) fn remove_record(&self) {
        let _ = self.system.remove_file(self.staging.fd(), REPLACING);
    }

    /// Leaves word that what was there before could not be put back. If that fails, too, a clean-up keeps it unless the new is whole.
    pub(super) fn note_failure(&self, failure: &Failure) {
        if failure.keep_staging {
            let _ = self.leave_word(KEPT, b"");
        }
    }

    fn leave_word(&self, name: &[u8], word: &[u8]) -> Result<()> {
        let path = below(&self.staging.path(), name);
        let fail = |operation| {
            let path = path.clone();
            move |source| io_error(operation, path, source)
        };
        let created = self.system.create_file(self.staging.fd(), name, Access::WriteOnly);
        let file = created.map_err(fail(SinkOperation::CreateFile))?;
        let written = write_fully(self.system, file.as_fd(), word);
        let written = written.map_err(fail(SinkOperation::Write)).and_then(|()| match self.sync {
            true => self.system.sync(file.as_fd(), SyncScope::Entry).map_err(fail(SinkOperation::Sync)),
            false => Ok(()),
        });
        let closed = self.system.close(file).map_err(fail(SinkOperation::Close));
        join(written, closed)?;
        match self.sync {
            true => sync_directory(self.system, self.staging.fd(), SyncScope::Drive).map_err(fail(SinkOperation::Sync)),
            false => Ok(()),
        }
    }

    /// The marker has no meaning once the name leads to the dump; if it cannot be removed, it goes with the staging directory.
    fn remove_marker(&self) {
        let _ = self.system.remove_file(self.staging.fd(), PUBLISHING);
    }

    /// The name `tree` must still lead to the directory that this run filled; answers what that is now.
    pub(super) fn check_tree(&self) -> Result<Stat> {
        match self.stat_at(self.tree()).map_err(|source| self.error(source))? {
            Some(found) if is_still(self.system, self.staging.fd(), self.tree_id, found.id) => Ok(found),
            _ => Err(Error::new(SinkError::DirectoryReplaced { path: below(&self.staging.path(), TREE) })),
        }
    }

    /// What was moved away from the target must be what lay there when it was looked at.
    fn check_old(&self, at: At<'_>, old: &Stat) -> Result<()> {
        match self.leads_to(at, old).map_err(|source| self.error(source))? {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// Whether a name leads to what was looked at under another one.
    pub(super) fn leads_to(&self, at: At<'_>, known: &Stat) -> io::Result<bool> {
        match self.stat_at(at)? {
            Some(found) => is_same(self.system, self.staging.fd(), known, &found),
            None => Ok(false),
        }
    }

    /// What a name leads to; `None` if nothing has it.
    pub(super) fn stat_at(&self, at: At<'_>) -> io::Result<Option<Stat>> {
        replacing::stat_at(self.system, at)
    }

    /// The error for an old dump that stays where it is.
    fn replace_error(&self, source: io::Error) -> Error {
        match has_errno(&source, &[Errno::XDEV, Errno::BUSY]) {
            true => Error::new(SinkError::NotMovable { path: self.staging.target.path(), source }),
            false => self.error(source),
        }
    }

    pub(super) fn error(&self, source: io::Error) -> Error {
        io_error(SinkOperation::Publish, self.staging.target.path(), source)
    }

    fn changed(&self) -> Error {
        let path = self.staging.target.path();
        Error::new(SinkError::NotReplaceable { path, found: "something else than it was a moment ago" })
    }

    fn moved(&self, name: &[u8], source: io::Error) -> Error {
        Error::new(SinkError::OldDumpMoved { path: below(&self.staging.path(), name), source })
    }
}

/// An error, with what followed from it.
fn first(error: Error, then: Result<()>) -> Error {
    match then {
        Ok(()) => error,
        Err(then) => error.followed_by(then),
    }
}

fn is_occupied(error: &io::Error) -> bool {
    has_errno(error, &[Errno::EXIST, Errno::NOTEMPTY])
}
