//! The files of one table. Source: `docs/format/dynamodb.md`, sections 4 and 6.

use ekv_model::{ByteSource, Consumer, Protocol, Scope};
use ekv_spill::{Sorter, Spool};

use super::findings::KEY_NO_NUMBER;
use super::items::{ItemPlace, Items, TextPlace};
use super::schema::Schema;
use crate::entry::Entry;
use crate::json::JsonReader;
use crate::layout::dynamodb::entry::{IN_FLAT_ITEMS, TableEntry};
use crate::layout::dynamodb::write::schema::SCHEMA_FILE;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::replay::ReplayFault;
use crate::replay::reading::{DumpFile, Reading, Visit};
use crate::replay::value::ValueBuffer;
use crate::segment::{Decoded, component, decode_component};
use crate::verify::problem::ProblemKind;
use ekv_files::{DumpPath, Error, Result};

/// Memory for the texts of the items of a table, in bytes.
const TEXTS_BUDGET: usize = 4 << 20;

/// Replays the table in the directory `folder`, if it is selected.
pub(super) fn read(reading: &mut Reading<'_>, folder: &[u8], target: &mut dyn Consumer) -> Result<()> {
    let table = Entry::Scope(Protocol::DynamoDb, folder);
    let directory = DumpPath::new(&table.path())?;
    if let Decoded::Raw(name) = decode_component(folder).map_err(|error| Error::from(error).at(directory.as_bytes()))?
        && reading.scope().keys_in(Protocol::DynamoDb, &name).is_nothing()
    {
        return reading.leave_out(table);
    }
    let mut files = TableFiles {
        folder: folder.to_vec(),
        scope: reading.scope(),
        found: reading.sorter(),
        may_be_no_number: reading.is_told(KEY_NO_NUMBER),
        table: None,
        has_items: false,
        content: ValueBuffer::new(&reading.scratch()),
    };
    files.content.clear();
    reading.show(&directory, &mut files)?;
    let TableFiles { table, has_items, content, found, .. } = files;
    let Some(Table { schema, items, is_selected }) = table else {
        return Err(Error::from(ProblemKind::Incomplete { name: SCHEMA_FILE }).at(directory.as_bytes()));
    };
    let items_entry = Entry::In(folder, Inside::DynamoDb(TableEntry::Items));
    let items_path = DumpPath::new(&items_entry.path())?;
    match (has_items, is_selected) {
        (true, false) => reading.leave_out(items_entry),
        (false, false) => Ok(()),
        (true, true) => read_directory(reading, &items_path, &schema, target),
        (false, true) => {
            let lines = DumpPath::new(&TableEntry::Lines.path(folder))?;
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
        folders: reading.sorter(),
        found: reading.sorter(),
        content: ValueBuffer::new(&scratch),
        texts: Spool::new(scratch, TEXTS_BUDGET),
    };
    reading.show(path, &mut files)?;
    let next = reading.sorter();
    let mut folders = std::mem::replace(&mut files.folders, next).finish()?;
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
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        self.has_items = true;
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::In(_, Inside::DynamoDb(TableEntry::Schema)) => self.read_schema(file),
            _ => self.read_lines(file),
        }
    }
}

/// The files in `items/`, or in one folder there.
struct ItemFiles<'s> {
    schema: &'s Schema,
    items: Items,
    folders: Sorter,
    found: Sorter,
    /// The file at hand.
    content: ValueBuffer,
    /// All files, one behind the other.
    texts: Spool,
}

impl Visit for ItemFiles<'_> {
    fn directory(&mut self, path: &DumpPath, _: Entry<'_>) -> Result<()> {
        if !self.schema.has_range_key() {
            return Err(ProblemKind::from(IN_FLAT_ITEMS).into());
        }
        Ok(self.folders.push(path.split_last().1, b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        let Entry::In(_, Inside::DynamoDb(TableEntry::Item(folder, _))) = entry else { return Ok(()) };
        let (folder, name) = (folder.unwrap_or_default(), file.path().split_last().1);
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
