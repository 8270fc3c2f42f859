//! `pack` and `unpack`.

use ekv_backup::{CopyReport, DumpTarget, Error, pack, unpack};

use crate::args::{PackArguments, UnpackArguments};
use crate::commands::{either, target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run_pack(arguments: &PackArguments, output: &mut Output) -> Result<Exit, Error> {
    let dump = either(&arguments.dump, &arguments.input);
    let archive = either(&arguments.archive, &arguments.output);
    let name = target::new_name(archive, arguments.force, arguments.fsync, arguments.parents);
    if target::is_standard_output(archive) {
        output.leave_standard_output_alone();
    }
    let resources = target::resources(&arguments.limits);
    let target = target::archive(name, arguments.compression)?;
    let notes = target::compression_notes(arguments.compression, &target);
    let report = pack(dump, target, &resources, output.screen())?;
    for note in notes.iter().filter(|_| report.copy.is_some()) {
        output.note(note);
    }
    Ok(show("Archive", &report, output))
}

pub(crate) fn run_unpack(arguments: &UnpackArguments, output: &mut Output) -> Result<Exit, Error> {
    let archive = either(&arguments.archive, &arguments.input);
    let dump = either(&arguments.dump, &arguments.output);
    target::check_directory_name(dump)?;
    let name = target::new_name(dump, arguments.force, arguments.fsync, arguments.parents);
    let resources = target::resources(&arguments.limits);
    let report = unpack(archive, DumpTarget::Directory(name), &resources, output.screen())?;
    Ok(show("Dump", &report, output))
}

fn show(title: &str, report: &CopyReport, output: &mut Output) -> Exit {
    if let Some(copy) = &report.copy {
        warn_of_privacy(output, copy.privacy, &copy.dump);
    }
    for warning in report.copy.iter().flat_map(|copy| &copy.warnings) {
        output.note(warning);
    }
    super::verify::show_problems(output, &report.check);
    super::verify::warn_of_losses(output, &report.check);
    let exit = super::verify::exit(&report.check);
    output.result(exit, report, |out| {
        let files = text::count(report.check.files, "file", "files");
        match &report.copy {
            Some(copy) => out.title(format_args!("{title} {}", copy.dump)),
            None => out.title("NOT SOUND: there is no copy"),
        }
        let _ = writeln!(out);
        let _ = writeln!(out, "  {files}, {}", text::bytes(report.check.bytes));
        if let Some(copy) = &report.copy {
            let _ = writeln!(
                out,
                "  manifest, checksums, names and structure hold (fsync {}, {})",
                copy.fsync, copy.published_by
            );
            text::losses(report.check.losses.as_ref(), out);
        }
    });
    exit
}
