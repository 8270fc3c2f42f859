//! Values of the file system, read with the leniency of the server. Source: `docs/format/fs.md`, section 3.

use ekv_model::ByteSource;
use ekv_model::fs::{self, EXTRA_LEN_MAX, TYPE_LEN_MAX};
use ekv_text::json::{EscapeMode, JsonFault, escape_into};

use crate::json::{JsonReader, JsonResult, is_name};

/// What is stored of an inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) kind: String,
    mode: u32,
    uid: u32,
    gid: u32,
    pub(super) size: u64,
    times_nsec: [i64; 3],
    chunk_size: u64,
    pub(super) home_slot: u64,
    pub(super) epoch: u64,
    pub(super) nlink: u32,
    generation: u64,
    pub(super) is_orphaned: bool,
    /// Members that are not known, as the text of an object; empty if there are none.
    extra: String,
    /// Their names.
    pub(super) unknown: Vec<String>,
}

impl Inode {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut inode = Inode::default();
        let mut extra = Vec::new();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            match name {
                name if is_name(name, "inode") => inode.id = reader.u64()?,
                name if is_name(name, "parent") => inode.parent = reader.u64()?,
                name if is_name(name, "type") => inode.kind = reader.string(TYPE_LEN_MAX)?,
                name if is_name(name, "mode") => inode.mode = reader.u32()?,
                name if is_name(name, "uid") => inode.uid = reader.u32()?,
                name if is_name(name, "gid") => inode.gid = reader.u32()?,
                name if is_name(name, "size") => inode.size = reader.u64()?,
                name if is_name(name, "atime_nsec") => inode.times_nsec[0] = reader.i64()?,
                name if is_name(name, "mtime_nsec") => inode.times_nsec[1] = reader.i64()?,
                name if is_name(name, "ctime_nsec") => inode.times_nsec[2] = reader.i64()?,
                name if is_name(name, "chunk_size") => inode.chunk_size = reader.u64()?,
                name if is_name(name, "home_slot") => inode.home_slot = reader.u64()?,
                name if is_name(name, "epoch") => inode.epoch = reader.u64()?,
                name if is_name(name, "nlink") => inode.nlink = reader.u32()?,
                name if is_name(name, "generation") => inode.generation = reader.u64()?,
                name if is_name(name, "orphaned") => inode.is_orphaned = reader.boolean()?,
                name => {
                    push_member(reader, name, &mut extra)?;
                    inode.unknown.push(name.to_owned());
                }
            }
            Ok(())
        })?;
        reader.end()?;
        if !extra.is_empty() {
            extra.push(b'}');
        }
        inode.extra = String::from_utf8_lossy(&extra).into_owned();
        Ok(inode)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == fs::DIRECTORY
    }

    pub(super) fn event(&self) -> fs::Inode<'_> {
        let [atime_nsec, mtime_nsec, ctime_nsec] = self.times_nsec;
        let Inode { id, ref kind, mode, uid, gid, size, nlink, generation, chunk_size, ref extra, .. } = *self;
        #[rustfmt::skip]
        let inode = fs::Inode {
            id, kind, mode, uid, gid, size, nlink, atime_nsec, mtime_nsec, ctime_nsec, generation, chunk_size, extra,
        };
        inode
    }

    /// The root that a server makes where it finds none.
    pub(super) fn of_root(nlink: u32) -> Self {
        Inode {
            id: fs::ROOT,
            parent: fs::ROOT,
            kind: fs::DIRECTORY.to_owned(),
            mode: 0o755,
            chunk_size: fs::CHUNK_SIZE,
            home_slot: fs::ROOT,
            epoch: 1,
            nlink,
            generation: 1,
            ..Inode::default()
        }
    }
}

/// Appends a member that is not known to the text of an object without its end.
fn push_member(reader: &mut JsonReader<'_>, name: &str, extra: &mut Vec<u8>) -> JsonResult<()> {
    extra.push(if extra.is_empty() { b'{' } else { b',' });
    extra.push(b'"');
    escape_into(name, EscapeMode::Plain, extra);
    extra.extend_from_slice(b"\":");
    let mut is_long = false;
    reader.copy(|piece| {
        is_long |= extra.len().saturating_add(piece.len()) > EXTRA_LEN_MAX;
        if !is_long {
            extra.extend_from_slice(piece);
        }
        Ok(())
    })?;
    if is_long { Err(reader.fault(JsonFault::LongString { len_max: EXTRA_LEN_MAX })) } else { Ok(()) }
}

/// What is stored of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) inode: u64,
    pub(super) kind: String,
}

impl Entry {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut entry = Entry::default();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            match name {
                name if is_name(name, "inode") => entry.inode = reader.u64()?,
                name if is_name(name, "type") => entry.kind = reader.string(TYPE_LEN_MAX)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(entry)
    }
}

/// Where the chunks of an inode are, as is told beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) slot: u64,
    pub(super) epoch: u64,
    pub(super) is_moving: bool,
}

impl Home {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut home = Home::default();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            match name {
                name if is_name(name, "home_slot") => home.slot = reader.u64()?,
                name if is_name(name, "epoch") => home.epoch = reader.u64()?,
                name if is_name(name, "state") => home.is_moving = reader.string(TYPE_LEN_MAX)? != "active",
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(home)
    }
}

/// How many files and bytes are counted, or added to or taken from that.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) files: i128,
    pub(super) bytes: i128,
}

impl Usage {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut usage = Usage::default();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            let Usage { files, bytes } = &mut usage;
            match name {
                name if is_name(name, "files") || is_name(name, "files_add") => *files += i128::from(reader.u64()?),
                name if is_name(name, "files_sub") => *files -= i128::from(reader.u64()?),
                name if is_name(name, "bytes") || is_name(name, "bytes_add") => *bytes += i128::from(reader.u64()?),
                name if is_name(name, "bytes_sub") => *bytes -= i128::from(reader.u64()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(usage)
    }
}

/// When a lease ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    /// Unix nanoseconds; 0 = never.
    expires_nsec: i64,
}

impl Lease {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut lease = Lease::default();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            match name {
                name if is_name(name, "expires_nsec") => lease.expires_nsec = reader.i64()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(lease)
    }

    pub(super) fn is_live_at(&self, unix_ms: u64) -> bool {
        self.expires_nsec == 0 || i128::from(self.expires_nsec) > i128::from(unix_ms).saturating_mul(1_000_000)
    }
}
