//! Bytes, scores and expiries in the text of collections.

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::KEY_LEN_MAX;
use ekv_spill::Scratch;

use crate::expiry::EXPIRE_AT_MS_MAX;
use crate::json::{JsonReader, Refuse as _, ValueKind};
use crate::replay::ReplayFault;
use crate::replay::text::read_bytes;
use crate::replay::value::ValueBuffer;

const EXPIRY: &str = "expire_at_ms as null or a whole number from 0 to 2^63-1";
const SCORE: &str = "a score: a number, \"+inf\", \"-inf\" or \"nan\"";

/// Values at hand, in buffers that are used again.
pub(super) struct Texts {
    pub(super) name: Vec<u8>,
    /// The name before it.
    pub(super) previous: Vec<u8>,
    /// A name that may be longer than [`KEY_LEN_MAX`].
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

/// Reads bytes that must fit into a key.
pub(super) fn read_name(reader: &mut JsonReader<'_>, name: &mut Vec<u8>) -> Result<()> {
    let start = reader.position()?;
    name.clear();
    let mut is_long = false;
    read_bytes(reader, |piece| {
        is_long |= name.len().saturating_add(piece.len()) > KEY_LEN_MAX;
        if !is_long {
            name.extend_from_slice(piece);
        }
        Ok(())
    })?;
    if is_long {
        reader.seek(start);
        return Err(reader.fault(crate::json::JsonFault::LongString { len_max: KEY_LEN_MAX }));
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
            reader.text(SCORE, KEY_LEN_MAX, &mut text)?;
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
