//! One SST file: footer, properties, index, rows. Source: `docs/format/ssti1.md`, sections 3 and 4.

use super::block::{Blocks, FOOTER_LEN, Handle, SstPlace};
use super::bytes::varint;
use super::entries::Entries;
use super::faults::{invalid, unsupported};
use super::manifest::{SstFile, bounds_sha256};
use super::rows::{Row, Rows};
use crate::entry::VALUE_HEAD_LEN;
use crate::format::TS_LEN;
use crate::stream::len_u64;
use crate::{Result, escape};

/// What the footer ends with, behind the version.
const MAGIC: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];
/// The version this tool knows.
const VERSION: u32 = 4;
/// Kind of the checksums this tool knows: masked CRC32C.
const CRC32C: u8 = 1;
/// The only block beside data, indexes and this list.
const PROPERTIES: &[u8] = b"rocksdb.properties";
/// Longest list of properties or of such blocks, in bytes.
const PROPERTIES_LEN_MAX: u64 = 1 << 20;
/// Bytes that are read at once where data blocks follow each other.
const DATA_WINDOW_LEN: u64 = 256 << 10;
/// What a row's key ends with: sequence number 0, kind SET.
const ROW_TRAILER: [u8; TS_LEN] = [1, 0, 0, 0, 0, 0, 0, 0];
/// A bit of the kind that says nothing about the row.
const OBSOLETE: u8 = 0x40;
/// Bits of the byte before a value: whether the value lies elsewhere, and what no format has.
const PREFIX_REFUSED: u8 = 0xd8;

/// What a file says about its rows.
#[derive(Default)]
struct Properties {
    comparator: Option<Vec<u8>>,
    index_type: Option<u32>,
    entries: Option<u64>,
    data_blocks: Option<u64>,
    data_len: Option<u64>,
    raw_key_len: Option<u64>,
    raw_value_len: Option<u64>,
    /// Rows of kinds that no snapshot has.
    others: u64,
}

/// What the data blocks hold so far.
#[derive(Default)]
struct Totals {
    entries: u64,
    data_blocks: u64,
    data_len: u64,
    raw_key_len: u64,
    raw_value_len: u64,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
}

/// Gives all rows of a file, in order, and compares them with what the file and the manifest say of them.
pub(super) fn read(place: &SstPlace<'_>, file: &SstFile, rows: &mut Rows<'_>) -> Result<()> {
    Table { place }.read(file, rows)
}

/// A file that is read.
struct Table<'t> {
    place: &'t SstPlace<'t>,
}

impl Table<'_> {
    fn read(&self, file: &SstFile, rows: &mut Rows<'_>) -> Result<()> {
        let (metaindex, top_index) = self.footer()?;
        let properties = self.properties(metaindex)?;
        let mut totals = Totals::default();
        let mut data = Blocks::new(self.place, DATA_WINDOW_LEN);
        let mut top = Blocks::new(self.place, 0);
        let mut lower = Blocks::new(self.place, 0);
        let top = top.open(top_index)?;
        let mut top = Entries::of(&top)?;
        while let Some(handle) = next_handle(&mut top)? {
            if properties.index_type == Some(0) {
                self.data_block(&mut data, handle, &mut totals, rows)?;
                continue;
            }
            let lower = lower.open(handle)?;
            let mut lower = Entries::of(&lower)?;
            while let Some(handle) = next_handle(&mut lower)? {
                self.data_block(&mut data, handle, &mut totals, rows)?;
            }
        }
        self.compare_totals(&properties, &totals, file)
    }

    /// Where metaindex and top index are.
    fn footer(&self) -> Result<(Handle, Handle)> {
        let mut footer = [0; FOOTER_LEN];
        let at = self.place.start.saturating_add(self.place.blocks_end());
        if self.place.len < len_u64(&footer) {
            return Err(invalid(format!(
                "file {} has {} bytes, less than a footer",
                self.place.name(),
                self.place.len
            )));
        }
        self.place.input.fill_at(at, &mut footer)?;
        let handles = || {
            let (rest, magic) = footer.split_last_chunk::<8>()?;
            let (rest, version) = rest.split_last_chunk::<4>()?;
            let (checksum, rest) = rest.split_first()?;
            Some((*magic, u32::from_le_bytes(*version), *checksum, rest))
        };
        let (magic, version, checksum, rest) = handles().ok_or_else(|| invalid("no footer"))?;
        if magic != MAGIC || version != VERSION {
            return Err(unsupported(format_args!("with magic {} and version {version}", escape(&magic))).at(at));
        }
        if checksum != CRC32C {
            return Err(unsupported(format_args!("with checksums of kind {checksum}")).at(at));
        }
        let (metaindex, rest) = Handle::parse(rest).map_err(|e| e.at(at))?;
        let (top_index, rest) = Handle::parse(rest).map_err(|e| e.at(at))?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(invalid(format!("the footer of file {} holds more than it should", self.place.name())).at(at));
        }
        Ok((metaindex, top_index))
    }

    fn properties(&self, metaindex: Handle) -> Result<Properties> {
        let mut found = None;
        self.for_each_property(metaindex, |name, value| {
            if name != PROPERTIES {
                return Err(unsupported(format_args!("with a block \"{}\"", escape(name))));
            }
            found = Some(Handle::parse(value)?.0);
            Ok(())
        })?;
        let handle = found.ok_or_else(|| invalid(format!("file {} has no properties", self.place.name())))?;
        let mut properties = Properties::default();
        self.for_each_property(handle, |name, value| properties.take(name, value))?;
        properties.check()?;
        Ok(properties)
    }

    /// Calls `f` with the names and values of a short block.
    fn for_each_property(&self, handle: Handle, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let at = self.place.start.saturating_add(handle.offset);
        if handle.len > PROPERTIES_LEN_MAX {
            return Err(invalid(format!("the properties have {} bytes", handle.len)).at(at));
        }
        let mut blocks = Blocks::new(self.place, 0);
        let content = blocks.open(handle)?;
        let mut entries = Entries::of(&content)?;
        while entries.next()? {
            let (name, value, _) = entries.current(usize::MAX)?;
            f(name, value).map_err(|e| e.at(at))?;
        }
        Ok(())
    }

    fn data_block(
        &self,
        blocks: &mut Blocks<'_>,
        handle: Handle,
        totals: &mut Totals,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let at = self.place.start.saturating_add(handle.offset);
        if handle.offset != totals.data_len {
            let (found, expected) = (handle.offset, totals.data_len);
            let name = self.place.name();
            return Err(invalid(format!("a data block of file {name} begins at {found} instead of {expected}")).at(at));
        }
        let content = blocks.open(handle)?;
        let mut entries = Entries::of(&content)?;
        while entries.next()? {
            take_row(&mut entries, totals, rows).map_err(|e| e.at(at))?;
        }
        totals.data_len = handle.end().unwrap_or(u64::MAX);
        totals.data_blocks = totals.data_blocks.saturating_add(1);
        Ok(())
    }

    fn compare_totals(&self, properties: &Properties, totals: &Totals, file: &SstFile) -> Result<()> {
        let name = self.place.name();
        let numbers = [
            ("rows", properties.entries, totals.entries),
            ("data blocks", properties.data_blocks, totals.data_blocks),
            ("bytes of data blocks", properties.data_len, totals.data_len),
            ("bytes of keys", properties.raw_key_len, totals.raw_key_len),
            ("bytes of values", properties.raw_value_len, totals.raw_value_len),
        ];
        for (what, stated, found) in numbers {
            let Some(stated) = stated else { return Err(invalid(format!("file {name} does not state its {what}"))) };
            if stated != found {
                return Err(invalid(format!("file {name} states {stated} {what} and has {found}")));
            }
        }
        if bounds_sha256(&totals.first_key, &totals.last_key) != file.bounds_sha256 {
            return Err(invalid(format!(
                "file {name} reaches from {} to {}, which is not what the manifest states",
                escape(&totals.first_key),
                escape(&totals.last_key)
            )));
        }
        Ok(())
    }
}

/// The next block that an index names.
fn next_handle(index: &mut Entries<'_>) -> Result<Option<Handle>> {
    if !index.next()? {
        return Ok(None);
    }
    // What follows are properties of the block.
    let (_, value, _) = index.current(usize::MAX)?;
    Ok(Some(Handle::parse(value)?.0))
}

/// Takes the row at which `entries` stands.
fn take_row(entries: &mut Entries<'_>, totals: &mut Totals, rows: &mut Rows<'_>) -> Result<()> {
    let shared_len = entries.shared_len();
    let (key, value, value_len) = entries.current(VALUE_HEAD_LEN.saturating_add(1))?;
    let parts = key.split_last_chunk::<TS_LEN>().zip(value.split_first());
    let Some(((raw_key, trailer), (prefix, value_head))) = parts else {
        return Err(invalid("a row is too short for its sequence number and its kind of value").with_key(key));
    };
    let mut known = *trailer;
    let [kind, ..] = &mut known;
    *kind &= !OBSOLETE;
    if known != ROW_TRAILER {
        return Err(invalid(format!("a row has the trailer {}", escape(trailer))).with_key(raw_key));
    }
    if prefix & PREFIX_REFUSED != 0 {
        return Err(invalid(format!("a value has the prefix {prefix:#04x}: it lies elsewhere")).with_key(raw_key));
    }
    let value_len = value_len.saturating_sub(1);
    // What is shared with the key before can reach into its trailer.
    let kept_len = shared_len.min(totals.last_key.len()).min(raw_key.len());
    let row = Row { at: 0, raw_key, kept_len, value_head, value_len };
    rows.begin(&row).map_err(|e| e.with_key(raw_key))?;
    if totals.entries == 0 {
        totals.first_key = raw_key.to_vec();
    }
    totals.entries = totals.entries.saturating_add(1);
    totals.raw_key_len = totals.raw_key_len.saturating_add(len_u64(key));
    totals.raw_value_len = totals.raw_value_len.saturating_add(value_len);
    totals.last_key.truncate(kept_len);
    totals.last_key.extend_from_slice(raw_key.get(kept_len..).unwrap_or_default());
    entries.for_each_piece(1, |piece| rows.value(piece))
}

impl Properties {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        let wrong = || invalid(format!("the property \"{}\" has a value that cannot be", escape(name)));
        let number = || varint(value).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number).ok_or_else(wrong);
        match name {
            b"rocksdb.comparator" => self.comparator = Some(value.to_vec()),
            b"rocksdb.block.based.table.index.type" => {
                self.index_type = Some(u32::from_le_bytes(value.try_into().map_err(|_| wrong())?));
            }
            b"rocksdb.num.entries" => self.entries = Some(number()?),
            b"rocksdb.num.data.blocks" => self.data_blocks = Some(number()?),
            b"rocksdb.data.size" => self.data_len = Some(number()?),
            b"rocksdb.raw.key.size" => self.raw_key_len = Some(number()?),
            b"rocksdb.raw.value.size" => self.raw_value_len = Some(number()?),
            b"rocksdb.deleted.keys" | b"rocksdb.num.range-deletions" | b"rocksdb.merge.operands" => {
                self.others = self.others.saturating_add(number()?);
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match self.comparator.as_deref() {
            Some(b"leveldb.BytewiseComparator") => {}
            other => {
                let found = escape(other.unwrap_or_default());
                return Err(unsupported(format_args!("ordered by \"{found}\"")));
            }
        }
        match self.index_type {
            Some(0 | 2) => {}
            Some(other) => return Err(unsupported(format_args!("with an index of type {other}"))),
            None => return Err(invalid("a file does not state the type of its index")),
        }
        match self.others {
            0 => Ok(()),
            n => Err(unsupported(format_args!("with {n} deletions and merges"))),
        }
    }
}
