//! The entries of an archive as a tree, and its events.

use std::io::Read;
use std::sync::Arc;

use ekv_files::{Error, Result};
use ekv_model::fs::{Entry, Event, PATH_LEN_MAX, ROOT, ROOT_PATH, Sparse};
use ekv_model::{Body, ByteSource, InMemory};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};
use sha2::{Digest, Sha256};

use super::fault::TarFault;
use super::names::{Rows, key_of, path_of, resolve};
use super::row::{Row, RowKind};
use super::scan::{Parts, Scan, Scanned};
use crate::layout::fs::content::{Packed, Part, Whole};
use crate::layout::fs::fault::FsFault;

/// Memory for the entries, for each thing that is sorted or kept of them, in bytes.
const ENTRIES_BUDGET: usize = 4 << 20;
/// Longest content that is kept in memory, in bytes.
const INLINE_LEN_MAX: u64 = 1 << 20;
/// Permissions of a directory without an entry of its own.
const DIRECTORY_MODE: u32 = 0o755;

/// The files and directories of a tar archive, which make a tree.
///
/// Source: `docs/format/fs.md`, sections 8 and 9. Cost: scratch space for the headers of all entries; memory bounded by constants.
pub struct FsTar {
    rows: Rows,
    /// What stands in the place of entries of files with several names.
    resolved: Rows,
    parts: Spooled,
    /// Of each directory in order the number of directories in it: `u64`, little-endian.
    directories: Spooled,
    skipped: u64,
    newest_mtime_nsec: i64,
}

/// Which archives are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsTarOptions {
    /// Whether entries that no store can hold are left out and counted, instead of refused.
    pub skips_unsupported: bool,
    /// Whether entries must be in the order in which a decode writes them.
    pub must_be_in_order: bool,
}

/// A directory that is open.
struct Frame {
    id: u64,
    path_len: usize,
    number: u64,
}

/// An entry in its place in the tree.
struct Placed<'p> {
    path: &'p [u8],
    name: &'p [u8],
    parent: u64,
    row: Row,
    /// Of a directory its place among all.
    number: u64,
}

impl FsTar {
    /// Reads an archive to its end, without the contents of its files.
    ///
    /// # Errors
    /// An archive that is damaged, or with entries that make no tree, or which no store can hold.
    pub fn read(input: &mut dyn Read, options: FsTarOptions, scratch: &Arc<dyn Scratch>) -> Result<Self> {
        let sorter = || Sorter::new(Arc::clone(scratch), ENTRIES_BUDGET);
        let spool = || Spool::new(Arc::clone(scratch), ENTRIES_BUDGET);
        let (mut entries, mut links, mut parts) = (sorter(), sorter(), Parts::new(spool()));
        let mut scan = Scan::new(input);
        let (mut skipped, mut newest_mtime_nsec) = (0_u64, 0);
        while let Some(Scanned { path, row }) = scan.next(&mut parts)? {
            let own = |fault: TarFault| Error::from(FsFault::TarEntry { path: path.clone(), fault });
            let row = match row {
                Ok(row) => row,
                Err(_) if options.skips_unsupported => {
                    skipped = skipped.saturating_add(1);
                    continue;
                }
                Err(what) => return Err(own(TarFault::Unsupported { what })),
            };
            let key = key_of(clean(&path, row.kind).map_err(own)?);
            if row.kind == RowKind::Link {
                links.push(&key_of(clean(&row.link, RowKind::File).map_err(own)?), &key)?;
            }
            let [mtime_nsec, ..] = row.times_nsec;
            newest_mtime_nsec = mtime_nsec.max(newest_mtime_nsec);
            entries.push(&key, &row.to_bytes())?;
        }
        let rows = Rows::of(entries.finish()?, spool())?;
        let mut resolved = sorter();
        resolve(&rows, links, &mut resolved, &|key, row| id_of(&path_of(key), row))?;
        let resolved = Rows::of_resolved(resolved.finish()?, spool())?;
        let parts = parts.into_rows().into_reader()?;
        let directories = spool().into_reader()?;
        let mut tar = FsTar { rows, resolved, parts, directories, skipped, newest_mtime_nsec };
        tar.directories = tar.check(options, scratch)?;
        Ok(tar)
    }

    /// Entries that were left out since no store can hold them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The newest time at which any of it was changed, in Unix nanoseconds; 0 if that is before 1970.
    pub fn newest_mtime_nsec(&self) -> i64 {
        self.newest_mtime_nsec
    }

    /// Checks that all entries make a tree; counts the directories in each.
    fn check(&self, options: FsTarOptions, scratch: &Arc<dyn Scratch>) -> Result<Spooled> {
        let sorter = || Sorter::new(Arc::clone(scratch), ENTRIES_BUDGET);
        let (mut ids, mut counts, mut last) = (sorter(), sorter(), 0);
        self.for_each(&mut |placed, frames| {
            let own = |fault: TarFault| Error::from(FsFault::TarEntry { path: placed.path.to_vec(), fault });
            let Row { kind, id, offset, .. } = placed.row;
            let is_root = frames.is_empty();
            if (id == ROOT) != is_root || id == 0 {
                return Err(own(TarFault::Inode { inode: id }));
            }
            if options.must_be_in_order && kind != RowKind::Link {
                if offset <= last {
                    return Err(own(TarFault::Order));
                }
                last = offset;
            }
            if kind == RowKind::Directory {
                counts.push(&placed.number.to_be_bytes(), b"")?;
                if let Some(around) = frames.last() {
                    counts.push(&around.number.to_be_bytes(), b"d")?;
                }
            }
            if kind != RowKind::Link {
                ids.push(&id.to_be_bytes(), placed.path)?;
            }
            Ok(())
        })?;
        let (mut ids, mut last) = (ids.finish()?, None);
        while let Some((id, path)) = ids.next()? {
            if last.as_deref() == Some(id) {
                let inode = id.first_chunk().map_or(0, |id| u64::from_be_bytes(*id));
                return Err(FsFault::TarEntry { path: path.to_vec(), fault: TarFault::InodeTaken { inode } }.into());
            }
            last = Some(id.to_vec());
        }
        let (mut counts, mut out) = (counts.finish()?, Spool::new(Arc::clone(scratch), ENTRIES_BUDGET));
        let (mut at_hand, mut count) = (None, 0_u64);
        while let Some((number, what)) = counts.next()? {
            if at_hand.as_deref() != Some(number) {
                if at_hand.replace(number.to_vec()).is_some() {
                    out.write_all(&count.to_le_bytes())?;
                }
                count = 0;
            }
            count = count.saturating_add(u64::from(!what.is_empty()));
        }
        if at_hand.is_some() {
            out.write_all(&count.to_le_bytes())?;
        }
        Ok(out.into_reader()?)
    }

    /// Hands on all directories and files, whose content is read from `archive`: from front to back, if they came in order. `takes` says of which
    /// files the content is wanted.
    ///
    /// # Errors
    /// Failing reads; the first error of `take`.
    pub fn emit(
        &self,
        archive: &dyn ByteSource,
        takes: &dyn Fn(&[u8]) -> bool,
        take: &mut dyn FnMut(Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut directories = std::io::BufReader::new(self.directories.reader());
        self.for_each(&mut |placed, _| {
            let Placed { path, name, parent, row, .. } = placed;
            let entry = |nlink: u32| Entry { path, name, parent, inode: row.inode(nlink), commit_ts: 0 };
            match row.kind {
                RowKind::Directory => {
                    let count = next_count(&mut directories)?;
                    take(Event::Directory(entry(u32::try_from(count).unwrap_or(u32::MAX).saturating_add(2))))
                }
                _ if !takes(path) => Ok(()),
                RowKind::Link => take(Event::Link(entry(2))),
                RowKind::File => {
                    self.with_content(&row, archive, &mut |content| take(Event::File(entry(row.names.max(1)), content)))
                }
            }
        })?;
        take(Event::End)
    }

    fn with_content(
        &self,
        row: &Row,
        archive: &dyn ByteSource,
        take: &mut dyn FnMut(&dyn Sparse) -> Result<()>,
    ) -> Result<()> {
        let Row { content_offset, content_len: len, .. } = *row;
        let mut bytes = Vec::new();
        if len <= INLINE_LEN_MAX {
            bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
            if len > 0 {
                archive.read_exact_at(content_offset, &mut bytes)?;
            }
        }
        let memory = InMemory(&bytes);
        let (content, start): (&dyn ByteSource, u64) =
            if len <= INLINE_LEN_MAX { (&memory, 0) } else { (archive, content_offset) };
        match row.parts {
            Some((first, count)) => take(&Packed { runs: &self.parts, first, count, stored_len: len, content, start }),
            None if len <= INLINE_LEN_MAX => take(&Whole(Body::Inline(&bytes))),
            None => take(&Whole(Body::Streamed(&Part { content, start, len }))),
        }
    }

    /// Calls `take` for each entry in order, directories without an entry of their own included, with the directories around it.
    fn for_each(&self, take: &mut dyn FnMut(Placed<'_>, &[Frame]) -> Result<()>) -> Result<()> {
        let (mut rows, mut resolved) = (self.rows.read(), self.resolved.read());
        let mut instead = resolved.next()?;
        let mut walk = Walk { frames: Vec::new(), path: Vec::new(), file: None, number: 0 };
        let mut next = rows.next()?;
        if next.as_ref().is_none_or(|(key, _)| !key.is_empty()) {
            walk.step(&[], directory(), take)?;
        }
        while let Some((key, row)) = next {
            next = rows.next()?;
            let path = path_of(&key);
            if next.as_ref().is_some_and(|(other, _)| *other == key) {
                return Err(FsFault::TarEntry { path, fault: TarFault::Repeated }.into());
            }
            let row = match instead.take_if(|(other, _)| *other == key) {
                Some((_, row)) => {
                    instead = resolved.next()?;
                    row
                }
                None => row,
            };
            walk.walk_to(&path, take)?;
            walk.step(&path, row, take)?;
        }
        Ok(())
    }
}

/// Goes through a tree.
struct Walk {
    frames: Vec<Frame>,
    path: Vec<u8>,
    /// The last path that is no directory.
    file: Option<Vec<u8>>,
    /// Directories so far.
    number: u64,
}

type TakePlaced<'t> = &'t mut dyn FnMut(Placed<'_>, &[Frame]) -> Result<()>;

impl Walk {
    /// Leaves directories until those around `path` are open, and enters those of them that have no entry.
    fn walk_to(&mut self, path: &[u8], take: TakePlaced<'_>) -> Result<()> {
        if path.is_empty() {
            return Ok(());
        }
        let is_below = |around: &[u8]| around.is_empty() || rest_below(path, around).is_some();
        if let Some(file) = self.file.as_ref().filter(|file| rest_below(path, file).is_some()) {
            return Err(
                FsFault::TarEntry { path: path.to_vec(), fault: TarFault::BelowFile { file: file.clone() } }.into()
            );
        }
        while let Some(frame) = self.frames.last() {
            if is_below(self.path.get(..frame.path_len).unwrap_or_default()) {
                break;
            }
            self.frames.pop();
        }
        let open_len = self.frames.last().map_or(0, |frame| frame.path_len);
        let slashes = path.iter().enumerate().filter(|(at, byte)| **byte == b'/' && *at > open_len);
        for (at, _) in slashes {
            self.step(path.get(..at).unwrap_or_default(), directory(), take)?;
        }
        Ok(())
    }

    /// Takes what has this path, whose directory is the innermost one.
    fn step(&mut self, path: &[u8], row: Row, take: TakePlaced<'_>) -> Result<()> {
        let is_root = path.is_empty();
        let around_len = self.frames.last().map_or(0, |frame| frame.path_len);
        let name_start = if around_len == 0 { 0 } else { around_len.saturating_add(1) };
        let id = match row.id {
            0 if is_root => ROOT,
            _ => id_of(path, &row),
        };
        let parent = self.frames.last().map_or(ROOT, |frame| frame.id);
        let is_directory = row.kind == RowKind::Directory;
        if is_root && !is_directory {
            return Err(FsFault::Root.into());
        }
        let placed = Placed {
            path: if is_root { ROOT_PATH } else { path },
            name: path.get(name_start..).unwrap_or_default(),
            parent,
            row: Row { id, ..row },
            number: self.number,
        };
        take(placed, &self.frames)?;
        if is_directory {
            self.frames.push(Frame { id, path_len: path.len(), number: self.number });
            self.number = self.number.saturating_add(1);
            self.path.clear();
            self.path.extend_from_slice(path);
        } else {
            self.file = Some(path.to_vec());
        }
        Ok(())
    }
}

/// What of `path` lies below `around`.
fn rest_below<'p>(path: &'p [u8], around: &[u8]) -> Option<&'p [u8]> {
    path.strip_prefix(around)?.strip_prefix(b"/")
}

/// A directory without an entry of its own.
fn directory() -> Row {
    Row { kind: RowKind::Directory, mode: DIRECTORY_MODE, ..Row::default() }
}

/// A path without what programs write around it; that of the root is empty.
fn clean(path: &[u8], kind: RowKind) -> Result<&[u8], TarFault> {
    let inner = path.strip_prefix(b"./").unwrap_or(path);
    let inner = match kind {
        RowKind::Directory => inner.strip_suffix(b"/").unwrap_or(inner),
        _ => inner,
    };
    if kind == RowKind::Directory && (inner == b"." || path == b"./") {
        return Ok(b"");
    }
    let is_bad = |name: &[u8]| matches!(name, b"" | b"." | b"..") || name.contains(&0);
    match inner.len() {
        len if len > PATH_LEN_MAX => Err(TarFault::LongPath { len, limit: PATH_LEN_MAX }),
        _ if inner.split(|byte| *byte == b'/').any(is_bad) => Err(TarFault::Path),
        _ => Ok(inner),
    }
}

/// The inode of an entry: what its comment says, or a number that depends on nothing but its path.
fn id_of(path: &[u8], row: &Row) -> u64 {
    if row.id != 0 {
        return row.id;
    }
    let of = |n: u32| {
        let digest = Sha256::digest([b"ekv-fs\0", path, b"\0", &n.to_be_bytes()].concat());
        digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    };
    (0..u32::MAX).map(of).find(|id| *id > ROOT).unwrap_or_default()
}

fn next_count(counts: &mut dyn Read) -> Result<u64> {
    let mut count = [0; 8];
    counts.read_exact(&mut count).map_err(ekv_files::source::read_error)?;
    Ok(u64::from_le_bytes(count))
}
