//! What lies in the directory of a Redis database. Source: `docs/format/redis.md`, section 6.1.

use ekv_model::Protocol;

use super::write::names::Folder;
use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::layout::in_scope::{InScope, Misplaced, Role, ScopeRow, decimal, split_first};
use crate::segment::{Decoded, SegmentError, decode_segment};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;

/// Front of the name of a database; its index follows.
const DATABASE_FRONT: &str = "db_";

/// The directories of databases.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "the directory db_0" },
    is_scope: |name| database_index(name).is_some(),
    directory: |index| [DATABASE_FRONT, index].concat().into_bytes(),
    check_name: |_| None,
    check: |_, _| None,
};

/// Something in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseEntry<'p> {
    Keymap,
    Expiries(ExpirySidecar),
    /// The directory of a type.
    Folder(Folder),
    /// The file of a key; its name without extension.
    Key(Folder, &'p [u8]),
}

pub(crate) type Entry<'p> = DatabaseEntry<'p>;

const IN_DATABASE: Misplaced = Misplaced {
    expected: "KEYMAP.jsonl, strings_ttl.jsonl, hll_ttl.jsonl, or a directory: strings, hll, hashes, lists, sets, zsets, streams",
};
const IN_FOLDER: Misplaced = Misplaced { expected: "files only, one for each key" };

impl<'p> InScope<'p> for DatabaseEntry<'p> {
    fn protocol(&self) -> Protocol {
        Protocol::Redis
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(name)) = split_first(path) else {
            return match ExpirySidecar::of(path) {
                Some(sidecar) => Ok(DatabaseEntry::Expiries(sidecar)),
                None if path == KEYMAP_FILE.as_bytes() => Ok(DatabaseEntry::Keymap),
                None => Err(IN_DATABASE),
            };
        };
        let folder = Folder::named(first).ok_or(IN_DATABASE)?;
        match name.strip_suffix(folder.extension().as_bytes()) {
            Some(segment) if !name.contains(&b'/') => Ok(DatabaseEntry::Key(folder, segment)),
            _ => Err(in_folder(folder)),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) => Folder::named(name).map(DatabaseEntry::Folder).ok_or(IN_DATABASE),
            (name, Some(_)) => Err(if Folder::named(name).is_some() { IN_FOLDER } else { IN_DATABASE }),
        }
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        match *self {
            DatabaseEntry::Keymap => put(&[KEYMAP_FILE.as_bytes()]),
            DatabaseEntry::Expiries(sidecar) => put(&[sidecar.file_name().as_bytes()]),
            DatabaseEntry::Folder(folder) => put(&[folder.name().as_bytes()]),
            DatabaseEntry::Key(folder, segment) => {
                put(&[folder.name().as_bytes(), b"/", segment, folder.extension().as_bytes()]);
            }
        }
    }

    fn role(&self) -> Role {
        if matches!(self, DatabaseEntry::Key(..)) { Role::Content } else { Role::Other }
    }

    fn is_never_empty(&self) -> bool {
        self.is_joined_by_text()
    }

    fn is_joined_by_text(&self) -> bool {
        matches!(*self, DatabaseEntry::Keymap | DatabaseEntry::Expiries(_))
    }

    fn check(&self, _: &Rules) -> Option<ProblemKind> {
        let DatabaseEntry::Key(_, segment) = *self else { return None };
        match decode_segment(segment) {
            Ok(Decoded::Binary(_)) => Some(ProblemKind::Name(SegmentError::NotCanonical)),
            Err(error) => Some(ProblemKind::Name(error)),
            Ok(_) => None,
        }
    }
}

/// What the names of keys of a type end with.
fn in_folder(folder: Folder) -> Misplaced {
    Misplaced {
        expected: match folder {
            Folder::Strings | Folder::Hll => "names that end in .bin",
            Folder::Streams => "names that end in .jsonl",
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => "names that end in .json",
        },
    }
}

/// The index of a database, without leading zeros.
pub(crate) fn database_index(name: &[u8]) -> Option<u32> {
    decimal(name.strip_prefix(DATABASE_FRONT.as_bytes())?)
}

/// The name of the directory of a database.
pub(crate) fn database_name(index: u32) -> Vec<u8> {
    format!("{DATABASE_FRONT}{index}").into_bytes()
}
