//! Which tables and items no server restores.

use ekv_model::dynamodb::Event;
use ekv_model::{Event as ModelEvent, Result};

use super::keys::{generation_prefix, push_name, schema_key};
use crate::restores::{Passing, Restores, fits, long_key};

/// Looks at tables one after the other.
#[derive(Default)]
pub(super) struct Tables {
    /// Name of the open table, and length of what the keys of its items begin with.
    table: (String, usize),
    /// What is passed over, up to its end.
    skipped: Option<Skipped>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    Table,
    Item,
}

impl Restores for Tables {
    fn event(&mut self, event: ModelEvent<'_>, passing: &mut Passing<'_>) -> Result<()> {
        let ModelEvent::DynamoDb(own) = event else { return Ok(()) };
        if let Some(skipped) = self.skipped {
            if matches!((skipped, own), (Skipped::Item, Event::ItemEnd) | (Skipped::Table, Event::TableEnd)) {
                self.skipped = None;
            }
            return Ok(());
        }
        match own {
            Event::TableBegin(table) => {
                let mut encoded = Vec::new();
                push_name(table.name.as_bytes(), &mut encoded);
                self.table = (table.name.to_owned(), generation_prefix(&encoded, 1).len());
                if !fits(schema_key(table.name).len()) {
                    passing.leave_out(table.name.as_bytes(), || long_key("table name", table.name.len()));
                    self.skipped = Some(Skipped::Table);
                    return Ok(());
                }
            }
            Event::ItemBegin { key, .. } => {
                let why = match fits(self.table.1.saturating_add(key.sort_key.len())) {
                    true => key.has_no_number().then(|| "a key of type N is no decimal number".to_owned()),
                    false => Some(long_key("key of an item", key.sort_key.len())),
                };
                if let Some(why) = why {
                    let range = key.range.map(|range| [b"/", range.bytes].concat()).unwrap_or_default();
                    let name = [self.table.0.as_bytes(), b"/", key.hash.bytes, &range].concat();
                    passing.leave_out(&name, || why);
                    self.skipped = Some(Skipped::Item);
                    return Ok(());
                }
            }
            _ => {}
        }
        passing.target.event(event)
    }
}
