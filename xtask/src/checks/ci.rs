//! The list of all checks.

use std::time::{Duration, Instant};

use super::{cross, documents, findings, licences, oldest, rooms, toy};
use crate::command::Command;
use crate::error::Error;
use crate::suite;
use crate::workspace::Workspace;

type Check = fn() -> Result<(), Error>;

/// The checks in their order: the quick ones first, the tests last, so that a run ends with their result.
const CHECKS: [(&str, Check); 12] = [
    ("format", format),
    ("licences", licences::run),
    ("findings", findings::run),
    ("documents", documents::run),
    ("rooms", rooms::run),
    ("lints", lints),
    ("fuzz targets", fuzz_targets),
    ("documentation", documentation),
    ("other platforms", cross::run),
    ("oldest Rust", oldest::run),
    ("a fifth protocol", toy::run),
    ("tests", || suite::test(&[])),
];

/// Runs all checks and stops at the first that fails.
pub(super) fn run() -> Result<(), Error> {
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

/// Checks that the engine compiles; without coverage, which a check has no use for.
fn fuzz_targets() -> Result<(), Error> {
    let engine = ["clippy", "--package", "ekv-fuzz", "--features", "engine", "--all-targets", "--locked"];
    cargo(&engine)?.args(["--", "-D", "warnings"]).run()
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
