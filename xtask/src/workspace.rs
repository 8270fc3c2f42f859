//! The workspace as `cargo metadata` describes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::command::Command;
use crate::error::Error;

/// Where the workspace and its builds lie.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// Where the workspace lies, absolute.
    pub(crate) workspace_root: PathBuf,
    /// Where builds go, absolute.
    pub(crate) target_directory: PathBuf,
}

/// Asks cargo about the workspace around the current directory: with `--no-deps` about its own packages alone, for which nothing is
/// fetched. `Cargo.lock` must be up to date.
///
/// # Errors
/// As [`Command::output`], or [`Error::Output`] if the answer is not what cargo documents.
pub(crate) fn metadata<T: DeserializeOwned>(scope: &str) -> Result<T, Error> {
    let args = ["metadata", "--format-version", "1", "--locked", scope];
    let command = Command::new("cargo", Path::new(".")).args(args);
    let json = command.output()?;
    serde_json::from_slice(&json).map_err(|source| Error::Output { command: command.to_string(), source })
}

impl Workspace {
    /// The workspace around the current directory.
    ///
    /// # Errors
    /// As [`metadata`].
    pub(crate) fn load() -> Result<Self, Error> {
        metadata("--no-deps")
    }

    /// A command that runs in the root of the workspace.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(program, &self.workspace_root)
    }

    /// A program of the build that runs in the root of the workspace, shown by its path from there.
    pub(crate) fn command_at(&self, program: &Path) -> Command {
        self.command(&program.display().to_string()).shown_as(self.shown(program))
    }

    /// The path as a person in the root of the workspace would write it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.workspace_root).unwrap_or(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_from_the_root_of_the_workspace() {
        let workspace = Workspace { workspace_root: "/w".into(), target_directory: "/w/t".into() };
        assert_eq!(workspace.shown(Path::new("/w/t/demo")), Path::new("t").join("demo").display().to_string());
        assert_eq!(workspace.shown(Path::new("/elsewhere")), "/elsewhere");
    }
}
