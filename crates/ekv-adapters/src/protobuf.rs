//! Protocol Buffers messages of any size, read in pieces from where they lie.
//!
//! Source: `docs/format/redis.md`, sections 2.8 and 2.9; `docs/format/dynamodb.md`, section 2.4.

use ekv_model::{Body, ByteSource, Error, Result};
use ekv_snapshot::StoredValue;
use ekv_snapshot::wire::{self, put_varint};

/// Bytes read at a time from values that are not in memory.
const BUFFER_LEN: usize = 16 << 10;
/// Groups inside each other that are skipped; no server writes any.
const GROUP_DEPTH_MAX: usize = 10_000;

/// A field of a message.
#[derive(Clone, Copy)]
pub(crate) struct Field<C> {
    pub(crate) number: u64,
    pub(crate) content: C,
}

/// Where bytes, a string or a nested message lie in a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Index of the first byte.
    pub(crate) start: u64,
    /// Length in bytes.
    pub(crate) len: u64,
}

/// What a field holds, by wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// A number or Boolean.
    Varint(u64),
    /// Bytes, a string or a message.
    Bytes(Span),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Four bytes or a group: nothing here uses them.
    Other,
}

/// The message is not valid wire data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Why a message could not be read.
pub(crate) enum Fault {
    /// The message is not valid wire data.
    Malformed,
    /// The value could not be read.
    Read(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Read(error)
    }
}

/// Moves the fault of a failing read into the outer result.
pub(crate) fn split<T>(result: Result<T, Fault>) -> Result<Result<T, Malformed>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Malformed) => Ok(Err(Malformed)),
        Err(Fault::Read(error)) => Err(error),
    }
}

/// The bytes of a value, through one buffer that moves over it.
pub(crate) struct Source<'a> {
    value: StoredValue<'a>,
    buffer: Vec<u8>,
    buffer_start: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(value: StoredValue<'a>) -> Self {
        Source { value, buffer: Vec::new(), buffer_start: 0 }
    }

    /// As [`Source::new`], of a value whose length the caller has bounded: it is read at once, into a buffer that is used again.
    pub(crate) fn loaded(value: StoredValue<'a>, mut buffer: Vec<u8>) -> Result<Self> {
        buffer.clear();
        if value.whole().is_none() {
            buffer.resize(usize::try_from(value.len()).unwrap_or(usize::MAX), 0);
            value.read_exact_at(0, &mut buffer)?;
        }
        Ok(Source { value, buffer, buffer_start: 0 })
    }

    /// Gives the buffer back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// All fields, behind the first `skipped` bytes.
    pub(crate) fn fields(&self, skipped: usize) -> Fields {
        let start = u64::try_from(skipped).unwrap_or(u64::MAX);
        Fields { at: start, end: self.value.len() }
    }

    /// The bytes of a span, if they are in memory.
    fn piece(&self, span: Span) -> Option<&[u8]> {
        let cut = |bytes: &'_ [u8], bytes_start: u64| -> Option<(usize, usize)> {
            let start = usize::try_from(span.start.checked_sub(bytes_start)?).ok()?;
            let end = start.checked_add(usize::try_from(span.len).ok()?)?;
            (end <= bytes.len()).then_some((start, end))
        };
        if let Some((start, end)) = cut(self.value.head(), 0) {
            return self.value.head().get(start..end);
        }
        cut(&self.buffer, self.buffer_start).and_then(|(start, end)| self.buffer.get(start..end))
    }

    /// Calls `f` with the bytes of a span as the body of an event.
    pub(crate) fn with_body<T>(&self, span: Span, f: impl FnOnce(Body<'_>) -> T) -> T {
        match self.piece(span) {
            Some(bytes) => f(Body::Inline(bytes)),
            None => f(self.value.slice(span.start, span.len).body()),
        }
    }

    /// Appends the bytes of a span, whose length the caller has checked.
    pub(crate) fn append(&self, span: Span, out: &mut Vec<u8>) -> Result<()> {
        self.with_body(span, |body| {
            body.for_each_chunk(|chunk| {
                out.extend_from_slice(chunk);
                Ok(())
            })
        })
    }

    /// Whether the bytes of a span are UTF-8.
    pub(crate) fn is_utf8(&self, span: Span) -> Result<bool> {
        self.with_body(span, |body| is_utf8_body(&body))
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

    fn u64_le(&mut self, start: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        for (i, byte) in (0_u64..).zip(&mut bytes) {
            *byte = self.byte(start.saturating_add(i))?;
        }
        Ok(u64::from_le_bytes(bytes))
    }
}

/// A place in a message: gives its fields one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    at: u64,
    end: u64,
}

impl Fields {
    /// The fields of a nested message.
    pub(crate) fn of(span: Span) -> Self {
        Fields { at: span.start, end: span.start.saturating_add(span.len) }
    }

    /// The next field; `None` at the end of the message.
    pub(crate) fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Field<Wire>>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (number, wire_type) = self.tag(source)?;
        let content = match wire_type {
            0 => Wire::Varint(self.varint(source)?),
            1 => {
                let span = self.take(8)?;
                Wire::Fixed64(source.u64_le(span.start)?)
            }
            2 => {
                let len = self.varint(source)?;
                Wire::Bytes(self.take(len)?)
            }
            3 => {
                self.skip_group(source, number)?;
                Wire::Other
            }
            5 => {
                self.take(4)?;
                Wire::Other
            }
            _ => return Err(Fault::Malformed),
        };
        Ok(Some(Field { number, content }))
    }

    fn tag(&mut self, source: &mut Source<'_>) -> Result<(u64, u64), Fault> {
        wire::split_tag(self.varint(source)?).ok_or(Fault::Malformed)
    }

    /// Moves over a group whose first tag has been read.
    fn skip_group(&mut self, source: &mut Source<'_>, number: u64) -> Result<(), Fault> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            let innermost = *innermost;
            match self.tag(source)? {
                (_, 0) => {
                    self.varint(source)?;
                }
                (_, 1) => {
                    self.take(8)?;
                }
                (_, 2) => {
                    let len = self.varint(source)?;
                    self.take(len)?;
                }
                (nested, 3) if open.len() < GROUP_DEPTH_MAX => open.push(nested),
                (closed, 4) if closed == innermost => {
                    open.pop();
                }
                (_, 5) => {
                    self.take(4)?;
                }
                _ => return Err(Fault::Malformed),
            }
        }
        Ok(())
    }

    /// Moves over `len` bytes.
    fn take(&mut self, len: u64) -> Result<Span, Fault> {
        let start = self.at;
        self.at = start.checked_add(len).filter(|end| *end <= self.end).ok_or(Fault::Malformed)?;
        Ok(Span { start, len })
    }

    fn varint(&mut self, source: &mut Source<'_>) -> Result<u64, Fault> {
        let read = wire::read_varint(|| {
            let span = self.take(1)?;
            Ok::<_, Fault>(source.byte(span.start)?)
        });
        read?.ok_or(Fault::Malformed)
    }
}

/// What a field holds, with bytes as the value that they are.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// Bytes, a string or a message.
    Bytes(StoredValue<'a>),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Anything else.
    Other,
}

/// Reads the fields of one message.
pub(crate) struct Message<'a> {
    source: Source<'a>,
    fields: Fields,
}

impl<'a> Message<'a> {
    pub(crate) fn new(value: StoredValue<'a>) -> Self {
        let source = Source::new(value);
        Message { fields: source.fields(0), source }
    }

    /// The next field; `Ok(None)` at the end of the message.
    pub(crate) fn next_field(&mut self) -> Result<Result<Option<Field<Content<'a>>>, Malformed>> {
        let next = split(self.fields.next(&mut self.source))?;
        Ok(next.map(|field| {
            field.map(|Field { number, content }| {
                let content = match content {
                    Wire::Bytes(span) => Content::Bytes(self.source.value.slice(span.start, span.len)),
                    Wire::Fixed64(bits) => Content::Fixed64(bits),
                    Wire::Varint(_) | Wire::Other => Content::Other,
                };
                Field { number, content }
            })
        }))
    }
}

/// Appends tag and length of a string or bytes, which are to follow.
pub(crate) fn put_len_prefix(number: u64, len: u64, out: &mut Vec<u8>) {
    put_varint(number << 3 | 2, out);
    put_varint(len, out);
}

/// Appends a field of bytes, also if there are none.
pub(crate) fn put_bytes(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    put_len_prefix(number, Body::Inline(bytes).len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a text as proto3 does: nothing if it is empty.
pub(crate) fn put_text(number: u64, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        put_bytes(number, text.as_bytes(), out);
    }
}

/// Appends a field with a number, also if it is 0.
pub(crate) fn put_number(number: u64, value: u64, out: &mut Vec<u8>) {
    put_varint(number << 3, out);
    put_varint(value, out);
}

/// Whether the bytes are UTF-8, as a proto3 string must be.
pub(crate) fn is_utf8(value: &StoredValue<'_>) -> Result<bool> {
    is_utf8_body(&value.body())
}

/// As [`is_utf8`], for the body of an event.
pub(crate) fn is_utf8_body(body: &Body<'_>) -> Result<bool> {
    if let Body::Inline(bytes) = body {
        return Ok(std::str::from_utf8(bytes).is_ok());
    }
    let mut open: Vec<u8> = Vec::new();
    let mut valid = true;
    body.for_each_chunk(|chunk| {
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
