//! `pack` and `unpack`.

use std::path::Path;

use ekv_backup::{CopyOptions, CopyReport, DumpTarget, Error, PartReport, Protocol, pack, unpack};

use crate::args::{LimitArguments, PackArguments, PartArguments, UnpackArguments, either};
use crate::commands::{of_dump, some_adapters, target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run_pack(arguments: &PackArguments, output: &mut Output) -> Result<Exit, Error> {
    let dump = either(&arguments.dump, &arguments.input);
    let archive = either(&arguments.archive, &arguments.output);
    let name = target::new_name(archive, arguments.force, arguments.fsync, arguments.parents);
    if target::is_standard_output(archive) {
        output.leave_standard_output_alone();
    }
    let options = copy_options(&arguments.part, &arguments.limits, dump)?;
    let target = target::archive(name, arguments.compression)?;
    let notes = target::compression_notes(arguments.compression, &target);
    let report = pack(dump, target::unless_dry(target, arguments.dry_run), &options, output.screen())?;
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
    let options = copy_options(&arguments.part, &arguments.limits, archive)?;
    let target = target::unless_dry(DumpTarget::Directory(name), arguments.dry_run);
    let report = unpack(archive, target, &options, output.screen())?;
    Ok(show("Dump", &report, output))
}

fn copy_options(part: &PartArguments, limits: &LimitArguments, input: &Path) -> Result<CopyOptions, Error> {
    let adapters = some_adapters(part.adapter.as_ref());
    let scope = part.scope.scope(adapters.as_deref().unwrap_or(&Protocol::IN_DUMPS), input, part.allow_empty)?;
    let scope = of_dump(part.first.of(scope))?;
    Ok(CopyOptions { resources: target::resources(limits), adapters, scope, allow_empty: part.allow_empty })
}

/// What was read of the whole dump, and what that says about it.
fn checked_part(PartReport { dump_files, dump_bytes, dump_files_left_out, .. }: &PartReport) -> String {
    let read = text::count(*dump_files, "file", "files");
    let left_out = match dump_files_left_out {
        0 => "all of its files".to_owned(),
        1 => "1 other file is there, and was not read".to_owned(),
        n => format!("{} other files are there, and were not read", text::digits(*n)),
    };
    format!("made of {read} of the whole dump, {}, as CHECKSUMS says; {left_out}", text::bytes(*dump_bytes))
}

fn show(title: &str, report: &CopyReport, output: &mut Output) -> Exit {
    if let Some(copy) = &report.copy {
        warn_of_privacy(output, copy.privacy, &copy.dump);
    }
    for warning in report.copy.iter().flat_map(|copy| &copy.warnings) {
        output.note(warning);
    }
    for warning in report.part.iter().flat_map(|part| &part.warnings) {
        output.warning(warning);
    }
    if let Some(part) = &report.part {
        text::tell_of_limit(output, &part.contents);
    }
    super::verify::show_problems(output, &report.check);
    super::verify::warn_of_losses(output, &report.check);
    let exit = super::verify::exit(&report.check);
    output.result(exit, report, |out| {
        let files = text::count(report.check.files, "file", "files");
        match &report.copy {
            Some(copy) => text::title(title, &copy.dump, copy.dry_run, out),
            None => {
                out.title("NOT SOUND: there is no copy");
                let _ = writeln!(out);
            }
        }
        let archive_bytes = report.copy.as_ref().and_then(|copy| copy.archive_bytes);
        let _ = writeln!(out, "  {files}, {}", text::dump_len(report.check.bytes, archive_bytes));
        if let Some(copy) = &report.copy {
            let checked = match &report.part {
                None => "manifest, checksums, names and structure hold".to_owned(),
                Some(part) => checked_part(part),
            };
            let _ = match copy.dry_run {
                true => writeln!(out, "  {checked}"),
                false => writeln!(out, "  {checked} (fsync {}, {})", copy.fsync, copy.published_by),
            };
            text::losses(report.check.losses.as_ref(), out);
            text::selection("  ", report.check.selection.as_deref(), out);
            text::choices("  ", &report.check.by_choice, out);
            if let Some(part) = report.part.as_ref().filter(|_| copy.dry_run) {
                text::contents("Selected", &part.contents, out);
            }
        }
    });
    exit
}
