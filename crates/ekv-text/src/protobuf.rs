//! The Protocol Buffers wire format: messages of any size, read field by field from where they lie.
//!
//! Source: `docs/format/redis.md`, sections 2.8 and 2.9; `docs/format/dynamodb.md`, section 2.4; `docs/format/snapshot.md`, section 2.

use crate::{BytesAt, Window};

/// Largest number of a field.
const FIELD_NUMBER_MAX: u64 = 0x1fff_ffff;
/// Groups inside each other that are skipped; no server writes any.
const GROUP_DEPTH_MAX: usize = 10_000;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP_BEGIN: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length or number that does not end in time.
    #[error("a field reaches beyond the end of its message")]
    BeyondEnd,
    /// A varint beyond 64 bits.
    #[error("a number in it has more than 64 bits")]
    LongNumber,
    /// A tag that no field has, or groups that do not match.
    #[error("it is not in Protocol Buffers format")]
    Form,
    /// More than the reader is willing to look at.
    #[error("it has too many fields")]
    TooManyFields,
}

/// Bytes that are read one by one, mostly forwards.
pub trait ByteAt {
    /// Why reading fails, and why what was read is refused.
    type Error: From<Malformed>;

    /// The byte at an index inside the message.
    ///
    /// # Errors
    /// Whatever the source reports.
    fn byte(&mut self, at: u64) -> Result<u8, Self::Error>;
}

impl<S: BytesAt<Error: From<Malformed>>> ByteAt for Window<S> {
    type Error = S::Error;

    fn byte(&mut self, at: u64) -> Result<u8, S::Error> {
        self.seek(at);
        let byte = self.peek()?;
        byte.ok_or_else(|| Malformed::BeyondEnd.into())
    }
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<C = Wire> {
    /// Its number.
    pub number: u64,
    /// What it holds.
    pub content: C,
}

/// Where bytes, a string or a nested message lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Index of the first byte.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
}

/// What a field holds, by wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A number or Boolean.
    Varint(u64),
    /// Bytes, a string or a message.
    Bytes(Span),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Four bytes or a group: nothing that is read here uses them.
    Other,
}

/// A place in a message: gives its fields one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    at: u64,
    end: u64,
}

impl Fields {
    /// The fields of the message that lies in `span`.
    pub fn of(span: Span) -> Self {
        Fields { at: span.start, end: span.start.saturating_add(span.len) }
    }

    /// Index of the next field; `None` at the end of the message.
    pub fn position(&self) -> Option<u64> {
        (self.at < self.end).then_some(self.at)
    }

    /// The next field; `None` at the end of the message.
    ///
    /// # Errors
    /// [`Malformed`]; those of `source`.
    pub fn next<S: ByteAt>(&mut self, source: &mut S) -> Result<Option<Field>, S::Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (number, wire_type) = self.tag(source)?;
        let content = match wire_type {
            VARINT => Wire::Varint(self.varint(source)?),
            FIXED64 => {
                let mut bytes = [0; 8];
                for byte in &mut bytes {
                    *byte = self.byte(source)?;
                }
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            BYTES => {
                let len = self.varint(source)?;
                Wire::Bytes(self.take(len)?)
            }
            GROUP_BEGIN => {
                self.skip_group(source, number)?;
                Wire::Other
            }
            other => {
                self.skip_fixed(other)?;
                Wire::Other
            }
        };
        Ok(Some(Field { number, content }))
    }

    /// A varint that stands alone, as in a packed list; `None` at the end.
    ///
    /// # Errors
    /// As [`Fields::next`].
    pub fn next_varint<S: ByteAt>(&mut self, source: &mut S) -> Result<Option<u64>, S::Error> {
        if self.at >= self.end { Ok(None) } else { self.varint(source).map(Some) }
    }

    fn tag<S: ByteAt>(&mut self, source: &mut S) -> Result<(u64, u64), S::Error> {
        Ok(split_tag(self.varint(source)?).ok_or(Malformed::Form)?)
    }

    /// Moves over a group whose first tag has been read.
    fn skip_group<S: ByteAt>(&mut self, source: &mut S, number: u64) -> Result<(), S::Error> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            match self.tag(source)? {
                (_, VARINT) => drop(self.varint(source)?),
                (_, BYTES) => {
                    let len = self.varint(source)?;
                    self.take(len)?;
                }
                (nested, GROUP_BEGIN) if open.len() < GROUP_DEPTH_MAX => open.push(nested),
                (closed, GROUP_END) if closed == innermost => drop(open.pop()),
                (_, other) => self.skip_fixed(other)?,
            }
        }
        Ok(())
    }

    fn skip_fixed(&mut self, wire_type: u64) -> Result<(), Malformed> {
        match wire_type {
            FIXED64 => self.take(8).map(drop),
            FIXED32 => self.take(4).map(drop),
            _ => Err(Malformed::Form),
        }
    }

    /// Moves over `len` bytes.
    fn take(&mut self, len: u64) -> Result<Span, Malformed> {
        let start = self.at;
        self.at = start.checked_add(len).filter(|end| *end <= self.end).ok_or(Malformed::BeyondEnd)?;
        Ok(Span { start, len })
    }

    fn byte<S: ByteAt>(&mut self, source: &mut S) -> Result<u8, S::Error> {
        let span = self.take(1)?;
        source.byte(span.start)
    }

    fn varint<S: ByteAt>(&mut self, source: &mut S) -> Result<u64, S::Error> {
        Ok(read_varint(|| self.byte(source))?.ok_or(Malformed::LongNumber)?)
    }
}

/// Reads a varint byte by byte; `None` if it has more than 64 bits.
///
/// # Errors
/// The first error of `next`.
pub fn read_varint<E>(mut next: impl FnMut() -> Result<u8, E>) -> Result<Option<u64>, E> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        if shift == 63 && byte > 1 {
            return Ok(None);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The number of a field and its wire type; `None` if no field has such a number.
fn split_tag(tag: u64) -> Option<(u64, u64)> {
    let number = tag >> 3;
    (1..=FIELD_NUMBER_MAX).contains(&number).then_some((number, tag & 7))
}

/// Appends a varint in its shortest form.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// Appends tag and length of a string or bytes, which are to follow.
pub fn put_len_prefix(number: u64, len: u64, out: &mut Vec<u8>) {
    put_varint(number << 3 | BYTES, out);
    put_varint(len, out);
}

/// Appends a field of bytes, also if there are none.
pub fn put_bytes(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    put_len_prefix(number, u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(bytes);
}

/// Appends a text as proto3 does: nothing if it is empty.
pub fn put_text(number: u64, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        put_bytes(number, text.as_bytes(), out);
    }
}

/// Appends a field with a number, also if it is 0.
pub fn put_number(number: u64, value: u64, out: &mut Vec<u8>) {
    put_varint(number << 3 | VARINT, out);
    put_varint(value, out);
}
#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<u64>, &'static str> {
        let mut bytes = bytes.iter().copied();
        read_varint(|| bytes.next().ok_or("cut"))
    }

    #[test]
    fn varints_of_every_length_come_back() {
        for value in (0..64).map(|bit| 1_u64 << bit).flat_map(|power| [power - 1, power]).chain([u64::MAX]) {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(read(&out), Ok(Some(value)));
            assert_eq!(read(&out[..out.len() - 1]), Err("cut"));
        }
    }

    #[test]
    fn varints_beyond_64_bits_are_none() {
        assert_eq!(read(&[0xff; 11]), Ok(None));
        assert_eq!(read(&[&[0xff; 9][..], &[2]].concat()), Ok(None));
        assert_eq!(read(&[&[0x80; 9][..], &[0x81, 0]].concat()), Ok(None));
    }

    #[test]
    fn tags_have_a_number_from_1_to_29_bits() {
        assert_eq!(split_tag(0x0a), Some((1, 2)));
        assert_eq!(split_tag(0x1fff_ffff << 3 | 5), Some((0x1fff_ffff, 5)));
        assert_eq!((split_tag(7), split_tag(0x2000_0000 << 3)), (None, None));
    }
}
