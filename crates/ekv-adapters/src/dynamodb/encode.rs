//! DynamoDB: events to records. Source: `docs/format/dynamodb.md`, section 6.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | the record of a table |
//! | `item.rs` | the record of an item, put together from its steps |
//! | `indexes.rs` | the rows of the indexes |
//!
//! Every table gets ordered keys and generation 1, whatever it was decoded from.

mod indexes;
mod item;
mod schema;

use ekv_model::dynamodb::{Event, Table};
use ekv_model::{Body, Event as ModelEvent, Findings, Result};
use ekv_snapshot::RecordSink;

use super::item::MAGIC;
use super::keys::{generation_key, generation_prefix, push_name, schema_key};
use crate::adapter::EncodeEvents;
use crate::encode_error::misplaced;

use indexes::Indexes;
use item::ItemMessage;

/// Builds records from the events of one table after the other.
#[derive(Default)]
pub(crate) struct Encoder {
    table: Option<OpenTable>,
    user_key: Vec<u8>,
    value: Vec<u8>,
    findings: Findings,
}

/// The table whose items come.
struct OpenTable {
    items_prefix: Vec<u8>,
    indexes: Indexes,
    item: Option<ItemMessage>,
    /// Sort key of the open item.
    sort_key: Vec<u8>,
}

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::DynamoDb(event) = event else { return Err(misplaced("an event of another protocol")) };
        match (event, &mut self.table) {
            (Event::TableBegin(table), None) => self.begin(sink, table),
            (Event::ItemBegin { key, .. }, Some(table)) if table.item.is_none() => {
                table.sort_key.clear();
                table.sort_key.extend_from_slice(key.sort_key);
                table.indexes.begin_item();
                table.item = Some(ItemMessage::default());
                Ok(())
            }
            (Event::Node(node), Some(OpenTable { item: Some(item), indexes, .. })) => {
                indexes.node(item.is_at_top(), &node, &mut self.findings)?;
                item.node(node)
            }
            (Event::ItemEnd, Some(_)) => self.end_item(sink),
            (Event::TableEnd, Some(OpenTable { item: None, .. })) => {
                self.table = None;
                Ok(())
            }
            (Event::TableBegin(_), Some(_)) => Err(misplaced("a table inside a table")),
            (Event::ItemBegin { .. }, Some(_)) => Err(misplaced("an item inside an item")),
            (Event::TableEnd, Some(_)) => Err(misplaced("the end of a table inside an item")),
            (Event::Node(_), Some(_)) => Err(misplaced("an attribute outside of an item")),
            (_, None) => Err(misplaced("an item outside of a table")),
        }
    }

    fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }
}

impl Encoder {
    fn begin(&mut self, sink: &mut dyn RecordSink, table: &Table<'_>) -> Result<()> {
        self.value.clear();
        schema::put_schema(table, &mut self.value);
        sink.put(&schema_key(table.name), &[Body::Inline(&self.value)])?;
        sink.put(&generation_key(table.name), &[Body::Inline(schema::GENERATION.to_string().as_bytes())])?;
        let mut encoded = Vec::new();
        push_name(table.name.as_bytes(), &mut encoded);
        self.table = Some(OpenTable {
            items_prefix: generation_prefix(&encoded, schema::GENERATION),
            indexes: Indexes::of(table),
            item: None,
            sort_key: Vec::new(),
        });
        Ok(())
    }

    fn end_item(&mut self, sink: &mut dyn RecordSink) -> Result<()> {
        let Encoder { table, user_key, value, findings, .. } = self;
        let Some(table) = table else { return Err(misplaced("the end of no item")) };
        let Some(item) = table.item.take() else { return Err(misplaced("the end of no item")) };
        user_key.clear();
        user_key.extend_from_slice(&table.items_prefix);
        user_key.extend_from_slice(&table.sort_key);
        sink.put(user_key, &[Body::Inline(MAGIC), Body::Inline(&item.finish()?)])?;
        table
            .indexes
            .for_each_row(&table.sort_key, value, findings, |row_key| sink.put(row_key, &[Body::Inline(user_key)]))
    }
}

#[cfg(test)]
mod tests;
