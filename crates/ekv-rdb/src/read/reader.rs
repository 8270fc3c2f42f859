//! A file from front to back: once to see that it is whole, then as often as one likes for its keys.

use std::sync::Arc;

use ekv_model::redis::Event;
use ekv_model::{ByteSource, Example, Findings, Kind, Result};
use ekv_spill::Scratch;

use super::cursor::Cursor;
use super::fault::{Fault, Stop};
use super::findings;
use super::records::{Form, Item, Records};
use super::skip::{ValueType, skip_value};
use super::value::{FieldExpiry, Values};

/// How many keys pass between two words about how far it is.
const WORD_EVERY: u64 = 256;

/// What is known of a file of which every byte has been seen once.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What the file is.
    pub form: Form,
    /// The server that wrote it, as it calls itself.
    pub server: Option<String>,
    /// When it was saved, in Unix seconds.
    pub saved_at_s: Option<u64>,
    /// The checksum of its bytes.
    pub crc64: u64,
    /// Whether the checksum behind it is that one; otherwise there is none.
    pub has_checksum: bool,
    /// Bytes up to its end.
    pub byte_count: u64,
    /// Its keys.
    pub keys: u64,
    /// Those of them in other databases than 0.
    pub keys_elsewhere: u64,
    /// What is odd about it, and what of it no dump can hold.
    pub findings: Findings,
}

/// Takes what is in a file.
pub trait Taker {
    /// Whether the events of a key are wanted; asked before its value is read. `kind` is `None` for that of a module.
    ///
    /// # Errors
    /// The wish to stop.
    fn wants(&mut self, database: u32, key: &[u8], kind: Option<Kind>) -> Result<bool>;

    /// The next event of a key that is wanted.
    ///
    /// # Errors
    /// The first one ends the run.
    fn event(&mut self, database: u32, event: Event<'_>) -> Result<()>;

    /// How far it is, in bytes; now and then.
    ///
    /// # Errors
    /// The wish to stop.
    fn passed(&mut self, byte_offset: u64) -> Result<()>;
}

/// Reads all of a file, checks its structure and its checksum, and says what it is. `passed` learns how far it is, in bytes.
///
/// Cost: one read; 64 KiB of memory and the longest key.
///
/// # Errors
/// [`FaultAt`](super::FaultAt) of the first thing that is wrong; those of `source` and of `passed`.
pub fn check(
    source: &dyn ByteSource,
    scratch: &Arc<dyn Scratch>,
    passed: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Checked> {
    let mut records = open(source, scratch, true)?;
    check_all(&mut records, passed).map_err(|stop| records.at(stop))
}

fn open<'s>(source: &'s dyn ByteSource, scratch: &Arc<dyn Scratch>, checks: bool) -> Result<Records<'s>> {
    let cursor = Cursor::of(source);
    let cursor = if checks { cursor.with_checksum() } else { cursor };
    Records::new(cursor, scratch).map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Fault(fault, byte_offset) => super::FaultAt { fault, byte_offset, key: None }.into(),
    })
}

fn check_all(records: &mut Records<'_>, passed: &mut dyn FnMut(u64) -> Result<()>) -> super::fault::Result<Checked> {
    let mut checked = Checked {
        form: records.form,
        server: None,
        saved_at_s: None,
        crc64: 0,
        has_checksum: false,
        byte_count: 0,
        keys: 0,
        keys_elsewhere: 0,
        findings: Findings::default(),
    };
    let mut words = 0_u64;
    loop {
        let offset = records.cursor.offset();
        if words.is_multiple_of(WORD_EVERY) {
            passed(offset)?;
        }
        words = words.saturating_add(1);
        let found = &mut checked.findings;
        let example = |detail: String| move || Example::new(None, Some(offset), detail);
        match records.next()? {
            Item::Aux(name, value) => checked.aux(offset, name, value),
            Item::Function => found.record(findings::FUNCTIONS, example(String::new())),
            Item::ModuleAux(name) => found.record(findings::MODULE_AUX, example(name)),
            Item::SlotImport => found.record(findings::SLOT_IMPORT, example(String::new())),
            Item::Key => {
                if let Some(key) = records.key.as_ref().filter(|key| key.has_metadata) {
                    found.record(findings::KEY_METADATA, || key.example(String::new()));
                }
                checked.keys = checked.keys.saturating_add(1);
                if let Some(key) = records.key.as_ref().filter(|key| key.database != 0) {
                    checked.keys_elsewhere = checked.keys_elsewhere.saturating_add(1);
                    found.record(findings::SEVERAL_DATABASES, || key.example(String::new()));
                }
                let value_type = records.key.as_ref().map_or(ValueType::String, |key| key.value_type);
                skip_value(&mut records.cursor, value_type)?;
                if let Some(key) = records.key.take() {
                    records.reuse(key);
                }
            }
            Item::End => break,
        }
    }
    checked.crc64 = records.cursor.checksum();
    if records.has_checksum() {
        let at = records.cursor.offset();
        let stated = u64::from_le_bytes(records.cursor.array()?);
        if stated != 0 && stated != checked.crc64 {
            return Err(Stop::Fault(Fault::Checksum { stated, computed: checked.crc64 }, at));
        }
        checked.has_checksum = stated != 0;
    }
    checked.byte_count = records.cursor.offset();
    let behind = records.cursor.left();
    let example = |detail: String| move || Example::new(None, None, detail);
    if !checked.has_checksum {
        checked.findings.record(findings::NO_CHECKSUM, example(String::new()));
    }
    if behind > 0 && !records.has_checksum() {
        return Err(records.cursor.fault(Fault::Behind { len: behind }));
    }
    if behind > 0 {
        checked.findings.record(findings::TRAILING_BYTES, example(format!("{behind} bytes")));
    }
    passed(checked.byte_count)?;
    Ok(checked)
}

impl Checked {
    fn aux(&mut self, offset: u64, name: &[u8], value: &[u8]) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b"redis-ver" if self.server.is_none() => self.server = Some(format!("Redis {}", text())),
            b"valkey-ver" => self.server = Some(format!("Valkey {}", text())),
            b"ctime" => self.saved_at_s = text().parse().ok(),
            b"aof-base" if value == b"1" => {
                self.findings.record(findings::AOF_BASE, || Example::new(None, Some(offset), String::new()));
            }
            _ => {}
        }
    }
}

/// Hands the keys of a file to `taker`, in the order of the file; what is odd or lost goes into `found`.
///
/// Cost: memory that is bounded, some 20 MiB for a key of any size; scratch space for the elements of a large one.
///
/// # Errors
/// [`FaultAt`](super::FaultAt) for what [`check`] refuses; those of `source`, `scratch` and `taker`.
pub fn read(
    source: &dyn ByteSource,
    scratch: &Arc<dyn Scratch>,
    field_expiry: FieldExpiry,
    found: Findings,
    taker: &mut dyn Taker,
) -> Result<Findings> {
    let mut records = open(source, scratch, false)?;
    let mut values = Values::new(scratch, field_expiry, found);
    match read_all(&mut records, &mut values, taker) {
        Ok(()) => Ok(values.findings),
        Err(stop) => Err(records.at(stop)),
    }
}

fn read_all<'s>(records: &mut Records<'s>, values: &mut Values<'s>, taker: &mut dyn Taker) -> super::fault::Result<()> {
    let mut words = 0_u64;
    loop {
        if words.is_multiple_of(WORD_EVERY) {
            taker.passed(records.cursor.offset())?;
        }
        words = words.saturating_add(1);
        match records.next()? {
            Item::Key => {}
            Item::End => return Ok(()),
            _ => continue,
        }
        let database = records.database;
        let Some(key) = &records.key else { continue };
        if taker.wants(database, &key.bytes, key.value_type.kind())? {
            values.pass(&mut records.cursor, key, &mut |event| taker.event(database, event))?;
        } else {
            skip_value(&mut records.cursor, key.value_type)?;
        }
        if let Some(key) = records.key.take() {
            records.reuse(key);
        }
    }
}
