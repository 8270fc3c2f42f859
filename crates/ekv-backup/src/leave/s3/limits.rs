//! What S3 does not take, and what becomes another there.
//!
//! Source: `docs/format/leave.md`, section 4.

use std::collections::BTreeMap;

use ekv_model::s3::Object;

use super::parts::{OBJECT_LEN_MAX, ONE_PUT_LEN_MAX};

/// Longest key, in bytes.
const KEY_LEN_MAX: usize = 1024;
/// Most bytes of the client's own metadata, names and values together.
const METADATA_LEN_MAX: usize = 2048;
/// Length of a name of a bucket.
const BUCKET_NAME_LEN: std::ops::RangeInclusive<usize> = 3..=63;
/// What stands before the names of the client's own metadata.
pub(super) const METADATA_PREFIX: &str = "x-amz-meta-";
/// The client's own metadata under which the entity tag goes along that an object had.
const ETAG_NAME: &str = "elastickv-etag";
/// The same, as a header.
pub(super) const ETAG_HEADER: &str = "x-amz-meta-elastickv-etag";
/// The headers that go with an object beside its metadata.
pub(super) const SENT_HEADERS: [&str; 4] = ["content-type", "content-encoding", "content-disposition", "cache-control"];
/// Length of the entity tag of an object that was written in one piece: its MD5 in hexadecimal.
const MD5_LEN: usize = 32;

/// Why an object cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its bucket has a name that no bucket has there.
    Bucket,
    /// An empty key.
    EmptyKey,
    /// A key that is not UTF-8.
    KeyNotText,
    /// A key of more than 1024 bytes.
    LongKey,
    /// More than 2 KiB of own metadata.
    LongMetadata,
    /// A name or value of a header that no request can carry.
    Unsendable,
    /// Two names of metadata that are one without regard to case.
    MeetingNames,
    /// Longer than 10,000 parts of 64 MiB.
    TooLong,
}

impl Unfit {
    /// For people.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Unfit::Bucket => "a bucket's name that is not 3 to 63 of a-z 0-9 . - with a letter or digit at both ends",
            Unfit::EmptyKey => "an empty key",
            Unfit::KeyNotText => "a key that is not UTF-8",
            Unfit::LongKey => "a key of more than 1024 bytes",
            Unfit::LongMetadata => "more than 2 KiB of its own metadata",
            Unfit::Unsendable => "metadata that no request can carry: a control character, or a name that is none",
            Unfit::MeetingNames => "two names of metadata that differ in case alone",
            Unfit::TooLong => "more than 625 GiB",
        }
    }
}

/// Whether S3 has buckets of this name.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let is_inside = |byte: &u8| is_end(Some(byte)) || b".-".contains(byte);
    BUCKET_NAME_LEN.contains(&bytes.len())
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(is_inside)
}

/// The key of an object as S3 takes it.
pub(crate) fn key<'a>(object: &Object<'a>) -> Result<&'a str, Unfit> {
    let key = std::str::from_utf8(object.key).map_err(|_| Unfit::KeyNotText)?;
    match key.len() {
        0 => Err(Unfit::EmptyKey),
        1..=KEY_LEN_MAX => Ok(key),
        _ => Err(Unfit::LongKey),
    }
}

/// The headers that go with an object, names in lower case; with `has_etag` the entity tag that it had is among its metadata.
pub(crate) fn headers(object: &Object<'_>, has_etag: bool) -> Result<Vec<(String, String)>, Unfit> {
    if object.body.len() > OBJECT_LEN_MAX {
        return Err(Unfit::TooLong);
    }
    let of_object = [object.content_type, object.content_encoding, object.content_disposition, object.cache_control];
    let own = SENT_HEADERS.into_iter().zip(of_object).filter(|(_, value)| !value.is_empty());
    let mut headers: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut metadata = BTreeMap::new();
    for (name, value) in object.user_metadata {
        if metadata.insert(name.to_ascii_lowercase(), value.as_str()).is_some() {
            return Err(Unfit::MeetingNames);
        }
    }
    if has_etag && !object.etag.is_empty() {
        metadata.insert(ETAG_NAME.to_owned(), object.etag);
    }
    let len =
        metadata.iter().fold(0_usize, |len, (name, value)| len.saturating_add(name.len()).saturating_add(value.len()));
    if len > METADATA_LEN_MAX {
        return Err(Unfit::LongMetadata);
    }
    headers.extend(metadata.into_iter().map(|(name, value)| (format!("{METADATA_PREFIX}{name}"), value.to_owned())));
    let is_sendable =
        |(name, value): &(String, String)| name.bytes().all(is_of_name) && !value.chars().any(char::is_control);
    if headers.iter().all(is_sendable) { Ok(headers) } else { Err(Unfit::Unsendable) }
}

/// Whether a byte may stand in the name of a header.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether names of metadata come back in lower case.
pub(crate) fn is_folded(object: &Object<'_>) -> bool {
    object.user_metadata.keys().any(|name| name.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// Whether an entity tag is the MD5 of the content.
pub(crate) fn is_md5(etag: &str) -> bool {
    etag.len() == MD5_LEN && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether an object has another entity tag there: it had one of several parts, or is to be written in several.
pub(crate) fn is_etag_changed(object: &Object<'_>) -> bool {
    !object.etag.is_empty() && (!is_md5(object.etag) || object.body.len() > ONE_PUT_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use ekv_model::{Body, ByteSource, Result};

    use super::*;

    fn object<'a>(key: &'a [u8], metadata: &'a BTreeMap<String, String>) -> Object<'a> {
        Object {
            key,
            etag: "0c7d010882216a9255c574bba31df6ec",
            last_modified_hlc: 0,
            commit_ts: 0,
            content_type: "text/plain",
            content_encoding: "",
            cache_control: "no-store",
            content_disposition: "",
            user_metadata: metadata,
            body: Body::Inline(b"body"),
        }
    }

    fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn keys_of_text_up_to_1024_bytes_go_and_no_others() {
        let none = BTreeMap::new();
        let of = |bytes: &[u8]| key(&object(bytes, &none)).map(str::to_owned);
        for awkward in ["a//b", "dir/", "../x", "/", "a\0b", "ключ"] {
            assert_eq!(of(awkward.as_bytes()).as_deref(), Ok(awkward));
        }
        assert!(of(&[b'k'; 1024]).is_ok());
        assert_eq!(of(&[b'k'; 1025]), Err(Unfit::LongKey));
        assert_eq!(of(b""), Err(Unfit::EmptyKey));
        assert_eq!(of(b"a\xff"), Err(Unfit::KeyNotText));
    }

    #[test]
    fn headers_are_those_of_the_object_and_its_metadata_in_lower_case() {
        let own = metadata(&[("Author", "me <&>"), ("empty", "")]);
        let found = headers(&object(b"k", &own), true).unwrap();
        let expected = [
            ("content-type", "text/plain"),
            ("cache-control", "no-store"),
            ("x-amz-meta-author", "me <&>"),
            ("x-amz-meta-elastickv-etag", "0c7d010882216a9255c574bba31df6ec"),
            ("x-amz-meta-empty", ""),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(is_folded(&object(b"k", &own)));
        assert!(!is_folded(&object(b"k", &metadata(&[("a", "B")]))));
    }

    #[test]
    fn metadata_that_cannot_go_is_told_by_what_is_wrong_with_it() {
        let of = |pairs: &[(&str, &str)], has_etag| headers(&object(b"k", &metadata(pairs)), has_etag).map(|_| ());
        let long = "v".repeat(2047);
        assert_eq!(of(&[("n", &long)], false), Ok(()));
        assert_eq!(of(&[("n", &long)], true), Err(Unfit::LongMetadata));
        assert_eq!(of(&[("n", &"v".repeat(2048))], false), Err(Unfit::LongMetadata));
        assert_eq!(of(&[("n", "a\nb")], false), Err(Unfit::Unsendable));
        assert_eq!(of(&[("n n", "")], false), Err(Unfit::Unsendable));
        assert_eq!(of(&[("A", ""), ("a", "")], false), Err(Unfit::MeetingNames));
        assert_eq!(of(&[("n", "žluťoučký")], false), Ok(()));
    }

    struct Long(u64);

    impl ByteSource for Long {
        fn len(&self) -> u64 {
            self.0
        }

        fn read_exact_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
            unreachable!("only the length is asked for")
        }
    }

    #[test]
    fn entity_tags_stay_of_objects_that_were_and_are_written_in_one_piece() {
        let none = BTreeMap::new();
        let changes = |etag: &str, len| {
            let long = Long(len);
            is_etag_changed(&Object { etag, body: Body::Streamed(&long), ..object(b"k", &none) })
        };
        let md5 = "0c7d010882216a9255c574bba31df6ec";
        assert!(!changes(md5, 64 << 20));
        assert!(changes(md5, (64 << 20) + 1));
        assert!(changes(&format!("{md5}-3"), 1));
        assert!(!changes("", u64::MAX));
        let long = Long(OBJECT_LEN_MAX + 1);
        let too_long = Object { body: Body::Streamed(&long), ..object(b"k", &none) };
        assert_eq!(headers(&too_long, false), Err(Unfit::TooLong));
    }

    #[test]
    fn names_of_buckets_are_those_that_s3_has() {
        for (name, is_one) in [
            ("abc", true),
            ("other.bucket", true),
            ("ab", false),
            ("Abc", false),
            ("-abc", false),
            ("abc.", false),
            ("a_c", false),
            (&"a".repeat(63), true),
            (&"a".repeat(64), false),
        ] {
            assert_eq!(is_bucket_name(name), is_one, "{name}");
        }
    }
}
