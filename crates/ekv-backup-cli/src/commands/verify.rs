//! `verify`.

use ekv_backup::{Error, VerifyReport, verify_within};

use crate::args::{VerifyArguments, either};
use crate::commands::{target, text};
use crate::exit::Exit;
use crate::output::{Output, first_of};

pub(crate) fn run(arguments: &VerifyArguments, output: &mut Output) -> Result<Exit, Error> {
    let dump = either(&arguments.dump, &arguments.input);
    let report = verify_within(dump, &target::resources(&arguments.limits), output.screen())?;
    show_problems(output, &report);
    warn_of_losses(output, &report);
    let exit = exit(&report);
    output.result(exit, &report, |out| {
        match (report.sound, &report.losses) {
            (false, _) => out.title("NOT SOUND"),
            (true, None) => out.title("Sound"),
            (true, Some(losses)) => {
                out.title(format_args!("Sound, but written with {}", text::count(losses.count, "loss", "losses")));
            }
        }
        let files = text::count(report.files, "file", "files");
        let _ = writeln!(out, ": {}, {files}, {}", dump.display(), text::bytes(report.bytes));
        let _ = writeln!(out, "  written by {} at {}", report.written_by, report.wall_time_iso);
        if report.sound {
            let _ = writeln!(out, "  manifest, checksums, names and structure hold; nothing missing, nothing extra");
            text::losses(report.losses.as_ref(), out);
            text::selection("  ", report.selection.as_deref(), out);
            text::choices("  ", &report.by_choice, out);
        }
    });
    Ok(exit)
}

/// How a check ends: a dump that is what was written may yet lack what the decode before it lost.
pub(crate) fn exit(report: &VerifyReport) -> Exit {
    match (report.sound, &report.losses) {
        (false, _) => Exit::Data,
        (true, Some(_)) => Exit::Losses,
        (true, None) => Exit::Done,
    }
}

/// Counts losses, and tells of them where the report is not shown.
pub(crate) fn warn_of_losses(output: &Output, report: &VerifyReport) {
    if let Some(losses) = &report.losses {
        output.loss_of_report(format_args!("the dump was written with {losses}"));
    }
}

/// Lists what is wrong as messages.
pub(crate) fn show_problems(output: &Output, report: &VerifyReport) {
    show_first(output, &report.problems, report.problem_count);
}

/// Lists the first of `count` problems as messages.
pub(crate) fn show_first(output: &Output, first: &[String], count: u64) {
    first_of(first, count, "", |line| output.problem(line));
}
