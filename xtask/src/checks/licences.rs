//! The check of dependencies: each comes from a known registry, under a licence that `deny.toml` allows.
//!
//! The settings are a subset of those of `cargo-deny`, which reads the same file and takes minutes to build.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::error::Error;
use crate::workspace::Workspace;

use super::packages::{Package, Packages};

const SETTINGS: &str = "deny.toml";

/// Checks every package of the workspace's dependency tree and prints what does not hold.
pub(super) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let packages = Packages::all()?;
    let path = workspace.workspace_root.join(SETTINGS);
    let rules = Rules::load(&path)?;
    let findings = rules.check(&packages);
    for (package, problem) in &findings {
        println!("{package}: {problem}");
    }
    let packages = packages.packages.len();
    if findings.is_empty() {
        println!("licences and sources of {packages} packages satisfy {SETTINGS}");
        return Ok(());
    }
    Err(Error::Dependencies { count: findings.len(), packages, path: SETTINGS.into() })
}

/// What a package may be.
#[derive(Debug)]
struct Rules {
    licences: Vec<Licensee>,
    /// Licences that single packages may have besides, by the name of the package.
    exceptions: BTreeMap<String, Vec<Licensee>>,
    registries: Vec<String>,
}

/// Why a package may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NoLicence,
    UnreadableLicence { licence: String },
    LicenceNotAllowed { licence: String },
    PathOutsideWorkspace,
    UnknownSource { source: String },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::NoLicence => f.write_str("states no licence"),
            Problem::UnreadableLicence { licence } => write!(f, "its licence is no SPDX expression: {licence}"),
            Problem::LicenceNotAllowed { licence } => write!(f, "its licence is not allowed: {licence}"),
            Problem::PathOutsideWorkspace => f.write_str("is a path outside the workspace"),
            Problem::UnknownSource { source } => write!(f, "comes from an unknown source: {source}"),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Settings {
    licenses: LicenceSettings,
    sources: SourceSettings,
}

#[derive(Debug, Deserialize)]
struct LicenceSettings {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<LicenceException>,
}

#[derive(Debug, Deserialize)]
struct LicenceException {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SourceSettings {
    allow_registry: Vec<String>,
}

impl Rules {
    fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let settings = toml::from_str(&text).map_err(|source| Error::Settings { path: path.to_owned(), source })?;
        Rules::new(settings).map_err(|licence| Error::UnknownLicence { path: path.to_owned(), licence })
    }

    /// Fails with the licence that is not an SPDX identifier.
    fn new(settings: Settings) -> Result<Self, String> {
        let parse = |text: String| Licensee::parse(&text).map_err(|_| text);
        let parse_all = |texts: Vec<String>| texts.into_iter().map(parse).collect::<Result<Vec<_>, _>>();
        let LicenceSettings { allow, exceptions } = settings.licenses;
        let mut by_package = BTreeMap::new();
        for LicenceException { package, allow } in exceptions {
            by_package.insert(package, parse_all(allow)?);
        }
        Ok(Rules { licences: parse_all(allow)?, exceptions: by_package, registries: settings.sources.allow_registry })
    }

    /// What does not hold, by package.
    fn check(&self, packages: &Packages) -> BTreeMap<String, Problem> {
        let problems = packages.packages.iter().filter_map(|package| {
            let problem = self.source_problem(package, packages).or_else(|| self.licence_problem(package))?;
            Some((format!("{} {}", package.name, package.version), problem))
        });
        problems.collect()
    }

    fn source_problem(&self, package: &Package, packages: &Packages) -> Option<Problem> {
        let Some(source) = &package.source else {
            return (!packages.is_member(package)).then_some(Problem::PathOutsideWorkspace);
        };
        let registry = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"));
        let is_known = registry.is_some_and(|url| self.registries.iter().any(|known| known == url));
        (!is_known).then(|| Problem::UnknownSource { source: source.clone() })
    }

    fn licence_problem(&self, package: &Package) -> Option<Problem> {
        let Some(licence) = package.license.clone() else { return Some(Problem::NoLicence) };
        // LAX reads `MIT/Apache-2.0`, which older packages carry.
        let Ok(expression) = Expression::parse_mode(&licence, ParseMode::LAX) else {
            return Some(Problem::UnreadableLicence { licence });
        };
        let exceptions = self.exceptions.get(&package.name).map_or(&[][..], Vec::as_slice);
        let allowed = || self.licences.iter().chain(exceptions);
        let is_allowed = expression.evaluate(|wanted| allowed().any(|allowed| allowed.satisfies(wanted)));
        (!is_allowed).then_some(Problem::LicenceNotAllowed { licence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn rules(allow: &[&str]) -> Rules {
        let registry = "https://github.com/rust-lang/crates.io-index".to_owned();
        let exception = LicenceException { package: "odd-crate".to_owned(), allow: vec!["NCSA".to_owned()] };
        let allow = allow.iter().map(|&text| text.to_owned()).collect();
        let licenses = LicenceSettings { allow, exceptions: vec![exception] };
        Rules::new(Settings { licenses, sources: SourceSettings { allow_registry: vec![registry] } }).unwrap()
    }

    fn package(licence: Option<&str>, source: Option<&str>) -> Package {
        Package {
            id: "id".to_owned(),
            name: "some-crate".to_owned(),
            version: "1.2.3".to_owned(),
            license: licence.map(ToOwned::to_owned),
            source: source.map(ToOwned::to_owned),
            rust_version: None,
            publish: None,
            targets: Vec::new(),
        }
    }

    fn problem(allow: &[&str], package: Package) -> Option<Problem> {
        let packages = Packages { packages: vec![package], workspace_members: vec!["another id".to_owned()] };
        rules(allow).check(&packages).remove("some-crate 1.2.3")
    }

    fn licence_problem(allow: &[&str], licence: &str) -> Option<Problem> {
        problem(allow, package(Some(licence), Some(CRATES_IO)))
    }

    fn not_allowed(licence: &str) -> Option<Problem> {
        Some(Problem::LicenceNotAllowed { licence: licence.to_owned() })
    }

    #[test]
    fn one_allowed_side_of_an_or_is_enough() {
        assert_eq!(licence_problem(&["MIT"], "GPL-3.0-only OR MIT"), None);
        assert_eq!(licence_problem(&["MIT"], "Apache-2.0/MIT"), None);
    }

    #[test]
    fn both_sides_of_an_and_must_be_allowed() {
        let licence = "(MIT OR Apache-2.0) AND Unicode-3.0";
        assert_eq!(licence_problem(&["MIT"], licence), not_allowed(licence));
        assert_eq!(licence_problem(&["MIT", "Unicode-3.0"], licence), None);
    }

    #[test]
    fn licence_with_an_exception_is_not_the_licence_without_it() {
        let licence = "Apache-2.0 WITH LLVM-exception";
        assert_eq!(licence_problem(&["Apache-2.0"], licence), not_allowed(licence));
        assert_eq!(licence_problem(&[licence], licence), None);
    }

    #[test]
    fn exception_holds_for_its_package_alone() {
        let licence = "MIT AND NCSA";
        assert_eq!(licence_problem(&["MIT"], licence), not_allowed(licence));
        let odd = Package { name: "odd-crate".to_owned(), ..package(Some(licence), Some(CRATES_IO)) };
        assert_eq!(rules(&["MIT"]).licence_problem(&odd), None);
        assert_eq!(rules(&["Zlib"]).licence_problem(&odd), not_allowed(licence));
    }

    #[test]
    fn package_without_a_readable_licence_is_a_problem() {
        assert_eq!(problem(&["MIT"], package(None, Some(CRATES_IO))), Some(Problem::NoLicence));
        let unreadable = Some(Problem::UnreadableLicence { licence: "see LICENSE".to_owned() });
        assert_eq!(licence_problem(&["MIT"], "see LICENSE"), unreadable);
    }

    #[test]
    fn package_from_git_or_another_registry_is_a_problem() {
        for source in ["git+https://github.com/rust-lang/crates.io-index", "registry+https://example.org/index"] {
            let expected = Problem::UnknownSource { source: source.to_owned() };
            assert_eq!(problem(&["MIT"], package(Some("MIT"), Some(source))), Some(expected));
        }
    }

    #[test]
    fn path_outside_the_workspace_is_a_problem() {
        assert_eq!(problem(&["MIT"], package(Some("MIT"), None)), Some(Problem::PathOutsideWorkspace));
    }

    #[test]
    fn allow_list_accepts_spdx_identifiers_only() {
        let licenses = LicenceSettings { allow: vec!["MIT".to_owned(), "Mitt".to_owned()], exceptions: Vec::new() };
        let settings = Settings { licenses, sources: SourceSettings { allow_registry: Vec::new() } };
        assert_eq!(Rules::new(settings).unwrap_err(), "Mitt");
    }
}
