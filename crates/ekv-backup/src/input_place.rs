//! Where the bytes of an argument come from.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::Path;

use crate::object_store::ObjectName;

/// The argument that means standard input.
const STANDARD_INPUT_ARGUMENT: &str = "-";
/// Other names of standard input on Unix. Where it is a regular file, they name that file from its beginning.
const STANDARD_INPUT_PATHS: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// How messages name standard input.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Where the bytes of an argument come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputPlace {
    /// `-`, or another name of standard input.
    StandardInput,
    /// A directory.
    Directory,
    /// A named pipe or a device: what a shell makes of `<(…)`, or `mkfifo`.
    Stream,
    /// An object of a store.
    Object,
    /// A regular file, or something that cannot be read.
    File,
}

impl InputPlace {
    /// Looks at what `argument` names, without opening it.
    ///
    /// # Errors
    /// The system's, if there is nothing.
    pub(crate) fn of(argument: &Path) -> io::Result<Self> {
        if argument.as_os_str() == STANDARD_INPUT_ARGUMENT {
            return Ok(InputPlace::StandardInput);
        }
        if ObjectName::of(argument)?.is_some() {
            return Ok(InputPlace::Object);
        }
        let file_type = std::fs::metadata(argument)?.file_type();
        Ok(match file_type {
            _ if file_type.is_dir() => InputPlace::Directory,
            _ if file_type.is_file() => InputPlace::File,
            _ if STANDARD_INPUT_PATHS.iter().any(|path| argument == Path::new(path)) => InputPlace::StandardInput,
            _ if is_stream(file_type) => InputPlace::Stream,
            _ => InputPlace::File,
        })
    }
}

/// Opens a stream. A named pipe to which nobody writes yet is waited for, as every program does that reads one.
///
/// # Errors
/// The system's, or those of the store.
pub(crate) fn open_stream(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    Ok(match ObjectName::of(path)? {
        Some(object) => Box::new(object.read()?),
        None => Box::new(File::open(path)?),
    })
}

#[cfg(unix)]
fn is_stream(file_type: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    file_type.is_fifo() || file_type.is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: FileType) -> bool {
    false
}
