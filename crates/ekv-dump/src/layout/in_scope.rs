//! What every protocol says about the directories of its scopes, and about what lies in one.

use ekv_model::Protocol;

use crate::segment::{Decoded, SegmentError, component, decode_component};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use crate::verify::seen::{Seen, SeenScope};

pub(crate) use crate::verify::problem::Misplaced;

/// The directories of the databases, tables, buckets or queues of a protocol.
#[derive(Clone, Copy)]
pub(crate) struct ScopeRow {
    /// What lies beside them: nothing else.
    pub(crate) expected: Misplaced,
    /// Whether a directory can be one of them.
    pub(crate) is_scope: fn(&[u8]) -> bool,
    /// The directory of the scope with this name.
    pub(crate) directory: fn(&str) -> Vec<u8>,
    /// What is wrong with the name of a directory by itself.
    pub(crate) check_name: fn(&[u8]) -> Option<ProblemKind>,
    /// What is wrong with a whole scope, and with which entry of it.
    pub(crate) check: fn(&SeenScope<'_>, &Rules) -> Option<(Seen, ProblemKind)>,
}

impl ScopeRow {
    /// Directories that are named after their scopes, of which no more is known.
    pub(crate) const NAMED: ScopeRow = ScopeRow {
        expected: Misplaced { expected: "directories only" },
        is_scope: |_| true,
        directory: |name| component(name.as_bytes()),
        check_name: |_| None,
        check: |_, _| None,
    };
}

/// What a file of a dump is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It holds a key, an item, items, an object or messages.
    Content,
    /// It describes one of them: the metadata of an object.
    Metadata,
    /// It belongs to the dump or to many things: names, expiries, settings, the account.
    Other,
}

/// A file or directory in a scope.
pub(crate) trait InScope<'p> {
    /// Whose it is.
    fn protocol(&self) -> Protocol;

    /// The file at this path in the scope.
    ///
    /// # Errors
    /// If a scope has no such file.
    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced>
    where
        Self: Sized;

    /// The directory at this path in the scope.
    ///
    /// # Errors
    /// If a scope has no such directory.
    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced>
    where
        Self: Sized;

    /// Hands the pieces of its path in the scope to `put`.
    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]]));

    /// Whether a writer makes this file only when something goes into it.
    fn is_never_empty(&self) -> bool;

    /// What this file is for.
    fn role(&self) -> Role;

    /// Whether the text of this file tells what must go together; then [`Joins::read`](crate::verify::joins::Joins::read) gets it.
    fn is_joined_by_text(&self) -> bool {
        false
    }

    /// What is wrong with it by itself; whether a file is empty is for others to say.
    fn check(&self, rules: &Rules) -> Option<ProblemKind>;

    /// What it tells about its scope.
    fn tells(&self) -> Option<Seen> {
        None
    }

    /// Its path, in the scope whose directory has this name.
    fn path(&self, scope: &[u8]) -> Vec<u8> {
        let mut path = [self.protocol().name().as_bytes(), b"/", scope, b"/"].concat();
        self.put_path(&mut |parts| parts.iter().for_each(|part| path.extend_from_slice(part)));
        path
    }
}

/// Splits `a/b/c` into `a` and `b/c`.
pub(crate) fn split_first(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(slash) = path.iter().position(|byte| *byte == b'/') else { return (path, None) };
    let (first, rest) = path.split_at(slash);
    (first, rest.strip_prefix(b"/"))
}

/// A number in the one way to write it.
pub(crate) fn decimal<N: std::str::FromStr + ToString>(digits: &[u8]) -> Option<N> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.parse().ok().filter(|number: &N| number.to_string() == digits)
}

/// What the manifest says was left out must not be there.
pub(crate) fn included(is_included: bool) -> Option<ProblemKind> {
    (!is_included).then_some(ProblemKind::NotIncluded)
}

/// The name of a table, bucket or queue.
pub(crate) fn check_component(name: &[u8]) -> Option<ProblemKind> {
    match decode_component(name) {
        Ok(Decoded::Binary(_)) => Some(ProblemKind::Name(SegmentError::NotCanonical)),
        Err(error) => Some(ProblemKind::Name(error)),
        Ok(_) => None,
    }
}
