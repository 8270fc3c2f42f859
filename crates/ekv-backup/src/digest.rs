//! Events boiled down to a digest for each thing, to compare two sources of data without holding either.
//!
//! The canonical encoding of a thing is its type and every element with its length, in the order that `ekv_model` prescribes. It is the
//! same for a snapshot and for its dump, whatever form the dump has. Not part of it is how something is stored: generations of tables, the
//! origin of an expiry, the order of keys.
//!
//! | part of a thing | holds |
//! |---|---|
//! | [`Part::Itself`] | what every dump says of a key, item, object or message; settings of a table, bucket or queue |
//! | [`Part::Extension`] | what a dump says only with `--extended`, but for generations; absent where nothing of it is set |
//! | [`Part::Sequence`] | the last sequence number of a FIFO queue; absent where there is none |

mod aspects;
mod canonical;
mod compare;
mod dynamodb;
mod fs;
mod redis;
mod s3;
mod sqs;

use std::sync::Arc;

use ekv_model::fs::Event as FileEvent;
use ekv_model::s3::{Event as ObjectEvent, Object};
use ekv_model::{Body, Consumer, Event, Protocol, Result};
use ekv_spill::{Scratch, Sorter};

pub(crate) use aspects::{Aspects, Fingerprint};
pub(crate) use canonical::Sum;
use canonical::{Canonical, Tee};
use compare::scratch_error;
pub(crate) use compare::{Difference, Digests, Part, Thing};

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Which sequence numbers count as the last one of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequences {
    /// What the queue itself says.
    Stated,
    /// The highest one of the queue, its messages and its side records: what is stored of a dump.
    Highest,
}

/// Takes a digest of every thing that passes by.
pub(crate) struct Digester<'n> {
    /// Where the events go on to; nowhere if they are only looked at.
    next: Option<&'n mut dyn Consumer>,
    sequences: Sequences,
    rows: Sorter,
    key: Vec<u8>,
    /// The open database, table, bucket or queue.
    scope: Vec<u8>,
    /// What is open in it, with its key and its name for people.
    open: Option<(Canonical, Vec<u8>, Vec<u8>)>,
    /// Whether the open queue is a FIFO queue, and its last sequence number.
    sequence: (bool, u64),
}

impl<'n> Digester<'n> {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, sequences: Sequences) -> Self {
        Digester {
            next: None,
            sequences,
            rows: Sorter::new(Arc::clone(scratch), SORT_BUDGET),
            key: Vec::new(),
            scope: Vec::new(),
            open: None,
            sequence: (false, 0),
        }
    }

    /// As [`Digester::new`], of events on their way to `next`. Bodies that can be read once are read by `next`.
    pub(crate) fn before(scratch: &Arc<dyn Scratch>, sequences: Sequences, next: &'n mut dyn Consumer) -> Self {
        Digester { next: Some(next), ..Digester::new(scratch, sequences) }
    }

    /// The digests, in the order of their addresses.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(crate) fn finish(self) -> Result<Digests> {
        Ok(Digests::new(self.rows.finish().map_err(scratch_error)?))
    }

    /// Notes the digest of a part of the open scope, or of what `name` names in it.
    fn put(&mut self, protocol: Protocol, part: Part, name: &[u8], shown: &[u8], canonical: Canonical) -> Result<()> {
        compare::put_key(&mut self.key, protocol, &self.scope, part, name);
        let mut row = canonical.finish().to_vec();
        row.extend_from_slice(shown);
        self.rows.push(&self.key, &row).map_err(scratch_error)
    }

    fn set_scope(&mut self, scope: &[u8]) {
        self.scope.clear();
        self.scope.extend_from_slice(scope);
    }

    /// Adds to what is open.
    fn add(&mut self, add: impl FnOnce(&mut Canonical) -> Result<()>) -> Result<()> {
        self.open.as_mut().map_or(Ok(()), |(canonical, ..)| add(canonical))
    }

    fn end(&mut self, protocol: Protocol) -> Result<()> {
        match self.open.take() {
            Some((canonical, name, shown)) => self.put(protocol, Part::Itself, &name, &shown, canonical),
            None => Ok(()),
        }
    }

    fn pass_on(&mut self, event: Event<'_>) -> Result<()> {
        self.next.as_mut().map_or(Ok(()), |next| next.event(event))
    }
}

impl Consumer for Digester<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            // The content of an object of a dump can be read once: whoever is next reads it.
            Event::S3(ObjectEvent::Object(Object { body: Body::Streamed(source), .. })) if self.next.is_some() => {
                let Event::S3(ObjectEvent::Object(object)) = event else { return Ok(()) };
                let tee = Tee::new(source);
                self.pass_on(Event::S3(ObjectEvent::Object(Object { body: Body::Streamed(&tee), ..object })))?;
                let mut canonical = Canonical::of("s3 object");
                canonical.object_of(&object, tee.finish()?);
                return self.put(Protocol::S3, Part::Itself, object.key, b"", canonical);
            }
            Event::Redis { database, event } => self.redis(database, &event)?,
            Event::DynamoDb(event) => self.dynamodb(&event)?,
            Event::S3(event) => self.s3(&event)?,
            Event::Sqs(event) => self.sqs(&event)?,
            // As the content of an object.
            Event::Fs(FileEvent::File(entry, content)) if self.next.is_some() => return self.fs_file(&entry, content),
            Event::Fs(event) => self.fs(&event)?,
            // What no adapter understands is nothing that could be compared.
            _ => {}
        }
        self.pass_on(event)
    }
}

#[cfg(test)]
mod tests;
