//! Items that are read back when a load is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_aws::Client;
use ekv_aws::dynamodb::{BATCH_GET_MAX, batch_get};
use ekv_model::dynamodb::Event as TableEvent;
use ekv_model::{Consumer, Event, Findings, Result};

use super::served::{KeyNames, Served};
use crate::digest::{Aspects, Sum};
use crate::leave::aws::failed;
use crate::leave::ledger::Verified;
use crate::progress::Progress;

/// What is known of an item that was written.
pub(crate) struct Fingerprint {
    table: String,
    keys: Arc<KeyNames>,
    /// Its key, as the service is asked for it.
    key: String,
    value: ItemValue,
    address: String,
}

/// The key of an item in the order of its table, and a digest of the item as the service keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ItemValue {
    sort_key: Vec<u8>,
    digest: Sum,
}

impl Fingerprint {
    /// Of an item on its way to `table`; `key` asks for it.
    ///
    /// # Errors
    /// A text that is no item.
    pub(crate) fn of(table: &str, keys: &KeyNames, key: &str, json: &str, address: &str) -> Result<Self> {
        Ok(Fingerprint {
            table: table.to_owned(),
            keys: Arc::new(keys.clone()),
            key: key.to_owned(),
            value: fingerprint(keys, json)?,
            address: address.to_owned(),
        })
    }
}

/// Digests the item that passes by.
struct Digesting {
    aspects: Aspects,
    value: ItemValue,
}

impl Consumer for Digesting {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::DynamoDb(TableEvent::ItemBegin { key, .. }) = &event {
            self.value.sort_key = key.sort_key.to_vec();
        }
        if let Some(fingerprint) = self.aspects.event(&event)? {
            self.value.digest = fingerprint.value;
        }
        Ok(())
    }

    fn findings(&self) -> Findings {
        Findings::default()
    }
}

/// What tells an item, as the service gives or takes it, from all others.
///
/// # Errors
/// A text that is no item of such a table.
pub(crate) fn fingerprint(keys: &KeyNames, json: &str) -> Result<ItemValue> {
    let mut digesting = Digesting { aspects: Aspects::new(false), value: ItemValue::default() };
    let as_it_is = |name: &str| name.to_owned();
    keys.pour_item(json, &|_| true, &mut Served::new(&mut digesting, &as_it_is))?;
    Ok(digesting.value)
}

/// Reads items back and compares them.
///
/// # Errors
/// Of the service.
pub(crate) fn read_back(client: &Client, rows: Vec<Fingerprint>, progress: &dyn Progress) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut tables: BTreeMap<String, Vec<Fingerprint>> = BTreeMap::new();
    rows.into_iter().for_each(|row| tables.entry(row.table.clone()).or_default().push(row));
    for (table, rows) in &tables {
        for rows in rows.chunks(BATCH_GET_MAX) {
            let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
            let mut found = BTreeMap::new();
            for item in batch_get(client, table, &keys).map_err(failed)? {
                let Some(row) = rows.first() else { continue };
                let value = fingerprint(&row.keys, item.get())?;
                found.insert(value.sort_key, value.digest);
            }
            for row in rows {
                verified.count = verified.count.saturating_add(1);
                if found.get(&row.value.sort_key) != Some(&row.value.digest) {
                    verified.differs(|| row.address.clone());
                }
            }
            progress.advance(u64::try_from(rows.len()).unwrap_or(u64::MAX))?;
        }
    }
    Ok(verified)
}
