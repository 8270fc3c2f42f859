//! Keys on their way to a server: many at a time, each whole or not at all, whatever is answered.
//!
//! Source: `docs/format/redis-live.md`, sections 3 to 6.

use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use ekv_model::redis::{Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Body, Consumer, Event as AnyEvent, Kind};
use ekv_rdb::{Encoded, Encoder, Refusal};
use ekv_spill::Scratch;

use crate::address::Endpoint;
use crate::build::{Builder, put_expiry_and_newness, put_long_text, refusal};
use crate::clock::Clock;
use crate::connection::{Connection, Reply};
use crate::draft::{Draft, SMALL_LEN_MAX};
use crate::error::{Error, Result};
use crate::keys::KeyReader;
use crate::servers::Servers;
use crate::slots::{slot, tag};
use crate::verdict::{Verdict, verdict};
use crate::wire::{put_argument, put_command, put_number, put_whole};

/// Bytes of commands that are under way to one server.
const WINDOW_LEN: usize = 1 << 20;
/// Replies that are waited for from one server.
const WINDOW_REPLIES: usize = 16384;
/// Longest string that is kept until its reply has come.
pub const TEXT_LEN_MAX: u64 = 512 << 10;
/// Longest string a server takes, in bytes.
pub const STRING_LEN_MAX: u64 = 512 << 20;
/// How long to wait before each further try, in seconds; the last one for all that follow.
const DELAYS_S: [u64; 6] = [1, 2, 4, 8, 16, 30];
/// How long a server that will take writes later is waited for altogether.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Least bytes of commands that are under way to a server that lets others wait.
const WINDOW_LEN_MIN: usize = 4 << 10;
/// How often it is asked how long others wait.
const GAUGE_EVERY: Duration = Duration::from_millis(100);
/// Shortest pause to keep a rate.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Names of ours that are tried.
const NAMES_MAX: u32 = 3;

/// What happens to a key that the target has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExists {
    /// The run ends there.
    Fail,
    /// It is left as it is.
    Skip,
    /// It is replaced in one step.
    Replace,
}

/// How collections are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Small ones by `RESTORE`, large ones by commands; all by commands if the server does not take the former.
    Auto,
    /// All by commands.
    Commands,
    /// As [`Method::Auto`], but a server that does not take `RESTORE` ends the run.
    Restore,
}

/// How keys are written.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// What happens to those that are there.
    pub on_exists: OnExists,
    /// How collections are written.
    pub method: Method,
    /// Names the run in temporary keys.
    pub run: String,
    /// Keys per second at most.
    pub rate: Option<NonZeroU64>,
    /// Bytes per second at most.
    pub bandwidth: Option<NonZeroU64>,
    /// How long another client may have to wait for an answer; where it takes longer, less is under way at once.
    pub latency_max: Option<Duration>,
    /// Connections to each node; a key stays on one.
    pub connections: NonZeroUsize,
    /// Whether a large key that is there is removed before the new one is made, where keys are replaced: less memory, and a gap.
    pub replaces_first: bool,
    /// Version of Redis that the target is compatible with.
    pub version: (u64, u64),
    /// The clock of the target when the run began, in Unix milliseconds.
    pub target_ms: u64,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there, whole.
    Loaded,
    /// The target had it, and keeps what it had.
    Existed,
    /// It had expired by the clock of the target and was not sent.
    Expired,
    /// It could not be written, for this reason.
    Failed(String),
}

/// A key that is done.
#[derive(Debug)]
pub struct Settled<'k> {
    /// Its number in the order of the source.
    pub number: u64,
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: &'k [u8],
    /// Its elements, if it is a collection.
    pub elements: u64,
    /// Its payload in bytes.
    pub bytes: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// Told of every key that is done, in any order.
pub trait Account {
    /// A key is done.
    fn settled(&mut self, settled: &Settled<'_>);
}

/// The serialised form of a collection.
enum Payload {
    /// It was added.
    Added,
    /// It has none that every server takes: commands do.
    Commands,
    /// No server takes it.
    Refused(String),
}

/// What is compared of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of type and value.
    pub value: Vec<u8>,
    /// Expiry in Unix milliseconds.
    pub expire_at_ms: Option<u64>,
}

/// Hands the events of one key to a consumer.
pub type Feed<'f> = &'f mut dyn FnMut(&mut dyn Consumer) -> ekv_model::Result<()>;

/// Says what two keys have in common if they are the same to those who use them.
pub trait Compare {
    /// Of one key; `None` if nothing was fed.
    ///
    /// # Errors
    /// Of what is fed.
    fn fingerprint(&mut self, feed: Feed<'_>) -> ekv_model::Result<Option<Fingerprint>>;
}

/// The value of a key that is under way.
pub enum Value {
    /// A string, or a HyperLogLog as servers have it, of at most [`TEXT_LEN_MAX`] bytes.
    Text(Vec<u8>),
    /// A collection.
    Elements(Draft),
}

/// A key to be written.
pub struct Key {
    /// Its number in the order of the source.
    pub number: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its type.
    pub kind: Kind,
    /// Expiry in Unix milliseconds.
    pub expire_at_ms: Option<u64>,
    /// Its value.
    pub value: Value,
    /// Whether it may have been written before, so that finding it proves nothing.
    pub is_in_doubt: bool,
}

impl Key {
    fn settled(&self, outcome: Outcome) -> Settled<'_> {
        let (elements, bytes) = match &self.value {
            Value::Text(text) => (0, u64::try_from(text.len()).unwrap_or(u64::MAX)),
            Value::Elements(draft) => (draft.elements(), draft.bytes()),
        };
        Settled { number: self.number, kind: self.kind, name: &self.name, elements, bytes, outcome }
    }

    /// What is sent of it, by and large, in bytes.
    fn sent_len(&self) -> u64 {
        let value = match &self.value {
            Value::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Value::Elements(draft) => draft.bytes(),
        };
        u64::try_from(self.name.len()).unwrap_or(u64::MAX).saturating_add(value)
    }

    /// What it takes while it is under way, in bytes.
    fn len(&self) -> usize {
        let value = match &self.value {
            Value::Text(text) => text.len(),
            Value::Elements(draft) => draft.memory_len().unwrap_or(0),
        };
        self.name.len().saturating_add(value).saturating_add(64)
    }

    /// Hands all of it to `consumer`; a HyperLogLog as the string that it is to a server.
    ///
    /// # Errors
    /// Of scratch files and of the consumer.
    pub fn feed(&self, consumer: &mut dyn Consumer) -> Result<()> {
        match &self.value {
            Value::Text(text) => feed_text(&self.name, Body::Inline(text), self.expire_at_ms, consumer),
            Value::Elements(draft) => draft.replay(0, &self.name, self.expire_at_ms, consumer),
        }
    }
}

pub(crate) fn feed_text(
    key: &[u8],
    body: Body<'_>,
    expire_at_ms: Option<u64>,
    consumer: &mut dyn Consumer,
) -> Result<()> {
    let expiry = expire_at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
    // A HyperLogLog is a string to a server.
    let event = Event::Scalar { kind: ScalarKind::String, key, body, expiry, commit_ts: 0 };
    Ok(consumer.event(AnyEvent::Redis { database: 0, event })?)
}

/// A connection to one server, and what is under way on it.
struct Node {
    place: Endpoint,
    /// Which of the connections to this server it is.
    lane: usize,
    connection: Option<Connection>,
    flights: VecDeque<Key>,
    bytes: usize,
    /// Bytes of commands that may be under way.
    window: usize,
    /// Where it is asked how long others wait, and when that was done.
    gauge: Option<Connection>,
    gauged: Option<Duration>,
}

impl Node {
    /// Whether no more is under way than a part of the window.
    fn is_within(&self, part: usize) -> bool {
        self.flights.len() <= WINDOW_REPLIES / part && self.bytes <= self.window / part
    }
}

/// How long was waited, and for how long more.
#[derive(Default)]
struct Waits {
    tries: usize,
    waited: Duration,
}

impl Waits {
    /// Waits for the next try; false if it was enough. What may not pass by itself is waited for once in each length.
    fn next(&mut self, clock: &dyn Clock, is_limited: bool) -> bool {
        let is_over = if is_limited { self.tries >= DELAYS_S.len() } else { self.waited >= WAIT_MAX };
        let delay = DELAYS_S.get(self.tries).or(DELAYS_S.last()).copied().unwrap_or(1);
        let delay = Duration::from_secs(delay);
        if !is_over {
            clock.sleep(delay);
            self.tries = self.tries.saturating_add(1);
            self.waited = self.waited.saturating_add(delay);
        }
        !is_over
    }
}

/// Writes keys to a server or cluster. Memory: a window of 1 MiB for each node, and what one key takes.
pub struct Sender<'a> {
    servers: Servers,
    nodes: Vec<Node>,
    /// Keys that need something else before they can be sent once more.
    again: Vec<(Key, Verdict)>,
    /// Why nothing more is sent.
    stop: Option<Error>,
    options: SendOptions,
    compare: &'a mut dyn Compare,
    account: &'a mut dyn Account,
    clock: &'a dyn Clock,
    scratch: Arc<dyn Scratch>,
    began: Duration,
    sent: u64,
    sent_len: u64,
    /// Whether any key was settled since this was last looked at.
    has_gone_on: bool,
    payload: PayloadWriter,
    /// Whether the server was found not to take `RESTORE`.
    fell_back: bool,
}

impl<'a> Sender<'a> {
    /// Writes to `servers`; every key that is done is told to `account`.
    pub fn new(
        servers: Servers,
        options: SendOptions,
        compare: &'a mut dyn Compare,
        account: &'a mut dyn Account,
        clock: &'a dyn Clock,
        scratch: &Arc<dyn Scratch>,
    ) -> Self {
        Sender {
            servers,
            nodes: Vec::new(),
            again: Vec::new(),
            stop: None,
            compare,
            account,
            clock,
            scratch: Arc::clone(scratch),
            began: clock.now(),
            sent: 0,
            sent_len: 0,
            has_gone_on: false,
            payload: PayloadWriter { encoder: Encoder::new(Arc::clone(scratch)), bytes: Vec::new() },
            fell_back: options.method == Method::Commands,
            options,
        }
    }

    /// Ends it; keys that are under way have been waited for.
    pub fn into_servers(self) -> Servers {
        self.servers
    }

    /// Whether collections are written by commands, though it was not asked for.
    pub fn fell_back(&self) -> bool {
        self.fell_back && self.options.method != Method::Commands
    }

    /// Sends a key, or lets it wait with others; returns before the reply has come.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Stopped`] and others after which nothing more is sent; what is under way has then been waited for.
    pub fn push(&mut self, key: Key) -> Result<()> {
        if self.has_expired(key.expire_at_ms) {
            self.settle_key(&key, Outcome::Expired);
            return Ok(());
        }
        self.pace(key.sent_len());
        let is_apart = match &key.value {
            Value::Text(_) => false,
            Value::Elements(draft) => self.fell_back || draft.memory_len().is_none_or(|len| len > SMALL_LEN_MAX),
        };
        match is_apart {
            true => self.apart(key),
            false => self.post(key),
        }?;
        if self.again.is_empty() && self.stop.is_none() { Ok(()) } else { self.settle() }
    }

    /// Sends a string that is too long to be kept, and waits for the reply.
    ///
    /// # Errors
    /// As [`Sender::push`].
    pub fn push_long(
        &mut self,
        number: u64,
        name: &[u8],
        expire_at_ms: Option<u64>,
        body: Body<'_>,
        is_in_doubt: bool,
    ) -> Result<()> {
        let settled = |outcome| Settled { number, kind: Kind::String, name, elements: 0, bytes: body.len(), outcome };
        if self.has_expired(expire_at_ms) {
            self.told(&settled(Outcome::Expired));
            return Ok(());
        }
        if body.len() > STRING_LEN_MAX {
            let why = format!("a string of {} bytes; servers take at most {STRING_LEN_MAX}", body.len());
            self.told(&settled(Outcome::Failed(why)));
            return Ok(());
        }
        self.pace(body.len());
        self.settle()?;
        let is_new = self.options.on_exists != OnExists::Replace;
        let mut feed = |consumer: &mut dyn Consumer| Ok(feed_text(name, body, expire_at_ms, consumer)?);
        let outcome = self.insist(name, is_in_doubt, &mut feed, &mut |connection| {
            put_long_text(connection, name, body, expire_at_ms, is_new)?;
            let reply = connection.reply()?;
            judge(connection, "SET", &reply)
        })?;
        self.told(&settled(outcome));
        Ok(())
    }

    /// Waits until every key is done that was pushed.
    ///
    /// # Errors
    /// As [`Sender::push`].
    pub fn settle(&mut self) -> Result<()> {
        let mut waits = Waits::default();
        loop {
            self.receive_all();
            if let Some(stop) = self.stop.take() {
                self.again.clear();
                return Err(stop);
            }
            let again = std::mem::take(&mut self.again);
            if again.is_empty() {
                return Ok(());
            }
            if std::mem::take(&mut self.has_gone_on) {
                waits = Waits::default();
            }
            let verdicts: Vec<Verdict> = again.iter().map(|(_, verdict)| verdict.clone()).collect();
            self.prepare(&verdicts, &mut waits)?;
            for (mut key, verdict) in again {
                match verdict {
                    Verdict::Exists => {
                        let outcome = self.found(&key.name.clone(), true, &mut |consumer| Ok(key.feed(consumer)?))?;
                        self.settle_key(&key, outcome);
                    }
                    Verdict::Ask(place) => self.ask(key, &place)?,
                    Verdict::OldPayload | Verdict::BadPayload(_) => self.apart(key)?,
                    _ => {
                        key.is_in_doubt |= verdict == Verdict::Unknown;
                        self.post(key)?;
                    }
                }
            }
        }
    }

    /// Waits for all replies without sending anything again; for an end before the end.
    pub fn wind_up(&mut self) {
        self.receive_all();
        self.again.clear();
    }

    /// Does what must be done before keys with these verdicts can be sent once more.
    fn prepare(&mut self, verdicts: &[Verdict], waits: &mut Waits) -> Result<()> {
        let (mut must_wait, mut is_limited, mut must_refresh) = (None, false, false);
        for verdict in verdicts {
            match verdict {
                Verdict::Later(text) => must_wait = Some(text.clone()),
                // Another connection at once, the first time.
                Verdict::Unknown if waits.tries == 0 => waits.tries = 1,
                Verdict::Unknown => must_wait = Some("the connection was lost, and nobody answers any more".to_owned()),
                Verdict::Refusing(text) => (must_wait, is_limited) = (Some(text.clone()), true),
                Verdict::ReadOnly(text) if !self.servers.is_cluster() => {
                    // Its name may lead to another server by now.
                    self.nodes.iter_mut().for_each(|node| node.connection = None);
                    (must_wait, is_limited) = (Some(text.clone()), true);
                }
                Verdict::ReadOnly(text) | Verdict::Moved(text) => {
                    must_refresh = true;
                    // The first time at once: the map was old.
                    if waits.tries > 0 {
                        must_wait = Some(text.clone());
                    }
                    waits.tries = waits.tries.saturating_add(usize::from(must_wait.is_none()));
                }
                _ => {}
            }
        }
        if let Some(text) = must_wait
            && !waits.next(self.clock, is_limited)
        {
            return Err(self.stopped(text, false));
        }
        if must_refresh
            && let Err(error) = self.servers.refresh()
            && !error.is_of_connection()
        {
            return Err(error);
        }
        Ok(())
    }

    /// Puts a key on its way.
    fn post(&mut self, key: Key) -> Result<()> {
        let payload = match &key.value {
            Value::Text(_) => Payload::Added,
            Value::Elements(draft) => self.payload.of(draft)?,
        };
        match payload {
            Payload::Added => {}
            Payload::Commands => return self.apart(key),
            Payload::Refused(why) => {
                self.settle_key(&key, Outcome::Failed(why));
                return Ok(());
            }
        }
        let at = self.node_of(&key.name);
        let is_connected = match self.connected(at) {
            Ok(is_connected) => is_connected,
            Err(error) => {
                self.stop_by(error);
                return Ok(());
            }
        };
        if !is_connected {
            self.again.push((key, Verdict::Unknown));
            return Ok(());
        }
        let on_exists = self.options.on_exists;
        let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
        let Some(connection) = &mut node.connection else { return Ok(()) };
        match &key.value {
            Value::Text(text) => {
                put_set(connection.out(), &key.name, text, key.expire_at_ms, on_exists != OnExists::Replace);
            }
            Value::Elements(_) => {
                put_restore(connection.out(), &key, &self.payload.bytes, on_exists == OnExists::Replace);
            }
        }
        node.bytes = node.bytes.saturating_add(key.len());
        node.flights.push_back(key);
        let flushed = connection.flush_if_full();
        if let Err(error) = flushed {
            self.lose(at, error);
        }
        self.gauge(at);
        if self.nodes.get(at).is_some_and(|node| !node.is_within(1)) {
            self.receive(at, 2);
        }
        Ok(())
    }

    /// Asks a server, every now and then, how long others wait for an answer, and lets more or less be under way to it.
    fn gauge(&mut self, at: usize) {
        let Some(limit) = self.options.latency_max else { return };
        let now = self.clock.now();
        let Some(node) = self.nodes.get_mut(at) else { return };
        if node.gauged.is_some_and(|gauged| now.saturating_sub(gauged) < GAUGE_EVERY) {
            return;
        }
        // What was gathered is part of what others wait for.
        if let Some(Err(error)) = node.connection.as_mut().map(Connection::flush) {
            return self.lose(at, error);
        }
        if node.gauge.is_none() {
            node.gauge = self.servers.connect(&node.place).ok();
        }
        let asked = self.clock.now();
        let Some(Ok(_)) = node.gauge.as_mut().map(|gauge| gauge.ask(&[b"PING"])) else {
            node.gauge = None;
            return;
        };
        let answered = self.clock.now();
        node.gauged = Some(answered);
        if answered.saturating_sub(asked) <= limit {
            node.window = node.window.saturating_add(node.window / 10).min(WINDOW_LEN);
        } else if node.window > WINDOW_LEN_MIN {
            node.window = (node.window / 2).max(WINDOW_LEN_MIN);
        } else {
            self.receive(at, 0);
            self.clock.sleep(limit);
        }
    }

    /// Reads replies until no more is under way than a part of the window; 0 = nothing.
    fn receive(&mut self, at: usize, part: usize) {
        let is_enough = |node: &Node| if part == 0 { node.flights.is_empty() } else { node.is_within(part) };
        let flushed = self.nodes.get_mut(at).and_then(|node| node.connection.as_mut()).map(Connection::flush);
        if let Some(Err(error)) = flushed {
            return self.lose(at, error);
        }
        loop {
            let Some(node) = self.nodes.get_mut(at).filter(|node| !is_enough(node)) else { return };
            let Some(connection) = &mut node.connection else { return };
            let reply = match connection.reply() {
                Ok(reply) => reply,
                Err(error) => return self.lose(at, error),
            };
            let Some(key) = node.flights.pop_front() else { return };
            node.bytes = node.bytes.saturating_sub(key.len());
            match judge(connection, "a write", &reply) {
                Ok(verdict) => self.answered(key, verdict),
                Err(error) => self.stop_by(error),
            }
        }
    }

    fn receive_all(&mut self) {
        (0..self.nodes.len()).for_each(|at| self.receive(at, 0));
    }

    /// A key has its answer.
    fn answered(&mut self, key: Key, verdict: Verdict) {
        match verdict {
            Verdict::Written => self.settle_key(&key, Outcome::Loaded),
            Verdict::Exists if key.is_in_doubt => self.again.push((key, Verdict::Exists)),
            Verdict::Exists => match self.options.on_exists {
                OnExists::Fail => self.stop_by(exists(&key.name)),
                OnExists::Skip | OnExists::Replace => self.settle_key(&key, Outcome::Existed),
            },
            Verdict::Full(text) => {
                let stopped = self.stopped(text, true);
                self.stop_by(stopped);
            }
            Verdict::Stop(text) => {
                let stopped = self.stopped(text, false);
                self.stop_by(stopped);
            }
            Verdict::OldPayload | Verdict::BadPayload(_) if self.options.method == Method::Restore => {
                self.settle_key(&key, Outcome::Failed("the target refuses its serialised form".to_owned()));
            }
            Verdict::OldPayload => {
                self.fell_back = true;
                self.again.push((key, verdict));
            }
            Verdict::Failed(why) | Verdict::Foreign(why) => self.settle_key(&key, Outcome::Failed(why)),
            Verdict::ReadOnly(_)
            | Verdict::Refusing(_)
            | Verdict::Later(_)
            | Verdict::Moved(_)
            | Verdict::Ask(_)
            | Verdict::BadPayload(_)
            | Verdict::Unknown => self.again.push((key, verdict)),
        }
    }

    /// A connection is no more: what was under way on it may have been done, or not.
    fn lose(&mut self, at: usize, error: Error) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.connection = None;
            node.bytes = 0;
            for mut key in node.flights.drain(..) {
                key.is_in_doubt = true;
                self.again.push((key, Verdict::Unknown));
            }
        }
        if !error.is_of_connection() {
            self.stop_by(error);
        }
    }

    /// The first reason to stop is the one that is told.
    fn stop_by(&mut self, error: Error) {
        self.stop.get_or_insert(error);
    }

    /// Sends a key to the node that is about to have it.
    fn ask(&mut self, key: Key, place: &Endpoint) -> Result<()> {
        if let Value::Elements(draft) = &key.value {
            self.payload.of(draft)?;
        }
        let is_new = self.options.on_exists != OnExists::Replace;
        let verdict = self.servers.connect(place).and_then(|mut connection| {
            put_whole(connection.out(), &[b"ASKING"]);
            match &key.value {
                Value::Text(text) => put_set(connection.out(), &key.name, text, key.expire_at_ms, is_new),
                Value::Elements(_) => put_restore(connection.out(), &key, &self.payload.bytes, !is_new),
            }
            connection.flush()?;
            connection.reply()?;
            let reply = connection.reply()?;
            judge(&connection, "a write", &reply)
        });
        match verdict {
            Ok(verdict) => self.answered(key, verdict),
            Err(error) if error.is_of_connection() => {
                self.again.push((Key { is_in_doubt: true, ..key }, Verdict::Unknown))
            }
            Err(error) => self.stop_by(error),
        }
        Ok(())
    }

    /// Writes a collection by commands, under another name first, and waits for it.
    fn apart(&mut self, key: Key) -> Result<()> {
        let Value::Elements(draft) = &key.value else { return self.post(key) };
        // What is under way was sent before; what waits for its turn is sent after.
        self.receive_all();
        if self.stop.is_some() {
            return Ok(());
        }
        if let Some(why) = refusal(draft)? {
            self.settle_key(&key, Outcome::Failed(why));
            return Ok(());
        }
        let tag = tag(slot(&key.name));
        let SendOptions { on_exists, replaces_first, run, .. } = self.options.clone();
        let mut temporaries: Vec<Vec<u8>> = Vec::new();
        let mut feed = |consumer: &mut dyn Consumer| Ok(key.feed(consumer)?);
        let outcome = self.insist(&key.name, key.is_in_doubt, &mut feed, &mut |connection| {
            // Never a name that was used: what was sent on a connection that is lost may still be done.
            let temporary = format!("ekv-load:{{{tag}}}:{run}:{}:{}", key.number, temporaries.len()).into_bytes();
            let builder = Builder {
                temporary: &temporary,
                name: &key.name,
                expire_at_ms: key.expire_at_ms,
                is_new: on_exists != OnExists::Replace,
                replaces_first,
            };
            let built = builder.build(connection, draft);
            temporaries.push(temporary);
            built
        })?;
        temporaries.pop();
        let at = self.node_of(&key.name);
        let connection = self.nodes.get_mut(at).and_then(|node| node.connection.as_mut());
        if let Some(connection) = connection
            && !temporaries.is_empty()
        {
            // They vanish within an hour if this fails.
            let unlink = [&b"UNLINK"[..]].into_iter().chain(temporaries.iter().map(Vec::as_slice));
            if let Err(error) = connection.call(&unlink.collect::<Vec<_>>()) {
                self.lose(at, error);
            }
        }
        self.settle_key(&key, outcome);
        Ok(())
    }

    /// Tries until there is an outcome. `attempt` writes the key by itself.
    fn insist(
        &mut self,
        name: &[u8],
        mut is_in_doubt: bool,
        feed: Feed<'_>,
        attempt: &mut dyn FnMut(&mut Connection) -> Result<Verdict>,
    ) -> Result<Outcome> {
        let (mut waits, mut names) = (Waits::default(), 0);
        loop {
            let at = self.node_of(name);
            let verdict = match self.connected(at) {
                Err(error) => return Err(error),
                Ok(false) => Verdict::Unknown,
                Ok(true) => {
                    let connection = self.nodes.get_mut(at).and_then(|node| node.connection.as_mut());
                    let Some(connection) = connection else { continue };
                    match attempt(connection) {
                        Ok(verdict) => verdict,
                        Err(error) if error.is_of_connection() => {
                            self.lose(at, error);
                            is_in_doubt = true;
                            Verdict::Unknown
                        }
                        Err(error) => {
                            // Replies may be left that belong to nothing.
                            if let Some(node) = self.nodes.get_mut(at) {
                                node.connection = None;
                            }
                            return Err(error);
                        }
                    }
                }
            };
            match verdict {
                Verdict::Written => return Ok(Outcome::Loaded),
                Verdict::Exists => return self.found(name, is_in_doubt, feed),
                Verdict::Full(text) => return Err(self.stopped(text, true)),
                Verdict::Stop(text) => return Err(self.stopped(text, false)),
                Verdict::Foreign(_) if names < NAMES_MAX => names = names.saturating_add(1),
                Verdict::Foreign(why) | Verdict::BadPayload(why) => return Ok(Outcome::Failed(why)),
                Verdict::OldPayload => return Ok(Outcome::Failed("the target refuses its serialised form".to_owned())),
                Verdict::Failed(why) => return Ok(Outcome::Failed(why)),
                // The slot is on its way to another node: until it is there.
                Verdict::Ask(_) => self.prepare(&[Verdict::Later("a slot is being moved".to_owned())], &mut waits)?,
                verdict => self.prepare(&[verdict], &mut waits)?,
            }
        }
    }

    /// The target has a key of this name: is it ours?
    fn found(&mut self, name: &[u8], is_in_doubt: bool, feed: Feed<'_>) -> Result<Outcome> {
        if is_in_doubt && self.is_same(name, feed)? {
            return Ok(Outcome::Loaded);
        }
        match self.options.on_exists {
            OnExists::Fail => Err(exists(name)),
            OnExists::Skip | OnExists::Replace => Ok(Outcome::Existed),
        }
    }

    /// Whether the target has under this name what is fed.
    fn is_same(&mut self, name: &[u8], feed: Feed<'_>) -> Result<bool> {
        let Some(ours) = self.compare.fingerprint(feed)? else { return Ok(false) };
        let place = self.servers.place_of(name).clone();
        let (mut ahead, mut after) = (self.servers.connect(&place)?, self.servers.connect(&place)?);
        let mut reader = KeyReader::new(&mut ahead, &mut after, &self.scratch, 0, self.options.version);
        let theirs = self.compare.fingerprint(&mut |consumer| {
            reader.read(&[name], consumer)?;
            Ok(())
        })?;
        Ok(theirs.is_some_and(|theirs| {
            theirs.value == ours.value && is_same_time(theirs.expire_at_ms, ours.expire_at_ms, self.options.version)
        }))
    }

    /// Place in the list of nodes of the one that has a key.
    fn node_of(&mut self, name: &[u8]) -> usize {
        let place = self.servers.place_of(name);
        let lane = match self.options.connections.get() {
            1 => 0,
            lanes => usize::from(slot(name)) % lanes,
        };
        match self.nodes.iter().position(|node| node.place == *place && node.lane == lane) {
            Some(at) => at,
            None => {
                self.nodes.push(Node {
                    place: place.clone(),
                    lane,
                    connection: None,
                    flights: VecDeque::new(),
                    bytes: 0,
                    window: WINDOW_LEN,
                    gauge: None,
                    gauged: None,
                });
                self.nodes.len().saturating_sub(1)
            }
        }
    }

    /// Connects to a node unless that is so; false if nobody answers there.
    ///
    /// # Errors
    /// Whatever another try does not help against.
    fn connected(&mut self, at: usize) -> Result<bool> {
        let Some(node) = self.nodes.get_mut(at) else { return Ok(false) };
        if node.connection.is_some() {
            return Ok(true);
        }
        match self.servers.connect(&node.place) {
            Ok(connection) => {
                node.connection = Some(connection);
                Ok(true)
            }
            Err(error) if error.is_of_connection() => Ok(false),
            // A server that begins answers so.
            Err(Error::Refused { text, .. }) if matches!(verdict(text.as_bytes()), Verdict::Later(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn has_expired(&self, expire_at_ms: Option<u64>) -> bool {
        let passed = self.clock.now().saturating_sub(self.began).as_millis();
        let now_ms = self.options.target_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        expire_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Keeps the rates, of one more key of so many bytes.
    fn pace(&mut self, len: u64) {
        self.sent = self.sent.saturating_add(1);
        self.sent_len = self.sent_len.saturating_add(len);
        let seconds =
            |count, rate: Option<NonZeroU64>| rate.map_or(0.0, |rate| approximate(count) / approximate(rate.get()));
        let due = seconds(self.sent, self.options.rate).max(seconds(self.sent_len, self.options.bandwidth));
        let due = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX);
        let early = due.saturating_sub(self.clock.now().saturating_sub(self.began));
        if early >= PAUSE_MIN {
            for at in 0..self.nodes.len() {
                let flushed = self.nodes.get_mut(at).and_then(|node| node.connection.as_mut()).map(Connection::flush);
                if let Some(Err(error)) = flushed {
                    self.lose(at, error);
                }
            }
            self.clock.sleep(early);
        }
    }

    fn settle_key(&mut self, key: &Key, outcome: Outcome) {
        self.told(&key.settled(outcome));
    }

    fn told(&mut self, settled: &Settled<'_>) {
        self.has_gone_on = true;
        self.account.settled(settled);
    }

    fn stopped(&self, text: String, is_full: bool) -> Error {
        let place = self.servers.places().into_iter().next();
        Error::Stopped { place: place.unwrap_or(Endpoint::Unix(Default::default())), text, is_full }
    }
}

/// Makes what `RESTORE` takes.
struct PayloadWriter {
    encoder: Encoder,
    bytes: Vec<u8>,
}

impl PayloadWriter {
    fn of(&mut self, draft: &Draft) -> Result<Payload> {
        let PayloadWriter { encoder, bytes } = self;
        let mut encoding = Encoding { encoder, encoded: None };
        draft.replay(0, b"", None, &mut encoding)?;
        bytes.clear();
        match encoding.encoded {
            Some(Encoded::Value(value)) if value.has_border() => Ok(Payload::Commands),
            Some(Encoded::Value(value)) => {
                value.restore_payload(bytes)?;
                Ok(Payload::Added)
            }
            // What is too long for a part of a stream is not too long for a command.
            Some(Encoded::Refused(Refusal::LongEntry { .. })) | None => Ok(Payload::Commands),
            Some(Encoded::Refused(refusal)) => Ok(Payload::Refused(refusal.to_string())),
        }
    }
}

struct Encoding<'e> {
    encoder: &'e mut Encoder,
    encoded: Option<Encoded>,
}

impl Consumer for Encoding<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> ekv_model::Result<()> {
        if let AnyEvent::Redis { event, .. } = event
            && let Some(encoded) = self.encoder.event(&event)?
        {
            self.encoded = Some(encoded);
        }
        Ok(())
    }
}

/// A number of keys or bytes as a number that can be divided; exact up to 2^53.
#[expect(clippy::as_conversions, reason = "only the pace depends on it")]
fn approximate(number: u64) -> f64 {
    number as f64
}

/// Whether two expiries are the same, as exactly as the server tells them.
pub fn is_same_time(theirs: Option<u64>, ours: Option<u64>, version: (u64, u64)) -> bool {
    let tolerance_ms = if version >= (7, 0) { 0 } else { 2 };
    match (theirs, ours) {
        (Some(theirs), Some(ours)) => theirs.abs_diff(ours) <= tolerance_ms,
        (theirs, ours) => theirs.is_none() && ours.is_none(),
    }
}

fn exists(name: &[u8]) -> Error {
    let name = ekv_model::Name { protocol: ekv_model::Protocol::Redis, scope: b"0".to_vec(), key: vec![name.to_vec()] };
    Error::Exists { key: name.to_string() }
}

/// What the reply to `SET` or `RESTORE` means.
pub(crate) fn judge(connection: &Connection, command: &str, reply: &Reply) -> Result<Verdict> {
    match reply {
        Reply::Status(text) if text == b"OK" => Ok(Verdict::Written),
        Reply::Nil => Ok(Verdict::Exists),
        Reply::Error(text) => Ok(verdict(text)),
        reply => Err(connection.unexpected(command, reply)),
    }
}

fn put_set(out: &mut Vec<u8>, name: &[u8], text: &[u8], expire_at_ms: Option<u64>, is_new: bool) {
    let count = if expire_at_ms.is_some() { 5 } else { 3 };
    put_command(out, if is_new { count + 1 } else { count });
    [b"SET", name, text].into_iter().for_each(|argument| put_argument(out, argument));
    put_expiry_and_newness(out, expire_at_ms, is_new);
}

fn put_restore(out: &mut Vec<u8>, key: &Key, payload: &[u8], replaces: bool) {
    put_command(out, if replaces { 6 } else { 5 });
    put_argument(out, b"RESTORE");
    put_argument(out, &key.name);
    put_number(out, key.expire_at_ms.unwrap_or(0));
    put_argument(out, payload);
    put_argument(out, b"ABSTTL");
    if replaces {
        put_argument(out, b"REPLACE");
    }
}
