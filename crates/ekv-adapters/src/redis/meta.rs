//! Metadata and length records of collections. Source: `docs/format/redis.md`, sections 2.5, 2.6 and 2.8.

use ekv_model::redis::StreamId;
use ekv_snapshot::StoredValue;

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|b| u64::from_be_bytes(*b))
}

fn be_i64(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|b| i64::from_be_bytes(*b))
}

/// What a metadata record says about expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaExpiry {
    /// The record is of the old, shorter form: the expiry index decides.
    NotStored,
    /// The record decides: an expiry in Unix milliseconds, or none.
    Stored(Option<u64>),
}

impl MetaExpiry {
    fn stored(at_ms: u64) -> Self {
        MetaExpiry::Stored((at_ms != 0).then_some(at_ms))
    }
}

/// Metadata of a hash, set or sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CountMeta {
    /// Stored length; may be negative in damaged data.
    pub(crate) len: i64,
    pub(crate) expiry: MetaExpiry,
}

impl CountMeta {
    /// 8 bytes (old) or 16 bytes (current).
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let expiry = match value.len() {
            8 => MetaExpiry::NotStored,
            16 => MetaExpiry::stored(be_u64(value, 8)?),
            _ => return None,
        };
        Some(CountMeta { len: be_i64(value, 0)?, expiry })
    }
}

/// A signed length change of a hash, set or sorted set: 8 bytes.
pub(crate) fn parse_count_delta(value: &[u8]) -> Option<i64> {
    <[u8; 8]>::try_from(value).ok().map(i64::from_be_bytes)
}

/// Metadata of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListMeta {
    pub(crate) head: i64,
    pub(crate) tail: i64,
    pub(crate) len: i64,
    pub(crate) expiry: MetaExpiry,
}

impl ListMeta {
    /// 24 bytes (old) or 32 bytes (current).
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let expiry = match value.len() {
            24 => MetaExpiry::NotStored,
            32 => MetaExpiry::stored(be_u64(value, 24)?),
            _ => return None,
        };
        Some(ListMeta { head: be_i64(value, 0)?, tail: be_i64(value, 8)?, len: be_i64(value, 16)?, expiry })
    }
}

/// Whether a record is the metadata of a list and not a delta; `rest` is what follows `!lst|meta|` in its user key.
///
/// Metadata of a list whose name begins with `d|` lies among the deltas; the value's length decides.
pub(crate) fn is_list_meta(rest: &[u8], value: &StoredValue<'_>) -> bool {
    !rest.starts_with(b"d|") || matches!(value.len(), 24 | 32)
}

/// Head and length change of a list: 16 bytes.
pub(crate) fn parse_list_delta(value: &[u8]) -> Option<(i64, i64)> {
    if value.len() != 16 {
        return None;
    }
    Some((be_i64(value, 0)?, be_i64(value, 8)?))
}

/// Metadata of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamMeta {
    pub(crate) len: u64,
    pub(crate) last: StreamId,
    pub(crate) expiry: MetaExpiry,
    /// Highest id removed from the head; only later entries are visible. Zero = nothing was removed.
    pub(crate) trimmed: StreamId,
}

impl StreamMeta {
    /// 24 or 32 bytes (old) or 48 bytes (current); the length must fit into 63 bits.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let expiry = match value.len() {
            24 => MetaExpiry::NotStored,
            32 | 48 => MetaExpiry::stored(be_u64(value, 24)?),
            _ => return None,
        };
        let trimmed = StreamId { ms: be_u64(value, 32).unwrap_or(0), seq: be_u64(value, 40).unwrap_or(0) };
        let len = be_u64(value, 0).filter(|len| i64::try_from(*len).is_ok())?;
        Some(StreamMeta { len, last: StreamId { ms: be_u64(value, 8)?, seq: be_u64(value, 16)? }, expiry, trimmed })
    }
}

/// Appends the metadata of a hash, set or sorted set; the current form only where there is an expiry.
pub(crate) fn put_count_meta(len: u64, expire_at_ms: Option<u64>, out: &mut Vec<u8>) {
    out.extend_from_slice(&len.to_be_bytes());
    put_expiry(expire_at_ms, out);
}

/// Appends the metadata of a list whose items are numbered from 0.
pub(crate) fn put_list_meta(len: u64, expire_at_ms: Option<u64>, out: &mut Vec<u8>) {
    let (head, tail) = (0_u64, len);
    for number in [head, tail, len] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    put_expiry(expire_at_ms, out);
}

/// Appends the metadata of a stream from whose head nothing was removed.
pub(crate) fn put_stream_meta(len: u64, last: StreamId, expire_at_ms: Option<u64>, out: &mut Vec<u8>) {
    for number in [len, last.ms, last.seq] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    put_expiry(expire_at_ms, out);
}

fn put_expiry(expire_at_ms: Option<u64>, out: &mut Vec<u8>) {
    if let Some(at_ms) = expire_at_ms {
        out.extend_from_slice(&at_ms.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_any_other_length_is_damaged() {
        for len in 0..64_usize {
            let value = vec![0; len];
            assert_eq!(CountMeta::parse(&value).is_some(), [8, 16].contains(&len), "{len}");
            assert_eq!(ListMeta::parse(&value).is_some(), [24, 32].contains(&len), "{len}");
            assert_eq!(StreamMeta::parse(&value).is_some(), [24, 32, 48].contains(&len), "{len}");
            assert_eq!(parse_count_delta(&value).is_some(), len == 8, "{len}");
            assert_eq!(parse_list_delta(&value).is_some(), len == 16, "{len}");
        }
    }

    #[test]
    fn expiry_zero_means_none_and_old_forms_leave_it_to_the_index() {
        assert_eq!(CountMeta::parse(&[0; 8]).unwrap().expiry, MetaExpiry::NotStored);
        assert_eq!(CountMeta::parse(&[0; 16]).unwrap().expiry, MetaExpiry::Stored(None));
        let mut value = [0; 32];
        value[31] = 5;
        assert_eq!(ListMeta::parse(&value).unwrap().expiry, MetaExpiry::Stored(Some(5)));
        assert_eq!(StreamMeta::parse(&value).unwrap().expiry, MetaExpiry::Stored(Some(5)));
    }

    #[test]
    fn metadata_is_read_back_as_it_was_put() {
        let last = StreamId { ms: 3, seq: u64::MAX };
        for (expire_at_ms, expiry) in [(None, MetaExpiry::NotStored), (Some(7), MetaExpiry::Stored(Some(7)))] {
            let mut value = Vec::new();
            put_count_meta(3, expire_at_ms, &mut value);
            assert_eq!(CountMeta::parse(&value), Some(CountMeta { len: 3, expiry }));
            value.clear();
            put_list_meta(3, expire_at_ms, &mut value);
            assert_eq!(ListMeta::parse(&value), Some(ListMeta { head: 0, tail: 3, len: 3, expiry }));
            value.clear();
            put_stream_meta(3, last, expire_at_ms, &mut value);
            let meta = StreamMeta { len: 3, last, expiry, trimmed: StreamId::default() };
            assert_eq!(StreamMeta::parse(&value), Some(meta));
        }
    }

    #[test]
    fn stream_length_beyond_63_bits_is_damaged() {
        let mut value = [0; 48];
        value[0] = 0x80;
        assert_eq!(StreamMeta::parse(&value), None);
    }
}
