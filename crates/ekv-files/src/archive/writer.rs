//! Entries to the bytes of a tar archive. Equal entries in equal order give equal bytes.
//!
//! Source: `docs/format/tree.md`, section 9.2.

use std::io::Write;
use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use super::header::{HeaderMaker, Kind, OCTAL_11_MAX, seal, split, stand_in};
use super::names::{EntryPosition, NameSorter};
use super::write_error::WriteError;
use super::{BLOCK_LEN, ZERO_BLOCK, padding_len, pax};

/// Bytes that are gathered before they are written. A file that does not fit waits in a scratch file until its length is known.
const BUFFER_LEN: usize = 1 << 20;

/// Writes entries one after the other. The caller sees to the order of calls and to the names.
///
/// Cost: one buffer of 1 MiB and no system call for small files; larger files pass through a scratch file, since the header that
/// states their length comes first.
pub(crate) struct TarWriter<W> {
    output: W,
    /// Bytes that were written.
    len: u64,
    headers: HeaderMaker,
    /// What is not written yet: whole entries, and at the end the open file from its first header on.
    buffer: Vec<u8>,
    /// Where the open file begins in the buffer, and where its content does.
    entry_start: usize,
    content_start: usize,
    /// The path of the open file, and where its first header begins in the tar.
    path: Vec<u8>,
    header_offset: u64,
    /// The content of an open file that is too large for the buffer.
    spool: Option<Spool>,
    /// Extended headers so far.
    extended: u64,
    records: Vec<u8>,
    /// Takes down which entry lies where, if somebody wants to know.
    names: Option<NameSorter>,
    scratch: Arc<dyn Scratch>,
}

impl<W: Write> TarWriter<W> {
    /// Begins an archive whose entries have this time, in Unix seconds.
    pub(crate) fn new(output: W, modified_unix_s: u64, with_names: bool, scratch: Arc<dyn Scratch>) -> Self {
        TarWriter {
            output,
            len: 0,
            headers: HeaderMaker::new(modified_unix_s.min(OCTAL_11_MAX)),
            buffer: Vec::with_capacity(BUFFER_LEN),
            entry_start: 0,
            content_start: 0,
            path: Vec::new(),
            header_offset: 0,
            spool: None,
            extended: 0,
            records: Vec::new(),
            names: with_names.then(|| NameSorter::new(Arc::clone(&scratch))),
            scratch,
        }
    }

    /// Takes scratch files from elsewhere; nothing may have been written yet.
    pub(crate) fn set_scratch(&mut self, scratch: Arc<dyn Scratch>) {
        self.names = self.names.take().map(|_| NameSorter::new(Arc::clone(&scratch)));
        self.scratch = scratch;
    }

    /// What takes the bytes.
    pub(crate) fn output_mut(&mut self) -> &mut W {
        &mut self.output
    }

    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<(), WriteError> {
        self.make_room(BLOCK_LEN)?;
        self.header_offset = self.next_offset();
        self.push_headers(Kind::Directory, path, 0);
        self.note(path, 0, true)
    }

    pub(crate) fn begin(&mut self, path: &[u8]) -> Result<(), WriteError> {
        self.make_room(BLOCK_LEN)?;
        self.path.clear();
        self.path.extend_from_slice(path);
        self.header_offset = self.next_offset();
        self.entry_start = self.buffer.len();
        self.push_headers(Kind::File, path, 0);
        self.content_start = self.buffer.len();
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if let Some(spool) = &mut self.spool {
            return Ok(spool.write_all(bytes)?);
        }
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER_LEN {
            self.write_out_whole_entries()?;
            if self.buffer.len().saturating_add(bytes.len()) > BUFFER_LEN {
                return self.spill(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn end(&mut self) -> Result<(), WriteError> {
        let path = std::mem::take(&mut self.path);
        let len = match self.spool.take() {
            Some(spool) => self.end_spilled(spool, &path)?,
            None => self.end_gathered(),
        };
        self.note(&path, len, false)?;
        self.path = path;
        Ok(())
    }

    /// Ends a file that lies in the buffer; answers its length.
    fn end_gathered(&mut self) -> u64 {
        let len = len_u64(self.buffer.len().saturating_sub(self.content_start));
        let header_start = self.content_start.saturating_sub(BLOCK_LEN);
        if let Some(header) = self.buffer.get_mut(header_start..self.content_start) {
            seal(header, len);
        }
        self.pad(len);
        len
    }

    /// Writes the end of the archive and gives the output back, with the names that were taken down.
    pub(crate) fn finish(mut self) -> Result<(W, Option<NameSorter>), WriteError> {
        for _ in 0..2 {
            self.buffer.extend_from_slice(&ZERO_BLOCK);
        }
        self.output.write_all(&self.buffer)?;
        Ok((self.output, self.names))
    }

    /// Gives the output back as it is, without the end of an archive.
    pub(crate) fn into_output(self) -> W {
        self.output
    }

    /// Where the next entry begins in the tar.
    fn next_offset(&self) -> u64 {
        self.len.saturating_add(len_u64(self.buffer.len()))
    }

    /// Takes down the entry whose headers began last.
    fn note(&mut self, path: &[u8], len: u64, is_directory: bool) -> Result<(), WriteError> {
        match &mut self.names {
            Some(names) => Ok(names.add(path, EntryPosition { header_offset: self.header_offset, len, is_directory })?),
            None => Ok(()),
        }
    }

    /// Writes out what is gathered, if there is no room for more.
    fn make_room(&mut self, len: usize) -> Result<(), WriteError> {
        if self.buffer.len().saturating_add(len) > BUFFER_LEN { self.write_out(self.buffer.len()) } else { Ok(()) }
    }

    /// Writes out the beginning of what is gathered.
    fn write_out(&mut self, len: usize) -> Result<(), WriteError> {
        self.output.write_all(self.buffer.get(..len).unwrap_or_default())?;
        self.buffer.drain(..len);
        self.len = self.len.saturating_add(len_u64(len));
        Ok(())
    }

    /// Writes out everything before the open file.
    fn write_out_whole_entries(&mut self) -> Result<(), WriteError> {
        self.write_out(self.entry_start)?;
        self.content_start = self.content_start.saturating_sub(self.entry_start);
        self.entry_start = 0;
        Ok(())
    }

    /// Moves the open file, and `bytes` behind it, to a scratch file.
    fn spill(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut spool = Spool::new(Arc::clone(&self.scratch), 0);
        spool.write_all(self.buffer.get(self.content_start..).unwrap_or_default())?;
        spool.write_all(bytes)?;
        self.spool = Some(spool);
        // Its headers are made again when the length is known.
        self.buffer.clear();
        if split(&self.path).is_none() {
            self.extended = self.extended.saturating_sub(1);
        }
        Ok(())
    }

    /// Ends a file that lies in a scratch file; answers its length.
    fn end_spilled(&mut self, spool: Spool, path: &[u8]) -> Result<u64, WriteError> {
        let content = spool.into_reader()?;
        self.push_headers(Kind::File, path, content.len());
        self.write_out(self.buffer.len())?;
        content.for_each_chunk(|chunk| Ok::<(), WriteError>(self.output.write_all(chunk)?))?;
        self.len = self.len.saturating_add(content.len());
        self.pad(content.len());
        Ok(content.len())
    }

    /// Appends the headers of an entry.
    fn push_headers(&mut self, kind: Kind, path: &[u8], size: u64) {
        let parts = split(path);
        let is_large = size > OCTAL_11_MAX;
        if parts.is_none() || is_large {
            self.records.clear();
            if parts.is_none() {
                pax::push_record(b"path", path, &mut self.records);
            }
            if is_large {
                pax::push_record(b"size", size.to_string().as_bytes(), &mut self.records);
            }
            let records_len = len_u64(self.records.len());
            let name = format!("PaxHeaders/{}", self.extended);
            self.extended = self.extended.saturating_add(1);
            self.push_header(Kind::Extended, (b"", name.as_bytes()), records_len);
            self.buffer.extend_from_slice(&self.records);
            self.pad(records_len);
        }
        match parts {
            Some(parts) => self.push_header(kind, parts, size),
            None => self.push_header(kind, (b"", &stand_in(path)), size),
        }
    }

    fn push_header(&mut self, kind: Kind, (prefix, name): (&[u8], &[u8]), size: u64) {
        let mut header = self.headers.make(kind, prefix, name);
        seal(&mut header, size);
        self.buffer.extend_from_slice(&header);
    }

    /// Fills the last block of a file.
    fn pad(&mut self, len: u64) {
        self.buffer.extend_from_slice(ZERO_BLOCK.get(..padding_len(len)).unwrap_or_default());
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
