//! What is wrong with a file.
//!
//! Source: `docs/format/rdb.md`, section 5.

use std::fmt;

use ekv_model::{Class, Error};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It begins as no file that a server saves.
    #[error("this is no RDB file: it begins with {}", .0.escape_ascii())]
    Magic(Vec<u8>),
    /// Valkey has put the whole file into an envelope.
    #[error(
        "this RDB file is compressed as a whole, in an envelope (VCS) of Valkey 9.2 or newer, which this tool does not read"
    )]
    Envelope,
    /// A server newer than this tool wrote it.
    #[error("this RDB file has version {version} of {magic}, and this tool reads {known}: a newer server wrote it", known = magic.versions())]
    Version {
        /// Whose versions are meant.
        magic: Magic,
        /// The version.
        version: u16,
    },
    /// Neither a type nor anything else that is known.
    #[error(
        "byte {byte} is neither a type nor an instruction of {magic} version {version}: a newer server wrote it, or it is damaged"
    )]
    Unknown {
        /// The byte.
        byte: u8,
        /// Whose versions are meant.
        magic: Magic,
        /// Version of the file.
        version: u16,
    },
    /// It ends too early.
    #[error("it ends too early: {wanted} more bytes belong here, and there are {left}")]
    Truncated {
        /// Bytes or things that should follow.
        wanted: u64,
        /// Bytes that follow.
        left: u64,
    },
    /// The checksum is another one.
    #[error("its checksum is {stated:016x}, but that of its bytes is {computed:016x}: the file is damaged")]
    Checksum {
        /// The one behind the file.
        stated: u64,
        /// That of the bytes.
        computed: u64,
    },
    /// A file of a version that ends with its last key does not.
    #[error("{len} bytes follow the end of a file whose version has no checksum: its version is damaged, or its end")]
    Behind {
        /// Bytes behind the end.
        len: u64,
    },
    /// A length or number that the format does not allow here.
    #[error("a length is malformed: {0}")]
    Length(&'static str),
    /// A compressed string.
    #[error("a compressed string is malformed: {0}")]
    Lzf(&'static str),
    /// A listpack.
    #[error("a listpack is malformed: {0}")]
    Listpack(&'static str),
    /// A ziplist.
    #[error("a ziplist is malformed: {0}")]
    Ziplist(&'static str),
    /// A set of whole numbers.
    #[error("an intset is malformed: {0}")]
    Intset(&'static str),
    /// A zipmap.
    #[error("a zipmap is malformed: {0}")]
    Zipmap(&'static str),
    /// A stream.
    #[error("a stream is malformed: {0}")]
    Stream(&'static str),
    /// The value of a module.
    #[error("the value of a module is malformed: {0}")]
    Module(&'static str),
    /// A score that is no number as texts say it.
    #[error("a score is malformed: it is no number")]
    Score,
    /// More than is read.
    #[error("{what} has more than {max} bytes")]
    TooLong {
        /// What.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// Whose numbers versions and types are: from 80 on those of Valkey mean something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// `REDIS`: Redis, and Valkey up to 8.
    Redis,
    /// `VALKEY`.
    Valkey,
}

impl Magic {
    fn versions(self) -> &'static str {
        match self {
            Magic::Redis => "1 to 13",
            Magic::Valkey => "80",
        }
    }
}

impl fmt::Display for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Magic::Redis => "Redis",
            Magic::Valkey => "Valkey",
        })
    }
}

/// A fault, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultAt {
    /// What is wrong.
    pub fault: Fault,
    /// Byte offset in the file; of what is packed into a string, that of its value.
    pub byte_offset: u64,
    /// The key whose value it is, and its database.
    pub key: Option<(u32, Vec<u8>)>,
}

impl fmt::Display for FaultAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.byte_offset)?;
        if let Some((database, key)) = &self.key {
            let shown = key.get(..KEY_LEN_SHOWN).unwrap_or(key);
            write!(f, ", key {} in database {database}", shown.escape_ascii())?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// Bytes of a key that a message shows.
const KEY_LEN_SHOWN: usize = 256;

impl std::error::Error for FaultAt {}

impl From<FaultAt> for Error {
    fn from(fault: FaultAt) -> Self {
        Error::new(Class::Data, fault)
    }
}

/// Why reading stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// What is read is malformed, at this offset of what is read.
    Fault(Fault, u64),
    /// Anything else: it cannot be read, or whoever takes it wants no more.
    Error(Error),
}

impl Stop {
    /// The same, at another offset if it is a fault.
    pub(super) fn at(self, offset: u64) -> Stop {
        match self {
            Stop::Fault(fault, _) => Stop::Fault(fault, offset),
            error => error,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl From<ekv_spill::Error> for Stop {
    fn from(error: ekv_spill::Error) -> Self {
        Stop::Error(error.into())
    }
}

pub(super) type Result<T, E = Stop> = std::result::Result<T, E>;
