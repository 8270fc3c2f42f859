//! `verify`.

use ekv_backup::{Error, VerifyReport, verify_within};

use crate::args::VerifyArguments;
use crate::commands::{either, target, text};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &VerifyArguments, output: &mut Output) -> Result<Exit, Error> {
    let dump = either(&arguments.dump, &arguments.input);
    let report = verify_within(dump, &target::resources(&arguments.limits), output.screen())?;
    show_problems(output, &report);
    let exit = if report.sound { Exit::Done } else { Exit::Data };
    output.result(exit, &report, |out| {
        out.title(if report.sound { "Sound" } else { "NOT SOUND" });
        let files = text::count(report.files, "file", "files");
        let _ = writeln!(out, ": {}, {files}, {}", dump.display(), text::bytes(report.bytes));
        let _ = writeln!(out, "  written by {} at {}", report.written_by, report.wall_time_iso);
        if report.sound {
            let _ = writeln!(out, "  manifest, checksums, names and structure hold; nothing missing, nothing extra");
        }
    });
    Ok(exit)
}

/// Lists what is wrong as messages.
pub(crate) fn show_problems(output: &Output, report: &VerifyReport) {
    show_first(output, &report.problems, report.problem_count);
}

/// Lists the first of `count` problems as messages.
pub(crate) fn show_first(output: &Output, first: &[String], count: u64) {
    for problem in first {
        output.problem(problem);
    }
    let shown = u64::try_from(first.len()).unwrap_or(u64::MAX);
    if count > shown {
        output.problem(format_args!("… and {} more", text::digits(count - shown)));
    }
}
