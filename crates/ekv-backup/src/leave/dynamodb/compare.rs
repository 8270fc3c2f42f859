//! What a backup and the tables of DynamoDB differ in. Source: `docs/format/leave.md`, section 3.5.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ekv_aws::dynamodb::{self as aws, NewTable, Page, Scan};
use ekv_model::dynamodb::{Event as TableEvent, KeyForms};
use ekv_model::{Consumer, Event, Protocol, Result};
use serde_json::value::RawValue;

use super::served::{KeyNames, Served, with_table};
use crate::leave::aws::{Connection, failed, rename, with_window};
use crate::progress::{Phase, Progress};
use crate::see::{Compared, DiffOptions, Difference, Look, Source, diff_side, diff_sides};

/// What a page of a scan takes at most, in bytes: text and what is made of it.
const PAGE_LEN: u64 = 4 << 20;

/// Compares what is selected of `source` with the tables that are so called, or as `renames` says. What `is_told` does not accept is no difference.
///
/// Tables are read as a whole, by several consistent scans at once: that costs a unit of capacity for 4 KiB, and reads of single items would cost one for each
/// at least. They are not held up, so that what is read is not one moment.
///
/// # Errors
/// As [`crate::see::diff`]; of the service.
pub(crate) fn compare(
    source: &mut Source,
    connection: &Connection,
    renames: &BTreeMap<String, String>,
    options: &DiffOptions,
    is_told: &mut dyn FnMut(&Difference) -> bool,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<Compared> {
    let target_name = |name: &str| rename(renames, name).to_owned();
    let mut tables = Tables::default();
    let first = diff_side(options, &mut |fingers, scratch| {
        let mut served = Served::new(fingers, &target_name);
        let mut watching = Watching { consumer: &mut served, tables: &mut tables };
        source.look(&options.events, &mut watching, scratch, progress)
    })?;
    progress.begin(Phase::Look, None);
    let second = diff_side(options, &mut |fingers, _| {
        let mut items = 0_u64;
        for (name, forms) in &tables.0 {
            let read = read(connection, name, &target_name(name), *forms, options, fingers, progress)?;
            items = items.saturating_add(read);
        }
        Ok(Look::of_server(items))
    })?;
    diff_sides(first, second, options, is_told, take)
}

/// Tables of the source, and what their keys look like.
#[derive(Default)]
struct Tables(BTreeMap<String, KeyForms>);

/// Notes which tables pass by.
struct Watching<'w> {
    consumer: &'w mut dyn Consumer,
    tables: &'w mut Tables,
}

impl Consumer for Watching<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::DynamoDb(TableEvent::TableBegin(table)) = &event {
            self.tables.0.insert(table.name.to_owned(), table.key_forms);
        }
        self.consumer.event(event)
    }
}

/// Hands a table of the service, if it is there, and its selected items to `consumer`; how many of them there are.
fn read(
    connection: &Connection,
    name: &str,
    target: &str,
    forms: KeyForms,
    options: &DiffOptions,
    consumer: &mut dyn Consumer,
    progress: &dyn Progress,
) -> Result<u64> {
    let client = &connection.client;
    let Some(found) = aws::describe_table(client, target).map_err(failed)? else { return Ok(0) };
    let found = NewTable {
        table_name: target.to_owned(),
        key_schema: found.key_schema,
        attribute_definitions: found.attribute_definitions,
        global_secondary_indexes: found.global_secondary_indexes.unwrap_or_default(),
        billing_mode: String::new(),
        provisioned_throughput: None,
    };
    let selected = options.events.scope.keys_in(Protocol::DynamoDb, name.as_bytes());
    let mut keys = KeyNames::default();
    let as_it_is = |name: &str| name.to_owned();
    let mut served = Served::new(consumer, &as_it_is);
    with_table(&found, forms, &mut |table| {
        keys = KeyNames::of(&table.primary_key);
        served.event(Event::DynamoDb(TableEvent::TableBegin(table)))
    })?;
    let segments = u32::try_from(connection.connections).unwrap_or(1);
    let mut items = 0_u64;
    let poll = || Ok(progress.advance(0)?);
    let ask = |(segment, from): (u32, Option<Box<RawValue>>)| {
        let scan = Scan { from: from.as_deref(), segment: Some((segment, segments)), ..Scan::default() };
        (segment, aws::scan(client, target, &scan))
    };
    with_window(connection.connections, &poll, ask, |window| {
        let next: RefCell<Vec<(u32, Option<Box<RawValue>>)>> =
            RefCell::new((0..segments).map(|segment| (segment, None)).collect());
        let mut take = |(segment, page): (u32, ekv_aws::Result<Page>)| {
            let page = page.map_err(failed)?;
            for item in &page.items {
                keys.pour_item(item.get(), &|key| selected.contains_item(key, forms), &mut served)?;
            }
            let read = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
            items = items.saturating_add(read);
            if let Some(from) = page.last_evaluated_key {
                next.borrow_mut().push((segment, Some(from)));
            }
            Ok(progress.advance(read)?)
        };
        let mut read_all = || -> Result<()> {
            loop {
                let job = next.borrow_mut().pop();
                match job {
                    Some(job) => window.push(job, PAGE_LEN, &mut take)?,
                    None if window.is_busy() => window.wait_for_one(&mut take)?,
                    None => return Ok(()),
                }
            }
        };
        let read = read_all();
        if read.is_err() {
            connection.stop.now();
        }
        read
    })?;
    served.event(Event::DynamoDb(TableEvent::TableEnd))?;
    Ok(items)
}
