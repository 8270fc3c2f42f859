//! `ls`: which things are there. Source: `docs/format/tree.md`, section 20.1.

use std::sync::Arc;

use ekv_model::{Consumer, Event, Name, Result, Size, Step, Thing, Things};
use ekv_snapshot::CommitTs;
use ekv_spill::{Scratch, Sorter};
use ekv_text::base64::Base64Stream;
use serde::Serialize;
use serde::ser::SerializeStruct;

use super::look::{Enough, Look};
use super::source::Source;
use crate::losses::scratch_error;
use crate::progress::Progress;
use crate::time::format_commit_ts;
use crate::{EventOptions, Resources};

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 8 << 20;

/// What a list is sorted by. Of equal ones the address decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Address, ascending.
    Name,
    /// Payload bytes, the largest first.
    Size,
    /// Elements, the most first.
    Elements,
    /// Expiry, the next one first, those without at the end.
    Expiry,
    /// Commit time, the newest first.
    Changed,
}

/// What is listed.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// What is selected.
    pub events: EventOptions,
    /// Databases, tables, buckets and queues instead of what is in them.
    pub scopes: bool,
    /// `None` = in the order of the source, as it is read.
    pub sort: Option<SortBy>,
    /// The other way round.
    pub reverse: bool,
    /// Ends after so many.
    pub limit: Option<u64>,
    /// What reading may take.
    pub resources: Resources,
}

/// One line of a list.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum Listed<'a> {
    /// A key, item, object or message.
    Thing(Row<'a>),
    /// A database, table, bucket or queue.
    Scope(ScopeRow<'a>),
}

/// A key, item, object or message in a list.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What it is.
    pub thing: Thing<'a>,
    /// Its address, as text.
    pub address: &'a str,
}

/// A database, table, bucket or queue, and what is selected in it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ScopeRow<'a> {
    /// Its address.
    pub address: &'a str,
    /// `database`, `table`, `bucket` or `queue`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What its things are called, for one and for many.
    #[serde(skip)]
    pub nouns: (&'static str, &'static str),
    /// How many things.
    pub things: u64,
    /// Their payload in bytes.
    pub bytes: u64,
}

/// A commit time in JSON.
#[derive(Serialize, Clone, Debug)]
pub struct CommitTime {
    /// The raw timestamp (HLC).
    pub hlc: u64,
    /// Its Unix milliseconds.
    pub unix_ms: u64,
    /// The same as RFC 3339.
    pub time: String,
}

impl CommitTime {
    /// `None` if the time is not known.
    pub fn of(commit_ts: u64) -> Option<Self> {
        let ts = CommitTs(commit_ts);
        (commit_ts > 0).then(|| CommitTime { hlc: ts.0, unix_ms: ts.unix_ms(), time: format_commit_ts(ts) })
    }
}

/// Bytes that are no UTF-8, in JSON.
#[derive(Serialize)]
pub(crate) struct Base64Text {
    base64: String,
}

impl Base64Text {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (mut stream, mut base64) = (Base64Stream::unpadded(), Vec::new());
        stream.push(bytes, &mut base64);
        stream.finish(&mut base64);
        Base64Text { base64: String::from_utf8_lossy(&base64).into_owned() }
    }
}

impl Row<'_> {
    /// The part of the key that is no UTF-8, if any is.
    fn raw_key(&self) -> Option<Base64Text> {
        self.thing.key.iter().find(|part| std::str::from_utf8(part).is_err()).map(|part| Base64Text::of(part))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Thing { kind, scope, size: Size { bytes, elements }, expire_at_ms, commit_ts, .. } = self.thing;
        let mut row = serializer.serialize_struct("Row", 9)?;
        row.serialize_field("address", self.address)?;
        if let Some(key) = self.raw_key() {
            row.serialize_field("key", &key)?;
        }
        row.serialize_field("adapter", kind.protocol().name())?;
        row.serialize_field("scope", &String::from_utf8_lossy(scope))?;
        row.serialize_field("type", kind.name())?;
        row.serialize_field("bytes", &bytes)?;
        if let Some(elements) = elements {
            row.serialize_field("elements", &elements)?;
        }
        row.serialize_field("expire_at_ms", &expire_at_ms)?;
        row.serialize_field("changed", &CommitTime::of(commit_ts))?;
        row.end()
    }
}

/// Lists what is selected: `render` makes a line of each, and `out` takes the lines in their order; it may end with [`Enough`].
///
/// Returns how many there were, and whether there are more. Cost: what is selected is read once. Fixed memory; what is sorted goes to
/// scratch space, about the length of the lines.
///
/// # Errors
/// As [`Source::look`]; those of `out`.
pub fn list(
    source: &mut Source,
    options: &ListOptions,
    render: &mut dyn FnMut(Listed<'_>, &mut Vec<u8>),
    out: &mut dyn FnMut(&[u8]) -> Result<()>,
    progress: &dyn Progress,
) -> Result<(Look, u64, bool)> {
    let scratch = options.resources.scratch();
    let lines = Lines {
        options,
        render,
        out,
        address: String::new(),
        line: Vec::new(),
        sorter: options.sort.map(|_| Sorter::new(Arc::clone(&scratch), SORT_BUDGET)),
        scopes: Sorter::new(Arc::clone(&scratch), SORT_BUDGET),
        open: None,
        listed: 0,
        has_more: false,
    };
    let mut lister = Lister { things: Things::default(), lines };
    let poured = source.look(&options.events, &mut lister, &scratch, progress)?;
    let mut lines = lister.lines;
    lines.finish()?;
    Ok((poured, lines.listed, lines.has_more))
}

/// A scope that is being read.
struct OpenScope {
    name: Name,
    things: u64,
    bytes: u64,
}

struct Lister<'o> {
    things: Things,
    lines: Lines<'o>,
}

impl Consumer for Lister<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let Lister { things, lines } = self;
        if lines.options.scopes {
            lines.enter(&event)?;
        }
        things.event(&event).map_or(Ok(()), |thing| lines.thing(&thing))
    }
}

/// Makes lines of things, and gives them out.
struct Lines<'o> {
    options: &'o ListOptions,
    render: &'o mut dyn FnMut(Listed<'_>, &mut Vec<u8>),
    out: &'o mut dyn FnMut(&[u8]) -> Result<()>,
    address: String,
    line: Vec<u8>,
    sorter: Option<Sorter>,
    scopes: Sorter,
    open: Option<OpenScope>,
    listed: u64,
    has_more: bool,
}

impl Lines<'_> {
    fn thing(&mut self, thing: &Thing<'_>) -> Result<()> {
        if self.options.scopes {
            if let Some(open) = &mut self.open {
                open.things = open.things.saturating_add(1);
                open.bytes = open.bytes.saturating_add(thing.size.bytes);
            }
            return Ok(());
        }
        let Lines { address, line, render, sorter, options, .. } = self;
        address.clear();
        // Writing to a string cannot fail.
        let _ = thing.address().write_to(address);
        line.clear();
        render(Listed::Thing(Row { thing: *thing, address }), line);
        match (sorter, options.sort) {
            (Some(sorter), Some(by)) => {
                sorter.push(&sort_key(by, options.reverse, thing, address), line).map_err(scratch_error)
            }
            _ => self.put(),
        }
    }

    /// Gives the line out, unless there have been enough.
    fn put(&mut self) -> Result<()> {
        if self.options.limit.is_some_and(|limit| self.listed >= limit) {
            self.has_more = true;
            return Err(Enough::error());
        }
        self.listed = self.listed.saturating_add(1);
        (self.out)(&self.line)
    }

    /// Notes the scope that an event begins or is in.
    fn enter(&mut self, event: &Event<'_>) -> Result<()> {
        let Some(protocol) = event.protocol() else { return Ok(()) };
        let scope = match event.step() {
            // What is left of a queue is none.
            Step::Scope { is_gone: true, .. } => return self.leave(),
            Step::Scope { name, .. } => name.to_vec(),
            Step::Thing { number: Some(number), .. } => number.to_string().into_bytes(),
            _ => return Ok(()),
        };
        if self.open.as_ref().is_some_and(|open| open.name.protocol == protocol && open.name.scope == scope) {
            return Ok(());
        }
        self.leave()?;
        self.open = Some(OpenScope { name: Name { protocol, scope, key: Vec::new() }, things: 0, bytes: 0 });
        Ok(())
    }

    /// Notes what is known of the scope that ends.
    fn leave(&mut self) -> Result<()> {
        let Some(OpenScope { name, things, bytes }) = self.open.take() else { return Ok(()) };
        let address = name.to_string();
        let (kind, nouns) = (name.protocol.scope_noun(), name.protocol.thing_nouns().into());
        let row = ScopeRow { address: &address, kind, nouns, things, bytes };
        self.line.clear();
        (self.render)(Listed::Scope(row), &mut self.line);
        let key = match self.options.sort {
            None | Some(SortBy::Name) => ordered(self.options.reverse, &[], &address),
            Some(by) => {
                let number = if by == SortBy::Size { bytes } else { things };
                ordered(self.options.reverse, &(!number).to_be_bytes(), &address)
            }
        };
        self.scopes.push(&key, &self.line).map_err(scratch_error)
    }

    fn finish(&mut self) -> Result<()> {
        let scratch: Arc<dyn Scratch> = self.options.resources.scratch();
        self.leave()?;
        let scopes = std::mem::replace(&mut self.scopes, Sorter::new(scratch, 0));
        for sorter in [self.sorter.take(), Some(scopes)].into_iter().flatten() {
            let mut sorted = sorter.finish().map_err(scratch_error)?;
            while let Some((_, line)) = sorted.next().map_err(scratch_error)? {
                self.line.clear();
                self.line.extend_from_slice(line);
                match self.put() {
                    Err(error) if error.get_ref().is::<Enough>() => return Ok(()),
                    put => put?,
                }
            }
        }
        Ok(())
    }
}

/// What sorts things as asked: a number, then the address, which never has a byte 0 in it.
fn sort_key(by: SortBy, reverse: bool, thing: &Thing<'_>, address: &str) -> Vec<u8> {
    let number = match by {
        SortBy::Name => return ordered(reverse, &[], address),
        SortBy::Size => !thing.size.bytes,
        SortBy::Elements => !thing.size.elements.unwrap_or(0),
        SortBy::Expiry => thing.expire_at_ms.unwrap_or(u64::MAX),
        SortBy::Changed => !thing.commit_ts,
    };
    ordered(reverse, &number.to_be_bytes(), address)
}

fn ordered(reverse: bool, number: &[u8], address: &str) -> Vec<u8> {
    let mut key = [number, address.as_bytes(), &[0]].concat();
    if reverse {
        key.iter_mut().for_each(|byte| *byte = !*byte);
    }
    key
}
