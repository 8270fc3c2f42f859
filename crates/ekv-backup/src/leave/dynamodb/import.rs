//! Files of which DynamoDB's own import makes tables.
//!
//! Source: `docs/format/leave.md`, section 3.1.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use ekv_files::sink::{Sink, SinkError};
use ekv_files::{DumpPath, ErrorKind};
use ekv_model::dynamodb::{Event as TableEvent, Table};
use ekv_model::{Consumer, Event, Example, Finding, Findings, Result, Things};
use ekv_spill::Scratch;
use serde::Serialize;
use serde_json::{Value, json};
use zstd::stream::write::Encoder;

use super::item::{Built, ItemBuilder};
use super::limits::{NUMBERS_REWRITTEN, REPEATS, TABLE};
use super::table::{check_table, new_table};
use crate::decode::available_jobs;
use crate::new_parents::NewParents;
use crate::pack::PublishedReport;
use crate::pipe::Output;
use crate::see::Look;
use crate::{CommandError, DumpTarget, Resources};

/// Text in one file, in bytes before it is compressed.
const FILE_LEN_MAX: u64 = 1 << 30;
/// What is gathered before it goes to the sink, in bytes.
const FLUSH_LEN: usize = 64 << 10;
/// Level of compression.
const LEVEL: i32 = 3;
/// Tables that a report lists; of all it has the sums.
const TABLES_LISTED_MAX: usize = 1000;
/// Stands where the user has not said to which bucket the files will go.
const SOME_BUCKET: &str = "YOUR-BUCKET";
/// What the service is asked with, in each table's directory.
const REQUEST_FILE: &str = "import-table.json";

/// How the files of an import are written.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// New names of tables by their old ones.
    pub rename: BTreeMap<String, String>,
    /// How data files are compressed.
    pub compression: ImportCompression,
    /// Bucket to which the files will be uploaded.
    pub bucket: Option<String>,
    /// What stands before the names of the files there.
    pub prefix: String,
}

/// How data files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportCompression {
    /// With zstd.
    #[default]
    Zstd,
    /// Not at all, as emulators of the service want it.
    None,
}

impl ImportCompression {
    /// As the service names it.
    fn name(self) -> &'static str {
        match self {
            ImportCompression::Zstd => "ZSTD",
            ImportCompression::None => "NONE",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            ImportCompression::Zstd => ".json.zst",
            ImportCompression::None => ".json",
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    /// Tables in all.
    pub table_count: u64,
    /// Items in all of them.
    pub items: u64,
    /// The first thousand tables.
    pub tables: Vec<ImportedTable>,
    /// Where it is.
    #[serde(flatten)]
    pub published: PublishedReport,
}

/// One table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImportedTable {
    /// Its name in the source.
    pub table: String,
    /// Its name from now on.
    pub name: String,
    /// Items that are written.
    pub items: u64,
    /// Bytes in them, as the service counts and bills them.
    pub bytes: u64,
    /// Items that stay behind.
    pub left_behind: u64,
    /// Data files.
    pub files: u64,
}

/// Writes the files of an import, in a private place until they are complete.
pub(crate) struct ImportOutput<'o> {
    sink: Box<dyn Sink>,
    parents: NewParents,
    options: &'o ImportOptions,
    things: Things,
    findings: Findings,
    open: Option<OpenTable>,
    listed: Vec<ImportedTable>,
    table_count: u64,
    items: u64,
}

/// The table at hand.
struct OpenTable {
    told: ImportedTable,
    builder: ItemBuilder,
    /// What the service does not take of the table itself: then its items are passed over.
    is_left_behind: bool,
    file: Option<DataFile>,
}

/// The data file at hand.
struct DataFile {
    text: Text,
    /// Bytes before compression.
    len: u64,
}

enum Text {
    Plain(Vec<u8>),
    Zstd(Box<Encoder<'static, Vec<u8>>>),
}

impl<'o> ImportOutput<'o> {
    /// Begins in a directory.
    ///
    /// # Errors
    /// As [`DumpTarget::create`].
    pub(crate) fn create(target: DumpTarget, options: &'o ImportOptions, resources: &Resources) -> Result<Self> {
        let (sink, parents) = target.create(crate::time::now(), available_jobs().get(), resources)?;
        Ok(ImportOutput {
            sink,
            parents,
            options,
            things: Things::default(),
            findings: Findings::default(),
            open: None,
            listed: Vec::new(),
            table_count: 0,
            items: 0,
        })
    }

    fn begin_table(&mut self, table: &Table<'_>) -> Result<()> {
        let name = self.options.rename.get(table.name).map_or(table.name, String::as_str).to_owned();
        let fault = check_table(table, &name).err();
        if let Some(fault) = &fault {
            self.findings.record(TABLE, || {
                Example::new(Some(format!("dynamodb:{}/", table.name).as_bytes()), None, fault.reason())
            });
        }
        let told = ImportedTable { table: table.name.to_owned(), name, ..ImportedTable::default() };
        let is_left_behind = fault.is_some();
        if !is_left_behind {
            let request = request(table, &told.name, self.options);
            let text = serde_json::to_vec_pretty(&request)
                .map_err(|error| ekv_model::Error::new(ekv_model::Class::Data, error))?;
            self.begin_file(&told.name, REQUEST_FILE)?;
            self.sink.write(&text)?;
            self.sink.write(b"\n")?;
            self.sink.end()?;
        }
        let mut open = OpenTable { told, builder: ItemBuilder::new(table), is_left_behind, file: None };
        if !is_left_behind {
            self.begin_data(&mut open)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn begin_file(&mut self, table: &str, name: &str) -> Result<()> {
        let mut path = DumpPath::new(table.as_bytes()).map_err(ekv_files::Error::from)?;
        path.push(name.as_bytes()).map_err(ekv_files::Error::from)?;
        self.sink.begin(&path).map_err(|error| match error.kind() {
            ErrorKind::Sink(SinkError::NameTaken { .. }) => {
                CommandError::SameName { what: "tables", name: table.to_owned() }.into()
            }
            _ => error.into(),
        })
    }

    fn begin_data(&mut self, open: &mut OpenTable) -> Result<()> {
        let name = format!("data-{:05}{}", open.told.files, self.options.compression.ending());
        self.begin_file(&open.told.name, &name)?;
        open.told.files = open.told.files.saturating_add(1);
        let text = match self.options.compression {
            ImportCompression::None => Text::Plain(Vec::new()),
            ImportCompression::Zstd => Text::Zstd(Box::new(Encoder::new(Vec::new(), LEVEL).map_err(scratchless)?)),
        };
        open.file = Some(DataFile { text, len: 0 });
        Ok(())
    }

    fn end_data(&mut self, open: &mut OpenTable) -> Result<()> {
        let Some(DataFile { text, .. }) = open.file.take() else { return Ok(()) };
        let rest = match text {
            Text::Plain(rest) => rest,
            Text::Zstd(encoder) => encoder.finish().map_err(scratchless)?,
        };
        self.sink.write(&rest)?;
        Ok(self.sink.end()?)
    }

    fn end_item(&mut self, open: &mut OpenTable, address: &dyn Fn() -> String) -> Result<()> {
        let OpenTable { told, builder, file, .. } = open;
        let mut note = |finding: Finding| {
            self.findings.record(finding, || Example::new(Some(address().as_bytes()), None, String::new()))
        };
        match builder.end()? {
            Built::Unfit(unfit) => {
                note(unfit.finding());
                told.left_behind = told.left_behind.saturating_add(1);
                return Ok(());
            }
            Built::Item { json, len, changed } => {
                if changed.numbers {
                    note(NUMBERS_REWRITTEN);
                }
                if changed.repeats {
                    note(REPEATS);
                }
                told.items = told.items.saturating_add(1);
                told.bytes = told.bytes.saturating_add(len);
                self.items = self.items.saturating_add(1);
                if let Some(file) = file {
                    for piece in [&b"{\"Item\":"[..], json.as_bytes(), b"}\n"] {
                        file.write(piece)?;
                    }
                    file.flush_if_full(self.sink.as_mut())?;
                }
            }
        }
        if open.file.as_ref().is_some_and(|file| file.len >= FILE_LEN_MAX) {
            self.end_data(open)?;
            self.begin_data(open)?;
        }
        Ok(())
    }

    fn table_event(&mut self, event: &TableEvent<'_>, address: &dyn Fn() -> String) -> Result<()> {
        if let TableEvent::TableBegin(table) = event {
            return self.begin_table(table);
        }
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if !open.is_left_behind {
            match event {
                TableEvent::ItemBegin { key, .. } => open.builder.begin(key),
                TableEvent::Node(node) => open.builder.node(*node)?,
                TableEvent::ItemEnd => self.end_item(&mut open, address)?,
                TableEvent::TableBegin(_) | TableEvent::TableEnd => {}
            }
        } else if matches!(event, TableEvent::ItemEnd) {
            open.told.left_behind = open.told.left_behind.saturating_add(1);
        }
        if matches!(event, TableEvent::TableEnd) {
            self.end_data(&mut open)?;
            self.table_count = self.table_count.saturating_add(1);
            if self.listed.len() < TABLES_LISTED_MAX {
                self.listed.push(open.told);
            }
        } else {
            self.open = Some(open);
        }
        Ok(())
    }
}

impl DataFile {
    fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.len = self.len.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        match &mut self.text {
            Text::Plain(text) => text.extend_from_slice(piece),
            Text::Zstd(encoder) => encoder.write_all(piece).map_err(scratchless)?,
        }
        Ok(())
    }

    fn flush_if_full(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let gathered = match &mut self.text {
            Text::Plain(text) => text,
            Text::Zstd(encoder) => encoder.get_mut(),
        };
        if gathered.len() >= FLUSH_LEN {
            sink.write(gathered)?;
            gathered.clear();
        }
        Ok(())
    }
}

/// Compression into memory fails only if memory does.
fn scratchless(error: std::io::Error) -> ekv_model::Error {
    ekv_model::Error::new(ekv_model::Class::WriteIo, error)
}

impl Consumer for ImportOutput<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let name = self.things.event(&event).map(|thing| thing.name());
        let address = || name.as_ref().map(ToString::to_string).unwrap_or_default();
        match event {
            Event::DynamoDb(event) => self.table_event(&event, &address),
            _ => Ok(()),
        }
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }
}

impl Output<Look> for ImportOutput<'_> {
    type Published = ImportReport;

    fn scratch(&self) -> Arc<dyn Scratch> {
        self.sink.scratch()
    }

    fn finish(self, _look: Look) -> Result<ImportReport> {
        let published = self.sink.publish()?;
        self.parents.keep();
        Ok(ImportReport {
            table_count: self.table_count,
            items: self.items,
            tables: self.listed,
            published: published.into(),
        })
    }

    fn abort(self) -> Result<()> {
        Ok(self.sink.abort()?)
    }
}

/// What `aws dynamodb import-table --cli-input-json` takes.
fn request(table: &Table<'_>, name: &str, options: &ImportOptions) -> Value {
    let bucket = options.bucket.as_deref().unwrap_or(SOME_BUCKET);
    let before = match options.prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    json!({
        "S3BucketSource": { "S3Bucket": bucket, "S3KeyPrefix": format!("{before}{name}/data-") },
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": options.compression.name(),
        "TableCreationParameters": new_table(table, name, None),
    })
}
