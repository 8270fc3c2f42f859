//! What can go wrong in a task.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The error of every task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{problem}")]
    Usage { problem: String },
    #[error("cannot start `{command}`")]
    Start { command: String, source: io::Error },
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    #[error("the tests need `{program}`, which is not installed and could not be installed: install it by hand")]
    Missing { program: &'static str },
    #[error("cannot read what `{command}` printed")]
    Output { command: String, source: serde_json::Error },
    #[error("cannot access {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[cfg(feature = "checks")]
    #[error("cannot read {}", path.display())]
    Settings { path: PathBuf, source: toml::de::Error },
    #[cfg(feature = "checks")]
    #[error("{} names a licence that is not an SPDX identifier: {licence}", path.display())]
    UnknownLicence { path: PathBuf, licence: String },
    #[cfg(feature = "checks")]
    #[error("{count} of {packages} packages do not satisfy {}; they are listed above", path.display())]
    Dependencies { count: usize, packages: usize, path: PathBuf },
    #[cfg(feature = "checks")]
    #[error("{count} rows of {} do not agree with the code; they are listed above", path.display())]
    Findings { count: usize, path: PathBuf },
    #[cfg(feature = "checks")]
    #[error("the documents name {count} things that are not there; they are listed above")]
    Documents { count: usize },
    #[cfg(feature = "checks")]
    #[error("{count} uses between crates or files are not as they should be; they are listed above")]
    Rooms { count: usize },
    #[cfg(feature = "checks")]
    #[error("xtask/toy/insertions.patch does not fit {file}, which must have these lines once:\n{lines}")]
    Toy { file: String, lines: String },
    #[cfg(feature = "checks")]
    #[error("a protocol touches {count} files outside of its own folders, and must touch at most {count_max}")]
    ToyTouches { count: usize, count_max: usize },
}

impl Error {
    /// Names the path of a failed file operation; for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(source.to_string().trim_end());
        cause = source.source();
    }
    text
}

/// The mistake of giving arguments to a task that has none.
pub(crate) fn takes_no_arguments(task: &str) -> Error {
    Error::Usage { problem: format!("`{task}` takes no arguments") }
}
