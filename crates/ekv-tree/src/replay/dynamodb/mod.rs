//! DynamoDB: files to events. Source: `docs/format/dynamodb.md`, sections 4 and 6.
//!
//! | file | holds |
//! |---|---|
//! | `table.rs` | the files of one table, in both layouts |
//! | `schema.rs` | `_schema.json` |
//! | `items.rs` | the items of a table: checked as they are read, given in the order of their keys |
//! | `item.rs`, `key.rs` | the text of an item, and its key |

mod item;
mod items;
mod key;
mod schema;
mod table;

use ekv_model::Target;
use ekv_spill::Sorter;

use super::ReplayFault;
use super::reading::{DumpFile, Reading, Visit, unknown};
use crate::segment::component;
use crate::{DumpPath, Error, Result};

/// Directory of the protocol.
pub(super) const DIRECTORY: &str = "dynamodb";

const IN_PROTOCOL: &str = "directories only, one for each table";

// What is known about a directory.
const THERE: &[u8] = b"there";
const LISTED: &[u8] = b"listed";

/// Replays the selected tables, in byte order of their directories.
pub(super) fn read(reading: &mut Reading<'_>, target: &mut dyn Target) -> Result<()> {
    let path = DumpPath::new(DIRECTORY.as_bytes())?;
    let mut tables = Tables { sorter: reading.sorter() };
    for name in listed(reading) {
        tables.sorter.push(&component(name.as_bytes()), LISTED)?;
    }
    reading.show(&path, &mut tables)?;
    let mut sorted = tables.sorter.finish()?;
    // Equal names come in the order of pushing.
    let mut missing: Option<Vec<u8>> = None;
    while let Some((directory, what)) = sorted.next()? {
        if what == LISTED {
            expect_found(missing.take().filter(|missing| missing != directory))?;
            missing = Some(directory.to_vec());
            continue;
        }
        expect_found(missing.take().filter(|missing| missing != directory))?;
        let mut path = path.clone();
        path.push(directory)?;
        table::read(reading, &path, target)?;
    }
    expect_found(missing)
}

/// What the manifest lists must be there; to be called where the protocol has no directory.
pub(super) fn check_absent(reading: &Reading<'_>) -> Result<()> {
    expect_found(listed(reading).first().map(|name| component(name.as_bytes())))
}

/// The tables that the manifest lists.
fn listed<'r>(reading: &'r Reading<'_>) -> &'r [String] {
    reading.manifest().adapters.dynamodb.as_ref().map_or(&[], |scopes| scopes.tables.as_slice())
}

fn expect_found(missing: Option<Vec<u8>>) -> Result<()> {
    let Some(directory) = missing else { return Ok(()) };
    let path = [DIRECTORY.as_bytes(), b"/", &directory].concat();
    Err(Error::from(ReplayFault::MissingScope).at(&path))
}

/// Looks for tables.
struct Tables {
    sorter: Sorter,
}

impl Visit for Tables {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        Ok(self.sorter.push(path.split_last().1, THERE)?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        Err(unknown(file.path(), IN_PROTOCOL))
    }
}

/// Longest part of a name in a message, in characters.
const SHOWN_LEN: usize = 64;

/// A name in a message.
fn shown_name(name: &[u8]) -> String {
    let start = name.get(..SHOWN_LEN.saturating_mul(4)).unwrap_or(name);
    String::from_utf8_lossy(start).chars().take(SHOWN_LEN).collect()
}

#[cfg(test)]
mod tests;
