//! DynamoDB tables as files. Source: `docs/format/dynamodb.md`, section 4.

pub(crate) mod findings;
pub(crate) mod item;
mod mixed;
pub(crate) mod names;
mod number;
pub(crate) mod schema;

#[cfg(test)]
mod tests;

use ekv_files::{DumpPath, Result};
use ekv_model::dynamodb::{Event, KeyForms, Table};
use ekv_model::{Event as ModelEvent, Findings};
use ekv_text::json::Style;

use crate::DumpWriter;
use crate::layout::scopes::ScopeNames;
use crate::layout::write_files::{WriteFiles, Written};
use crate::manifest::DynamodbLayout;
use crate::segment::component_into;

use item::{ItemText, TextSink};
use mixed::MixedItems;
use names::ItemName;

/// Folder of all tables.
const TABLES_DIRECTORY: &[u8] = b"dynamodb";
/// Items of a table, one file each. Without items the folder is empty, and may be missing where a store lost it.
pub(crate) const ITEMS_DIRECTORY: &str = "items";
/// Items of a table, one line each.
pub(crate) const ITEMS_FILE: &str = "items.jsonl";

/// All tables.
pub(crate) struct Tables {
    layout: DynamodbLayout,
    /// Path of the file at hand; between files, of the folder or file with the table's items.
    path: DumpPath,
    items_len: usize,
    items: Items,
    text: ItemText,
    name: ItemName,
    /// File name of the item at hand for the case that another one has its name.
    fallback: Vec<u8>,
    table_names: ScopeNames,
    findings: Findings,
}

/// How the items of the open table are written.
enum Items {
    /// One file each.
    Files,
    /// One file each, once all names are known.
    Mixed(Box<MixedItems>),
    /// One line each; the file exists once there is an item.
    Lines { is_open: bool },
}

impl TextSink for DumpWriter {
    fn write(&mut self, text: &[u8]) -> Result<()> {
        DumpWriter::write(self, text)
    }
}

impl Tables {
    pub(crate) fn new(layout: DynamodbLayout) -> Self {
        let style = match layout {
            DynamodbLayout::PerItem => Style::Pretty,
            DynamodbLayout::Jsonl => Style::Compact,
        };
        Tables {
            layout,
            path: DumpPath::root(),
            items_len: 0,
            items: Items::Files,
            text: ItemText::new(style),
            name: ItemName::default(),
            fallback: Vec::new(),
            table_names: ScopeNames::default(),
            findings: Findings::default(),
        }
    }

    /// Writes the schema and gets ready for items.
    fn begin_table(&mut self, writer: &mut DumpWriter, table: &Table<'_>) -> Result<()> {
        let mut folder = Vec::new();
        component_into(table.name.as_bytes(), &mut folder);
        self.path = DumpPath::new(TABLES_DIRECTORY)?;
        self.path.push(&folder)?;
        let table_len = self.path.len();
        self.path.push(schema::SCHEMA_FILE.as_bytes())?;
        writer.write_file(&self.path, &schema::schema_text(table)?)?;
        self.path.truncate(table_len);
        match self.layout {
            DynamodbLayout::PerItem => {
                self.path.push(ITEMS_DIRECTORY.as_bytes())?;
                writer.directory(&self.path)?;
                self.items = match table.key_forms {
                    KeyForms::Uniform => Items::Files,
                    KeyForms::Mixed => Items::Mixed(Box::new(MixedItems::new(&writer.scratch()))),
                };
            }
            DynamodbLayout::Jsonl => {
                self.path.push(ITEMS_FILE.as_bytes())?;
                self.items = Items::Lines { is_open: false };
            }
        }
        self.items_len = self.path.len();
        self.table_names.push(table.name, &writer.scratch())
    }

    fn end_table(&mut self, writer: &mut DumpWriter) -> Result<()> {
        self.path.truncate(self.items_len);
        match std::mem::replace(&mut self.items, Items::Files) {
            Items::Mixed(items) => items.finish(writer, &self.path, &mut self.findings),
            Items::Lines { is_open: true } => writer.end(),
            Items::Files | Items::Lines { is_open: false } => Ok(()),
        }
    }
}

impl WriteFiles for Tables {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::DynamoDb(event) = event else { return Ok(()) };
        match event {
            Event::TableBegin(table) => self.begin_table(writer, table),
            Event::ItemBegin { key, .. } => {
                match &mut self.items {
                    Items::Files => {
                        self.name.set(&key);
                        self.path.truncate(self.items_len);
                        if !self.name.folder.is_empty() {
                            self.path.push(&self.name.folder)?;
                        }
                        self.path.push(&self.name.file)?;
                        writer.begin(&self.path)?;
                    }
                    Items::Mixed(_) => {
                        self.name.set(&key);
                        names::put_fallback(&key, &mut self.fallback);
                    }
                    Items::Lines { is_open } => {
                        if !std::mem::replace(is_open, true) {
                            writer.begin(&self.path)?;
                        }
                    }
                }
                self.text.begin();
                Ok(())
            }
            Event::Node(node) => match &mut self.items {
                Items::Mixed(items) => self.text.node(items.texts(), node),
                Items::Files | Items::Lines { .. } => self.text.node(writer, node),
            },
            Event::ItemEnd => match &mut self.items {
                Items::Files => {
                    self.text.end(writer)?;
                    writer.end()
                }
                Items::Mixed(items) => {
                    self.text.end(items.texts())?;
                    items.add(&self.name, &self.fallback)
                }
                Items::Lines { .. } => self.text.end(writer),
            },
            Event::TableEnd => self.end_table(writer),
        }
    }

    fn finish(&mut self, _: &mut DumpWriter) -> Result<Written> {
        Ok(Written { names: std::mem::take(&mut self.table_names), ..Written::default() })
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }
}
