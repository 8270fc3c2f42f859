//! The `ekv-backup` program.

mod args;
mod commands;
mod exit;
mod output;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use exit::Exit;
use output::Output;

fn main() -> ExitCode {
    let words = args::with_reference_spelling(std::env::args_os());
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error).into(),
    };
    let mut output = Output::new(&arguments.output);
    let exit = run(&arguments, &mut output);
    output.close(exit).into()
}

fn run(arguments: &Arguments, output: &mut Output) -> Exit {
    let outcome = match &arguments.command {
        Command::Decode(decode) => commands::decode::run(decode, output),
        Command::Verify(verify) => commands::verify::run(verify, output),
        Command::Inspect(inspect) => commands::inspect::run(inspect, output),
        Command::Checksums(checksums) => commands::checksums::run(checksums, output),
        Command::Encode(encode) => commands::encode::run(encode, output),
        Command::Restore(restore) => commands::restore::run(restore, output),
        Command::PrepareRestore(prepare) => commands::prepare_restore::run(prepare, output),
        Command::Pack(pack) => commands::pack::run_pack(pack, output),
        Command::Unpack(unpack) => commands::pack::run_unpack(unpack, output),
        Command::Clean(clean) => commands::clean::run(clean, output),
        Command::Completions(completions) => commands::documents::completions(completions, output),
        Command::Manual(manual) => commands::documents::manual(manual, output),
    };
    outcome.unwrap_or_else(|error| output.error(&error))
}
