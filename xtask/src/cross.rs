//! The check that the libraries compile for platforms other than this one.

use crate::error::Error;
use crate::workspace::Workspace;

/// Source: `docs/format/tree.md`, section 8.6.
const TARGETS: [&str; 3] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin", "wasm32-wasip1"];

/// Checks every library for every target that is installed or can be installed; says which ones were left out.
pub(crate) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    for target in TARGETS {
        if !is_available(&workspace, target) {
            println!(
                "SKIPPED: the target {target} is not installed, and `rustup target add {target}` cannot install it"
            );
            continue;
        }
        let packages = workspace.libraries().into_iter().flat_map(|name| ["--package", name]);
        workspace.command("cargo").args(["check", "--locked", "--target", target]).args(packages).run()?;
    }
    Ok(())
}

fn is_available(workspace: &Workspace, target: &str) -> bool {
    let rustup = || workspace.command("rustup").args(["target"]);
    let installed = rustup().args(["list", "--installed"]).output().unwrap_or_default();
    let is_installed = String::from_utf8_lossy(&installed).lines().any(|line| line == target);
    is_installed || rustup().args(["add", target]).run().is_ok()
}
