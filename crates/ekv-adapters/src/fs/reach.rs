//! Which names in the tree are looked at.

use std::cmp::Ordering;

use ekv_model::fs::{ROOT_PATH, SCOPE};
use ekv_model::{Keys, Kind, Narrowing, Protocol, Scope};

/// What is selected, and what has to be looked at to find it.
pub(super) struct Reach<'s> {
    scope: &'s Scope,
    keys: Keys<'s>,
    looked: Looked<'s>,
}

/// What is looked at.
enum Looked<'s> {
    /// Everything.
    Over,
    /// These paths, in the order of a walk.
    At(Vec<&'s [u8]>),
    /// Paths that begin with one of these.
    Below(Vec<Vec<u8>>),
}

impl<'s> Reach<'s> {
    pub(super) fn of(scope: &'s Scope) -> Self {
        let keys = scope.keys_in(Protocol::Fs, SCOPE);
        let looked = match keys.narrowing() {
            Narrowing::All => Looked::Over,
            Narrowing::Prefixes(beginnings) => Looked::Below(beginnings),
            Narrowing::Keys(mut paths) => {
                paths.sort_by(|one, other| compare(one, other));
                Looked::At(paths.into_iter().filter(|path| *path != ROOT_PATH).collect())
            }
        };
        Reach { scope, keys, looked }
    }

    /// Whether nothing is selected.
    pub(super) fn is_nothing(&self) -> bool {
        self.keys.is_nothing()
    }

    /// Whether what has this path is selected.
    pub(super) fn takes(&self, kind: Kind, path: &[u8]) -> bool {
        self.scope.includes_kind(kind) && self.keys.contains(path)
    }

    /// Whether one path or one alone is looked for.
    pub(super) fn is_one(&self) -> bool {
        matches!(&self.looked, Looked::At(paths) if paths.len() < 2)
    }

    /// Whether something below the directory with this path may be selected.
    pub(super) fn enters(&self, directory: &[u8]) -> bool {
        if directory == ROOT_PATH {
            return true;
        }
        let front = || [directory, b"/"].concat();
        match &self.looked {
            Looked::Over => true,
            Looked::At(paths) => first_from(paths, &front()).is_some_and(|path| path.starts_with(&front())),
            Looked::Below(beginnings) => {
                let front = front();
                beginnings.iter().any(|beginning| front.starts_with(beginning) || beginning.starts_with(&front))
            }
        }
    }

    /// The name in a directory that is looked at after `last`, if single names are; `None` if all are.
    pub(super) fn next_name(&self, directory: &[u8], last: Option<&[u8]>) -> Option<Option<&'s [u8]>> {
        let Looked::At(keys) = &self.looked else { return None };
        let front = if directory == ROOT_PATH { Vec::new() } else { [directory, b"/"].concat() };
        // Behind the name and all that is below it.
        let start = last.map_or_else(|| front.clone(), |last| [front.as_slice(), last, &[1]].concat());
        let next = first_from(keys, &start).and_then(|key| key.strip_prefix(front.as_slice()));
        Some(next.and_then(|rest| rest.split(|byte| *byte == b'/').next()).filter(|name| !name.is_empty()))
    }
}

/// The first path from `start` on.
fn first_from<'k>(keys: &[&'k [u8]], start: &[u8]) -> Option<&'k [u8]> {
    keys.get(keys.partition_point(|key| compare(key, start).is_lt())).copied()
}

/// The order of a walk: what is below a name comes before the next name.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let ranks = |path: &[u8]| path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect::<Vec<u8>>();
    ranks(one).cmp(&ranks(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_names_are_looked_at_in_the_order_of_the_walk_each_once() {
        let mut scope = Scope::everything();
        for path in ["a/b", "a-b", "a", "a\u{1}", "b/c/d", "b/c/e", "."] {
            scope.add_address(format!("fs:0/{path}").as_bytes(), true).unwrap();
        }
        let reach = Reach::of(&scope);
        let names_in = |directory: &[u8]| {
            let (mut names, mut last) = (Vec::new(), None);
            while let Some(name) = reach.next_name(directory, last).unwrap() {
                names.push(String::from_utf8(name.to_vec()).unwrap());
                last = Some(name);
            }
            names
        };
        assert_eq!(names_in(b"."), [".", "a", "a\u{1}", "a-b", "b"][1..]);
        assert_eq!(names_in(b"a"), ["b"]);
        assert_eq!(names_in(b"b/c"), ["d", "e"]);
        assert!(reach.enters(b"b/c") && !reach.enters(b"a-b") && reach.enters(b".") && !reach.enters(b"c"));
    }
}
