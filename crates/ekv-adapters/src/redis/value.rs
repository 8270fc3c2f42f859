//! Stored forms of strings, HyperLogLogs and expiries. Source: `docs/format/redis.md`, sections 2.1 to 2.3.

use ekv_model::redis::ScalarKind;
use ekv_model::{Body, Result as ModelResult};
use ekv_snapshot::StoredValue;

/// Latest expiry, in Unix milliseconds; larger stored values count as this one.
pub const EXPIRE_AT_MS_MAX: u64 = i64::MAX.unsigned_abs();

const MAGIC_FIRST: u8 = 0xff;
const MAGIC_STRING: u8 = 0x01;
const MAGIC_HLL: u8 = 0x02;
const FLAG_EXPIRES: u8 = 0x01;
/// Magic and flags.
const FIXED_LEN: usize = 3;
/// Bytes of an expiry.
const EXPIRY_LEN: usize = 8;

/// How a scalar value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With a value header; `expire_at_ms` as stored, not clamped.
    Current {
        /// Expiry, if the flag is set.
        expire_at_ms: Option<u64>,
    },
    /// The whole value is the body.
    Legacy,
}

/// The value header is cut short: the live server answers an error for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornHeader {
    /// Length of the value in bytes.
    pub value_len: u64,
}

/// Reads the header of a string or HyperLogLog value from its first bytes; returns the form and the length of the header.
///
/// The first two bytes alone decide whether there is a header, as in the live reader: a legacy body that happens to begin with
/// them is read as a header.
///
/// # Errors
/// [`TornHeader`] for the bare magic, or an expiry flag with fewer than 8 bytes behind it.
pub fn parse_form(kind: ScalarKind, head: &[u8], value_len: u64) -> Result<(Form, usize), TornHeader> {
    let magic = magic(kind);
    match head {
        [MAGIC_FIRST, second, rest @ ..] if *second == magic => match rest {
            [flags, rest @ ..] if flags & FLAG_EXPIRES != 0 => {
                let expiry = rest.first_chunk::<EXPIRY_LEN>().ok_or(TornHeader { value_len })?;
                let form = Form::Current { expire_at_ms: Some(u64::from_be_bytes(*expiry)) };
                Ok((form, FIXED_LEN.saturating_add(EXPIRY_LEN)))
            }
            [_, ..] => Ok((Form::Current { expire_at_ms: None }, FIXED_LEN)),
            [] => Err(TornHeader { value_len }),
        },
        _ => Ok((Form::Legacy, 0)),
    }
}

/// Second byte of the header.
fn magic(kind: ScalarKind) -> u8 {
    match kind {
        ScalarKind::String => MAGIC_STRING,
        ScalarKind::Hll => MAGIC_HLL,
    }
}

/// Appends the header in front of `body`. Source: `docs/format/redis.md`, section 9.
///
/// A HyperLogLog without expiry has none, as the server writes it, unless it would then be misread.
pub(super) fn put_header(
    kind: ScalarKind,
    expire_at_ms: Option<u64>,
    body: &Body<'_>,
    out: &mut Vec<u8>,
) -> ModelResult<()> {
    if kind == ScalarKind::Hll && expire_at_ms.is_none() && !begins_with(body, &[MAGIC_FIRST, MAGIC_HLL])? {
        return Ok(());
    }
    let flags = if expire_at_ms.is_some() { FLAG_EXPIRES } else { 0 };
    out.extend_from_slice(&[MAGIC_FIRST, magic(kind), flags]);
    if let Some(at_ms) = expire_at_ms {
        out.extend_from_slice(&at_ms.to_be_bytes());
    }
    Ok(())
}

fn begins_with(body: &Body<'_>, front: &[u8]) -> ModelResult<bool> {
    match body {
        Body::Inline(bytes) => Ok(bytes.starts_with(front)),
        Body::Streamed(source) => {
            if source.len() < Body::Inline(front).len() {
                return Ok(false);
            }
            let mut head = vec![0; front.len()];
            source.read_exact_at(0, &mut head)?;
            Ok(head == front)
        }
    }
}

/// The one NaN that the server writes.
const NAN_BITS: u64 = 0x7ff8_0000_0000_0001;
/// Sign of a double.
const SIGN_BIT: u64 = 1 << 63;

/// The stored form of a score. Source: `docs/format/redis.md`, section 2.7.
pub(super) fn score_bits(score: f64) -> u64 {
    if score.is_nan() { NAN_BITS } else { score.to_bits() }
}

/// The form of a score that sorts as the scores do, for the score index. Source: `docs/format/redis.md`, section 2.7.
pub(super) fn sortable_score(score: f64) -> [u8; 8] {
    let bits = if score == 0.0 { 0 } else { score_bits(score) };
    let sortable = if bits & SIGN_BIT == 0 { bits | SIGN_BIT } else { !bits };
    sortable.to_be_bytes()
}

/// Whether a stored string value carries its expiry in its own header.
///
/// True only for `FF 01` with bit 0 of the flags set; the expiry itself may still be cut short.
///
/// ```
/// use ekv_adapters::redis::has_inline_ttl;
/// assert!(has_inline_ttl(b"\xff\x01\x01\0\0\x01\xa2\x09\x1d\x0e\x21body"));
/// assert!(!has_inline_ttl(b"\xff\x01\x00body"));
/// assert!(!has_inline_ttl(b"\xff\x02\x01"));
/// assert!(!has_inline_ttl(b"legacy"));
/// ```
pub fn has_inline_ttl(value: &[u8]) -> bool {
    matches!(value, [MAGIC_FIRST, MAGIC_STRING, flags, ..] if flags & FLAG_EXPIRES != 0)
}

/// Reads the value of an expiry record: exactly 8 bytes. `None` if it is damaged.
pub(super) fn parse_expiry(value: &StoredValue<'_>) -> Option<u64> {
    value.whole().and_then(|bytes| <[u8; EXPIRY_LEN]>::try_from(bytes).ok()).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(value: &[u8]) -> Result<(Form, usize), TornHeader> {
        parse_form(ScalarKind::String, value, u64::try_from(value.len()).unwrap())
    }

    #[test]
    fn current_values_lose_their_header_and_keep_their_expiry() {
        let g1 = b"\xff\x01\x01\x00\x00\x01\xa2\x09\x1d\x0e\x21\x00v\xff";
        assert_eq!(string(g1), Ok((Form::Current { expire_at_ms: Some(1_795_449_228_833) }, 11)));
        assert_eq!(string(b"\xff\x01\x00"), Ok((Form::Current { expire_at_ms: None }, 3)));
        assert_eq!(string(b"\xff\x01\xfeabc"), Ok((Form::Current { expire_at_ms: None }, 3)));
        assert_eq!(string(b"\xff\x01\xff\0\0\0\0\0\0\0\x07"), Ok((Form::Current { expire_at_ms: Some(7) }, 11)));
    }

    #[test]
    fn anything_without_the_magic_is_a_legacy_body() {
        for value in [&b""[..], b"\xff", b"abc", b"\xff\x02\x00x", b"\xfe\x01\x00"] {
            assert_eq!(string(value), Ok((Form::Legacy, 0)));
        }
        assert_eq!(parse_form(ScalarKind::Hll, b"\xff\x01\x01", 3), Ok((Form::Legacy, 0)));
        assert_eq!(parse_form(ScalarKind::Hll, b"\xff\x02\x00", 3), Ok((Form::Current { expire_at_ms: None }, 3)));
    }

    #[test]
    fn legacy_body_that_begins_with_the_magic_is_read_as_the_live_server_reads_it() {
        assert_eq!(string(b"\xff\x01\x00abc"), Ok((Form::Current { expire_at_ms: None }, 3)));
    }

    #[test]
    fn torn_headers_are_errors_at_every_cut() {
        let whole = b"\xff\x01\x01\0\0\0\0\0\0\0\x07";
        for cut in 2..whole.len() {
            assert_eq!(string(&whole[..cut]), Err(TornHeader { value_len: u64::try_from(cut).unwrap() }), "cut {cut}");
        }
        assert!(parse_form(ScalarKind::Hll, b"\xff\x02", 2).is_err());
    }

    #[test]
    fn headers_are_read_back_and_a_misleading_payload_gets_one() {
        let header = |kind, expire_at_ms, body: &[u8]| {
            let mut out = Vec::new();
            put_header(kind, expire_at_ms, &Body::Inline(body), &mut out).unwrap();
            out
        };
        assert_eq!(header(ScalarKind::String, None, b""), b"\xff\x01\x00");
        assert_eq!(header(ScalarKind::String, Some(0), b""), b"\xff\x01\x01\0\0\0\0\0\0\0\0");
        assert_eq!(header(ScalarKind::Hll, Some(7), b""), b"\xff\x02\x01\0\0\0\0\0\0\0\x07");
        assert_eq!(header(ScalarKind::Hll, None, b"\0RS\x01"), b"");
        assert_eq!(header(ScalarKind::Hll, None, b"\xff\x02x"), b"\xff\x02\x00");
        let streamed = ekv_model::InMemory(b"\xff\x02x");
        let mut out = Vec::new();
        put_header(ScalarKind::Hll, None, &Body::Streamed(&streamed), &mut out).unwrap();
        assert_eq!(out, b"\xff\x02\x00");
    }

    #[test]
    fn sortable_scores_sort_as_their_scores() {
        let scores = [f64::NEG_INFINITY, -1.5, -5e-324, 0.0, 5e-324, 1.0, 2.0, 1e308, f64::INFINITY, f64::NAN];
        assert!(scores.map(sortable_score).is_sorted());
        let known = [
            (f64::NEG_INFINITY, 0x000f_ffff_ffff_ffff_u64),
            (-0.0, 0x8000_0000_0000_0000),
            (0.0, 0x8000_0000_0000_0000),
            (1.0, 0xbff0_0000_0000_0000),
            (f64::INFINITY, 0xfff0_0000_0000_0000),
            (-f64::NAN, 0xfff8_0000_0000_0001),
        ];
        for (score, sortable) in known {
            assert_eq!(sortable_score(score), sortable.to_be_bytes(), "{score}");
        }
        assert_eq!(score_bits(-0.0), 1 << 63);
        assert_eq!(score_bits(f64::NAN), NAN_BITS);
    }

    #[test]
    fn inline_expiry_helper_needs_magic_and_flag() {
        for (value, expected) in [
            (&b"\xff\x01\x01"[..], true),
            (b"\xff\x01\x03x", true),
            (b"\xff\x01", false),
            (b"\xff\x01\x02x", false),
            (b"\xff\x02\x01", false),
            (b"", false),
        ] {
            assert_eq!(has_inline_ttl(value), expected, "{}", value.escape_ascii());
        }
    }
}
