//! An archive entry by entry. Nothing that it says is believed before it is checked.

use std::io::{self, Read};

use ekv_files::archive::header::{Header, SparseBlock};
use ekv_files::archive::{ArchiveFault, BLOCK_LEN, Block, ZERO_BLOCK, padding_len};
use ekv_files::source::read_error;
use ekv_files::{Error, ErrorKind, Result};
use ekv_model::fs::PATH_LEN_MAX;
use ekv_spill::Spool;

use super::fault::TarFault;
use super::pax::{Extended, whole};
use super::row::{Row, RowKind};
use crate::layout::fs::fault::FsFault;

/// Longest extended header or long name, in bytes: two paths of the greatest length, and what else there is.
const EXTENDED_LEN_MAX: usize = 2 * PATH_LEN_MAX + (1 << 20);
/// Bytes read at once where nothing is done with them.
const SKIP_LEN: usize = 64 << 10;
/// Longest number in a map before the content, with its line feed.
const MAP_NUMBER_LEN_MAX: usize = 21;

const IN_A_HEADER: &str = "in a header";
const INSIDE_A_FILE: &str = "inside a file";

/// Reads the entries of an archive.
pub(super) struct Scan<'r> {
    input: &'r mut dyn Read,
    offset: u64,
    /// What stands for all entries that follow.
    global: Extended,
    buffer: Vec<u8>,
}

/// An entry, with its path as it stands there.
pub(super) struct Scanned {
    pub(super) path: Vec<u8>,
    /// The entry, or what it is that no store holds.
    pub(super) row: Result<Row, &'static str>,
}

/// Offset and length of all parts of all sparse files.
pub(super) struct Parts {
    rows: Spool,
    count: u64,
}

/// What headers say about the next entry.
#[derive(Default)]
struct Describing {
    extended: Option<Extended>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<'r> Scan<'r> {
    pub(super) fn new(input: &'r mut dyn Read) -> Self {
        Scan { input, offset: 0, global: Extended::default(), buffer: Vec::new() }
    }

    /// The next entry; `None` behind the last one, when nothing follows it.
    pub(super) fn next(&mut self, parts: &mut Parts) -> Result<Option<Scanned>> {
        let start = self.offset;
        self.next_entry(parts).map_err(|error| {
            let offset = error.location().byte_offset.unwrap_or(start);
            match error.kind() {
                ErrorKind::Archive(fault) => Error::from(FsFault::from(fault.clone())),
                _ => error,
            }
            .at_byte_offset(offset)
        })
    }

    fn next_entry(&mut self, parts: &mut Parts) -> Result<Option<Scanned>> {
        let mut describing = Describing::default();
        loop {
            let start = self.offset;
            let block = self.block("without its end blocks")?;
            if block == ZERO_BLOCK {
                if describing.extended.is_some() || describing.path.is_some() || describing.link.is_some() {
                    return Err(ArchiveFault::StrayHeader.into());
                }
                self.end()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            let size = header.size()?;
            match header.type_flag() {
                b'x' => {
                    let mut extended = self.global.clone();
                    extended.take_all(self.text(size)?)?;
                    twice(&describing.extended.replace(extended))?;
                }
                b'g' => {
                    let mut global = std::mem::take(&mut self.global);
                    global.take_all(self.text(size)?)?;
                    if !global.can_be_global() {
                        return Err(ArchiveFault::GlobalHeader.into());
                    }
                    self.global = Extended { comment: None, ..global };
                }
                b'L' => {
                    let name = self.text(size)?;
                    let name = name.strip_suffix(b"\0").unwrap_or(name).to_vec();
                    twice(&describing.path.replace(name))?;
                }
                b'K' => {
                    let name = self.text(size)?;
                    let name = name.strip_suffix(b"\0").unwrap_or(name).to_vec();
                    twice(&describing.link.replace(name))?;
                }
                // The label of a volume.
                b'V' => {}
                _ => return self.entry(&header, start, size, describing, parts).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header<'_>,
        start: u64,
        size: u64,
        describing: Describing,
        parts: &mut Parts,
    ) -> Result<Scanned> {
        let Describing { extended, path, link } = describing;
        let mut extended = extended.unwrap_or_else(|| self.global.clone());
        let sparse = extended.sparse();
        let body_len = extended.size.unwrap_or(size);
        let mut raw_path = Vec::new();
        match extended.path.take().or(path) {
            Some(path) => raw_path = path,
            None => header.path(&mut raw_path),
        }
        let type_flag = header.type_flag();
        let is_directory = type_flag == b'5' || (type_flag == 0 && raw_path.ends_with(b"/"));
        let kind = match type_flag {
            _ if extended.has_attributes => Err("extended attributes"),
            _ if is_directory => Ok(RowKind::Directory),
            0 | b'0' | b'7' | b'S' => Ok(RowKind::File),
            b'1' => Ok(RowKind::Link),
            b'2' => Err("a symbolic link"),
            b'3' | b'4' => Err("a device"),
            b'6' => Err("a pipe"),
            b'M' => return Err(ArchiveFault::Volume.into()),
            _ => Err("something unknown"),
        };
        let kind = match kind {
            Ok(kind) => kind,
            Err(what) => {
                let has_body = !matches!(type_flag, b'1'..=b'6');
                // The map of a sparse file goes on before its content.
                let more = type_flag == b'S' && header.sparse()?.1.goes_on;
                if more {
                    while self.sparse_block()?.goes_on {}
                }
                self.skip(if has_body { body_len } else { 0 })?;
                return Ok(Scanned { path: raw_path, row: Err(what) });
            }
        };
        if kind != RowKind::File && body_len > 0 {
            return Err(ArchiveFault::ContentWithoutFile { len: body_len }.into());
        }
        let mut row = Row { kind, offset: start, ..Row::default() };
        set_attributes(&mut row, header, &extended)?;
        if kind == RowKind::Link {
            row.link = extended.link.take().or(link).unwrap_or_else(|| header.link().to_vec());
        }
        if kind == RowKind::File {
            row.size = body_len;
            row.content_len = body_len;
            if type_flag == b'S' {
                let (file_len, mut block) = header.sparse()?;
                let mut map = parts.of_file(file_len);
                loop {
                    block.runs.iter().try_for_each(|(offset, len)| map.push(*offset, *len))?;
                    if !block.goes_on {
                        break;
                    }
                    block = self.sparse_block()?;
                }
                map.finish(&mut row)?;
            } else if let Some(sparse) = sparse {
                let mut map = parts.of_file(sparse.file_len.ok_or_else(bad_map)?);
                if sparse.is_map_in_front {
                    let mut left = body_len;
                    self.map_in_front(&mut left, &mut map)?;
                    row.content_len = left;
                } else {
                    sparse.runs.iter().try_for_each(|(offset, len)| map.push(*offset, *len))?;
                }
                map.finish(&mut row)?;
            }
            row.content_offset = self.offset;
            self.skip(row.content_len)?;
        }
        Ok(Scanned { path: raw_path, row: Ok(row) })
    }

    /// Reads a map that stands before the content: numbers, each with a line feed, and zeros up to the end of a block. `left` is what is left of the body.
    fn map_in_front(&mut self, left: &mut u64, map: &mut Map<'_>) -> Result<()> {
        let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
        let (mut numbers_left, mut offset, mut digits) = (None, None, Vec::new());
        while numbers_left != Some(0) {
            *left = left.checked_sub(block_len).ok_or_else(bad_map)?;
            for byte in self.block(INSIDE_A_FILE)? {
                if numbers_left == Some(0) {
                    break;
                }
                digits.push(byte);
                if byte != b'\n' {
                    if digits.len() >= MAP_NUMBER_LEN_MAX {
                        return Err(bad_map().into());
                    }
                    continue;
                }
                let number = digits.split_last().and_then(|(_, digits)| whole(digits)).ok_or_else(bad_map)?;
                digits.clear();
                match &mut numbers_left {
                    None => numbers_left = Some(number.checked_mul(2).ok_or_else(bad_map)?),
                    Some(numbers_left) => {
                        *numbers_left = numbers_left.saturating_sub(1);
                        match offset.take() {
                            None => offset = Some(number),
                            Some(offset) => map.push(offset, number)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn sparse_block(&mut self) -> Result<SparseBlock> {
        Ok(SparseBlock::parse(&self.block(IN_A_HEADER)?)?)
    }

    /// The content of a header that describes other entries.
    fn text(&mut self, size: u64) -> Result<&[u8]> {
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if len > EXTENDED_LEN_MAX {
            return Err(ArchiveFault::LongHeader { len: size, max: EXTENDED_LEN_MAX }.into());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(len.saturating_add(padding_len(size)), 0);
        let read = self.read_exact(&mut buffer, IN_A_HEADER);
        self.buffer = buffer;
        read?;
        Ok(self.buffer.get(..len).unwrap_or_default())
    }

    /// Passes over a body and what fills its last block.
    fn skip(&mut self, len: u64) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let padding = u64::try_from(padding_len(len)).unwrap_or(u64::MAX);
        let mut left = len.checked_add(padding).ok_or(ArchiveFault::Number { field: "size" })?;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(SKIP_LEN);
            buffer.resize(want, 0);
            self.read_exact(&mut buffer, INSIDE_A_FILE)?;
            left = left.saturating_sub(u64::try_from(want).unwrap_or(u64::MAX));
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Reads the second end block and what follows, which is zeros.
    fn end(&mut self) -> Result<()> {
        let mut buffer = self.block("inside its end blocks")?.to_vec();
        loop {
            if buffer.iter().any(|byte| *byte != 0) {
                return Err(ArchiveFault::NotZero { place: "behind its end" }.into());
            }
            buffer.resize(SKIP_LEN, 0);
            let len = self.read_some(&mut buffer)?;
            if len == 0 {
                return Ok(());
            }
            buffer.truncate(len);
        }
    }

    fn block(&mut self, place: &'static str) -> Result<Block> {
        let mut block = ZERO_BLOCK;
        self.read_exact(&mut block, place)?;
        Ok(block)
    }

    fn read_exact(&mut self, buf: &mut [u8], place: &'static str) -> Result<()> {
        let mut rest = buf;
        while !rest.is_empty() {
            match self.read_some(rest)? {
                0 => return Err(Error::from(ArchiveFault::Truncated { place }).at_byte_offset(self.offset)),
                len => rest = rest.split_at_mut_checked(len).unwrap_or_default().1,
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

/// Whose an entry is. What a comment says more exactly counts as long as tar's own fields agree with it.
fn set_attributes(row: &mut Row, header: &Header<'_>, extended: &Extended) -> Result<()> {
    let own = header.attributes()?;
    let small = |number: u64, field| u32::try_from(number).map_err(|_| ArchiveFault::Number { field });
    row.uid = small(extended.uid.unwrap_or(own.uid), "owner")?;
    row.gid = small(extended.gid.unwrap_or(own.gid), "group")?;
    row.mode = own.mode;
    let whole_seconds = own.modified_unix_s.checked_mul(1_000_000_000).ok_or(ArchiveFault::Number { field: "time" });
    let mtime = extended.mtime_nsec.map_or(whole_seconds, Ok)?;
    row.times_nsec = [mtime, extended.atime_nsec.unwrap_or(mtime), extended.ctime_nsec.unwrap_or(mtime)];
    let Some(comment) = extended.comment else { return Ok(()) };
    row.id = comment.id;
    if [0o1777, 0o7777].into_iter().any(|bits| comment.mode & bits == own.mode) {
        row.mode = comment.mode;
    }
    for ((own, stored), is_ctime) in row.times_nsec.iter_mut().zip(comment.times_nsec).zip([false, false, true]) {
        if is_ctime || stored.max(0) == *own {
            *own = stored;
        }
    }
    Ok(())
}

fn twice<T>(before: &Option<T>) -> Result<(), ArchiveFault> {
    if before.is_some() { Err(ArchiveFault::StrayHeader) } else { Ok(()) }
}

impl Parts {
    pub(super) fn new(rows: Spool) -> Self {
        Parts { rows, count: 0 }
    }

    pub(super) fn into_rows(self) -> Spool {
        self.rows
    }

    /// Begins the map of a file of so many bytes.
    fn of_file(&mut self, file_len: u64) -> Map<'_> {
        Map { first: self.count, parts: self, file_len, end: 0, stored_len: 0 }
    }
}

/// The map of a sparse file.
struct Map<'p> {
    parts: &'p mut Parts,
    first: u64,
    file_len: u64,
    end: u64,
    stored_len: u64,
}

impl Map<'_> {
    fn push(&mut self, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|end| offset >= self.end && *end <= self.file_len);
        self.end = end.ok_or_else(bad_map)?;
        if len == 0 {
            return Ok(());
        }
        self.stored_len = self.stored_len.saturating_add(len);
        self.parts.count = self.parts.count.saturating_add(1);
        Ok(self.parts.rows.write_all(&[offset.to_le_bytes(), len.to_le_bytes()].concat())?)
    }

    fn finish(self, row: &mut Row) -> Result<()> {
        if self.stored_len != row.content_len {
            return Err(bad_map().into());
        }
        row.size = self.file_len;
        row.parts = Some((self.first, self.parts.count.saturating_sub(self.first)));
        Ok(())
    }
}

fn bad_map() -> FsFault {
    TarFault::Map.into()
}
