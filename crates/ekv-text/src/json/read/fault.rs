//! What can be wrong with a JSON text.

use std::fmt;

/// What is wrong, at the line and byte of the error's location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// Something else than what must stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What may stand here.
        expected: &'static str,
        /// What does.
        found: Found,
    },
    /// A member that the object does not have; letter case counts.
    #[error("unknown member {name:?}: expected {}", Alternatives(.known))]
    UnknownMember {
        /// Its name, at most the first 64 characters.
        name: String,
        /// The members that the object has.
        known: &'static [&'static str],
    },
    /// A member that comes twice.
    #[error("the member {name:?} comes twice")]
    RepeatedMember {
        /// Its name.
        name: &'static str,
    },
    /// A member that must be there.
    #[error("the member {name:?} is missing")]
    MissingMember {
        /// Its name.
        name: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("the string is not UTF-8")]
    Utf8,
    /// `\ud800` to `\udfff` without its other half.
    #[error("the escape is half of a surrogate pair")]
    Surrogate,
    /// A string that must not be as long as it is.
    #[error("the string is longer than {len_max} bytes")]
    LongString {
        /// The limit in bytes.
        len_max: usize,
    },
    /// Text that is not base64url without padding.
    #[error("expected base64url without padding (A-Z a-z 0-9 - _)")]
    Base64,
    /// Text that is not standard base64 with padding.
    #[error("expected base64 with padding (A-Z a-z 0-9 + / =)")]
    PaddedBase64,
    /// Text that is not hexadecimal.
    #[error("expected pairs of hexadecimal digits (0-9 a-f)")]
    Hex,
    /// A number beyond its range.
    #[error("expected {expected}")]
    Number {
        /// The range.
        expected: &'static str,
    },
    /// Objects and arrays inside each other beyond the limit.
    #[error("objects and arrays are nested more than {depth_max} deep")]
    Nesting {
        /// The limit.
        depth_max: usize,
    },
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Offset of the byte.
    pub byte_offset: u64,
    /// Its line, from 1.
    pub line: u64,
}

impl Position {
    /// Sixteen bytes, for a sort or a file.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (byte_offset, line) = bytes.split_at_mut(8);
        byte_offset.copy_from_slice(&self.byte_offset.to_be_bytes());
        line.copy_from_slice(&self.line.to_be_bytes());
        bytes
    }

    /// What [`Position::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (byte_offset, line) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Position {
            byte_offset: u64::from_be_bytes(*byte_offset),
            line: line.first_chunk().map_or(1, |line| u64::from_be_bytes(*line)),
        }
    }
}

/// What stands where something else is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The end of the file.
    End,
    /// The end of the line.
    EndOfLine,
    /// A byte.
    Byte(u8),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::End => f.write_str("the end of the file"),
            Found::EndOfLine => f.write_str("the end of the line"),
            Found::Byte(byte @ b' '..=b'~') => write!(f, "'{}'", char::from(*byte)),
            Found::Byte(byte) => write!(f, "the byte {byte:#04x}"),
        }
    }
}

/// Names in a sentence.
struct Alternatives<'a>(&'a [&'static str]);

impl fmt::Display for Alternatives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let separator = match place {
                0 => "",
                _ if place + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{separator}{name:?}")?;
        }
        Ok(())
    }
}
