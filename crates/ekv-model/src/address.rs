//! Addresses of things in a store: `redis:0/user:1`, `dynamodb:orders/c%2F1/17.5`, `s3:photos/2026/a%20b.jpg`, `sqs:jobs.fifo/6f1c`,
//! `fs:0/etc/hosts`.
//!
//! In text `%HH` is a byte and every other byte stands for itself; `%empty` alone is a part without any. What is printed needs no quotes in
//! any shell, and reads back as the same bytes. Source: `docs/format/tree.md`, section 17.

use std::fmt;

use ekv_text::{Line, is_shown_as_it_is, write_percent};

use crate::Protocol;

/// Why a text is no address and no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// A `%` without two hex digits behind it.
    Percent {
        /// The text, for people.
        text: String,
    },
    /// Nothing is named.
    Empty,
    /// An address whose scope is no number where it must be one.
    Number {
        /// Whose address it is.
        protocol: Protocol,
        /// The text, for people.
        text: String,
    },
    /// More parts than an item has keys.
    Parts {
        /// The text, for people.
        text: String,
    },
    /// Scopes of several protocols at once.
    Contradiction,
    /// More names than are taken.
    TooMany {
        /// The limit.
        limit: &'static str,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::Percent { text } => {
                write!(f, "{}: % begins an escape of two hex digits; write %25 for a percent sign", Line(text))
            }
            TextError::Empty => f.write_str("an empty text names nothing"),
            TextError::Number { protocol: Protocol::Fs, text } => {
                write!(f, "{}: an address of a file begins with the file system, as fs:0/etc/hosts", Line(text))
            }
            TextError::Number { text, .. } => {
                write!(f, "{}: a Redis address begins with its database, as redis:0/user:1", Line(text))
            }
            TextError::Parts { text } => write!(
                f,
                "{}: an item has a hash key and at most one range key; write %2F for a slash inside one of them",
                Line(text)
            ),
            TextError::Contradiction => f.write_str(
                "of --db, --table, --bucket and --queue only one can be met; for several give addresses: s3:BUCKET/ dynamodb:TABLE/",
            ),
            TextError::TooMany { limit } => write!(f, "more names than the limit of {limit}"),
        }
    }
}

impl std::error::Error for TextError {}

/// Stands for a part of an address that has no bytes: without it, the address would be that of the scope.
pub(crate) const EMPTY: &str = "%empty";

/// A byte of a text, and whether it was written as an escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Byte {
    pub(crate) byte: u8,
    pub(crate) is_escaped: bool,
}

/// Reads the escapes of a text; with `is_raw` there are none.
pub(crate) fn bytes_of(text: &[u8], is_raw: bool) -> Result<Vec<Byte>, TextError> {
    if !is_raw && text == EMPTY.as_bytes() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' || is_raw {
            bytes.push(Byte { byte, is_escaped: false });
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16)).map(u8::try_from);
        let (Some(Ok(high)), Some(Ok(low))) = (digit(0), digit(1)) else {
            return Err(TextError::Percent { text: String::from_utf8_lossy(text).into_owned() });
        };
        bytes.push(Byte { byte: (high << 4) | low, is_escaped: true });
        rest = tail.get(2..).unwrap_or(&[]);
    }
    Ok(bytes)
}

/// The bytes alone.
pub(crate) fn plain(bytes: &[Byte]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.byte).collect()
}

/// What a text that is one part stands for; no text is no part.
pub(crate) fn part_of(text: &[u8], is_raw: bool) -> Result<Vec<u8>, TextError> {
    if text.is_empty() { Err(TextError::Empty) } else { Ok(plain(&bytes_of(text, is_raw)?)) }
}

/// A name or the beginning of one as it is shown to people, who can type it again.
pub(crate) fn shown(text: &[u8], is_raw: bool) -> Result<String, TextError> {
    let part = |part: &[u8]| match bytes_of(part, is_raw) {
        Ok(bytes) if bytes.is_empty() && !part.is_empty() => Ok(EMPTY.to_owned()),
        bytes => bytes.map(|bytes| Part { bytes: &plain(&bytes), is_slash_escaped: true }.to_string()),
    };
    let parts: Result<Vec<String>, TextError> = text.split(|byte| *byte == b'/').map(part).collect();
    parts.map(|parts| parts.join("/"))
}

/// What an address names.
///
/// ```
/// use ekv_model::{Name, Protocol};
/// let name = Name::parse(b"s3:photos/a%20b.jpg", false)?;
/// assert_eq!((name.protocol, &*name.scope, &name.key[..]), (Protocol::S3, &b"photos"[..], &[b"a b.jpg".to_vec()][..]));
/// assert_eq!(name.to_string(), "s3:photos/a%20b.jpg");
/// assert_eq!(Name::parse(b"user:1", false)?.to_string(), "redis:0/user:1");
/// # Ok::<(), ekv_model::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose it is.
    pub protocol: Protocol,
    /// Database number, name of the table, bucket or queue; empty: all of the protocol.
    pub scope: Vec<u8>,
    /// The key in the scope: one part, for DynamoDB one part for each key attribute. Nothing: the scope itself, with all that is in it.
    pub key: Vec<Vec<u8>>,
}

impl Name {
    /// Reads an address; with `is_raw` it has no escapes.
    ///
    /// A text without a protocol in front is a Redis key in database 0.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn parse(text: &[u8], is_raw: bool) -> Result<Self, TextError> {
        for protocol in Protocol::ALL {
            let rest = text.strip_prefix(protocol.name().as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
            let Some(rest) = rest else { continue };
            let name = Self::of(protocol, rest, is_raw);
            if !protocol.has_numbered_scopes() || matches!(name, Err(TextError::Percent { .. })) {
                return name;
            }
            let numbered = name.ok().and_then(Self::with_number);
            let text = || String::from_utf8_lossy(text).into_owned();
            return numbered.ok_or_else(|| TextError::Number { protocol, text: text() });
        }
        Ok(Name { protocol: Protocol::Redis, scope: b"0".to_vec(), key: vec![part_of(text, is_raw)?] })
    }

    /// The name with its scope in the one form that a number has; `None` if that is none.
    fn with_number(mut self) -> Option<Self> {
        if !self.scope.is_empty() {
            let digits = self.scope.iter().all(u8::is_ascii_digit).then_some(&self.scope)?;
            let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            self.scope = number.to_string().into_bytes();
        }
        Some(self)
    }

    /// Reads what follows the protocol: the scope, and behind the first `/` the key.
    pub(crate) fn of(protocol: Protocol, text: &[u8], is_raw: bool) -> Result<Self, TextError> {
        // A slash that was written as an escape separates nothing, and there is none in the text.
        let is_slash = |byte: &u8| *byte == b'/';
        let mut parts = text.splitn(2, is_slash);
        let scope = plain(&bytes_of(parts.next().unwrap_or(&[]), is_raw)?);
        let rest = parts.next().unwrap_or(&[]);
        if scope.is_empty() && !text.is_empty() {
            return Err(TextError::Empty);
        }
        let part = |text| bytes_of(text, is_raw).map(|bytes| plain(&bytes));
        let key: Vec<Vec<u8>> = match protocol.name_parts_max() {
            _ if rest.is_empty() => Vec::new(),
            1 => vec![part(rest)?],
            _ => rest.split(is_slash).map(part).collect::<Result<_, _>>()?,
        };
        if key.len() > protocol.name_parts_max() {
            return Err(TextError::Parts { text: String::from_utf8_lossy(text).into_owned() });
        }
        Ok(Name { protocol, scope, key })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { protocol, scope, key } = self;
        Address { protocol: *protocol, scope, key }.fmt(f)
    }
}

/// A [`Name`] that is only looked at: shown, it is an address.
#[derive(Clone, Copy, Debug)]
pub struct Address<'n> {
    /// As [`Name::protocol`].
    pub protocol: Protocol,
    /// As [`Name::scope`].
    pub scope: &'n [u8],
    /// As [`Name::key`].
    pub key: &'n [Vec<u8>],
}

impl Address<'_> {
    /// Writes it to what takes text, without the machinery of formatting, which costs several times as much.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let Address { protocol, scope, key } = *self;
        out.write_str(protocol.name())?;
        out.write_str(":")?;
        if scope.is_empty() && key.is_empty() {
            return Ok(());
        }
        Part { bytes: scope, is_slash_escaped: true }.write_to(out)?;
        if key.is_empty() {
            out.write_str("/")?;
        }
        for bytes in key {
            out.write_str("/")?;
            match bytes.is_empty() {
                true => out.write_str(EMPTY)?,
                false => Part { bytes, is_slash_escaped: protocol.name_parts_max() > 1 }.write_to(out)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Bytes as an address shows them. Source: `docs/format/tree.md`, section 17.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether a slash would end the part.
    pub is_slash_escaped: bool,
}

impl Part<'_> {
    /// All of it, if every byte is a character that stands for itself: most names are.
    fn plain(&self) -> Option<&str> {
        // Without an early end or a choice, so that many bytes are looked at at once.
        let within = |byte: u8, first: u8, last: u8| byte.wrapping_sub(first) <= last.wrapping_sub(first);
        let is_plain = self.bytes.iter().fold(true, |is_plain, &byte| {
            let is_letter = within(byte, b'a', b'z') | within(byte, b'@', b'Z');
            let is_sign = within(byte, b'-', b':') | (byte == b'_') | (byte == b'~') | (byte == b'+') | (byte == b'=');
            is_plain & (is_letter | is_sign) & ((byte != b'/') | !self.is_slash_escaped)
        });
        if is_plain { std::str::from_utf8(self.bytes).ok() } else { None }
    }

    /// Where the first character is that does not stand for itself.
    fn escaped_at(&self, text: &str) -> Option<usize> {
        text.find(|character: char| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | ':' | '@' | '+' | '=' => false,
            '/' => self.is_slash_escaped,
            _ => !(character.is_alphanumeric() && is_shown_as_it_is(character)),
        })
    }
}

impl Part<'_> {
    fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self.plain() {
            Some(plain) => out.write_str(plain),
            None => write!(out, "{}", Escaping(self)),
        }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// A part that has something to escape.
struct Escaping<'a>(&'a Part<'a>);

impl fmt::Display for Escaping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Escaping(part) = self;
        for chunk in part.bytes.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some((plain, behind)) = part.escaped_at(rest).and_then(|at| rest.split_at_checked(at)) {
                f.write_str(plain)?;
                let mut characters = behind.chars();
                if let Some(character) = characters.next() {
                    write_percent(f, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
                rest = characters.as_str();
            }
            f.write_str(rest)?;
            write_percent(f, chunk.invalid())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(protocol: Protocol, scope: &[u8], key: &[&[u8]]) -> Name {
        Name { protocol, scope: scope.to_vec(), key: key.iter().map(|part| part.to_vec()).collect() }
    }

    #[test]
    fn addresses_name_scopes_and_what_is_in_them() {
        use Protocol::{DynamoDb, Fs, Redis, S3, Sqs};
        for (text, expected) in [
            ("redis:0/user:1", name(Redis, b"0", &[b"user:1"])),
            ("redis:0/a/b", name(Redis, b"0", &[b"a/b"])),
            ("redis:0/", name(Redis, b"0", &[])),
            ("redis:", name(Redis, b"", &[])),
            ("redis:00/", name(Redis, b"0", &[])),
            ("redis:007/a", name(Redis, b"7", &[b"a"])),
            ("dynamodb:orders/c%2F1/17.5", name(DynamoDb, b"orders", &[b"c/1", b"17.5"])),
            ("dynamodb:orders", name(DynamoDb, b"orders", &[])),
            ("s3:photos/2026/a%20b.jpg", name(S3, b"photos", &[b"2026/a b.jpg"])),
            ("s3:b/%2541", name(S3, b"b", &[b"%41"])),
            ("s3:b/%41", name(S3, b"b", &[b"A"])),
            ("sqs:jobs.fifo/6f1c", name(Sqs, b"jobs.fifo", &[b"6f1c"])),
            ("fs:0/etc/a%20b", name(Fs, b"0", &[b"etc/a b"])),
            ("fs:00/.", name(Fs, b"0", &[b"."])),
            ("fs", name(Redis, b"0", &[b"fs"])),
            ("user:1", name(Redis, b"0", &[b"user:1"])),
            ("s3", name(Redis, b"0", &[b"s3"])),
            ("a%00%ff", name(Redis, b"0", &[b"a\0\xff"])),
            ("redis:0/%empty", name(Redis, b"0", &[b""])),
            ("%empty", name(Redis, b"0", &[b""])),
            ("%25empty", name(Redis, b"0", &[b"%empty"])),
            ("s3:b/%empty", name(S3, b"b", &[b""])),
            ("sqs:q/%empty", name(Sqs, b"q", &[b""])),
            ("dynamodb:t/%empty", name(DynamoDb, b"t", &[b""])),
            ("dynamodb:t/a/%empty", name(DynamoDb, b"t", &[b"a", b""])),
            ("dynamodb:t/%empty/", name(DynamoDb, b"t", &[b"", b""])),
        ] {
            assert_eq!(Name::parse(text.as_bytes(), false), Ok(expected), "{text}");
        }
        assert_eq!(Name::parse(b"s3:b/%41", true), Ok(name(S3, b"b", &[b"%41"])));
    }

    #[test]
    fn texts_that_name_nothing_are_refused_with_what_to_write() {
        for (text, what) in [
            ("100%", "write %25 for a percent sign"),
            ("s3:b/%4", "write %25"),
            ("s3:b/%zz", "write %25"),
            ("redis:0/a%empty", "write %25"),
            ("s3:b/a/%empty", "write %25"),
            ("s3:%empty/a", "names nothing"),
            ("redis:user:1", "as redis:0/user:1"),
            ("redis:/x", "as redis:0/user:1"),
            ("redis:+1/x", "as redis:0/user:1"),
            ("redis:4294967296/", "as redis:0/user:1"),
            ("fs:etc/hosts", "as fs:0/etc/hosts"),
            ("dynamodb:t/a/b/c", "write %2F for a slash"),
            ("", "names nothing"),
            ("s3:/", "names nothing"),
            ("sqs:/a", "names nothing"),
        ] {
            let error = Name::parse(text.as_bytes(), false).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn printed_address_reads_back_as_the_same_bytes_and_needs_no_quotes(
            protocol in prop::sample::select(Protocol::ALL.to_vec()),
            scope in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..6), "\\PC{1,6}".prop_map(String::into_bytes), "[a-c/%:]{1,6}".prop_map(String::into_bytes)
            ],
            key in prop::collection::vec(
                prop_oneof![prop::collection::vec(any::<u8>(), 0..8), "[\u{115f}\u{3164}\u{ffa0}\u{34f}é]{0,3}".prop_map(String::into_bytes), "\\PC{0,8}".prop_map(String::into_bytes), "[%/*?'\" a-c]{0,8}|%?empty".prop_map(String::into_bytes)], 0..3
            ),
            database in 0_u32..20,
        ) {
            let scope = if protocol.has_numbered_scopes() { database.to_string().into_bytes() } else { scope };
            let mut key = key;
            key.truncate(if protocol == Protocol::DynamoDb { 2 } else { 1 });
            let name = Name { protocol, scope, key };
            let printed = name.to_string();
            prop_assert_eq!(Name::parse(printed.as_bytes(), false), Ok(name));
            let is_plain = |c: char| (c.is_alphanumeric() && is_shown_as_it_is(c)) || "-._~:/@+=%".contains(c);
            prop_assert!(printed.chars().all(is_plain), "{}", printed);
        }
    }
}
