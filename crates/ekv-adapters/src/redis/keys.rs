//! User keys of collections. Source: `docs/format/redis.md`, section 2.

/// Bytes of the length in front of a Redis key.
pub(crate) const KEY_LEN_LEN: usize = 4;
/// Bytes behind the Redis key in the key of a delta: timestamp and counter.
pub(crate) const DELTA_TAIL_LEN: usize = 12;

/// Splits what follows a family prefix into the Redis key and the rest: 4-byte length, key, rest.
///
/// `None` if the length exceeds what is there.
pub(crate) fn split_counted(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = rest.split_first_chunk::<KEY_LEN_LEN>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    rest.split_at_checked(len)
}

/// Writes prefix, length and Redis key into `out`; a key beyond the length field's range gives a key that no record has.
pub(crate) fn put_counted(out: &mut Vec<u8>, prefix: &[u8], key: &[u8]) {
    out.clear();
    out.extend_from_slice(prefix);
    out.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(key);
}

/// Writes prefix and Redis key into `out`.
pub(crate) fn put_plain(out: &mut Vec<u8>, prefix: &[u8], key: &[u8]) {
    out.clear();
    out.extend_from_slice(prefix);
    out.extend_from_slice(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_keys_round_trip_and_reject_lengths_beyond_the_rest() {
        let mut out = Vec::new();
        put_counted(&mut out, b"!hs|fld|", b"he");
        assert_eq!(out, b"!hs|fld|\0\0\0\x02he");
        assert_eq!(split_counted(b"\0\0\0\x02hea"), Some((&b"he"[..], &b"a"[..])));
        assert_eq!(split_counted(b"\0\0\0\0"), Some((&b""[..], &b""[..])));
        for bad in [&b""[..], b"\0\0\0", b"\0\0\0\x01", b"\xff\xff\xff\xffabc"] {
            assert_eq!(split_counted(bad), None);
        }
    }
}
