//! Directories that are missing above a new name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ekv_files::sink::Fsync;
use ekv_model::Result;

use crate::CommandError;
use crate::overlap::Id;

/// The directories that were created above a new name. They are removed again, where empty, unless what they are for succeeds.
#[derive(Debug, Default)]
#[must_use = "the directories are removed when this is dropped"]
pub(crate) struct NewParents {
    /// Outermost first, with what each one is.
    made: Vec<(PathBuf, Option<Id>)>,
}

impl NewParents {
    /// The directory of a new name, if it does not exist.
    pub(crate) fn missing_above(path: &Path) -> Option<&Path> {
        path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists())
    }

    /// Creates the directory of a new name, if it is `missing`.
    ///
    /// # Errors
    /// As [`NewParents::create`].
    pub(crate) fn create_missing(missing: Option<&Path>, fsync: Fsync) -> Result<Self> {
        missing.map_or_else(|| Ok(NewParents::default()), |directory| NewParents::create(directory, fsync))
    }

    /// Creates `directory` and what is missing above it, and brings the new names to stable storage unless `fsync` says not to.
    ///
    /// # Errors
    /// If one of them cannot be created or synced; none is left then.
    pub(crate) fn create(directory: &Path, fsync: Fsync) -> Result<Self> {
        let mut parents = NewParents::default();
        match parents.create_all(directory, fsync) {
            Ok(()) => Ok(parents),
            Err(source) => Err(CommandError::Parents { path: directory.display().to_string(), source }.into()),
        }
    }

    fn create_all(&mut self, directory: &Path, fsync: Fsync) -> io::Result<()> {
        let missing: Vec<&Path> = directory.ancestors().take_while(|above| !is_there(above)).collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => self.made.push((path.to_path_buf(), Id::at(path))),
                // Another run was quicker, or the path leads back up.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => continue,
                Err(error) => return Err(error),
            }
            if fsync != Fsync::None {
                sync(path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
            }
        }
        Ok(())
    }

    /// Leaves the directories there.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for NewParents {
    fn drop(&mut self) {
        for (path, id) in self.made.iter().rev() {
            // One that somebody else uses by now is not empty and stays, and so does one that somebody put in its place.
            if id.is_some() && Id::at(path) == *id {
                let _ = fs::remove_dir(path);
            }
        }
    }
}

/// Whether something has this name; the empty path means the current directory.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.symlink_metadata().is_ok()
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the shape of the other platform's function")]
fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directories_are_removed_again_unless_they_are_kept_or_used() {
        let room = tempfile::tempdir().unwrap();
        let outer = room.path().join("a");
        let inner = outer.join("b/c");
        drop(NewParents::create(&inner, Fsync::Full).unwrap());
        assert!(!outer.exists());

        let parents = NewParents::create(&inner, Fsync::Full).unwrap();
        fs::write(outer.join("b/mine"), "").unwrap();
        drop(parents);
        assert!(outer.join("b/mine").exists() && !inner.exists());

        NewParents::create(&inner, Fsync::None).unwrap().keep();
        assert!(inner.is_dir());
    }

    #[test]
    fn directories_that_were_there_stay() {
        let room = tempfile::tempdir().unwrap();
        let inner = room.path().join("a/b");
        fs::create_dir(room.path().join("a")).unwrap();
        let parents = NewParents::create(&inner, Fsync::None).unwrap();
        fs::rename(&inner, room.path().join("moved")).unwrap();
        fs::create_dir(&inner).unwrap();
        drop(parents);
        assert!(inner.is_dir(), "one that somebody put there in the meantime");
        fs::remove_dir(&inner).unwrap();
        drop(NewParents::create(&inner, Fsync::Full).unwrap());
        assert!(room.path().join("a").is_dir() && !inner.exists());
    }

    #[test]
    fn nothing_is_left_if_one_cannot_be_created() {
        let room = tempfile::tempdir().unwrap();
        fs::write(room.path().join("file"), "").unwrap();
        let error = NewParents::create(&room.path().join("file/a"), Fsync::Full).unwrap_err();
        assert!(error.to_string().starts_with("cannot create the directory"), "{error}");
        let long = room.path().join("a/b").join("x".repeat(300));
        NewParents::create(&long, Fsync::Full).unwrap_err();
        assert!(!room.path().join("a").exists());
    }
}
