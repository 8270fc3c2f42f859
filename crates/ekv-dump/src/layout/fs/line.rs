//! A line of `entries.jsonl`. Source: `docs/format/fs.md`, section 7.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_files::Result;
use ekv_model::fs::{EXTRA_LEN_MAX, Entry, Inode, TYPE_LEN_MAX};
use ekv_model::{InMemory, KEY_LEN_MAX};
use ekv_text::json::{EscapeMode, ObjectText, Style};

use super::fault::FsFault;
use crate::json::{JsonReader, Refuse as _, ValueKind};
use crate::replay::ReplayFault;
use crate::replay::text::read_string;

/// Longest line, in bytes.
pub(super) const LINE_LEN_MAX: usize = 2 << 20;

/// Appends the line of a name.
pub(super) fn push_line(entry: &Entry<'_>, disk: Option<&[u8]>, is_link: bool, out: &mut Vec<u8>) {
    let mut members = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    members.text("ino", &format!("{:016x}", entry.inode.id));
    members.text("parent", &format!("{:016x}", entry.parent));
    match std::str::from_utf8(entry.name) {
        Ok(name) => members.text("name", name),
        Err(_) => members.text("name_b64", &URL_SAFE_NO_PAD.encode(entry.name)),
    }
    if is_link {
        members.flag("link", true);
    } else {
        if let Some(disk) = disk {
            members.text("disk", &String::from_utf8_lossy(disk));
        }
        push_inode(&entry.inode, &mut members);
    }
    members.end();
    out.push(b'\n');
}

/// Appends the line of an inode without name.
pub(super) fn push_orphan(inode: &Inode<'_>, parent: u64, out: &mut Vec<u8>) {
    let mut members = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    members.text("ino", &format!("{:016x}", inode.id));
    members.text("parent", &format!("{parent:016x}"));
    push_inode(inode, &mut members);
    members.end();
    out.push(b'\n');
}

fn push_inode(inode: &Inode<'_>, members: &mut ObjectText<'_>) {
    members.text("type", inode.kind);
    members.number("mode", inode.mode);
    members.number("uid", inode.uid);
    members.number("gid", inode.gid);
    members.number("size", inode.size);
    members.number("nlink", inode.nlink);
    members.number("atime_nsec", inode.atime_nsec);
    members.number("mtime_nsec", inode.mtime_nsec);
    members.number("ctime_nsec", inode.ctime_nsec);
    members.number("generation", inode.generation);
    members.number("chunk_size", inode.chunk_size);
    if !inode.extra.is_empty() {
        members.name("extra").extend_from_slice(inode.extra.as_bytes());
    }
}

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) name: Vec<u8>,
    pub(super) disk: Option<String>,
    pub(super) is_link: bool,
    kind: String,
    /// Mode, owner, group, number of names.
    small: [u32; 4],
    pub(super) size: u64,
    generation: u64,
    chunk_size: u64,
    times_nsec: [i64; 3],
    extra: String,
}

/// Those from `type` to `chunk_size` are there but for further names.
const MEMBERS: &[&str] = &[
    "ino",
    "parent",
    "type",
    "mode",
    "uid",
    "gid",
    "size",
    "nlink",
    "atime_nsec",
    "mtime_nsec",
    "ctime_nsec",
    "generation",
    "chunk_size",
    "name",
    "name_b64",
    "disk",
    "link",
    "extra",
];
const REQUIRED: usize = 2;
/// Index of `type`, and of what follows `chunk_size`.
const OF_INODE: std::ops::Range<usize> = 2..13;

const AN_ENTRY: &str = "an object with a file or directory";
const A_STRING: &str = "a string";
const UNSIGNED: &str = "a whole number from 0 to 2^64-1";
const SMALL: &str = "a whole number from 0 to 2^32-1";
const SIGNED: &str = "a whole number from -2^63 to 2^63-1";

impl Line {
    /// Reads a line without its line feed.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let mut line = Line::default();
        let mut seen = [false; MEMBERS.len()];
        let source = InMemory(text);
        let mut reader = JsonReader::document(&source);
        reader.object_with_optional(AN_ENTRY, MEMBERS, REQUIRED, |reader, member| {
            if let Some(seen) = seen.get_mut(member) {
                *seen = true;
            }
            line.read(reader, member)
        })?;
        reader.end()?;
        line.check(&seen)?;
        Ok(line)
    }

    fn read(&mut self, reader: &mut JsonReader<'_>, member: usize) -> Result<()> {
        let Line { small: [mode, uid, gid, nlink], times_nsec: [atime, mtime, ctime], .. } = self;
        let small = |reader: &mut JsonReader<'_>| {
            reader.u64(SMALL, u32::MAX.into()).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        match member {
            0 => self.id = read_inode(reader)?,
            1 => self.parent = read_inode(reader)?,
            2 => self.kind = read_string(reader, A_STRING, TYPE_LEN_MAX)?,
            3 => *mode = small(reader)?,
            4 => *uid = small(reader)?,
            5 => *gid = small(reader)?,
            6 => self.size = reader.u64(UNSIGNED, u64::MAX)?,
            7 => *nlink = small(reader)?,
            8 => *atime = reader.i64(SIGNED)?,
            9 => *mtime = reader.i64(SIGNED)?,
            10 => *ctime = reader.i64(SIGNED)?,
            11 => self.generation = reader.u64(UNSIGNED, u64::MAX)?,
            12 => self.chunk_size = reader.u64(UNSIGNED, u64::MAX)?,
            13 => self.name = read_string(reader, A_STRING, KEY_LEN_MAX)?.into_bytes(),
            14 => self.name = read_base64(reader)?,
            15 => self.disk = Some(read_string(reader, A_STRING, KEY_LEN_MAX)?),
            16 => self.is_link = reader.boolean("true or false")?,
            _ => self.extra = read_object(reader)?,
        }
        Ok(())
    }

    fn check(&self, seen: &[bool; MEMBERS.len()]) -> Result<(), FsFault> {
        let is_seen = |name: &str| MEMBERS.iter().zip(seen).any(|(own, seen)| *own == name && *seen);
        if is_seen("name") == is_seen("name_b64") {
            return Err(FsFault::Name);
        }
        for (at, (member, seen)) in MEMBERS.iter().zip(seen).enumerate() {
            let is_of_inode = OF_INODE.contains(&at);
            let is_forbidden = self.is_link && (is_of_inode || ["disk", "extra"].contains(member));
            let is_missing = !self.is_link && is_of_inode && !seen;
            if is_missing || (is_forbidden && *seen) {
                return Err(FsFault::Member { member, is_required: is_missing });
            }
        }
        Ok(())
    }

    pub(super) fn inode(&self) -> Inode<'_> {
        let Line { id, ref kind, small, size, generation, chunk_size, times_nsec, ref extra, .. } = *self;
        let [mode, uid, gid, nlink] = small;
        let [atime_nsec, mtime_nsec, ctime_nsec] = times_nsec;
        #[rustfmt::skip]
        let inode = Inode {
            id, kind, mode, uid, gid, size, nlink, atime_nsec, mtime_nsec, ctime_nsec, generation, chunk_size, extra,
        };
        inode
    }

    /// The name with this path.
    pub(super) fn entry<'l>(&'l self, path: &'l [u8]) -> Entry<'l> {
        Entry { path, name: &self.name, parent: self.parent, inode: self.inode(), commit_ts: 0 }
    }
}

fn read_inode(reader: &mut JsonReader<'_>) -> Result<u64> {
    let start = reader.position()?;
    let text = read_string(reader, A_STRING, TYPE_LEN_MAX)?;
    let number = u64::from_str_radix(&text, 16).ok().filter(|number| format!("{number:016x}") == text);
    number.ok_or_else(|| {
        reader.seek(start);
        reader.refuse(ReplayFault::from(FsFault::Inode))
    })
}

fn read_base64(reader: &mut JsonReader<'_>) -> Result<Vec<u8>> {
    let mut name = Vec::new();
    reader.base64("a string of base64url", |piece| {
        name.extend_from_slice(piece);
        Ok(())
    })?;
    // Text has another member.
    if std::str::from_utf8(&name).is_ok() { Err(reader.refuse(ReplayFault::from(FsFault::Name))) } else { Ok(name) }
}

/// Reads an object that stays as it is.
fn read_object(reader: &mut JsonReader<'_>) -> Result<String> {
    const AN_OBJECT: &str = "an object with members that are not known";
    if reader.kind(AN_OBJECT)? != ValueKind::Object {
        return Err(reader.expected(AN_OBJECT));
    }
    let mut text = Vec::new();
    reader.copy(&mut |piece| {
        text.extend_from_slice(piece);
        Ok(())
    })?;
    if text.len() > EXTRA_LEN_MAX.saturating_add(2) {
        return Err(reader.refuse(ReplayFault::LongDocument { len_max: EXTRA_LEN_MAX }));
    }
    let text = String::from_utf8(text).map_err(|_| reader.expected("text"))?;
    Ok(if text == "{}" { String::new() } else { text })
}
