//! The page: what stands on it, in which order.

use ekv_text::base64::Base64Stream;
use ekv_text::human::{bytes, count, digits, percent};
use ekv_text::shorten;
use sha2::{Digest, Sha256};

use super::charts::{columns, map};
use super::markup::{Escaped, Html, NameTag};
use super::tables;
use crate::see::report::{Account, Commits, Contents, DumpAccount, Report, Spread, SpreadRow, Versions};
use crate::time::format_unix_ms;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Occurrences that are shown of each kind of finding, and the longest text of one, in characters.
const EXAMPLES_SHOWN: usize = 3;
const EXAMPLE_LEN_SHOWN: usize = 300;
/// Longest note, in characters.
const NOTE_LEN_SHOWN: usize = 1000;
/// Types whose spread is drawn.
const SPREADS_SHOWN: usize = 20;

/// A report as a page.
pub(super) fn page(report: &Report) -> String {
    let mut html = Html::default();
    let title = format!("{} – ekv-backup report", report.source);
    html.push(format_args!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><meta name=color-scheme content=\"light dark\">\
         <meta name=referrer content=no-referrer>\n<title>{}</title>\n<style>{STYLE}</style></head>\n<body>\
         <a class=skip href=#account>Skip to the report</a>\n",
        hash(STYLE),
        hash(SCRIPT),
        Escaped(shorten(&title, EXAMPLE_LEN_SHOWN)),
    ));
    head(&mut html, report);
    let sections = sections(report);
    html.push(format_args!("<nav aria-label=\"Sections\"><ul>"));
    for (id, title, _) in &sections {
        html.push(format_args!("<li><a href=#{id}>{title}</a></li>"));
    }
    html.push(format_args!("</ul></nav>\n<main>\n"));
    for (id, title, content) in sections {
        html.push(format_args!("<section id={id} aria-labelledby={id}-h><h2 id={id}-h>{title}</h2>\n"));
        html.append(content);
        html.push(format_args!("</section>\n"));
    }
    html.push(format_args!(
        "</main>\n<footer><p>Made by ekv-backup {}. All numbers are exact, but for the numbers below “half”, “9 of 10” and “99 of 100”, which \
         are within 1.6 %. Bytes are payload: values and the names in them. This page loads nothing from anywhere.</p></footer>\n\
         <script>{SCRIPT}</script>\n</body></html>\n",
        env!("CARGO_PKG_VERSION"),
    ));
    html.into_string()
}

/// The hash by which a policy allows a text.
fn hash(text: &str) -> String {
    let (mut stream, mut base64) = (Base64Stream::standard(), Vec::new());
    stream.push(&Sha256::digest(text.as_bytes()), &mut base64);
    stream.finish(&mut base64);
    String::from_utf8_lossy(&base64).into_owned()
}

fn head(html: &mut Html, report: &Report) {
    let kind = match &report.account {
        Account::Snapshot(books) if books.snapshots.len() > 1 => "Report of a node",
        Account::Snapshot(_) => "Report of a snapshot",
        Account::Dump(_) => "Report of a dump",
    };
    let (class, state) = match (report.account.is_complete(), report.account.selection()) {
        (true, None) => ("good", "Complete"),
        (true, Some(_)) => ("good", "Complete for what is selected"),
        (false, _) => ("bad", "INCOMPLETE"),
    };
    // The last part of a path tells more than all of it.
    let name = report.source.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty());
    let name = if report.source == "-" { "standard input" } else { name.unwrap_or(&report.source) };
    html.push(format_args!(
        "<header><p class=kind>{kind}</p><h1>{}</h1><p><span class=\"state {class}\">{state}</span>as of <b>{}</b> \
         <span class=mute>(hlc:{})</span></p>",
        NameTag(name),
        report.moment.time,
        report.moment.hlc,
    ));
    if let Some(selection) = report.account.selection() {
        html.push(format_args!("<p>Selected by {}</p>", NameTag(selection)));
    }
    let Contents { totals, scopes, biggest, expiry, .. } = &report.contents;
    html.push(format_args!("<dl class=tiles>"));
    let mut tile = |name: &str, number: String, more: String| {
        html.push(format_args!("<div><dt>{name}</dt><dd>{number}<small class=mute>{more}</small></dd></div>"));
    };
    tile("Keys", digits(totals.keys), "items, objects, messages".to_owned());
    let mean = totals.bytes.checked_div(totals.keys).map(|mean| format!("{} each on average", bytes(mean)));
    tile("Payload", bytes(totals.bytes), mean.unwrap_or_default());
    tile("Scopes", digits(scopes.count), "databases, tables, buckets, queues".to_owned());
    if let Some(biggest) = biggest.first() {
        tile("Biggest key", bytes(biggest.bytes), format!("{} of the payload", percent(biggest.bytes, totals.bytes)));
    }
    let redis_keys: u64 = expiry.iter().map(|row| row.keys).sum();
    if redis_keys > 0 {
        let expiring = redis_keys.saturating_sub(expiry.last().map_or(0, |never| never.keys));
        tile(
            "Expire",
            percent(expiring, redis_keys),
            format!("{} of {} Redis keys", digits(expiring), digits(redis_keys)),
        );
    }
    if let Some(Versions { all, reclaimable, .. }) = &report.versions {
        let more = format!("{} of what is stored", percent(reclaimable.bytes, all.bytes));
        tile("Reclaimable", bytes(reclaimable.bytes), more);
    }
    html.push(format_args!("</dl></header>\n"));
}

/// The sections that have something to tell.
fn sections(report: &Report) -> Vec<(&'static str, &'static str, Html)> {
    let Contents { totals, types, scopes, prefixes, biggest, longest, sizes, expiry } = &report.contents;
    let mut sections = Vec::new();
    let mut section = |id, title, is_there: bool, fill: &dyn Fn(&mut Html)| {
        if is_there {
            let mut html = Html::default();
            fill(&mut html);
            sections.push((id, title, html));
        }
    };
    section("account", "Account", true, &|html| account(html, report));
    section("types", "Types", true, &|html| match types.as_slice() {
        [] => html.push(format_args!("<p>There is nothing in it that clients can see.</p>")),
        types => tables::types(html, types, totals),
    });
    section("scopes", "Databases, tables, buckets, queues", scopes.count > 0, &|html| {
        // What is no root of the tree is either empty or not among the largest.
        let mut others = *totals;
        prefixes.iter().for_each(|root| others = others.without(&root.totals));
        if totals.bytes > 0 {
            map(html, prefixes, Some(&others).filter(|others| others.bytes > 0), totals);
        }
        let shown = u64::try_from(scopes.largest.len()).unwrap_or(u64::MAX);
        let others = scopes.others.as_ref().map(|others| (scopes.count.saturating_sub(shown), others));
        tables::scopes(html, &scopes.largest, others, totals);
    });
    section("names", "Where in the names", !prefixes.is_empty(), &|html| tables::tree(html, prefixes));
    section("biggest", "Biggest keys", !biggest.is_empty(), &|html| {
        tables::top(html, "The largest by bytes", biggest, false);
    });
    section("longest", "Longest collections", !longest.is_empty(), &|html| {
        tables::top(html, "The largest by elements", longest, true);
    });
    section("sizes", "Sizes and elements", !sizes.is_empty(), &|html| {
        html.push(format_args!("<p class=mute>How many there are of each size; a column is twice as large as the one before.</p><div class=cards>"));
        sizes.iter().take(SPREADS_SHOWN).for_each(|row| spread(html, row));
        html.push(format_args!("</div>"));
    });
    section("expiry", "Expiry of Redis keys", !expiry.is_empty(), &|html| {
        html.push(format_args!(
            "<p class=mute>Seen from {}, the moment that this report shows.</p>",
            report.moment.time
        ));
        let bars: Vec<(u64, String)> =
            expiry.iter().map(|row| (row.keys, format!("{}: {} keys", row.expires, digits(row.keys)))).collect();
        let told: Vec<&str> = bars.iter().map(|(_, told)| told.as_str()).collect();
        columns(html, "", &told.join(", "), &bars);
        html.push(format_args!("<div class=\"axis nine\" aria-hidden=true>"));
        for row in expiry {
            html.push(format_args!("<span>{}</span>", row.expires.trim_start_matches("within ")));
        }
        html.push(format_args!("</div>"));
        tables::spans(html, "Keys and their payload", expiry.iter().map(|row| (row.expires, row.keys, row.bytes)));
    });
    section("versions", "Versions", true, &|html| match (&report.versions, report.versions_missing) {
        (Some(found), _) => versions(html, found),
        (None, why) => html.push(format_args!("<p>Not counted: {}.</p>", why.unwrap_or_default())),
    });
    section("findings", "Findings", true, &|html| findings(html, report));
    sections
}

fn account(html: &mut Html, report: &Report) {
    html.push(format_args!("<dl class=\"facts wide\">"));
    let fact = |html: &mut Html, name: &str, what: String| {
        let what = Escaped(shorten(&what, EXAMPLE_LEN_SHOWN));
        html.push(format_args!("<div><dt>{name}</dt><dd>{what}</dd></div>"));
    };
    fact(html, "Source", report.source.clone());
    match &report.account {
        Account::Snapshot(books) => {
            for snapshot in &books.snapshots {
                let group = snapshot.group_id.map(|id| format!("group {id}: ")).unwrap_or_default();
                let checksum = match &snapshot.footer_crc32c {
                    Some(crc) => format!("checksum {crc} verified"),
                    None => "no checksum: integrity not verified".to_owned(),
                };
                let file = snapshot.file.as_ref().map(|file| format!("{file}, ")).unwrap_or_default();
                fact(
                    html,
                    "Snapshot",
                    format!("{group}{file}{}, {}, {checksum}", bytes(snapshot.bytes), snapshot.form),
                );
                let oldest = snapshot.oldest_answerable.as_ref().map(|oldest| format!("from {} ", oldest.time));
                if let Some(from) = oldest {
                    fact(html, "Answerable", format!("{from}to {}", snapshot.newest_answerable.time));
                }
            }
            let records = &books.records;
            fact(html, "Records", digits(records.entries));
            let rows = [
                ("older versions", records.older),
                ("newer than the moment that is read", records.newer),
                ("deletions", records.deleted),
                ("expired in the store", records.store_expired),
                ("damaged", records.damaged),
                ("in a group that does not own them", records.unowned),
                ("visible", records.visible),
            ];
            for (name, number) in rows.into_iter().filter(|(_, number)| *number > 0) {
                fact(html, name, digits(number));
            }
            for choice in &books.completeness.by_choice {
                fact(html, "Without", format!("{} {} ({})", digits(choice.count), choice.what, choice.option));
            }
            for missing in &books.completeness.missing {
                let what = format!("{} ({}): {}", missing.name, digits(missing.count), missing.meaning);
                fact(html, "MISSING", what);
            }
        }
        Account::Dump(DumpAccount {
            written_by,
            wall_time_iso,
            files,
            bytes: sum,
            files_left_out,
            losses,
            by_choice,
            dump_selection,
            ..
        }) => {
            fact(html, "Written by", format!("{written_by} at {wall_time_iso}"));
            fact(
                html,
                "Read",
                format!("{}, {}: each is what CHECKSUMS says", count(*files, "file", "files"), bytes(*sum)),
            );
            if *files_left_out > 0 {
                fact(html, "Not read", count(*files_left_out, "file", "files"));
            }
            if let Some(selection) = dump_selection {
                fact(html, "Decoded with", selection.clone());
            }
            for choice in by_choice {
                fact(html, "Without", format!("{} {} ({})", digits(choice.count), choice.what, choice.option));
            }
            for kind in losses.iter().flat_map(|losses| &losses.kinds) {
                fact(html, "MISSING", format!("{} ({}): {}", kind.name, digits(kind.count), kind.meaning));
            }
        }
    }
    html.push(format_args!("</dl>"));
    for note in &report.notes {
        html.push(format_args!("<p class=mute>{}</p>", Escaped(shorten(note, NOTE_LEN_SHOWN))));
    }
}

/// One type: how many there are of each size, and the usual numbers.
fn spread(html: &mut Html, row: &SpreadRow) {
    html.push(format_args!("<figure><figcaption>{} {}</figcaption>", row.adapter, row.kind));
    one_spread(html, row.adapter, "Bytes", &row.bytes, &bytes);
    if let Some(elements) = &row.elements {
        one_spread(html, row.adapter, "Elements", elements, &digits);
    }
    html.push(format_args!("</figure>"));
}

fn one_spread(html: &mut Html, adapter: &str, what: &str, spread: &Spread, show: &dyn Fn(u64) -> String) {
    let Spread { p50, p90, p99, max, by_bits, .. } = spread;
    let first = by_bits.iter().position(|count| *count > 0).unwrap_or(0);
    // The greatest number with so many bits.
    let last_of = |bits: usize| {
        u32::try_from(bits).ok().map_or(u64::MAX, |bits| 1_u64.checked_shl(bits).map_or(u64::MAX, |next| next - 1))
    };
    let bars: Vec<(u64, String)> = by_bits
        .iter()
        .enumerate()
        .skip(first)
        .map(|(bits, count)| (*count, format!("up to {}: {}", show(last_of(bits)), digits(*count))))
        .collect();
    let alternative = format!(
        "{what}: half up to {}, 9 of 10 up to {}, 99 of 100 up to {}, largest {}",
        show(*p50),
        show(*p90),
        show(*p99),
        show(*max)
    );
    columns(html, adapter, &alternative, &bars);
    let (from, to) = (last_of(first), last_of(by_bits.len().saturating_sub(1)));
    html.push(format_args!("<div class=axis><span>up to {}</span><span>up to {}</span></div>", show(from), show(to)));
    html.push(format_args!(
        "<dl><dt>{what}, half up to</dt><dd>{}</dd><dt>9 of 10</dt><dd>{}</dd><dt>99 of 100</dt><dd>{}</dd><dt>largest</dt><dd>{}</dd></dl>",
        show(*p50),
        show(*p90),
        show(*p99),
        show(*max)
    ));
}

fn versions(html: &mut Html, versions: &Versions) {
    let Versions { retained_since, all, reclaimable, families, overwritten, commits } = versions;
    html.push(format_args!(
        "<p>{} with {} are kept. A compaction of everything would free {} with {}.</p>",
        count(all.versions, "version", "versions"),
        bytes(all.bytes),
        count(reclaimable.versions, "version", "versions"),
        bytes(reclaimable.bytes),
    ));
    for since in retained_since {
        html.push(format_args!("<p>What was hidden before {since} may have been dropped.</p>"));
    }
    course(html, commits);
    if reclaimable.versions > 0 {
        html.push(format_args!("<h3>By key family</h3>"));
        let freed = families.iter().filter(|one| one.older.versions > 0 || one.deletions.versions > 0);
        let rows = freed.map(|one| (one.family, one.owner, one.all, one.older, one.deletions));
        tables::families(html, rows, reclaimable.bytes);
    }
    if !overwritten.is_empty() {
        html.push(format_args!("<h3>Most overwritten</h3>"));
        tables::overwritten(html, overwritten);
    }
}

/// When it was committed.
fn course(html: &mut Html, commits: &Commits) {
    let Commits { commits: sum, first: Some(first), last: Some(last), busiest_minute, bar_minutes, bars } = commits
    else {
        return;
    };
    let width = count(*bar_minutes, "minute", "minutes");
    html.push(format_args!("<h3>{} by {width}</h3>", count(*sum, "commit", "commits")));
    let step = bar_minutes.saturating_mul(60_000);
    let (from, to) = (bars.first().map_or(0, |bar| bar.from_ms), bars.last().map_or(0, |bar| bar.from_ms));
    let steps = to.saturating_sub(from).checked_div(step).unwrap_or(0);
    let mut stored = bars.iter().peekable();
    let columns_of_all: Vec<(u64, String)> = (0..=steps)
        .map(|at| {
            let from_ms = from.saturating_add(at.saturating_mul(step));
            let bar = stored.next_if(|bar| bar.from_ms == from_ms);
            let (commits, writes) = bar.map_or((0, 0), |bar| (bar.commits, bar.writes));
            let (commits_told, writes) = (count(commits, "commit", "commits"), count(writes, "version", "versions"));
            (commits, format!("{}: {commits_told}, {writes}", format_unix_ms(from_ms)))
        })
        .collect();
    let busiest = busiest_minute.as_ref().map(|minute| {
        let (commits, writes) =
            (count(minute.commits, "commit", "commits"), count(minute.writes, "version", "versions"));
        format!("Busiest minute: {}, {commits}, {writes}", minute.from())
    });
    let busiest = busiest.unwrap_or_default();
    columns(html, "", &format!("{sum} commits from {} to {}. {busiest}", first.time, last.time), &columns_of_all);
    html.push(format_args!(
        "<div class=axis><span>{}</span><span>{}</span></div><p>{busiest}.</p>",
        first.time, last.time
    ));
}

fn findings(html: &mut Html, report: &Report) {
    if report.findings.is_empty() {
        html.push(format_args!("<p>Nothing is odd, and nothing was lost.</p>"));
        return;
    }
    html.push(format_args!("<ul class=list>"));
    for finding in &report.findings {
        let class = if finding.severity == "info" { "mute" } else { "bad" };
        html.push(format_args!(
            "<li><span class=\"sev {class}\">{}</span><code>{}</code> ({}): {}",
            finding.severity,
            finding.name,
            digits(finding.count),
            Escaped(finding.meaning),
        ));
        for example in finding.examples.iter().take(EXAMPLES_SHOWN) {
            let told = shorten(&example.line, EXAMPLE_LEN_SHOWN);
            html.push(format_args!("<br><small>{}</small>", Escaped(told)));
        }
        html.push(format_args!("</li>"));
    }
    html.push(format_args!("</ul>"));
}
