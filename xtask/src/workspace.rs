//! The workspace as `cargo metadata` describes it.

use std::collections::BTreeSet;
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
    /// Oldest Rust version it states to compile with.
    pub(crate) rust_version: Option<String>,
    /// Registries it may be published to: none for a package that stays here, absent for any.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

/// One thing that is built from a package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

impl Package {
    fn is_published_library(&self) -> bool {
        let is_published = self.publish.as_ref().is_none_or(|registries| !registries.is_empty());
        is_published && self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory. `Cargo.lock` must be up to date.
    ///
    /// # Errors
    /// As [`Command::output`], or [`Error::Output`] if the answer is not what cargo documents.
    pub(crate) fn load() -> Result<Self, Error> {
        let args = ["metadata", "--format-version", "1", "--all-features", "--locked"];
        let command = Command::new("cargo", Path::new(".")).args(args);
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

    /// Oldest Rust versions that the workspace's packages state, each once.
    pub(crate) fn rust_versions(&self) -> BTreeSet<&str> {
        let members = self.packages.iter().filter(|package| self.is_member(package));
        members.filter_map(|package| package.rust_version.as_deref()).collect()
    }

    /// Names of the workspace's libraries that others may build on, in order of the names.
    pub(crate) fn libraries(&self) -> Vec<&str> {
        let members = self.packages.iter().filter(|package| self.is_member(package));
        let mut names: Vec<&str> =
            members.filter(|package| package.is_published_library()).map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let package = |name: &str, kind: &str, publish: &str, source: &str| {
            format!(
                r#"{{"id": "{name}", "name": "{name}", "version": "1.0.0", "license": "MIT", "source": {source},
                "rust_version": "1.88", "publish": {publish}, "targets": [{{"kind": ["{kind}"]}}]}}"#
            )
        };
        let packages = [
            package("ekv-b", "lib", "null", "null"),
            package("ekv-a", "lib", "null", "null"),
            package("ekv-program", "bin", "null", "null"),
            package("ekv-test-support", "lib", "[]", "null"),
            package("foreign", "lib", "null", r#""registry+https://example.org""#),
        ];
        let members = r#"["ekv-b", "ekv-a", "ekv-program", "ekv-test-support"]"#;
        let json = format!(
            r#"{{"packages": [{}], "workspace_members": {members}, "workspace_root": "/w", "target_directory": "/w/t"}}"#,
            packages.join(", ")
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn libraries_are_the_published_ones_of_the_workspace() {
        assert_eq!(workspace().libraries(), ["ekv-a", "ekv-b"]);
    }

    #[test]
    fn rust_versions_are_named_once() {
        assert_eq!(Vec::from_iter(workspace().rust_versions()), ["1.88"]);
    }

    #[test]
    fn paths_are_shown_from_the_root_of_the_workspace() {
        assert_eq!(workspace().shown(Path::new("/w/t/demo")), Path::new("t").join("demo").display().to_string());
        assert_eq!(workspace().shown(Path::new("/elsewhere")), "/elsewhere");
    }
}
