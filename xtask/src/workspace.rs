//! The workspace as `cargo metadata` describes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::Command;
use crate::error::Error;

/// The packages of the workspace and everything they depend on, for all platforms and features.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// All packages.
    pub(crate) packages: Vec<Package>,
    /// Ids of the workspace's own packages.
    pub(crate) workspace_members: Vec<String>,
    /// Where the workspace lies, absolute.
    pub(crate) workspace_root: PathBuf,
    /// Where builds go, absolute.
    pub(crate) target_directory: PathBuf,
}

/// One package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from, such as `registry+https://…`; none for a path.
    pub(crate) source: Option<String>,
    pub(crate) targets: Vec<Target>,
}

/// One thing that is built from a package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory. `Cargo.lock` must be up to date.
    ///
    /// # Errors
    /// As [`Command::output`], or [`Error::Output`] if the answer is not what cargo documents.
    pub(crate) fn load() -> Result<Self, Error> {
        let command = Command::new("cargo", Path::new(".")).args(["metadata", "--format-version", "1", "--locked"]);
        let json = command.output()?;
        serde_json::from_slice(&json).map_err(|source| Error::Output { command: command.to_string(), source })
    }

    /// Whether the package belongs to the workspace.
    pub(crate) fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
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

    /// Names of the workspace's libraries, in order of the names.
    pub(crate) fn libraries(&self) -> Vec<&str> {
        let is_library = |package: &&Package| package.targets.iter().any(|t| t.kind.iter().any(|kind| kind == "lib"));
        let members = self.packages.iter().filter(|package| self.is_member(package));
        let mut names: Vec<&str> = members.filter(is_library).map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}
