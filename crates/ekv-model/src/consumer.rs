//! The consumer side of the event stream.

use crate::{Findings, Protocol, Result, dynamodb, raw, redis, s3, sqs};

/// One event of any adapter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Redis, in the logical database `database`.
    Redis {
        /// Database index; the server knows one key space and stores no index, so this is 0 unless a caller chose otherwise.
        database: u32,
        /// What happened.
        event: redis::Event<'a>,
    },
    /// DynamoDB.
    DynamoDb(dynamodb::Event<'a>),
    /// S3.
    S3(s3::Event<'a>),
    /// SQS.
    Sqs(sqs::Event<'a>),
    /// A record that no adapter understands.
    Raw(raw::Record<'a>),
}

impl Event<'_> {
    /// Whose it is; `None` for a record that no adapter understands.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Event::Redis { .. } => Some(Protocol::Redis),
            Event::DynamoDb(_) => Some(Protocol::DynamoDb),
            Event::S3(_) => Some(Protocol::S3),
            Event::Sqs(_) => Some(Protocol::Sqs),
            Event::Raw(_) => None,
        }
    }
}

/// Consumes events: writes files, fills another store, counts.
pub trait Consumer {
    /// Takes the next event.
    ///
    /// # Errors
    /// The first error ends the run: no further event follows.
    fn event(&mut self, event: Event<'_>) -> Result<()>;

    /// What it found odd or could not keep, beyond what the source finds.
    fn findings(&self) -> Findings {
        Findings::default()
    }
}

/// Told how far a run has come; may stop it.
pub trait Monitor {
    /// `records` more visible records are done.
    ///
    /// # Errors
    /// An error (normally of class [`crate::Class::Cancelled`]) ends the run.
    fn visited(&self, records: u64) -> Result<()>;
}

/// A monitor that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn visited(&self, _records: u64) -> Result<()> {
        Ok(())
    }
}
