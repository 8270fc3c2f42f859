//! Where the benchmark works.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where the files of the benchmark lie.
pub(super) struct Places {
    /// Memory: what is measured is the program and the kernel.
    pub(super) tmpfs: Folder,
    /// A disk.
    pub(super) disk: Folder,
}

/// A folder of the benchmark's own, removed when it ends.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn create(parent: &Path) -> Result<Self, Error> {
        let folder = parent.join(format!("ekv-backup-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(Folder(folder))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is named after this program.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes a file or a tree, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(Error::io(path))
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
