//! Keys, items, objects and messages as they pass by, each with its name and its size. Source: `docs/format/tree.md`, section 19.

use crate::dynamodb::{self, KeyForms, Node, Number, SetKind};
use crate::redis::{self, Element};
use crate::{Body, Event, Kind, Name, Protocol, item_parts, s3, sqs};

/// Bytes of the score of a sorted-set member.
const SCORE_LEN: u64 = 8;
/// Bytes of the id of a stream entry.
const STREAM_ID_LEN: u64 = 16;
/// What DynamoDB counts for a list or a map beside what is in it, in bytes.
const CONTAINER_LEN: u64 = 3;
/// What DynamoDB counts for each element of a list or a map beside its content, in bytes.
const CONTAINED_LEN: u64 = 1;

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
}

impl Thing<'_> {
    /// Its address.
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
/// let begin = redis::Event::Begin { kind: redis::CollectionKind::Set, key: b"colours", expire_at_ms: None };
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
    database: Option<u32>,
    scope: Vec<u8>,
    forms: Option<KeyForms>,
    key: Vec<Vec<u8>>,
    /// The collection or item that is open.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    size: Size,
    expire_at_ms: Option<u64>,
    /// The sets, lists and maps around the next node of an item.
    levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Set(SetKind),
    ListOrMap,
}

impl Things {
    /// Takes the next event; the thing that it completes, if it does. What no client sees (orphans, side records, unfinished uploads,
    /// raw records) is none.
    pub fn event(&mut self, event: &Event<'_>) -> Option<Thing<'_>> {
        match event {
            Event::Redis { database, event } => {
                if self.database != Some(*database) {
                    self.database = Some(*database);
                    self.scope = database.to_string().into_bytes();
                }
                self.redis(event)
            }
            Event::DynamoDb(event) => self.dynamodb(event),
            Event::S3(s3::Event::Begin(bucket)) => self.enter(bucket.name.as_bytes()),
            Event::S3(s3::Event::Object(object)) => {
                self.set_key(object.key);
                self.whole(Kind::Object, object.body.len(), None)
            }
            Event::Sqs(sqs::Event::Queue(queue)) => self.enter(queue.name),
            Event::Sqs(sqs::Event::Orphan { .. }) => self.enter(b""),
            Event::Sqs(sqs::Event::Message(_)) if self.scope.is_empty() => None,
            Event::Sqs(sqs::Event::Message(message)) => {
                let attributes =
                    message.attributes.iter().map(|one| len(one.name.len()).saturating_add(len(one.json.len())));
                let bytes = message.body.len().saturating_add(attributes.fold(0, u64::saturating_add));
                self.set_key(message.message_id.as_bytes());
                self.whole(Kind::Message, bytes, None)
            }
            Event::S3(_) | Event::Sqs(_) | Event::Raw(_) => None,
        }
    }

    fn enter(&mut self, scope: &[u8]) -> Option<Thing<'_>> {
        self.database = None;
        self.scope.clear();
        self.scope.extend_from_slice(scope);
        None
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

    fn whole(&self, kind: Kind, bytes: u64, expire_at_ms: Option<u64>) -> Option<Thing<'_>> {
        let Things { scope, key, .. } = self;
        Some(Thing { kind, scope, key, size: Size { bytes, elements: None }, expire_at_ms })
    }

    fn begin(&mut self, kind: Kind, elements: Option<u64>, expire_at_ms: Option<u64>) -> Option<Thing<'_>> {
        self.open = Some(Open { kind, size: Size { bytes: 0, elements }, expire_at_ms, levels: Vec::new() });
        None
    }

    fn end(&mut self) -> Option<Thing<'_>> {
        let Open { kind, size, expire_at_ms, .. } = self.open.take()?;
        let Things { scope, key, .. } = self;
        Some(Thing { kind, scope, key, size, expire_at_ms })
    }

    fn redis(&mut self, event: &redis::Event<'_>) -> Option<Thing<'_>> {
        match event {
            redis::Event::Scalar { kind, key, body, expiry, .. } => {
                self.set_key(key);
                self.whole((*kind).into(), body.len(), expiry.map(|expiry| expiry.at_ms))
            }
            redis::Event::Begin { kind, key, expire_at_ms, .. } => {
                self.set_key(key);
                self.begin((*kind).into(), Some(0), *expire_at_ms)
            }
            redis::Event::Element(element) => {
                if let Some(open) = &mut self.open {
                    open.element(element);
                }
                None
            }
            redis::Event::End => self.end(),
        }
    }

    fn dynamodb(&mut self, event: &dynamodb::Event<'_>) -> Option<Thing<'_>> {
        match event {
            dynamodb::Event::TableBegin(table) => {
                self.forms = Some(table.key_forms);
                self.enter(table.name.as_bytes())
            }
            dynamodb::Event::ItemBegin(key) => {
                self.key = item_parts(key, self.forms.unwrap_or(KeyForms::Mixed));
                self.begin(Kind::Item, None, None)
            }
            dynamodb::Event::Node(node) => {
                if let Some(open) = &mut self.open {
                    open.node(node);
                }
                None
            }
            dynamodb::Event::ItemEnd => self.end(),
            dynamodb::Event::TableEnd => None,
        }
    }
}

impl Open {
    fn add(&mut self, bytes: u64) {
        self.size.bytes = self.size.bytes.saturating_add(bytes);
    }

    fn element(&mut self, element: &Element<'_>) {
        let (bytes, is_element) = match element {
            Element::Field { name, value } => (len(name.len()).saturating_add(value.len()), true),
            Element::Item(body) => (body.len(), true),
            Element::Member(member) => (len(member.len()), true),
            Element::Scored { member, .. } => (len(member.len()).saturating_add(SCORE_LEN), true),
            Element::EntryBegin(_) => (STREAM_ID_LEN, true),
            Element::EntryField { name, value } => (name.len().saturating_add(value.len()), false),
            Element::EntryEnd => (0, false),
        };
        self.add(bytes);
        if let Some(elements) = self.size.elements.as_mut().filter(|_| is_element) {
            *elements = elements.saturating_add(1);
        }
    }

    fn node(&mut self, node: &Node<'_>) {
        let bytes = match node {
            Node::Name(name) => return self.add(len(name.len())),
            Node::End => {
                self.levels.pop();
                return;
            }
            Node::Member(body) if self.levels.last() == Some(&Level::Set(SetKind::Number)) => {
                return self.add(number_len(body));
            }
            Node::Member(body) => return self.add(body.len()),
            Node::String(body) | Node::Binary(body) => body.len(),
            Node::Number(body) => number_len(body),
            Node::Bool(_) | Node::Null(_) => 1,
            Node::Missing | Node::SetBegin(_) => 0,
            Node::ListBegin | Node::MapBegin => CONTAINER_LEN,
        };
        self.add(bytes);
        if !self.levels.is_empty() {
            self.add(CONTAINED_LEN);
        }
        match node {
            Node::SetBegin(kind) => self.levels.push(Level::Set(*kind)),
            Node::ListBegin | Node::MapBegin => self.levels.push(Level::ListOrMap),
            _ => {}
        }
    }
}

/// What DynamoDB counts for a number: a byte for two significant digits, and one more. A text that is no number counts as a text.
fn number_len(body: &Body<'_>) -> u64 {
    let Body::Inline(bytes) = body else { return body.len() };
    let number = std::str::from_utf8(bytes).ok().and_then(|text| Number::parse(text).ok());
    number.map_or(body.len(), |number| len(number.digits.len().div_ceil(2)).saturating_add(1))
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::{ItemKey, KeySchema, KeyType, KeyValue, Table};
    use crate::redis::{CollectionKind, Expiry, ExpiryOrigin, ScalarKind, StreamId};

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
        let mut events = vec![redis::Event::Begin { kind, key: b"k", expire_at_ms: None }];
        events.extend(elements.iter().map(|element| redis::Event::Element(*element)));
        events.push(redis::Event::End);
        redis_events(3, &events)
    }

    #[test]
    fn payload_of_a_redis_key_is_its_values_and_the_names_in_them() {
        let body = Body::Inline;
        let expiry = Some(Expiry { at_ms: 7, origin: ExpiryOrigin::Inline });
        let string = redis::Event::Scalar { kind: ScalarKind::String, key: b"a b", body: body(b"12345"), expiry };
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
        let mut events =
            vec![TableBegin(table), ItemBegin(ItemKey { hash, range, sort_key: b"" }), OneNode(Node::Name("a"))];
        events.extend(nodes.iter().map(|node| OneNode(*node)));
        events.extend([ItemEnd, TableEnd]);
        events.into_iter().map(Event::DynamoDb).collect()
    }

    #[test]
    fn item_is_as_large_as_dynamodb_says() {
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
        let text = |text: &'static str| Body::Inline(text.as_bytes());
        let cases: [(&[Node<'_>], u64); 12] = [
            (&[Node::String(text("né"))], 3),
            (&[Node::Binary(text("abcd"))], 4),
            (&[Node::Number(text("0"))], 1),
            (&[Node::Number(text("-12.30"))], 3),
            (&[Node::Number(text("1e5"))], 2),
            (&[Node::Number(text("no number"))], 9),
            (&[Node::Bool(true)], 1),
            (&[Node::Null(true)], 1),
            (&[Node::SetBegin(SetKind::Number), Node::Member(text("1")), Node::Member(text("234")), Node::End], 5),
            (&[Node::ListBegin, Node::End], 3),
            (&[Node::ListBegin, Node::String(text("ab")), Node::Bool(false), Node::End], 3 + 3 + 2),
            // A map in a list: 3 + (1 + 3) + name and value with one more.
            (
                &[Node::ListBegin, Node::MapBegin, Node::Name("key"), Node::Number(text("7")), Node::End, Node::End],
                3 + 1 + 3 + 3 + 2 + 1,
            ),
        ];
        for (nodes, value_len) in cases {
            let expected = format!("dynamodb:t/c%2F1/17.5 item {} B", 1 + value_len);
            assert_eq!(things_of(&item(&table, nodes)), [expected], "{nodes:?}");
        }
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
        };
        let queue = sqs::Queue { name: b"q", ..sqs::Queue::default() };
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
