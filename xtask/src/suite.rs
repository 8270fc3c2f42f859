//! The tests, in their short and their long form.

use crate::command::Command;
use crate::error::Error;
use crate::tools;
use crate::workspace::Workspace;

/// What a run of everything takes on a machine that has built nothing of it yet; `README.md` says the same.
const COST: &str = "about 20 minutes of processor time and 5 GB of disk";

/// Runs the tests of the whole workspace or of the packages in `args`, all of them even if one fails.
pub(crate) fn test(args: &[String]) -> Result<(), Error> {
    let test = tests(args)?;
    println!("{}", announcement(args));
    test.run()
}

/// What a run takes, to be told before it.
fn announcement(args: &[String]) -> String {
    let of = if args.is_empty() { "the tests" } else { "all tests, of which these are a part," };
    format!("{of} take {COST} the first time, most of it to build them; target/ keeps what was built")
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
    tools::provide(&workspace)?;
    // Cargo ignores names of packages beside `--workspace`.
    let names_packages = args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    let all: &[&str] = if names_packages { &[] } else { &["--workspace"] };
    let test = workspace.command("cargo").args(["test", "--locked", "--no-fail-fast"]).args(all.iter().copied());
    let emulators = tools::emulators(&workspace).display().to_string();
    let test = test.args(args.iter().cloned()).env(tools::NO_SKIPS, "1").env(tools::EMULATORS_VARIABLE, emulators);
    let servers = tools::servers(&workspace)?.map(|servers| servers.display().to_string());
    Ok(match servers {
        Some(servers) => test.env(tools::SERVERS_VARIABLE, servers),
        None => test,
    })
}

#[cfg(test)]
mod announcing {
    use super::*;

    #[test]
    fn a_run_says_beforehand_what_it_takes_in_the_words_of_the_readme() {
        assert!(announcement(&[]).contains(COST));
        let readme = Workspace::load().unwrap().workspace_root.join("README.md");
        assert!(std::fs::read_to_string(readme).unwrap().contains(COST));
    }
}
