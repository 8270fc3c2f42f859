//! A consumer of what is selected, for sources that know no better than to give everything.

use super::{Keys, Scope};
use crate::dynamodb::{AttributeDefinition, Event as ItemEvent, Index, KeyForms, KeySchema, Projection, Table};
use crate::redis::Event as RedisEvent;
use crate::s3::{Bucket, BucketRecord, Event as S3Event};
use crate::sqs::{Event as SqsEvent, OwnedQueue};
use crate::{Consumer, Event, Findings, Kind, Protocol, Result};

/// Passes on the events of what a [`Scope`] selects: of each thing all or none, of a table, bucket or queue its beginning with the first
/// selected thing in it, or if it is selected itself.
///
/// Memory: the settings of one table, bucket or queue.
pub struct Filtered<'a> {
    scope: &'a Scope,
    inner: &'a mut dyn Consumer,
    is_passing: bool,
    open: Open<'a>,
}

/// The table, bucket or queue at hand.
struct Open<'a> {
    keys: Option<Keys<'a>>,
    /// Its beginning, until that has been passed on.
    beginning: Option<Beginning>,
    forms: KeyForms,
}

enum Beginning {
    Table(Box<OwnedTable>),
    Bucket { name: String, record: Option<(u64, [String; 3])> },
    Queue { name: Vec<u8>, queue: Box<OwnedQueue> },
    Orphan(Vec<u8>),
}

impl<'a> Filtered<'a> {
    /// Passes on to `inner` what `scope` selects.
    pub fn new(scope: &'a Scope, inner: &'a mut dyn Consumer) -> Self {
        let open = Open { keys: None, beginning: None, forms: KeyForms::Uniform };
        Filtered { scope, inner, is_passing: false, open }
    }

    fn begin(&mut self, protocol: Protocol, name: &[u8], beginning: Beginning) -> Result<()> {
        let keys = self.scope.keys_in(protocol, name);
        let has_scope = keys.has_scope();
        self.open.keys = Some(keys);
        self.open.beginning = Some(beginning);
        if has_scope { self.pass_beginning() } else { Ok(()) }
    }

    fn pass_beginning(&mut self) -> Result<()> {
        match self.open.beginning.take() {
            None => Ok(()),
            Some(beginning) => beginning.pass(self.inner),
        }
    }

    /// Passes a thing of the open scope on, if it is selected.
    fn pass_if(&mut self, is_selected: impl FnOnce(&Keys<'a>, KeyForms) -> bool, event: Event<'_>) -> Result<()> {
        self.is_passing = self.open.keys.as_ref().is_some_and(|keys| is_selected(keys, self.open.forms));
        if !self.is_passing {
            return Ok(());
        }
        self.pass_beginning()?;
        self.inner.event(event)
    }

    fn end(&mut self, event: Event<'_>) -> Result<()> {
        let has_begun = self.open.keys.take().is_some() && self.open.beginning.take().is_none();
        if has_begun { self.inner.event(event) } else { Ok(()) }
    }

    fn redis(&mut self, database: u32, redis: &RedisEvent<'_>, event: Event<'_>) -> Result<()> {
        let (kind, key) = match redis {
            RedisEvent::Scalar { kind, key, .. } => (Kind::from(*kind), key),
            RedisEvent::Begin { kind, key, .. } => (Kind::from(*kind), key),
            RedisEvent::Element(_) | RedisEvent::End => {
                return if self.is_passing { self.inner.event(event) } else { Ok(()) };
            }
        };
        let keys = self.scope.keys_in(Protocol::Redis, database.to_string().as_bytes());
        self.is_passing = self.scope.includes_kind(kind) && keys.contains(key);
        if self.is_passing { self.inner.event(event) } else { Ok(()) }
    }
}

impl Consumer for Filtered<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if self.scope.is_everything() {
            return self.inner.event(event);
        }
        match event {
            Event::Redis { database, event: redis } => self.redis(database, &redis, event),
            Event::DynamoDb(ItemEvent::TableBegin(table)) => {
                self.open.forms = table.key_forms;
                self.begin(Protocol::DynamoDb, table.name.as_bytes(), Beginning::Table(Box::new(table.into())))
            }
            Event::DynamoDb(ItemEvent::ItemBegin { key, .. }) => {
                self.pass_if(|keys, forms| keys.contains_item(&key, forms), event)
            }
            Event::DynamoDb(ItemEvent::Node(_) | ItemEvent::ItemEnd) if self.is_passing => self.inner.event(event),
            Event::DynamoDb(ItemEvent::Node(_) | ItemEvent::ItemEnd) => Ok(()),
            Event::S3(S3Event::Begin(bucket)) => {
                let record = bucket.record.map(|BucketRecord { created_at_hlc, owner, region, acl }| {
                    (created_at_hlc, [owner, region, acl].map(str::to_owned))
                });
                let beginning = Beginning::Bucket { name: bucket.name.to_owned(), record };
                self.begin(Protocol::S3, bucket.name.as_bytes(), beginning)
            }
            Event::S3(S3Event::Key(key)) => self.pass_if(|keys, _| keys.contains(key), event),
            Event::S3(S3Event::Object(object)) => self.pass_if(|keys, _| keys.contains(object.key), event),
            Event::S3(S3Event::OrphanChunk(chunk)) => self.pass_if(|keys, _| keys.contains(chunk.key), event),
            Event::S3(S3Event::UploadRecord(_)) => self.pass_if(|keys, _| keys.is_all(), event),
            Event::Sqs(SqsEvent::Queue(queue)) => {
                let beginning =
                    Beginning::Queue { name: queue.name.to_vec(), queue: Box::new(OwnedQueue::from(queue)) };
                self.begin(Protocol::Sqs, queue.name, beginning)
            }
            Event::Sqs(SqsEvent::Orphan { name }) => self.begin(Protocol::Sqs, name, Beginning::Orphan(name.to_vec())),
            Event::Sqs(SqsEvent::Message(message)) => {
                self.pass_if(|keys, _| keys.contains(message.message_id.as_bytes()), event)
            }
            Event::Sqs(SqsEvent::SideRecord(_)) => self.pass_if(|keys, _| keys.is_all(), event),
            Event::DynamoDb(ItemEvent::TableEnd) | Event::S3(S3Event::End) | Event::Sqs(SqsEvent::End) => {
                self.end(event)
            }
            // It has no name.
            Event::Raw(_) => Ok(()),
        }
    }

    fn findings(&self) -> Findings {
        self.inner.findings()
    }
}

impl Beginning {
    fn pass(self, inner: &mut dyn Consumer) -> Result<()> {
        match self {
            Beginning::Table(table) => table.pass(inner),
            Beginning::Bucket { name, record } => {
                let record = record.as_ref().map(|(created_at_hlc, [owner, region, acl])| BucketRecord {
                    created_at_hlc: *created_at_hlc,
                    owner,
                    region,
                    acl,
                });
                inner.event(Event::S3(S3Event::Begin(Bucket { name: &name, record })))
            }
            Beginning::Queue { name, queue } => {
                inner.event(Event::Sqs(SqsEvent::Queue(&queue.event(&name, &queue.tags()))))
            }
            Beginning::Orphan(name) => inner.event(Event::Sqs(SqsEvent::Orphan { name: &name })),
        }
    }
}

/// A table whose beginning waits.
struct OwnedTable {
    name: String,
    schema_name: String,
    primary_key: [String; 2],
    attribute_definitions: Vec<[String; 2]>,
    indexes: Vec<OwnedIndex>,
    key_encoding_version: u64,
    generation: u64,
    migrating_from_generation: u64,
    key_forms: KeyForms,
}

struct OwnedIndex {
    name: String,
    key_schema: [String; 2],
    projection_type: String,
    non_key_attributes: Vec<String>,
}

fn owned_key(KeySchema { hash_key, range_key }: KeySchema<'_>) -> [String; 2] {
    [hash_key, range_key].map(str::to_owned)
}

fn key_of([hash_key, range_key]: &[String; 2]) -> KeySchema<'_> {
    KeySchema { hash_key, range_key }
}

impl From<&Table<'_>> for OwnedTable {
    fn from(table: &Table<'_>) -> Self {
        let index = |index: &Index<'_>| OwnedIndex {
            name: index.name.to_owned(),
            key_schema: owned_key(index.key_schema),
            projection_type: index.projection.projection_type.to_owned(),
            non_key_attributes: index.projection.non_key_attributes.iter().map(|name| (*name).to_owned()).collect(),
        };
        let definition =
            |definition: &AttributeDefinition<'_>| [definition.name, definition.attribute_type].map(str::to_owned);
        OwnedTable {
            name: table.name.to_owned(),
            schema_name: table.schema_name.to_owned(),
            primary_key: owned_key(table.primary_key),
            attribute_definitions: table.attribute_definitions.iter().map(definition).collect(),
            indexes: table.indexes.iter().map(index).collect(),
            key_encoding_version: table.key_encoding_version,
            generation: table.generation,
            migrating_from_generation: table.migrating_from_generation,
            key_forms: table.key_forms,
        }
    }
}

impl OwnedTable {
    fn pass(&self, inner: &mut dyn Consumer) -> Result<()> {
        let names: Vec<Vec<&str>> =
            self.indexes.iter().map(|index| index.non_key_attributes.iter().map(String::as_str).collect()).collect();
        let indexes: Vec<Index<'_>> = self
            .indexes
            .iter()
            .zip(&names)
            .map(|(index, non_key_attributes)| Index {
                name: &index.name,
                key_schema: key_of(&index.key_schema),
                projection: Projection { projection_type: &index.projection_type, non_key_attributes },
            })
            .collect();
        let attribute_definitions: Vec<AttributeDefinition<'_>> = self
            .attribute_definitions
            .iter()
            .map(|[name, attribute_type]| AttributeDefinition { name, attribute_type })
            .collect();
        inner.event(Event::DynamoDb(ItemEvent::TableBegin(&Table {
            name: &self.name,
            schema_name: &self.schema_name,
            primary_key: key_of(&self.primary_key),
            attribute_definitions: &attribute_definitions,
            indexes: &indexes,
            key_encoding_version: self.key_encoding_version,
            generation: self.generation,
            migrating_from_generation: self.migrating_from_generation,
            key_forms: self.key_forms,
        })))
    }
}
