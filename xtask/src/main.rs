//! Repository tasks, run as `cargo xtask TASK`: the demo, the tests, and every check that CI makes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod bench;
mod ci;
mod command;
mod cross;
mod demo;
mod error;
mod fuzz;
mod licences;
mod listing;
mod oldest;
mod rustup;
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
  cross          check that the libraries compile for the other platforms
  oldest         check that everything compiles with the oldest Rust version that Cargo.toml names
  ci             all checks: format, licences, lints, fuzz targets, documentation, cross, oldest, tests
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
    if let Some(done) = task.and_then(|task| bench::hidden_task(task, rest)) {
        return done;
    }
    match task {
        Some("test") => ci::test(rest),
        Some("bench") => bench::run(rest),
        Some("long") => ci::long(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("help" | "-h" | "--help") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(task) if !rest.is_empty() => Err(Error::Usage { problem: format!("`{task}` takes no arguments") }),
        Some("demo") => demo::run(),
        Some("licences") => licences::run(),
        Some("cross") => cross::run(),
        Some("oldest") => oldest::run(),
        Some("ci") => ci::run(),
        Some(task) => Err(Error::Usage { problem: format!("there is no task `{task}`") }),
        None => Err(Error::Usage { problem: "name a task".to_owned() }),
    }
}
