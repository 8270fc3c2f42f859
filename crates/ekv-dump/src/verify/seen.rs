//! What was seen of a database, table, bucket or queue.

/// Something that was seen about a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u8);

impl Seen {
    /// Its directory.
    pub(crate) const DIRECTORY: Seen = Seen(b'a');
    /// The manifest, or SCOPES.jsonl, lists it.
    pub(crate) const DECLARED: Seen = Seen(b'b');
    /// It is not to be read: that it is there is all that counts.
    pub(crate) const LEFT_OUT: Seen = Seen(b'c');
    /// The file with its own record.
    pub(crate) const OWN_RECORD: Seen = Seen(b'd');
    /// The things in it.
    pub(crate) const CONTENTS: Seen = Seen(b'e');

    /// Something that only its protocol knows.
    pub(crate) const fn own(number: u8) -> Seen {
        Seen(b'f'.saturating_add(number))
    }

    /// A byte that sorts as it.
    pub(crate) fn tag(self) -> u8 {
        self.0
    }

    /// The reverse of [`Seen::tag`].
    pub(crate) fn of_tag(tag: u8) -> Seen {
        Seen(tag)
    }
}

/// All that was seen of a scope.
pub(crate) struct SeenScope<'s> {
    /// Name of its directory.
    pub(crate) name: &'s [u8],
    /// Each thing once, with the path of the first entry that told it.
    pub(crate) seen: &'s [(Seen, Vec<u8>)],
}

impl SeenScope<'_> {
    pub(crate) fn has(&self, seen: Seen) -> bool {
        self.path(seen).is_some()
    }

    /// The path of the first entry that told it; empty if it was no entry.
    pub(crate) fn path(&self, seen: Seen) -> Option<&[u8]> {
        self.seen.iter().find(|(one, _)| *one == seen).map(|(_, path)| path.as_slice())
    }
}
