//! The files of one table. Source: `docs/format/dynamodb.md`, sections 4 and 6.

use ekv_files::{DumpPath, Error, Result};
use ekv_model::{ByteSource, Consumer, Protocol, Scope};
use ekv_spill::{Sorter, Spool};

use super::KEY_NO_NUMBER;
use super::items::{ItemPlace, Items, TextPlace};
use super::schema::Schema;
use crate::json::JsonReader;
use crate::layout::dynamodb::write::names::EXTENSION;
use crate::layout::dynamodb::write::schema::SCHEMA_FILE;
use crate::layout::dynamodb::write::{ITEMS_DIRECTORY, ITEMS_FILE};
use crate::manifest::DynamodbLayout;
use crate::replay::ReplayFault;
use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::replay::value::ValueBuffer;
use crate::segment::{Decoded, SegmentError, component, decode_component};

/// Memory for the texts of the items of a table, in bytes.
const TEXTS_BUDGET: usize = 4 << 20;

const IN_TABLE: &str = "_schema.json, the directory items or the file items.jsonl";
const IN_ITEMS: &str = "files that end in .json: this table has no range key";
const IN_RANGE_ITEMS: &str = "directories, and files that end in .json";
const IN_FOLDER: &str = "files that end in .json";

/// Replays the table in `directory`, if it is selected.
pub(super) fn read(reading: &mut Reading<'_>, directory: &DumpPath, target: &mut dyn Consumer) -> Result<()> {
    let folder = directory.split_last().1;
    match decode_component(folder).map_err(|error| Error::from(error).at(directory.as_bytes()))? {
        Decoded::Raw(name) if reading.scope().keys_in(Protocol::DynamoDb, &name).is_nothing() => {
            return reading.leave_out(directory);
        }
        Decoded::Raw(_) | Decoded::Fallback => {}
        Decoded::Binary(_) => return Err(Error::from(SegmentError::NotCanonical).at(directory.as_bytes())),
    }
    let mut files = TableFiles {
        folder: folder.to_vec(),
        layout: reading.manifest().dynamodb_layout,
        scope: reading.scope(),
        found: reading.sorter(),
        may_be_no_number: reading.is_told(KEY_NO_NUMBER),
        table: None,
        has_items: false,
        content: ValueBuffer::new(&reading.scratch()),
    };
    files.content.clear();
    reading.show(directory, &mut files)?;
    let TableFiles { table, has_items, content, found, .. } = files;
    let Some(Table { schema, items, is_selected }) = table else {
        return Err(Error::from(ReplayFault::MissingFile { name: SCHEMA_FILE }).at(directory.as_bytes()));
    };
    let mut items_path = directory.clone();
    items_path.push(ITEMS_DIRECTORY.as_bytes())?;
    match (has_items, is_selected) {
        (true, false) => reading.leave_out(&items_path),
        (false, false) => Ok(()),
        (true, true) => read_directory(reading, &items_path, &schema, target),
        (false, true) => {
            let mut lines = directory.clone();
            lines.push(ITEMS_FILE.as_bytes())?;
            items.emit(&schema, &content, ItemPlace::Lines(&lines), found, target, reading)
        }
    }
}

/// Replays the items in a directory.
fn read_directory(
    reading: &mut Reading<'_>,
    path: &DumpPath,
    schema: &Schema,
    target: &mut dyn Consumer,
) -> Result<()> {
    let scratch = reading.scratch();
    let mut files = ItemFiles {
        schema,
        items: Items::new(reading.is_told(KEY_NO_NUMBER)),
        is_in_folder: false,
        folders: reading.sorter(),
        found: reading.sorter(),
        content: ValueBuffer::new(&scratch),
        texts: Spool::new(scratch, TEXTS_BUDGET),
    };
    reading.show(path, &mut files)?;
    let next = reading.sorter();
    let mut folders = std::mem::replace(&mut files.folders, next).finish()?;
    files.is_in_folder = true;
    while let Some((folder, _)) = folders.next()? {
        let mut path = path.clone();
        path.push(folder)?;
        reading.show(&path, &mut files)?;
    }
    let ItemFiles { items, texts, found, .. } = files;
    items.emit(schema, &texts.into_reader()?, ItemPlace::Files(path), found, target, reading)
}

/// What lies directly in the directory of a table.
struct TableFiles<'s> {
    folder: Vec<u8>,
    layout: DynamodbLayout,
    scope: &'s Scope,
    found: Sorter,
    may_be_no_number: bool,
    table: Option<Table>,
    has_items: bool,
    /// The lines of the items.
    content: ValueBuffer,
}

struct Table {
    schema: Schema,
    items: Items,
    is_selected: bool,
}

impl TableFiles<'_> {
    fn expect_layout(&self, layout: DynamodbLayout) -> Result<()> {
        let (stated, expected) = match self.layout {
            _ if self.layout == layout => return Ok(()),
            DynamodbLayout::PerItem => ("per-item", "the directory items"),
            DynamodbLayout::Jsonl => ("jsonl", "the file items.jsonl"),
        };
        Err(ReplayFault::OtherLayout { stated, expected }.into())
    }

    fn read_schema(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        self.content.fill_from(file)?;
        let schema = Schema::read(&self.content)?;
        self.content.clear();
        let expected = component(schema.table_name.as_bytes());
        if expected != self.folder {
            return Err(ReplayFault::OtherDirectory { directory: expected }.into());
        }
        let is_selected = !self.scope.keys_in(Protocol::DynamoDb, schema.table_name.as_bytes()).is_nothing();
        self.table = Some(Table { schema, items: Items::new(self.may_be_no_number), is_selected });
        Ok(())
    }

    fn read_lines(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        self.expect_layout(DynamodbLayout::Jsonl)?;
        // The schema comes before the items in byte order; that it is missing is said later.
        let Some(Table { schema, items, is_selected: true }) = &mut self.table else {
            file.leave_out();
            return Ok(());
        };
        self.content.fill_from(file)?;
        let mut reader = JsonReader::lines(&self.content);
        while !reader.is_at_end()? {
            let outline = items.check(&mut reader, schema)?;
            // Up to the end of the line, so that nothing behind it is read with it.
            let text = TextPlace { start: 0, len: reader.position()?.byte_offset };
            items.note(&outline, b"", text, &mut self.found)?;
            reader.end_or_last()?;
        }
        Ok(())
    }
}

impl Visit for TableFiles<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        if path.split_last().1 != ITEMS_DIRECTORY.as_bytes() {
            return Err(unknown(path, IN_TABLE));
        }
        self.expect_layout(DynamodbLayout::PerItem)?;
        self.has_items = true;
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        match file.name() {
            name if name == SCHEMA_FILE.as_bytes() => self.read_schema(file),
            name if name == ITEMS_FILE.as_bytes() => self.read_lines(file),
            _ => Err(unknown(file.path(), IN_TABLE)),
        }
    }
}

/// The files in `items/`, or in one folder there.
struct ItemFiles<'s> {
    schema: &'s Schema,
    items: Items,
    is_in_folder: bool,
    folders: Sorter,
    found: Sorter,
    /// The file at hand.
    content: ValueBuffer,
    /// All files, one behind the other.
    texts: Spool,
}

impl ItemFiles<'_> {
    fn expected(&self) -> &'static str {
        match (self.is_in_folder, self.schema.primary_key.range_key.is_empty()) {
            (true, _) => IN_FOLDER,
            (false, true) => IN_ITEMS,
            (false, false) => IN_RANGE_ITEMS,
        }
    }
}

impl Visit for ItemFiles<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        if self.is_in_folder || self.schema.primary_key.range_key.is_empty() {
            return Err(unknown(path, self.expected()));
        }
        Ok(self.folders.push(path.split_last().1, b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        let name = file.name();
        if !name.ends_with(EXTENSION) {
            return Err(unknown(file.path(), self.expected()));
        }
        let parent = file.path().split_last().0;
        let folder = if self.is_in_folder { ekv_files::path::split_last(parent).1 } else { b"" };
        self.content.fill_from(file)?;
        let mut reader = JsonReader::document(&self.content);
        let outline = self.items.check(&mut reader, self.schema)?;
        reader.end()?;
        self.items.check_name(folder, name)?;
        let below = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
        let text = TextPlace { start: self.texts.len(), len: self.content.len() };
        self.items.note(&outline, &below, text, &mut self.found)?;
        let texts = &mut self.texts;
        Ok(self.content.body().for_each_chunk(|chunk| Ok(texts.write_all(chunk)?))?)
    }
}
