//! Bytes, scores and expiries in the text of collections.

use std::sync::Arc;

use ekv_spill::Scratch;

use crate::Result;
use crate::expiry::EXPIRE_AT_MS_MAX;
use crate::json::{JsonReader, ValueKind};
use crate::replay::ReplayFault;
use crate::replay::value::ValueBuffer;

/// Longest name of a field or member, in bytes: what a key of the store holds.
pub(super) const NAME_LEN_MAX: usize = 1 << 20;

/// The member of an object that stands for bytes.
const BASE64: &[&str] = &["base64"];
const BYTES: &str = "a string or {\"base64\": …}";
const BASE64_TEXT: &str = "a string of base64url";
const EXPIRY: &str = "expire_at_ms as null or a whole number from 0 to 2^63-1";
const SCORE: &str = "a score: a number, \"+inf\", \"-inf\" or \"nan\"";
const VERSION: &str = "format_version 1";

/// Values at hand, in buffers that are used again.
pub(super) struct Texts {
    pub(super) name: Vec<u8>,
    /// The name before it.
    pub(super) previous: Vec<u8>,
    /// A name that may be longer than [`NAME_LEN_MAX`].
    pub(super) long_name: ValueBuffer,
    pub(super) value: ValueBuffer,
    pub(super) scratch: Arc<dyn Scratch>,
}

impl Texts {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Texts {
            name: Vec::new(),
            previous: Vec::new(),
            long_name: ValueBuffer::new(scratch),
            value: ValueBuffer::new(scratch),
            scratch: Arc::clone(scratch),
        }
    }
}

/// Reads bytes: a string, or an object with their base64url form. Source: `docs/format/redis.md`, section 6.3.
pub(super) fn read_bytes(reader: &mut JsonReader<'_>, mut keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match reader.kind(BYTES)? {
        ValueKind::String => reader.string(BYTES, keep),
        ValueKind::Object => reader.object(BYTES, BASE64, |reader, _| reader.base64(BASE64_TEXT, &mut keep)),
        _ => Err(reader.expected(BYTES)),
    }
}

/// Reads bytes of any length.
pub(super) fn read_value(reader: &mut JsonReader<'_>, value: &mut ValueBuffer) -> Result<()> {
    value.clear();
    read_bytes(reader, |piece| value.push(piece))?;
    value.seal()
}

/// Reads bytes that must fit into a key.
pub(super) fn read_name(reader: &mut JsonReader<'_>, name: &mut Vec<u8>) -> Result<()> {
    let start = reader.position()?;
    name.clear();
    let mut is_long = false;
    read_bytes(reader, |piece| {
        is_long |= name.len().saturating_add(piece.len()) > NAME_LEN_MAX;
        if !is_long {
            name.extend_from_slice(piece);
        }
        Ok(())
    })?;
    if is_long {
        reader.seek(start);
        return Err(reader.fault(crate::json::JsonFault::LongString { len_max: NAME_LEN_MAX }));
    }
    Ok(())
}

/// Reads a score.
pub(super) fn read_score(reader: &mut JsonReader<'_>) -> Result<f64> {
    let start = reader.position()?;
    let score = match reader.kind(SCORE)? {
        ValueKind::Number => reader.number(SCORE)?.parse().ok().filter(|score: &f64| score.is_finite()),
        ValueKind::String => {
            let mut text = Vec::new();
            reader.text(SCORE, NAME_LEN_MAX, &mut text)?;
            match text.as_slice() {
                b"+inf" => Some(f64::INFINITY),
                b"-inf" => Some(f64::NEG_INFINITY),
                b"nan" => Some(f64::NAN),
                _ => None,
            }
        }
        _ => return Err(reader.expected(SCORE)),
    };
    score.ok_or_else(|| {
        reader.seek(start);
        reader.refuse(ReplayFault::Score)
    })
}

/// Reads an expiry in Unix milliseconds.
pub(super) fn read_expiry(reader: &mut JsonReader<'_>) -> Result<Option<u64>> {
    if reader.null()? { Ok(None) } else { reader.u64(EXPIRY, EXPIRE_AT_MS_MAX).map(Some) }
}

/// Reads the version of the file.
pub(super) fn read_version(reader: &mut JsonReader<'_>) -> Result<()> {
    let start = reader.position()?;
    if reader.u64(VERSION, u64::MAX)? == 1 {
        return Ok(());
    }
    reader.seek(start);
    Err(reader.refuse(ReplayFault::FormatVersion))
}
