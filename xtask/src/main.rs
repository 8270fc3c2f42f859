//! Repository tasks, run as `cargo xtask TASK`: the demo, the tests, and every check that CI makes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

#[cfg(feature = "checks")]
mod bench;
#[cfg(feature = "checks")]
mod checks;
mod command;
mod demo;
mod error;
mod fuzz;
mod listing;
mod suite;
mod tools;
mod workspace;

use std::process::ExitCode;

use error::Error;

const USAGE: &str = "\
usage: cargo xtask TASK

  demo           build ekv-backup, decode the sample snapshot and show what came out
  bench [ARGS]   compare speed and memory with other programs; `bench --help` lists the options
  test [ARGS]    run the tests of the whole workspace; ARGS go to `cargo test`
  long [ARGS]    run the long forms of the tests of the whole workspace; ARGS go to `cargo test`
  fuzz TARGET… | --all [--seconds N] [--pack] [-- FILE…]
                 run fuzz targets (needs a C++ compiler), N seconds each; --pack keeps the minimised corpus, FILEs are run once instead
  licences       check the licence and the source of every dependency against deny.toml
  findings       check that docs/findings.md lists every finding of the code
  documents      check that the files, folders and items of code that the documents name are there
  rooms          check that crates depend on each other one way, and no files of a crate in a circle
  cross          check that the libraries compile for the other platforms
  oldest         check that everything compiles with the oldest Rust version that Cargo.toml names
  toy            put a fifth protocol into a copy of the workspace, count the files that it touches, compile and test it
  ci             all checks: format, licences, findings, documents, rooms, lints, fuzz targets, documentation, cross, oldest, toy, tests
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next();
    let rest: Vec<String> = args.collect();
    match run(task.as_deref(), &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {}", error::chain(&error));
            if matches!(error, Error::Usage { .. }) {
                eprint!("\n{USAGE}");
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: Option<&str>, rest: &[String]) -> Result<(), Error> {
    match task {
        Some("test") => suite::test(rest),
        Some("long") => suite::long(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("help" | "-h" | "--help") => {
            print!("{USAGE}");
            Ok(())
        }
        Some("demo") if rest.is_empty() => demo::run(),
        Some("demo") => Err(error::takes_no_arguments("demo")),
        Some(task) => run_check(task, rest),
        None => Err(Error::Usage { problem: "name a task".to_owned() }),
    }
}

/// Runs a task that this program was built for.
#[cfg(feature = "checks")]
fn run_check(task: &str, rest: &[String]) -> Result<(), Error> {
    if task == "bench" {
        return bench::run(rest);
    }
    bench::hidden_task(task, rest).unwrap_or_else(|| checks::run(task, rest))
}

/// Builds the program with all tasks and hands this one on.
#[cfg(not(feature = "checks"))]
fn run_check(task: &str, rest: &[String]) -> Result<(), Error> {
    let args = ["run", "--release", "--locked", "--package", "xtask", "--", task];
    workspace::Workspace::load()?.command("cargo").args(args).args(rest.iter().cloned()).run()
}
