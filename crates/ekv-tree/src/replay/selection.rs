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

#[cfg(test)]
mod tests {
    use super::*;

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
