//! Completion scripts and manual pages, both made from the declaration of the command line.

use std::io;

use clap::CommandFactory;
use ekv_backup::{Class, Error};

use crate::args::{Arguments, CompletionsArguments, ManualArguments};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn completions(arguments: &CompletionsArguments, output: &mut Output) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "ekv-backup", &mut script);
    output.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

pub(crate) fn manual(arguments: &ManualArguments, output: &mut Output) -> Result<Exit, Error> {
    let command = Arguments::command();
    let written = match &arguments.directory {
        Some(directory) => clap_mangen::generate_to(command, directory),
        None => page(command, output),
    };
    written.map_err(|error| Error::new(Class::WriteIo, error))?;
    Ok(Exit::Done)
}

fn page(command: clap::Command, output: &mut Output) -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output.print(&String::from_utf8_lossy(&page));
    Ok(())
}
