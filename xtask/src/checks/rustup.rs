//! What `rustup` has or can fetch. Without `rustup`, or without a network, a check that needs more is left out aloud.

use crate::workspace::Workspace;

/// Whether a line of `rustup LIST` is `wanted`, or `rustup INSTALL` succeeds; prints that neither is so.
pub(super) fn provides(workspace: &Workspace, list: &[&str], wanted: impl Fn(&str) -> bool, install: &[&str]) -> bool {
    let rustup = |args: &[&str]| workspace.command("rustup").args(args.iter().copied());
    let listed = rustup(list).output().unwrap_or_default();
    let provides = String::from_utf8_lossy(&listed).lines().any(wanted) || rustup(install).run().is_ok();
    if !provides {
        println!("SKIPPED: `{}` does not work here", rustup(install));
    }
    provides
}
