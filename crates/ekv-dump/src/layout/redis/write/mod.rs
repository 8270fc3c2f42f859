//! Redis keys as files. Source: `docs/format/redis.md`, section 6.

mod collection;
pub(crate) mod names;
mod sidecars;

use std::collections::BTreeMap;

use ekv_files::{DumpPath, Result};
use ekv_model::Event as ModelEvent;
use ekv_model::redis::{Event, ScalarKind};

use crate::DumpWriter;
use crate::layout::scopes::ScopeNames;
use crate::layout::write_files::{WriteFiles, Written};

use collection::CollectionFile;
use names::{Folder, KeyName};
use sidecars::Sidecars;

/// All databases that have keys.
#[derive(Default)]
pub(crate) struct Databases {
    open: BTreeMap<u32, Database>,
}

impl WriteFiles for Databases {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Redis { database, event } = event else { return Ok(()) };
        let database = match self.open.entry(database) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Database::new(writer, database)?),
        };
        database.event(writer, event)
    }

    /// Writes sidecars and KEYMAPs.
    fn finish(&mut self, writer: &mut DumpWriter) -> Result<Written> {
        let mut indexes = Vec::new();
        for (index, database) in std::mem::take(&mut self.open) {
            database.finish(writer)?;
            indexes.push(index);
        }
        let names = ScopeNames::of_numbers(indexes.into_iter());
        Ok(Written { names, ..Written::default() })
    }
}

/// The files below `redis/db_<n>/`.
struct Database {
    /// Path of the file at hand; between files, of the database's folder.
    path: DumpPath,
    folder_len: usize,
    name: KeyName,
    sidecars: Sidecars,
    collection: Option<CollectionFile>,
    buffer: Vec<u8>,
}

impl Database {
    fn new(writer: &DumpWriter, index: u32) -> Result<Self> {
        let path = DumpPath::new(format!("redis/db_{index}").as_bytes())?;
        Ok(Database {
            folder_len: path.len(),
            path,
            name: KeyName::default(),
            sidecars: Sidecars::new(writer.scratch()),
            collection: None,
            buffer: Vec::new(),
        })
    }

    fn event(&mut self, writer: &mut DumpWriter, event: Event<'_>) -> Result<()> {
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                let folder = match kind {
                    ScalarKind::String => Folder::Strings,
                    ScalarKind::Hll => Folder::Hll,
                };
                self.begin_file(writer, folder, key)?;
                writer.write_body(&body)?;
                writer.end()?;
                self.sidecars.scalar(kind, key, &self.name, expiry)
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                let folder = Folder::of(kind);
                self.begin_file(writer, folder, key)?;
                self.sidecars.collection(folder, key, &self.name)?;
                self.buffer.clear();
                let buffer = std::mem::take(&mut self.buffer);
                self.collection = Some(CollectionFile::begin(kind, expire_at_ms, buffer));
                Ok(())
            }
            Event::Element(element) => match &mut self.collection {
                Some(file) => file.element(writer, element),
                None => Ok(()),
            },
            Event::End => {
                if let Some(file) = self.collection.take() {
                    self.buffer = file.end(writer)?;
                }
                writer.end()
            }
        }
    }

    fn begin_file(&mut self, writer: &mut DumpWriter, folder: Folder, key: &[u8]) -> Result<()> {
        self.name.set(key, folder);
        self.path.truncate(self.folder_len);
        self.path.push(folder.name().as_bytes())?;
        self.path.push(self.name.file_name())?;
        writer.begin(&self.path)
    }

    fn finish(mut self, writer: &mut DumpWriter) -> Result<()> {
        self.path.truncate(self.folder_len);
        self.sidecars.finish(writer, &self.path)
    }
}
