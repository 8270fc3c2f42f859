//! Which parts of a dump are replayed.

use std::collections::BTreeSet;

/// Names that are replayed: those given, and those with one of the prefixes given; all of them if nothing was given.
///
/// What a name is depends on the protocol: the key in Redis, the name of the table in DynamoDB and of the queue in SQS; in S3 the name of
/// the bucket, which stands for all of its objects, or `bucket/key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    names: BTreeSet<Vec<u8>>,
    prefixes: BTreeSet<Vec<u8>>,
}

impl Selection {
    /// Makes a selection.
    pub fn new(names: impl IntoIterator<Item = Vec<u8>>, prefixes: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Selection { names: names.into_iter().collect(), prefixes: prefixes.into_iter().collect() }
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.names.is_empty() && self.prefixes.is_empty()
    }

    /// Whether everything in a scope is selected: by the scope's own name, or by a prefix of `scope/`.
    pub(crate) fn includes_scope(&self, scope: &[u8]) -> bool {
        self.includes(scope) || self.prefixes.iter().any(|prefix| prefix.strip_suffix(b"/") == Some(scope))
    }

    /// Whether anything in a scope may be selected.
    pub(crate) fn reaches_into(&self, scope: &[u8]) -> bool {
        let is_below = |name: &Vec<u8>| name.strip_prefix(scope).is_some_and(|rest| rest.starts_with(b"/"));
        self.includes_scope(scope) || self.names.iter().any(is_below) || self.prefixes.iter().any(is_below)
    }

    /// Whether a name is selected.
    pub fn includes(&self, name: &[u8]) -> bool {
        self.is_everything() || self.names.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl Selection {
    /// All that is selected, to be struck off as it is seen.
    pub fn unmatched(&self) -> Unmatched {
        Unmatched { names: self.names.clone(), prefixes: self.prefixes.clone(), has_match: self.is_everything() }
    }
}

/// Names and prefixes of a [`Selection`] that nothing has matched yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    names: BTreeSet<Vec<u8>>,
    prefixes: BTreeSet<Vec<u8>>,
    has_match: bool,
}

impl Unmatched {
    /// Strikes off what `name` matches.
    pub fn saw(&mut self, name: &[u8]) {
        if self.names.is_empty() && self.prefixes.is_empty() {
            return;
        }
        let was_named = self.names.remove(name);
        let before = self.prefixes.len();
        self.prefixes.retain(|prefix| !name.starts_with(prefix));
        self.has_match |= was_named || self.prefixes.len() < before;
    }

    /// Whether anything has matched, or everything was selected.
    pub fn has_match(&self) -> bool {
        self.has_match
    }

    /// The names, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// The prefixes, in byte order.
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_nothing_is_told() {
        let text = |names: &mut dyn Iterator<Item = &[u8]>| -> Vec<String> {
            names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
        };
        let mut unmatched =
            Selection::new([b"a".to_vec(), b"typo".to_vec()], [b"u:".to_vec(), b"v:".to_vec()]).unmatched();
        unmatched.saw(b"x");
        assert!(!unmatched.has_match());
        unmatched.saw(b"u:1");
        unmatched.saw(b"u:2");
        unmatched.saw(b"a");
        assert!(unmatched.has_match());
        assert_eq!(text(&mut unmatched.names()), ["typo"]);
        assert_eq!(text(&mut unmatched.prefixes()), ["v:"]);
        assert!(Selection::default().unmatched().has_match());
    }

    #[test]
    fn names_and_prefixes_add_up_and_nothing_means_everything() {
        let both = Selection::new([b"exact".to_vec()], [b"user:".to_vec(), b"\xff".to_vec()]);
        for (name, included) in [
            (&b"exact"[..], true),
            (b"exactly", false),
            (b"user:", true),
            (b"user:1", true),
            (b"user", false),
            (b"\xff\0", true),
        ] {
            assert_eq!(both.includes(name), included, "{}", name.escape_ascii());
        }
        for (name, reached, whole) in [
            (&b"exact"[..], true, true),
            (b"user:", true, true),
            (b"user", false, false),
            (b"logs", true, false),
            (b"log", false, false),
            (b"all", true, true),
            (b"pre", true, false),
            (b"prefix", false, false),
        ] {
            let within = Selection::new(
                [b"exact".to_vec(), b"logs/2024/a".to_vec()],
                [b"user:".to_vec(), b"all/".to_vec(), b"pre/x".to_vec()],
            );
            assert_eq!(within.reaches_into(name), reached, "{}", name.escape_ascii());
            assert_eq!(within.includes_scope(name), whole, "{}", name.escape_ascii());
        }
        assert!(Selection::default().includes(b"anything") && Selection::default().is_everything());
        assert!(Selection::new([], [Vec::new()]).includes(b"anything"));
        assert!(!Selection::new([Vec::new()], []).includes(b"anything"));
    }
}
