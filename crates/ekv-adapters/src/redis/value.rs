//! Stored forms of strings, HyperLogLogs and expiries. Source: `docs/format/redis.md`, sections 2.1 to 2.3.

use ekv_model::redis::ScalarKind;
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
    let magic = match kind {
        ScalarKind::String => MAGIC_STRING,
        ScalarKind::Hll => MAGIC_HLL,
    };
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
