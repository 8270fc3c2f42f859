//! `.snap` files: the Raft metadata that names a snapshot and its checksum. Source: `docs/format/snapshot.md`, section 2.

use ekv_snapshot::{Error, ErrorKind, Input, Result, for_each_piece, len_u64};
use ekv_text::protobuf::Wire;

use crate::protobuf::{Budget, Span, for_each_field, packed_varints, put_bytes, put_number};

/// First bytes of a token.
const TOKEN_MAGIC: &[u8; 4] = b"EKVT";
/// The token version this tool knows.
const TOKEN_VERSION: u8 = 1;
/// Length of a token in bytes.
const TOKEN_LEN: usize = 17;
/// Fields and list elements that are looked at in one file; real files have about ten.
const FIELD_COUNT_MAX: u32 = 10_000;
/// Bytes that a file may have beside an inline payload.
const OVERHEAD_LEN_MAX: u64 = 1 << 20;

/// Names an `.fsm` file and states its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Raft index, which is the name of the file.
    pub index: u64,
    /// CRC32C, equal to the footer of the file.
    pub crc32c: u32,
}

impl Token {
    /// The 17 bytes of the token.
    pub fn encode(self) -> [u8; TOKEN_LEN] {
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.index.to_be_bytes();
        let [c0, c1, c2, c3] = self.crc32c.to_be_bytes();
        let [m0, m1, m2, m3] = *TOKEN_MAGIC;
        [m0, m1, m2, m3, TOKEN_VERSION, i0, i1, i2, i3, i4, i5, i6, i7, c0, c1, c2, c3]
    }

    /// Reads a token; `None` if the bytes do not begin like one.
    ///
    /// # Errors
    /// `TokenInvalid` for an unknown version.
    fn decode(bytes: &[u8; TOKEN_LEN]) -> Result<Option<Token>> {
        let [m0, m1, m2, m3, version, i0, i1, i2, i3, i4, i5, i6, i7, c0, c1, c2, c3] = *bytes;
        if [m0, m1, m2, m3] != *TOKEN_MAGIC {
            return Ok(None);
        }
        if version != TOKEN_VERSION {
            let reason = format!("version {version} is unknown, this tool knows version {TOKEN_VERSION}");
            return Err(Error::new(ErrorKind::TokenInvalid { reason }));
        }
        let index = u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
        Ok(Some(Token { index, crc32c: u32::from_be_bytes([c0, c1, c2, c3]) }))
    }
}

/// Members of the Raft group, by node id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfState {
    /// Voting members.
    pub voters: Vec<u64>,
    /// Learners.
    pub learners: Vec<u64>,
    /// Voters of the outgoing configuration during a joint change.
    pub voters_outgoing: Vec<u64>,
    /// Outgoing voters that become learners.
    pub learners_next: Vec<u64>,
    /// Whether a joint change ends by itself; `None` if the file does not say.
    pub auto_leave: Option<bool>,
}

/// Position in the Raft log, and members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapMetadata {
    /// Raft term.
    pub term: u64,
    /// Raft index whose effect is included.
    pub index: u64,
    /// Members.
    pub conf_state: ConfState,
}

/// What a `.snap` file says about the state of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapData {
    /// The state is in an `.fsm` file.
    Token(Token),
    /// The state is in this `.snap` file: header and payload without footer.
    Inline {
        /// Byte offset in the `.snap` file.
        byte_offset: u64,
        /// Length in bytes, at least 1.
        len: u64,
    },
    /// There is no state.
    Empty,
}

/// A `.snap` file whose checksum holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapFile {
    /// Position in the log, and members.
    pub metadata: SnapMetadata,
    /// Where the state is.
    pub data: SnapData,
}

impl SnapFile {
    /// Reads and checks a whole `.snap` file; an inline payload is checksummed in pieces and not kept.
    ///
    /// A token must name the index of the metadata. Cost: one read of the file, memory bounded by a constant.
    ///
    /// # Errors
    /// `SnapMeta` or `Invalid` for a wrong checksum or structure, `TokenInvalid`, or a failing read.
    pub fn read(input: &Input) -> Result<SnapFile> {
        read(input).map_err(|e| e.in_file(&input.name))
    }
}

fn read(input: &Input) -> Result<SnapFile> {
    let mut budget = Budget::new(FIELD_COUNT_MAX);
    let mut stored_crc = 0;
    let mut message = None;
    for_each_field(input, Span { start: 0, len: input.len }, &mut budget, |_, number, value| {
        match (number, value) {
            (1, Wire::Varint(crc)) => {
                stored_crc = u32::try_from(crc).map_err(|_| invalid("its checksum has more than 32 bits"))?;
            }
            (2, Wire::Bytes(span)) => message = Some(span),
            (1 | 2, _) => return Err(invalid("a field of the container has the wrong type")),
            _ => {}
        }
        Ok(())
    })?;
    let Some(message) = message.filter(|message| message.len > 0) else {
        return Err(invalid("it holds no snapshot message"));
    };
    if stored_crc == 0 {
        return Err(invalid("it has no checksum"));
    }
    let mut computed_crc = 0;
    for_each_piece(input, message.start, message.len, |piece| {
        computed_crc = crc32c::crc32c_append(computed_crc, piece);
        Ok(())
    })?;
    if computed_crc != stored_crc {
        return Err(invalid(format!("checksum mismatch: stored {stored_crc:08x}, computed {computed_crc:08x}")));
    }
    read_message(input, message, &mut budget)
}

/// The inner message: data and metadata.
fn read_message(input: &Input, message: Span, budget: &mut Budget) -> Result<SnapFile> {
    let mut metadata = SnapMetadata::default();
    let mut data = Span { len: 0, ..message };
    for_each_field(input, message, budget, |budget, number, value| match (number, value) {
        (1, Wire::Bytes(span)) => {
            data = span;
            Ok(())
        }
        (2, Wire::Bytes(span)) => read_metadata(input, span, budget, &mut metadata),
        (1 | 2, _) => Err(invalid("a field of the snapshot message has the wrong type")),
        _ => Ok(()),
    })?;
    let data = classify(input, data)?;
    if let SnapData::Token(token) = data
        && token.index != metadata.index
    {
        let reason = format!("it names index {}, the metadata index {}", token.index, metadata.index);
        return Err(Error::new(ErrorKind::TokenInvalid { reason }));
    }
    let payload_len = if let SnapData::Inline { len, .. } = data { len } else { 0 };
    if input.len.saturating_sub(payload_len) > OVERHEAD_LEN_MAX {
        return Err(invalid(format!("it has {} bytes, far more than its content needs", input.len)));
    }
    Ok(SnapFile { metadata, data })
}

fn classify(input: &Input, Span { start: byte_offset, len }: Span) -> Result<SnapData> {
    if len == 0 {
        return Ok(SnapData::Empty);
    }
    let mut bytes = [0; TOKEN_LEN];
    if len == len_u64(&bytes)
        && input.fill_at(byte_offset, &mut bytes)? == bytes.len()
        && let Some(token) = Token::decode(&bytes).map_err(|e| e.at(byte_offset))?
    {
        return Ok(SnapData::Token(token));
    }
    Ok(SnapData::Inline { byte_offset, len })
}

fn read_metadata(input: &Input, span: Span, budget: &mut Budget, metadata: &mut SnapMetadata) -> Result<()> {
    let SnapMetadata { term, index, conf_state } = metadata;
    for_each_field(input, span, budget, |budget, number, value| match (number, value) {
        (1, Wire::Bytes(span)) => {
            *conf_state = ConfState::read(input, span, budget)?;
            Ok(())
        }
        (2, Wire::Varint(n)) => {
            *index = n;
            Ok(())
        }
        (3, Wire::Varint(n)) => {
            *term = n;
            Ok(())
        }
        (1..=3, _) => Err(invalid("a field of the metadata has the wrong type")),
        _ => Ok(()),
    })
}

impl ConfState {
    /// Reads the message that lies in `span`.
    pub(crate) fn read(input: &Input, span: Span, budget: &mut Budget) -> Result<ConfState> {
        let mut read = ConfState::default();
        let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = &mut read;
        for_each_field(input, span, budget, |budget, number, value| {
            let ids = match number {
                1 => &mut *voters,
                2 => &mut *learners,
                3 => &mut *voters_outgoing,
                4 => &mut *learners_next,
                5 => {
                    let Wire::Varint(n) = value else { return Err(invalid("auto_leave has the wrong type")) };
                    *auto_leave = Some(n != 0);
                    return Ok(());
                }
                _ => return Ok(()),
            };
            match value {
                Wire::Varint(id) => {
                    ids.push(id);
                    Ok(())
                }
                Wire::Bytes(span) => packed_varints(input, span, budget, |id| ids.push(id)),
                Wire::Fixed64(_) | Wire::Other => Err(invalid("a list of members has the wrong type")),
            }
        })?;
        Ok(read)
    }

    /// The bytes of the message: lists unpacked, `auto_leave` only if it is known.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = self;
        let mut out = Vec::new();
        for (number, ids) in [(1, voters), (2, learners), (3, voters_outgoing), (4, learners_next)] {
            for id in ids {
                put_number(number, *id, &mut out);
            }
        }
        if let Some(auto_leave) = auto_leave {
            put_number(5, u64::from(*auto_leave), &mut out);
        }
        out
    }
}

/// The bytes of the `.snap` file that names an `.fsm` file by `token`, as the server writes it.
///
/// Member lists are written unpacked; `auto_leave` is written only if it is known.
///
/// # Errors
/// `ZeroChecksum` if the checksum happens to be 0, which readers take for an empty file.
pub fn encode(metadata: &SnapMetadata, token: Token) -> Result<Vec<u8>> {
    let mut position = Vec::new();
    put_bytes(1, &metadata.conf_state.encode(), &mut position);
    put_number(2, metadata.index, &mut position);
    put_number(3, metadata.term, &mut position);

    let mut message = Vec::new();
    put_bytes(1, &token.encode(), &mut message);
    put_bytes(2, &position, &mut message);

    let mut file = Vec::new();
    let crc32c = crc32c::crc32c(&message);
    if crc32c == 0 {
        return Err(Error::new(ErrorKind::ZeroChecksum));
    }
    put_number(1, u64::from(crc32c), &mut file);
    put_bytes(2, &message, &mut file);
    Ok(file)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::SnapMeta { reason: reason.into() })
}

#[cfg(test)]
mod tests;
