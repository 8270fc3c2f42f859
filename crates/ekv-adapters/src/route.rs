//! Route keys: by which the routing catalog says which group owns a user key. Source: `docs/format/snapshot.md`, section 12.

use std::borrow::Cow;

use ekv_model::Protocol;

use crate::adapter::Routes;
use crate::adapter_of;

/// Bytes of a timestamp.
const U64_LEN: usize = 8;

/// Records of transactions, which any group may hold.
const TRANSACTIONS: &[u8] = b"!txn|";

fn routes() -> impl Iterator<Item = &'static Routes> {
    Protocol::ALL.into_iter().map(|protocol| &adapter_of(protocol).routes)
}

/// Whether the routing catalog says nothing about a user key: any group may hold it.
pub fn is_exempt(user_key: &[u8]) -> bool {
    let begins = |prefix: &&[u8]| user_key.starts_with(prefix);
    begins(&TRANSACTIONS) || routes().any(|routes| routes.exempt.iter().any(begins))
}

/// The route keys of the user keys that begin with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesBelow<'p> {
    /// All have this one.
    One(&'p [u8]),
    /// Each is its own.
    Same,
    /// Nothing is known.
    Unknown,
}

/// The route keys of the user keys that begin with `prefix`.
pub fn routes_below(prefix: &[u8]) -> RoutesBelow<'_> {
    if routes().any(|routes| routes.of_themselves.iter().any(|own| prefix.starts_with(own))) {
        return RoutesBelow::Same;
    }
    routes().find_map(|routes| (routes.of_all_below)(prefix)).map_or(RoutesBelow::Unknown, RoutesBelow::One)
}

/// The key by which a user key is routed; keys of one table, bucket or queue share theirs.
pub fn route_key(user_key: &[u8]) -> Cow<'_, [u8]> {
    // The record of a transaction is routed like the key that it is about.
    let mut key = user_key;
    while let Some(subject) = transaction_subject(key) {
        key = subject;
    }
    routes().find_map(|routes| (routes.of_key)(key)).unwrap_or(Cow::Borrowed(key))
}

fn transaction_subject(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(TRANSACTIONS)?;
    let whole = [&b"lock|"[..], b"int|", b"meta|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
    let with_timestamp = || [&b"cmt|"[..], b"rb|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
    whole.or_else(|| without_last_u64(with_timestamp()?))
}

fn without_last_u64(key: &[u8]) -> Option<&[u8]> {
    key.split_last_chunk::<U64_LEN>().map(|(front, _)| front)
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
            (b"!fs|usage|route|a\0\xffb\0\0".to_vec(), b"a\0b"),
            (b"!fs|usage|route|a\0\x01".to_vec(), b"!fs|usage|route|a\0\x01"),
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
