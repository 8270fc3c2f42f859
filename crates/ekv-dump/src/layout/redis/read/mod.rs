//! Redis: files to events. Source: `docs/format/redis.md`, sections 6 and 9.
//!
//! | file | holds |
//! |---|---|
//! | `keymap.rs`, `expiry.rs` | the sidecars of a database, in the order of the files that ask for them |
//! | `names.rs` | checks that need the names of all types |
//! | `key_files.rs` | the files of one type directory |
//! | `element.rs`, `collection.rs`, `stream.rs` | the text of collections |

mod collection;
mod element;
mod expiry;
mod key_files;
mod keymap;
mod names;
mod stream;

use ekv_files::{DumpPath, Error, Result};
use ekv_model::Consumer;

use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::layout::redis::write::names::Folder;
use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::replay::{Place, ReplayFault};

use expiry::ExpiryLines;
use key_files::KeyFiles;
use keymap::Keymap;
use names::Names;

/// Directory of the protocol.
pub(crate) const DIRECTORY: &str = "redis";
/// The one database that a server has.
const DATABASE: &str = "db_0";
/// Its index in events.
const DATABASE_INDEX: u32 = 0;

const IN_PROTOCOL: &str = "the directory db_0";
const IN_DATABASE: &str =
    "KEYMAP.jsonl, strings_ttl.jsonl, hll_ttl.jsonl, or a directory: strings, hll, hashes, lists, sets, zsets, streams";

/// Replays the keys of the database.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    check_listed(reading)?;
    let mut path = DumpPath::new(DIRECTORY.as_bytes())?;
    let mut databases = Databases::default();
    reading.show(&path, &mut databases)?;
    if databases.has_database {
        path.push(DATABASE.as_bytes())?;
        Database::new(reading, path)?.read(reading, target)
    } else {
        check_absent(reading)
    }
}

/// The databases that the manifest lists.
fn listed<'r>(reading: &'r Reading<'_>) -> &'r [u32] {
    reading.manifest().adapters.redis.as_ref().map_or(&[], |scopes| &scopes.databases)
}

/// The manifest may list no other database than the one of a server.
fn check_listed(reading: &Reading<'_>) -> Result<()> {
    if listed(reading).iter().all(|index| *index == DATABASE_INDEX) {
        return Ok(());
    }
    Err(Error::from(ReplayFault::SeveralDatabases).at(DIRECTORY.as_bytes()))
}

/// What the manifest lists must be there; to be called where the protocol has no directory or database.
pub(crate) fn check_absent(reading: &mut Reading<'_>) -> Result<()> {
    check_listed(reading)?;
    if listed(reading).is_empty() {
        return Ok(());
    }
    Err(Error::from(ReplayFault::MissingScope).at(&[DIRECTORY, "/", DATABASE].concat().into_bytes()))
}

/// Looks for the database.
#[derive(Default)]
struct Databases {
    has_database: bool,
}

impl Visit for Databases {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        let name = path.split_last().1;
        if name == DATABASE.as_bytes() {
            self.has_database = true;
            return Ok(());
        }
        let index = name.strip_prefix(b"db_").and_then(|index| std::str::from_utf8(index).ok());
        match index.and_then(|index| index.parse::<u32>().ok().filter(|number| number.to_string() == index)) {
            Some(_) => Err(Error::from(ReplayFault::SeveralDatabases)),
            None => Err(unknown(path, IN_PROTOCOL)),
        }
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        Err(unknown(file.path(), IN_PROTOCOL))
    }
}

/// What lies beside the type directories.
struct Database<'p> {
    path: DumpPath,
    place: &'p Place,
    keymap: Keymap,
    strings: ExpiryLines,
    hlls: ExpiryLines,
    folders: Vec<Folder>,
}

impl<'p> Database<'p> {
    fn new(reading: &mut Reading<'p>, path: DumpPath) -> Result<Self> {
        let lines = |sidecar: ExpirySidecar, folder| -> Result<ExpiryLines> {
            let mut path = path.clone();
            path.push(sidecar.file_name().as_bytes())?;
            Ok(ExpiryLines::new(path, folder, reading.sorter()))
        };
        let mut database = Database {
            place: reading.place(),
            keymap: Keymap::new(reading.sorter()),
            strings: lines(ExpirySidecar::Strings, Folder::Strings)?,
            hlls: lines(ExpirySidecar::Hll, Folder::Hll)?,
            folders: Vec::new(),
            path,
        };
        reading.show(&database.path.clone(), &mut database)?;
        Ok(database)
    }

    fn read(self, reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
        let keymap = self.keymap.finish(&reading.scratch())?;
        let names = Names::new(reading.sorter(), self.folders.len() > 1);
        let mut strings = Some(self.strings.finish()?);
        let mut hlls = Some(self.hlls.finish()?);
        let mut files = KeyFiles::new(reading, self.path, &keymap, names, target);
        for folder in &self.folders {
            let expiries = match folder {
                Folder::Strings => strings.take(),
                Folder::Hll => hlls.take(),
                _ => None,
            };
            files.read(reading, *folder, expiries)?;
        }
        // Lines beside a type directory that is not there.
        for expiries in [strings, hlls].into_iter().flatten() {
            expiries.expect_end()?;
        }
        files.finish()
    }
}

impl Visit for Database<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        let folder = Folder::named(path.split_last().1).ok_or_else(|| unknown(path, IN_DATABASE))?;
        self.folders.push(folder);
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        match ExpirySidecar::of(file.name()) {
            Some(ExpirySidecar::Strings) => self.strings.read(file),
            Some(ExpirySidecar::Hll) => self.hlls.read(file),
            None if file.name() == KEYMAP_FILE.as_bytes() => self.keymap.read(file, self.place),
            None => Err(unknown(file.path(), IN_DATABASE)),
        }
    }
}

#[cfg(test)]
mod tests;
