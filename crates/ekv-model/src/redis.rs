//! Redis keys as events.
//!
//! A string or HyperLogLog is one [`Event::Scalar`]. A collection is [`Event::Begin`], its elements in the order that the kind
//! prescribes, and [`Event::End`]; elements of two collections never mix. Each Redis key appears at most once in a run.

mod step;

use crate::{Body, Kind};

/// The kind of a Redis value that is one run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScalarKind {
    /// A string; the body is what `GET` answers.
    String,
    /// A HyperLogLog; the body is its stored payload without the envelope.
    Hll,
}

/// Where an expiry was read from; decides the order of lines in the expiry sidecars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryOrigin {
    /// In the header of the value itself.
    Inline,
    /// In the expiry index; `commit_ts` is the commit timestamp of that index record.
    Index {
        /// Commit timestamp (HLC) of the index record.
        commit_ts: u64,
    },
}

/// An absolute expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Unix milliseconds, at most 2^63-1.
    pub at_ms: u64,
    /// Where it was read from.
    pub origin: ExpiryOrigin,
}

/// The kind of a collection, with what belongs to the collection as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectionKind {
    /// Fields in ascending order of their name bytes.
    Hash,
    /// Items in list order.
    List,
    /// Members in ascending byte order.
    Set,
    /// Members in ascending byte order of the member, not of the score.
    ZSet,
    /// Entries in ascending order of their id; `last` is the highest id ever added.
    Stream {
        /// Highest id ever added, also if that entry is gone.
        last: StreamId,
    },
}

/// How large a collection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionSize {
    /// Number of its elements; of a stream, entries.
    pub elements: u64,
    /// Payload of its elements in bytes, as [`crate::payload`] counts it.
    pub bytes: u64,
}

/// Id of a stream entry, ordered as the server orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct StreamId {
    /// Milliseconds part.
    pub ms: u64,
    /// Sequence part.
    pub seq: u64,
}

/// One step of an element stream.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// A hash field.
    Field {
        /// Field name.
        name: &'a [u8],
        /// Field value.
        value: Body<'a>,
    },
    /// A list item.
    Item(Body<'a>),
    /// A set member.
    Member(&'a [u8]),
    /// A sorted-set member; the score may be infinite, negative zero or NaN.
    Scored {
        /// Member bytes.
        member: &'a [u8],
        /// Score.
        score: f64,
    },
    /// Begins a stream entry; its fields follow, then [`Element::EntryEnd`].
    EntryBegin(StreamId),
    /// A field of the open stream entry, in stored order; names may repeat.
    EntryField {
        /// Field name.
        name: Body<'a>,
        /// Field value.
        value: Body<'a>,
    },
    /// Ends the open stream entry.
    EntryEnd,
}

/// What happens to one Redis key.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A whole string or HyperLogLog.
    Scalar {
        /// String or HyperLogLog.
        kind: ScalarKind,
        /// The client's key bytes; any bytes, may be empty.
        key: &'a [u8],
        /// The value.
        body: Body<'a>,
        /// Expiry, if the key has one.
        expiry: Option<Expiry>,
        /// When the value was committed (HLC); 0 if unknown, as in a dump.
        commit_ts: u64,
    },
    /// A collection begins.
    Begin {
        /// Its kind.
        kind: CollectionKind,
        /// The client's key bytes.
        key: &'a [u8],
        /// Expiry in Unix milliseconds, if the key has one.
        expire_at_ms: Option<u64>,
        /// When the newest of its records that clients see was committed (HLC); 0 if unknown, as in a dump.
        commit_ts: u64,
        /// How large it is, if the source knows that before it has read it all.
        size: Option<CollectionSize>,
    },
    /// A step inside the open collection.
    Element(Element<'a>),
    /// The open collection is complete.
    End,
}

impl From<ScalarKind> for Kind {
    fn from(kind: ScalarKind) -> Self {
        match kind {
            ScalarKind::String => Kind::String,
            ScalarKind::Hll => Kind::Hll,
        }
    }
}

impl From<CollectionKind> for Kind {
    fn from(kind: CollectionKind) -> Self {
        match kind {
            CollectionKind::Hash => Kind::Hash,
            CollectionKind::List => Kind::List,
            CollectionKind::Set => Kind::Set,
            CollectionKind::ZSet => Kind::ZSet,
            CollectionKind::Stream { .. } => Kind::Stream,
        }
    }
}
