//! The `ekv-backup` program.

mod args;
mod commands;
mod exit;
mod output;
mod screen;
mod signals;
mod tips;

use std::process::ExitCode;
use std::thread;

use args::{Arguments, Command};
use ekv_backup::{CommandError, Wanted, advice, damage_advice};
use exit::Exit;
use output::Output;

/// Stack of the thread that does the work, in bytes: what the main thread has depends on the limits of the caller.
const STACK_LEN: usize = 8 << 20;

fn main() -> ExitCode {
    signals::survive_size_limit();
    match thread::Builder::new()
        .name("ekv-backup".to_owned())
        .stack_size(STACK_LEN)
        .spawn(work)
        .map(thread::JoinHandle::join)
    {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => output::early_error(format_args!("cannot begin: no thread can be started: {error}")).into(),
    }
}

fn work() -> Exit {
    let arguments = match args::parse(args::with_reference_spelling(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let mut output = Output::new(&arguments.output);
    let exit = run(&arguments, &mut output);
    output.close(exit)
}

fn run(arguments: &Arguments, output: &mut Output) -> Exit {
    commands::server::warn_of_plain_text(&arguments.command, output);
    let outcome = match &arguments.command {
        Command::Decode(decode) => commands::decode::run(decode, output),
        Command::Verify(verify) => commands::verify::run(verify, output),
        Command::Inspect(inspect) => commands::inspect::run(inspect, output),
        Command::Ls(list) => commands::list::run(list, output),
        Command::Get(get) => commands::get::run(get, output),
        Command::History(history) => commands::history::run(history, output),
        Command::Diff(diff) => commands::diff::run(diff, output),
        Command::Report(report) => commands::report::run(report, output),
        Command::Index(index) => commands::index::run(index, output),
        Command::Export(export) => commands::export::run(export, output),
        Command::Checksums(checksums) => commands::checksums::run(checksums, output),
        Command::Encode(encode) => commands::encode::run(encode, output),
        Command::Compare(compare) => commands::leave::compare(compare, output),
        Command::Load(load) => commands::leave::load(load, output),
        Command::Restore(restore) => commands::restore::run(restore, output),
        Command::PrepareRestore(prepare) => commands::prepare_restore::run(prepare, output),
        Command::Pack(pack) => commands::pack::run_pack(pack, output),
        Command::Unpack(unpack) => commands::pack::run_unpack(unpack, output),
        Command::Clean(clean) => commands::clean::run(clean, output),
        Command::Completions(completions) => commands::documents::completions(completions, output),
        Command::Manual(manual) => commands::documents::manual(manual, output),
        Command::Version => commands::documents::version(output),
    };
    outcome.unwrap_or_else(|error| {
        let attempt = arguments.command.attempt();
        let exit = output.error(attempt.unnamed_input(&error).as_deref(), &error);
        let (input, verb) = (arguments.command.input(), arguments.command.verb());
        let about_damage = || {
            let is_snapshot = input.is_some_and(|(_, wanted)| matches!(wanted, Wanted::Snapshot | Wanted::Source));
            damage_advice(&error).filter(|_| is_snapshot).map(str::to_owned)
        };
        let tip = || {
            let about_input = || input.and_then(|(input, wanted)| advice(input, wanted, verb));
            attempt.remedy(&error).or_else(about_input).or_else(about_damage)
        };
        let older = match error.get_ref().downcast_ref() {
            Some(CommandError::TimeNotAnswerable { older, .. }) => older.as_deref(),
            _ => None,
        };
        let tip = || older.map_or_else(tip, |older| Some(args::with_older(std::env::args_os(), older)));
        let is_about_moments = matches!(
            error.get_ref().downcast_ref(),
            Some(CommandError::OneMoment { .. } | CommandError::OneMomentOfRdb { .. } | CommandError::NoVersions)
        );
        // What a dump is, such an error says itself.
        let tip = || if is_about_moments { None } else { tip() };
        if let Some(tip) = matches!(exit, Exit::Environment | Exit::Data).then(tip).flatten() {
            output.tip(tip);
        }
        exit
    })
}
