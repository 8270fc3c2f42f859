//! Positioned reads: the only way this crate touches a snapshot.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use ekv_spill::Spooled;

use crate::{Error, Result};

/// Bytes that can be read at any position, from several places at once.
pub trait ReadAt: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; 0 means end of file.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Tells whether the bytes have changed since an earlier call; `None` where nobody else can change them.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn stamp(&self) -> io::Result<Option<Stamp>> {
        Ok(None)
    }

    /// Which file it is and in which state, for comparison in a later run; `None` where that cannot be told: a file without a name, a part
    /// of a file, bytes in memory, a platform that keeps too little.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        Ok(None)
    }
}

/// Which file it is, and in which state: another one, and the same one once anything was done to it, differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    /// Device.
    pub device: u64,
    /// Inode on the device.
    pub inode: u64,
    /// Length in bytes.
    pub len: u64,
    /// Time of modification in Unix seconds, and nanoseconds beyond them.
    pub modified: [i64; 2],
    /// Time of the last change of content, name, owner or mode, in the same form. No program can set it.
    pub changed: [i64; 2],
}

/// What differs once a file was written to. Its other names, its owner and its mode do not count: a server that removes an old
/// snapshot while it is read does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    len: u64,
    modified: SystemTime,
}

/// The stamp of an open file.
fn stamp(file: &File) -> io::Result<Option<Stamp>> {
    let metadata = file.metadata()?;
    // Some platforms keep no time of modification.
    Ok(metadata.modified().ok().map(|modified| Stamp { len: metadata.len(), modified }))
}

#[cfg(unix)]
impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        stamp(self)
    }

    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        use std::os::unix::fs::MetadataExt;
        let metadata = self.metadata()?;
        let identity = FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: [metadata.mtime(), metadata.mtime_nsec()],
            changed: [metadata.ctime(), metadata.ctime_nsec()],
        };
        Ok((metadata.nlink() > 0).then_some(identity))
    }
}

#[cfg(windows)]
impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        stamp(self)
    }
}

#[cfg(not(any(unix, windows)))]
impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        // Targets without positioned reads have one thread, so that the shared position is not a race.
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read(buf)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        stamp(self)
    }
}

/// A snapshot that is already in memory.
#[derive(Clone, Debug)]
pub struct MemoryInput(pub Arc<[u8]>);

impl ReadAt for MemoryInput {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|o| self.0.get(o..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

impl ReadAt for Spooled {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let want = left.min(buf.len());
        let part = buf.get_mut(..want).unwrap_or_default();
        Spooled::read_at(self, offset, part).map_err(io::Error::other)?;
        Ok(want)
    }
}

/// A part of another input, such as a payload inside a `.snap` file.
pub struct SubRange {
    inner: Arc<dyn ReadAt>,
    start: u64,
    len: u64,
}

impl SubRange {
    /// The `len` bytes of `inner` from `start`.
    pub fn new(inner: Arc<dyn ReadAt>, start: u64, len: u64) -> Self {
        SubRange { inner, start, len }
    }
}

impl ReadAt for SubRange {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let want = left.min(buf.len());
        match (buf.get_mut(..want), self.start.checked_add(offset)) {
            (Some(part), Some(position)) if want > 0 => self.inner.read_at(part, position),
            _ => Ok(0),
        }
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        self.inner.stamp()
    }
}

/// Whether a snapshot must end with its checksum footer. Source: `docs/format/snapshot.md`, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FooterPolicy {
    /// Found in a data directory, in `fsm-snap/`, or named by a token: a missing footer is an error.
    Required,
    /// A loose file or a pipe: a missing footer is a warning.
    Optional,
    /// Other checksums have proven that it is whole, and it has no footer.
    Elsewhere,
}

/// One snapshot to read: where its bytes are and what is known about it from outside.
#[derive(Clone)]
pub struct Input {
    /// The bytes.
    pub source: Arc<dyn ReadAt>,
    /// Length in bytes when it was opened; bytes beyond it are never read.
    pub len: u64,
    /// How messages name it: a path as the user wrote it, or `standard input`.
    pub name: String,
    /// Whether the footer must be there.
    pub footer: FooterPolicy,
    /// CRC32C that a `.snap` token states for this file.
    pub token_crc32c: Option<u32>,
}

impl Input {
    /// The `len` bytes from `start` as an input with the same name, without a footer of its own.
    #[must_use]
    pub fn part(&self, start: u64, len: u64) -> Input {
        let source = Arc::new(SubRange::new(Arc::clone(&self.source), start, len));
        Input { source, len, name: self.name.clone(), footer: FooterPolicy::Optional, token_crc32c: None }
    }

    /// Fills `buf` from `offset` as far as the input reaches; a short count means that the input ends there.
    ///
    /// # Errors
    /// `ErrorKind::Io` if the operating system fails, or reports an end before [`Input::len`]: the file shrank.
    pub fn fill_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let want = left.min(buf.len());
        let mut done = 0_usize;
        while done < want {
            let position = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            let Some(rest) = buf.get_mut(done..want) else { break };
            match self.source.read_at(rest, position) {
                Ok(0) => {
                    let shrank =
                        io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
                    return Err(Error::io("read the snapshot", shrank).at(position).in_file(&self.name));
                }
                Ok(n) => done = done.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let error = e.downcast().unwrap_or_else(|e| Error::io("read the snapshot", e));
                    return Err(error.at(position).in_file(&self.name));
                }
            }
        }
        Ok(done)
    }
}
