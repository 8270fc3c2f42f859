//! Where scratch files come from.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Operation, Result};

/// Attempts to find an unused name.
const NAME_ATTEMPTS: u32 = 16;

/// Gives scratch files: fresh, private to this process, open for reading and writing, and without a name, so that nothing
/// is left behind however the process ends.
pub trait Scratch: Send + Sync {
    /// Makes a new, empty file.
    ///
    /// # Errors
    /// [`Error::Io`] with [`Operation::Create`].
    fn create(&self) -> Result<File>;

    /// The directory in which the files live, for messages.
    fn place(&self) -> String;
}

/// Scratch files in the system's temporary directory (`TMPDIR` on Unix), or in another one.
#[derive(Clone, Debug)]
pub struct SystemScratch {
    directory: PathBuf,
}

impl SystemScratch {
    /// Takes the directory from the environment, as [`std::env::temp_dir`] does.
    pub fn new() -> Self {
        SystemScratch { directory: system_directory() }
    }

    /// Takes this directory, which must exist when the first file is made.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        SystemScratch { directory: directory.into() }
    }
}

impl Default for SystemScratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch for SystemScratch {
    fn create(&self) -> Result<File> {
        create_in(&self.directory).map_err(|source| Error::Io {
            operation: Operation::Create,
            place: self.place(),
            source,
        })
    }

    fn place(&self) -> String {
        self.directory.display().to_string()
    }
}

#[cfg(any(unix, windows))]
fn system_directory() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(not(any(unix, windows)))]
fn system_directory() -> PathBuf {
    PathBuf::from("(no temporary directory on this platform)")
}

fn create_in(directory: &Path) -> io::Result<File> {
    #[cfg(test)]
    crate::file::fault::hit(Operation::Create)?;
    for _ in 0..NAME_ATTEMPTS {
        let path = directory.join(format!(".ekv-scratch-{:016x}", random_u64()));
        match create_nameless(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every random name is taken"))
}

/// A random number from the keys that the standard library draws for its hash maps.
fn random_u64() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

#[cfg(unix)]
fn create_nameless(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[cfg(windows)]
fn create_nameless(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .share_mode(0)
        .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
        .open(path)
}

#[cfg(not(any(unix, windows)))]
fn create_nameless(_path: &Path) -> io::Result<File> {
    let _: fn() -> OpenOptions = OpenOptions::new;
    Err(io::Error::new(io::ErrorKind::Unsupported, "this platform has no scratch files without a name"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn scratch_file_is_empty_private_and_nameless() {
        let metadata = SystemScratch::new().create().unwrap().metadata().unwrap();
        assert_eq!((metadata.len(), metadata.nlink(), metadata.mode() & 0o7777), (0, 0, 0o600));
    }

    #[test]
    fn missing_directory_is_an_error_that_names_it() {
        let error = SystemScratch::in_directory("/nonexistent/place").create().unwrap_err();
        assert_eq!(error.to_string(), "cannot create a scratch file in /nonexistent/place");
        assert_eq!(error.class(), ekv_model::Class::Environment);
    }
}
