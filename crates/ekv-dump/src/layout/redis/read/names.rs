//! Checks for which the names of all types must come together.

use ekv_files::{DumpPath, Error, Result};
use ekv_spill::Sorter;

use crate::keymap::KEYMAP_FILE;
use crate::layout::redis::write::names::Folder;
use crate::replay::ReplayFault;

use super::keymap::SortedKeymap;

/// Tag of a KEYMAP record; files have the position of their folder.
const RECORD: u8 = b'k';

/// Names of the files of a database.
pub(super) struct Names {
    sorter: Sorter,
    /// Whether names can meet: there are files of several types.
    has_several_types: bool,
}

impl Names {
    pub(super) fn new(sorter: Sorter, has_several_types: bool) -> Self {
        Names { sorter, has_several_types }
    }

    /// Notes a file.
    pub(super) fn add(&mut self, segment: &[u8], folder: Folder, is_fallback: bool) -> Result<()> {
        if !self.has_several_types && !is_fallback {
            return Ok(());
        }
        let tag = Folder::ALL.iter().position(|known| *known == folder).and_then(|at| u8::try_from(at).ok());
        Ok(self.sorter.push(segment, &[tag.unwrap_or(RECORD)])?)
    }

    /// Refuses a key of two types, and a KEYMAP record without a file.
    pub(super) fn check(mut self, database: &DumpPath, keymap: &SortedKeymap) -> Result<()> {
        let mut records = keymap.cursor();
        while let Some(segment) = records.next_segment()? {
            self.sorter.push(segment, &[RECORD])?;
        }
        let mut sorted = self.sorter.finish()?;
        let mut name = Name::default();
        while let Some((segment, tag)) = sorted.next()? {
            if segment != name.segment {
                name.check(database)?;
                name = Name { segment: segment.to_vec(), ..Name::default() };
            }
            match tag.first().and_then(|tag| Folder::ALL.get(usize::from(*tag))) {
                Some(folder) => match name.folder {
                    Some(other) => return Err(several_types(database, segment, *folder, other)),
                    None => name.folder = Some(*folder),
                },
                None => name.has_record = true,
            }
        }
        name.check(database)
    }
}

/// What is known about one name.
#[derive(Default)]
struct Name {
    segment: Vec<u8>,
    folder: Option<Folder>,
    has_record: bool,
}

impl Name {
    fn check(&self, database: &DumpPath) -> Result<()> {
        if !self.has_record || self.folder.is_some() {
            return Ok(());
        }
        let mut path = database.clone();
        path.push(KEYMAP_FILE.as_bytes())?;
        Err(Error::from(ReplayFault::KeymapWithoutFile { segment: self.segment.clone() }).at(path.as_bytes()))
    }
}

fn several_types(database: &DumpPath, segment: &[u8], folder: Folder, other: Folder) -> Error {
    let path = [database.as_bytes(), b"/", folder.name().as_bytes(), b"/", segment, folder.extension().as_bytes()];
    Error::from(ReplayFault::SeveralTypes { other: other.name() }).at(&path.concat())
}
