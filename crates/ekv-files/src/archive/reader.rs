//! The bytes of a tar archive to entries. Nothing that the bytes say is believed before it is checked.
//!
//! Source: `docs/format/tree.md`, section 9.2.

use std::io::{self, Read};

use super::decompress::BEFORE_ITS_FIRST_BYTE;
use super::header::Header;
use super::pax::Extended;
use super::{ArchiveFault, ArchiveLimits, Block, ZERO_BLOCK, padding_len};
use crate::source::{PATH_LEN_MAX, Refusal, read_error};
use crate::{DumpPath, Error, Result};

/// Longest extended header or long name, in bytes.
const EXTENDED_LEN_MAX: usize = 64 << 10;

/// Bytes read at once where nothing is done with them.
const SKIP_LEN: usize = 64 << 10;

/// Most zeros behind the end of the archive, in bytes: programs fill up the last record, which is 10 KiB long by default.
const ZEROS_AT_END_MAX: u64 = 64 << 20;

const INSIDE_A_FILE: &str = "inside a file";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    Refused(Refusal),
}

/// An entry of the archive.
pub(crate) struct TarEntry {
    pub(crate) kind: EntryKind,
    /// Length of the content, in bytes.
    pub(crate) len: u64,
    /// Where the first header that describes it begins in the tar.
    pub(crate) header_offset: u64,
    /// Where the content begins in the tar.
    pub(crate) offset: u64,
}

/// Reads entries one after the other, each with its content.
///
/// Cost: memory for one path and one extended header, whatever the archive says.
pub(crate) struct TarReader<R> {
    input: R,
    limits: ArchiveLimits,
    entries: u64,
    bytes: u64,
    /// Bytes read so far.
    offset: u64,
    /// Bytes of the current entry's content that were not read.
    left: u64,
    padding_len: usize,
    path: DumpPath,
    /// The first error of a read of content.
    failed: Option<Error>,
    raw_path: Vec<u8>,
    buffer: Vec<u8>,
}

impl<R: Read> TarReader<R> {
    /// Reads a tar from its first byte.
    pub(crate) fn new(input: R, limits: ArchiveLimits) -> Self {
        TarReader {
            input,
            limits,
            entries: 0,
            bytes: 0,
            offset: 0,
            left: 0,
            padding_len: 0,
            path: DumpPath::root(),
            failed: None,
            raw_path: Vec::new(),
            buffer: Vec::new(),
        }
    }

    pub(crate) fn limits(&self) -> ArchiveLimits {
        self.limits
    }

    /// The next entry; `None` behind the last one, when the end of the archive has been read and nothing follows it.
    ///
    /// # Errors
    /// Whatever is wrong with the archive, with the byte offset in the tar. Nothing may be read after it.
    pub(crate) fn next(&mut self) -> Result<Option<TarEntry>> {
        self.skip_content()?;
        let header_offset = self.offset;
        self.next_entry().map_err(|error| match error.location().byte_offset {
            Some(_) => error,
            None => error.at_byte_offset(header_offset),
        })
    }

    /// Takes the path of the current entry and leaves another one to be overwritten.
    pub(crate) fn swap_path(&mut self, path: &mut DumpPath) {
        std::mem::swap(&mut self.path, path);
    }

    /// The error of a read of content, if there was one; it is worth more than what became of it.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// The path of the current entry.
    pub(crate) fn path(&self) -> &DumpPath {
        &self.path
    }

    /// Bytes of the tar that were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The input, at whatever byte reading has come to.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    fn next_entry(&mut self) -> Result<Option<TarEntry>> {
        let mut describing = Describing::default();
        let mut header_offset = self.offset;
        loop {
            let mut block = ZERO_BLOCK;
            self.read_block(&mut block, "without its end blocks")?;
            if block == ZERO_BLOCK {
                describing.check_none()?;
                self.read_end()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            self.entries = self.entries.saturating_add(1);
            if self.entries > self.limits.entries {
                return Err(ArchiveFault::TooManyEntries { max: self.limits.entries }.into());
            }
            // The label of a volume says nothing about the dump, and has no size.
            if header.type_flag() == b'V' {
                describing.check_none()?;
                continue;
            }
            let size = header.size()?;
            match header.type_flag() {
                b'x' => describing.set_extended(Extended::parse(self.read_extended(size)?)?)?,
                b'g' => {
                    if !Extended::parse(self.read_extended(size)?)?.is_harmless() {
                        return Err(ArchiveFault::GlobalHeader.into());
                    }
                }
                b'L' => {
                    let name = self.read_extended(size)?;
                    describing.set_long_name(name.strip_suffix(b"\0").unwrap_or(name).to_vec())?;
                }
                // The long target of a link; the link itself is refused.
                b'K' => {
                    self.read_extended(size)?;
                }
                _ => {
                    if let Some(entry) = self.entry(&header, header_offset, size, describing)? {
                        return Ok(Some(entry));
                    }
                    self.skip_content()?;
                    describing = Describing::default();
                    header_offset = self.offset;
                }
            }
        }
    }

    /// Takes a header and what described it for an entry; the root itself is none.
    fn entry(
        &mut self,
        header: &Header<'_>,
        header_offset: u64,
        size: u64,
        describing: Describing,
    ) -> Result<Option<TarEntry>> {
        let Describing { extended, long_name } = describing;
        let extended = extended.unwrap_or_default();
        let len = extended.size.unwrap_or(size);
        let kind = match header.type_flag() {
            _ if extended.is_sparse => return Err(ArchiveFault::Sparse.into()),
            b'S' => return Err(ArchiveFault::Sparse.into()),
            b'0' | 0 => EntryKind::File,
            // GNU tar's incremental archives list the names in a directory as its content; CHECKSUMS says whether all of it is there.
            b'5' | b'D' => EntryKind::Directory,
            b'M' => return Err(ArchiveFault::Volume.into()),
            b'1' => EntryKind::Refused(Refusal::HardLink),
            b'2' => EntryKind::Refused(Refusal::Symlink),
            b'3' | b'4' => EntryKind::Refused(Refusal::Device),
            b'6' => EntryKind::Refused(Refusal::Fifo),
            _ => EntryKind::Refused(Refusal::UnknownType),
        };
        let has_content =
            matches!(kind, EntryKind::File | EntryKind::Refused(Refusal::UnknownType)) || header.type_flag() == b'D';
        if len > 0 && !has_content {
            return Err(ArchiveFault::ContentWithoutFile { len }.into());
        }
        let bytes = self.bytes.checked_add(len).filter(|bytes| *bytes <= self.limits.bytes);
        self.bytes = bytes.ok_or(ArchiveFault::TooManyBytes { max: self.limits.bytes })?;
        self.raw_path.clear();
        match (extended.path, long_name) {
            (Some(_), Some(_)) => return Err(ArchiveFault::StrayHeader.into()),
            (Some(path), None) | (None, Some(path)) => self.raw_path = path,
            (None, None) => header.path(&mut self.raw_path),
        }
        self.left = len;
        self.padding_len = padding_len(len);
        let is_entry = self.set_path(kind)?;
        let kind = if self.raw_path.len() > PATH_LEN_MAX { EntryKind::Refused(Refusal::PathTooLong) } else { kind };
        let len = if kind == EntryKind::Directory { 0 } else { len };
        Ok(is_entry.then_some(TarEntry { kind, len, header_offset, offset: self.offset }))
    }

    /// Checks the raw path; answers whether it is below the root.
    fn set_path(&mut self, kind: EntryKind) -> Result<bool> {
        let path = self.raw_path.as_slice();
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let path = match (kind, path.strip_suffix(b"/")) {
            (EntryKind::Directory, Some(path)) => path,
            (EntryKind::File, Some(_)) => return Err(ArchiveFault::FileNameSlash.into()),
            _ => path,
        };
        self.path.truncate(0);
        let is_root = kind == EntryKind::Directory && matches!(self.raw_path.as_slice(), b"./" | b".");
        if is_root {
            return Ok(false);
        }
        self.path.extend(path)?;
        Ok(true)
    }

    /// Reads the content of a header that describes another entry.
    fn read_extended(&mut self, size: u64) -> Result<&[u8]> {
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if len > EXTENDED_LEN_MAX {
            return Err(ArchiveFault::LongHeader { len: size, max: EXTENDED_LEN_MAX }.into());
        }
        self.buffer.resize(len.saturating_add(padding_len(size)), 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.read_exact(&mut buffer, "in a header");
        self.buffer = buffer;
        read?;
        let (content, padding) = self.buffer.split_at_checked(len).unwrap_or_default();
        check_zero(padding, "behind a header")?;
        Ok(content)
    }

    /// Reads what is left of the current entry, with its padding.
    fn skip_content(&mut self) -> Result<()> {
        while self.left > 0 {
            let mut buffer = std::mem::take(&mut self.buffer);
            let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(SKIP_LEN);
            buffer.resize(want, 0);
            self.read_exact(&mut buffer, INSIDE_A_FILE)?;
            self.left = self.left.saturating_sub(u64::try_from(want).unwrap_or(u64::MAX));
            self.buffer = buffer;
        }
        let mut padding = ZERO_BLOCK;
        let padding = padding.get_mut(..std::mem::take(&mut self.padding_len)).unwrap_or_default();
        let offset = self.offset;
        self.read_exact(padding, "behind a file")?;
        check_zero(padding, "behind a file").map_err(|error| error.at_byte_offset(offset))
    }

    /// Reads the second end block and checks that only zeros follow.
    fn read_end(&mut self) -> Result<()> {
        let mut block: Block = ZERO_BLOCK;
        self.read_block(&mut block, "inside its end blocks")?;
        check_zero(&block, "inside its end blocks")?;
        let end = self.offset;
        let mut buffer = vec![0; SKIP_LEN];
        loop {
            let offset = self.offset;
            let len = self.read_some(&mut buffer)?;
            if len == 0 {
                return Ok(());
            }
            check_zero(buffer.get(..len).unwrap_or_default(), "behind its end")
                .map_err(|error| error.at_byte_offset(offset))?;
            if self.offset.saturating_sub(end) > ZEROS_AT_END_MAX {
                return Err(ArchiveFault::LongEnd { max: ZEROS_AT_END_MAX }.into());
            }
        }
    }

    fn read_block(&mut self, block: &mut Block, place: &'static str) -> Result<()> {
        self.read_exact(block, place)
    }

    fn read_exact(&mut self, buf: &mut [u8], place: &'static str) -> Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_some(buf.get_mut(filled..).unwrap_or_default())? {
                0 => {
                    let place = if self.offset == 0 { BEFORE_ITS_FIRST_BYTE } else { place };
                    return Err(Error::from(ArchiveFault::Truncated { place }).at_byte_offset(self.offset));
                }
                len => filled = filled.saturating_add(len),
            }
        }
        Ok(())
    }

    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match self.input.read(buf) {
                Ok(len) => {
                    self.offset = self.offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error).at_byte_offset(self.offset)),
            }
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    /// Reads the content of the current entry. An error is kept for [`TarReader::take_failure`].
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..want).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let read = match self.read_some(buf) {
            Ok(0) => Err(Error::from(ArchiveFault::Truncated { place: INSIDE_A_FILE }).at_byte_offset(self.offset)),
            result => result,
        };
        match read {
            Ok(len) => {
                self.left = self.left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
                Ok(len)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }
}

/// What headers said about the next entry.
#[derive(Default)]
struct Describing {
    extended: Option<Extended>,
    long_name: Option<Vec<u8>>,
}

impl Describing {
    fn set_extended(&mut self, extended: Extended) -> Result<()> {
        match self.extended.replace(extended) {
            None => Ok(()),
            Some(_) => Err(ArchiveFault::StrayHeader.into()),
        }
    }

    fn set_long_name(&mut self, name: Vec<u8>) -> Result<()> {
        match self.long_name.replace(name) {
            None => Ok(()),
            Some(_) => Err(ArchiveFault::StrayHeader.into()),
        }
    }

    /// Checks that nothing waits for an entry.
    fn check_none(&self) -> Result<()> {
        match self {
            Describing { extended: None, long_name: None } => Ok(()),
            _ => Err(ArchiveFault::StrayHeader.into()),
        }
    }
}

fn check_zero(bytes: &[u8], place: &'static str) -> Result<()> {
    // Without an early end, so that many bytes are looked at at once.
    if bytes.iter().fold(0, |all, byte| all | byte) == 0 { Ok(()) } else { Err(ArchiveFault::NotZero { place }.into()) }
}
