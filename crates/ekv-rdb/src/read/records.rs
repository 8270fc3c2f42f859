//! The frame of a file: what it begins with, the instructions and keys one after the other, and its end.
//!
//! Source: `docs/format/rdb.md`, sections 1.1, 1.4 and 1.7.

use std::sync::Arc;

use ekv_model::{Body, Example, KEY_LEN_MAX, Protocol};
use ekv_spill::Scratch;

use super::cursor::Cursor;
use super::fault::{Fault, FaultAt, Magic, Result, Stop};
use super::skip::{ValueType, module_name, skip_module};
use super::string::{self, Held};

const MAGIC_LEN: usize = 9;
const REDIS: &[u8] = b"REDIS";
const VALKEY: &[u8] = b"VALKEY";
const ENVELOPE: &[u8] = b"VCS";
/// Newest version of Redis that is read.
const REDIS_NEWEST: u16 = 13;
/// The version of Valkey that is read; older ones have the magic of Redis.
const VALKEY_ONLY: u16 = 80;
/// First version that ends with a checksum.
const FIRST_WITH_CHECKSUM: u16 = 5;

/// Highest type that files without checksum have.
const OLD_TYPE_MAX: u8 = 13;

/// Longest name or value of the file's description that is kept, in bytes.
const AUX_LEN_MAX: usize = 4096;

const KEY_METADATA: u8 = 0xf3;
const SLOT_INFO: u8 = 0xf4;
const FUNCTION: u8 = 0xf5;
const MODULE_AUX: u8 = 0xf7;
const IDLE: u8 = 0xf8;
const FREQUENCY: u8 = 0xf9;
const AUX: u8 = 0xfa;
const RESIZE_DATABASE: u8 = 0xfb;
const EXPIRY_MS: u8 = 0xfc;
const EXPIRY_SECONDS: u8 = 0xfd;
const SELECT_DATABASE: u8 = 0xfe;
const END: u8 = 0xff;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Whose versions are meant.
    pub magic: Magic,
    /// The version.
    pub version: u16,
}

/// Goes through a file.
pub(super) struct Records<'s> {
    pub(super) cursor: Cursor<'s>,
    pub(super) form: Form,
    held: Held<'s>,
    /// The database that is selected.
    pub(super) database: u32,
    /// The key that was passed last, if it is inside of its value.
    pub(super) key: Option<Key>,
    aux: (Vec<u8>, Vec<u8>),
    name: Vec<u8>,
}

/// A key of which the value follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    /// Index of its database.
    pub(super) database: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) value_type: ValueType,
    pub(super) expire_at_ms: Option<i64>,
    /// Whether a server keeps something of it that is for modules.
    pub(super) has_metadata: bool,
    /// Where its record begins.
    pub(super) byte_offset: u64,
}

impl Key {
    /// An occurrence of a finding about it.
    pub(super) fn example(&self, detail: String) -> Example {
        let example = Example::new(Some(&self.bytes), Some(self.byte_offset), detail);
        example.in_scope(Protocol::Redis, self.database.to_string())
    }
}

/// What follows.
pub(super) enum Item<'r> {
    /// Something about the file.
    Aux(&'r [u8], &'r [u8]),
    /// A library of functions.
    Function,
    /// What a module of this name keeps beside keys.
    ModuleAux(String),
    /// A key, [`Records::key`]; the cursor is before its value.
    Key,
    /// A range of slots that is on its way to another node.
    SlotImport,
    /// The end of what the checksum covers.
    End,
}

impl<'s> Records<'s> {
    /// Behind the magic.
    pub(super) fn new(mut cursor: Cursor<'s>, scratch: &Arc<dyn Scratch>) -> Result<Self> {
        let form = form(&mut cursor)?;
        let held = Held::new(scratch);
        Ok(Records { cursor, form, held, database: 0, key: None, aux: Default::default(), name: Vec::new() })
    }

    /// Says of a stop where it is.
    pub(super) fn at(&self, stop: Stop) -> ekv_model::Error {
        match stop {
            Stop::Error(error) => error,
            Stop::Fault(fault, byte_offset) => {
                let key = self.key.as_ref().map(|key| (self.database, key.bytes.clone()));
                FaultAt { fault, byte_offset, key }.into()
            }
        }
    }

    /// Whether a checksum stands behind the end.
    pub(super) fn has_checksum(&self) -> bool {
        self.form.magic == Magic::Valkey || self.form.version >= FIRST_WITH_CHECKSUM
    }

    /// What follows; the value of a key must have been passed.
    pub(super) fn next(&mut self) -> Result<Item<'_>> {
        self.key = None;
        let mut key = Key { byte_offset: self.cursor.offset(), ..Key::default() };
        loop {
            let byte = self.cursor.byte()?;
            match byte {
                EXPIRY_MS => key.expire_at_ms = Some(i64::from_le_bytes(self.cursor.array()?)),
                EXPIRY_SECONDS => {
                    key.expire_at_ms = Some(i64::from(i32::from_le_bytes(self.cursor.array()?)).saturating_mul(1000));
                }
                IDLE => drop(self.cursor.length()?),
                FREQUENCY => drop(self.cursor.byte()?),
                SELECT_DATABASE => {
                    let number = self.cursor.length()?;
                    let unknown = || self.cursor.fault(Fault::Length("no server has a database of this number"));
                    self.database = u32::try_from(number).ok().filter(|n| *n < 1 << 31).ok_or_else(unknown)?;
                }
                RESIZE_DATABASE => drop((self.cursor.length()?, self.cursor.length()?)),
                SLOT_INFO => drop((self.cursor.length()?, self.cursor.length()?, self.cursor.length()?)),
                KEY_METADATA if self.form.magic == Magic::Redis => {
                    for _ in 0..self.cursor.count()? {
                        self.cursor.array::<4>()?;
                        skip_module(&mut self.cursor)?;
                    }
                    key.has_metadata = true;
                }
                KEY_METADATA => {
                    string::skip(&mut self.cursor)?;
                    for _ in 0..self.cursor.count()? {
                        self.cursor.length()?;
                        self.cursor.length()?;
                    }
                    return Ok(Item::SlotImport);
                }
                AUX if self.has_checksum() => return self.aux(),
                FUNCTION => {
                    string::skip(&mut self.cursor)?;
                    return Ok(Item::Function);
                }
                MODULE_AUX => {
                    let name = module_name(self.cursor.length()?);
                    if self.cursor.length()? != 2 {
                        return Err(self.cursor.fault(Fault::Module("it does not say when it is loaded")));
                    }
                    self.cursor.length()?;
                    skip_module(&mut self.cursor)?;
                    return Ok(Item::ModuleAux(name));
                }
                END => return Ok(Item::End),
                byte => {
                    let Form { magic, version } = self.form;
                    let known = ValueType::of(byte, magic).filter(|_| self.has_checksum() || byte <= OLD_TYPE_MAX);
                    let Some(value_type) = known else {
                        let at = self.cursor.offset().saturating_sub(1);
                        return Err(Stop::Fault(Fault::Unknown { byte, magic, version }, at));
                    };
                    (key.value_type, key.database) = (value_type, self.database);
                    self.text(KEY_LEN_MAX, "a key", Into::Key)?;
                    key.bytes = std::mem::take(&mut self.name);
                    self.key = Some(key);
                    return Ok(Item::Key);
                }
            }
        }
    }

    /// Gives back the memory of a key.
    pub(super) fn reuse(&mut self, key: Key) {
        self.name = key.bytes;
    }

    fn aux(&mut self) -> Result<Item<'_>> {
        self.text(AUX_LEN_MAX, "a name", Into::AuxName)?;
        self.text(AUX_LEN_MAX, "a description", Into::AuxValue)?;
        Ok(Item::Aux(&self.aux.0, &self.aux.1))
    }

    fn text(&mut self, max: usize, what: &'static str, into: Into) -> Result<()> {
        let offset = self.cursor.offset();
        let to = match into {
            Into::Key => &mut self.name,
            Into::AuxName => &mut self.aux.0,
            Into::AuxValue => &mut self.aux.1,
        };
        let body = self.held.string(&mut self.cursor)?;
        // What describes the file is for people; what is longer is for nobody here.
        let body = if max == AUX_LEN_MAX && body.len() > crate::file_len(max) { Body::Inline(&[]) } else { body };
        string::load(body, what, max, to).map_err(|stop| stop.at(offset))
    }
}

enum Into {
    Key,
    AuxName,
    AuxValue,
}

fn form(cursor: &mut Cursor<'_>) -> Result<Form> {
    let len = usize::try_from(cursor.left()).unwrap_or(usize::MAX).min(MAGIC_LEN);
    let first = cursor.peek(len)?.to_vec();
    if first.starts_with(ENVELOPE) {
        return Err(cursor.fault(Fault::Envelope));
    }
    let digits = |magic: Magic, prefix: &[u8]| {
        let digits = first.strip_prefix(prefix).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        let version = digits.iter().fold(0, |version: u16, digit| version * 10 + u16::from(digit - b'0'));
        Some(Form { magic, version })
    };
    let form = digits(Magic::Redis, REDIS).or_else(|| digits(Magic::Valkey, VALKEY));
    let Some(form) = form.filter(|_| len == MAGIC_LEN) else { return Err(cursor.fault(Fault::Magic(first))) };
    let Form { magic, version } = form;
    let is_known = match magic {
        Magic::Redis => (1..=REDIS_NEWEST).contains(&version),
        Magic::Valkey => version == VALKEY_ONLY,
    };
    if !is_known {
        return Err(cursor.fault(Fault::Version { magic, version }));
    }
    cursor.skip(crate::file_len(MAGIC_LEN))?;
    Ok(form)
}
