//! `inspect`.

use ekv_backup::{AvailableSnapshot, AvailableState, Error, EventOptions, Inspection, inspect_part};

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
    if report.available.iter().any(|row| row.state != AvailableState::Read) {
        available(&report.available, out);
    }
    if let Some(store) = &report.store {
        text::offload_store(store, out);
    }
    text::rdb(report.rdb.as_ref(), out);
    text::server(report.server.as_ref(), out);
    match &report.contents {
        Some(contents) => text::contents("Holds", contents, out),
        None => text::holdings(&report.families, out),
    }
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

/// A line for each snapshot of a node, and one more where it is not read.
fn available(rows: &[AvailableSnapshot], out: &mut Page) {
    out.title("All snapshots here");
    let _ = writeln!(out);
    for row in rows {
        let state = match row.state {
            AvailableState::Read => "read",
            AvailableState::Sound => "sound",
            AvailableState::Unusable => "UNUSABLE",
            AvailableState::NotChecked => "not checked",
        };
        let size = row.bytes.map(text::bytes).unwrap_or_default();
        let term = row.term.map(|term| format!("  term {term}")).unwrap_or_default();
        let index = row.snapshot_index.map(|index| format!("  Raft index {index}")).unwrap_or_default();
        let _ = writeln!(out, "  {state:<11} {size:>10}  {}{index}{term}", row.file);
        if let (Some(oldest), Some(newest)) = (&row.oldest_answerable, &row.newest_answerable) {
            let _ = writeln!(
                out,
                "              answerable    from {} (hlc:{}) to {}",
                oldest.time, oldest.hlc, newest.time
            );
        }
        if let Some(newest) = &row.newest {
            let _ = writeln!(out, "              newest commit {} (hlc:{})", newest.time, newest.hlc);
        }
        if let Some(why) = &row.why_not {
            let _ = writeln!(out, "              not read: {why}");
        }
    }
}
