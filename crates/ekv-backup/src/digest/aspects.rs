//! Digests of what people tell apart when a thing changes: its value, and what describes it. Expiry and type are told beside them.

use ekv_model::sqs::Message;
use ekv_model::{Event, Result, dynamodb, redis, s3, sqs};

use super::canonical::{Canonical, Sum};

/// The digests of a key, item, object or message, or of a table, bucket or queue, which has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of every element with its length, in the order that `ekv_model` prescribes; of an object, its content.
    pub(crate) value: Sum,
    /// Of the headers of an object, the settings of a queue, the schema of a table; else nothing.
    pub(crate) metadata: Sum,
}

/// Takes the digests of the things that pass by. They are the same for a snapshot and for its dump, whatever form that has.
///
/// Not among them: when something was committed, and how it is stored; unless they are `strict`, who has received a message, and when it can
/// be received again.
pub(crate) struct Aspects {
    is_strict: bool,
    open: Option<Canonical>,
}

impl Aspects {
    pub(crate) fn new(is_strict: bool) -> Self {
        Aspects { is_strict, open: None }
    }

    /// Takes the next event; the digests of what it completes, or of the table, bucket or queue that it begins.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::Redis { event, .. } => self.redis(event),
            Event::DynamoDb(event) => self.dynamodb(event),
            Event::S3(s3::Event::Begin(bucket)) => {
                let mut canonical = Canonical::of("s3 bucket");
                canonical.bucket(bucket.record.as_ref());
                Ok(Some(Fingerprint { metadata: canonical.finish(), ..Fingerprint::default() }))
            }
            Event::S3(s3::Event::Object(object)) => {
                let mut value = Canonical::of("s3 content");
                value.body(&object.body)?;
                let mut metadata = Canonical::of("s3 headers");
                metadata.headers(object);
                Ok(Some(Fingerprint { value: value.finish(), metadata: metadata.finish() }))
            }
            Event::Sqs(sqs::Event::Queue(queue)) => {
                let mut canonical = Canonical::of("sqs queue");
                canonical.queue(queue);
                Ok(Some(Fingerprint { metadata: canonical.finish(), ..Fingerprint::default() }))
            }
            Event::Sqs(sqs::Event::Message(message)) => {
                let mut canonical = Canonical::of("sqs message");
                match self.is_strict {
                    true => canonical.message(message)?,
                    false => canonical.message(&Message {
                        visible_at_ms: 0,
                        receive_count: 0,
                        first_receive_ms: 0,
                        current_receipt_token: &[],
                        ..**message
                    })?,
                }
                Ok(Some(Fingerprint { value: canonical.finish(), ..Fingerprint::default() }))
            }
            _ => Ok(None),
        }
    }

    fn redis(&mut self, event: &redis::Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            redis::Event::Scalar { kind, body, .. } => {
                let mut canonical = Canonical::of("redis scalar");
                canonical.scalar(*kind, body, None)?;
                return Ok(Some(Fingerprint { value: canonical.finish(), ..Fingerprint::default() }));
            }
            redis::Event::Begin { kind, .. } => {
                let mut canonical = Canonical::of("redis collection");
                canonical.collection(*kind, None);
                self.open = Some(canonical);
            }
            redis::Event::Element(element) => {
                if let Some(open) = &mut self.open {
                    open.element(element)?;
                }
            }
            redis::Event::End => return Ok(self.end()),
        }
        Ok(None)
    }

    fn dynamodb(&mut self, event: &dynamodb::Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            dynamodb::Event::TableBegin(table) => {
                let mut canonical = Canonical::of("dynamodb table");
                canonical.table(table);
                return Ok(Some(Fingerprint { metadata: canonical.finish(), ..Fingerprint::default() }));
            }
            dynamodb::Event::ItemBegin { key, .. } => {
                let mut canonical = Canonical::of("dynamodb item");
                canonical.item_key(key);
                self.open = Some(canonical);
            }
            dynamodb::Event::Node(node) => {
                if let Some(open) = &mut self.open {
                    open.node(node)?;
                }
            }
            dynamodb::Event::ItemEnd => return Ok(self.end()),
            dynamodb::Event::TableEnd => {}
        }
        Ok(None)
    }

    fn end(&mut self) -> Option<Fingerprint> {
        self.open.take().map(|open| Fingerprint { value: open.finish(), ..Fingerprint::default() })
    }
}
