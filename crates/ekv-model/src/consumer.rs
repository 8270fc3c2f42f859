//! The consumer side of the event stream.

use crate::step::Step;
use crate::{Findings, Protocol, Result, dynamodb, fs, raw, redis, s3, sqs};

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
    /// The file system.
    Fs(fs::Event<'a>),
    /// A record that no adapter understands.
    Raw(raw::Record<'a>),
}

/// Hands the beginning of a scope to a consumer.
pub(crate) type Beginning = Box<dyn FnOnce(&mut dyn Consumer) -> Result<()>>;

impl<'a> Event<'a> {
    /// Whose it is; `None` for a record that no adapter understands.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Event::Redis { .. } => Some(Protocol::Redis),
            Event::DynamoDb(_) => Some(Protocol::DynamoDb),
            Event::S3(_) => Some(Protocol::S3),
            Event::Sqs(_) => Some(Protocol::Sqs),
            Event::Fs(_) => Some(Protocol::Fs),
            Event::Raw(_) => None,
        }
    }

    /// What it is to those who look for names and sizes.
    #[inline]
    pub fn step(&self) -> Step<'a> {
        match self {
            Event::Redis { database, event } => event.step(*database),
            Event::DynamoDb(event) => event.step(),
            Event::S3(event) => event.step(),
            Event::Sqs(event) => event.step(),
            Event::Fs(event) => event.step(),
            Event::Raw(_) => Step::Nameless,
        }
    }

    /// The beginning of a table, bucket or queue, to be given later; `None` if it is something else.
    pub(crate) fn keep(&self) -> Option<Beginning> {
        Some(match self {
            Event::DynamoDb(event) => {
                let kept = event.keep()?;
                Box::new(|consumer| kept(&mut |event| consumer.event(Event::DynamoDb(event))))
            }
            Event::S3(event) => {
                let kept = event.keep()?;
                Box::new(|consumer| kept(&mut |event| consumer.event(Event::S3(event))))
            }
            Event::Sqs(event) => {
                let kept = event.keep()?;
                Box::new(|consumer| kept(&mut |event| consumer.event(Event::Sqs(event))))
            }
            Event::Redis { .. } | Event::Fs(_) | Event::Raw(_) => return None,
        })
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

    /// Whether what the last event was about is left out: a source that keeps books counts it as not selected.
    fn is_leaving_out(&self) -> bool {
        false
    }
}
