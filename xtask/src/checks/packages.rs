//! The packages that the workspace is built from.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::error::Error;
use crate::workspace::metadata;

/// The packages of the workspace and, where that was asked for, everything they depend on.
#[derive(Debug, Deserialize)]
pub(super) struct Packages {
    /// The packages.
    pub(super) packages: Vec<Package>,
    /// Ids of the workspace's own packages.
    pub(super) workspace_members: Vec<String>,
}

/// One package.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    /// SPDX expression.
    pub(super) license: Option<String>,
    /// Where it comes from, such as `registry+https://…`; none for a path.
    pub(super) source: Option<String>,
    /// Oldest Rust version it states to compile with.
    pub(super) rust_version: Option<String>,
    /// Registries it may be published to: none for a package that stays here, absent for any.
    pub(super) publish: Option<Vec<String>>,
    pub(super) targets: Vec<Target>,
}

/// One thing that is built from a package.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Target {
    pub(super) kind: Vec<String>,
}

impl Package {
    fn is_published_library(&self) -> bool {
        let is_published = self.publish.as_ref().is_none_or(|registries| !registries.is_empty());
        is_published && self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }
}

impl Packages {
    /// The workspace's own packages.
    ///
    /// # Errors
    /// As [`metadata`].
    pub(super) fn own() -> Result<Self, Error> {
        metadata("--no-deps")
    }

    /// These and everything that they depend on, for all platforms and features: cargo fetches what it has not yet.
    ///
    /// # Errors
    /// As [`metadata`].
    pub(super) fn all() -> Result<Self, Error> {
        metadata("--all-features")
    }

    /// Whether the package belongs to the workspace.
    pub(super) fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }

    /// Oldest Rust versions that the workspace's packages state, each once.
    pub(super) fn rust_versions(&self) -> BTreeSet<&str> {
        let members = self.packages.iter().filter(|package| self.is_member(package));
        members.filter_map(|package| package.rust_version.as_deref()).collect()
    }

    /// Names of the workspace's libraries that others may build on, in order of the names.
    pub(super) fn libraries(&self) -> Vec<&str> {
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

    fn packages() -> Packages {
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
        let json = format!(r#"{{"packages": [{}], "workspace_members": {members}}}"#, packages.join(", "));
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn libraries_are_the_published_ones_of_the_packages() {
        assert_eq!(packages().libraries(), ["ekv-a", "ekv-b"]);
    }

    #[test]
    fn rust_versions_are_named_once() {
        assert_eq!(Vec::from_iter(packages().rust_versions()), ["1.88"]);
    }
}
