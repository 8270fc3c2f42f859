//! Items whose table has no schema. Source: `docs/format/dynamodb.md`, sections 3 and 5.

use ekv_model::{FileOffset, Protocol, Result};
use ekv_snapshot::{Range, RangeScan};

use super::findings;
use super::keys::{decode_name, items_prefix, schema_key, table_of_item_key};
use crate::{Family, Outcome, Run};

/// The first byte after the separator that ends a table's name in keys.
const AFTER_SEPARATOR: u8 = b'|' + 1;

/// Accounts for the items that no table has taken.
pub(super) fn account(run: &mut Run<'_>) -> Result<()> {
    if run.unaccounted(Family::DdbItem) == 0 {
        return Ok(());
    }
    let scope = run.scope();
    let is_everything = scope.is_all_of(Protocol::DynamoDb);
    let items = || Range::prefix(Family::DdbItem.prefix());
    let mut schemas = run.view().lookup();
    let mut scan = run.view().scan_range(items())?;
    let mut found = scan.next_visible()?.is_some();
    while found {
        let Some((user_key, byte_offset)) = scan.current().map(|item| (item.user_key.to_vec(), item.byte_offset))
        else {
            break;
        };
        let table = table_of_item_key(&user_key);
        match table.and_then(|table| decode_name(table).map(|name| (table, name))) {
            None => {
                if is_everything {
                    malformed(run, &user_key, byte_offset)?;
                }
                found = scan.next_visible()?.is_some();
            }
            Some((table, name)) => {
                let schema = schemas.get(&schema_key(&name))?.map(|schema| schema.is_damaged);
                // A schema with a damaged value header is not among the tables that a range read shows.
                let is_selected = !scope.keys_in(Protocol::DynamoDb, name.as_bytes()).is_nothing();
                if schema != Some(false) && is_selected {
                    let has_schema = schema.is_some();
                    rest_of_table(run, &mut scan, table, &name, has_schema)?;
                    found = scan.current().is_some();
                } else {
                    let next = [Family::DdbItem.prefix(), table, &[AFTER_SEPARATOR]].concat();
                    scan.seek(items().starting_at(&next))?;
                    found = scan.next_visible()?.is_some();
                }
            }
        }
    }
    Ok(())
}

/// Counts the items of a table without a readable schema, and moves beyond them.
fn rest_of_table(run: &mut Run<'_>, scan: &mut RangeScan, table: &[u8], name: &str, has_schema: bool) -> Result<()> {
    let prefix = items_prefix(table);
    let byte_offset = scan.current().map(|item| item.byte_offset);
    let outcome = if has_schema { Outcome::Lost } else { Outcome::Orphaned };
    let mut count = 0_u64;
    while scan.current().is_some_and(|item| item.user_key.starts_with(&prefix)) {
        run.account(Family::DdbItem, outcome, 1)?;
        count = count.saturating_add(1);
        scan.next_visible()?;
    }
    if has_schema {
        run.record_finding(findings::INVALID_SCHEMA, name.as_bytes(), byte_offset, || {
            format!("the value header of the schema is damaged; {count} items are left out with it")
        });
    } else {
        run.record_finding(findings::ORPHAN_ITEMS, name.as_bytes(), byte_offset, || {
            format!("encoded_table {}, buffered_items {count}", ekv_text::Percent(table))
        });
    }
    Ok(())
}

/// Counts an item whose key does not parse.
pub(super) fn malformed(run: &mut Run<'_>, user_key: &[u8], byte_offset: FileOffset) -> Result<()> {
    run.record_finding(findings::MALFORMED_KEY, user_key, Some(byte_offset), || {
        "an item key needs table, generation and primary key".to_owned()
    });
    run.account(Family::DdbItem, Outcome::Lost, 1)
}
