//! The tests, in their short and their long form.

use crate::command::Command;
use crate::error::Error;
use crate::tools;
use crate::workspace::Workspace;

/// Runs the tests of the whole workspace or of the packages in `args`, all of them even if one fails.
pub(crate) fn test(args: &[String]) -> Result<(), Error> {
    tests(args)?.run()
}

/// Runs the tests that are too long for every day: those marked `ignore`. Optimised, with all checks of a debug build.
pub(crate) fn long(args: &[String]) -> Result<(), Error> {
    let profile = ["--profile", "fuzz"].map(str::to_owned);
    let after_dashes: &[&str] = if args.iter().any(|arg| arg == "--") { &[] } else { &["--"] };
    let test = tests(&[&profile, args].concat())?.args(after_dashes.iter().copied());
    test.args(["--ignored", "--nocapture"]).run()
}

/// The tests that `args` of `cargo test` choose, with what they need installed.
fn tests(args: &[String]) -> Result<Command, Error> {
    let workspace = Workspace::load()?;
    tools::provide_strace(&workspace)?;
    // Cargo ignores names of packages beside `--workspace`.
    let names_packages = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    let all: &[&str] = if names_packages { &[] } else { &["--workspace"] };
    let test = workspace.command("cargo").args(["test", "--locked", "--no-fail-fast"]).args(all.iter().copied());
    Ok(test.args(args.iter().cloned()).env(tools::NO_SKIPS, "1"))
}
