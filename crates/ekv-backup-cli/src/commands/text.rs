//! Parts of reports that several commands print for people.

use std::fmt::Display;

use ekv_backup::{
    Accounts, BooksReport, Choice, Completeness, Contents, FamilyReport, FindingReport, Grounds, KindContents,
    LossAccount, Missing, NamesReport, OutcomeReport, Proof, Protocol, RdbReport, ScopeContents, ServerReport,
    SnapshotReport, StoreListing,
};
use ekv_text::shorten;

pub(crate) use ekv_text::human::{bytes, count, digits, percent};

use crate::output::{Output, Page};

/// Longest name in a list of examples, in characters.
const NAME_LEN_SHOWN: usize = 100;
/// Longest first occurrence of what is missing, in characters.
const REASON_LEN_SHOWN: usize = 400;

/// Whether a type is that of a table, bucket or queue, and not of what is in one.
pub(crate) fn is_scope(kind: &str) -> bool {
    Protocol::ALL.iter().any(|protocol| protocol.scope_word() == kind)
}

/// Begins what is said about something that was made, or would have been.
pub(crate) fn title(what: &str, name: impl Display, dry_run: bool, out: &mut Page) {
    match dry_run {
        true => out.title(format_args!("Dry run: nothing was created. {what} {name} would hold")),
        false => out.title(format_args!("{what} {name}")),
    }
    let _ = writeln!(out);
}

/// How large a dump is: its files, and the archive in which they are.
pub(crate) fn dump_len(files: u64, archive: Option<u64>) -> String {
    let archive = archive.map(|len| format!(" in an archive of {}", bytes(len))).unwrap_or_default();
    format!("{}{archive}", bytes(files))
}

/// How far a time is from a moment, both in Unix milliseconds: `in 3 d`, `2 h ago`.
pub(crate) fn from_moment(at_ms: u64, moment_ms: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(365 * 86_400_000, "y"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let distance = at_ms.abs_diff(moment_ms);
    let (len, unit) = UNITS.into_iter().find(|(len, _)| distance >= *len).unwrap_or((1, "ms"));
    let count = distance / len;
    if at_ms > moment_ms { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// How many things there are, by type and by scope.
pub(crate) fn contents(title: &str, contents: &Contents, out: &mut Page) {
    let things = count(contents.things, "thing", "things");
    out.title(format_args!("{title}: {things}, {} in them", bytes(contents.bytes)));
    let _ = writeln!(out);
    for KindContents { kind, things, bytes: len } in &contents.kinds {
        let _ = writeln!(out, "  {:>14}  {kind:<8} {:>11}", digits(*things), bytes(*len));
    }
    for ScopeContents { address, things, bytes: len } in &contents.scopes {
        let _ = writeln!(out, "  {:>14}  in {address}, {}", digits(*things), bytes(*len));
    }
    if contents.more_scopes > 0 {
        let _ = writeln!(out, "  {:>14}  and in {} more", "", digits(contents.more_scopes));
    }
}

/// Says that there is more than was taken.
pub(crate) fn tell_of_limit(output: &Output, contents: &Contents) {
    if contents.beyond_limit > 0 {
        let things = count(contents.beyond_limit, "more thing is", "more things are");
        output.note(format_args!("{things} selected than --limit takes"));
    }
}

/// How much is told of each snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What it is.
    Short,
    /// Its clock and its order, too.
    Full,
}

/// What was read, and which times all of it answers.
pub(crate) fn snapshots(all: &[SnapshotReport], grounds: &Grounds, detail: Detail, out: &mut Page) {
    for snapshot in all {
        let group = snapshot.group_id.map(|id| format!("group {id}, ")).unwrap_or_default();
        let index = snapshot.snapshot_index.map(|index| format!(", Raft index {index}")).unwrap_or_default();
        let header = match snapshot.header_version {
            0 => "no header".to_owned(),
            version => format!("header v{version}"),
        };
        let checksum = match &snapshot.footer_crc32c {
            Some(crc) => format!("checksum {crc} verified"),
            None => "no checksum: integrity not verified".to_owned(),
        };
        out.title(format_args!("Snapshot {group}{}{index}", bytes(snapshot.bytes)));
        let _ = writeln!(out);
        if let Some(file) = &snapshot.file {
            let _ = writeln!(out, "  file          {file}");
        }
        let _ = writeln!(out, "  format        {header}, {}, {checksum}", snapshot.form);
        let _ = match snapshot.newest.hlc {
            0 => writeln!(out, "  newest commit none"),
            hlc => writeln!(out, "  newest commit {} (hlc:{hlc})", snapshot.newest.time),
        };
        if snapshot.read != snapshot.newest {
            let _ = writeln!(out, "  read at       {} (hlc:{})", snapshot.read.time, snapshot.read.hlc);
        }
        let _ = match &snapshot.oldest_answerable {
            Some(oldest) => writeln!(
                out,
                "  answerable    from {} (hlc:{}) to {}",
                oldest.time, oldest.hlc, snapshot.newest_answerable.time
            ),
            None => writeln!(out, "  answerable    nothing: no data of users"),
        };
        if !snapshot.data_keys.is_empty() {
            let opened: Vec<String> = snapshot
                .data_keys
                .iter()
                .map(|key| format!("{} with data key {}", count(key.values, "value", "values"), key.id))
                .collect();
            let _ = writeln!(out, "  decrypted     {}", opened.join(", "));
        }
        if detail == Detail::Full {
            clock_and_order(snapshot, out);
        }
    }
    if grounds.groups_present > 1 {
        let _ = match (&grounds.common_from, &grounds.common_to) {
            (Some(from), Some(to)) => writeln!(
                out,
                "All groups answer times from {} (hlc:{}) to {}, final up to {}",
                from.time, from.hlc, to.time, grounds.closed_until.time
            ),
            _ => writeln!(out, "There is no time that all groups answer"),
        };
    }
}

/// Snapshots of an offload store that are shown; all are in `--json`.
const STORE_ROWS: usize = 40;

/// What an offload store holds.
pub(crate) fn offload_store(store: &StoreListing, out: &mut Page) {
    out.title(format_args!("Offload store"));
    let _ = writeln!(out, " with {}", count(len(store.snapshots.len()), "snapshot", "snapshots"));
    for row in store.snapshots.iter().take(STORE_ROWS) {
        let what = match (&row.created_at, &row.fault) {
            (Some(created_at), _) => {
                let cluster = row.source_cluster.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
                format!("published {created_at}, {}{cluster}", bytes(row.payload_bytes.unwrap_or(0)))
            }
            (None, fault) => format!("not usable: {}", fault.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(out, "  group {} {}-{}  {what}", row.group_id, row.index, row.term);
    }
    if store.snapshots.len() > STORE_ROWS {
        let more = store.snapshots.len().saturating_sub(STORE_ROWS);
        let _ = writeln!(out, "  and {}, all in --json", count(len(more), "other", "others"));
    }
}

fn len(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// What the RDB file is that was read, if one was.
pub(crate) fn rdb(rdb: Option<&RdbReport>, out: &mut Page) {
    let Some(RdbReport { format, version, server, saved, bytes: len, keys, crc64 }) = rdb else { return };
    out.title(format_args!("RDB file {}", bytes(*len)));
    let checksum = match crc64 {
        Some(crc) => format!("checksum {crc} verified"),
        None => "no checksum: integrity not verified".to_owned(),
    };
    let _ = writeln!(out);
    let _ = writeln!(out, "  format        {format} version {version}, {checksum}");
    let by = server.as_deref().map(|server| format!(" by {server}")).unwrap_or_default();
    let _ = match saved {
        Some(saved) => writeln!(out, "  saved         {saved}{by}"),
        None => writeln!(out, "  saved         at a time that it does not say{by}"),
    };
    let _ = writeln!(out, "  keys          {}", digits(*keys));
}

/// What the running server is that was read, if one was.
pub(crate) fn server(server: Option<&ServerReport>, out: &mut Page) {
    let Some(server) = server else { return };
    out.title(format_args!("Server {}", server.address));
    let nodes = if server.nodes > 1 { format!(", {} nodes", server.nodes) } else { String::new() };
    let _ = writeln!(out);
    let _ = writeln!(out, "  software      {} {}{nodes}", server.software, server.version);
    let _ = writeln!(out, "  read          {}", when_read(server));
    let gone = if server.gone > 0 { format!(", {} of them gone by then", digits(server.gone)) } else { String::new() };
    let _ = writeln!(out, "  keys          {}{gone}", digits(server.keys));
}

fn when_read(server: &ServerReport) -> String {
    format!("from {} to {}, one key after the other: not one moment", server.began, server.ended)
}

/// How far the clock of a snapshot went, and how its keys are ordered.
fn clock_and_order(snapshot: &SnapshotReport, out: &mut Page) {
    if let Some(ceiling) = &snapshot.ceiling_time {
        let _ = writeln!(out, "  clock ceiling {ceiling}");
    }
    if snapshot.closed_until.hlc > 0 && snapshot.newest_answerable.hlc > 0 {
        let closed = &snapshot.closed_until.time;
        let _ = writeln!(out, "  closed until  {closed}: no later commit can be of that time or before");
    }
    let places = count(snapshot.user_key_descents, "place", "places");
    let depth = digits(snapshot.nesting_depth);
    let _ = writeln!(out, "  order         {places} where a key is smaller than the one before, nesting depth {depth}");
}

/// Where every entry went.
///
/// Of records that were not decoded `unasked` says what they are.
pub(crate) fn accounts(accounts: &Accounts, unasked: &[String], out: &mut Page) {
    let total = count(accounts.entries, "record", "records");
    out.title(format_args!("Account of {total}"));
    let _ = writeln!(out);
    let rows = [
        (accounts.older, "older versions"),
        (accounts.newer, "newer than the moment that is read"),
        (accounts.deleted, "deletions"),
        (accounts.store_expired, "expired in the store"),
        (accounts.store_rows, "rows of the store itself"),
        (accounts.short_keys, "without a timestamp"),
        (accounts.damaged, "damaged: lost"),
        (accounts.covered, "covered by a write of a transaction or another group"),
        (accounts.unowned, "in a group that does not own them: left out"),
        (accounts.visible, "visible"),
    ];
    for (n, what) in rows.into_iter().filter(|(n, _)| *n > 0) {
        let _ = writeln!(out, "  {:>14}  {what}", digits(n));
    }
    for outcome in &accounts.outcomes {
        let what = match outcome.outcome {
            "emitted" => "written",
            "joined" => "decided about others (lengths, expiries)",
            "shadowed" => "hidden by another type of the same key",
            "orphaned" => "part of something that no longer exists",
            "expired" => "expired, dropped as asked",
            "lost" => "damaged: lost",
            "internal" => "bookkeeping of the server",
            NOT_DECODED => "not decoded",
            "not_selected" => "not selected by the filters",
            other => other,
        };
        let _ = writeln!(out, "  {:>14}    {what}", digits(outcome.records));
        if outcome.outcome == NOT_DECODED {
            for what in unasked {
                let _ = writeln!(out, "  {:>14}      {what}", "");
            }
        }
    }
}

/// The outcome of records that were not asked for, or that no adapter decodes.
const NOT_DECODED: &str = "not_decoded";

/// What the records are that were not decoded, a line for each kind, with the option that decodes it.
pub(crate) fn unasked(books: &BooksReport) -> Vec<String> {
    let of_outcome = |outcome: &&OutcomeReport| outcome.outcome == NOT_DECODED;
    let all = books.records.outcomes.iter().find(of_outcome).map_or(0, |outcome| outcome.records);
    let choices = books.completeness.by_choice.iter();
    let choices = choices.filter(|choice| ["--adapter", "--bare-keys"].contains(&choice.option.as_str()));
    let mut rows: Vec<(u64, &str, &str)> =
        choices.map(|choice| (choice.count, choice.what.as_str(), choice.option.as_str())).collect();
    let unknown = books.findings.iter().find(|finding| finding.name == "data_not_decoded");
    rows.extend(unknown.map(|finding| (finding.count, "that no adapter decodes", "--include-unknown")));
    let rest = all.saturating_sub(rows.iter().map(|row| row.0).sum());
    rows.push((rest, "of S3 uploads that were not completed", "--include-incomplete-uploads"));
    let rows = rows.into_iter().filter(|row| row.0 > 0);
    rows.map(|(n, what, option)| format!("{} {what}: not asked for ({option})", digits(n))).collect()
}

/// What users call the visible records of key families.
const NOUNS: [(&str, &str, &str); 18] = [
    ("redis_string", "string", "strings"),
    ("bare", "string without a prefix", "strings without a prefix"),
    ("redis_hll", "HyperLogLog", "HyperLogLogs"),
    ("redis_hash_field", "field of a hash", "fields of hashes"),
    ("redis_list_item", "item of a list", "items of lists"),
    ("redis_set_member", "member of a set", "members of sets"),
    ("redis_zset_member", "member of a sorted set", "members of sorted sets"),
    ("redis_stream_entry", "entry of a stream", "entries of streams"),
    ("redis_hash_blob", "hash in one record", "hashes in one record"),
    ("redis_set_blob", "set in one record", "sets in one record"),
    ("redis_zset_blob", "sorted set in one record", "sorted sets in one record"),
    ("dynamodb_table", "DynamoDB table", "DynamoDB tables"),
    ("dynamodb_item", "DynamoDB item", "DynamoDB items"),
    ("s3_bucket", "S3 bucket", "S3 buckets"),
    ("s3_object", "S3 object", "S3 objects"),
    ("sqs_queue", "SQS queue", "SQS queues"),
    ("sqs_message", "SQS message", "SQS messages"),
    ("fs_inode", "file or directory", "files and directories"),
];

/// What a snapshot holds in the words of its users, as far as the counts of its key families say it.
pub(crate) fn holdings(all: &[FamilyReport], out: &mut Page) {
    let visible = |name: &str| all.iter().filter(|family| family.family == name).map(|family| family.visible).sum();
    let rows: Vec<(u64, &str, &str)> = NOUNS.iter().map(|(family, one, many)| (visible(family), *one, *many)).collect();
    let others = all.iter().filter(|family| family.owner == "unknown");
    let others: u64 = others.map(|family| family.visible).sum();
    out.title("Holds");
    let _ = writeln!(out);
    let rows = rows.into_iter().chain([(others, "record that no adapter decodes", "records that no adapter decodes")]);
    let mut is_empty = true;
    for (n, one, many) in rows.filter(|(n, ..)| *n > 0) {
        is_empty = false;
        let _ = writeln!(out, "  {:>14}  {}", digits(n), if n == 1 { one } else { many });
    }
    if is_empty {
        let _ = writeln!(out, "  no data of users");
    }
}

/// A line per key family.
pub(crate) fn families(all: &[FamilyReport], out: &mut Page) {
    let width = all.iter().map(|family| family.family.len()).max().unwrap_or(0).max(6);
    let header = format!(
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>11}",
        "family", "records", "keys", "visible", "deleted", "bytes"
    );
    out.title(header);
    let _ = writeln!(out);
    for family in all {
        let _ = writeln!(
            out,
            "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>11}",
            family.family,
            digits(family.records),
            digits(family.user_keys),
            digits(family.visible),
            digits(family.deleted),
            bytes(family.bytes),
        );
    }
}

/// What was odd or lost.
pub(crate) fn findings(all: &[FindingReport], out: &mut Page) {
    if all.is_empty() {
        return;
    }
    out.title("Findings");
    let _ = writeln!(out);
    for finding in all {
        let _ =
            writeln!(out, "  {} {}: {} ({})", finding.severity, finding.name, finding.meaning, digits(finding.count));
        for example in finding.examples.iter().take(3) {
            let at = example.byte_offset.map(|at| format!(" (byte offset {at})")).unwrap_or_default();
            let _ = writeln!(out, "      {}{at}", example.line);
        }
    }
}

/// Whether everything is there, and what that rests on.
pub(crate) fn completeness(books: &BooksReport, out: &mut Page) {
    let found = &books.completeness;
    for each in &found.missing {
        let _ = writeln!(out, "  {}", missing(each));
    }
    if found.is_complete() {
        let _ = match found.by_choice.as_slice() {
            [] => writeln!(out, "  complete: nothing was lost"),
            choices => writeln!(out, "  {}; nothing else was lost", partial(choices)),
        };
    }
    if !found.holds_data {
        let _ = writeln!(out, "  it holds no data: {HOLDS_NO_DATA}");
    }
    let _ = writeln!(out, "    {}", grounds(&found.rests_on, books.rdb.as_ref(), books.server.as_ref()));
}

/// What was left out because somebody asked for that.
fn partial(choices: &[Choice]) -> String {
    let choices = choices.iter().map(|choice| format!("{} {} ({})", digits(choice.count), choice.what, choice.option));
    format!("partial, as asked for: without {}", choices.collect::<Vec<_>>().join(", "))
}

/// What the decode that wrote a dump left out because somebody asked for that, after `lead`.
pub(crate) fn choices(lead: &str, choices: &[Choice], out: &mut Page) {
    if !choices.is_empty() {
        let _ = writeln!(out, "{lead}{}", partial(choices));
    }
}

/// That a dump is a part of its snapshot, and which, after `lead`.
pub(crate) fn selection(lead: &str, selection: Option<&str>, out: &mut Page) {
    if let Some(selection) = selection {
        let _ = writeln!(out, "{lead}PART of a snapshot: the dump was made with {selection}");
    }
}

/// What it means that a snapshot holds no data.
const HOLDS_NO_DATA: &str = "no key, table, bucket or queue is visible at that moment";

/// One thing that makes a result incomplete.
pub(crate) fn missing(missing: &Missing) -> String {
    let first = missing
        .first
        .as_ref()
        .map(|first| format!("; first: {}", shorten(first, REASON_LEN_SHOWN)))
        .unwrap_or_default();
    format!("INCOMPLETE: {} ({}): {}{first}", missing.name, digits(missing.count), missing.meaning)
}

/// What the answer rests on, in a line.
fn grounds(grounds: &Grounds, rdb: Option<&RdbReport>, server: Option<&ServerReport>) -> String {
    if let Some(server) = server {
        return format!("read {}", when_read(server));
    }
    let checksum = match grounds.checksum {
        Proof::Verified => "checksum verified",
        Proof::PartlyVerified => "not every snapshot has a checksum",
        Proof::Unverified => "without a checksum: a snapshot that was cut may look the same",
    };
    if let Some(rdb) = rdb {
        return match &rdb.saved {
            Some(saved) => format!("{checksum}; saved at {saved}"),
            None => format!("{checksum}; taken as of {}", grounds.moment.time),
        };
    }
    let groups = match (grounds.groups_present, grounds.groups_expected) {
        (present, Some(expected)) => format!("{present} of {}", count(expected, "group", "groups")),
        (present, None) => format!("{}, no routing catalog", count(present, "group", "groups")),
    };
    let oldest = grounds.oldest_moment.as_ref().filter(|oldest| oldest.time != grounds.moment.time);
    let moment = match grounds.is_newest {
        true if grounds.moment.hlc == 0 => "without any commit".to_owned(),
        true => match oldest {
            Some(oldest) => {
                format!("newest state of each group, of {} for the oldest to {}", oldest.time, grounds.moment.time)
            }
            None => format!("newest state, of {}", grounds.moment.time),
        },
        false => format!("state at {}", grounds.moment.time),
    };
    format!("{checksum}; {groups}; {moment}")
}

/// What a user must know even if the text of the result is not shown.
pub(crate) fn tell_what_is_hidden(output: &Output, found: &Completeness, findings: &[FindingReport]) {
    for each in &found.missing {
        output.loss_of_report(missing(each));
    }
    for finding in findings.iter().filter(|finding| finding.severity == "warning") {
        output.warning_of_report(format_args!("{} ({}): {}", finding.name, digits(finding.count), finding.meaning));
    }
    if !found.holds_data {
        output.warning_of_report(format_args!("it holds no data: {HOLDS_NO_DATA}"));
    }
}

/// What the decode that wrote a dump lost.
pub(crate) fn losses(account: Option<&LossAccount>, out: &mut Page) {
    let Some(account) = account else { return };
    let things = count(account.count, "thing was", "things were");
    let names = if account.is_listed { "LOSSES.jsonl in it names each" } else { "its manifest names the first ones" };
    let _ = writeln!(out, "  INCOMPLETE: {things} damaged or missing when the dump was made; {names}");
    for kind in &account.kinds {
        let _ = writeln!(out, "  {:>14}  {}: {}", digits(kind.count), kind.name, kind.meaning);
    }
}

/// File names that other systems refuse or take for each other.
pub(crate) fn names(names: &NamesReport, out: &mut Page) {
    if names.is_empty() {
        return;
    }
    out.title("Names that are not portable");
    let _ = writeln!(out);
    let rows = [
        (names.device_names, "Windows device names"),
        (names.trailing_dots_or_blanks, "ending in a dot or a blank"),
        (names.reserved_characters, "with a reserved character"),
        (names.collisions, "equal to another one up to letter case or composition"),
    ];
    for (n, what) in rows.into_iter().filter(|(n, _)| *n > 0) {
        let _ = writeln!(out, "  {:>14}  {what}", digits(n));
    }
    for example in names.examples.iter().take(3) {
        let _ = writeln!(out, "      {}", shorten(&example.to_string(), NAME_LEN_SHOWN));
    }
}
