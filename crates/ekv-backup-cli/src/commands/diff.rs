//! `diff`.

use std::path::{Path, PathBuf};

use ekv_backup::see::{Change, Compared, DiffOptions, Difference, Side, Source, diff};
use ekv_backup::{
    Class, Error, EventOptions, Protocol, ReadOptions, ReadTime, RedisOptions, format_commit_ts, format_unix_ms,
};
use serde::Serialize;

use crate::args::DiffArguments;
use crate::commands::decode::snapshot_options;
use crate::commands::index;
use crate::commands::list::{expired, is_choice, nothing, tell};
use crate::commands::text;
use crate::exit::Exit;
use crate::output::{Lines, Output};

pub(crate) fn run(arguments: &DiffArguments, output: &mut Output) -> Result<Exit, Error> {
    let arguments = &with_address(arguments);
    let adapters = arguments.adapter.0.clone();
    let read = ReadOptions { index: index::cache(arguments.cache, output), ..snapshot_options(&arguments.snapshot)? };
    let scope = arguments.scope.scope(&adapters, &arguments.first, read.allow_empty)?;
    let options = DiffOptions {
        events: EventOptions {
            redis: RedisOptions { expired: expired(arguments.expired), ..RedisOptions::default() },
            scope,
            ..EventOptions::of(adapters)
        },
        strict_sqs: arguments.strict_sqs,
        first_only: output.is_quiet(),
        resources: read.resources.clone(),
    };
    let mut lines = output.lines()?;
    let (mut first, mut second) = open(arguments, &read, output)?;
    for (source, which) in [(&first, "the first"), (&second, "the second")] {
        index::tell(source, arguments.cache, output);
        if let Some(selection) = source.selection() {
            output.warning(format_args!(
                "{which} is a part, selected by {selection}: what is not in it counts as not there"
            ));
        }
    }
    let mut teller = Teller::new(arguments.stat, output);
    let mut all = Sums::default();
    let mut take = |difference: &Difference| {
        all.add(difference);
        teller.take(difference, &mut lines)
    };
    let compared = diff(&mut first, &mut second, &options, &mut take, output.screen())?;
    teller.finish(&all, &mut lines)?;
    lines.finish()?;
    end(&compared, &options, read.allow_empty, output)
}

/// With two moments of one source, what stands in the place of the second is the first address.
fn with_address(arguments: &DiffArguments) -> DiffArguments {
    let mut arguments = arguments.clone();
    let is_address = |second: &PathBuf| {
        let text = second.as_os_str().as_encoded_bytes();
        let front = text.split(|byte| *byte == b':').next().filter(|front| front.len() < text.len());
        front.and_then(Protocol::named).is_some() && !second.exists()
    };
    if arguments.at.len() == 2
        && let Some(second) = arguments.second.take_if(|second| is_address(second))
    {
        arguments.scope.address.insert(0, second.into_os_string());
    }
    arguments
}

/// Opens both sides: two places, or one at two moments.
fn open(arguments: &DiffArguments, read: &ReadOptions, output: &Output) -> Result<(Source, Source), Error> {
    if let ([one], Some(second)) = (arguments.at.as_slice(), &arguments.second) {
        return open_at(arguments, second, *one, read, output);
    }
    let (first_at, second_at) = match arguments.at.as_slice() {
        [] => (None, None),
        [first, second] => (Some(*first), Some(*second)),
        [_] => {
            return Err(usage("one moment is nothing to compare: give --at twice, or name what it is compared with"));
        }
        _ => return Err(usage("two moments are compared, and not more: --at is given at most twice")),
    };
    let first = Source::open(&arguments.first, &ReadOptions { at: first_at, ..read.clone() }, output.screen())?;
    let second = match (&arguments.second, second_at) {
        (Some(second), at) => Source::open(second, &ReadOptions { at, ..read.clone() }, output.screen())?,
        (None, Some(at)) => first.at(at, output.screen())?,
        (None, None) => return Err(usage("there is nothing to compare it with: name another one, or give --at twice")),
    };
    Ok((first, second))
}

/// Opens two places at a moment; a dump is what it is beside a snapshot or node that is read then.
fn open_at(
    arguments: &DiffArguments,
    second: &Path,
    at: ReadTime,
    read: &ReadOptions,
    output: &Output,
) -> Result<(Source, Source), Error> {
    let read = ReadOptions { at: Some(at), ..read.clone() };
    let first = Source::open_beside(&arguments.first, &read, output.screen())?;
    let second = match first.moment_of_dump() {
        Some(_) => {
            let second = Source::open_beside(second, &read, output.screen())?;
            // Neither of two dumps can be read at a time.
            if second.moment_of_dump().is_some() { second.at(at, output.screen())? } else { second }
        }
        None => Source::open_beside(second, &read, output.screen())?,
    };
    for (source, which) in [(&first, "first"), (&second, "second")] {
        if let Some(moment) = source.moment_of_dump().filter(|moment| *moment != at.commit_ts(*moment)) {
            output.note(format_args!("the {which} is a dump of {}, and compared as it is", format_commit_ts(moment)));
        }
    }
    Ok((first, second))
}

fn usage(text: &str) -> Error {
    Error::new(Class::Environment, text)
}

/// Says what the lines do not, and how it ends.
pub(crate) fn end(
    compared: &Compared,
    options: &DiffOptions,
    allow_empty: bool,
    output: &Output,
) -> Result<Exit, Error> {
    let Compared { differences, first, second, not_compared } = compared;
    for adapter in not_compared {
        output.warning(format_args!("{} is not compared: one side was made without it", adapter.name()));
    }
    tell(first, output);
    tell(second, output);
    if first.things == 0 && second.things == 0 && is_choice(&options.events) && !allow_empty {
        return Err(nothing(&options.events, false));
    }
    if *differences == 0 {
        output.note(format_args!("no difference in {}", text::count(first.things, "thing", "things")));
    }
    let is_all_compared = not_compared.is_empty() && first.is_complete && second.is_complete;
    Ok(match (*differences, is_all_compared) {
        (0, true) => Exit::Done,
        (0, false) => Exit::Losses,
        _ => Exit::No,
    })
}

/// What changed in a database, table, bucket or queue, or altogether.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sums {
    added: u64,
    removed: u64,
    changed: u64,
    /// Payload of the second side less that of the first, in bytes.
    bytes: i128,
    #[serde(skip)]
    scope: String,
}

impl Sums {
    pub(crate) fn add(&mut self, difference: &Difference) {
        let count = match difference.change {
            Change::Added => &mut self.added,
            Change::Removed => &mut self.removed,
            _ => &mut self.changed,
        };
        *count = count.saturating_add(1);
        let len = |side: &Option<Side>| side.as_ref().map_or(0, |side| i128::from(side.bytes));
        let grown = len(&difference.after).saturating_sub(len(&difference.before));
        self.bytes = self.bytes.saturating_add(grown);
    }

    fn line(&self) -> String {
        let Sums { added, removed, changed, bytes, scope } = self;
        let sign = if *bytes < 0 { '-' } else { '+' };
        let bytes = text::bytes(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX));
        let [added, removed, changed] =
            [('+', added), ('-', removed), ('~', changed)].map(|(mark, count)| format!("{mark}{count}"));
        format!("{scope:<24} {added:>10} {removed:>10} {changed:>10} {:>12}\n", format!("{sign}{bytes}"))
    }
}

/// Prints differences as they come.
pub(crate) struct Teller {
    is_quiet: bool,
    is_stat: bool,
    is_json: bool,
    /// Those of the scope at hand.
    sums: Option<Sums>,
}

/// A line of `--stat --json`.
#[derive(Serialize)]
struct ScopeSums<'a> {
    scope: &'a str,
    #[serde(flatten)]
    sums: &'a Sums,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    summary: &'a Sums,
}

impl Teller {
    pub(crate) fn new(is_stat: bool, output: &Output) -> Self {
        Teller { is_quiet: output.is_quiet(), is_stat, is_json: output.is_json(), sums: None }
    }

    pub(crate) fn take(&mut self, difference: &Difference, lines: &mut Lines) -> Result<(), Error> {
        if self.is_quiet {
            return Ok(());
        }
        if !self.is_stat {
            return match self.is_json {
                true => lines.put_json(difference),
                false => lines.put(line(difference).as_bytes()),
            };
        }
        if self.sums.as_ref().is_none_or(|sums| sums.scope != difference.scope) {
            self.end_scope(lines)?;
            self.sums = Some(Sums { scope: difference.scope.clone(), ..Sums::default() });
        }
        if let Some(sums) = &mut self.sums {
            sums.add(difference);
        }
        Ok(())
    }

    fn end_scope(&mut self, lines: &mut Lines) -> Result<(), Error> {
        match self.sums.take() {
            Some(sums) if self.is_json => lines.put_json(&ScopeSums { scope: &sums.scope, sums: &sums }),
            Some(sums) => lines.put(sums.line().as_bytes()),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(&mut self, all: &Sums, lines: &mut Lines) -> Result<(), Error> {
        self.end_scope(lines)?;
        match self.is_json && !self.is_quiet {
            true => lines.put_json(&Summary { summary: all }),
            false => Ok(()),
        }
    }
}

/// A difference for people.
fn line(difference: &Difference) -> String {
    let Difference { address, change, before, after, .. } = difference;
    let size = |side: &Side| {
        let elements = side.elements.map(|elements| format!(", {}", text::count(elements, "element", "elements")));
        format!("{}{}", text::bytes(side.bytes), elements.unwrap_or_default())
    };
    let expiry = |side: &Side| {
        side.expire_at_ms.map_or_else(|| "never expires".to_owned(), |at| format!("expires {}", format_unix_ms(at)))
    };
    let what = match (before, after) {
        (Some(before), Some(after)) => match change {
            Change::Expiry => format!("{}  {} -> {}", after.kind, expiry(before), expiry(after)),
            Change::Type => format!("{} -> {}  {} -> {}", before.kind, after.kind, size(before), size(after)),
            Change::Metadata => format!("{}  described in another way", after.kind),
            _ => format!("{}  {} -> {}", after.kind, size(before), size(after)),
        },
        (Some(side), None) | (None, Some(side)) if text::is_scope(side.kind) => side.kind.to_owned(),
        (Some(side), None) | (None, Some(side)) => format!("{}  {}", side.kind, size(side)),
        (None, None) => String::new(),
    };
    format!("{} {address}  {what}\n", change.mark())
}
