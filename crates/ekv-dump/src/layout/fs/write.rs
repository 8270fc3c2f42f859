//! Events to files. Source: `docs/format/fs.md`, sections 6 and 7.

use ekv_files::{DumpPath, Result};
use ekv_model::fs::{Entry, Event, FILE_SYSTEM, Inode, Sparse};
use ekv_model::{Body, Event as ModelEvent};
use ekv_spill::Spool;

use super::entry::{ARCHIVE_FILE, CONTENT_END, DIRECTORY, LINES_FILE, MAP_END, ORPHAN_CHUNKS, ORPHANS};
use super::line::{push_line, push_orphan};
use super::places::{Places, packed};
use super::tar::write::TarWriter;
use super::tree::{HOLES_MAX, write_parts, write_whole};
use crate::DumpWriter;
use crate::layout::options::{FsFormat, TreeOptions};
use crate::layout::scopes::ScopeNames;
use crate::layout::write_files::{WriteFiles, Written};

/// Memory for lines, in bytes; more goes to a scratch file until all files are written.
const LINES_BUDGET: usize = 1 << 20;

/// Writes the file system.
pub(super) struct FileSystem {
    /// Most zeros that a file is written with, in bytes.
    holes_max: u64,
    places: Places,
    /// Where it all goes instead, if it becomes an archive.
    archive: Option<TarWriter>,
    lines: Option<Spool>,
    orphan_lines: Option<Spool>,
    has_begun: bool,
    line: Vec<u8>,
}

impl WriteFiles for FileSystem {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Fs(event) = event else { return Ok(()) };
        self.has_begun = true;
        let event = match &mut self.archive {
            Some(archive) => match put_into(archive, writer, event)? {
                Some(event) => event,
                None => return Ok(()),
            },
            None => event,
        };
        match event {
            Event::Directory(entry) | Event::Passage(entry) => {
                self.places.go_to(entry.parent);
                let place = self.places.place(entry.name, entry.inode.id);
                writer.directory(&in_file_system(&[place.path])?)?;
                push_line(&entry, place.disk, false, &mut self.line);
                self.places.enter(entry.inode.id);
                self.keep_line(writer)
            }
            Event::File(entry, content) => self.file(writer, &entry, content),
            Event::Link(entry) => {
                self.places.go_to(entry.parent);
                push_line(&entry, None, true, &mut self.line);
                self.keep_line(writer)
            }
            Event::Orphan(inode, parent, content) => self.orphan(writer, &inode, parent, content),
            Event::OrphanChunk { home, inode, index, body } => {
                let name = format!("{home:016x}_{inode:016x}_{index:016x}");
                let path = in_file_system(&[ORPHANS, b"/", ORPHAN_CHUNKS, b"/", name.as_bytes(), CONTENT_END])?;
                write_body(writer, &path, &body)
            }
            Event::End => Ok(()),
        }
    }

    fn finish(&mut self, writer: &mut DumpWriter) -> Result<Written> {
        if let Some(archive) = &mut self.archive {
            archive.end(writer)?;
        }
        let files = [(self.lines.take(), vec![]), (self.orphan_lines.take(), [ORPHANS, b"/"].concat())];
        for (lines, directory) in files {
            if let Some(lines) = lines {
                writer.begin(&in_file_system(&[&directory, LINES_FILE.as_bytes()])?)?;
                writer.write_spooled(&lines.into_reader()?)?;
                writer.end()?;
            }
        }
        let numbers = self.has_begun.then_some(FILE_SYSTEM).into_iter();
        Ok(Written { names: ScopeNames::of_numbers(numbers), ..Written::default() })
    }
}

impl FileSystem {
    pub(super) fn new(options: &TreeOptions) -> Self {
        FileSystem {
            holes_max: options.holes_max.unwrap_or(HOLES_MAX),
            places: Places::default(),
            archive: match options.fs_format {
                FsFormat::Tree => None,
                FsFormat::Tar { has_special_bits } => Some(TarWriter::new(has_special_bits)),
            },
            lines: None,
            orphan_lines: None,
            has_begun: false,
            line: Vec::new(),
        }
    }

    fn file(&mut self, writer: &mut DumpWriter, entry: &Entry<'_>, content: &dyn Sparse) -> Result<()> {
        let Inode { id, size, .. } = entry.inode;
        self.places.go_to(entry.parent);
        if self.is_packed(size, content) {
            let place = packed(id);
            write_packed(writer, &[&place, CONTENT_END], &[&place, MAP_END], content)?;
            push_line(entry, Some(&place), false, &mut self.line);
        } else {
            let place = self.places.place(entry.name, id);
            write_whole(writer, &in_file_system(&[place.path])?, size, content)?;
            push_line(entry, place.disk, false, &mut self.line);
        }
        self.keep_line(writer)
    }

    fn orphan(&mut self, writer: &mut DumpWriter, inode: &Inode<'_>, parent: u64, content: &dyn Sparse) -> Result<()> {
        let name = [ORPHANS, b"/", format!("{:016x}", inode.id).as_bytes()].concat();
        if self.is_packed(inode.size, content) {
            write_packed(writer, &[&name, b".packed", CONTENT_END], &[&name, MAP_END], content)?;
        } else if !inode.is_directory() {
            write_whole(writer, &in_file_system(&[&name, CONTENT_END])?, inode.size, content)?;
        }
        push_orphan(inode, parent, &mut self.line);
        let lines = self.orphan_lines.get_or_insert_with(|| Spool::new(writer.scratch(), LINES_BUDGET));
        lines.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    /// Whether only the stored parts of a file are written.
    fn is_packed(&self, size: u64, content: &dyn Sparse) -> bool {
        size.saturating_sub(content.stored_len()) > self.holes_max
    }

    fn keep_line(&mut self, writer: &DumpWriter) -> Result<()> {
        let lines = self.lines.get_or_insert_with(|| Spool::new(writer.scratch(), LINES_BUDGET));
        lines.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }
}

/// Writes what has a name into the archive; gives back what has none, before which it ends.
fn put_into<'e>(archive: &mut TarWriter, writer: &mut DumpWriter, event: Event<'e>) -> Result<Option<Event<'e>>> {
    match event {
        Event::Orphan(..) | Event::OrphanChunk { .. } | Event::End => {
            archive.end(writer)?;
            return Ok(Some(event));
        }
        _ => archive.begin(writer, &in_file_system(&[ARCHIVE_FILE.as_bytes()])?)?,
    }
    match event {
        Event::Directory(entry) | Event::Passage(entry) => archive.directory(writer, &entry)?,
        Event::File(entry, content) => archive.file(writer, &entry, content)?,
        Event::Link(entry) => archive.link(writer, &entry)?,
        Event::Orphan(..) | Event::OrphanChunk { .. } | Event::End => {}
    }
    Ok(None)
}

/// Writes the stored parts of a file, and where they lie.
fn write_packed(writer: &mut DumpWriter, parts: &[&[u8]], map: &[&[u8]], content: &dyn Sparse) -> Result<()> {
    let runs = write_parts(writer, &in_file_system(parts)?, content)?;
    writer.begin(&in_file_system(map)?)?;
    writer.write_spooled(&runs)?;
    writer.end()
}

fn write_body(writer: &mut DumpWriter, path: &DumpPath, body: &Body<'_>) -> Result<()> {
    writer.begin(path)?;
    writer.write_body(body)?;
    writer.end()
}

/// A path in the directory of the file system, in pieces.
fn in_file_system(pieces: &[&[u8]]) -> Result<DumpPath> {
    let mut path = DumpPath::new(b"fs")?;
    path.push(DIRECTORY)?;
    path.extend(&pieces.concat())?;
    Ok(path)
}
