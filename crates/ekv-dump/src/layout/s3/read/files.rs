//! The files of a bucket by name; none of them is opened but the KEYMAP.

use ekv_files::{DumpPath, Error, Result};
use ekv_spill::Sorter;

use super::keys::KeyList;
use super::{keymap, side};
use crate::keymap::KEYMAP_FILE;
use crate::replay::ReplayFault;
use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::s3_name::{BUCKET_FILE, META_SUFFIX, is_reserved};

const IN_BUCKET: &str =
    "objects with their metadata files, _bucket.json, KEYMAP.jsonl, _incomplete_uploads or _orphans";

/// What is known about a path in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Body,
    /// A KEYMAP record.
    Record,
    /// The metadata file of the body that the path names.
    Sidecar,
}

impl Tag {
    pub(super) const ALL: [Tag; 3] = [Tag::Body, Tag::Record, Tag::Sidecar];

    fn byte(self) -> u8 {
        match self {
            Tag::Body => b'b',
            Tag::Record => b'r',
            Tag::Sidecar => b's',
        }
    }

    /// Splits what [`BucketFiles::add`] pushed.
    pub(super) fn split(path_and_tag: &[u8]) -> Option<(&[u8], Tag)> {
        let (byte, path) = path_and_tag.split_last()?;
        let tag = Tag::ALL.into_iter().find(|tag| tag.byte() == *byte)?;
        Some((path.strip_suffix(&[0]).unwrap_or(path), tag))
    }
}

/// Collects the names in a bucket.
pub(super) struct BucketFiles {
    directory: DumpPath,
    is_own: bool,
    /// Path in the bucket, NUL, [`Tag`]; the payload of records is their own.
    names: Sorter,
    directories: Sorter,
    has_keymap: bool,
    /// A file KEYMAP.jsonl is an object, as the reference decoder may write one.
    keymap_is_object: bool,
    buffer: Vec<u8>,
}

impl BucketFiles {
    pub(super) fn new(reading: &Reading<'_>, directory: DumpPath) -> Self {
        BucketFiles {
            directory,
            is_own: reading.manifest().is_own(),
            names: reading.sorter(),
            directories: reading.sorter(),
            has_keymap: false,
            keymap_is_object: false,
            buffer: Vec::new(),
        }
    }

    /// Looks at everything below the bucket.
    pub(super) fn list(mut self, reading: &mut Reading<'_>) -> Result<KeyList> {
        let directory = self.directory.clone();
        reading.show(&directory, &mut self)?;
        if self.has_keymap && self.keymap_is_object {
            self.add(KEYMAP_FILE.as_bytes(), Tag::Body, b"")?;
        } else if self.has_keymap {
            let mut path = directory.clone();
            path.push(KEYMAP_FILE.as_bytes())?;
            keymap::read(reading, &path, &mut |encoded, payload| self.add(encoded, Tag::Record, payload))?;
        }
        let directories = std::mem::replace(&mut self.directories, reading.sorter());
        let mut directories = directories.finish()?;
        while let Some((path, _)) = directories.next()? {
            let path = DumpPath::new(path)?;
            match side::Side::of(path.split_last().1) {
                Some(side) => side.leave_out(reading, &path)?,
                None => reading.show_below(&path, &mut ObjectFiles(&mut self))?,
            }
        }
        Ok(KeyList::new(directory, self.is_own, self.names))
    }

    fn add(&mut self, path: &[u8], tag: Tag, payload: &[u8]) -> Result<()> {
        self.buffer.clear();
        self.buffer.extend_from_slice(path);
        self.buffer.extend_from_slice(&[0, tag.byte()]);
        Ok(self.names.push(&self.buffer, payload)?)
    }

    /// Notes a body or a sidecar; it is read when its turn comes.
    fn add_file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        file.pass_over();
        let whole = file.path().as_bytes();
        let path = whole.get(self.directory.len().saturating_add(1)..).unwrap_or_default();
        match path.strip_suffix(META_SUFFIX) {
            Some(body) if body.is_empty() || body.ends_with(b"/") => {
                Err(Error::from(ReplayFault::SidecarWithoutBody).at(whole))
            }
            Some(body) => self.add(body, Tag::Sidecar, b""),
            None => self.add(path, Tag::Body, b""),
        }
    }
}

impl Visit for BucketFiles {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        let name = path.split_last().1;
        if side::Side::of(name).is_none() && self.is_own && is_reserved(name) {
            return Err(unknown(path, IN_BUCKET));
        }
        Ok(self.directories.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        match file.name() {
            // Has been read.
            name if name == BUCKET_FILE.as_bytes() => file.pass_over(),
            name if name == KEYMAP_FILE.as_bytes() => {
                self.has_keymap = true;
                file.pass_over();
            }
            name if side::Side::of(name).is_some() => return Err(unknown(file.path(), IN_BUCKET)),
            name => {
                self.keymap_is_object |= !self.is_own && name.strip_suffix(META_SUFFIX) == Some(KEYMAP_FILE.as_bytes());
                self.add_file(file)?;
            }
        }
        Ok(())
    }
}

/// Files in directories that keys make.
struct ObjectFiles<'b>(&'b mut BucketFiles);

impl Visit for ObjectFiles<'_> {
    fn directory(&mut self, _path: &DumpPath) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        self.0.add_file(file)
    }
}
