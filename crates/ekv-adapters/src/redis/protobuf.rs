//! Protobuf messages of any size, read in pieces from where they lie. Source: `docs/format/redis.md`, sections 2.8 and 2.9.

use ekv_model::{ByteSource, Result};
use ekv_snapshot::StoredValue;

/// Bytes read at a time from values that are not in memory.
const BUFFER_LEN: usize = 16 << 10;

/// A field of a message.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) content: Content<'a>,
}

/// What a field holds, by wire type.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// Bytes, a string or a message.
    Bytes(StoredValue<'a>),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// A varint or four bytes: nothing here uses them.
    Other,
}

/// The message is not valid wire data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads the fields of a message one after the other.
pub(super) struct Message<'a> {
    value: StoredValue<'a>,
    at: u64,
    buffer: Vec<u8>,
    buffer_start: u64,
}

impl<'a> Message<'a> {
    pub(super) fn new(value: StoredValue<'a>) -> Self {
        Message { value, at: 0, buffer: Vec::new(), buffer_start: 0 }
    }

    /// The next field; `Ok(None)` at the end of the message.
    pub(super) fn next_field(&mut self) -> Result<Result<Option<Field<'a>>, Malformed>> {
        if self.at == self.value.len() {
            return Ok(Ok(None));
        }
        let Some(tag) = self.varint()? else { return Ok(Err(Malformed)) };
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Ok(Err(Malformed));
        }
        let content = match tag & 7 {
            0 => match self.varint()? {
                Some(_) => Content::Other,
                None => return Ok(Err(Malformed)),
            },
            1 => match self.take(8) {
                Some(start) => Content::Fixed64(self.u64_le(start)?),
                None => return Ok(Err(Malformed)),
            },
            2 => {
                let len = self.varint()?;
                match len.and_then(|len| self.take(len).map(|start| self.value.slice(start, len))) {
                    Some(bytes) => Content::Bytes(bytes),
                    None => return Ok(Err(Malformed)),
                }
            }
            5 if self.take(4).is_some() => Content::Other,
            _ => return Ok(Err(Malformed)),
        };
        Ok(Ok(Some(Field { number, content })))
    }

    /// Moves over `len` bytes; returns where they begin.
    fn take(&mut self, len: u64) -> Option<u64> {
        let start = self.at;
        let end = start.checked_add(len).filter(|end| *end <= self.value.len())?;
        self.at = end;
        Some(start)
    }

    fn varint(&mut self) -> Result<Option<u64>> {
        let mut value = 0_u64;
        for i in 0..10_u32 {
            let Some(at) = self.take(1) else { return Ok(None) };
            let byte = u64::from(self.byte(at)?);
            if i == 9 && byte > 1 {
                return Ok(None);
            }
            value |= (byte & 0x7f) << i.saturating_mul(7);
            if byte & 0x80 == 0 {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn u64_le(&mut self, start: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        for (i, byte) in (0_u64..).zip(&mut bytes) {
            *byte = self.byte(start.saturating_add(i))?;
        }
        Ok(u64::from_le_bytes(bytes))
    }

    /// The byte at an index below the length of the value.
    fn byte(&mut self, at: u64) -> Result<u8> {
        let index = |start: u64| at.checked_sub(start).and_then(|i| usize::try_from(i).ok());
        if let Some(byte) = index(0).and_then(|i| self.value.head().get(i)) {
            return Ok(*byte);
        }
        if let Some(byte) = index(self.buffer_start).and_then(|i| self.buffer.get(i)) {
            return Ok(*byte);
        }
        let left = usize::try_from(self.value.len().saturating_sub(at)).unwrap_or(BUFFER_LEN);
        self.buffer.resize(left.min(BUFFER_LEN), 0);
        self.buffer_start = at;
        self.value.read_exact_at(at, &mut self.buffer)?;
        Ok(self.buffer.first().copied().unwrap_or(0))
    }
}

/// Whether the bytes are UTF-8, as a proto3 string must be.
pub(super) fn is_utf8(value: &StoredValue<'_>) -> Result<bool> {
    if let Some(bytes) = value.whole() {
        return Ok(std::str::from_utf8(bytes).is_ok());
    }
    let mut open: Vec<u8> = Vec::new();
    let mut valid = true;
    value.body().for_each_chunk(|chunk| {
        if !valid {
            return Ok(());
        }
        let joined;
        let bytes = if open.is_empty() {
            chunk
        } else {
            joined = [open.as_slice(), chunk].concat();
            &joined
        };
        match std::str::from_utf8(bytes) {
            Ok(_) => open.clear(),
            Err(e) if e.error_len().is_none() => open = bytes.get(e.valid_up_to()..).unwrap_or(&[]).to_vec(),
            Err(_) => valid = false,
        }
        Ok(())
    })?;
    Ok(valid && open.is_empty())
}
