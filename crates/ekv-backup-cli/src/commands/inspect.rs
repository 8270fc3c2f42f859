//! `inspect`.

use ekv_backup::{Error, EventOptions, Inspection, inspect_part};

use crate::args::InspectArguments;
use crate::commands::decode::read_options;
use crate::commands::text::{self, Detail};
use crate::exit::Exit;
use crate::output::{Output, Page};

pub(crate) fn run(arguments: &InspectArguments, output: &mut Output) -> Result<Exit, Error> {
    let adapters = arguments.adapter.0.clone();
    let scope = arguments.scope.scope(&adapters, &arguments.snapshot, arguments.read.snapshot.empty.allow_empty)?;
    let events = EventOptions { scope: arguments.first.of(scope), ..EventOptions::of(adapters) };
    let report = inspect_part(&arguments.snapshot, &read_options(&arguments.read)?, &events, output.screen())?;
    for note in &report.notes {
        output.note(note);
    }
    text::tell_what_is_hidden(output, &report.completeness, &report.findings);
    if let Some(selected) = &report.selected {
        text::tell_of_limit(output, &selected.contents);
    }
    let nothing = report.selected.as_ref().filter(|selected| selected.is_nothing);
    let exit = match (report.completeness.is_complete(), nothing) {
        (_, Some(selected)) if !arguments.read.snapshot.empty.allow_empty => {
            output.warning(format_args!("nothing matches {}", selected.filters));
            Exit::No
        }
        (true, _) => Exit::Done,
        (false, _) => Exit::Losses,
    };
    output.result(exit, &report, |out| show(&report, arguments.families, out));
    Ok(exit)
}

fn show(report: &Inspection, with_families: bool, out: &mut Page) {
    let detail = if with_families { Detail::Full } else { Detail::Short };
    text::snapshots(&report.snapshots, &report.completeness.rests_on, detail, out);
    text::holdings(&report.families, out);
    if with_families {
        text::accounts(&report.records, &[], out);
        text::families(&report.families, out);
    }
    for prefix in &report.unknown_prefixes {
        let _ = writeln!(out, "  unknown keys {}: {}", prefix.prefix, text::count(prefix.records, "record", "records"));
    }
    text::findings(&report.findings, out);
    if let Some(selected) = &report.selected {
        text::contents("Selected", &selected.contents, out);
        let _ = writeln!(out, "  by {}", selected.filters);
    }
    for missing in &report.completeness.missing {
        let _ = writeln!(out, "{}", text::missing(missing));
    }
}
