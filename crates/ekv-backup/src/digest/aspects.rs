//! Digests of what people tell apart when a thing changes: its value, and what describes it. Expiry and type are told beside them.

use ekv_model::{Event, Result};

use super::canonical::{Canonical, Sum};

/// The digests of a key, item, object or message, or of a table, bucket or queue, which has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of every element with its length, in the order that `ekv_model` prescribes; of an object, its content.
    pub(crate) value: Sum,
    /// Of the headers of an object, the settings of a queue, the schema of a table; else nothing.
    pub(crate) metadata: Sum,
}

impl Fingerprint {
    /// Of a value alone.
    pub(super) fn of_value(value: Canonical) -> Self {
        Fingerprint { value: value.finish(), ..Fingerprint::default() }
    }

    /// Of what describes a thing or a scope.
    pub(super) fn of_metadata(metadata: Canonical) -> Self {
        Fingerprint { metadata: metadata.finish(), ..Fingerprint::default() }
    }
}

/// Takes the digests of the things that pass by. They are the same for a snapshot and for its dump, whatever form that has.
///
/// Not among them: when something was committed, and how it is stored; unless they are `strict`, who has received a message, and when it can
/// be received again.
pub(crate) struct Aspects {
    pub(super) is_strict: bool,
    pub(super) open: Option<Canonical>,
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
            Event::S3(event) => self.s3(event),
            Event::Sqs(event) => self.sqs(event),
            Event::Fs(event) => self.fs(event),
            _ => Ok(None),
        }
    }

    pub(super) fn end(&mut self) -> Option<Fingerprint> {
        self.open.take().map(Fingerprint::of_value)
    }
}
