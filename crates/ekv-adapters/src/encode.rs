//! Events to records: the reverse of the adapters' `decode` functions.

use std::sync::Arc;

use ekv_model::{Class, Consumer, Error, Event, Findings, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::Scratch;

use crate::{dynamodb, redis, s3, sqs};

/// Turns events into records and puts them into a sink, in the order in which they come.
///
/// Source: `docs/format/restore.md`, section 3.3. Cost: one value that must be put together from several events in memory, or in a
/// scratch file if it is large.
pub struct Encoder<'s> {
    sink: &'s mut dyn RecordSink,
    redis: redis::Encoder,
    dynamodb: dynamodb::Encoder,
    s3: s3::Encoder,
    sqs: sqs::Encoder,
}

/// How records are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Whether SQS records are those of the reference encoder, with what it leaves out, instead of those that a server would have
    /// stored. Source: `docs/format/sqs.md`, section 6.
    pub reference_bytes: bool,
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
    /// A DynamoDB item whose message is too long.
    #[error("the item takes more than {} MiB, and is not accepted: DynamoDB itself takes at most 400 KB", len_max >> 20)]
    DynamoDbItemTooLong {
        /// Bytes that are accepted.
        len_max: usize,
    },
    /// A DynamoDB item with lists and maps too deep inside each other.
    #[error(
        "the item has a value more than {level_max} levels deep, and is not accepted: DynamoDB itself takes at most 32"
    )]
    DynamoDbItemTooDeep {
        /// Levels that are accepted.
        level_max: usize,
    },
    /// An S3 bucket of which the dump knows only objects.
    #[error("bucket {bucket} has no record of its own: without one the server does not see its objects")]
    S3BucketRecord {
        /// Its name.
        bucket: String,
    },
    /// Something of an S3 bucket that no client can see.
    #[error("{what} cannot be encoded: no client sees them")]
    S3Leftover {
        /// What it is.
        what: &'static str,
    },
    /// SQS settings, messages or side records that no server would have stored.
    #[error(transparent)]
    Sqs(#[from] sqs::EncodeFault),
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
        Encoder::with_options(sink, scratch, EncodeOptions::default())
    }

    /// As [`Encoder::new`], with options.
    pub fn with_options(sink: &'s mut dyn RecordSink, scratch: &Arc<dyn Scratch>, options: EncodeOptions) -> Self {
        Encoder {
            sink,
            redis: redis::Encoder::new(scratch),
            dynamodb: dynamodb::Encoder::default(),
            s3: s3::Encoder::new(scratch),
            sqs: sqs::Encoder::new(scratch, options),
        }
    }

    /// Accepts what a decode has told of queues, which is refused otherwise as a mistake of somebody who changed the dump.
    #[must_use]
    pub fn accepting(mut self, stored: sqs::StoredOddities) -> Self {
        self.sqs.accept(stored);
        self
    }

    /// What was odd about the events so far and did not keep them from becoming records.
    pub fn take_findings(&mut self) -> Findings {
        let mut findings = self.dynamodb.take_findings();
        findings.merge(self.sqs.take_findings());
        findings
    }
}

impl Consumer for Encoder<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let protocol = match event {
            Event::Redis { database, event } => return self.redis.event(self.sink, database, event),
            Event::S3(event) => return self.s3.event(self.sink, event),
            Event::Sqs(event) => return self.sqs.event(self.sink, event),
            Event::DynamoDb(event) => return self.dynamodb.event(self.sink, event),
            _ => "records that no adapter decodes",
        };
        Err(EncodeError::Unsupported { protocol }.into())
    }
}
