//! The name that the dump shall have, and what lies there already.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::root::{FORMAT_VERSION, MANIFEST_FILE, MANIFEST_LEN_MAX, MANIFEST_STRING_LEN_MAX};
use ekv_spill::{Scratch, SystemScratch};
use ekv_text::json::{LimitedStrings, StringTooLong};
use rustix::fs::FileType;
use rustix::io::Errno;
use serde::Deserialize;

use super::place::{below, io_error};
use super::sys::{At, Stat, System, has_errno};
use crate::path::{Escaped, check_component, split_last};
use crate::sink::{SinkError, SinkOperation};
use crate::source::DirSource;
use crate::{Error, Result};

/// So many entries that no dump has are named.
const STRANGERS_SHOWN: usize = 5;

/// A name in a directory that was opened once.
pub(super) struct Target {
    pub(super) parent: OwnedFd,
    /// Path of the parent, for messages.
    pub(super) parent_path: String,
    pub(super) base: Vec<u8>,
}

impl Target {
    /// Opens the parent of a path.
    pub(super) fn open<S: System>(system: &S, path: &Path) -> Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        let trimmed = without_trailing_slashes(bytes);
        let (parent, base) = split_last(trimmed);
        check_component(base).map_err(|_| SinkError::TargetName { path: path.display().to_string() })?;
        let parent = match parent {
            [] if trimmed.starts_with(b"/") => b"/",
            [] => b".",
            parent => parent,
        };
        let parent_path = Path::new(OsStr::from_bytes(parent));
        let fd = system
            .open_path(parent_path)
            .map_err(|source| io_error(SinkOperation::OpenParent, parent_path.display(), source))?;
        Ok(Target { parent: fd, parent_path: Escaped(parent).to_string(), base: base.to_vec() })
    }

    /// Path of the target, for messages.
    pub(super) fn path(&self) -> String {
        self.path_of(&self.base)
    }

    /// Path of another name in the same directory, for messages.
    pub(super) fn path_of(&self, name: &[u8]) -> String {
        below(&self.parent_path, name)
    }

    /// The error for an operation on a name in the same directory.
    pub(super) fn error(&self, operation: SinkOperation, name: &[u8], source: io::Error) -> Error {
        io_error(operation, self.path_of(name), source)
    }

    pub(super) fn at(&self) -> At<'_> {
        (self.parent.as_fd(), &self.base)
    }

    /// What lies at the target.
    pub(super) fn examine<S: System>(&self, system: &S) -> Result<Option<FileType>> {
        match system.stat_at(self.parent.as_fd(), &self.base) {
            Ok(stat) => Ok(Some(stat.kind)),
            Err(error) if has_errno(&error, &[Errno::NOENT]) => Ok(None),
            Err(source) => Err(self.examine_error(source)),
        }
    }

    /// The error for a target at which something exists.
    pub(super) fn exists<S: System>(&self, system: &S) -> Error {
        self.name_exists(system, &self.base)
    }

    /// The error for another name in the same directory at which something exists.
    pub(super) fn name_exists<S: System>(&self, system: &S, name: &[u8]) -> Error {
        // Whoever made it may have removed it again.
        let found = what_is(system, self.parent.as_fd(), name).ok();
        Error::new(SinkError::TargetExists { path: self.path_of(name), found })
    }

    /// What the dump or empty directory at the target is, or `None` if nothing is there; else an error. What else a dump holds is not
    /// looked at.
    pub(super) fn replaceable<S: System>(&self, system: &S) -> Result<Option<Stat>> {
        let Some(kind) = self.examine(system)? else { return Ok(None) };
        self.refuse_mount_point(system, &self.base)?;
        let refuse = |found| Error::new(SinkError::NotReplaceable { path: self.path(), found });
        match kind {
            FileType::Directory => {}
            FileType::Symlink => return Err(refuse("a symbolic link")),
            FileType::RegularFile => return Err(refuse("a file")),
            _ => return Err(refuse("a special file")),
        }
        let directory = match system.open_directory(self.parent.as_fd(), &self.base) {
            Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(None),
            result => result.map_err(|source| self.examine_error(source))?,
        };
        let stat = system.stat(directory.as_fd()).map_err(|source| self.examine_error(source))?;
        if is_empty(system, directory.as_fd()).map_err(|source| self.examine_error(source))? {
            return Ok(Some(stat));
        }
        match holds_dump(system, directory.as_fd()).map_err(|source| self.examine_error(source))? {
            true => Ok(Some(stat)),
            false => Err(refuse("a directory without a MANIFEST.json of a supported format version")),
        }
    }

    /// Refuses the dump at `at` if it holds anything that no dump has.
    ///
    /// Cost: lists the dump; fixed memory.
    pub(super) fn refuse_strangers<S: System>(&self, system: &S, at: At<'_>) -> Result<()> {
        let directory = match system.open_directory(at.0, at.1) {
            // Who replaces it finds that it is gone, or something else.
            Err(error) if has_errno(&error, &[Errno::NOENT, Errno::NOTDIR, Errno::LOOP]) => return Ok(()),
            result => result.map_err(|source| self.examine_error(source))?,
        };
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let strangers = DirSource::of_directory(directory, scratch).strangers(STRANGERS_SHOWN.saturating_add(1))?;
        if strangers.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> =
            strangers.iter().take(STRANGERS_SHOWN).map(|path| Escaped(path).to_string()).collect();
        if strangers.len() > STRANGERS_SHOWN {
            names.push("and more".to_owned());
        }
        Err(Error::new(SinkError::HoldsOthers { path: self.path(), names: names.join(", ") }))
    }

    /// Refuses to replace what is the root of a mounted file system: the name cannot lead to anything else then.
    pub(super) fn refuse_mount_point<S: System>(&self, system: &S, name: &[u8]) -> Result<()> {
        match system.is_mount_point(self.parent.as_fd(), name) {
            Ok(true) => Err(Error::new(SinkError::MountPoint { path: self.path_of(name) })),
            Err(error) if !has_errno(&error, &[Errno::NOENT]) => {
                Err(self.error(SinkOperation::ExamineTarget, name, error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn examine_error(&self, source: io::Error) -> Error {
        self.error(SinkOperation::ExamineTarget, &self.base, source)
    }
}

/// What lies at a name, for messages.
fn what_is<S: System>(system: &S, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<&'static str> {
    let stat = system.stat_at(parent, name)?;
    if system.is_mount_point(parent, name)? {
        return Ok("the mount point of a file system; name something new inside of it");
    }
    Ok(match stat.kind {
        FileType::RegularFile => "a file",
        FileType::Symlink => "a symbolic link",
        FileType::Directory => {
            let directory = system.open_directory(parent, name)?;
            match (is_empty(system, directory.as_fd())?, holds_dump(system, directory.as_fd())?) {
                (true, _) => "an empty directory",
                (_, true) => "a dump",
                _ => "a directory",
            }
        }
        _ => "a special file",
    })
}

/// Whether a directory has no entries.
pub(super) fn is_empty<S: System>(system: &S, directory: BorrowedFd<'_>) -> io::Result<bool> {
    let mut empty = true;
    system.list(directory, &mut |_, _| {
        empty = false;
        ControlFlow::Break(())
    })?;
    Ok(empty)
}

/// Whether a directory holds a regular manifest file with a supported format version.
fn holds_dump<S: System>(system: &S, directory: BorrowedFd<'_>) -> io::Result<bool> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let file = match system.open_file(directory, MANIFEST_FILE.as_bytes()) {
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP, Errno::NXIO]) => return Ok(false),
        result => result?,
    };
    let stat = system.stat(file.as_fd())?;
    let len_max = u64::try_from(MANIFEST_LEN_MAX).unwrap_or(u64::MAX);
    if stat.kind != FileType::RegularFile || stat.len > len_max {
        return Ok(false);
    }
    // Nothing but the version is kept, however long the rest.
    let text = LimitedStrings::new(io::BufReader::new(File::from(file).take(len_max)), MANIFEST_STRING_LEN_MAX);
    match serde_json::from_reader::<_, Version>(text) {
        Ok(version) => Ok(version.format_version == FORMAT_VERSION),
        Err(error) if error.is_io() => match io::Error::from(error) {
            error if error.get_ref().is_some_and(|inner| inner.is::<StringTooLong>()) => Ok(false),
            error => Err(error),
        },
        Err(_) => Ok(false),
    }
}

/// The path without the slashes at its end.
pub(super) fn without_trailing_slashes(path: &[u8]) -> &[u8] {
    let len = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last.saturating_add(1));
    path.get(..len).unwrap_or_default()
}
