//! `inspect`.

use ekv_backup::{Error, Inspection, inspect};

use crate::args::InspectArguments;
use crate::commands::decode::read_options;
use crate::commands::text::{self, Detail};
use crate::exit::Exit;
use crate::output::{Output, Page};

pub(crate) fn run(arguments: &InspectArguments, output: &mut Output) -> Result<Exit, Error> {
    let report = inspect(&arguments.snapshot, &read_options(&arguments.read), output.screen())?;
    for note in &report.notes {
        output.note(note);
    }
    text::tell_what_is_hidden(output, &report.completeness, &report.findings);
    let exit = if report.completeness.is_complete() { Exit::Done } else { Exit::Losses };
    output.result(exit, &report, |out| show(&report, out));
    Ok(exit)
}

fn show(report: &Inspection, out: &mut Page) {
    text::snapshots(&report.snapshots, &report.completeness.rests_on, Detail::Full, out);
    text::accounts(&report.records, &[], out);
    text::families(&report.families, out);
    for prefix in &report.unknown_prefixes {
        let _ = writeln!(out, "  unknown keys {}: {}", prefix.prefix, text::count(prefix.records, "record", "records"));
    }
    text::findings(&report.findings, out);
    for missing in &report.completeness.missing {
        let _ = writeln!(out, "{}", text::missing(missing));
    }
}
