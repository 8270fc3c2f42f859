//! What surrounds the records: header, payload form, footer. Source: `docs/format/snapshot.md`, sections 3 and 5.

use crate::format::{
    FOOTER_LEN, HEADER_MAGIC_PREFIX, HEADER_V1_LEN, HEADER_V1_MAGIC, HEADER_V2_COUNTED_LEN, HEADER_V2_FIXED_LEN,
    HEADER_V2_MAGIC, MVCC2_MAGIC, PAYLOAD_MAGIC, SST_MAGIC,
};
use crate::{Error, ErrorKind, FooterPolicy, Input, Result, error::escape};

/// The header in front of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The payload begins at offset 0.
    Bare,
    /// `EKVTHLC1`.
    V1 {
        /// HLC physical ceiling in Unix milliseconds, up to 10 s ahead of the wall clock when it was written.
        ceiling_ms: u64,
    },
    /// `EKVTHLC2`.
    V2 {
        /// As in version 1.
        ceiling_ms: u64,
        /// Raft index from which log entries are encrypted; of no influence on reading.
        cutover_index: u64,
        /// Bytes after the 10 fixed ones.
        counted_len: u16,
    },
}

impl Header {
    /// Length in bytes.
    pub fn len(self) -> u64 {
        match self {
            Header::Bare => 0,
            Header::V1 { .. } => HEADER_V1_LEN,
            Header::V2 { counted_len, .. } => HEADER_V2_FIXED_LEN.saturating_add(u64::from(counted_len)),
        }
    }

    /// Whether there is no header at all.
    pub fn is_empty(self) -> bool {
        self == Header::Bare
    }

    /// HLC physical ceiling in Unix milliseconds.
    pub fn ceiling_ms(self) -> Option<u64> {
        match self {
            Header::Bare => None,
            Header::V1 { ceiling_ms } | Header::V2 { ceiling_ms, .. } => Some(ceiling_ms),
        }
    }

    /// Reads the header at the start of `input`.
    ///
    /// # Errors
    /// `HeaderVersion`, `HeaderLength`, `HeaderTruncated`, or a failing read.
    pub fn read(input: &Input) -> Result<Header> {
        let mut first = [0_u8; 26];
        let got = input.fill_at(0, &mut first)?;
        let first = first.get(..got).unwrap_or(&[]);
        let Some(magic) = first.first_chunk::<8>() else { return Ok(Header::Bare) };
        let fail = |kind| Err(Error::new(kind).at(0).in_file(&input.name));
        match magic {
            HEADER_V1_MAGIC => match be_u64(first, 8) {
                Some(ceiling_ms) => Ok(Header::V1 { ceiling_ms }),
                None => fail(ErrorKind::HeaderTruncated),
            },
            HEADER_V2_MAGIC => {
                let Some(&[high, low]) = first.get(8..10) else { return fail(ErrorKind::HeaderTruncated) };
                let counted_len = u16::from_be_bytes([high, low]);
                if !HEADER_V2_COUNTED_LEN.contains(&counted_len) {
                    return fail(ErrorKind::HeaderLength { found: counted_len });
                }
                let (Some(ceiling_ms), Some(cutover_index)) = (be_u64(first, 10), be_u64(first, 18)) else {
                    return fail(ErrorKind::HeaderTruncated);
                };
                let header = Header::V2 { ceiling_ms, cutover_index, counted_len };
                if header.len() > input.len {
                    return fail(ErrorKind::HeaderTruncated);
                }
                Ok(header)
            }
            [prefix @ .., version] if prefix == HEADER_MAGIC_PREFIX => {
                fail(ErrorKind::HeaderVersion { found: char::from(*version) })
            }
            _ => Ok(Header::Bare),
        }
    }
}

/// The form of the payload, chosen by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `EKVPBBL1`: records in raw-key order.
    Store,
    /// `EKVMVCC2`: keys with their versions, from an in-memory store.
    MemoryStore,
    /// `EKVSSTI1`: SST files.
    SstIngest,
    /// No payload bytes: an empty store.
    Empty,
    /// Eight bytes of timestamp-oracle state: a clock of 48 bits; no data.
    TimestampOracle {
        /// Clock ceiling in Unix milliseconds.
        ceiling_ms: u64,
    },
}

impl Form {
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Form::Store => "EKVPBBL1",
            Form::MemoryStore => "EKVMVCC2",
            Form::SstIngest => "EKVSSTI1",
            Form::Empty => "empty",
            Form::TimestampOracle { .. } => "timestamp oracle",
        }
    }

    /// Looks at the payload that begins at `offset`.
    ///
    /// # Errors
    /// `TruncatedMagic` for 1 to 7 payload bytes, `UnknownMagic`, or a failing read.
    pub fn read(input: &Input, offset: u64) -> Result<Form> {
        let mut first = [0_u8; 8];
        let got = input.fill_at(offset, &mut first)?;
        let left = input.len.saturating_sub(offset);
        let fail = |kind| Err(Error::new(kind).at(offset).in_file(&input.name));
        if left == 0 || left == FOOTER_LEN {
            return Ok(Form::Empty);
        }
        if got < first.len() {
            return fail(ErrorKind::TruncatedMagic { len: left });
        }
        match &first {
            PAYLOAD_MAGIC => Ok(Form::Store),
            MVCC2_MAGIC => Ok(Form::MemoryStore),
            SST_MAGIC => Ok(Form::SstIngest),
            [0, 0, ..] if left == 8 || left == 8 + FOOTER_LEN => {
                Ok(Form::TimestampOracle { ceiling_ms: u64::from_be_bytes(first) })
            }
            _ => fail(ErrorKind::UnknownMagic { found: escape(&first) }),
        }
    }
}

/// Whether a longer input that begins with `first` can be a snapshot, so that none of it need be kept otherwise.
///
/// # Errors
/// As [`Header::read`] and [`Form::read`]; messages name the input `name`.
pub fn check_beginning(first: &[u8], name: &str) -> Result<()> {
    let source = std::sync::Arc::new(crate::MemoryInput(first.into()));
    let input =
        Input { source, len: u64::MAX, name: name.to_owned(), footer: FooterPolicy::Optional, token_crc32c: None };
    let header = Header::read(&input)?;
    Form::read(&input, header.len()).map(drop)
}

/// Header, form and checksum of a snapshot whose checks all passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The header.
    pub header: Header,
    /// The payload form.
    pub form: Form,
    /// CRC32C footer, if there is one; it has been compared with the bytes before it.
    pub footer_crc32c: Option<u32>,
}

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|b| u64::from_be_bytes(*b))
}
