//! `checksums`.

use ekv_backup::{ChecksumsOptions, Error, checksums};

use crate::args::{ChecksumsArguments, either};
use crate::commands::{fsync, target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &ChecksumsArguments, output: &mut Output) -> Result<Exit, Error> {
    let dump = either(&arguments.dump, &arguments.input);
    let options = ChecksumsOptions {
        dry_run: arguments.dry_run,
        fsync: fsync(arguments.fsync),
        resources: target::resources(&arguments.limits),
    };
    let report = checksums(dump, &options, output.screen())?;
    if let Some(privacy) = report.privacy {
        warn_of_privacy(output, privacy, &dump.display().to_string());
    }
    for warning in &report.warnings {
        output.note(warning);
    }
    let is_sound = report.problem_count == 0;
    let verdict = match (is_sound, report.rewritten, arguments.dry_run) {
        (false, _, _) => "left as it is: the dump is not sound",
        (true, true, _) => "rewritten",
        (true, false, true) if report.changed + report.added + report.removed > 0 => "would be rewritten",
        (true, false, _) => "up to date",
    };
    super::verify::show_first(output, &report.problems, report.problem_count);
    let exit = if is_sound { Exit::Done } else { Exit::Data };
    output.result(exit, &report, |out| {
        out.title(format_args!("CHECKSUMS {verdict}"));
        let files = text::count(report.files, "file", "files");
        let _ = writeln!(out, ": {}, {files}, {}", dump.display(), text::bytes(report.bytes));
        for (n, what) in [(report.changed, "changed"), (report.added, "added"), (report.removed, "removed")] {
            let _ = writeln!(out, "  {:>14}  {what}", text::digits(n));
        }
    });
    Ok(exit)
}
