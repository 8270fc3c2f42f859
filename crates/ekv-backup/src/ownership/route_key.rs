//! Route keys. Source: `docs/format/snapshot.md`, section 12.

use std::borrow::Cow;

use ekv_text::ordered::{split_segment, unescape};

/// Bytes of a generation, sequence number or timestamp.
const U64_LEN: usize = 8;

/// User keys that any group may hold: content-addressed chunks, keys that a server flag assigns, records of transactions.
const EXEMPT: [&[u8]; 7] = [
    b"!s3|chunkblob|",
    b"!sqs|msg|data|p|",
    b"!sqs|msg|vis|p|",
    b"!sqs|msg|byage|p|",
    b"!sqs|msg|dedup|p|",
    b"!sqs|msg|group|p|",
    b"!txn|",
];

/// Whether the routing catalog says nothing about a user key.
pub(crate) fn is_exempt(user_key: &[u8]) -> bool {
    EXEMPT.iter().any(|prefix| user_key.starts_with(prefix))
}

/// Families whose user keys are their own route keys.
const ROUTED_BY_THEMSELVES: [&[u8]; 4] = [b"!hs|", b"!st|", b"!zs|", b"!stream|"];
/// Of a list with its name, counted: all that follows has the name for a route key.
const LIST_DELTAS: &[u8] = b"!lst|meta|d|";

/// The route keys of the user keys that begin with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutesBelow<'p> {
    /// All have this one.
    One(&'p [u8]),
    /// Each is its own.
    Same,
    /// Nothing is known.
    Unknown,
}

/// The route keys of the user keys that begin with `prefix`.
pub(crate) fn routes_below(prefix: &[u8]) -> RoutesBelow<'_> {
    if ROUTED_BY_THEMSELVES.iter().any(|family| prefix.starts_with(family)) {
        return RoutesBelow::Same;
    }
    let name = prefix.strip_prefix(LIST_DELTAS).and_then(length_prefixed);
    name.map_or(RoutesBelow::Unknown, RoutesBelow::One)
}

/// The key by which a user key is routed; keys of one table, bucket or queue share theirs.
pub(crate) fn route_key(user_key: &[u8]) -> Cow<'_, [u8]> {
    // The record of a transaction is routed like the key that it is about.
    let mut key = user_key;
    while let Some(subject) = transaction_subject(key) {
        key = subject;
    }
    redis(key).map(Cow::Borrowed).or_else(|| protocol(key)).unwrap_or(Cow::Borrowed(key))
}

fn transaction_subject(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(b"!txn|")?;
    let whole = [&b"lock|"[..], b"int|", b"meta|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
    let with_timestamp = || [&b"cmt|"[..], b"rb|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
    whole.or_else(|| without_last_u64(with_timestamp()?))
}

fn without_last_u64(key: &[u8]) -> Option<&[u8]> {
    key.split_last_chunk::<U64_LEN>().map(|(front, _)| front)
}

/// The Redis key inside a record key of the list and string families.
fn redis(key: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = key.strip_prefix(b"!lst|") {
        let counted = [&b"meta|d|"[..], b"claim|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
        let whole = || rest.strip_prefix(b"meta|");
        let item = || without_last_u64(rest.strip_prefix(b"itm|")?);
        return counted.and_then(length_prefixed).or_else(whole).or_else(item);
    }
    let rest = key.strip_prefix(b"!redis|")?;
    let name_len = rest.iter().position(|b| *b == b'|').filter(|len| *len > 0)?;
    rest.get(name_len.saturating_add(1)..)
}

/// The bytes behind a big-endian 32-bit length.
fn length_prefixed(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// The route key of the families whose records are kept together by table, bucket or file.
fn protocol(key: &[u8]) -> Option<Cow<'_, [u8]>> {
    if key.starts_with(b"!sqs|") {
        return Some(Cow::Borrowed(b"!sqs|route|global"));
    }
    if let Some(rest) = key.strip_prefix(b"!ddb|") {
        let table = [&b"meta|table|"[..], b"meta|gen|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
        let table = table.or_else(|| {
            let rows = [&b"item|"[..], b"gsi|"].iter().find_map(|prefix| rest.strip_prefix(*prefix))?;
            rows.split(|b| *b == b'|').next().filter(|table| table.len() < rows.len())
        })?;
        return Some(Cow::Owned([b"!ddb|route|table|", table].concat()));
    }
    if let Some(rest) = key.strip_prefix(b"!s3|") {
        let object = [&b"obj|head|"[..], b"upload|meta|", b"upload|part|", b"blob|", b"chunkref|", b"gc|upload|"]
            .iter()
            .find_map(|prefix| rest.strip_prefix(*prefix))?;
        let bucket_len = segment_len(object)?;
        let object_start = bucket_len.checked_add(U64_LEN)?;
        let object_len = segment_len(object.get(object_start..)?)?;
        let routed = object.get(..object_start.checked_add(object_len)?)?;
        return Some(Cow::Owned([b"!s3route|", routed].concat()));
    }
    let rest = key.strip_prefix(b"!fs|")?;
    if let Some(chunk) = rest.strip_prefix(b"chk|") {
        let file = chunk.get(..24).and_then(|ids| ids.get(..16))?;
        return Some(Cow::Owned([b"!fs|route|chk|", file].concat()));
    }
    let usage = rest.strip_prefix(b"usage|route|")?;
    split_segment(usage).map(|(segment, _)| Cow::Owned(unescape(segment)))
}

/// Length of an ordered segment with its end mark.
fn segment_len(bytes: &[u8]) -> Option<usize> {
    split_segment(bytes).map(|(segment, _)| segment.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_routed_by_what_they_belong_to() {
        let s3 = b"my-bucket\0\x01\0\0\0\0\0\0\0\x07a\0\xffb\0\x01";
        let with = |prefix: &[u8], tail: &[u8]| [prefix, s3, tail].concat();
        let s3_route = with(b"!s3route|", b"");
        for (key, expected) in [
            (b"plain".to_vec(), &b"plain"[..]),
            (b"!redis|str|k".to_vec(), b"k"),
            (b"!redis|ttl|a|b".to_vec(), b"a|b"),
            (b"!redis|txn-wide-hash|k".to_vec(), b"k"),
            (b"!redis||k".to_vec(), b"!redis||k"),
            (b"!redis|str".to_vec(), b"!redis|str"),
            (b"!lst|meta|k".to_vec(), b"k"),
            (b"!lst|itm|k\x80\0\0\0\0\0\0\x01".to_vec(), b"k"),
            (b"!lst|itm|short".to_vec(), b"!lst|itm|short"),
            (b"!lst|meta|d|\0\0\0\x01kdelta".to_vec(), b"k"),
            (b"!lst|claim|\0\0\0\x02kkclaim".to_vec(), b"kk"),
            (b"!lst|meta|d|\0\0\0\x09k".to_vec(), b"d|\0\0\0\x09k"),
            (b"!hs|meta|\0\0\0\x01k".to_vec(), b"!hs|meta|\0\0\0\x01k"),
            (b"!stream|meta|k".to_vec(), b"!stream|meta|k"),
            (b"!dist|route|1".to_vec(), b"!dist|route|1"),
            (b"!ddb|meta|table|VA".to_vec(), b"!ddb|route|table|VA"),
            (b"!ddb|meta|gen|VA".to_vec(), b"!ddb|route|table|VA"),
            (b"!ddb|item|VA|1|x".to_vec(), b"!ddb|route|table|VA"),
            (b"!ddb|gsi|VA|1|i|x".to_vec(), b"!ddb|route|table|VA"),
            (b"!ddb|item|VA".to_vec(), b"!ddb|item|VA"),
            (b"!sqs|msg|data|q".to_vec(), b"!sqs|route|global"),
            (with(b"!s3|obj|head|", b""), &s3_route),
            (with(b"!s3|blob|", b"upload\0\x01\0\0"), &s3_route),
            (with(b"!s3|gc|upload|", b"u\0\x01"), &s3_route),
            (b"!s3|bucket|meta|b\0\x01".to_vec(), b"!s3|bucket|meta|b\0\x01"),
            (b"!s3|obj|head|b\0\x02".to_vec(), b"!s3|obj|head|b\0\x02"),
            (b"!fs|chk|0123456789abcdef01234567rest".to_vec(), b"!fs|route|chk|0123456789abcdef"),
            (b"!fs|chk|0123456789abcdef".to_vec(), b"!fs|chk|0123456789abcdef"),
            (b"!fs|usage|route|a\0\xffb\0\x01".to_vec(), b"a\0b"),
            (b"!fs|ino|x".to_vec(), b"!fs|ino|x"),
            (b"!txn|lock|!redis|str|k".to_vec(), b"k"),
            (b"!txn|int|!txn|lock|k".to_vec(), b"k"),
            (b"!txn|cmt|!lst|meta|k12345678".to_vec(), b"k"),
            (b"!txn|rb|k12345678".to_vec(), b"k"),
            (b"!txn|cmt|short".to_vec(), b"!txn|cmt|short"),
        ] {
            assert_eq!(route_key(&key).escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn only_keys_that_the_catalog_does_not_assign_are_exempt() {
        for key in [&b"!s3|chunkblob|00"[..], b"!sqs|msg|vis|p|q", b"!txn|lock|k"] {
            assert!(is_exempt(key));
        }
        for key in [&b"!s3|chunkref|"[..], b"!sqs|msg|vis|q", b"!sqs|queue|meta|p|", b"!dist|route|", b"k"] {
            assert!(!is_exempt(key));
        }
    }
}
