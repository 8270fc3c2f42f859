//! What an event is to those who look for names and sizes, whosever it is.

use crate::Kind;
use crate::dynamodb::{ItemKey, KeyForms};

/// What an event is, without its contents.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'e> {
    /// A table, bucket or queue begins.
    Scope {
        name: &'e [u8],
        /// How the keys of its items are written.
        forms: KeyForms,
        /// Whether no client sees it, nor what is in it.
        is_gone: bool,
    },
    /// A thing begins, in a numbered scope or in the one that has begun.
    Thing {
        number: Option<u32>,
        kind: Kind,
        key: ThingKey<'e>,
        extent: Extent,
        expire_at_ms: Option<u64>,
        commit_ts: u64,
    },
    /// A part of the thing that is open, or its end.
    Inside { is_end: bool },
    /// Something about the thing with this key that no client sees, or its key alone.
    Beside(&'e [u8]),
    /// Something of the scope that no client sees.
    Unseen,
    /// The scope is complete.
    ScopeEnd,
    /// It belongs to no scope and has no name.
    Nameless,
}

/// The key of a thing in its scope.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ThingKey<'e> {
    Plain(&'e [u8]),
    Item(ItemKey<'e>),
}

/// How much of a thing its beginning is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// All; its payload has so many bytes.
    Whole(u64),
    /// Elements follow, which are counted.
    Elements,
    /// Parts follow.
    Parts,
}
