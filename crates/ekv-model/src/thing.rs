//! Keys, items, objects and messages as they pass by, each with its name and its size. Source: `docs/format/tree.md`, section 19.

use crate::dynamodb::{self, KeyForms};
use crate::payload::{ItemMeter, element_len, is_element};
use crate::step::{Extent, Step, ThingKey};
use crate::{Address, Event, Kind, Name, item_parts, redis};

/// How large a thing is. Source: `docs/format/tree.md`, section 19.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Payload: values and the names inside of them, not the name of the thing.
    pub bytes: u64,
    /// Fields, items, members or entries of a Redis collection; `None` for anything else.
    pub elements: Option<u64>,
}

/// A Redis key, DynamoDB item, S3 object or SQS message.
#[derive(Clone, Copy, Debug)]
pub struct Thing<'t> {
    /// What it is.
    pub kind: Kind,
    /// Database number in decimal, name of the table, bucket or queue.
    pub scope: &'t [u8],
    /// The key in the scope, as [`Name::key`] has it: one part, for an item one or two.
    pub key: &'t [Vec<u8>],
    /// How large it is.
    pub size: Size,
    /// Expiry of a Redis key in Unix milliseconds, if it has one.
    pub expire_at_ms: Option<u64>,
    /// When it was committed (HLC); 0 if unknown, as in a dump.
    pub commit_ts: u64,
}

impl Thing<'_> {
    /// Its name, to be shown.
    pub fn address(&self) -> Address<'_> {
        Address { protocol: self.kind.protocol(), scope: self.scope, key: self.key }
    }

    /// Its name.
    pub fn name(&self) -> Name {
        Name { protocol: self.kind.protocol(), scope: self.scope.to_vec(), key: self.key.to_vec() }
    }
}

/// Makes things of the events of any source.
///
/// ```
/// use ekv_model::{Body, Event, Things, redis};
///
/// let mut things = Things::default();
/// let kind = redis::CollectionKind::Set;
/// let begin = redis::Event::Begin { kind, key: b"colours", expire_at_ms: None, commit_ts: 0, size: None };
/// let event = |event| Event::Redis { database: 0, event };
/// assert!(things.event(&event(begin)).is_none());
/// assert!(things.event(&event(redis::Event::Element(redis::Element::Member(b"blue")))).is_none());
/// let thing = things.event(&event(redis::Event::End)).ok_or("no thing")?;
/// assert_eq!((thing.size.bytes, thing.size.elements), (4, Some(1)));
/// assert_eq!(thing.name().to_string(), "redis:0/colours");
/// # Ok::<(), &str>(())
/// ```
///
/// Memory: one name, and a byte for each level of an item.
#[derive(Debug, Default)]
pub struct Things {
    /// The numbered scope that `scope` says, if it is one.
    number: Option<u32>,
    scope: Vec<u8>,
    forms: Option<KeyForms>,
    key: Vec<Vec<u8>>,
    /// The collection or item that is open.
    open: Option<OpenThing>,
}

#[derive(Debug)]
struct OpenThing {
    kind: Kind,
    size: Size,
    expire_at_ms: Option<u64>,
    commit_ts: u64,
    item: ItemMeter,
}

impl Things {
    /// Takes the next event; the thing that it completes, if it does. What no client sees (orphans, side records, unfinished uploads,
    /// raw records) is none.
    pub fn event(&mut self, event: &Event<'_>) -> Option<Thing<'_>> {
        match (event, event.step()) {
            (_, Step::Scope { name, forms, is_gone }) => {
                self.forms = Some(forms);
                self.number = None;
                self.scope.clear();
                self.scope.extend_from_slice(if is_gone { b"" } else { name });
                None
            }
            (_, Step::Thing { number, kind, key, extent, expire_at_ms, commit_ts }) => {
                self.enter(number);
                if self.scope.is_empty() {
                    return None;
                }
                match key {
                    ThingKey::Plain(key) => self.set_key(key),
                    ThingKey::Item(key) => self.key = item_parts(&key, self.forms.unwrap_or(KeyForms::Mixed)),
                }
                let elements = match extent {
                    Extent::Whole(bytes) => {
                        self.open = None;
                        let Things { scope, key, .. } = self;
                        let size = Size { bytes, elements: None };
                        return Some(Thing { kind, scope, key, size, expire_at_ms, commit_ts });
                    }
                    Extent::Elements(_) => Some(0),
                    Extent::Parts(_) => None,
                };
                let size = Size { bytes: 0, elements };
                self.open = Some(OpenThing { kind, size, expire_at_ms, commit_ts, item: ItemMeter::default() });
                None
            }
            (_, Step::Inside { is_end: true }) => self.end(),
            (Event::Redis { event: redis::Event::Element(element), .. }, _) => {
                let Size { bytes, elements } = &mut self.open.as_mut()?.size;
                *bytes = bytes.saturating_add(element_len(element));
                *elements = elements.map(|elements| elements.saturating_add(u64::from(is_element(element))));
                None
            }
            (Event::DynamoDb(dynamodb::Event::Node(node)), _) => {
                let OpenThing { item, size, .. } = self.open.as_mut()?;
                item.node(node);
                size.bytes = item.bytes();
                None
            }
            _ => None,
        }
    }

    /// Enters a numbered scope, if it is one.
    fn enter(&mut self, number: Option<u32>) {
        if let Some(index) = number.filter(|_| self.number != number) {
            self.number = number;
            self.scope = index.to_string().into_bytes();
        }
    }

    fn set_key(&mut self, key: &[u8]) {
        self.key.truncate(1);
        match self.key.first_mut() {
            Some(part) => {
                part.clear();
                part.extend_from_slice(key);
            }
            None => self.key.push(key.to_vec()),
        }
    }

    fn end(&mut self) -> Option<Thing<'_>> {
        let OpenThing { kind, size, expire_at_ms, commit_ts, .. } = self.open.take()?;
        let Things { scope, key, .. } = self;
        Some(Thing { kind, scope, key, size, expire_at_ms, commit_ts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;
    use crate::dynamodb::{ItemKey, KeySchema, KeyType, KeyValue, Node, Table};
    use crate::redis::{CollectionKind, Element, Expiry, ExpiryOrigin, ScalarKind, StreamId};
    use crate::sqs;

    /// What things the events are, as text.
    fn things_of(events: &[Event<'_>]) -> Vec<String> {
        let mut things = Things::default();
        let mut told = Vec::new();
        for event in events {
            if let Some(thing) = things.event(event) {
                let Size { bytes, elements } = thing.size;
                let elements = elements.map(|elements| format!(" of {elements}")).unwrap_or_default();
                let expiry = thing.expire_at_ms.map(|at| format!(" until {at}")).unwrap_or_default();
                told.push(format!("{} {} {bytes} B{elements}{expiry}", thing.name(), thing.kind.name()));
            }
        }
        told
    }

    fn redis_events<'a>(database: u32, events: &[redis::Event<'a>]) -> Vec<Event<'a>> {
        events.iter().map(|event| Event::Redis { database, event: *event }).collect()
    }

    fn collection<'a>(kind: CollectionKind, elements: &[Element<'a>]) -> Vec<Event<'a>> {
        let mut events = vec![redis::Event::Begin { kind, key: b"k", expire_at_ms: None, commit_ts: 0, size: None }];
        events.extend(elements.iter().map(|element| redis::Event::Element(*element)));
        events.push(redis::Event::End);
        redis_events(3, &events)
    }

    #[test]
    fn redis_key_is_measured_element_by_element() {
        let body = Body::Inline;
        let expiry = Some(Expiry { at_ms: 7, origin: ExpiryOrigin::Inline });
        let string =
            redis::Event::Scalar { kind: ScalarKind::String, key: b"a b", body: body(b"12345"), expiry, commit_ts: 9 };
        assert_eq!(things_of(&redis_events(0, &[string])), ["redis:0/a%20b string 5 B until 7"]);
        let last = StreamId::default();
        let cases: [(CollectionKind, &[Element<'_>], &str); 6] = [
            (CollectionKind::Hash, &[Element::Field { name: b"na", value: body(b"abc") }], "hash 5 B of 1"),
            (CollectionKind::List, &[Element::Item(body(b"abc")), Element::Item(body(b""))], "list 3 B of 2"),
            (CollectionKind::Set, &[Element::Member(b"ab")], "set 2 B of 1"),
            (CollectionKind::ZSet, &[Element::Scored { member: b"ab", score: f64::NAN }], "zset 10 B of 1"),
            (
                CollectionKind::Stream { last },
                &[
                    Element::EntryBegin(last),
                    Element::EntryField { name: body(b"n"), value: body(b"abc") },
                    Element::EntryField { name: body(b"n"), value: body(b"") },
                    Element::EntryEnd,
                ],
                "stream 21 B of 1",
            ),
            (CollectionKind::Set, &[], "set 0 B of 0"),
        ];
        for (kind, elements, expected) in cases {
            assert_eq!(things_of(&collection(kind, elements)), [format!("redis:3/k {expected}")]);
        }
    }

    /// An item with one attribute `a` in a table `t`.
    fn item<'a>(table: &'a Table<'a>, nodes: &[Node<'a>]) -> Vec<Event<'a>> {
        use dynamodb::Event::{ItemBegin, ItemEnd, Node as OneNode, TableBegin, TableEnd};
        let hash = KeyValue { key_type: KeyType::String, bytes: b"c/1" };
        let range = Some(KeyValue { key_type: KeyType::Number, bytes: b"17.50" });
        let mut events = vec![
            TableBegin(table),
            ItemBegin { key: ItemKey { hash, range, sort_key: b"" }, commit_ts: 0, bytes: None },
            OneNode(Node::Name("a")),
        ];
        events.extend(nodes.iter().map(|node| OneNode(*node)));
        events.extend([ItemEnd, TableEnd]);
        events.into_iter().map(Event::DynamoDb).collect()
    }

    #[test]
    fn item_has_the_name_and_size_that_dynamodb_gives_it() {
        let table = Table {
            name: "t",
            schema_name: "t",
            primary_key: KeySchema::default(),
            attribute_definitions: &[],
            indexes: &[],
            key_encoding_version: 2,
            generation: 1,
            migrating_from_generation: 0,
            key_forms: KeyForms::Uniform,
        };
        let nodes = [Node::MapBegin, Node::Name("key"), Node::Number(Body::Inline(b"7")), Node::End];
        // Name and map, then name, number and place in the map.
        assert_eq!(things_of(&item(&table, &nodes)), [format!("dynamodb:t/c%2F1/17.5 item {} B", 1 + 3 + 3 + 2 + 1)]);
    }

    #[test]
    fn message_is_its_body_and_attributes_and_what_has_no_queue_is_nothing() {
        let attributes = [sqs::Attribute { name: "ab", json: b"{}" }];
        let message = sqs::Message {
            message_id: "id",
            body: Body::Inline(b"hello"),
            md5_of_body: "",
            md5_of_message_attributes: "",
            attributes: &attributes,
            sender_id: "",
            send_timestamp_ms: 0,
            available_at_ms: 0,
            visible_at_ms: 0,
            receive_count: 0,
            first_receive_ms: 0,
            current_receipt_token: b"",
            queue_generation: 1,
            message_group_id: "",
            message_deduplication_id: "",
            sequence_number: 0,
            dead_letter_source_arn: "",
            partition: None,
            commit_ts: 0,
        };
        let queue = sqs::Queue { name: b"q".to_vec(), ..sqs::Queue::default() };
        let events = [
            sqs::Event::Queue(&queue),
            sqs::Event::Message(&message),
            sqs::Event::End,
            sqs::Event::Orphan { name: b"gone" },
            sqs::Event::Message(&message),
            sqs::Event::End,
        ];
        assert_eq!(things_of(&events.map(Event::Sqs)), ["sqs:q/id message 9 B"]);
    }
}
