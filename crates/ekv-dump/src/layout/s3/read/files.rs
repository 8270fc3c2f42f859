//! The files of a bucket by name; none of them is opened but the KEYMAP.

use std::io::BufReader;

use ekv_model::{Example, Protocol};
use ekv_spill::Sorter;

use super::findings::S3_SIDE_RECORDS_NOT_RESTORED;
use super::keys::{Keys, put_key, write_keys};
use crate::entry::Entry;
use crate::keymap::KeymapRecord;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::s3::entry::BucketEntry;
use crate::layout::s3::joins::{S3Names, check_record, is_keymap_of_object};
use crate::replay::reading::{DumpFile, Reading, Visit};
use crate::verify::lines::read_keymap;
use crate::verify::problem::{ProblemKind, Problems};
use ekv_files::{DumpPath, Error, Result};

/// Collects the names in a bucket.
pub(super) struct BucketFiles<'d> {
    bucket: &'d [u8],
    is_own: bool,
    names: S3Names,
    directories: Sorter,
    has_keymap: bool,
    /// A file KEYMAP.jsonl is an object, as the reference decoder may write one.
    keymap_is_object: bool,
}

impl<'d> BucketFiles<'d> {
    /// For the bucket whose directory has this name.
    pub(super) fn new(reading: &Reading<'_>, bucket: &'d [u8]) -> Result<Self> {
        Ok(BucketFiles {
            bucket,
            is_own: reading.rules().is_own,
            names: S3Names::new(reading.sorter()),
            directories: reading.sorter(),
            has_keymap: false,
            keymap_is_object: false,
        })
    }

    /// Looks at everything below the bucket, and finds the key of each object.
    pub(super) fn list(mut self, reading: &mut Reading<'_>, name: &str) -> Result<Keys> {
        reading.show(&DumpPath::new(&Entry::Scope(Protocol::S3, self.bucket).path())?, &mut self)?;
        self.read_keymap(reading)?;
        let mut directories = std::mem::replace(&mut self.directories, reading.sorter()).finish()?;
        while let Some((path, _)) = directories.next()? {
            let directory = DumpPath::new(path)?;
            if matches!(
                Entry::of_directory(path),
                Ok(Entry::In(_, Inside::S3(BucketEntry::Uploads | BucketEntry::Orphans)))
            ) {
                let files = reading.pass_by(&directory)?;
                if files > 0 {
                    reading.record_finding(S3_SIDE_RECORDS_NOT_RESTORED, || {
                        Example::new(Some(path), None, format!("{files} files are left out"))
                    });
                }
            } else {
                reading.show_below(&directory, &mut self)?;
            }
        }
        let mut by_key = reading.sorter();
        let mut problems = Problems::default();
        self.names.check(self.is_own, &mut problems, &mut |path, renamed| put_key(path, renamed, &mut by_key))?;
        problems.into_result()?;
        write_keys(by_key, reading, name)
    }

    fn read_keymap(&mut self, reading: &mut Reading<'_>) -> Result<()> {
        let BucketFiles { bucket, is_own, names, .. } = self;
        let keymap = BucketEntry::Keymap;
        if !self.has_keymap || self.keymap_is_object {
            return if self.has_keymap { names.add_file(bucket, keymap, false, *is_own) } else { Ok(()) };
        }
        let place = reading.place();
        let mut is_empty = true;
        reading.read_file(&DumpPath::new(&keymap.path(bucket))?, &mut |file| {
            read_keymap(&mut BufReader::new(file), check_record, &mut |line, record| {
                is_empty = false;
                place.enter_line(line);
                let record: &KeymapRecord = record.map_err(|kind: ProblemKind| Error::from(kind).at_line(line))?;
                names.add_record(bucket, line, Ok(record))
            })
        })?;
        names.add_file(bucket, keymap, is_empty, *is_own)
    }
}

impl Visit for BucketFiles<'_> {
    fn directory(&mut self, path: &DumpPath, entry: Entry<'_>) -> Result<()> {
        // What lies deeper is shown anyway.
        match entry {
            Entry::In(_, Inside::S3(BucketEntry::Folder(folder))) if folder.contains(&b'/') => Ok(()),
            _ => Ok(self.directories.push(path.as_bytes(), b"")?),
        }
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        // Read before, or when its turn comes.
        file.pass_over();
        let Entry::In(bucket, Inside::S3(entry)) = entry else { return Ok(()) };
        if entry == BucketEntry::Keymap {
            self.has_keymap = true;
            return Ok(());
        }
        self.keymap_is_object |= is_keymap_of_object(entry, self.is_own);
        self.names.add_file(bucket, entry, false, self.is_own)
    }
}
