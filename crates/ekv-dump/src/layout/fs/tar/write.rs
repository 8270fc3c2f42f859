//! Events to an archive. Source: `docs/format/fs.md`, section 8.

use std::collections::BTreeMap;

use ekv_files::archive::header::{
    Attributes, HeaderMaker, Kind, NAME_LEN_MAX, OCTAL_7_MAX, OCTAL_11_MAX, put_link, seal,
};
use ekv_files::archive::pax::push_record;
use ekv_files::archive::{BLOCK_LEN, ZERO_BLOCK, padding_len};
use ekv_files::{DumpPath, Result};
use ekv_model::Body;
use ekv_model::fs::{Entry, Inode, ROOT_PATH, Sparse};
use ekv_spill::{Spool, Spooled};

use super::comment::Comment;
use super::fault::TarFault;
use crate::DumpWriter;
use crate::layout::fs::fault::FsFault;
use crate::layout::fs::map::Run;

/// Fewest zeros that are a hole, in bytes: a file with less is written whole.
const HOLES_MIN: u64 = 1 << 20;
/// Memory for a map, in bytes.
const MAP_BUDGET: usize = 64 << 10;
/// Memory for the first paths of files with several names, in bytes.
const FIRST_PATHS_MAX: usize = 64 << 20;
/// Permission bits that are written: all but those by which a program gets the rights of its owner or group.
const PLAIN_BITS: u32 = 0o1777;
const ALL_BITS: u32 = 0o7777;

/// Writes an archive into a dump.
pub(crate) struct TarWriter {
    bits: u32,
    headers: HeaderMaker,
    /// By inode: of those with several names the first one.
    first_paths: BTreeMap<u64, Vec<u8>>,
    first_paths_len: usize,
    is_open: bool,
    path: Vec<u8>,
    records: Vec<u8>,
}

/// What the headers of an entry say.
struct Heading<'h> {
    kind: Kind,
    /// Length of what follows, in bytes.
    body_len: u64,
    /// Length of a sparse file, in bytes.
    sparse_len: Option<u64>,
    /// The path of which it is a further name.
    link: Option<&'h [u8]>,
}

impl TarWriter {
    /// An archive whose entries may have the setuid and setgid bits.
    pub(crate) fn new(has_special_bits: bool) -> Self {
        TarWriter {
            bits: if has_special_bits { ALL_BITS } else { PLAIN_BITS },
            headers: HeaderMaker::new(0),
            first_paths: BTreeMap::new(),
            first_paths_len: 0,
            is_open: false,
            path: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Begins it in this file, unless it has begun.
    pub(crate) fn begin(&mut self, writer: &mut DumpWriter, path: &DumpPath) -> Result<()> {
        if std::mem::replace(&mut self.is_open, true) { Ok(()) } else { writer.begin(path) }
    }

    /// Ends it, if it has begun.
    pub(crate) fn end(&mut self, writer: &mut DumpWriter) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        writer.write(&[ZERO_BLOCK; 2].concat())?;
        writer.end()
    }

    pub(crate) fn directory(&mut self, writer: &mut DumpWriter, entry: &Entry<'_>) -> Result<()> {
        self.set_path(entry.path, true);
        self.headings(
            writer,
            &entry.inode,
            &Heading { kind: Kind::Directory, body_len: 0, sparse_len: None, link: None },
        )
    }

    pub(crate) fn file(&mut self, writer: &mut DumpWriter, entry: &Entry<'_>, content: &dyn Sparse) -> Result<()> {
        let Inode { id, size, nlink, .. } = entry.inode;
        self.set_path(entry.path, false);
        if nlink > 1 {
            self.first_paths_len = self.first_paths_len.saturating_add(self.path.len());
            if self.first_paths_len > FIRST_PATHS_MAX {
                return Err(fault(entry, TarFault::ManyNames { limit: FIRST_PATHS_MAX }));
            }
            self.first_paths.insert(id, self.path.clone());
        }
        let plain = Heading { kind: Kind::File, body_len: size, sparse_len: None, link: None };
        if size.saturating_sub(content.stored_len()) < HOLES_MIN {
            self.headings(writer, &entry.inode, &plain)?;
            return write_whole(writer, size, content);
        }
        let Map { text, content_len } = Map::of(writer, size, content)?;
        let text_len = text.len().saturating_add(len_of(padding_of(text.len())));
        let body_len = text_len.saturating_add(content_len);
        self.headings(writer, &entry.inode, &Heading { body_len, sparse_len: Some(size), ..plain })?;
        writer.write_spooled(&text)?;
        writer.write(padding_of(text.len()))?;
        let mut runs = Runs::default();
        content.for_each_part(&mut |offset, body| {
            let (zeros_len, _) = runs.add(Run { offset, len: body.len() });
            writer.hole(zeros_len)?;
            Ok(writer.write_body(&body)?)
        })?;
        writer.write(padding_of(body_len))
    }

    /// Writes a further name of a file.
    pub(crate) fn link(&mut self, writer: &mut DumpWriter, entry: &Entry<'_>) -> Result<()> {
        let Inode { id, nlink, .. } = entry.inode;
        let Some(first) = self.first_paths.get(&id).cloned() else {
            return Err(fault(entry, TarFault::UncountedName { nlink }));
        };
        self.set_path(entry.path, false);
        let heading = Heading { kind: Kind::Link, body_len: 0, sparse_len: None, link: Some(&first) };
        self.headings(writer, &entry.inode, &heading)
    }

    fn set_path(&mut self, path: &[u8], is_directory: bool) {
        self.path.clear();
        self.path.extend_from_slice(b"./");
        if path != ROOT_PATH {
            self.path.extend_from_slice(path);
            self.path.extend_from_slice(if is_directory { b"/" } else { b"" });
        }
    }

    /// Writes the extended header of an entry and its own.
    fn headings(&mut self, writer: &mut DumpWriter, inode: &Inode<'_>, heading: &Heading<'_>) -> Result<()> {
        let id = format!("{:016x}", inode.id);
        self.set_records(inode, heading);
        let mut block = self.headers.make(Kind::Extended, b"", format!("PaxHeaders.0/{id}").as_bytes());
        Attributes { mode: 0o644, ..Attributes::default() }.put(&mut block);
        let records_len = len_of(&self.records);
        seal(&mut block, records_len);
        writer.write(&block)?;
        writer.write(&self.records)?;
        writer.write(padding_of(records_len))?;

        let stand_in = match heading.sparse_len {
            Some(_) => Some(format!("GNUSparseFile.0/{id}").into_bytes()),
            None if fits(&self.path) => None,
            None => Some(format!("PaxName/{id}").into_bytes()),
        };
        let mut block = self.headers.make(heading.kind, b"", stand_in.as_ref().unwrap_or(&self.path));
        let attributes = Attributes {
            mode: inode.mode & self.bits,
            uid: inode.uid.into(),
            gid: inode.gid.into(),
            modified_unix_s: inode.mtime_nsec.div_euclid(NSEC_PER_S),
        };
        attributes.put(&mut block);
        if let Some(link) = heading.link {
            put_link(&mut block, if fits(link) { link } else { b"" });
        }
        seal(&mut block, heading.body_len);
        writer.write(&block)
    }

    fn set_records(&mut self, inode: &Inode<'_>, heading: &Heading<'_>) {
        let TarWriter { records, path, .. } = self;
        records.clear();
        let mut push = |key: &str, value: &[u8]| push_record(key.as_bytes(), value, records);
        if std::str::from_utf8(path).is_err() {
            push("hdrcharset", b"BINARY");
        }
        match heading.sparse_len {
            Some(len) => {
                push("GNU.sparse.major", b"1");
                push("GNU.sparse.minor", b"0");
                push("GNU.sparse.name", path);
                push("GNU.sparse.realsize", len.to_string().as_bytes());
            }
            None if fits(path) => {}
            None => push("path", path),
        }
        let mut push_above = |key, number: u64, max| {
            if number > max {
                push(key, number.to_string().as_bytes());
            }
        };
        push_above("size", heading.body_len, OCTAL_11_MAX);
        push_above("uid", inode.uid.into(), OCTAL_7_MAX);
        push_above("gid", inode.gid.into(), OCTAL_7_MAX);
        if let Some(link) = heading.link.filter(|link| !fits(link)) {
            push("linkpath", link);
        }
        push("mtime", seconds(inode.mtime_nsec).as_bytes());
        push("atime", seconds(inode.atime_nsec).as_bytes());
        push("comment", Comment::of(inode).to_text().as_bytes());
    }
}

const NSEC_PER_S: i64 = 1_000_000_000;

/// Whether a header holds a path as it is.
fn fits(path: &[u8]) -> bool {
    path.len() <= NAME_LEN_MAX && path.is_ascii()
}

/// Unix nanoseconds as seconds; times before 1970 as 0, as clients see them.
fn seconds(nsec: i64) -> String {
    let nsec = nsec.max(0);
    let text = format!("{}.{:09}", nsec / NSEC_PER_S, nsec % NSEC_PER_S);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes a file with all its zeros.
fn write_whole(writer: &mut DumpWriter, size: u64, content: &dyn Sparse) -> Result<()> {
    let mut end = 0_u64;
    content.for_each_part(&mut |offset, body| {
        writer.hole(offset.saturating_sub(end))?;
        end = offset.saturating_add(body.len());
        Ok(writer.write_body(&body)?)
    })?;
    writer.hole(size.saturating_sub(end))?;
    writer.write(padding_of(size))
}

/// Where the parts of a sparse file lie.
struct Map {
    /// Number of runs, then offset and length of each, with an empty one at the end of the file.
    text: Spooled,
    /// Length of all runs, in bytes.
    content_len: u64,
}

impl Map {
    /// The map of a file, of which no part is read.
    fn of(writer: &DumpWriter, size: u64, content: &dyn Sparse) -> Result<Self> {
        let mut lines = Spool::new(writer.scratch(), MAP_BUDGET);
        let (mut count, mut content_len, mut runs) = (0_u64, 0_u64, Runs::default());
        let mut put = |run: Run| {
            count = count.saturating_add(1);
            content_len = content_len.saturating_add(run.len);
            lines.write_all(format!("{}\n{}\n", run.offset, run.len).as_bytes())
        };
        content.for_each_part(&mut |offset, body: Body<'_>| match runs.add(Run { offset, len: body.len() }).1 {
            Some(run) => Ok(put(run).map_err(ekv_files::Error::from)?),
            None => Ok(()),
        })?;
        let last = runs.open;
        if last.len > 0 {
            put(last)?;
        }
        if last.end() < size {
            put(Run { offset: size, len: 0 })?;
        }
        let mut text = Spool::new(writer.scratch(), MAP_BUDGET);
        text.write_all(format!("{count}\n").as_bytes())?;
        lines.into_reader()?.for_each_chunk(|chunk| text.write_all(chunk))?;
        Ok(Map { text: text.into_reader()?, content_len })
    }
}

/// Joins parts of a file to runs. GNU tar begins each run with a new block of the archive, other programs do not: so a run with another one behind it is
/// filled up with zeros, and what then touches is one.
#[derive(Default)]
struct Runs {
    open: Run,
}

impl Runs {
    /// Adds a part; answers how many zeros stand before it, and the run that it ends.
    fn add(&mut self, part: Run) -> (u64, Option<Run>) {
        let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
        let Run { offset, len } = self.open;
        let gap_len = part.offset.saturating_sub(self.open.end());
        let fill_len = len.checked_next_multiple_of(block_len).unwrap_or(len).saturating_sub(len);
        if len > 0 && gap_len <= fill_len {
            self.open.len = part.end().saturating_sub(offset);
            return (gap_len, None);
        }
        self.open = part;
        (fill_len, Some(Run { offset, len: len.saturating_add(fill_len) }).filter(|run| run.len > 0))
    }
}

fn padding_of(len: u64) -> &'static [u8] {
    const ZEROS: &[u8] = &[0; BLOCK_LEN];
    ZEROS.get(..padding_len(len)).unwrap_or_default()
}

fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn fault(entry: &Entry<'_>, fault: TarFault) -> ekv_files::Error {
    FsFault::TarEntry { path: entry.path.to_vec(), fault }.into()
}
