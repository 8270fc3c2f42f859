//! Opening input files without being held up or fooled by what is not a regular file.

use std::fs::{File, FileType, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use crate::{Error, ErrorKind, FooterPolicy, Input, Result};

/// Opens a regular file for reading, through symbolic links, and returns it with its length in bytes.
///
/// A named pipe or a device does not block: it is refused after it was opened. Nothing is ever locked or changed.
///
/// # Errors
/// `Io` if the system refuses, `NotRegular` if there is something else than a regular file.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    open(path, Links::Follow).map_err(|e| e.in_file(&path.display().to_string()))
}

/// As [`open_regular`], but refuses a symbolic link at the end of the path.
///
/// # Errors
/// As [`open_regular`].
pub fn open_regular_itself(path: &Path) -> Result<(File, u64)> {
    open(path, Links::Refuse).map_err(|e| e.in_file(&path.display().to_string()))
}

/// As [`open_regular_itself`], but refuses a file that belongs to another user, or that others may write to.
///
/// # Errors
/// As [`open_regular_itself`]; `NotRegular` for such a file, too.
pub fn open_own(path: &Path) -> Result<(File, u64)> {
    let (file, len) = open_regular_itself(path)?;
    if file.metadata().is_ok_and(|metadata| is_own(&metadata)) {
        return Ok((file, len));
    }
    let reason = "others can write to it, or it belongs to another user".to_owned();
    Err(Error::new(ErrorKind::NotRegular { reason }).in_file(&path.display().to_string()))
}

/// Whether a file or directory belongs to the caller, and nobody else may write to it.
#[cfg(unix)]
pub fn is_own(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Whether a file or directory belongs to the caller, and nobody else may write to it: nothing tells.
#[cfg(not(unix))]
pub fn is_own(_: &std::fs::Metadata) -> bool {
    false
}

/// What happens to a symbolic link at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Follow,
    Refuse,
}

fn open(path: &Path, links: Links) -> Result<(File, u64)> {
    if links == Links::Refuse && path.is_symlink() {
        let reason = "it is a symbolic link, not a regular file".to_owned();
        return Err(Error::new(ErrorKind::NotRegular { reason }));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        // The link may have been made since it was looked for.
        flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    let file = options.open(path).map_err(|e| Error::io("open the file", e))?;
    let metadata = file.metadata().map_err(|e| Error::io("examine the file", e))?;
    if !metadata.is_file() {
        let reason = format!("it is {}, not a regular file", kind_name(metadata.file_type()));
        return Err(Error::new(ErrorKind::NotRegular { reason }));
    }
    Ok((file, metadata.len()))
}

impl Input {
    /// Opens a regular file by path; messages name it as `path` is written.
    ///
    /// # Errors
    /// As [`open_regular`].
    pub fn open(path: &Path, footer: FooterPolicy) -> Result<Input> {
        let (file, len) = open_regular(path)?;
        Ok(Input { source: Arc::new(file), len, name: path.display().to_string(), footer, token_crc32c: None })
    }
}

fn kind_name(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a named pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_block_device() || file_type.is_char_device() {
            return "a device";
        }
    }
    if file_type.is_dir() { "a directory" } else { "something else" }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn named_pipe_without_a_writer_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let status = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(status.success());
        let error = open_regular(&path).unwrap_err();
        assert!(error.to_string().ends_with("it is a named pipe, not a regular file"), "{error}");
    }

    #[test]
    fn directory_and_device_are_refused_and_a_link_to_a_file_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_regular(dir.path()).unwrap_err().to_string().contains("a directory"));
        assert!(open_regular(Path::new("/dev/null")).unwrap_err().to_string().contains("a device"));
        std::fs::write(dir.path().join("file"), b"abc").unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        assert_eq!(open_regular(&dir.path().join("link")).unwrap().1, 3);
        assert_eq!(open_regular_itself(&dir.path().join("file")).unwrap().1, 3);
        let error = open_regular_itself(&dir.path().join("link")).unwrap_err();
        assert!(error.to_string().ends_with("it is a symbolic link, not a regular file"), "{error}");
    }
}
