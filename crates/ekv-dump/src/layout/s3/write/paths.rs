//! Which path each object of a bucket has. Source: `docs/format/tree.md`, section 4.

use std::sync::Arc;

use ekv_files::path::{COMPONENT_LEN_MAX, split_last};
use ekv_files::sink::SinkError;
use ekv_files::{Error, Result};
use ekv_spill::{Scratch, Sorted, Sorter};

use crate::keymap::KeymapKind;
use crate::s3_name::{LEAF_SUFFIX, META_SUFFIX, USER_SUFFIX, check_natural_key};

/// Memory for the keys whose paths depend on other keys, in bytes; more goes to scratch files.
const BUDGET_LEN: usize = 1 << 20;

/// Learns all keys of a bucket, in ascending byte order.
///
/// Whether a key is a directory, and whether the path that it is moved to is free, is told by keys that begin with it. All of them
/// come before the next key that does not, so that only keys that the key at hand begins with are kept.
/// Cost: one key, a few bytes per key that it begins with, and the keys that must move because of others, sorted externally.
pub(super) struct PathAssigner {
    /// The last key.
    previous: Option<Vec<u8>>,
    /// The last key that can be a path.
    last: Vec<u8>,
    /// The beginnings of `last` that are keys themselves, the shortest first; `last` is the longest.
    open: Vec<OpenKey>,
    /// Keys whose paths depend on other keys, with the kind of their path.
    moved: Sorter,
}

/// A key, while keys that begin with it may follow.
struct OpenKey {
    len: usize,
    /// Other keys lie below it.
    is_directory: bool,
    /// A key has or needs the path that it would be moved to as a directory.
    leaf_is_taken: bool,
    /// A key has or needs the path that it would be moved to as something that looks like a sidecar.
    user_is_taken: bool,
}

impl PathAssigner {
    pub(super) fn new(scratch: Arc<dyn Scratch>) -> Self {
        PathAssigner { previous: None, last: Vec::new(), open: Vec::new(), moved: Sorter::new(scratch, BUDGET_LEN) }
    }

    /// Takes the next key.
    ///
    /// # Errors
    /// If the key is not above the last one, or a scratch file fails.
    pub(super) fn add(&mut self, key: &[u8]) -> Result<()> {
        match &mut self.previous {
            Some(previous) if previous.as_slice() >= key => {
                let rule = "the keys of a bucket ascend";
                return Err(Error::new(SinkError::Misuse { rule }));
            }
            Some(previous) => {
                previous.clear();
                previous.extend_from_slice(key);
            }
            None => self.previous = Some(key.to_vec()),
        }
        if check_natural_key(key).is_err() {
            return Ok(());
        }
        while self.open.last().is_some_and(|open| self.last.get(..open.len) != key.get(..open.len)) {
            self.close_last()?;
        }
        for open in &mut self.open {
            let rest = key.get(open.len..).unwrap_or_default();
            open.is_directory |= rest.starts_with(b"/");
            open.leaf_is_taken |= takes(rest, LEAF_SUFFIX);
            open.user_is_taken |= takes(rest, USER_SUFFIX);
        }
        self.open.push(OpenKey { len: key.len(), is_directory: false, leaf_is_taken: false, user_is_taken: false });
        self.last.clear();
        self.last.extend_from_slice(key);
        Ok(())
    }

    /// Ends learning.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub(super) fn finish(mut self) -> Result<Paths> {
        while !self.open.is_empty() {
            self.close_last()?;
        }
        let mut paths = Paths { moved: self.moved.finish()?, next: None };
        paths.pull()?;
        Ok(paths)
    }

    /// Decides about the longest open key: no more keys begin with it.
    fn close_last(&mut self) -> Result<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let key = self.last.get(..open.len).unwrap_or_default();
        let place = if key.ends_with(META_SUFFIX) {
            (open.user_is_taken || !has_room(key, USER_SUFFIX)).then_some(Moved::Fallback)
        } else if open.is_directory {
            let is_free = !open.leaf_is_taken && has_room(key, LEAF_SUFFIX);
            Some(if is_free { Moved::Leaf } else { Moved::Fallback })
        } else {
            None
        };
        if let Some(place) = place {
            self.moved.push(key, &[place.tag()])?;
        }
        Ok(())
    }
}

/// Whether a key that continues with `rest` has the path of the key with `suffix`, or needs it as a directory.
fn takes(rest: &[u8], suffix: &[u8]) -> bool {
    rest.strip_prefix(suffix).is_some_and(|tail| tail.is_empty() || tail.starts_with(b"/"))
}

/// Whether the last component leaves room for the suffix and that of the sidecar.
fn has_room(key: &[u8], suffix: &[u8]) -> bool {
    let (_, name) = split_last(key);
    name.len().saturating_add(suffix.len()).saturating_add(META_SUFFIX.len()) <= COMPONENT_LEN_MAX
}

/// How a key is moved because of other keys.
#[derive(Clone, Copy)]
enum Moved {
    Leaf,
    Fallback,
}

impl Moved {
    fn tag(self) -> u8 {
        match self {
            Moved::Leaf => b'l',
            Moved::Fallback => b'f',
        }
    }

    fn kind(tag: u8) -> KeymapKind {
        if tag == Moved::Leaf.tag() { KeymapKind::S3LeafData } else { KeymapKind::ShaFallback }
    }
}

/// The paths of a bucket's objects.
pub(super) struct Paths {
    moved: Sorted,
    next: Option<(Vec<u8>, KeymapKind)>,
}

impl Paths {
    /// How the path of an object differs from its key, if it does; keys ascend from call to call, and some may be left out.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub(super) fn kind_of(&mut self, key: &[u8]) -> Result<Option<KeymapKind>> {
        while self.next.as_ref().is_some_and(|(next, _)| next.as_slice() < key) {
            self.pull()?;
        }
        if check_natural_key(key).is_err() {
            return Ok(Some(KeymapKind::ShaFallback));
        }
        Ok(match &self.next {
            Some((next, kind)) if next == key => Some(*kind),
            _ => key.ends_with(META_SUFFIX).then_some(KeymapKind::MetaSuffixRename),
        })
    }

    fn pull(&mut self) -> Result<()> {
        let next = self.moved.next()?;
        self.next = next.map(|(key, tag)| (key.to_vec(), Moved::kind(tag.first().copied().unwrap_or_default())));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
