//! What an event is to those who look for names and sizes, whosever it is.

use crate::Kind;
use crate::dynamodb::{ItemKey, KeyForms};
use crate::redis::CollectionSize;

/// What an event is, without its contents; [`Event::step`](crate::Event::step) tells it.
#[derive(Clone, Copy, Debug)]
pub enum Step<'e> {
    /// A table, bucket or queue begins.
    Scope {
        /// Its name.
        name: &'e [u8],
        /// How the keys of its items are written.
        forms: KeyForms,
        /// Whether no client sees it, nor what is in it.
        is_gone: bool,
    },
    /// A thing begins.
    Thing {
        /// The numbered scope that it is in; `None` if that has begun.
        number: Option<u32>,
        /// What it is.
        kind: Kind,
        /// Its key.
        key: ThingKey<'e>,
        /// How much of it this is.
        extent: Extent,
        /// Expiry in Unix milliseconds, if it has one.
        expire_at_ms: Option<u64>,
        /// When it was committed (HLC); 0 if unknown, as in a dump.
        commit_ts: u64,
    },
    /// A part of the thing that is open.
    Inside {
        /// Whether the thing is complete with it.
        is_end: bool,
    },
    /// Something about the thing with this key that no client sees, or its key alone.
    Beside(&'e [u8]),
    /// Something with this name that things lie in, and that nobody selected.
    Around(&'e [u8]),
    /// Something of the scope that no client sees.
    Unseen,
    /// The scope is complete.
    ScopeEnd,
    /// It belongs to no scope and has no name.
    Nameless,
}

/// The key of a thing in its scope.
#[derive(Clone, Copy, Debug)]
pub enum ThingKey<'e> {
    /// One part.
    Plain(&'e [u8]),
    /// That of an item.
    Item(ItemKey<'e>),
}

/// How much of a thing its beginning is.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// All; its payload has so many bytes.
    Whole(u64),
    /// Elements follow, which are counted; how large it is, if that is known.
    Elements(Option<CollectionSize>),
    /// Parts follow; bytes of its payload, if they are known.
    Parts(Option<u64>),
}
