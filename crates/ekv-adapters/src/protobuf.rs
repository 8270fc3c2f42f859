//! Protocol Buffers messages of any size, read in pieces from where they lie.
//!
//! Source: `docs/format/redis.md`, sections 2.8 and 2.9; `docs/format/dynamodb.md`, section 2.4.

use ekv_model::{Body, ByteSource, Error, Result};
use ekv_snapshot::StoredValue;
use ekv_text::json::Utf8Check;
use ekv_text::protobuf::{self as wire, ByteAt};

pub(crate) use ekv_text::protobuf::{Field, Fields, Span, Wire, put_bytes, put_len_prefix, put_number, put_text};

/// Bytes read at a time from values that are not in memory.
const BUFFER_LEN: usize = 16 << 10;

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

impl From<wire::Malformed> for Fault {
    fn from(_: wire::Malformed) -> Self {
        Fault::Malformed
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
        Fields::of(Span { start, len: self.value.len().saturating_sub(start) })
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
}

impl ByteAt for Source<'_> {
    type Error = Fault;

    fn byte(&mut self, at: u64) -> Result<u8, Fault> {
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

/// Whether the bytes are UTF-8, as a proto3 string must be.
pub(crate) fn is_utf8(value: &StoredValue<'_>) -> Result<bool> {
    is_utf8_body(&value.body())
}

/// Whether a value is UTF-8, as the texts of streams must be.
///
/// # Errors
/// Of reading it.
pub fn is_utf8_body(body: &Body<'_>) -> Result<bool> {
    if let Body::Inline(bytes) = body {
        return Ok(std::str::from_utf8(bytes).is_ok());
    }
    let mut check = Utf8Check::default();
    body.for_each_chunk(|chunk| {
        check.push(chunk);
        Ok(())
    })?;
    Ok(check.is_valid())
}
