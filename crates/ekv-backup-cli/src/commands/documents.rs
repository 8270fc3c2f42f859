//! Completion scripts and manual pages, both made from the declaration of the command line; the version.

use clap::CommandFactory;
use ekv_backup::{Class, DirOptions, Error, ExistingTarget, Fsync, write_documents};

use crate::args::{Arguments, CompletionsArguments, ManualArguments};
use crate::exit::Exit;
use crate::output::Output;

const NAME: &str = "ekv-backup";

pub(crate) fn completions(arguments: &CompletionsArguments, output: &mut Output) -> Result<Exit, Error> {
    output.document(&completion_script(arguments.shell));
    Ok(Exit::Done)
}

fn completion_script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        // The generator gives the parts for a command other names than the part that looks for it, if the program has a dash in its name.
        clap_complete::Shell::Bash => with_files_of_bash(&script.replace("ekv__subcmd__backup", "ekv__backup")),
        _ => script.into_owned(),
    }
}

/// Offers options only for a word that begins with a dash, behind all commands whose arguments are files: bash itself completes those where
/// nothing is offered.
fn with_files_of_bash(script: &str) -> String {
    let mut takes_files = false;
    let mut changed = String::with_capacity(script.len());
    for line in script.lines() {
        if let Some(label) = line.strip_suffix(')').map(str::trim_start).filter(|label| label.starts_with("ekv__")) {
            let command = label.strip_prefix("ekv__backup__subcmd__");
            takes_files =
                command.is_some_and(|command| !command.starts_with("help") && !command.starts_with("completions"));
        }
        let line = match takes_files {
            true if line.trim_start().starts_with("if [[ ${cur} == -*") => "            if [[ ${cur} == -* ]] ; then",
            // What stands behind the options with values, outside of any other branch.
            true if line.strip_prefix("            ").is_some_and(|line| line.starts_with("COMPREPLY=")) => {
                "            COMPREPLY=()"
            }
            _ => line,
        };
        changed.push_str(line);
        changed.push('\n');
    }
    changed
}

pub(crate) fn manual(arguments: &ManualArguments, output: &mut Output) -> Result<Exit, Error> {
    // There is no page for `help`, which the parser adds.
    let mut command = Arguments::command().disable_help_subcommand(true);
    match &arguments.directory {
        Some(directory) => {
            command.build();
            let mut pages = Vec::new();
            add_pages(&command, &mut pages)?;
            let existing = if arguments.force { ExistingTarget::Replace } else { ExistingTarget::Refuse };
            write_documents(directory, &pages, DirOptions { existing, fsync: Fsync::File })?;
        }
        // What `man` reads is nothing that a person does.
        None if output.is_terminal() => {
            output.document(&command.render_long_help().to_string());
            output.note("as a page: ekv-backup manual | man -l -");
        }
        None => output.document(&String::from_utf8_lossy(&page(&clap_mangen::Man::new(command))?)),
    }
    Ok(Exit::Done)
}

/// Adds the pages of a command and those below it, each with its file name.
fn add_pages(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add_pages(below, pages)?;
    }
    let man = clap_mangen::Man::new(command.clone());
    pages.push((man.get_filename(), page(&man)?));
    Ok(())
}

fn page(man: &clap_mangen::Man) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    man.render(&mut page)
        .map_err(|error| Error::new(Class::WriteIo, format!("cannot make a page of the manual: {error}")))?;
    Ok(page)
}

pub(crate) fn version(output: &mut Output) -> Result<Exit, Error> {
    output.document(&Arguments::command().render_version());
    Ok(Exit::Done)
}
