//! Redis: files to events. Source: `docs/format/redis.md`, sections 6 and 9.
//!
//! | file | holds |
//! |---|---|
//! | `keymap.rs`, `expiry.rs` | the sidecars of a database, in the order of the files that ask for them |
//! | `key_files.rs`, `emitter.rs` | the files of one type directory, and their events |
//! | `element.rs`, `collection.rs`, `stream.rs` | the text of collections |

mod collection;
mod element;
mod emitter;
mod expiry;
mod key_files;
mod keymap;
mod stream;

use std::io::BufReader;

use ekv_model::{Consumer, Narrowing, Protocol, Scope};

use crate::entry::Entry;
use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_LINE_LEN_MAX;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::redis::entry::{DatabaseEntry, database_index, database_name};
use crate::layout::redis::joins::{RedisNames, check_record, folder_of, read_expiries};
use crate::layout::redis::write::names::Folder;
use crate::replay::ReadPosition;
use crate::replay::excerpt::{Wanted, WantedLines};
use crate::replay::reading::{DumpFile, Reading, Visit};
use crate::segment::{encode_segment, has_fallback_shape};
use crate::verify::lines::read_keymap;
use crate::verify::problem::Problems;
use ekv_files::{DumpPath, Error, Result};
use ekv_spill::Sorter;

use expiry::ExpiryLines;
use key_files::KeyFiles;
use keymap::Keymap;

/// Replays the keys of all databases, in the order of their numbers.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let path = DumpPath::new(Protocol::Redis.name().as_bytes())?;
    let mut databases = Databases { found: reading.sorter() };
    reading.show(&path, &mut databases)?;
    let mut found = databases.found.finish()?;
    while let Some((index, _)) = found.next()? {
        let index = u32::from_be_bytes(index.first_chunk().copied().unwrap_or_default());
        Database::new(reading, index)?.read(reading, target)?;
    }
    Ok(())
}

/// The database whose keys are looked for one by one: the one that a server of elastickv has.
const DATABASE_INDEX: u32 = 0;
/// The name of its directory.
const DATABASE: &[u8] = b"db_0";
/// Keys that are looked for one by one; more are found by reading all names.
const KEYS_MAX: usize = 16;

/// The files of the keys that are selected one by one, and the lines about them.
pub(crate) fn files_of(scope: &Scope) -> Option<Wanted> {
    let keys = scope.keys_in(Protocol::Redis, DATABASE_INDEX.to_string().as_bytes());
    let Narrowing::Keys(keys) = keys.narrowing() else { return None };
    if keys.len() > KEYS_MAX {
        return None;
    }
    let segments: Vec<Vec<u8>> = keys.into_iter().map(encode_segment).collect();
    let files_in = |folder: Folder| -> Vec<Vec<u8>> {
        segments.iter().map(|segment| DatabaseEntry::Key(folder, segment).path(DATABASE)).collect()
    };
    let files: Vec<Vec<u8>> = Folder::ALL.into_iter().flat_map(files_in).collect();
    let mut lists: Vec<WantedLines> = ExpirySidecar::ALL
        .map(|sidecar| WantedLines {
            path: DatabaseEntry::Expiries(sidecar).path(DATABASE),
            of: files_in(folder_of(sidecar)),
            len_max: crate::expiry::LINE_LEN_MAX,
            is_wanted: Box::new(crate::expiry::lines_of(&segments)),
        })
        .into();
    if segments.iter().any(|segment| has_fallback_shape(segment)) {
        lists.push(WantedLines {
            path: DatabaseEntry::Keymap.path(DATABASE),
            of: files.clone(),
            len_max: KEYMAP_LINE_LEN_MAX,
            is_wanted: Box::new(crate::keymap::lines_of(&segments)),
        });
    }
    let directories = vec![Protocol::Redis.name().into(), Entry::Scope(Protocol::Redis, DATABASE).path()];
    Some(Wanted { directories, files, lists })
}

/// Looks for databases.
struct Databases {
    found: Sorter,
}

impl Visit for Databases {
    fn directory(&mut self, path: &DumpPath, _: Entry<'_>) -> Result<()> {
        if let Some(index) = database_index(path.split_last().1) {
            self.found.push(&index.to_be_bytes(), b"")?;
        }
        Ok(())
    }

    fn file(&mut self, _: &mut DumpFile<'_>, _: Entry<'_>) -> Result<()> {
        Ok(())
    }
}

/// What lies beside the type directories.
struct Database<'p> {
    index: u32,
    /// The name of its directory.
    name: Vec<u8>,
    place: &'p ReadPosition,
    names: RedisNames,
    keymap: Keymap,
    strings: ExpiryLines,
    hlls: ExpiryLines,
    folders: Vec<Folder>,
}

impl<'p> Database<'p> {
    fn new(reading: &mut Reading<'p>, index: u32) -> Result<Self> {
        let name = database_name(index);
        let path = DumpPath::new(&Entry::Scope(Protocol::Redis, &name).path())?;
        let mut database = Database {
            index,
            name,
            place: reading.place(),
            names: RedisNames::new(reading.sorter()),
            keymap: Keymap::new(reading.sorter()),
            strings: ExpiryLines::new(reading.sorter()),
            hlls: ExpiryLines::new(reading.sorter()),
            folders: Vec::new(),
        };
        reading.show(&path, &mut database)?;
        Ok(database)
    }

    fn read(self, reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
        let keymap = self.keymap.finish(&reading.scratch())?;
        let mut strings = Some(self.strings.finish()?);
        let mut hlls = Some(self.hlls.finish()?);
        let mut files = KeyFiles::new(reading, (self.index, &self.name), &keymap, self.names, target);
        for folder in &self.folders {
            let expiries = match folder {
                Folder::Strings => strings.take(),
                Folder::Hll => hlls.take(),
                _ => None,
            };
            files.read(reading, *folder, expiries)?;
        }
        let mut problems = Problems::default();
        files.into_names().check(&mut problems)?;
        Ok(problems.into_result()?)
    }

    fn read_keymap(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        let Database { place, name, names, keymap, .. } = self;
        read_keymap(&mut BufReader::new(file), check_record, &mut |line, record| {
            place.enter_line(line);
            let record = record.map_err(|kind| Error::from(kind).at_line(line))?;
            names.add_record(name, record.encoded.as_bytes(), line)?;
            keymap.add(record)
        })
    }

    fn read_expiries(&mut self, file: &mut DumpFile<'_>, sidecar: ExpirySidecar) -> Result<()> {
        let lines = match sidecar {
            ExpirySidecar::Strings => &mut self.strings,
            ExpirySidecar::Hll => &mut self.hlls,
        };
        let (name, names) = (&self.name, &mut self.names);
        read_expiries(&mut BufReader::new(file), &mut |line, expiry| {
            let expiry = expiry.map_err(|kind| Error::from(kind).at_line(line))?;
            names.add_expiry(name, sidecar, expiry.segment, line)?;
            lines.add(sidecar, &expiry)
        })
    }
}

impl Visit for Database<'_> {
    fn directory(&mut self, _: &DumpPath, entry: Entry<'_>) -> Result<()> {
        if let Entry::In(_, Inside::Redis(DatabaseEntry::Folder(folder))) = entry {
            self.folders.push(folder);
        }
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::In(_, Inside::Redis(DatabaseEntry::Expiries(sidecar))) => self.read_expiries(file, sidecar),
            _ => self.read_keymap(file),
        }
    }
}

#[cfg(test)]
mod tests;
