//! DynamoDB: records to events. Source: `docs/format/dynamodb.md`.
//!
//! | file | holds |
//! |---|---|
//! | `table.rs` | a table with its generations: which items clients see, in which order |
//! | `orphans.rs` | items without a table |
//! | `schema.rs`, `item.rs` | the records of tables and items |
//! | `check.rs`, `value.rs`, `document.rs` | the message inside an item: checked, found, emitted |
//! | `keys.rs` | bytes of keys |
//! | `encode.rs` | events to records |

mod check;
mod document;
mod encode;
pub mod findings;
mod item;
pub mod keys;
mod orphans;
mod restorable;
mod route;
mod schema;
mod subject;
mod table;
mod value;

#[cfg(test)]
mod tests;

use ekv_model::{Protocol, Result};
use ekv_snapshot::Range;

use crate::adapter::Adapter;
use crate::{Family, Outcome, Owner, Run};

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, _| decode(run),
    encoder: |_, _| Box::new(encode::Encoder::default()),
    restores: |_| Box::new(restorable::Tables::default()),
    routes: route::ROUTES,
    subject: subject::subject,
    beginnings: subject::beginnings,
    ranges: None,
    is_stored_key: subject::is_stored_key,
    culprit: subject::culprit,
};

/// Emits every table with every item that clients see and the scope of the run selects.
///
/// Shape: tables in raw-key order, the items of each in ascending order of their ordered primary keys. Cost: two reads of every
/// item; one schema and the pieces of one item in memory; scratch space only for tables with legacy keys.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one table or item is a finding, not an error.
pub fn decode(run: &mut Run<'_>) -> Result<()> {
    if run.visible(Family::DdbTable) > 0 {
        let mut tables = table::Tables::new(run);
        let mut scan = run.view().scan_range(Range::prefix(Family::DdbTable.prefix()))?;
        while let Some(found) = scan.next_visible()? {
            tables.table(run, &found)?;
        }
    }
    orphans::account(run)?;
    for family in [Family::DdbGeneration, Family::DdbIndexRow] {
        run.account(family, Outcome::Internal, run.unaccounted(family))?;
    }
    match run.scope().is_all_of(Protocol::DynamoDb) {
        true => Ok(()),
        false => run.leave_rest(Owner::Protocol(Protocol::DynamoDb)),
    }
}
