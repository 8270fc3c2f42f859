//! Keys of a live server as events.
//!
//! A key is read type by type, since no two versions of servers serialise it alike; large ones in pieces, so that the server is never held up
//! for long. Source: `docs/format/redis-live.md`, section 8.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ekv_model::redis::{CollectionKind, Element, Event, Expiry, ExpiryOrigin, ScalarKind, StreamId};
use ekv_model::{Body, ByteSource, Consumer, Event as AnyEvent};
use ekv_rdb::FieldExpiry;
use ekv_spill::{Scratch, Sorter};

use crate::connection::{Connection, Reply};
use crate::error::Result;
use crate::scan::{PAGE_TEXT, array, bulk, whole};
use crate::servers::parse_time;
use crate::wire::{Decimal, Token, put_argument, put_command, put_whole};

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
    /// What happens to hashes whose fields expire one by one; `None` = there are none.
    field_expiry: Option<FieldExpiry>,
    /// What is asked ahead, in its order.
    asked: VecDeque<(Vec<u8>, Known)>,
}

/// What is known of a key before its value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    There { kind: Vec<u8>, expire_at_ms: Option<u64> },
    Gone,
    Elsewhere,
}

/// What became of a key that was to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRead {
    /// Its events were handed on.
    Whole {
        /// Consumer groups of the stream that it is.
        groups: u64,
        /// Fields of the hash that it is that expire one by one; they were handed on without that.
        expiring_fields: u64,
    },
    /// It is not there, or not any more.
    Gone,
    /// It is of this type, which no backup has.
    Foreign(String),
    /// So many fields of it expire one by one, and that is a reason to leave it out.
    FieldsExpire(u64),
    /// Another node has it, or is about to.
    Elsewhere,
}

impl KeyRead {
    const WHOLE: KeyRead = KeyRead::Whole { groups: 0, expiring_fields: 0 };

    fn whole_if(is_there: bool) -> KeyRead {
        if is_there { KeyRead::WHOLE } else { KeyRead::Gone }
    }
}

/// The rows of a collection, put in order.
enum Rows {
    Few(BTreeMap<Vec<u8>, Vec<u8>>),
    Many(Sorter),
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
        KeyReader {
            ahead,
            after,
            scratch: Arc::clone(scratch),
            database,
            tells_expiry: version >= (7, 0),
            field_expiry: None,
            asked: VecDeque::new(),
        }
    }

    /// Asks which fields of hashes expire one by one, and does as it is told about them; `None` = does not ask.
    #[must_use]
    pub fn with_field_expiry(self, field_expiry: Option<FieldExpiry>) -> Self {
        KeyReader { field_expiry, ..self }
    }

    /// Hands these keys to `consumer`, one after the other: as many events as a key has.
    ///
    /// # Errors
    /// As [`KeyReader::ask`] and [`KeyReader::take`]; [`Error::Resharding`](crate::Error::Resharding).
    pub fn read(&mut self, keys: &[&[u8]], consumer: &mut dyn Consumer) -> Result<()> {
        self.ask(keys)?;
        while let Some((_, read)) = self.take(consumer)? {
            if read == KeyRead::Elsewhere {
                return Err(self.ahead.resharding());
            }
        }
        Ok(())
    }

    /// Asks for the types and expiries of these keys, and for the beginnings of their values. Cost: two waits for the server altogether.
    ///
    /// # Errors
    /// Of the connections.
    pub fn ask(&mut self, keys: &[&[u8]]) -> Result<()> {
        let known = self.look_up(keys)?;
        for (key, known) in keys.iter().zip(known) {
            if let Known::There { kind, .. } = &known {
                put_first(self.ahead.out(), key, kind);
                self.ahead.flush_if_full()?;
            }
            self.asked.push_back((key.to_vec(), known));
        }
        self.ahead.flush()
    }

    /// Hands the next key that was asked for to `consumer`, and says what became of it; `None` after the last one. Cost: one wait for the server for
    /// each 1000 elements, or MiB of a string, of a key that has more; memory as the longest element.
    ///
    /// # Errors
    /// Of the connections, of scratch files, and of the consumer.
    pub fn take(&mut self, consumer: &mut dyn Consumer) -> Result<Option<(Vec<u8>, KeyRead)>> {
        let Some((key, known)) = self.asked.pop_front() else { return Ok(None) };
        let Known::There { kind, expire_at_ms } = known else {
            let read = if known == Known::Gone { KeyRead::Gone } else { KeyRead::Elsewhere };
            return Ok(Some((key, read)));
        };
        let read = match kind.as_slice() {
            b"string" => KeyRead::whole_if(self.string(&key, expire_at_ms, consumer)?),
            b"list" => KeyRead::whole_if(self.list(&key, expire_at_ms, consumer)?),
            b"hash" => self.unordered(&key, expire_at_ms, CollectionKind::Hash, consumer)?,
            b"set" => self.unordered(&key, expire_at_ms, CollectionKind::Set, consumer)?,
            b"zset" => self.unordered(&key, expire_at_ms, CollectionKind::ZSet, consumer)?,
            b"stream" => self.stream(&key, expire_at_ms, consumer)?,
            _ => KeyRead::Foreign(String::from_utf8_lossy(&kind).into_owned()),
        };
        Ok(Some((key, read)))
    }

    /// Types and expiries.
    fn look_up(&mut self, keys: &[&[u8]]) -> Result<Vec<Known>> {
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
                (Reply::Error(text), _) | (_, Reply::Error(text)) if is_elsewhere(&text) => Known::Elsewhere,
                (Reply::Status(kind), Reply::Integer(_)) if kind == b"none" => Known::Gone,
                (Reply::Status(_), Reply::Integer(-2)) => Known::Gone,
                (Reply::Status(kind), Reply::Integer(-1)) => Known::There { kind, expire_at_ms: None },
                (Reply::Status(kind), Reply::Integer(ms)) => {
                    let ms = u64::try_from(ms).unwrap_or(0);
                    Known::There { kind, expire_at_ms: Some(now_ms.saturating_add(ms)) }
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
    ) -> Result<KeyRead> {
        let Some((rows, expiring_fields)) = self.rows(key, kind)? else { return Ok(KeyRead::Gone) };
        if expiring_fields > 0 && self.field_expiry == Some(FieldExpiry::Lose) {
            return Ok(KeyRead::FieldsExpire(expiring_fields));
        }
        let database = self.database;
        let mut put = |event: Event<'_>| consumer.event(AnyEvent::Redis { database, event });
        put(Event::Begin { kind, key, expire_at_ms, commit_ts: 0, size: None })?;
        match rows {
            Rows::Few(rows) => {
                for (name, value) in &rows {
                    put(Event::Element(element(self.after, kind, name, value)?))?;
                }
            }
            Rows::Many(sorter) => {
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
                    put(Event::Element(element(self.after, kind, name, value)?))?;
                    last = Some(name.to_vec());
                }
            }
        }
        put(Event::End)?;
        Ok(KeyRead::Whole { groups: 0, expiring_fields })
    }

    /// All rows, and how many fields expire one by one; `None` if there is nothing any more.
    fn rows(&mut self, key: &[u8], kind: CollectionKind) -> Result<Option<(Rows, u64)>> {
        let (command, has_value): (&[u8], bool) = match kind {
            CollectionKind::Hash => (b"HSCAN", true),
            CollectionKind::ZSet => (b"ZSCAN", true),
            _ => (b"SSCAN", false),
        };
        match self.ahead.token()? {
            Token::Array(2) => {}
            token => {
                let reply = whole(token);
                return no_value(self.ahead, "SCAN", reply).map(|_| None);
            }
        }
        let asks_fields = kind == CollectionKind::Hash && self.field_expiry.is_some();
        let (mut sorter, mut rows, mut expiring) = (None, BTreeMap::new(), 0_u64);
        let mut is_first = true;
        loop {
            let connection = if is_first { &mut *self.ahead } else { &mut *self.after };
            is_first = false;
            let cursor = bulk(connection, "SCAN")?;
            let count = array(connection, "SCAN")?;
            let mut fields: Vec<Vec<u8>> = Vec::new();
            let mut rows_len = 0_usize;
            for _ in 0..count / if has_value { 2 } else { 1 } {
                let name = bulk(connection, "SCAN")?;
                let value = if has_value { bulk(connection, "SCAN")? } else { Vec::new() };
                rows_len = rows_len.saturating_add(name.len()).saturating_add(value.len());
                if asks_fields {
                    fields.push(name.clone());
                }
                rows.insert(name, value);
                if rows_len > SORT_BUDGET {
                    push_rows(
                        sorter.get_or_insert_with(|| Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET)),
                        &mut rows,
                    )?;
                    rows_len = 0;
                }
            }
            if !fields.is_empty() {
                expiring = expiring.saturating_add(expiring_of(self.after, key, &fields)?);
            }
            if cursor == b"0" {
                break;
            }
            // More than a page: everything goes through a file where it does not fit into memory.
            push_rows(sorter.get_or_insert_with(|| Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET)), &mut rows)?;
            put_whole(self.after.out(), &[command, key, &cursor, b"COUNT", PAGE_TEXT]);
            self.after.flush()?;
            match self.after.token()? {
                Token::Array(2) => {}
                token => {
                    let reply = whole(token);
                    return Err(self.after.unexpected("SCAN", &reply));
                }
            }
        }
        match sorter {
            None if rows.is_empty() => Ok(None),
            None => Ok(Some((Rows::Few(rows), expiring))),
            Some(mut sorter) => {
                push_rows(&mut sorter, &mut rows)?;
                Ok(Some((Rows::Many(sorter), expiring)))
            }
        }
    }

    fn stream(&mut self, key: &[u8], expire_at_ms: Option<u64>, consumer: &mut dyn Consumer) -> Result<KeyRead> {
        let information = self.ahead.reply()?;
        let mut count = match self.ahead.token()? {
            Token::Array(count) => count,
            token => {
                let reply = whole(token);
                return no_value(self.ahead, "XRANGE", reply).map(KeyRead::whole_if);
            }
        };
        let Some(last) = last_id(&information) else {
            return no_value(self.ahead, "XINFO STREAM", information).map(KeyRead::whole_if);
        };
        let groups = match information_of(&information, b"groups") {
            Some(Reply::Integer(groups)) => u64::try_from(*groups).unwrap_or(0),
            _ => 0,
        };
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
        Ok(KeyRead::Whole { groups, expiring_fields: 0 })
    }
}

/// Whether an error says that another node has the key, or is about to.
fn is_elsewhere(error: &[u8]) -> bool {
    error.starts_with(b"MOVED ") || error.starts_with(b"ASK ")
}

/// How many of these fields expire one by one.
fn expiring_of(connection: &mut Connection, key: &[u8], fields: &[Vec<u8>]) -> Result<u64> {
    let count = Decimal::of(file_len(fields.len()));
    put_command(connection.out(), fields.len().saturating_add(4));
    [b"HPEXPIRETIME", key, b"FIELDS", count.text()].into_iter().for_each(|part| put_argument(connection.out(), part));
    for field in fields {
        put_argument(connection.out(), field);
        connection.flush_if_full()?;
    }
    connection.flush()?;
    match connection.reply()? {
        Reply::Array(times) => Ok(file_len(times.iter().filter(|time| matches!(time, Reply::Integer(0..))).count())),
        // The hash has gone away meanwhile.
        Reply::Nil => Ok(0),
        Reply::Error(text) => Err(connection.refused(b"HPEXPIRETIME", String::from_utf8_lossy(&text).into_owned())),
        reply => Err(connection.unexpected("HPEXPIRETIME", &reply)),
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
        Reply::Error(text) if is_elsewhere(&text) => Err(connection.resharding()),
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

fn element<'e>(connection: &Connection, kind: CollectionKind, name: &'e [u8], value: &'e [u8]) -> Result<Element<'e>> {
    Ok(match kind {
        CollectionKind::Hash => Element::Field { name, value: Body::Inline(value) },
        CollectionKind::ZSet => {
            let score = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            let score = score.ok_or_else(|| connection.unexpected("ZSCAN", &Reply::Bulk(value.to_vec())))?;
            Element::Scored { member: name, score }
        }
        _ => Element::Member(name),
    })
}

/// What a reply of XINFO STREAM has under a name.
fn information_of<'r>(information: &'r Reply, wanted: &[u8]) -> Option<&'r Reply> {
    let Reply::Array(fields) = information else { return None };
    let (pairs, _) = fields.as_chunks::<2>();
    pairs.iter().find_map(|[name, value]| (*name == Reply::Bulk(wanted.to_vec())).then_some(value))
}

fn last_id(information: &Reply) -> Option<StreamId> {
    match information_of(information, b"last-generated-id")? {
        Reply::Bulk(id) => parse_id(id),
        _ => None,
    }
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
