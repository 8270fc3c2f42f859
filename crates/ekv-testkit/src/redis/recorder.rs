//! What a client sees, and a target that gathers it from events.

use std::collections::{BTreeMap, BTreeSet};

use ekv_model::redis::{CollectionKind, Element, Event, Expiry, ExpiryOrigin, ScalarKind, StreamId};
use ekv_model::{Body, Consumer, Result};

/// The fields of a stream entry, in stored order.
pub type StreamEntry = (StreamId, Vec<(Vec<u8>, Vec<u8>)>);

/// The value of a Redis key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisValue {
    /// Body of a string.
    String(Vec<u8>),
    /// Payload of a HyperLogLog.
    Hll(Vec<u8>),
    /// Fields with their values.
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Items in order.
    List(Vec<Vec<u8>>),
    /// Members.
    Set(BTreeSet<Vec<u8>>),
    /// Members with the bits of their scores.
    ZSet(BTreeMap<Vec<u8>, u64>),
    /// Entries by ascending id.
    Stream {
        /// Highest id ever added.
        last: StreamId,
        /// The entries that are there.
        entries: Vec<StreamEntry>,
    },
}

/// A Redis key as it was emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedKey {
    /// Its value.
    pub value: RedisValue,
    /// Expiry in Unix milliseconds.
    pub expire_at_ms: Option<u64>,
    /// Where a scalar's expiry was read from.
    pub expiry_origin: Option<ExpiryOrigin>,
}

/// Gathers the events of Redis keys. Panics when they break the contract of `ekv_model::redis`: a key comes twice, collections mix,
/// elements are of the wrong kind or not in ascending order.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Finished keys.
    pub keys: BTreeMap<Vec<u8>, RecordedKey>,
    /// The keys in the order in which they began.
    pub order: Vec<Vec<u8>>,
    /// Databases that were named.
    pub databases: BTreeSet<u32>,
    open: Option<(Vec<u8>, RecordedKey)>,
    entry_is_open: bool,
}

fn bytes(body: &Body<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    assert_eq!(u64::try_from(bytes.len()).unwrap(), body.len(), "the body's length is what it yields");
    Ok(bytes)
}

impl Recorder {
    fn add(&mut self, key: Vec<u8>, recorded: RecordedKey) {
        assert!(self.keys.insert(key.clone(), recorded).is_none(), "{} was emitted twice", key.escape_ascii());
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        let (key, open) = self.open.as_mut().expect("elements come inside a collection");
        let name = key.escape_ascii();
        match (element, &mut open.value) {
            (Element::Field { name: field, value }, RedisValue::Hash(fields)) => {
                assert!(fields.keys().next_back().is_none_or(|last| last.as_slice() < field), "{name}: fields ascend");
                fields.insert(field.to_vec(), bytes(&value)?);
            }
            (Element::Item(item), RedisValue::List(items)) => items.push(bytes(&item)?),
            (Element::Member(member), RedisValue::Set(members)) => {
                assert!(members.last().is_none_or(|last| last.as_slice() < member), "{name}: members ascend");
                members.insert(member.to_vec());
            }
            (Element::Scored { member, score }, RedisValue::ZSet(members)) => {
                let last = members.keys().next_back();
                assert!(last.is_none_or(|last| last.as_slice() < member), "{name}: members ascend");
                members.insert(member.to_vec(), score.to_bits());
            }
            (Element::EntryBegin(id), RedisValue::Stream { entries, .. }) => {
                assert!(!self.entry_is_open, "{name}: entries do not nest");
                assert!(entries.last().is_none_or(|(last, _)| *last < id), "{name}: ids ascend");
                self.entry_is_open = true;
                entries.push((id, Vec::new()));
            }
            (Element::EntryField { name: field, value }, RedisValue::Stream { entries, .. }) => {
                assert!(self.entry_is_open, "{name}: a field comes inside an entry");
                entries.last_mut().unwrap().1.push((bytes(&field)?, bytes(&value)?));
            }
            (Element::EntryEnd, RedisValue::Stream { .. }) => {
                assert!(self.entry_is_open, "{name}: an entry ends once");
                self.entry_is_open = false;
            }
            (element, value) => panic!("{name}: {element:?} in {value:?}"),
        }
        Ok(())
    }
}

impl Consumer for Recorder {
    fn event(&mut self, event: ekv_model::Event<'_>) -> Result<()> {
        let ekv_model::Event::Redis { database, event } = event else { panic!("not a Redis event: {event:?}") };
        self.databases.insert(database);
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                assert!(self.open.is_none(), "no scalar comes inside a collection");
                let value = match kind {
                    ScalarKind::String => RedisValue::String(bytes(&body)?),
                    ScalarKind::Hll => RedisValue::Hll(bytes(&body)?),
                };
                self.order.push(key.to_vec());
                let (expire_at_ms, expiry_origin) = match expiry {
                    Some(Expiry { at_ms, origin }) => (Some(at_ms), Some(origin)),
                    None => (None, None),
                };
                self.add(key.to_vec(), RecordedKey { value, expire_at_ms, expiry_origin });
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                assert!(self.open.is_none(), "collections do not nest");
                let value = match kind {
                    CollectionKind::Hash => RedisValue::Hash(BTreeMap::new()),
                    CollectionKind::List => RedisValue::List(Vec::new()),
                    CollectionKind::Set => RedisValue::Set(BTreeSet::new()),
                    CollectionKind::ZSet => RedisValue::ZSet(BTreeMap::new()),
                    CollectionKind::Stream { last } => RedisValue::Stream { last, entries: Vec::new() },
                };
                self.order.push(key.to_vec());
                self.open = Some((key.to_vec(), RecordedKey { value, expire_at_ms, expiry_origin: None }));
            }
            Event::Element(element) => self.element(element)?,
            Event::End => {
                assert!(!self.entry_is_open, "entries end before their stream");
                let (key, recorded) = self.open.take().expect("only an open collection ends");
                self.add(key, recorded);
            }
        }
        Ok(())
    }
}
