//! Errors of the snapshot layer: a kind with its numbers, and the place.

use std::fmt;
use std::io;

use ekv_model::{Cancelled, Class};
use ekv_text::Percent;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Longest part of a key that a message shows, in bytes.
const SHOWN_KEY_LEN: usize = 96;

/// What went wrong and where.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    location: Location,
}

/// Where an error was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The input as the user named it.
    pub file: String,
    /// Byte offset in that input: of the entry, header or footer concerned.
    pub byte_offset: Option<u64>,
    /// Raw key (user key and inverted timestamp) of the entry concerned, at most its first bytes.
    pub raw_key: Option<Vec<u8>>,
}

/// The kinds of errors. Source: `docs/format/snapshot.md`, section 15.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system failed to open or read.
    #[error("cannot {operation}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Neither a file nor a directory that holds a snapshot.
    #[error("no snapshot here: {reason}")]
    NotFound {
        /// What was looked for.
        reason: String,
    },
    /// Something else than a regular file.
    #[error("{reason}")]
    NotRegular {
        /// What it is.
        reason: String,
    },
    /// Bytes that were checked are no longer those that were read.
    #[error(
        "the file was written to while it was read: what was checked is no longer there; take a copy that nobody changes"
    )]
    Changed,
    /// Bytes that a kept index vouches for are no longer those that were read when it was made.
    #[error(
        "the {len} bytes from here on are not those that were checked when the kept index of the snapshot was made (checksum {stored:08x} then, {computed:08x} now): --no-cache reads and checks all of it"
    )]
    BlockCrc {
        /// How many bytes, from the byte offset on.
        len: u64,
        /// CRC32C in the index.
        stored: u32,
        /// CRC32C of the bytes.
        computed: u32,
    },
    /// A path that may mean more than one thing.
    #[error("{what}")]
    Ambiguous {
        /// What is there, and what to do.
        what: String,
    },
    /// Every snapshot of a group failed its checks.
    #[error("no usable snapshot in this group ({tried} tried)")]
    NoUsableSnapshot {
        /// How many were tried.
        tried: usize,
        /// Why the newest one cannot be used.
        #[source]
        newest: Box<Error>,
    },
    /// `EKVTHLC` with an unknown version byte.
    #[error("unknown header version {found:?}: this tool knows EKVTHLC1 and EKVTHLC2")]
    HeaderVersion {
        /// The eighth byte of the file.
        found: char,
    },
    /// `EKVTHLC2` with a length outside 16..=1024.
    #[error("header length {found} is outside 16..=1024")]
    HeaderLength {
        /// The declared length.
        found: u16,
    },
    /// The file ends inside its header.
    #[error("the file ends inside its header")]
    HeaderTruncated,
    /// The payload begins with eight bytes that no known form begins with.
    #[error("unknown payload magic \"{found}\": not an elastickv snapshot")]
    UnknownMagic {
        /// The eight bytes, escaped.
        found: String,
    },
    /// A payload of one to seven bytes.
    #[error("the payload has only {len} bytes: truncated magic")]
    TruncatedMagic {
        /// Payload length.
        len: u64,
    },
    /// A known form that holds no records this tool can decode.
    #[error("{what}")]
    UnsupportedForm {
        /// What it is and what to do instead.
        what: String,
    },
    /// More than the caller accepts.
    #[error("the snapshot has more than {max} {what}; {option} allows more")]
    LimitExceeded {
        /// What is counted.
        what: &'static str,
        /// The limit.
        max: u64,
        /// The option that sets it.
        option: &'static str,
    },
    /// A key length above the limit.
    #[error("key length {found} exceeds the limit of {limit} bytes")]
    KeyTooLarge {
        /// Declared length.
        found: u64,
        /// Limit in force.
        limit: u64,
    },
    /// A value length above the limit.
    #[error("value length {found} exceeds the limit of {limit} bytes")]
    ValueTooLarge {
        /// Declared length.
        found: u64,
        /// Limit in force.
        limit: u64,
    },
    /// The file ends inside an entry, or trailing bytes are neither an entry nor a footer.
    #[error("truncated: {what} needs {needed} bytes, {available} are left")]
    Truncated {
        /// Which field.
        what: &'static str,
        /// Bytes that the field needs.
        needed: u64,
        /// Bytes that are left.
        available: u64,
    },
    /// No footer where one is required.
    #[error("the checksum footer is missing: the file was cut short or is damaged")]
    FooterMissing,
    /// The CRC32C footer does not match the bytes before it.
    #[error("checksum mismatch: footer {stored:08x}, computed {computed:08x}{}", .parse_error.as_ref().map_or_else(String::new, |e| format!(" (also: {e})")))]
    FooterCrc {
        /// CRC32C stored in the footer.
        stored: u32,
        /// CRC32C of the bytes before it.
        computed: u32,
        /// A structural error that was met before the checksum was compared.
        parse_error: Option<String>,
    },
    /// The footer differs from the checksum in the `.snap` token.
    #[error("checksum mismatch: the .snap token says {token:08x}, the footer {footer:08x}")]
    TokenCrc {
        /// CRC32C in the token.
        token: u32,
        /// CRC32C in the footer.
        footer: u32,
    },
    /// An `EKVMVCC2` body whose inner checksum does not match.
    #[error("checksum mismatch inside the EKVMVCC2 payload: stored {stored:08x}, computed {computed:08x}")]
    BodyCrc {
        /// CRC32 (IEEE) stored in the payload.
        stored: u32,
        /// CRC32 (IEEE) computed.
        computed: u32,
    },
    /// A field of an embedded structure that is not what it must be.
    #[error("invalid {structure}: {reason}")]
    Invalid {
        /// The structure, such as `EKVSSTI1 manifest`.
        structure: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A `.snap` file that cannot be used.
    #[error("unusable .snap file: {reason}")]
    SnapMeta {
        /// Why.
        reason: String,
    },
    /// A `.snap` file to be written whose checksum is 0.
    #[error(
        "the checksum of the .snap file happens to be 0, which a server reads as no snapshot: take another Raft index"
    )]
    ZeroChecksum,
    /// A token in a `.snap` file that cannot be used.
    #[error("unusable snapshot token: {reason}")]
    TokenInvalid {
        /// Why.
        reason: String,
    },
    /// Raw keys must strictly ascend.
    #[error("keys out of order: this raw key is not above the one before it ({previous})")]
    Order {
        /// The raw key before, escaped.
        previous: String,
    },
    /// A raw key too short to carry a timestamp.
    #[error("raw key of {len} bytes is too short to carry a commit timestamp")]
    ShortKey {
        /// Raw key length.
        len: u64,
    },
    /// A value too short for its header.
    #[error("value of {len} bytes is shorter than the 9-byte value header")]
    ShortValue {
        /// Value length.
        len: u64,
    },
    /// Reserved flag bits or encryption states.
    #[error("value flags {flags:#04x} use reserved bits")]
    ReservedFlags {
        /// The flags byte.
        flags: u8,
    },
    /// An encrypted value whose data key is not known.
    #[error("value is encrypted{}, which was not given", .key_id.map_or_else(String::new, |id| format!(" with data key {id}")))]
    Encrypted {
        /// Data key id, if the body is long enough to name it.
        key_id: Option<u32>,
    },
    /// An encrypted value that is not what was encrypted.
    #[error("encrypted value{} was changed: {reason}", .key_id.map_or_else(String::new, |id| format!(" of data key {id}")))]
    EncryptedIntegrity {
        /// Data key id, if the body is long enough to name it.
        key_id: Option<u32>,
        /// What shows it.
        reason: String,
    },
    /// Something else than a bare payload, where only that can be restored.
    #[error("it begins with \"{found}\" where a payload begins with EKVPBBL1")]
    NotAPayload {
        /// The first eight bytes, escaped.
        found: String,
    },
    /// A second version of a key, in a payload that is to be restored.
    #[error("this is a second version of a key: only a payload with one version of each key can be restored")]
    SecondVersion,
    /// A tombstone, in a payload that is to be restored.
    #[error("this is a deletion: only a payload without deletions can be restored")]
    Tombstone,
    /// A row of the store itself, in a payload that is to be restored.
    #[error("this is a row of the store itself: a node that takes it over could skip log entries")]
    StoreRow,
    /// A record that was committed after the last commit that the payload's header states.
    #[error("the record was committed at {commit_ts}, after the last commit {last_commit_ts} of the payload's header")]
    NewerThanHeader {
        /// Commit timestamp of the record.
        commit_ts: u64,
        /// Last commit timestamp of the header.
        last_commit_ts: u64,
    },
    /// A read timestamp below what the snapshot can answer.
    #[error("read timestamp {read_ts} has been compacted: the oldest answerable timestamp is {oldest}")]
    TsCompacted {
        /// The requested timestamp.
        read_ts: u64,
        /// The oldest answerable one.
        oldest: u64,
    },
    /// Read timestamp zero, at which nothing exists.
    #[error("read timestamp 0 is before every write")]
    TsZero,
    /// A commit timestamp for a new snapshot that no clock can pass.
    #[error("timestamp {commit_ts} is the last millisecond there is: no node can be restored from it")]
    TsTooLate {
        /// The timestamp.
        commit_ts: u64,
    },
    /// Two records for a new snapshot have one user key.
    #[error("two records have the user key {}", escape(.user_key))]
    DuplicateKey {
        /// The user key.
        user_key: Vec<u8>,
    },
    /// A new snapshot could not be written.
    #[error("cannot write the snapshot")]
    Write {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A scratch file could not be written or read.
    #[error("scratch space failed")]
    Scratch(#[source] ekv_spill::Error),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Self {
        Error::new(ErrorKind::Cancelled)
    }
}

impl Error {
    /// An error of `kind` without a place; add it with [`Error::at`], [`Error::in_file`] and [`Error::with_key`].
    pub fn new(kind: ErrorKind) -> Self {
        Error { inner: Box::new(Inner { kind, location: Location::default() }) }
    }

    /// An operating-system failure.
    pub fn io(operation: &'static str, source: io::Error) -> Self {
        Error::new(ErrorKind::Io { operation, source })
    }

    /// Adds the byte offset, unless one is known already.
    #[must_use]
    pub fn at(mut self, byte_offset: u64) -> Self {
        self.inner.location.byte_offset.get_or_insert(byte_offset);
        self
    }

    /// Adds the file, unless one is known already.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        if self.inner.location.file.is_empty() {
            self.inner.location.file = file.to_owned();
        }
        self
    }

    /// Adds the raw key, unless one is known already.
    #[must_use]
    pub fn with_key(mut self, raw_key: &[u8]) -> Self {
        if self.inner.location.raw_key.is_none() {
            self.inner.location.raw_key = Some(raw_key.iter().copied().take(SHOWN_KEY_LEN).collect());
        }
        self
    }

    /// The message without the name of the file, for use inside another message about the same file.
    pub(crate) fn without_file(&self) -> String {
        let Location { byte_offset, raw_key, .. } = &self.inner.location;
        let offset = byte_offset.map(|offset| format!("byte offset {offset}"));
        let key = raw_key.as_ref().map(|key| format!("key {}", escape(key)));
        let place: Vec<String> = offset.into_iter().chain(key).collect();
        let kind = &self.inner.kind;
        if place.is_empty() { kind.to_string() } else { format!("{kind} ({})", place.join(", ")) }
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// Where.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.inner.location.file;
        if !file.is_empty() {
            write!(f, "{file}: ")?;
        }
        f.write_str(&self.without_file())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.inner.kind)
    }
}

/// Shows bytes with `%HH` escapes, at most the first 96 of them.
pub fn escape(bytes: &[u8]) -> String {
    let end = if bytes.len() > SHOWN_KEY_LEN { "…" } else { "" };
    format!("{}{end}", Percent(bytes.get(..SHOWN_KEY_LEN).unwrap_or(bytes)))
}

impl Error {
    /// What the error means to the user.
    pub fn class(&self) -> Class {
        match self.kind() {
            ErrorKind::Io { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::NotRegular { .. }
            | ErrorKind::Ambiguous { .. }
            | ErrorKind::TsCompacted { .. }
            | ErrorKind::TsZero => Class::Environment,
            ErrorKind::Scratch(source) => source.class(),
            ErrorKind::Write { source } if ekv_spill::is_out_of_space(source) => Class::OutOfSpace,
            ErrorKind::Write { .. } => Class::WriteIo,
            ErrorKind::Cancelled => Class::Cancelled,
            _ => Class::Data,
        }
    }
}

impl From<Error> for ekv_model::Error {
    fn from(error: Error) -> Self {
        ekv_model::Error::new(error.class(), error)
    }
}

impl From<ekv_text::protobuf::Malformed> for Error {
    fn from(malformed: ekv_text::protobuf::Malformed) -> Self {
        Error::new(ErrorKind::Invalid { structure: "Protocol Buffers message", reason: malformed.to_string() })
    }
}

impl From<ekv_spill::Error> for Error {
    fn from(source: ekv_spill::Error) -> Self {
        Error::new(ErrorKind::Scratch(source))
    }
}
