//! What lies in the directory of a file system. Source: `docs/format/fs.md`, section 6.

use ekv_model::Protocol;

use crate::layout::in_scope::{InScope, Misplaced, Role, ScopeRow, included, split_first};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use crate::verify::seen::{Seen, SeenScope};

/// The directory of the one file system.
pub(super) const DIRECTORY: &[u8] = b"fs_0";
/// One line for each name.
pub(super) const LINES_FILE: &str = "entries.jsonl";
/// All of it as one archive, instead of anything else but what no name leads to.
pub(super) const ARCHIVE_FILE: &str = "tree.tar";
/// The files and directories under their own names.
pub(super) const TREE: &[u8] = b"tree";
/// Those whose path would be too long.
pub(super) const DEEP: &[u8] = b"deep";
/// Files with large holes.
pub(super) const PACKED: &[u8] = b"packed";
/// What no name leads to.
pub(super) const ORPHANS: &[u8] = b"orphans";
/// Chunks without an inode, in that directory.
pub(super) const ORPHAN_CHUNKS: &[u8] = b"chunks";
/// Stored parts of a file, one behind the other.
pub(super) const CONTENT_END: &[u8] = b".bin";
/// Where these parts lie in it.
pub(super) const MAP_END: &[u8] = b".map";
/// Front of the end of a packed orphan.
const PACKED_ORPHAN_END: &[u8] = b".packed.bin";

/// The directories of file systems.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "the directory fs_0" },
    is_scope: |name| name == DIRECTORY,
    directory: |index| ["fs_", index].concat().into_bytes(),
    check_name: |_| None,
    check: check_file_system,
};

/// Something in a file system. Paths are those in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'p> {
    Lines,
    Archive,
    /// The directory `tree` or `deep`, or what is below.
    Named(&'p [u8]),
    /// The directory `packed`.
    PackedFiles,
    /// The stored parts of the file with this number; its name without extension.
    PackedContent(&'p [u8]),
    PackedMap(&'p [u8]),
    /// The directory `orphans`, or what is in it.
    Orphans(&'p [u8]),
}

const IN_FILE_SYSTEM: Misplaced =
    Misplaced { expected: "entries.jsonl or tree.tar, or a directory: tree, deep, packed, orphans" };
const IN_PACKED: Misplaced = Misplaced { expected: "<inode>.bin and <inode>.map" };
const IN_DEEP: Misplaced = Misplaced { expected: "files and directories that are named after their inode" };
const IN_ORPHANS: Misplaced = Misplaced {
    expected: "entries.jsonl, <inode>.bin, <inode>.packed.bin, <inode>.map, chunks/<home>_<inode>_<index>.bin",
};

impl<'p> InScope<'p> for Entry<'p> {
    fn protocol(&self) -> Protocol {
        Protocol::Fs
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) if name == LINES_FILE.as_bytes() => Ok(Entry::Lines),
            (name, None) if name == ARCHIVE_FILE.as_bytes() => Ok(Entry::Archive),
            (TREE, Some(_)) => Ok(Entry::Named(path)),
            (DEEP, Some(rest)) if is_inode(split_first(rest).0) => Ok(Entry::Named(path)),
            (DEEP, Some(_)) => Err(IN_DEEP),
            (PACKED, Some(name)) => packed(name).ok_or(IN_PACKED),
            (ORPHANS, Some(name)) if is_orphan(name) => Ok(Entry::Orphans(path)),
            (ORPHANS, Some(_)) => Err(IN_ORPHANS),
            _ => Err(IN_FILE_SYSTEM),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (TREE, _) | (DEEP, None) => Ok(Entry::Named(path)),
            (DEEP, Some(rest)) if is_inode(split_first(rest).0) => Ok(Entry::Named(path)),
            (DEEP, Some(_)) => Err(IN_DEEP),
            (PACKED, None) => Ok(Entry::PackedFiles),
            (PACKED, Some(_)) => Err(IN_PACKED),
            (ORPHANS, None | Some(ORPHAN_CHUNKS)) => Ok(Entry::Orphans(path)),
            (ORPHANS, Some(_)) => Err(IN_ORPHANS),
            _ => Err(IN_FILE_SYSTEM),
        }
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        match *self {
            Entry::Lines => put(&[LINES_FILE.as_bytes()]),
            Entry::Archive => put(&[ARCHIVE_FILE.as_bytes()]),
            Entry::Named(path) | Entry::Orphans(path) => put(&[path]),
            Entry::PackedFiles => put(&[PACKED]),
            Entry::PackedContent(inode) => put(&[PACKED, b"/", inode, CONTENT_END]),
            Entry::PackedMap(inode) => put(&[PACKED, b"/", inode, MAP_END]),
        }
    }

    fn role(&self) -> Role {
        match self {
            Entry::Archive | Entry::Named(_) | Entry::PackedContent(_) => Role::Content,
            Entry::Lines | Entry::PackedMap(_) => Role::Metadata,
            Entry::PackedFiles | Entry::Orphans(_) => Role::Other,
        }
    }

    fn is_never_empty(&self) -> bool {
        matches!(self, Entry::Lines | Entry::Archive)
    }

    fn is_joined_by_text(&self) -> bool {
        matches!(self, Entry::Lines | Entry::Archive | Entry::PackedMap(_))
    }

    fn check(&self, rules: &Rules) -> Option<ProblemKind> {
        match self {
            Entry::Orphans(_) => included(rules.exclusions.include_orphans),
            _ => None,
        }
    }

    fn tells(&self) -> Option<Seen> {
        match self {
            Entry::Archive => Some(ARCHIVE),
            Entry::Lines | Entry::Orphans(_) => Some(Seen::OWN_RECORD),
            _ => None,
        }
    }
}

/// The file system as one archive.
const ARCHIVE: Seen = Seen::own(0);

fn check_file_system(scope: &SeenScope<'_>, _: &Rules) -> Option<(Seen, ProblemKind)> {
    let is_there = scope.has(Seen::OWN_RECORD) || scope.has(ARCHIVE);
    (!is_there).then_some((Seen::DIRECTORY, ProblemKind::Incomplete { name: LINES_FILE }))
}

/// Whether a name is the number of an inode.
fn is_inode(name: &[u8]) -> bool {
    name.len() == 16 && name.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn packed(name: &[u8]) -> Option<Entry<'_>> {
    let inode = |end| name.strip_suffix(end).filter(|inode| is_inode(inode));
    inode(CONTENT_END).map(Entry::PackedContent).or_else(|| inode(MAP_END).map(Entry::PackedMap))
}

fn is_orphan(name: &[u8]) -> bool {
    let is = |end| name.strip_suffix(end).is_some_and(is_inode);
    let is_chunk = |name: &[u8]| {
        let numbers = name.strip_suffix(CONTENT_END).map(|numbers| numbers.split(|byte| *byte == b'_'));
        numbers.is_some_and(|mut numbers| numbers.clone().count() == 3 && numbers.all(is_inode))
    };
    name == LINES_FILE.as_bytes()
        || [CONTENT_END, PACKED_ORPHAN_END, MAP_END].into_iter().any(is)
        || name.strip_prefix(ORPHAN_CHUNKS).and_then(|rest| rest.strip_prefix(b"/")).is_some_and(is_chunk)
}
