//! Large keys: written under a name of ours, and renamed when they are whole.
//!
//! Source: `docs/format/redis-live.md`, section 4.

use std::collections::VecDeque;

use ekv_model::Body;
use ekv_model::redis::{CollectionKind, Element, StreamId};

use crate::connection::{Connection, Reply};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::verdict::{Verdict, verdict};
use crate::wire::{BULK_LEN_MAX, put_argument, put_argument_len, put_command, put_number, put_whole};

/// Elements of one command, or entries of one transaction.
const CHUNK_ELEMENTS: usize = 512;
/// Bytes of arguments of one command; a longer element goes alone.
const CHUNK_BYTES: usize = 64 << 10;
/// Transactions that are under way.
const GROUPS_MAX: usize = 16;
/// How long a key of ours lives that nobody goes on with, in milliseconds.
const LEASE_MS: u64 = 3_600_000;
/// A group of readers by which an empty stream comes into being.
const READERS: &[u8] = b"ekv-load";

/// How a large key is written.
pub(crate) struct Builder<'b> {
    /// The name under which it is made.
    pub(crate) temporary: &'b [u8],
    /// Its own name.
    pub(crate) name: &'b [u8],
    /// Expiry in Unix milliseconds.
    pub(crate) expire_at_ms: Option<u64>,
    /// Whether a key of this name is left as it is.
    pub(crate) is_new: bool,
    /// Whether it is removed before this one is made, if it is not left.
    pub(crate) replaces_first: bool,
}

/// Why no server can be given a collection by commands, if none can: what it would do with half of it is not tried.
pub(crate) fn refusal(draft: &Draft) -> Result<Option<String>> {
    let mut reader = draft.reader();
    let (mut last_id, mut fields) = (StreamId::default(), 0_u64);
    let is_long = |len: u64| len > BULK_LEN_MAX;
    while let Some(element) = reader.next()? {
        let why = match element {
            Element::Field { name, value } => is_long(file_len(name.len())) || is_long(value.len()),
            Element::Item(value) => is_long(value.len()),
            Element::Member(member) => is_long(file_len(member.len())),
            Element::Scored { score, .. } if score.is_nan() => {
                return Ok(Some("a score that is not a number".to_owned()));
            }
            Element::Scored { member, .. } => is_long(file_len(member.len())),
            Element::EntryBegin(id) => {
                if id <= last_id {
                    return Ok(Some(format!(
                        "an entry with the id {}-{}, which no command can write there",
                        id.ms, id.seq
                    )));
                }
                (last_id, fields) = (id, 0);
                false
            }
            Element::EntryField { name, value } => {
                fields = fields.saturating_add(1);
                is_long(name.len()) || is_long(value.len())
            }
            Element::EntryEnd if fields == 0 => {
                return Ok(Some("an entry without fields, which no command can write".to_owned()));
            }
            Element::EntryEnd => false,
        };
        if why {
            return Ok(Some(format!("an element of more than {BULK_LEN_MAX} bytes")));
        }
    }
    Ok(match draft.kind() {
        CollectionKind::Stream { last } if last < last_id => {
            Some("its last id is below that of its newest entry".to_owned())
        }
        CollectionKind::Stream { .. } => None,
        _ if draft.elements() == 0 => Some("it has no elements, and servers have no empty collections".to_owned()),
        _ => None,
    })
}

impl Builder<'_> {
    /// Writes it. What is made halfway is removed, or vanishes within an hour where the connection is lost.
    ///
    /// # Errors
    /// Of the connection, and of scratch files.
    pub(crate) fn build(&self, connection: &mut Connection, draft: &Draft) -> Result<Verdict> {
        if self.is_new {
            match is_there(connection, self.name)? {
                Ok(false) => {}
                Ok(true) => return Ok(Verdict::Exists),
                Err(verdict) => return Ok(verdict),
            }
        }
        match is_there(connection, self.temporary)? {
            Ok(false) => {}
            Ok(true) => return Ok(Verdict::Foreign("a temporary name is taken".to_owned())),
            Err(verdict) => return Ok(verdict),
        }
        if self.replaces_first
            && !self.is_new
            && let Reply::Error(text) = connection.call(&[b"UNLINK", self.name])?
        {
            return Ok(verdict(&text));
        }
        let mut groups = Groups { connection, temporary: self.temporary, waiting: VecDeque::new(), failed: None };
        self.fill(&mut groups, draft)?;
        groups.wait(0)?;
        let failed = groups.failed.take();
        let verdict = match failed {
            Some(failed) => failed,
            None => self.rename(connection)?,
        };
        if verdict != Verdict::Written {
            connection.call(&[b"UNLINK", self.temporary])?;
        }
        Ok(verdict)
    }

    fn fill(&self, groups: &mut Groups<'_>, draft: &Draft) -> Result<()> {
        let command: &[u8] = match draft.kind() {
            CollectionKind::Hash => b"HSET",
            CollectionKind::List => b"RPUSH",
            CollectionKind::Set => b"SADD",
            CollectionKind::ZSet => b"ZADD",
            CollectionKind::Stream { last } => return self.fill_stream(groups, draft, last),
        };
        let mut arguments = Arguments::default();
        let mut reader = draft.reader();
        while let Some(element) = reader.next()? {
            if groups.failed.is_some() {
                return Ok(());
            }
            let score;
            let parts: &[Body<'_>] = match &element {
                Element::Field { name, value } => &[Body::Inline(name), *value],
                Element::Item(value) => &[*value],
                Element::Member(member) => &[Body::Inline(member)],
                Element::Scored { member, score: number } => {
                    score = format_score(*number);
                    &[Body::Inline(score.as_bytes()), Body::Inline(member)]
                }
                Element::EntryBegin(_) | Element::EntryField { .. } | Element::EntryEnd => continue,
            };
            if parts.iter().map(Body::len).fold(0, u64::saturating_add) > file_len(CHUNK_BYTES) {
                groups.put_chunk(command, &mut arguments)?;
                groups.begin()?;
                put_command(groups.connection.out(), parts.len().saturating_add(2));
                put_argument(groups.connection.out(), command);
                put_argument(groups.connection.out(), self.temporary);
                parts.iter().try_for_each(|part| put_body(groups.connection, *part))?;
                groups.end(1)?;
                continue;
            }
            parts.iter().try_for_each(|part| arguments.put(*part))?;
            arguments.elements = arguments.elements.saturating_add(1);
            if arguments.is_full() {
                groups.put_chunk(command, &mut arguments)?;
            }
        }
        groups.put_chunk(command, &mut arguments)
    }

    /// A stream: an entry a command, then its last id.
    fn fill_stream(&self, groups: &mut Groups<'_>, draft: &Draft, last: StreamId) -> Result<()> {
        let id_text = |id: StreamId| format!("{}-{}", id.ms, id.seq);
        if draft.elements() == 0 {
            groups.begin()?;
            put_whole(groups.connection.out(), &[b"XGROUP", b"CREATE", self.temporary, READERS, b"$", b"MKSTREAM"]);
            put_whole(groups.connection.out(), &[b"XGROUP", b"DESTROY", self.temporary, READERS]);
            groups.end(2)?;
        }
        let (mut entry, mut id, mut commands) = (Arguments::default(), String::new(), 0);
        let mut reader = draft.reader();
        while let Some(element) = reader.next()? {
            match element {
                Element::EntryBegin(next) => id = id_text(next),
                Element::EntryField { name, value } => {
                    entry.put(name)?;
                    entry.put(value)?;
                }
                Element::EntryEnd => {
                    if commands == 0 {
                        groups.begin()?;
                    }
                    let out = groups.connection.out();
                    put_command(out, entry.count.saturating_add(3));
                    [b"XADD", self.temporary, id.as_bytes()].into_iter().for_each(|part| put_argument(out, part));
                    out.append(&mut entry.bytes);
                    entry = Arguments::default();
                    commands += 1;
                    groups.connection.flush_if_full()?;
                    if commands >= CHUNK_ELEMENTS {
                        groups.end(std::mem::take(&mut commands))?;
                        if groups.failed.is_some() {
                            return Ok(());
                        }
                    }
                }
                _ => {}
            }
        }
        if commands > 0 {
            groups.end(commands)?;
        }
        groups.begin()?;
        put_whole(groups.connection.out(), &[b"XSETID", self.temporary, id_text(last).as_bytes()]);
        groups.end(1)
    }

    /// Gives it its expiry and its name, in one step.
    fn rename(&self, connection: &mut Connection) -> Result<Verdict> {
        let out = connection.out();
        put_whole(out, &[b"MULTI"]);
        match self.expire_at_ms {
            Some(at_ms) => {
                put_command(out, 3);
                put_argument(out, b"PEXPIREAT");
                put_argument(out, self.temporary);
                put_number(out, at_ms);
            }
            None => put_whole(out, &[b"PERSIST", self.temporary]),
        }
        let rename: &[u8] = if self.is_new { b"RENAMENX" } else { b"RENAME" };
        put_whole(out, &[rename, self.temporary, self.name]);
        put_whole(out, &[b"EXEC"]);
        connection.flush()?;
        let (replies, failed) = transaction(connection, 2)?;
        if let Some(failed) = failed {
            // With an expiry that passed a moment ago there is nothing left to be renamed, and nothing missing.
            let has_passed = matches!(&failed, Verdict::Failed(text) if text.contains("no such key"));
            return Ok(if has_passed && self.expire_at_ms.is_some() { Verdict::Written } else { failed });
        }
        match replies.last() {
            Some(Reply::Integer(0)) if self.is_new => Ok(Verdict::Exists),
            Some(Reply::Integer(1)) if self.is_new => Ok(Verdict::Written),
            Some(reply) if reply.is_status("OK") && !self.is_new => Ok(Verdict::Written),
            reply => Err(connection.unexpected("RENAME", reply.unwrap_or(&Reply::Nil))),
        }
    }
}

/// Transactions under way: each chunk together with a new lease of the temporary key, so that no order of events leaves one without.
struct Groups<'g> {
    connection: &'g mut Connection,
    temporary: &'g [u8],
    /// Commands of each that is waited for.
    waiting: VecDeque<usize>,
    failed: Option<Verdict>,
}

impl Groups<'_> {
    fn begin(&mut self) -> Result<()> {
        put_whole(self.connection.out(), &[b"MULTI"]);
        Ok(())
    }

    /// Ends one of `commands` commands.
    fn end(&mut self, commands: usize) -> Result<()> {
        let out = self.connection.out();
        put_command(out, 3);
        put_argument(out, b"PEXPIRE");
        put_argument(out, self.temporary);
        put_number(out, LEASE_MS);
        put_whole(out, &[b"EXEC"]);
        self.waiting.push_back(commands.saturating_add(1));
        self.connection.flush_if_full()?;
        if self.waiting.len() >= GROUPS_MAX { self.wait(GROUPS_MAX / 2) } else { Ok(()) }
    }

    /// One command with these arguments, if there are any.
    fn put_chunk(&mut self, command: &[u8], arguments: &mut Arguments) -> Result<()> {
        if arguments.count == 0 {
            return Ok(());
        }
        self.begin()?;
        let out = self.connection.out();
        put_command(out, arguments.count.saturating_add(2));
        put_argument(out, command);
        put_argument(out, self.temporary);
        out.append(&mut arguments.bytes);
        *arguments = Arguments::default();
        self.end(1)
    }

    /// Waits until at most `left` are under way.
    fn wait(&mut self, left: usize) -> Result<()> {
        self.connection.flush()?;
        while self.waiting.len() > left {
            let Some(commands) = self.waiting.pop_front() else { break };
            let (_, failed) = transaction(self.connection, commands)?;
            if self.failed.is_none() {
                self.failed = failed;
            }
        }
        Ok(())
    }
}

/// Arguments of a command that is being gathered.
#[derive(Default)]
struct Arguments {
    bytes: Vec<u8>,
    count: usize,
    elements: usize,
}

impl Arguments {
    fn put(&mut self, part: Body<'_>) -> Result<()> {
        put_argument_len(&mut self.bytes, part.len());
        part.for_each_chunk(|chunk| {
            self.bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        self.bytes.extend_from_slice(b"\r\n");
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.elements >= CHUNK_ELEMENTS || self.bytes.len() >= CHUNK_BYTES
    }
}

/// The replies of a transaction of `commands` commands, and the first error in it: that of a command which was not taken comes before what
/// `EXEC` says of it.
fn transaction(connection: &mut Connection, commands: usize) -> Result<(Vec<Reply>, Option<Verdict>)> {
    let mut failed = None;
    for _ in 0..=commands {
        let reply = connection.reply()?;
        match &reply {
            Reply::Error(text) => {
                failed.get_or_insert_with(|| verdict(text));
            }
            Reply::Status(_) => {}
            reply => return Err(connection.unexpected("MULTI", reply)),
        }
    }
    match connection.reply()? {
        Reply::Array(replies) => {
            let inner = replies.iter().find_map(|reply| match reply {
                Reply::Error(text) => Some(verdict(text)),
                _ => None,
            });
            let failed = failed.or(inner);
            if failed.is_none() && replies.len() != commands {
                return Err(connection.unexpected("EXEC", &Reply::Array(replies)));
            }
            Ok((replies, failed))
        }
        Reply::Error(text) => Ok((Vec::new(), Some(failed.unwrap_or_else(|| verdict(&text))))),
        reply => Err(connection.unexpected("EXEC", &reply)),
    }
}

/// Whether there is a key of this name, or what the server says instead.
fn is_there(connection: &mut Connection, name: &[u8]) -> Result<Result<bool, Verdict>> {
    match connection.call(&[b"EXISTS", name])? {
        Reply::Integer(count) => Ok(Ok(count > 0)),
        Reply::Error(text) => Ok(Err(verdict(&text))),
        reply => Err(connection.unexpected("EXISTS", &reply)),
    }
}

/// `SET` with a value of any length.
pub(crate) fn put_long_text(
    connection: &mut Connection,
    name: &[u8],
    body: Body<'_>,
    expire_at_ms: Option<u64>,
    is_new: bool,
) -> Result<()> {
    let out = connection.out();
    put_command(out, 3 + 2 * usize::from(expire_at_ms.is_some()) + usize::from(is_new));
    put_argument(out, b"SET");
    put_argument(out, name);
    put_body(connection, body)?;
    put_expiry_and_newness(connection.out(), expire_at_ms, is_new);
    connection.flush()
}

/// The end of a `SET`.
pub(crate) fn put_expiry_and_newness(out: &mut Vec<u8>, expire_at_ms: Option<u64>, is_new: bool) {
    if let Some(at_ms) = expire_at_ms {
        put_argument(out, b"PXAT");
        put_number(out, at_ms);
    }
    if is_new {
        put_argument(out, b"NX");
    }
}

/// An argument of any length.
fn put_body(connection: &mut Connection, body: Body<'_>) -> Result<()> {
    put_argument_len(connection.out(), body.len());
    let mut failed = Ok(());
    body.for_each_chunk(|chunk| {
        connection.out().extend_from_slice(chunk);
        failed = connection.flush_if_full();
        match &failed {
            Ok(()) => Ok(()),
            // Ends the reading; what is said of it is the error of the connection.
            Err(_) => Err(ekv_model::Error::new(ekv_model::Class::WriteIo, "the connection was lost")),
        }
    })
    .map_or_else(|error| failed.and(Err(Error::from(error))), |()| Ok(()))?;
    connection.out().extend_from_slice(b"\r\n");
    Ok(())
}

/// The shortest decimal text that is read back as this number, as the server reads it.
fn format_score(score: f64) -> String {
    match score {
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        score => format!("{score:e}"),
    }
}

fn file_len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
