//! `ls`.

use ekv_backup::see::{BY_INDEX, CommitTime, ListOptions, Listed, Look, Row, ScopeRow, SortBy, Source, list};
use ekv_backup::{Class, Error, EventOptions, Expired, Protocol, ReadOptions, RedisOptions, format_unix_ms};
use ekv_text::json::write_shown_line;

use crate::args::{ExpiredRule, ListArguments};
use crate::commands::decode::read_options;
use crate::commands::index;
use crate::commands::text;
use crate::exit::Exit;
use crate::output::{Output, first_of};

/// Columns of a time.
const TIME_LEN: usize = 24;
/// Columns of an expiry: a time, and how far it is from the moment that is read.
const EXPIRY_LEN: usize = TIME_LEN + 10;

pub(crate) fn run(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Error> {
    let adapters = arguments.adapter.0.clone();
    let allow_empty = arguments.read.snapshot.empty.allow_empty;
    let scope = arguments.scope.scope_of_names(&adapters, &arguments.source, allow_empty)?;
    let read = ReadOptions { index: index::cache(arguments.cache, output), ..read_options(&arguments.read)? };
    let events = EventOptions {
        redis: RedisOptions {
            // Who asks for them means them.
            expired: if scope.is_about_expired() { Expired::Keep } else { expired(arguments.expired) },
            ..RedisOptions::default()
        },
        scope,
        checking: arguments.checking.into(),
        looks_ahead: arguments.long || output.is_json() || arguments.sort.is_some(),
        ..EventOptions::of(adapters)
    };
    let options = ListOptions {
        scopes: arguments.scopes,
        sort: arguments.sort.map(Into::into),
        reverse: arguments.reverse,
        limit: arguments.limit,
        resources: read.resources.clone(),
        events,
    };
    if arguments.scope.null && arguments.scope.from_file.is_empty() && output.is_json() {
        return Err(usage("-0 (--null) ends addresses, and --json prints objects, one on each line: give one of them"));
    }
    let mut lines = output.lines()?;
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    if source.moment_of_dump().is_some() && options.sort == Some(SortBy::Changed) {
        return Err(usage("a dump does not say when a key was written: --sort changed is for snapshots and nodes"));
    }
    index::tell(&source, arguments.cache, output);
    let style = Style {
        json: output.is_json(),
        is_counted: arguments.count,
        is_long: arguments.long,
        end: if arguments.scope.null { 0 } else { b'\n' },
        moment_ms: source.moment_ms(),
    };
    if style.is_long && !style.json && !style.is_counted && output.is_terminal() {
        lines.put(heading(arguments.scopes).as_bytes())?;
    }
    let mut render = |listed: Listed<'_>, line: &mut Vec<u8>| style.render(listed, line);
    let mut put = |line: &[u8]| lines.put(line);
    let (poured, listed, has_more) = list(&mut source, &options, &mut render, &mut put, output.screen())?;
    if arguments.count {
        lines.put(format!("{listed}\n").as_bytes())?;
    }
    lines.finish()?;
    if has_more {
        output.note(format_args!("--limit ends the list here; there is more"));
    }
    tell(&poured, output);
    tell_of_index(&source, output);
    if poured.things == 0 && is_choice(&options.events) && !poured.was_stopped && !allow_empty {
        return Err(nothing(&options.events, poured.is_excerpt));
    }
    Ok(if poured.is_complete { Exit::Done } else { Exit::Losses })
}

fn usage(text: &str) -> Error {
    Error::new(Class::Environment, text)
}

/// Whether something was asked for, if only an adapter: then nothing is no answer.
pub(crate) fn is_choice(events: &EventOptions) -> bool {
    events.is_selection() || Protocol::IN_DUMPS.iter().any(|adapter| !events.adapters.contains(adapter))
}

/// What an option says about expired keys.
pub(crate) fn expired(rule: ExpiredRule) -> Expired {
    match rule {
        ExpiredRule::Keep => Expired::Keep,
        ExpiredRule::Drop => Expired::Drop,
    }
}

/// Nothing meets the selection.
pub(crate) fn nothing(events: &EventOptions, is_excerpt: bool) -> Error {
    let hint = events.scope.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    let by_index = if is_excerpt { BY_INDEX } else { "" };
    let selected = events.scope.describe(&events.adapters);
    Error::new(Class::NoMatch, format!("nothing matches {selected}{hint}{by_index}"))
}

/// Says why an archive took long.
pub(crate) fn tell_of_index(source: &Source, output: &Output) {
    if let Some(note) = source.index_note() {
        output.note(note);
    }
}

/// Says what the lines do not: what could not be read, what had expired, which filters nothing met.
pub(crate) fn tell(poured: &Look, output: &Output) {
    if poured.expired > 0 {
        let keys = text::count(poured.expired, "Redis key", "Redis keys");
        let verb = if poured.expired == 1 { "is" } else { "are" };
        output.note(format_args!("{keys} had expired and {verb} passed over (--expired keep takes them)"));
    }
    if poured.things > 0 {
        for filter in &poured.unmatched {
            output.warning(format_args!("nothing matches {filter}, while others do"));
        }
    }
    poured.of_groups().for_each(|line| output.warning(line));
    let rest = ", which `decode` lists in LOSSES.jsonl";
    first_of(&poured.lost, poured.lost_count, rest, |line| output.warning(format_args!("missing: {line}")));
}

/// How lines look.
struct Style {
    json: bool,
    is_counted: bool,
    is_long: bool,
    end: u8,
    /// The moment that is read, in Unix milliseconds.
    moment_ms: u64,
}

impl Style {
    fn render(&self, listed: Listed<'_>, line: &mut Vec<u8>) {
        if self.is_counted {
            return;
        }
        if self.json {
            // Writing to a vector cannot fail, and there are only texts and numbers in it.
            let _ = write_shown_line(&listed, line);
            return;
        }
        let address = match &listed {
            Listed::Thing(Row { address, .. }) | Listed::Scope(ScopeRow { address, .. }) => *address,
        };
        if self.is_long {
            line.extend_from_slice(columns(&listed, self.moment_ms).as_bytes());
        }
        line.extend_from_slice(address.as_bytes());
        line.push(self.end);
    }
}

/// What the columns are.
fn heading(are_scopes: bool) -> String {
    match are_scopes {
        true => format!("{:<8} {:>20} {:>10}  ADDRESS\n", "TYPE", "THINGS", "BYTES"),
        false => format!(
            "{:<7} {:>10} {:>9}  {:<EXPIRY_LEN$}  {:<TIME_LEN$}  ADDRESS\n",
            "TYPE", "BYTES", "ELEMENTS", "EXPIRES", "CHANGED"
        ),
    }
}

/// What stands in front of an address, in columns.
fn columns(listed: &Listed<'_>, moment_ms: u64) -> String {
    match listed {
        Listed::Thing(Row { thing, .. }) => {
            let elements = thing.size.elements.map_or_else(|| "-".to_owned(), |elements| elements.to_string());
            let expiry = thing.expire_at_ms.map_or_else(
                || "-".to_owned(),
                |at_ms| format!("{} {}", format_unix_ms(at_ms), text::from_moment(at_ms, moment_ms)),
            );
            let changed = CommitTime::of(thing.commit_ts).map_or_else(|| "-".to_owned(), |commit| commit.time);
            let (kind, bytes) = (thing.kind.name(), text::bytes(thing.size.bytes));
            format!("{kind:<7} {bytes:>10} {elements:>9}  {expiry:<EXPIRY_LEN$}  {changed:<TIME_LEN$}  ")
        }
        Listed::Scope(ScopeRow { kind, nouns, things, bytes, .. }) => {
            let things = text::count(*things, nouns.0, nouns.1);
            format!("{kind:<8} {things:>20} {:>10}  ", text::bytes(*bytes))
        }
    }
}
