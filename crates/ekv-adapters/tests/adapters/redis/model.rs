//! A server that writes records as the live one does, beside a plain model of its keys. Source: `docs/format/redis.md`, sections 2 to 5.

use std::collections::{BTreeMap, BTreeSet};

use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, RedisValue, Wide, key, value};
use proptest::prelude::*;

use crate::redis::decoded::{decode, decode_at};

/// A client's command. Keys and names are indexes into small pools, so that commands meet on the same ones.
#[derive(Clone, Copy, Debug)]
enum Command {
    Set(u8),
    /// Writes the string and leaves what was there before.
    SetEx(u8),
    /// A string as an old server wrote it.
    OldSet {
        has_prefix: bool,
        expires: bool,
    },
    /// A collection as an old server wrote it.
    OldCollection(Wide),
    Del,
    Add {
        kind: Wide,
        name: usize,
    },
    Remove {
        kind: Wide,
        name: usize,
    },
    Push {
        to_head: bool,
        items: u8,
    },
    Pop {
        from_head: bool,
        items: u8,
    },
    StreamAdd(u8),
    /// Keeps that many entries.
    StreamTrim {
        keep: usize,
        removes_records: bool,
    },
    HllAdd(u8),
    Expire(u8),
    /// What the server does from time to time by itself.
    Compact,
}

type Keyspace = BTreeMap<Vec<u8>, (RedisValue, Option<u64>)>;

/// The live server's bookkeeping of one collection.
#[derive(Clone, Debug, Default)]
struct Counters {
    /// Folded length of a hash, set or zset.
    len: i64,
    /// Window of a list.
    head: i64,
    tail: i64,
    trimmed: StreamId,
    deltas: BTreeSet<Vec<u8>>,
}

struct Server {
    records: RedisRecords,
    /// User keys that are there, so that a deletion writes tombstones for them.
    stored: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    counters: BTreeMap<Vec<u8>, Counters>,
    keys: Keyspace,
}

impl Server {
    fn new() -> Self {
        Server {
            records: RedisRecords::new(),
            stored: BTreeMap::new(),
            counters: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    fn put(&mut self, key: &[u8], user_key: Vec<u8>, body: impl AsRef<[u8]>) {
        self.records = std::mem::take(&mut self.records).put(&user_key, body);
        self.stored.entry(key.to_vec()).or_default().insert(user_key);
    }

    fn delete(&mut self, key: &[u8], user_key: &[u8]) {
        self.records = std::mem::take(&mut self.records).delete(user_key);
        self.stored.entry(key.to_vec()).or_default().remove(user_key);
    }

    /// Writes tombstones for everything that is stored for the key.
    fn clear(&mut self, key: &[u8]) {
        for user_key in self.stored.remove(key).unwrap_or_default() {
            self.delete(key, &user_key);
        }
        self.counters.remove(key);
        self.keys.remove(key);
    }

    fn fence(&mut self, key: &[u8], kind: &str) {
        // Never deleted, so not among what is stored.
        self.records = std::mem::take(&mut self.records).put(key::fence(kind, key), b"");
    }

    fn counters(&mut self, key: &[u8]) -> &mut Counters {
        self.counters.entry(key.to_vec()).or_default()
    }

    /// Writes a delta under a fresh key.
    fn delta(&mut self, key: &[u8], user_key: impl Fn(u64, u32) -> Vec<u8>, body: Vec<u8>) {
        let user_key = user_key(self.records.commit_ts(), 0);
        self.counters(key).deltas.insert(user_key.clone());
        self.put(key, user_key, body);
    }

    /// Replaces base and deltas of a collection by a new base.
    fn fold(&mut self, key: &[u8], expire_at_ms: u64) {
        let Counters { len, head, tail, trimmed, deltas } = self.counters(key).clone();
        for delta in &deltas {
            self.delete(key, delta);
        }
        self.counters(key).deltas.clear();
        match self.keys[key].0.clone() {
            RedisValue::Hash(_) => self.put(key, Wide::Hash.meta(key), value::meta(len, expire_at_ms)),
            RedisValue::Set(_) => self.put(key, Wide::Set.meta(key), value::meta(len, expire_at_ms)),
            RedisValue::ZSet(_) => self.put(key, Wide::ZSet.meta(key), value::meta(len, expire_at_ms)),
            RedisValue::List(_) => {
                self.put(key, key::list_meta(key), value::list_meta(head, tail - head, expire_at_ms))
            }
            RedisValue::Stream { last, entries } => {
                let len = u64::try_from(entries.len()).unwrap();
                self.put(key, key::stream_meta(key), value::stream_meta(len, last, expire_at_ms, trimmed));
            }
            RedisValue::String(_) | RedisValue::Hll(_) => {}
        }
    }

    fn apply(&mut self, key: &[u8], command: Command) {
        let value = self.keys.get(key).map(|(value, _)| value.clone());
        let expiry = self.keys.get(key).and_then(|(_, expiry)| *expiry);
        // Commands on a key of another type are refused, as is an addition to a collection in one record.
        let is_blob = self
            .stored
            .get(key)
            .is_some_and(|stored| Wide::ALL.iter().any(|kind| stored.contains(&key::blob(kind.name(), key))));
        match (command, value) {
            (Command::Set(n), _) => {
                self.clear(key);
                let body = body(n);
                self.put(key, key::string(key), value::string(&body, None));
                for kind in ["hash", "list", "set", "zset"] {
                    self.fence(key, kind);
                }
                for user_key in [Wide::Hash.meta(key), key::list_meta(key), key::expiry(key)] {
                    self.delete(key, &user_key);
                }
                self.keys.insert(key.to_vec(), (RedisValue::String(body), None));
            }
            (Command::SetEx(n), value) => {
                // A legacy string without prefix stays below it.
                if matches!(value, Some(RedisValue::Hll(_))) || expiry.is_some() {
                    self.clear(key);
                }
                let (body, at_ms) = (body(n), far(n));
                self.put(key, key::string(key), value::string(&body, Some(at_ms)));
                self.put(key, key::expiry(key), value::expiry(at_ms));
                self.keys.insert(key.to_vec(), (RedisValue::String(body), Some(at_ms)));
            }
            (Command::OldSet { has_prefix, expires }, None) => {
                let can_be_bare = !key.is_empty() && !key.starts_with(b"!") && !key.starts_with(b"_meta_");
                let user_key = if has_prefix || !can_be_bare { key::string(key) } else { key.to_vec() };
                self.put(key, user_key, b"old");
                let expiry = expires.then_some(far(1));
                if let Some(at_ms) = expiry {
                    self.put(key, key::expiry(key), value::expiry(at_ms));
                }
                self.keys.insert(key.to_vec(), (RedisValue::String(b"old".to_vec()), expiry));
            }
            (Command::OldCollection(kind), None) => {
                let (blob, value) = match kind {
                    Wide::Hash => (
                        value::hash_blob(&[(b"b", b"2"), (b"a", b"1")]),
                        crate::redis::decoded::hash(&[(b"a", b"1"), (b"b", b"2")]),
                    ),
                    Wide::Set => (value::set_blob(&[b"b", b"a"]), crate::redis::decoded::set(&[b"a", b"b"])),
                    Wide::ZSet => (value::zset_blob(&[(b"b", 2.0)]), crate::redis::decoded::zset(&[(b"b", 2.0)])),
                };
                self.put(key, key::blob(kind.name(), key), blob);
                self.keys.insert(key.to_vec(), (value, None));
            }
            (Command::Del, Some(_)) => self.clear(key),
            (Command::Add { kind, name }, value) if !is_blob => self.add(key, kind, name, value, expiry),
            (Command::Remove { kind, name }, Some(value)) if !is_blob => self.remove(key, kind, name, value, expiry),
            (Command::Push { to_head, items }, None) => {
                self.push(key, Vec::new(), to_head, items, None);
            }
            (Command::Push { to_head, items }, Some(RedisValue::List(list))) => {
                self.push(key, list, to_head, items, expiry);
            }
            (Command::Pop { from_head, items }, Some(RedisValue::List(list))) => {
                self.pop(key, list, from_head, items, expiry);
            }
            (Command::StreamAdd(n), None) => self.stream_add(key, StreamId::default(), Vec::new(), n, None),
            (Command::StreamAdd(n), Some(RedisValue::Stream { last, entries })) => {
                self.stream_add(key, last, entries, n, expiry);
            }
            (Command::StreamTrim { keep, removes_records }, Some(RedisValue::Stream { last, mut entries })) => {
                let removed: Vec<_> = entries.drain(..entries.len().saturating_sub(keep)).collect();
                if let Some((cursor, _)) = removed.last() {
                    self.counters(key).trimmed = *cursor;
                }
                for (id, _) in removed.iter().filter(|_| removes_records) {
                    self.delete(key, &key::stream_entry(key, *id));
                }
                self.keys.insert(key.to_vec(), (RedisValue::Stream { last, entries }, expiry));
                self.fold(key, expiry.unwrap_or(0));
            }
            (Command::HllAdd(n), None | Some(RedisValue::Hll(_))) => {
                let payload = value::set_blob(&[&body(n)]);
                self.put(key, key::hll(key), value::hll(&payload, expiry));
                self.keys.insert(key.to_vec(), (RedisValue::Hll(payload), expiry));
            }
            (Command::Expire(n), Some(value)) => {
                let at_ms = far(n);
                match &value {
                    // Old forms are rewritten in the current form.
                    RedisValue::String(body) => self.put(key, key::string(key), value::string(body, Some(at_ms))),
                    RedisValue::Hll(payload) => self.put(key, key::hll(key), value::hll(payload, Some(at_ms))),
                    _ if is_blob => {}
                    _ => self.fold(key, at_ms),
                }
                self.put(key, key::expiry(key), value::expiry(at_ms));
                self.keys.insert(key.to_vec(), (value, Some(at_ms)));
            }
            (Command::Compact, Some(_)) if !is_blob && self.counters(key).deltas.len() > 1 => {
                let counters = self.counters(key).clone();
                if counters.len == 0 && counters.head == counters.tail && expiry.is_none() {
                    // Nothing is left to say, and the key is gone.
                    self.clear(key);
                } else {
                    self.fold(key, expiry.unwrap_or(0));
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, key: &[u8], kind: Wide, name: usize, value: Option<RedisValue>, expiry: Option<u64>) {
        let name = names()[name % names().len()].clone();
        let (value, is_new) = match (kind, value) {
            (Wide::Hash, value @ (None | Some(RedisValue::Hash(_)))) => {
                let mut fields = if let Some(RedisValue::Hash(fields)) = value { fields } else { BTreeMap::new() };
                let body = self.records.commit_ts().to_be_bytes().to_vec();
                self.put(key, kind.element(key, &name), &body);
                let is_new = fields.insert(name, body).is_none();
                (RedisValue::Hash(fields), is_new)
            }
            (Wide::Set, value @ (None | Some(RedisValue::Set(_)))) => {
                let mut members = if let Some(RedisValue::Set(members)) = value { members } else { BTreeSet::new() };
                self.put(key, kind.element(key, &name), b"");
                let is_new = members.insert(name);
                (RedisValue::Set(members), is_new)
            }
            (Wide::ZSet, value @ (None | Some(RedisValue::ZSet(_)))) => {
                let mut members = if let Some(RedisValue::ZSet(members)) = value { members } else { BTreeMap::new() };
                let score = f64::from(u32::try_from(members.len()).unwrap()) - 3.5;
                self.put(key, kind.element(key, &name), value::score(score));
                if let Some(old) = members.get(&name) {
                    self.delete(key, &key::zset_score(key, f64::from_bits(*old), &name));
                }
                self.put(key, key::zset_score(key, score, &name), b"");
                let is_new = members.insert(name, score.to_bits()).is_none();
                (RedisValue::ZSet(members), is_new)
            }
            _ => return,
        };
        self.fence(key, kind.name());
        if is_new {
            self.counters(key).len += 1;
            self.delta(key, |ts, seq| kind.delta(key, ts, seq), value::delta(1));
        }
        self.keys.insert(key.to_vec(), (value, expiry));
    }

    fn remove(&mut self, key: &[u8], kind: Wide, name: usize, mut value: RedisValue, expiry: Option<u64>) {
        let name = names()[name % names().len()].clone();
        let is_removed = match (kind, &mut value) {
            (Wide::Hash, RedisValue::Hash(fields)) => fields.remove(&name).is_some(),
            (Wide::Set, RedisValue::Set(members)) => members.remove(&name),
            (Wide::ZSet, RedisValue::ZSet(members)) => {
                let score = members.remove(&name);
                if let Some(score) = score {
                    self.delete(key, &key::zset_score(key, f64::from_bits(score), &name));
                }
                score.is_some()
            }
            _ => false,
        };
        if is_removed {
            self.delete(key, &kind.element(key, &name));
            self.counters(key).len -= 1;
            self.delta(key, |ts, seq| kind.delta(key, ts, seq), value::delta(-1));
            self.keys.insert(key.to_vec(), (value, expiry));
        }
    }

    fn push(&mut self, key: &[u8], mut list: Vec<Vec<u8>>, to_head: bool, items: u8, expiry: Option<u64>) {
        for _ in 0..items {
            let item = self.records.commit_ts().to_string().into_bytes();
            let counters = self.counters(key);
            let seq = if to_head {
                counters.head -= 1;
                counters.head
            } else {
                counters.tail += 1;
                counters.tail - 1
            };
            list.insert(if to_head { 0 } else { list.len() }, item.clone());
            self.put(key, key::list_item(key, seq), item);
        }
        let items = i64::from(items);
        let body = value::list_delta(if to_head { -items } else { 0 }, items);
        self.delta(key, |ts, seq| key::list_delta(key, ts, seq), body);
        self.keys.insert(key.to_vec(), (RedisValue::List(list), expiry));
    }

    fn pop(&mut self, key: &[u8], mut list: Vec<Vec<u8>>, from_head: bool, items: u8, expiry: Option<u64>) {
        let popped = usize::from(items).min(list.len());
        for _ in 0..popped {
            list.remove(if from_head { 0 } else { list.len() - 1 });
            let counters = self.counters(key);
            let seq = if from_head {
                counters.head += 1;
                counters.head - 1
            } else {
                counters.tail -= 1;
                counters.tail
            };
            self.delete(key, &key::list_item(key, seq));
            self.put(key, key::list_claim(key, seq), b"");
        }
        if popped > 0 {
            let popped = i64::try_from(popped).unwrap();
            let body = value::list_delta(if from_head { popped } else { 0 }, -popped);
            self.delta(key, |ts, seq| key::list_delta(key, ts, seq), body);
            self.keys.insert(key.to_vec(), (RedisValue::List(list), expiry));
        }
    }

    fn stream_add(
        &mut self,
        key: &[u8],
        last: StreamId,
        mut entries: Vec<ekv_testkit::redis::StreamEntry>,
        n: u8,
        expiry: Option<u64>,
    ) {
        let id = match n % 3 {
            0 => StreamId { ms: last.ms, seq: last.seq + 1 },
            1 => StreamId { ms: last.ms + 1, seq: 0 },
            _ => StreamId { ms: last.ms + 300, seq: 1 },
        };
        let fields: Vec<(Vec<u8>, Vec<u8>)> = (0..n % 4).map(|i| (vec![b'f'], vec![b'0' + i])).collect();
        let texts: Vec<&[u8]> = fields.iter().flat_map(|(name, value)| [name.as_slice(), value]).collect();
        let text = format!("{}-{}", id.ms, id.seq);
        self.put(key, key::stream_entry(key, id), value::stream_entry(&text, &texts));
        entries.push((id, fields));
        self.keys.insert(key.to_vec(), (RedisValue::Stream { last: id, entries }, expiry));
        self.fold(key, expiry.unwrap_or(0));
    }
}

fn body(n: u8) -> Vec<u8> {
    match n % 4 {
        0 => Vec::new(),
        1 => b"\xff\x01\x01".to_vec(),
        _ => vec![n; usize::from(n)],
    }
}

fn far(n: u8) -> u64 {
    2_000_000_000_000 + u64::from(n)
}

/// Names of keys and elements: prefixes of each other, binary, and like stored keys, item numbers and inverted timestamps.
fn names() -> Vec<Vec<u8>> {
    let timestamp = ekv_snapshot::CommitTs(RedisRecords::FIRST_COMMIT_TS + 60).to_suffix();
    let mut names: Vec<Vec<u8>> = [
        &b""[..],
        b"k",
        b"kk",
        b"k\0",
        b"k\xff",
        b"k\xfe",
        b"k\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"k\x80\0\0\0\0\0\0\0",
        b"d|",
        b"d|\0\0\0\x01k",
        b"!redis|str|k",
        b"_meta_k",
        b"\xff\xff",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    names.extend([1, 4, 7, 8].map(|len| [b"k", &timestamp[..len]].concat()));
    names
}

fn commands() -> impl Strategy<Value = Vec<(usize, Command)>> {
    let kind = || prop_oneof![Just(Wide::Hash), Just(Wide::Set), Just(Wide::ZSet)];
    let name = 0_usize..17;
    let command = prop_oneof![
        2 => any::<u8>().prop_map(Command::Set),
        1 => any::<u8>().prop_map(Command::SetEx),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(has_prefix, expires)| Command::OldSet { has_prefix, expires }),
        1 => kind().prop_map(Command::OldCollection),
        2 => Just(Command::Del),
        6 => (kind(), name.clone()).prop_map(|(kind, name)| Command::Add { kind, name }),
        3 => (kind(), name.clone()).prop_map(|(kind, name)| Command::Remove { kind, name }),
        4 => (any::<bool>(), 1_u8..4).prop_map(|(to_head, items)| Command::Push { to_head, items }),
        3 => (any::<bool>(), 1_u8..4).prop_map(|(from_head, items)| Command::Pop { from_head, items }),
        4 => any::<u8>().prop_map(Command::StreamAdd),
        1 => (0_usize..4, any::<bool>())
            .prop_map(|(keep, removes_records)| Command::StreamTrim { keep, removes_records }),
        1 => any::<u8>().prop_map(Command::HllAdd),
        2 => any::<u8>().prop_map(Command::Expire),
        2 => Just(Command::Compact),
    ];
    proptest::collection::vec((name, command), 1..150)
}

fn keyspace(decoded: crate::redis::decoded::Decoded) -> Keyspace {
    decoded.keys.into_iter().map(|(name, key)| (name, (key.value, key.expire_at_ms))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decode_gives_the_keys_that_the_server_had_at_the_end_and_at_any_moment_before(
        commands in commands(),
        stop in 0_usize..150,
    ) {
        let names = names();
        let mut server = Server::new();
        let mut earlier = None;
        for (i, (name, command)) in commands.iter().enumerate() {
            server.apply(&names[name % names.len()], *command);
            if i == stop {
                earlier = Some((server.records.commit_ts(), server.keys.clone()));
            }
        }
        let decoded = decode(&server.records);
        prop_assert_eq!(decoded.losses(), 0);
        prop_assert_eq!(keyspace(decoded), server.keys);
        if let Some((read_ts, keys)) = earlier {
            prop_assert_eq!(keyspace(decode_at(&server.records, read_ts)), keys);
        }
    }
}
