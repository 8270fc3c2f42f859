//! What a server can restore of a dump. Source: `docs/format/restore.md`, section 2.2.
//!
//! A dump holds whatever a server had stored, also what no server takes back: keys beyond the limit of its restore, numbers that are
//! none. One of them must not cost all others, so they are left out here, each with a finding, and what is merely incomplete is mended.
//! `encode` sends the events of a dump through this filter on their way into records, and once more on their way into the files that the
//! payload is compared with.

use std::sync::Arc;

use ekv_model::redis::{CollectionKind, Element, Event as RedisEvent};
use ekv_model::s3::{Bucket, BucketRecord, Event as S3Event};
use ekv_model::sqs::Event as SqsEvent;
use ekv_model::{Consumer, Event, Example, Finding, Findings, KEY_LEN_MAX, LossLog, Result, dynamodb, sqs};
use ekv_snapshot::format::RESTORABLE_USER_KEY_LEN_MAX;

use crate::dynamodb::keys::{generation_prefix, push_name, schema_key};
use crate::redis::keys::KEY_LEN_LEN;
use crate::s3::encode::longest_key_len;
use crate::sqs::encode::{message_key_len, settings_fit};
use crate::{Family, Owner};

/// Something without which no server restores the rest.
pub const NOT_RESTORABLE: Finding = Finding::loss(
    "not_restorable",
    "keys, elements, items, objects, queues and messages that no server can restore, as of a key of more than 1 MiB; they stay in the dump",
);
/// A bucket without a record of its own.
pub const BUCKET_RECORD_MADE: Finding = Finding::warning(
    "s3_bucket_record_made",
    "buckets of which the dump has objects but no record: they get a new one, private and without owner, so that the server shows the \
     objects",
);

/// An item that an index lacks.
pub const INDEX_ROW_LEFT_OUT: Finding = Finding::warning(
    "ddb_index_row_left_out",
    "items without a row in an index of their table, since an attribute of theirs cannot be a key there; the items themselves are restored",
);
/// A row beside a message that cannot be restored.
pub const SIDE_ROW_LEFT_OUT: Finding = Finding::warning(
    "sqs_side_row_left_out",
    "deduplication records and locks that no server restores, since their key or value is too long; the messages themselves are restored",
);

/// Passes events on that can become records.
pub struct Restorable<'t> {
    target: &'t mut dyn Consumer,
    findings: Findings,
    /// Whose data the event is.
    owner: Owner,
    /// What is passed over, up to its end.
    skipped: Option<Skipped>,
    redis_key: Vec<u8>,
    /// Name of the open table, and length of what the keys of its items begin with.
    table: (String, usize),
    bucket: String,
    queue: Vec<u8>,
}

/// What is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    Collection,
    Table,
    Item,
    Bucket,
    Queue,
}

impl<'t> Restorable<'t> {
    /// Passes what can be restored on to `target`. Everything else goes to `losses`, one by one.
    pub fn new(target: &'t mut dyn Consumer, losses: Option<Arc<dyn LossLog>>) -> Self {
        Restorable {
            target,
            findings: Findings::with_log(losses),
            owner: Owner::Unknown,
            skipped: None,
            redis_key: Vec::new(),
            table: (String::new(), 0),
            bucket: String::new(),
            queue: Vec::new(),
        }
    }

    /// How many things were left out so far.
    pub fn left_out(&self) -> u64 {
        self.findings.count(NOT_RESTORABLE)
    }

    /// What was left out or mended.
    pub fn into_findings(self) -> Findings {
        self.findings
    }

    fn leave_out(&mut self, key: &[u8], why: impl FnOnce() -> String) {
        let name = key.get(..KEY_LEN_MAX).unwrap_or(key);
        let owner = self.owner.name();
        self.findings.record(NOT_RESTORABLE, || Example::new(Some(name), None, why()).of_adapter(owner));
    }

    fn redis(&mut self, database: u32, event: RedisEvent<'_>) -> Result<()> {
        match event {
            RedisEvent::Begin { kind, key, .. } => {
                self.redis_key.clear();
                self.redis_key.extend_from_slice(key);
                if !fits(longest_collection_key(kind, key)) {
                    self.leave_out(key, || long_key("key", key.len()));
                    self.skipped = Some(Skipped::Collection);
                    return Ok(());
                }
            }
            RedisEvent::Scalar { key, .. } => {
                if !fits(key.len().saturating_add(Family::RedisExpiry.prefix().len())) {
                    self.leave_out(key, || long_key("key", key.len()));
                    return Ok(());
                }
            }
            RedisEvent::Element(element) => {
                let head = self.redis_key.len().saturating_add(KEY_LEN_LEN);
                let long = match element {
                    Element::Field { name, .. } => Some(("field", name, Family::HashField.prefix().len())),
                    Element::Member(name) => Some(("member", name, Family::SetMember.prefix().len())),
                    Element::Scored { member, .. } => {
                        Some(("member", member, Family::ZSetScore.prefix().len().saturating_add(size_of::<u64>())))
                    }
                    _ => None,
                };
                if let Some((what, name, prefix_len)) = long
                    && !fits(head.saturating_add(prefix_len).saturating_add(name.len()))
                {
                    let key = std::mem::take(&mut self.redis_key);
                    self.leave_out(&key, || long_element(what, name));
                    self.redis_key = key;
                    return Ok(());
                }
            }
            RedisEvent::End => {}
        }
        self.target.event(Event::Redis { database, event })
    }

    fn dynamodb(&mut self, event: dynamodb::Event<'_>) -> Result<()> {
        match event {
            dynamodb::Event::TableBegin(table) => {
                let mut encoded = Vec::new();
                push_name(table.name.as_bytes(), &mut encoded);
                self.table = (table.name.to_owned(), generation_prefix(&encoded, 1).len());
                if !fits(schema_key(table.name).len()) {
                    self.leave_out(table.name.as_bytes(), || long_key("table name", table.name.len()));
                    self.skipped = Some(Skipped::Table);
                    return Ok(());
                }
            }
            dynamodb::Event::ItemBegin { key, .. } => {
                let why = match fits(self.table.1.saturating_add(key.sort_key.len())) {
                    true => key.has_no_number().then(|| "a key of type N is no decimal number".to_owned()),
                    false => Some(long_key("key of an item", key.sort_key.len())),
                };
                if let Some(why) = why {
                    let range = key.range.map(|range| [b"/", range.bytes].concat()).unwrap_or_default();
                    let name = [self.table.0.as_bytes(), b"/", key.hash.bytes, &range].concat();
                    self.leave_out(&name, || why);
                    self.skipped = Some(Skipped::Item);
                    return Ok(());
                }
            }
            _ => {}
        }
        self.target.event(Event::DynamoDb(event))
    }

    fn s3(&mut self, event: S3Event<'_>) -> Result<()> {
        match event {
            S3Event::Begin(bucket) => {
                self.bucket = bucket.name.to_owned();
                if !fits(longest_key_len(bucket.name, b"")) {
                    self.leave_out(bucket.name.as_bytes(), || long_key("bucket name", bucket.name.len()));
                    self.skipped = Some(Skipped::Bucket);
                    return Ok(());
                }
                if bucket.record.is_none() {
                    let example = || Example::new(Some(bucket.name.as_bytes()), None, String::new());
                    self.findings.record(BUCKET_RECORD_MADE, example);
                    let record = BucketRecord { created_at_hlc: 0, owner: "", region: "", acl: "" };
                    let begin = S3Event::Begin(Bucket { record: Some(record), ..bucket });
                    return self.target.event(Event::S3(begin));
                }
            }
            S3Event::Key(key) if !fits(longest_key_len(&self.bucket, key)) => return Ok(()),
            S3Event::Object(object) if !fits(longest_key_len(&self.bucket, object.key)) => {
                let name = [self.bucket.as_bytes(), b"/", object.key].concat();
                self.leave_out(&name, || long_key("object key", object.key.len()));
                return Ok(());
            }
            _ => {}
        }
        self.target.event(Event::S3(event))
    }

    fn sqs(&mut self, event: SqsEvent<'_>) -> Result<()> {
        match event {
            SqsEvent::Queue(queue) => {
                self.queue = queue.name.to_vec();
                if let Some(why) = queue_fault(queue) {
                    self.leave_out(queue.name, || why);
                    self.skipped = Some(Skipped::Queue);
                    return Ok(());
                }
            }
            SqsEvent::Message(message) if !fits(message_key_len(&self.queue, message.message_id)) => {
                let name = [&self.queue, &b"/"[..], message.message_id.as_bytes()].concat();
                self.leave_out(&name, || long_key("message_id", message.message_id.len()));
                return Ok(());
            }
            _ => {}
        }
        self.target.event(Event::Sqs(event))
    }

    /// Whether an event belongs to what is passed over.
    fn is_skipped(&mut self, event: &Event<'_>) -> bool {
        let Some(skipped) = self.skipped else { return false };
        let is_end = matches!(
            (skipped, event),
            (Skipped::Collection, Event::Redis { event: RedisEvent::End, .. })
                | (Skipped::Item, Event::DynamoDb(dynamodb::Event::ItemEnd))
                | (Skipped::Table, Event::DynamoDb(dynamodb::Event::TableEnd))
                | (Skipped::Bucket, Event::S3(S3Event::End))
                | (Skipped::Queue, Event::Sqs(SqsEvent::End))
        );
        if is_end {
            self.skipped = None;
        }
        true
    }
}

impl Consumer for Restorable<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if self.is_skipped(&event) {
            return Ok(());
        }
        self.owner = event.protocol().map_or(Owner::Unknown, Owner::Protocol);
        match event {
            Event::Redis { database, event } => self.redis(database, event),
            Event::DynamoDb(event) => self.dynamodb(event),
            Event::S3(event) => self.s3(event),
            Event::Sqs(event) => self.sqs(event),
            event => self.target.event(event),
        }
    }
}

/// Whether a server restores a record with a user key of this length in bytes.
pub(crate) fn fits(user_key_len: usize) -> bool {
    u64::try_from(user_key_len).is_ok_and(|len| len <= RESTORABLE_USER_KEY_LEN_MAX)
}

/// An element of a collection, with what it begins with: the key of the finding is that of the collection.
fn long_element(what: &str, name: &[u8]) -> String {
    const SHOWN_LEN: usize = 64;
    let shown = ekv_snapshot::escape(name.get(..SHOWN_LEN).unwrap_or(name));
    format!("{}; it begins with {shown}", long_key(what, name.len()))
}

fn long_key(what: &str, len: usize) -> String {
    format!("{what} of {len} bytes, longer than a server restores")
}

/// The longest key of the records that a collection has whatever its elements are called.
fn longest_collection_key(kind: CollectionKind, key: &[u8]) -> usize {
    let lens: [usize; 3] = match kind {
        CollectionKind::Hash => [Family::HashMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::Set => [Family::SetMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::ZSet => [Family::ZSetMeta.prefix().len(), KEY_LEN_LEN, 0],
        CollectionKind::List => [Family::ListItem.prefix().len(), 0, size_of::<u64>()],
        CollectionKind::Stream { .. } => {
            [Family::StreamEntry.prefix().len(), KEY_LEN_LEN, size_of::<u64>().saturating_mul(2)]
        }
    };
    let own = lens.iter().fold(key.len(), |sum, len| sum.saturating_add(*len));
    own.max(key.len().saturating_add(Family::RedisExpiry.prefix().len()))
}

fn queue_fault(queue: &sqs::Queue<'_>) -> Option<String> {
    if !fits(message_key_len(queue.name, "")) {
        return Some(long_key("queue name", queue.name.len()));
    }
    (!settings_fit(queue)).then(|| "its settings are longer than a server reads".to_owned())
}
