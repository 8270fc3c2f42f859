//! Completion scripts and manual pages, both made from the declaration of the command line; the version.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use ekv_backup::{Class, Error};

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
        clap_complete::Shell::Bash => script.replace("ekv__subcmd__backup", "ekv__backup"),
        _ => script.into_owned(),
    }
}

pub(crate) fn manual(arguments: &ManualArguments, output: &mut Output) -> Result<Exit, Error> {
    let command = Arguments::command();
    let written = match &arguments.directory {
        Some(directory) => clap_mangen::generate_to(command, directory),
        None => page(command, output),
    };
    written.map_err(|error| {
        let class = match &arguments.directory {
            Some(directory) if !directory.is_dir() => Class::Environment,
            _ if ekv_backup::is_out_of_space(&error) => Class::OutOfSpace,
            _ => Class::WriteIo,
        };
        let place = arguments.directory.as_deref().unwrap_or(Path::new("standard output")).display();
        Error::new(class, format!("cannot write the manual to {place}: {error}"))
    })?;
    Ok(Exit::Done)
}

fn page(command: clap::Command, output: &mut Output) -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output.document(&String::from_utf8_lossy(&page));
    Ok(())
}

pub(crate) fn version(output: &mut Output) -> Result<Exit, Error> {
    output.document(&Arguments::command().render_version());
    Ok(Exit::Done)
}
