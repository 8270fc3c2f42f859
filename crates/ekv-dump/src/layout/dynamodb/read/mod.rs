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

use ekv_files::{DumpPath, Result};
use ekv_model::{Consumer, Finding};
use ekv_spill::Sorter;

use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::replay::scopes::ListedScopes;

/// Directory of the protocol.
pub(crate) const DIRECTORY: &str = "dynamodb";

const IN_PROTOCOL: &str = "directories only, one for each table";

/// A key of type N that is no number, as a decode has told. The name is that of the decode.
const KEY_NO_NUMBER: Finding = Finding::warning("ddb_key_no_number", "items with a key of type N that is no number");

/// Replays the selected tables, in byte order of their directories.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut tables = Tables { directories: reading.sorter(), listed: ListedScopes::new(DIRECTORY, reading)? };
    reading.show(&DumpPath::new(DIRECTORY.as_bytes())?, &mut tables)?;
    tables.listed.check()?;
    let mut directories = tables.directories.finish()?;
    while let Some((path, _)) = directories.next()? {
        table::read(reading, &DumpPath::new(path)?, target)?;
    }
    Ok(())
}

/// What the manifest lists must be there; to be called where the protocol has no directory.
pub(crate) fn check_absent(reading: &mut Reading<'_>) -> Result<()> {
    ListedScopes::new(DIRECTORY, reading)?.check()
}

/// Looks for tables.
struct Tables {
    directories: Sorter,
    listed: ListedScopes,
}

impl Visit for Tables {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.listed.saw(path.split_last().1)?;
        Ok(self.directories.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        Err(unknown(file.path(), IN_PROTOCOL))
    }
}

#[cfg(test)]
mod tests;
