//! The check that the workspace compiles with the oldest Rust version it promises.

use super::packages::Packages;
use super::rustup;
use crate::error::Error;
use crate::workspace::Workspace;

/// Checks everything with each Rust version that a `rust-version` of the workspace names and `rustup` provides.
pub(super) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let packages = Packages::own()?;
    for version in packages.rust_versions() {
        let prefix = format!("{version}-");
        let install = ["toolchain", "install", version, "--profile", "minimal"];
        if rustup::provides(&workspace, &["toolchain", "list"], |line| line.starts_with(&prefix), &install) {
            let check = ["run", version, "cargo", "check", "--workspace", "--all-targets", "--locked"];
            workspace.command("rustup").args(check).run()?;
        }
    }
    Ok(())
}
