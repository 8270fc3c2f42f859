//! DynamoDB: files to events. Source: `docs/format/dynamodb.md`, sections 4 and 6.
//!
//! | file | holds |
//! |---|---|
//! | `table.rs` | the files of one table, in both layouts |
//! | `schema.rs` | `_schema.json` |
//! | `items.rs` | the items of a table: checked as they are read, given in the order of their keys |
//! | `item.rs`, `key.rs` | the text of an item, and its key |

mod findings;
mod item;
mod items;
mod key;
mod schema;
mod table;

use ekv_model::{Consumer, Protocol};

use crate::replay::reading::Reading;
use ekv_files::Result;

pub(crate) use schema::Schema;

/// Replays the selected tables, in byte order of their directories.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut directories = reading.scopes(Protocol::DynamoDb)?.finish()?;
    while let Some((folder, _)) = directories.next()? {
        table::read(reading, folder, target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
