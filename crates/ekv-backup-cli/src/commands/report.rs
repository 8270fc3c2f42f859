//! `report`.

use ekv_backup::see::report::{
    Account, Commits, Contents, DumpAccount, ExpiryRow, Label, OverwrittenRow, Report, ReportOptions, Scopes, Spread,
    SpreadRow, TopRow, Totals, TreeNode, TypeRow, Versions, report,
};
use ekv_backup::see::{PageOptions, PageReport, report_page};
use ekv_backup::{Error, EventOptions, format_unix_ms};
use ekv_text::shorten;
use serde::Serialize;

use crate::args::{FsyncRule, ReportArguments};
use crate::commands::decode::read_options;
use crate::commands::text::{self, Detail, bytes, count, digits, percent};
use crate::commands::{target, warn_of_privacy};
use crate::exit::Exit;
use crate::output::{Output, Page};

/// Longest name in a list, in characters.
const NAME_LEN_SHOWN: usize = 100;
/// Widest column of names, in characters: what is longer pushes the rest of its line to the right.
const NAME_WIDTH_MAX: usize = 48;
/// Key families of which it is told what compaction would free.
const FAMILIES_SHOWN: usize = 10;
/// Cells of a bar.
const BAR_CELLS: u64 = 20;

pub(crate) fn run(arguments: &ReportArguments, output: &mut Output) -> Result<Exit, Error> {
    let options = options(arguments)?;
    let (report, html) = match page_options(arguments)? {
        None => (report(&arguments.source, &options, output.screen())?, None),
        Some(page) => {
            let (report, html) = report_page(&arguments.source, &options, &page, output.screen())?;
            (report, Some(html))
        }
    };
    if let Some(page) = &html {
        warn_of_privacy(output, page.privacy, &page.path);
    }
    for note in report.notes.iter().chain(html.iter().flat_map(|page| &page.warnings)) {
        output.note(note);
    }
    match &report.account {
        Account::Snapshot(books) => text::tell_what_is_hidden(output, &books.completeness, &report.findings),
        Account::Dump(DumpAccount { losses: Some(losses), .. }) => {
            output.loss_of_report(format_args!("the dump was written with {losses}"));
        }
        Account::Dump(_) => {}
    }
    let exit = if report.account.is_complete() { Exit::Done } else { Exit::Losses };
    let told = Told { html: html.as_ref(), report: &report };
    output.result(exit, &told, |out| {
        show(&report, out);
        if let Some(page) = &html {
            out.title(format_args!("Page {}", page.path));
            let _ = writeln!(out, ", {}", bytes(page.bytes));
        }
    });
    Ok(exit)
}

/// A report, and where the page of it is.
#[derive(Serialize)]
struct Told<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'r PageReport>,
    #[serde(flatten)]
    report: &'r Report,
}

/// The page that is asked for.
fn page_options(arguments: &ReportArguments) -> Result<Option<PageOptions>, Error> {
    let Some(path) = &arguments.html else { return Ok(None) };
    target::check_page_name(path)?;
    let name = target::new_name(path, arguments.force, FsyncRule::Full, false);
    Ok(Some(PageOptions { path: name.path, publication: name.publication }))
}

fn options(arguments: &ReportArguments) -> Result<ReportOptions, Error> {
    let adapters = arguments.adapter.0.clone();
    let scope = arguments.scope.scope(&adapters, &arguments.source, arguments.read.snapshot.empty.allow_empty)?;
    Ok(ReportOptions {
        read: read_options(&arguments.read)?,
        events: EventOptions { scope, ..EventOptions::of(adapters) },
        separators: arguments.separators.as_encoded_bytes().to_vec(),
        depth: arguments.depth,
        top: arguments.top,
    })
}

fn show(report: &Report, out: &mut Page) {
    match &report.account {
        Account::Snapshot(books) => {
            text::rdb(books.rdb.as_ref(), out);
            text::server(books.server.as_ref(), out);
            text::snapshots(&books.snapshots, &books.completeness.rests_on, Detail::Short, out);
            if books.source_kind.is_none() {
                text::accounts(&books.records, &text::unasked(books), out);
            }
            text::completeness(books, out);
        }
        Account::Dump(dump) => of_dump(dump, report, out),
    }
    if let Some(selection) = report.account.selection() {
        let _ = writeln!(out, "    selected by {selection}");
    }
    let Contents { totals, types, scopes, prefixes, biggest, longest, sizes, expiry } = &report.contents;
    of_types(types, totals, out);
    of_scopes(scopes, totals, out);
    section("Where in the names", prefixes, out);
    tree(prefixes, out);
    section("Biggest keys", biggest, out);
    top(biggest, |row| row.bytes, out);
    section("Longest collections", longest, out);
    top(longest, |row| row.elements.unwrap_or(0), out);
    section("Sizes and elements", sizes, out);
    spreads(sizes, out);
    if !expiry.is_empty() {
        out.title(format_args!("Expiry of Redis keys, seen from {}", report.moment.time));
        let _ = writeln!(out);
        expiries(expiry, out);
    }
    match (&report.versions, report.versions_missing) {
        (Some(versions), _) => of_versions(versions, out),
        (None, Some(why)) => {
            out.title("Versions");
            let _ = writeln!(out, ": {why}");
        }
        (None, None) => {}
    }
    text::findings(&report.findings, out);
}

/// Begins a section, if there is anything in it.
fn section<T>(title: &str, rows: &[T], out: &mut Page) {
    if !rows.is_empty() {
        out.title(title);
        let _ = writeln!(out);
    }
}

fn of_dump(dump: &DumpAccount, report: &Report, out: &mut Page) {
    out.title(format_args!("Dump {}", report.source));
    let _ = writeln!(out);
    let _ = writeln!(out, "  written by    {} at {}", dump.written_by, dump.wall_time_iso);
    let _ = writeln!(out, "  last commit   {} (hlc:{})", report.moment.time, report.moment.hlc);
    let files = count(dump.files, "file", "files");
    let _ = writeln!(out, "  read          {files}, {}: each is what CHECKSUMS says", bytes(dump.bytes));
    if dump.files_left_out > 0 {
        let _ = writeln!(
            out,
            "  not read      {}: nothing in them is selected",
            count(dump.files_left_out, "file", "files")
        );
    }
    text::losses(dump.losses.as_ref(), out);
    text::choices("  ", &dump.by_choice, out);
    if let Some(selection) = &dump.dump_selection {
        let _ = writeln!(out, "  it was decoded with {selection}");
    }
}

/// A bar in eighths of a cell, where the page has bars.
fn bar(part: u64, whole: u64, out: &Page) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !out.has_bars() {
        return String::new();
    }
    let eighths = u128::from(part).saturating_mul(u128::from(BAR_CELLS) * 8).checked_div(whole.into()).unwrap_or(0);
    let eighths = usize::try_from(eighths).unwrap_or(0);
    let cells = usize::try_from(BAR_CELLS).unwrap_or(0);
    let drawn = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS.get(eighths % 8).copied().unwrap_or_default());
    format!("  {drawn:cells$}")
}

fn of_types(types: &[TypeRow], all: &Totals, out: &mut Page) {
    if types.is_empty() {
        out.title("Nothing");
        let _ = writeln!(out, " in it that clients can see");
        return;
    }
    let header = format!(
        "{:20}  {:>12}  {:>11}  {:>7}  {:>12}  {:>14}",
        "type", "keys", "bytes", "share", "elements", "without expiry"
    );
    out.title(header);
    let _ = writeln!(out);
    for TypeRow { adapter, kind, totals } in types {
        let _ = writeln!(
            out,
            "{:20}  {:>12}  {:>11}  {:>7}  {:>12}  {:>14}{}",
            format!("{adapter} {kind}"),
            digits(totals.keys),
            bytes(totals.bytes),
            percent(totals.bytes, all.bytes),
            if totals.elements > 0 { digits(totals.elements) } else { "–".to_owned() },
            if *adapter == "redis" { percent(totals.without_expiry, totals.keys) } else { "–".to_owned() },
            bar(totals.bytes, all.bytes, out),
        );
    }
    let (keys, bytes) = (digits(all.keys), bytes(all.bytes));
    let _ = writeln!(out, "{:20}  {keys:>12}  {bytes:>11}", "all");
}

/// The width of a column of names.
fn width<'n>(names: impl Iterator<Item = &'n str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).min(NAME_WIDTH_MAX)
}

fn of_scopes(scopes: &Scopes, all: &Totals, out: &mut Page) {
    if scopes.count == 0 {
        return;
    }
    out.title(count(scopes.count, "database, table, bucket or queue", "databases, tables, buckets and queues"));
    let _ = writeln!(out);
    let names: Vec<String> = scopes.largest.iter().map(|row| shorten(&row.address, NAME_LEN_SHOWN)).collect();
    let width = width(names.iter().map(String::as_str));
    for (name, row) in names.iter().zip(&scopes.largest) {
        let _ = writeln!(out, "  {name:width$}{}", measures(&row.totals, all, out));
    }
    if let Some(others) = &scopes.others {
        let shown = u64::try_from(scopes.largest.len()).unwrap_or(u64::MAX);
        let name = format!("({} others)", digits(scopes.count.saturating_sub(shown)));
        let _ = writeln!(out, "  {name:width$}{}", measures(others, all, out));
    }
}

/// Keys, bytes, a bar and the share of what is around.
fn measures(totals: &Totals, around: &Totals, out: &Page) -> String {
    let expiring = totals.keys.saturating_sub(totals.without_expiry);
    let expiring = match expiring {
        0 => String::new(),
        some => format!("  {} expire", percent(some, totals.keys)),
    };
    format!(
        "  {:>17}  {:>11}{}  {:>7}{expiring}",
        count(totals.keys, "key", "keys"),
        bytes(totals.bytes),
        bar(totals.bytes, around.bytes, out),
        percent(totals.bytes, around.bytes),
    )
}

/// A line of the tree: indented name, what it holds, what is around it.
struct Branch {
    name: String,
    totals: Totals,
    around: Totals,
}

fn branches(nodes: &[TreeNode], indent: usize, around: Option<&Totals>, into: &mut Vec<Branch>) {
    let front = " ".repeat(indent.saturating_mul(2));
    for node in nodes {
        let name = format!("{front}{}", shorten(&node.address, NAME_LEN_SHOWN));
        into.push(Branch { name, totals: node.totals, around: *around.unwrap_or(&node.totals) });
        branches(&node.children, indent.saturating_add(1), Some(&node.totals), into);
        if let Some(others) = &node.others {
            let name = format!("{front}  ({} others)", digits(others.keys));
            into.push(Branch { name, totals: *others, around: node.totals });
        }
    }
}

fn tree(roots: &[TreeNode], out: &mut Page) {
    let mut lines = Vec::new();
    branches(roots, 0, None, &mut lines);
    let width = width(lines.iter().map(|line| line.name.as_str()));
    for Branch { name, totals, around } in &lines {
        let _ = writeln!(out, "  {name:width$}{}", measures(totals, around, out));
    }
}

fn name_of(label: &Label) -> String {
    shorten(&label.to_string(), NAME_LEN_SHOWN)
}

fn top(rows: &[TopRow], number: impl Fn(&TopRow) -> u64, out: &mut Page) {
    let names: Vec<String> = rows.iter().map(|row| name_of(&row.name)).collect();
    let width = width(names.iter().map(String::as_str));
    let largest = rows.iter().map(&number).max().unwrap_or(0);
    for (name, row) in names.iter().zip(rows) {
        let elements = row.elements.map(|elements| count(elements, "element", "elements")).unwrap_or_default();
        let expiry = row.expire_at_ms.map(|at| format!("  expires {}", format_unix_ms(at))).unwrap_or_default();
        let line = format!(
            "  {name:width$}  {:7}  {:>11}  {elements:>16}{}{expiry}",
            row.kind,
            bytes(row.bytes),
            bar(number(row), largest, out),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn spreads(rows: &[SpreadRow], out: &mut Page) {
    let line = |name: String, spread: &Spread, show: &dyn Fn(u64) -> String, out: &mut Page| {
        let Spread { p50, p90, p99, max, .. } = spread;
        let _ = writeln!(
            out,
            "  {name:28}  half up to {:>10}  9 of 10 {:>10}  99 of 100 {:>10}  largest {:>10}",
            show(*p50),
            show(*p90),
            show(*p99),
            show(*max)
        );
    };
    for SpreadRow { adapter, kind, bytes: sizes, elements } in rows {
        line(format!("{adapter} {kind}, bytes"), sizes, &bytes, out);
        if let Some(elements) = elements {
            line(format!("{adapter} {kind}, elements"), elements, &digits, out);
        }
    }
}

fn expiries(rows: &[ExpiryRow], out: &mut Page) {
    let most = rows.iter().map(|row| row.keys).max().unwrap_or(0);
    for ExpiryRow { expires, keys, bytes: sum } in rows {
        let keys_shown = count(*keys, "key", "keys");
        let _ = writeln!(out, "  {expires:16}  {keys_shown:>17}  {:>11}{}", bytes(*sum), bar(*keys, most, out));
    }
}

fn of_versions(versions: &Versions, out: &mut Page) {
    let Versions { retained_since, all, reclaimable, families, overwritten, commits } = versions;
    out.title(format_args!("Versions: {}, {}", digits(all.versions), bytes(all.bytes)));
    let _ = writeln!(out);
    for since in retained_since {
        let _ = writeln!(out, "  what was hidden before {since} may have been dropped");
    }
    let _ = writeln!(
        out,
        "  compaction of everything would free {}, {}",
        count(reclaimable.versions, "version", "versions"),
        bytes(reclaimable.bytes)
    );
    let is_freed =
        |family: &&ekv_backup::see::report::FamilyVersions| family.older.versions > 0 || family.deletions.versions > 0;
    let freed: Vec<_> = families.iter().filter(is_freed).collect();
    let width = freed.iter().map(|family| family.family.len()).max().unwrap_or(0);
    for family in freed.iter().take(FAMILIES_SHOWN) {
        let sum = family.older.bytes.saturating_add(family.deletions.bytes);
        let _ = writeln!(
            out,
            "    {:width$}  {:>11}  of {:>11}: {} older, {}{}",
            family.family,
            bytes(sum),
            bytes(family.all.bytes),
            digits(family.older.versions),
            count(family.deletions.versions, "deletion", "deletions"),
            bar(sum, reclaimable.bytes, out),
        );
    }
    if let Some(more) = freed.len().checked_sub(FAMILIES_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "    … and {more} more families, all in --json");
    }
    section("Most overwritten, all records of a thing together", overwritten, out);
    let names: Vec<String> = overwritten.iter().map(overwritten_name).collect();
    let width = self::width(names.iter().map(String::as_str));
    let most = overwritten.first().map_or(0, |row| row.overwritten.versions);
    for (name, OverwrittenRow { overwritten, .. }) in names.iter().zip(overwritten) {
        let _ = writeln!(
            out,
            "  {name:width$}  {:>17}  {:>11}{}",
            count(overwritten.versions, "version", "versions"),
            bytes(overwritten.bytes),
            bar(overwritten.versions, most, out),
        );
    }
    of_commits(commits, out);
}

fn overwritten_name(row: &OverwrittenRow) -> String {
    let stored = row.stored_key.as_ref().map(|key| format!(" item stored as {key}")).unwrap_or_default();
    shorten(&format!("{}{stored}", row.name), NAME_LEN_SHOWN)
}

fn of_commits(commits: &Commits, out: &mut Page) {
    let (Some(first), Some(last)) = (&commits.first, &commits.last) else { return };
    out.title(format_args!("{} from {} to {}", count(commits.commits, "commit", "commits"), first.time, last.time));
    let _ = writeln!(out);
    if let Some(minute) = &commits.busiest_minute {
        let _ = writeln!(
            out,
            "  busiest minute {}: {}, {}",
            minute.from(),
            count(minute.commits, "commit", "commits"),
            count(minute.writes, "version", "versions"),
        );
    }
    let most = commits.bars.iter().map(|bar| bar.commits).max().unwrap_or(0);
    let minutes = count(commits.bar_minutes, "minute", "minutes");
    let _ = writeln!(out, "  by {minutes}:");
    for one in &commits.bars {
        let _ = writeln!(
            out,
            "    {}  {:>17}  {:>19}{}",
            one.from(),
            count(one.commits, "commit", "commits"),
            count(one.writes, "version", "versions"),
            bar(one.commits, most, out),
        );
    }
}
