//! One path component made from a key, and back.
//!
//! Source: `docs/format/tree.md`, section 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_text::hex::{HexCase, hex_value, push_hex};
use sha2::{Digest, Sha256};

/// Longest segment in bytes; an extension is not counted.
pub const SEGMENT_LEN_MAX: usize = 240;

/// How many raw bytes the readable part of a fallback shows.
const FALLBACK_SHOWN_LEN: usize = 64;
/// Hex digits at the front of a fallback.
const FALLBACK_HEX_LEN: usize = 32;
/// What stands between the hex digits and the readable part.
const FALLBACK_SEPARATOR: &[u8] = b"__";
/// Front of a binary segment.
const BINARY_PREFIX: &[u8] = b"b64.";
/// Longest value that still fits a binary segment, in bytes.
const BINARY_RAW_LEN_MAX: usize = (SEGMENT_LEN_MAX - BINARY_PREFIX.len()) / 4 * 3;

/// Which form a segment took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unreserved bytes as they are, all others as `%HH`.
    Percent,
    /// `b64.` and base64url; only [`encode_binary_segment_into`] makes it.
    Binary,
    /// Hash and first bytes; the name needs a KEYMAP record or a file body to be read back.
    Fallback,
}

/// What a segment stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The raw bytes, from the percent form.
    Raw(Vec<u8>),
    /// The raw bytes, from the binary form. Only DynamoDB attributes of type B have it.
    Binary(Vec<u8>),
    /// A fallback: the raw bytes lie in a KEYMAP record or in the file.
    Fallback,
}

/// Why a segment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// More than [`SEGMENT_LEN_MAX`] bytes.
    #[error("the name has {len} bytes, the limit is {SEGMENT_LEN_MAX}")]
    TooLong {
        /// Length in bytes.
        len: usize,
    },
    /// A byte that the percent form escapes.
    #[error("byte {byte:#04x} at position {byte_offset} of the name must be escaped")]
    Unescaped {
        /// The byte.
        byte: u8,
        /// Its position.
        byte_offset: usize,
    },
    /// `%` without two hex digits.
    #[error("the escape at position {byte_offset} of the name is not % and two hex digits")]
    Escape {
        /// Position of the `%`.
        byte_offset: usize,
    },
    /// `b64.` without valid base64url.
    #[error("the name begins with b64. but is not base64url without padding")]
    Base64,
    /// Decodable, but no encoder writes it.
    #[error("the name is not in its canonical form")]
    NotCanonical,
}

/// Appends the segment of a name to `out`.
///
/// Source: `docs/format/tree.md`, sections 2.1 to 2.3. Cost: appends at most [`SEGMENT_LEN_MAX`] bytes whatever the length of `raw`; one
/// SHA-256 of `raw` for a fallback. Never contains `/` or NUL; may be empty, `.` or `..` (see [`component_into`]).
pub fn encode_segment_into(raw: &[u8], out: &mut Vec<u8>) -> Encoding {
    let start = out.len();
    if raw.len() <= SEGMENT_LEN_MAX && push_percent(raw, out, SEGMENT_LEN_MAX) {
        let percent = out.get(start..).unwrap_or_default();
        if !percent.starts_with(BINARY_PREFIX) && !has_fallback_shape(percent) {
            return Encoding::Percent;
        }
    }
    out.truncate(start);
    sha_fallback_into(raw, out);
    Encoding::Fallback
}

/// The segment of a name; see [`encode_segment_into`].
pub fn encode_segment(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_segment_into(raw, &mut out);
    out
}

/// Appends the segment of a DynamoDB attribute of type B to `out`.
///
/// Source: `docs/format/tree.md`, section 2.4. Cost: as [`encode_segment_into`].
pub fn encode_binary_segment_into(raw: &[u8], out: &mut Vec<u8>) -> Encoding {
    if raw.len() > BINARY_RAW_LEN_MAX {
        sha_fallback_into(raw, out);
        return Encoding::Fallback;
    }
    out.extend_from_slice(BINARY_PREFIX);
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(raw).as_bytes());
    Encoding::Binary
}

/// Appends the segment of a name that stands alone as a path component: `.` and `..` are escaped.
///
/// Source: `docs/format/tree.md`, section 2.5. The result is never `.` or `..`, and empty only for an empty name.
pub fn component_into(raw: &[u8], out: &mut Vec<u8>) -> Encoding {
    match raw {
        b"." => out.extend_from_slice(b"%2E"),
        b".." => out.extend_from_slice(b"%2E%2E"),
        _ => return encode_segment_into(raw, out),
    }
    Encoding::Percent
}

/// The component of a name; see [`component_into`].
pub fn component(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    component_into(raw, &mut out);
    out
}

/// Appends the fallback form of a name: 34 to 226 bytes.
///
/// Source: `docs/format/tree.md`, section 2.2.
pub fn sha_fallback_into(raw: &[u8], out: &mut Vec<u8>) {
    let digest = Sha256::digest(raw);
    push_hex(digest.get(..FALLBACK_HEX_LEN / 2).unwrap_or(&digest), HexCase::Lower, out);
    out.extend_from_slice(FALLBACK_SEPARATOR);
    let shown = raw.get(..FALLBACK_SHOWN_LEN).unwrap_or(raw);
    push_percent(shown, out, usize::MAX);
}

/// The fallback form of a name; see [`sha_fallback_into`].
pub fn sha_fallback(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sha_fallback_into(raw, &mut out);
    out
}

/// Whether a name begins like a fallback: 32 hex digits of either case and `__`.
///
/// Source: `docs/format/tree.md`, section 2.3, trigger 4.
pub fn has_fallback_shape(name: &[u8]) -> bool {
    name.split_at_checked(FALLBACK_HEX_LEN)
        .is_some_and(|(hex, rest)| hex.iter().all(u8::is_ascii_hexdigit) && rest.starts_with(FALLBACK_SEPARATOR))
}

/// Reads a segment back; accepts exactly what the encoders write.
///
/// Source: `docs/format/tree.md`, section 2.6, strict column. The caller refuses [`Decoded::Binary`] where no DynamoDB attribute stands,
/// and looks up a [`Decoded::Fallback`] in the KEYMAP.
///
/// # Errors
/// The first rule that the name breaks.
pub fn decode_segment(name: &[u8]) -> Result<Decoded, SegmentError> {
    if name.len() > SEGMENT_LEN_MAX {
        return Err(SegmentError::TooLong { len: name.len() });
    }
    if has_fallback_shape(name) {
        return if is_canonical_fallback(name) { Ok(Decoded::Fallback) } else { Err(SegmentError::NotCanonical) };
    }
    let (raw, encoding) = if let Some(text) = name.strip_prefix(BINARY_PREFIX) {
        (URL_SAFE_NO_PAD.decode(text).map_err(|_| SegmentError::Base64)?, Encoding::Binary)
    } else {
        (decode_percent(name)?, Encoding::Percent)
    };
    let mut again = Vec::with_capacity(name.len());
    let encoded_as = match encoding {
        Encoding::Binary => encode_binary_segment_into(&raw, &mut again),
        _ => encode_segment_into(&raw, &mut again),
    };
    if encoded_as != encoding || again != name {
        return Err(SegmentError::NotCanonical);
    }
    Ok(if encoding == Encoding::Binary { Decoded::Binary(raw) } else { Decoded::Raw(raw) })
}

/// Reads a component back; as [`decode_segment`], with the escaped `.` and `..`.
///
/// # Errors
/// As [`decode_segment`]; `.`, `..` and the empty name are not canonical.
pub fn decode_component(name: &[u8]) -> Result<Decoded, SegmentError> {
    match name {
        b"%2E" => Ok(Decoded::Raw(b".".to_vec())),
        b"%2E%2E" => Ok(Decoded::Raw(b"..".to_vec())),
        b"" | b"." | b".." => Err(SegmentError::NotCanonical),
        _ => decode_segment(name),
    }
}

/// Whether `name`, which has the shape of a fallback, is one that [`sha_fallback`] can write.
fn is_canonical_fallback(name: &[u8]) -> bool {
    let Some((hex, rest)) = name.split_at_checked(FALLBACK_HEX_LEN) else { return false };
    let Some(shown) = rest.strip_prefix(FALLBACK_SEPARATOR) else { return false };
    let Ok(raw) = decode_percent(shown) else { return false };
    let mut again = Vec::with_capacity(shown.len());
    push_percent(&raw, &mut again, usize::MAX);
    !hex.iter().any(u8::is_ascii_uppercase) && raw.len() <= FALLBACK_SHOWN_LEN && again == shown
}

/// Appends the percent form unless it gets longer than `len_max`; returns whether it is whole. A form that is cut has at most two more
/// bytes than `len_max`.
fn push_percent(raw: &[u8], out: &mut Vec<u8>, len_max: usize) -> bool {
    if raw.len() <= len_max && raw.iter().all(|byte| is_unreserved(*byte)) {
        out.extend_from_slice(raw);
        return true;
    }
    let start = out.len();
    for &byte in raw {
        if is_unreserved(byte) {
            out.push(byte);
        } else {
            out.push(b'%');
            push_hex(&[byte], HexCase::Upper, out);
        }
        if out.len() - start > len_max {
            return false;
        }
    }
    true
}

fn decode_percent(name: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let mut raw = Vec::with_capacity(name.len());
    let mut bytes = name.iter().copied().enumerate();
    while let Some((byte_offset, byte)) = bytes.next() {
        if is_unreserved(byte) {
            raw.push(byte);
        } else if byte == b'%' {
            let high = bytes.next().and_then(|(_, digit)| hex_value(digit));
            let low = bytes.next().and_then(|(_, digit)| hex_value(digit));
            let (Some(high), Some(low)) = (high, low) else { return Err(SegmentError::Escape { byte_offset }) };
            raw.push(high << 4 | low);
        } else {
            return Err(SegmentError::Unescaped { byte, byte_offset });
        }
    }
    Ok(raw)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests;
