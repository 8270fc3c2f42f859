//! Percent-encoding as Signature Version 4 wants it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Everything but letters, digits, `-`, `.`, `_`, `~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// A path of raw bytes as it is sent and signed: everything but unreserved bytes and `/` as `%HH`, nothing normalised.
///
/// An object's key may hold `..` or `//`, and they mean themselves.
pub fn encode_path(raw: &[u8]) -> String {
    percent_encode(raw, RESERVED_IN_PATH).to_string()
}

/// A name or value of a query as it is sent and signed.
pub fn encode_query_part(raw: &[u8]) -> String {
    percent_encode(raw, RESERVED).to_string()
}

/// All pairs of a query, encoded and joined, in the order in which they are signed.
pub(crate) fn canonical_query(pairs: &[(String, String)]) -> String {
    let mut encoded: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| (encode_query_part(name.as_bytes()), encode_query_part(value.as_bytes())))
        .collect();
    encoded.sort();
    let mut out = String::new();
    for (name, value) in encoded {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&name);
        out.push('=');
        out.push_str(&value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_dots_and_double_slashes_are_sent_as_they_are() {
        assert_eq!(encode_path("/b/q/../x//y/".as_bytes()), "/b/q/../x//y/");
    }

    #[test]
    fn everything_but_unreserved_bytes_is_encoded() {
        assert_eq!(encode_path(b"/a b+c?d%e\xff&="), "/a%20b%2Bc%3Fd%25e%FF%26%3D");
        assert_eq!(encode_query_part(b"a/b~"), "a%2Fb~");
    }
}
