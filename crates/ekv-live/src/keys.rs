//! Keys of a live server as events.
//!
//! A key is read type by type, since no two versions of servers serialise it alike; large ones in pieces, so that the server is never held up
//! for long. Source: `docs/format/redis-live.md`, section 8.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::redis::{CollectionKind, Element, Event, Expiry, ExpiryOrigin, ScalarKind, StreamId};
use ekv_model::{Body, ByteSource, Consumer, Event as AnyEvent};
use ekv_spill::{Scratch, Sorter};

use crate::connection::{Connection, Reply};
use crate::error::Result;
use crate::scan::{PAGE_TEXT, array, bulk, whole};
use crate::servers::parse_time;
use crate::wire::{Decimal, Token, put_whole};

/// Bytes of a string that are asked for at a time.
const PIECE_LEN: u64 = 1 << 20;
/// Elements of a collection that are asked for at a time.
const PAGE: usize = 1000;
/// Memory for putting the elements of a collection in order, in bytes.
const SORT_BUDGET: usize = 4 << 20;
/// Longest value that is sorted with its name; longer ones are asked for once more.
const SORTED_LEN_MAX: usize = 1 << 20;
/// A value that stands in a row.
const IN_ROW: u8 = 0;
/// A value that has to be asked for.
const NOT_IN_ROW: u8 = 1;

/// Reads keys from one node.
pub struct KeyReader<'c> {
    /// Replies to what was asked ahead.
    ahead: &'c mut Connection,
    /// What follows up.
    after: &'c mut Connection,
    scratch: Arc<dyn Scratch>,
    database: u32,
    /// Whether the server says when a key expires; older ones say how long it has.
    tells_expiry: bool,
}

/// What is known of a key before its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    kind: Vec<u8>,
    expire_at_ms: Option<u64>,
}

/// What became of the keys that were to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Keys that were not there, or not any more.
    pub gone: u64,
    /// Keys of types that cannot be read, with the type.
    pub foreign: Vec<(Vec<u8>, String)>,
}

impl<'c> KeyReader<'c> {
    /// A reader over two connections to the same node.
    pub fn new(
        ahead: &'c mut Connection,
        after: &'c mut Connection,
        scratch: &Arc<dyn Scratch>,
        database: u32,
        version: (u64, u64),
    ) -> Self {
        KeyReader { ahead, after, scratch: Arc::clone(scratch), database, tells_expiry: version >= (7, 0) }
    }

    /// Hands these keys to `consumer`, one after the other: as many events as a key has. Cost: two waits for the server altogether, one more for
    /// each 1000 elements, or MiB of a string, of a key with more; memory as the longest element.
    ///
    /// # Errors
    /// Of the connections, of scratch files, and of the consumer.
    pub fn read(&mut self, keys: &[&[u8]], consumer: &mut dyn Consumer) -> Result<Unread> {
        let known = self.look_up(keys)?;
        let mut unread = Unread::default();
        for (key, known) in keys.iter().zip(&known) {
            if let Some(known) = known {
                put_first(self.ahead.out(), key, &known.kind);
                self.ahead.flush_if_full()?;
            }
        }
        self.ahead.flush()?;
        for (key, known) in keys.iter().zip(known) {
            let Some(Known { kind, expire_at_ms }) = known else {
                unread.gone = unread.gone.saturating_add(1);
                continue;
            };
            let is_there = match kind.as_slice() {
                b"string" => self.string(key, expire_at_ms, consumer)?,
                b"list" => self.list(key, expire_at_ms, consumer)?,
                b"hash" => self.unordered(key, expire_at_ms, CollectionKind::Hash, consumer)?,
                b"set" => self.unordered(key, expire_at_ms, CollectionKind::Set, consumer)?,
                b"zset" => self.unordered(key, expire_at_ms, CollectionKind::ZSet, consumer)?,
                b"stream" => self.stream(key, expire_at_ms, consumer)?,
                _ => {
                    unread.foreign.push((key.to_vec(), String::from_utf8_lossy(&kind).into_owned()));
                    continue;
                }
            };
            unread.gone = unread.gone.saturating_add(u64::from(!is_there));
        }
        Ok(unread)
    }

    /// Types and expiries.
    fn look_up(&mut self, keys: &[&[u8]]) -> Result<Vec<Option<Known>>> {
        let command: &[u8] = if self.tells_expiry { b"PEXPIRETIME" } else { b"PTTL" };
        if !self.tells_expiry {
            put_whole(self.ahead.out(), &[b"TIME"]);
        }
        for key in keys {
            put_whole(self.ahead.out(), &[b"TYPE", key]);
            put_whole(self.ahead.out(), &[command, key]);
        }
        self.ahead.flush()?;
        let now_ms = match self.tells_expiry {
            true => 0,
            false => {
                let reply = self.ahead.reply()?;
                parse_time(&reply).ok_or_else(|| self.ahead.unexpected("TIME", &reply))?
            }
        };
        let mut known = Vec::new();
        for _ in keys {
            let (kind, expiry) = (self.ahead.reply()?, self.ahead.reply()?);
            known.push(match (kind, expiry) {
                (Reply::Status(kind), Reply::Integer(_)) if kind == b"none" => None,
                (Reply::Status(_), Reply::Integer(-2)) => None,
                (Reply::Status(kind), Reply::Integer(-1)) => Some(Known { kind, expire_at_ms: None }),
                (Reply::Status(kind), Reply::Integer(ms)) => {
                    let ms = u64::try_from(ms).unwrap_or(0);
                    Some(Known { kind, expire_at_ms: Some(now_ms.saturating_add(ms)) })
                }
                (Reply::Error(text), _) | (_, Reply::Error(text)) => {
                    return Err(self.ahead.refused(b"TYPE", String::from_utf8_lossy(&text).into_owned()));
                }
                (reply, _) => return Err(self.ahead.unexpected("TYPE", &reply)),
            });
        }
        Ok(known)
    }

    fn string(&mut self, key: &[u8], expire_at_ms: Option<u64>, consumer: &mut dyn Consumer) -> Result<bool> {
        let bytes = match self.ahead.reply()? {
            Reply::Bulk(bytes) => bytes,
            reply => return no_value(self.ahead, "GETRANGE", reply),
        };
        let long;
        let body = match file_len(bytes.len()) < PIECE_LEN {
            true => Body::Inline(&bytes),
            false => {
                let len = match self.after.ask(&[b"STRLEN", key])? {
                    Reply::Integer(len) => u64::try_from(len).unwrap_or(0),
                    reply => return Err(self.after.unexpected("STRLEN", &reply)),
                };
                long = LongString { connection: RefCell::new(self.after), key, len };
                Body::Streamed(&long)
            }
        };
        let expiry = expire_at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
        let kind = ScalarKind::String;
        let event = Event::Scalar { kind, key, body, expiry, commit_ts: 0 };
        consumer.event(AnyEvent::Redis { database: self.database, event })?;
        Ok(true)
    }

    fn list(&mut self, key: &[u8], expire_at_ms: Option<u64>, consumer: &mut dyn Consumer) -> Result<bool> {
        let database = self.database;
        let mut put = |event: Event<'_>| consumer.event(AnyEvent::Redis { database, event });
        let mut count = match self.ahead.token()? {
            Token::Array(0) => return Ok(false),
            Token::Array(count) => count,
            token => {
                let reply = whole(token);
                return no_value(self.ahead, "LRANGE", reply);
            }
        };
        put(Event::Begin { kind: CollectionKind::List, key, expire_at_ms, commit_ts: 0, size: None })?;
        let (mut connection, mut start) = (&mut *self.ahead, 0_u64);
        loop {
            for _ in 0..count {
                let item = bulk(connection, "LRANGE")?;
                put(Event::Element(Element::Item(Body::Inline(&item))))?;
            }
            if count < file_len(PAGE) {
                break;
            }
            connection = &mut *self.after;
            start = start.saturating_add(count);
            let (from, to) = (Decimal::of(start), Decimal::of(start.saturating_add(file_len(PAGE) - 1)));
            put_whole(connection.out(), &[b"LRANGE", key, from.text(), to.text()]);
            connection.flush()?;
            count = array(connection, "LRANGE")?;
        }
        put(Event::End)?;
        Ok(true)
    }

    /// A hash, set or sorted set: put in order, since servers give them in any.
    fn unordered(
        &mut self,
        key: &[u8],
        expire_at_ms: Option<u64>,
        kind: CollectionKind,
        consumer: &mut dyn Consumer,
    ) -> Result<bool> {
        let (command, has_value): (&[u8], bool) = match kind {
            CollectionKind::Hash => (b"HSCAN", true),
            CollectionKind::ZSet => (b"ZSCAN", true),
            _ => (b"SSCAN", false),
        };
        match self.ahead.token()? {
            Token::Array(2) => {}
            token => {
                let reply = whole(token);
                return no_value(self.ahead, "SCAN", reply);
            }
        }
        let mut sorter = None;
        let mut rows = BTreeMap::new();
        let mut connection = &mut *self.ahead;
        loop {
            let cursor = bulk(connection, "SCAN")?;
            let count = array(connection, "SCAN")?;
            for _ in 0..count / if has_value { 2 } else { 1 } {
                let name = bulk(connection, "SCAN")?;
                let value = if has_value { bulk(connection, "SCAN")? } else { Vec::new() };
                rows.insert(name, value);
            }
            if cursor == b"0" {
                break;
            }
            // More than a page: everything goes through a file where it does not fit into memory.
            let sorter = sorter.get_or_insert_with(|| Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET));
            push_rows(sorter, &mut rows)?;
            connection = &mut *self.after;
            put_whole(connection.out(), &[command, key, &cursor, b"COUNT", PAGE_TEXT]);
            connection.flush()?;
            match connection.token()? {
                Token::Array(2) => {}
                token => {
                    let reply = whole(token);
                    return Err(self.after.unexpected("SCAN", &reply));
                }
            }
        }
        let database = self.database;
        let mut put = |event: Event<'_>| consumer.event(AnyEvent::Redis { database, event });
        if rows.is_empty() && sorter.is_none() {
            return Ok(false);
        }
        put(Event::Begin { kind, key, expire_at_ms, commit_ts: 0, size: None })?;
        let Some(mut sorter) = sorter else {
            for (name, value) in &rows {
                put(Event::Element(element(kind, name, value)))?;
            }
            put(Event::End)?;
            return Ok(true);
        };
        push_rows(&mut sorter, &mut rows)?;
        let mut sorted = sorter.finish()?;
        let mut last = None;
        while let Some((name, row)) = sorted.next()? {
            // A name may come more than once while the server moves things.
            if last.as_deref() == Some(name) {
                continue;
            }
            let asked;
            let value = match row.split_first() {
                Some((&IN_ROW, value)) => value,
                _ => {
                    asked = match self.after.ask(&[b"HGET", key, name])? {
                        Reply::Bulk(value) => value,
                        _ => continue,
                    };
                    &asked
                }
            };
            put(Event::Element(element(kind, name, value)))?;
            last = Some(name.to_vec());
        }
        put(Event::End)?;
        Ok(true)
    }

    fn stream(&mut self, key: &[u8], expire_at_ms: Option<u64>, consumer: &mut dyn Consumer) -> Result<bool> {
        let information = self.ahead.reply()?;
        let mut count = match self.ahead.token()? {
            Token::Array(count) => count,
            token => {
                let reply = whole(token);
                return no_value(self.ahead, "XRANGE", reply);
            }
        };
        let last = last_id(&information);
        let Some(last) = last else { return no_value(self.ahead, "XINFO STREAM", information) };
        let database = self.database;
        let mut put = |event: Event<'_>| consumer.event(AnyEvent::Redis { database, event });
        let kind = CollectionKind::Stream { last };
        put(Event::Begin { kind, key, expire_at_ms, commit_ts: 0, size: None })?;
        let mut connection = &mut *self.ahead;
        loop {
            let mut newest = StreamId::default();
            for _ in 0..count {
                let entry = array(connection, "XRANGE")?;
                let id = bulk(connection, "XRANGE")?;
                newest = parse_id(&id)
                    .filter(|_| entry == 2)
                    .ok_or_else(|| connection.unexpected("XRANGE", &Reply::Bulk(id.clone())))?;
                put(Event::Element(Element::EntryBegin(newest)))?;
                for _ in 0..array(connection, "XRANGE")? / 2 {
                    let (name, value) = (bulk(connection, "XRANGE")?, bulk(connection, "XRANGE")?);
                    let (name, value) = (Body::Inline(&name), Body::Inline(&value));
                    put(Event::Element(Element::EntryField { name, value }))?;
                }
                put(Event::Element(Element::EntryEnd))?;
            }
            let next = next_id(newest).filter(|_| count == file_len(PAGE));
            let Some(next) = next else { break };
            connection = &mut *self.after;
            put_whole(connection.out(), &[b"XRANGE", key, next.as_bytes(), b"+", b"COUNT", PAGE_TEXT]);
            connection.flush()?;
            count = array(connection, "XRANGE")?;
        }
        put(Event::End)?;
        Ok(true)
    }
}

/// The command that begins to read a value.
fn put_first(out: &mut Vec<u8>, key: &[u8], kind: &[u8]) {
    let scan = |out: &mut Vec<u8>, command| put_whole(out, &[command, key, b"0", b"COUNT", PAGE_TEXT]);
    match kind {
        b"string" => put_whole(out, &[b"GETRANGE", key, b"0", Decimal::of(PIECE_LEN - 1).text()]),
        b"list" => put_whole(out, &[b"LRANGE", key, b"0", Decimal::of(file_len(PAGE) - 1).text()]),
        b"hash" => scan(out, b"HSCAN"),
        b"set" => scan(out, b"SSCAN"),
        b"zset" => scan(out, b"ZSCAN"),
        b"stream" => {
            put_whole(out, &[b"XINFO", b"STREAM", key]);
            put_whole(out, &[b"XRANGE", key, b"-", b"+", b"COUNT", PAGE_TEXT]);
        }
        _ => {}
    }
}

/// A key that was deleted, or became something else, since its type was asked for, is not there; any other error is one.
fn no_value(connection: &Connection, command: &str, reply: Reply) -> Result<bool> {
    match reply {
        Reply::Nil => Ok(false),
        Reply::Error(text) if text.starts_with(b"WRONGTYPE") || text.starts_with(b"ERR no such key") => Ok(false),
        Reply::Error(text) => Err(connection.refused(command.as_bytes(), String::from_utf8_lossy(&text).into_owned())),
        reply => Err(connection.unexpected(command, &reply)),
    }
}

fn push_rows(sorter: &mut Sorter, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<()> {
    for (name, mut value) in std::mem::take(rows) {
        let is_in_row = value.len() <= SORTED_LEN_MAX;
        if !is_in_row {
            value.clear();
        }
        value.insert(0, if is_in_row { IN_ROW } else { NOT_IN_ROW });
        sorter.push(&name, &value)?;
    }
    Ok(())
}

fn element<'e>(kind: CollectionKind, name: &'e [u8], value: &'e [u8]) -> Element<'e> {
    match kind {
        CollectionKind::Hash => Element::Field { name, value: Body::Inline(value) },
        CollectionKind::ZSet => {
            let score = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            Element::Scored { member: name, score: score.unwrap_or(f64::NAN) }
        }
        _ => Element::Member(name),
    }
}

/// The last id in a reply of XINFO STREAM.
fn last_id(information: &Reply) -> Option<StreamId> {
    let Reply::Array(fields) = information else { return None };
    let (pairs, _) = fields.as_chunks::<2>();
    pairs.iter().find_map(|[name, value]| match (name, value) {
        (Reply::Bulk(name), Reply::Bulk(id)) if name == b"last-generated-id" => parse_id(id),
        _ => None,
    })
}

fn parse_id(text: &[u8]) -> Option<StreamId> {
    let (ms, seq) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some(StreamId { ms: ms.parse().ok()?, seq: seq.parse().ok()? })
}

/// The lowest id above another one.
fn next_id(id: StreamId) -> Option<String> {
    let next = match id.seq.checked_add(1) {
        Some(seq) => StreamId { ms: id.ms, seq },
        None => StreamId { ms: id.ms.checked_add(1)?, seq: 0 },
    };
    Some(format!("{}-{}", next.ms, next.seq))
}

fn file_len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A string on a server, read in pieces.
struct LongString<'c> {
    connection: RefCell<&'c mut Connection>,
    key: &'c [u8],
    len: u64,
}

impl ByteSource for LongString<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        let last = offset.saturating_add(file_len(buf.len())).saturating_sub(1);
        let mut connection = self.connection.borrow_mut();
        let (from, to) = (Decimal::of(offset), Decimal::of(last));
        match connection.ask(&[b"GETRANGE", self.key, from.text(), to.text()]).map_err(ekv_model::Error::from)? {
            Reply::Bulk(bytes) if bytes.len() == buf.len() => {
                buf.copy_from_slice(&bytes);
                Ok(())
            }
            reply => Err(connection.unexpected("GETRANGE", &reply).into()),
        }
    }
}
