//! Keys on their way to a real server, through a link that fails where a test wants it to.

mod faults;
mod links;
mod reading;
mod sending;

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ekv_model::redis::{CollectionKind, Element, Event, StreamId};
use ekv_model::{Body, Consumer, Event as AnyEvent, Kind};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::servers::{Client, RedisServer, Reply};

use crate::{
    Access, Account, Clock, Compare, Connection, Dial, Draft, DraftWriter, Endpoint, Feed, Fingerprint, Key, KeyReader,
    Method, OnExists, Outcome, SendOptions, Sender, ServerAddress, Servers, Settled, SystemDial, Value,
};

pub(super) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// Time that passes where somebody waits.
#[derive(Clone, Default)]
pub(super) struct FakeClock(pub(super) Rc<Cell<Duration>>);

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn sleep(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

/// What became of the keys, by their numbers.
#[derive(Default)]
pub(super) struct Outcomes(pub(super) Vec<(u64, Outcome)>);

impl Account for Outcomes {
    fn settled(&mut self, settled: &Settled<'_>) {
        self.0.push((settled.number, settled.outcome.clone()));
    }
}

impl Outcomes {
    pub(super) fn sorted(mut self) -> Vec<Outcome> {
        self.0.sort_by_key(|(number, _)| *number);
        assert!(self.0.iter().zip(0..).all(|((number, _), expected)| *number == expected), "{:?}", self.0);
        self.0.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

/// Compares by the texts of events.
pub(super) struct ByText;

impl Compare for ByText {
    fn fingerprint(&mut self, feed: Feed<'_>) -> ekv_model::Result<Option<Fingerprint>> {
        let mut text = Text::default();
        feed(&mut text)?;
        let Text { text, expire_at_ms } = text;
        Ok((!text.is_empty()).then(|| Fingerprint { value: text.into_bytes(), expire_at_ms }))
    }
}

#[derive(Default)]
struct Text {
    text: String,
    expire_at_ms: Option<u64>,
}

impl Consumer for Text {
    fn event(&mut self, event: AnyEvent<'_>) -> ekv_model::Result<()> {
        let AnyEvent::Redis { event, .. } = event else { panic!("{event:?}") };
        let bytes = |body: &Body<'_>| {
            let mut bytes = Vec::new();
            body.for_each_chunk(|chunk| {
                bytes.extend_from_slice(chunk);
                Ok(())
            })?;
            Ok::<_, ekv_model::Error>(bytes.escape_ascii().to_string())
        };
        let text = match &event {
            Event::Scalar { body, expiry, .. } => {
                self.expire_at_ms = expiry.map(|expiry| expiry.at_ms);
                format!("text {}", bytes(body)?)
            }
            Event::Begin { kind, expire_at_ms, .. } => {
                self.expire_at_ms = *expire_at_ms;
                format!("{kind:?}")
            }
            Event::Element(element) => match element {
                Element::Field { name, value } => format!("{}={}", name.escape_ascii(), bytes(value)?),
                Element::Item(value) => bytes(value)?,
                Element::Member(member) => member.escape_ascii().to_string(),
                Element::Scored { member, score } => format!("{}:{}", member.escape_ascii(), score.to_bits()),
                Element::EntryBegin(id) => format!("{}-{}", id.ms, id.seq),
                Element::EntryField { name, value } => format!("{}={}", bytes(name)?, bytes(value)?),
                Element::EntryEnd => "end".to_owned(),
            },
            Event::End => "END".to_owned(),
        };
        self.text.push_str(&text);
        self.text.push('\n');
        Ok(())
    }
}

/// Far enough in the future, in Unix milliseconds.
pub(super) const LATER_MS: u64 = 4_000_000_000_123;

pub(super) fn text(number: u64, name: &[u8], text: &[u8], expire_at_ms: Option<u64>) -> Key {
    let value = Value::Text(text.to_vec());
    Key { number, name: name.to_vec(), kind: Kind::String, expire_at_ms, value, is_in_doubt: false }
}

pub(super) fn draft(kind: CollectionKind, elements: &[Element<'_>]) -> Draft {
    let mut writer = DraftWriter::new(kind, &scratch());
    elements.iter().for_each(|element| writer.push(element).unwrap());
    writer.finish().unwrap()
}

pub(super) fn collection(number: u64, name: &[u8], draft: Draft, expire_at_ms: Option<u64>) -> Key {
    let kind = draft.kind().into();
    Key { number, name: name.to_vec(), kind, expire_at_ms, value: Value::Elements(draft), is_in_doubt: false }
}

/// A key of each type, with what is easily lost: empty names and values, binary ones, the borders of scores, a last id, expiries.
pub(super) fn small_keys() -> Vec<Key> {
    let inline = |text: &'static [u8]| Body::Inline(text);
    let scored = |member: &'static [u8], score| Element::Scored { member, score };
    let hash = [
        Element::Field { name: b"", value: inline(b"e") },
        Element::Field { name: b"f\r\n", value: inline(b"\0\xff") },
    ];
    let list = [Element::Item(inline(b"z")), Element::Item(inline(b"")), Element::Item(inline(b"z"))];
    let zset = [
        scored(b"a", f64::NEG_INFINITY),
        scored(b"b", f64::INFINITY),
        scored(b"c", 5e-324),
        scored(b"d", 0.1),
        scored(b"e", 1e21),
        scored(b"f", f64::MAX),
    ];
    let field = |name, value| Element::EntryField { name: inline(name), value: inline(value) };
    let stream = [
        Element::EntryBegin(StreamId { ms: 1, seq: 1 }),
        field(b"k", b"v"),
        field(b"k", b""),
        Element::EntryEnd,
        Element::EntryBegin(StreamId { ms: 5, seq: 0 }),
        field(b"", b"w"),
        Element::EntryEnd,
    ];
    let last = StreamId { ms: 9, seq: 9 };
    vec![
        text(0, b"s{", b"\0v\xff", Some(LATER_MS)),
        collection(1, b"h}{", draft(CollectionKind::Hash, &hash), Some(LATER_MS)),
        collection(2, b"l{}", draft(CollectionKind::List, &list), None),
        collection(3, b"", draft(CollectionKind::Set, &[Element::Member(b""), Element::Member(b"80")]), None),
        collection(4, b"z", draft(CollectionKind::ZSet, &zset), None),
        collection(5, b"x", draft(CollectionKind::Stream { last }, &stream), None),
        collection(6, b"xe", draft(CollectionKind::Stream { last }, &[]), Some(LATER_MS)),
    ]
}

/// A list, hash or the like that is too long for one command.
pub(super) fn large_list(number: u64, name: &[u8]) -> Key {
    let items: Vec<String> = (0..30_000).map(|item| format!("item {item:020}")).collect();
    let long = vec![b'x'; 100_000];
    let items = items.iter().map(String::as_bytes).chain([&long[..]]);
    let items: Vec<Element<'_>> = items.map(|item| Element::Item(Body::Inline(item))).collect();
    collection(number, name, draft(CollectionKind::List, &items), Some(LATER_MS))
}

pub(super) fn address(server: &RedisServer) -> ServerAddress {
    format!("redis://127.0.0.1:{}", server.port()).parse().unwrap()
}

pub(super) fn options(on_exists: OnExists, method: Method) -> SendOptions {
    SendOptions {
        on_exists,
        method,
        run: "run".to_owned(),
        rate: None,
        bandwidth: None,
        latency_max: None,
        connections: NonZeroUsize::MIN,
        replaces_first: false,
        version: (7, 0),
        target_ms: 1_800_000_000_000,
    }
}

/// Sends keys through `dial`; what became of them.
pub(super) fn send_through(
    server: &RedisServer,
    dial: Box<dyn Dial>,
    options: SendOptions,
    keys: Vec<Key>,
    clock: &dyn Clock,
) -> (crate::Result<()>, Outcomes) {
    let access = Access { dial, user: None, password: None, database: 0 };
    let (mut outcomes, mut by_text) = (Outcomes::default(), ByText);
    let opened = Servers::open(&address(server), access);
    let (servers, ..) = match opened {
        Ok(opened) => opened,
        Err(error) => return (Err(error), outcomes),
    };
    let mut sender = Sender::new(servers, options, &mut by_text, &mut outcomes, clock, &scratch());
    let mut sent = Ok(());
    for key in keys {
        sent = sender.push(key);
        if sent.is_err() {
            break;
        }
    }
    let sent = sent.and_then(|()| sender.settle());
    (sent, outcomes)
}

pub(super) fn send(server: &RedisServer, options: SendOptions, keys: Vec<Key>) -> (crate::Result<()>, Outcomes) {
    send_through(server, Box::new(SystemDial), options, keys, &FakeClock::default())
}

/// What the server has under a name.
pub(super) fn on_server(server: &RedisServer, name: &[u8]) -> Option<Fingerprint> {
    let place = address(server).place;
    let open = || Connection::open(&SystemDial, &place).unwrap();
    let (mut ahead, mut after) = (open(), open());
    let mut reader = KeyReader::new(&mut ahead, &mut after, &scratch(), 0, (7, 0));
    ByText
        .fingerprint(&mut |consumer| {
            reader.read(&[name], consumer)?;
            Ok(())
        })
        .unwrap()
}

pub(super) fn print_of(key: &Key) -> Option<Fingerprint> {
    let mut feed = |consumer: &mut dyn Consumer| match &key.value {
        Value::Text(text) => {
            let expiry = key.expire_at_ms;
            Ok(crate::sender::feed_text(&key.name, Body::Inline(text), expiry, consumer)?)
        }
        Value::Elements(draft) => Ok(draft.replay(0, &key.name, key.expire_at_ms, consumer)?),
    };
    ByText.fingerprint(&mut feed).unwrap()
}

/// The server has these keys as they are, and nothing else but leased names of ours.
pub(super) fn assert_holds(server: &RedisServer, keys: &[Key]) {
    for key in keys {
        assert_eq!(on_server(server, &key.name), print_of(key), "{}", key.name.escape_ascii());
    }
    let names = server.client().call(&[b"KEYS", b"*"]).array();
    let ours = |name: &Reply| matches!(name, Reply::Bulk(Some(name)) if name.starts_with(b"ekv-load:"));
    let others = names.iter().filter(|name| !ours(name)).count();
    assert_eq!(others, keys.len(), "{names:?}");
}

/// The names of ours that the server has.
pub(super) fn leftovers(server: &RedisServer) -> Vec<Reply> {
    server.client().call(&[b"KEYS", b"ekv-load:*"]).array()
}

pub(super) fn flush(client: &mut Client) {
    client.call(&[b"FLUSHALL"]);
}

/// A cell that several links write to.
pub(super) type Shared<T> = Rc<RefCell<T>>;

pub(super) fn place(server: &RedisServer) -> Endpoint {
    address(server).place
}
