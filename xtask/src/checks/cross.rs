//! The check that the libraries compile for platforms other than this one.

use super::packages::Packages;
use super::rustup;
use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;

/// Source: `docs/format/tree.md`, section 8.6.
const TARGETS: [&str; 3] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin", "wasm32-wasip1"];

/// Checks every published library for every target that `rustup` provides.
pub(super) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let packages = Packages::own()?;
    for target in TARGETS {
        let install = ["target", "add", target];
        if rustup::provides(&workspace, &["target", "list", "--installed"], |line| line == target, &install) {
            let libraries = packages.libraries().into_iter().flat_map(|name| ["--package", name]);
            let check = workspace.command("cargo").args(["check", "--locked", "--target", target]).args(libraries);
            without_c(check, target).run()?;
        }
    }
    Ok(())
}

/// Lets build scripts go through the motions of compiling C for `target` with a program that does nothing: a check
/// reads no object files, so no C compiler for the target is needed.
fn without_c(check: Command, target: &str) -> Command {
    let target = target.replace('-', "_");
    check.env(format!("CC_{target}"), "true").env(format!("AR_{target}"), "true")
}
