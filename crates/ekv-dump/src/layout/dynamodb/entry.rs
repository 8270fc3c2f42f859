//! What lies in the directory of a DynamoDB table. Source: `docs/format/dynamodb.md`, section 4.

use ekv_model::Protocol;

use super::write::names::EXTENSION as ITEM_EXTENSION;
use super::write::schema::SCHEMA_FILE;
use super::write::{ITEMS_DIRECTORY, ITEMS_FILE};
use crate::layout::in_scope::{InScope, Misplaced, Role, ScopeRow, check_component, split_first};
use crate::manifest::DynamodbLayout;
use crate::segment::decode_component;
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use crate::verify::seen::{Seen, SeenScope};

/// The directories of tables.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "directories only, one for each table" },
    check_name: check_component,
    check: check_table,
    ..ScopeRow::NAMED
};

/// The schema of a table has no range key.
pub(super) const NO_RANGE_KEY: Seen = Seen::own(0);
/// A directory for the items of one hash key.
const ITEM_FOLDER: Seen = Seen::own(1);

/// Something in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableEntry<'p> {
    Schema,
    /// All items, one line each.
    Lines,
    /// The directory of items.
    Items,
    /// The directory of the items with one hash key.
    ItemFolder(&'p [u8]),
    /// An item: the directory of its hash key, if its table has a range key, and the name of its file without extension.
    Item(Option<&'p [u8]>, &'p [u8]),
}

pub(crate) type Entry<'p> = TableEntry<'p>;

const IN_TABLE: Misplaced = Misplaced { expected: "_schema.json, the directory items or the file items.jsonl" };
const IN_ITEMS: Misplaced =
    Misplaced { expected: "files that end in .json, and directories of them in tables with a range key" };
/// What may lie in the directory of items of a table without range key.
pub(super) const IN_FLAT_ITEMS: Misplaced =
    Misplaced { expected: "files that end in .json: this table has no range key" };

impl<'p> InScope<'p> for TableEntry<'p> {
    fn protocol(&self) -> Protocol {
        Protocol::DynamoDb
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(item)) = split_first(path) else {
            return match path {
                _ if path == SCHEMA_FILE.as_bytes() => Ok(TableEntry::Schema),
                _ if path == ITEMS_FILE.as_bytes() => Ok(TableEntry::Lines),
                _ => Err(IN_TABLE),
            };
        };
        if first != ITEMS_DIRECTORY.as_bytes() {
            return Err(IN_TABLE);
        }
        let (folder, name) = match split_first(item) {
            (folder, Some(name)) => (Some(folder), name),
            (name, None) => (None, name),
        };
        match name.strip_suffix(ITEM_EXTENSION) {
            Some(stem) if !name.contains(&b'/') => Ok(TableEntry::Item(folder, stem)),
            _ => Err(IN_ITEMS),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (items, _) if items != ITEMS_DIRECTORY.as_bytes() => Err(IN_TABLE),
            (_, None) => Ok(TableEntry::Items),
            (_, Some(folder)) if !folder.contains(&b'/') => Ok(TableEntry::ItemFolder(folder)),
            _ => Err(IN_ITEMS),
        }
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        let items = ITEMS_DIRECTORY.as_bytes();
        match *self {
            TableEntry::Schema => put(&[SCHEMA_FILE.as_bytes()]),
            TableEntry::Lines => put(&[ITEMS_FILE.as_bytes()]),
            TableEntry::Items => put(&[items]),
            TableEntry::ItemFolder(folder) => put(&[items, b"/", folder]),
            TableEntry::Item(None, name) => put(&[items, b"/", name, ITEM_EXTENSION]),
            TableEntry::Item(Some(folder), name) => put(&[items, b"/", folder, b"/", name, ITEM_EXTENSION]),
        }
    }

    fn role(&self) -> Role {
        if matches!(self, TableEntry::Lines | TableEntry::Item(..)) { Role::Content } else { Role::Other }
    }

    fn is_never_empty(&self) -> bool {
        *self == TableEntry::Lines
    }

    fn is_joined_by_text(&self) -> bool {
        *self == TableEntry::Schema
    }

    fn check(&self, rules: &Rules) -> Option<ProblemKind> {
        match *self {
            TableEntry::Schema => None,
            TableEntry::Lines => expect_layout(rules, DynamodbLayout::Jsonl),
            TableEntry::Items => expect_layout(rules, DynamodbLayout::PerItem),
            TableEntry::ItemFolder(name) | TableEntry::Item(_, name) => {
                expect_layout(rules, DynamodbLayout::PerItem).or_else(|| check_attribute(name))
            }
        }
    }

    fn tells(&self) -> Option<Seen> {
        match *self {
            TableEntry::Schema => Some(Seen::OWN_RECORD),
            TableEntry::ItemFolder(_) => Some(ITEM_FOLDER),
            _ => None,
        }
    }
}

fn expect_layout(rules: &Rules, layout: DynamodbLayout) -> Option<ProblemKind> {
    let (stated, expected) = match rules.layout {
        stated if stated == layout => return None,
        DynamodbLayout::PerItem => ("per-item", "the directory items"),
        DynamodbLayout::Jsonl => ("jsonl", "the file items.jsonl"),
    };
    Some(ProblemKind::OtherLayout { stated, expected })
}

/// The name of a key attribute; empty for an empty one.
fn check_attribute(name: &[u8]) -> Option<ProblemKind> {
    if name.is_empty() { None } else { decode_component(name).err().map(ProblemKind::Name) }
}

fn check_table(table: &SeenScope<'_>, _: &Rules) -> Option<(Seen, ProblemKind)> {
    if !table.has(Seen::OWN_RECORD) {
        return Some((Seen::DIRECTORY, ProblemKind::Incomplete { name: SCHEMA_FILE }));
    }
    let has_stray_folder = table.has(NO_RANGE_KEY) && table.has(ITEM_FOLDER);
    has_stray_folder.then(|| (ITEM_FOLDER, IN_FLAT_ITEMS.into()))
}
