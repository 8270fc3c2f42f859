//! The part of the Protocol Buffers wire format that Raft files use, read by position.

use std::ops::Range;

use ekv_snapshot::{Error, ErrorKind, Input, Result, len_u64, wire};

/// Length of the buffer behind varints, in bytes.
const BUFFER_LEN: usize = 512;

const WIRE_VARINT: u64 = 0;
const WIRE_FIXED64: u64 = 1;
const WIRE_BYTES: u64 = 2;
const WIRE_GROUP_BEGIN: u64 = 3;
const WIRE_GROUP_END: u64 = 4;
const WIRE_FIXED32: u64 = 5;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A varint.
    Varint(u64),
    /// Bytes or a nested message, where they lie in the input.
    Bytes { byte_offset: u64, len: u64 },
    /// A fixed-width number or a group; no field that this crate knows has such a type.
    Other,
}

/// How many fields and list elements may still be looked at, which bounds time and memory for hostile files.
pub(crate) struct Budget {
    left: u32,
}

impl Budget {
    pub(crate) fn new(field_count: u32) -> Self {
        Budget { left: field_count }
    }

    fn spend(&mut self) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| invalid("it has too many fields"))?;
        Ok(())
    }
}

/// Calls `f` with number and value of every field of the message of `len` bytes at `byte_offset`.
///
/// # Errors
/// `Invalid` for a malformed message, a failing read, or the first error of `f`.
pub(crate) fn for_each_field(
    input: &Input,
    byte_offset: u64,
    len: u64,
    budget: &mut Budget,
    mut f: impl FnMut(&mut Budget, u64, Value) -> Result<()>,
) -> Result<()> {
    let mut stream = Bytes::new(input, byte_offset, len);
    while stream.left() > 0 {
        let at = stream.position();
        let (number, value) = field(&mut stream, budget).map_err(|e| e.at(at))?;
        f(budget, number, value).map_err(|e| e.at(at))?;
    }
    Ok(())
}

/// Calls `f` with the elements of a packed list.
pub(crate) fn packed_varints(
    input: &Input,
    byte_offset: u64,
    len: u64,
    budget: &mut Budget,
    mut f: impl FnMut(u64),
) -> Result<()> {
    let mut stream = Bytes::new(input, byte_offset, len);
    while stream.left() > 0 {
        budget.spend()?;
        f(varint(&mut stream)?);
    }
    Ok(())
}

/// Appends a varint field.
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    wire::put_varint(number << 3 | WIRE_VARINT, out);
    wire::put_varint(value, out);
}

/// Appends a bytes field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    wire::put_varint(number << 3 | WIRE_BYTES, out);
    wire::put_varint(len_u64(bytes), out);
    out.extend_from_slice(bytes);
}

fn field(stream: &mut Bytes<'_>, budget: &mut Budget) -> Result<(u64, Value)> {
    budget.spend()?;
    let (number, wire_type) = tag(stream)?;
    let value = match wire_type {
        WIRE_VARINT => Value::Varint(varint(stream)?),
        WIRE_BYTES => {
            let len = varint(stream)?;
            let byte_offset = stream.position();
            stream.skip(len)?;
            Value::Bytes { byte_offset, len }
        }
        WIRE_GROUP_BEGIN => {
            skip_group(stream, budget)?;
            Value::Other
        }
        other => {
            skip_fixed(stream, other)?;
            Value::Other
        }
    };
    Ok((number, value))
}

fn skip_group(stream: &mut Bytes<'_>, budget: &mut Budget) -> Result<()> {
    let mut depth = 1_u32;
    while depth > 0 {
        budget.spend()?;
        match tag(stream)?.1 {
            WIRE_VARINT => drop(varint(stream)?),
            WIRE_BYTES => {
                let len = varint(stream)?;
                stream.skip(len)?;
            }
            WIRE_GROUP_BEGIN => depth = depth.saturating_add(1),
            WIRE_GROUP_END => depth = depth.saturating_sub(1),
            other => skip_fixed(stream, other)?,
        }
    }
    Ok(())
}

fn skip_fixed(stream: &mut Bytes<'_>, wire_type: u64) -> Result<()> {
    match wire_type {
        WIRE_FIXED64 => stream.skip(8),
        WIRE_FIXED32 => stream.skip(4),
        _ => Err(invalid("it is not in Protocol Buffers format")),
    }
}

fn tag(stream: &mut Bytes<'_>) -> Result<(u64, u64)> {
    wire::split_tag(varint(stream)?).ok_or_else(|| invalid("it is not in Protocol Buffers format"))
}

fn varint(stream: &mut Bytes<'_>) -> Result<u64> {
    wire::read_varint(|| stream.next())?.ok_or_else(|| invalid("a number in it has more than 64 bits"))
}

/// Walks over the bytes of one message through a small buffer.
struct Bytes<'i> {
    input: &'i Input,
    position: u64,
    end: u64,
    buf: [u8; BUFFER_LEN],
    /// The part of the buffer that holds the bytes from `position` on.
    ready: Range<usize>,
}

impl<'i> Bytes<'i> {
    fn new(input: &'i Input, byte_offset: u64, len: u64) -> Self {
        let end = byte_offset.saturating_add(len).min(input.len);
        Bytes { input, position: byte_offset, end, buf: [0; BUFFER_LEN], ready: 0..0 }
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn left(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    fn next(&mut self) -> Result<u8> {
        if self.left() == 0 {
            return Err(beyond_end());
        }
        if self.ready.is_empty() {
            let want = usize::try_from(self.left()).unwrap_or(BUFFER_LEN).min(BUFFER_LEN);
            let room = self.buf.get_mut(..want).unwrap_or(&mut []);
            self.ready = 0..self.input.fill_at(self.position, room)?;
        }
        let byte = self.ready.next().and_then(|i| self.buf.get(i)).copied().ok_or_else(beyond_end)?;
        self.position = self.position.saturating_add(1);
        Ok(byte)
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        if len > self.left() {
            return Err(beyond_end());
        }
        self.position = self.position.saturating_add(len);
        let start = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(self.ready.start);
        self.ready.start = start.min(self.ready.end);
        Ok(())
    }
}

fn beyond_end() -> Error {
    invalid("a field reaches beyond the end of its message")
}

fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::Invalid { structure: "Protocol Buffers message", reason: reason.to_owned() })
}
