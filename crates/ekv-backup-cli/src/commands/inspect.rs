//! `inspect`.

use ekv_backup::{Error, Inspection, inspect};

use crate::args::InspectArguments;
use crate::commands::{decode::read_options, text};
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
    text::snapshots(&report.snapshots, out);
    for snapshot in &report.snapshots {
        if let Some(ceiling) = &snapshot.ceiling_time {
            let _ = writeln!(out, "  clock ceiling {ceiling}");
        }
        let _ = writeln!(
            out,
            "  closed until  {}: no later commit can be of that time or before",
            snapshot.closed_until.time
        );
        let _ = writeln!(
            out,
            "  order         {} places where a key is smaller than the one before, nesting depth {}",
            text::digits(snapshot.user_key_descents),
            text::digits(snapshot.nesting_depth)
        );
    }
    text::accounts(&report.records, out);
    text::families(&report.families, out);
    for prefix in &report.unknown_prefixes {
        let _ = writeln!(out, "  unknown keys {}: {}", prefix.prefix, text::count(prefix.records, "record", "records"));
    }
    text::findings(&report.findings, out);
    for missing in &report.completeness.missing {
        let _ = writeln!(out, "{}", text::missing(missing));
    }
}
