//! The tests, and the list of all checks.

use std::time::{Duration, Instant};

use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;
use crate::{cross, fuzz, licences, oldest, tools};

type Check = fn() -> Result<(), Error>;

/// The checks in their order: the quick ones first, the tests last, so that a run ends with their result.
const CHECKS: [(&str, Check); 8] = [
    ("format", format),
    ("licences", licences::run),
    ("lints", lints),
    ("fuzz targets", fuzz::check),
    ("documentation", documentation),
    ("other platforms", cross::run),
    ("oldest Rust", oldest::run),
    ("tests", || test(&[])),
];

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

/// Runs all checks and stops at the first that fails.
pub(crate) fn run() -> Result<(), Error> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (name, check) in CHECKS {
        println!("\n== {name}");
        let start = Instant::now();
        check()?;
        times.push((name, start.elapsed()));
    }
    println!("\nall checks passed");
    for (name, time) in times {
        println!("  {name:<16} {:>6.1} s", time.as_secs_f64());
    }
    Ok(())
}

fn format() -> Result<(), Error> {
    cargo(&["fmt", "--all", "--", "--check"])?.run()
}

fn lints() -> Result<(), Error> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?.run()
}

fn documentation() -> Result<(), Error> {
    // The program and the library share the name `ekv-backup` and so one folder; the library's pages are to stay there.
    for kind in ["--bins", "--lib"] {
        let args = ["doc", "--workspace", kind, "--no-deps", "--document-private-items", "--locked"];
        cargo(&args)?.env("RUSTDOCFLAGS", "-D warnings").run()?;
    }
    Ok(())
}

fn cargo(args: &[&str]) -> Result<Command, Error> {
    Ok(Workspace::load()?.command("cargo").args(args.iter().copied()))
}
