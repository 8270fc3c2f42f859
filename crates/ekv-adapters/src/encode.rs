//! Events to records: the reverse of the adapters' `decode` functions.

use std::sync::Arc;

use ekv_model::{Class, Error, Event, Result, Target};
use ekv_snapshot::RecordSink;
use ekv_spill::Scratch;

use crate::redis;

/// Turns events into records and puts them into a sink, in the order in which they come.
///
/// Source: `docs/format/restore.md`, section 3.3. Cost: one value that must be put together from several events in memory, or in a
/// scratch file if it is large.
pub struct Encoder<'s> {
    sink: &'s mut dyn RecordSink,
    redis: redis::Encoder,
}

/// Why an event cannot become records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A protocol whose records this version cannot build.
    #[error("this version cannot encode {protocol}")]
    Unsupported {
        /// The protocol.
        protocol: &'static str,
    },
    /// A Redis database other than the one that the server has.
    #[error("Redis database {index} cannot be encoded: the server has one key space")]
    RedisDatabase {
        /// Its index.
        index: u32,
    },
    /// Bytes in a Redis stream that are no text.
    #[error("stream entry {id} holds bytes that are not UTF-8: the server cannot store them in a stream")]
    RedisStreamText {
        /// Id of the entry.
        id: String,
    },
    /// Events in an order that no decode has.
    #[error("an event came where it has no meaning: {what}")]
    Misplaced {
        /// The event.
        what: &'static str,
    },
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Error::new(Class::Data, error)
    }
}

impl<'s> Encoder<'s> {
    /// An encoder that puts records into `sink`.
    pub fn new(sink: &'s mut dyn RecordSink, scratch: &Arc<dyn Scratch>) -> Self {
        Encoder { sink, redis: redis::Encoder::new(scratch) }
    }
}

impl Target for Encoder<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let protocol = match event {
            Event::Redis { database, event } => return self.redis.event(self.sink, database, event),
            Event::DynamoDb(_) => "DynamoDB",
            Event::S3(_) => "S3",
            Event::Sqs(_) => "SQS",
            _ => "records that no adapter decodes",
        };
        Err(EncodeError::Unsupported { protocol }.into())
    }
}
