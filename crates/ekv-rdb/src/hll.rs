//! From the members of a HyperLogLog to the registers that a server makes of them: the same bytes that `PFADD` would leave.
//!
//! Source: `docs/format/rdb.md`, section 2.

use ekv_model::{Body, ByteSource, Class, Error, InMemory};
use ekv_text::protobuf::{ByteAt, Fields, Malformed, Span, Wire};
use ekv_text::{BytesAt, Window};

/// What the payload begins with that holds members.
const MEMBERS_MAGIC: &[u8] = b"\0RS\x01";
/// Field of the members.
const MEMBERS_FIELD: u64 = 1;
/// What the value of a server begins with.
pub const MAGIC: &[u8; 4] = b"HYLL";
/// Registers; a number of the lowest bits of a hash chooses one.
const REGISTERS: usize = 1 << 14;
/// Bits of a hash that choose a register.
const REGISTER_BITS: u32 = 14;
/// Largest value of a register.
const RANK_MAX: u8 = 51;
/// Largest value of a register in the sparse form.
const SPARSE_RANK_MAX: u8 = 32;
/// Longest sparse form that servers keep, in bytes behind the header.
const SPARSE_LEN_MAX: usize = 3000;
/// Bytes of the header.
const HEADER_LEN: usize = 16;
/// Bytes of the dense form behind the header.
const DENSE_LEN: usize = REGISTERS * 6 / 8;
/// Longest value that a server keeps, in bytes.
const VALUE_LEN_MAX: u64 = 16 << 10;
/// Bytes that are read ahead.
const WINDOW_LEN: usize = 64 << 10;

/// The seed and the constants of MurmurHash64A.
const HASH_SEED: u64 = 0xadc8_3b19;
const HASH_FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
const HASH_SHIFT: u32 = 47;

/// Why members cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembersError {
    /// It does not begin as the member sets of a server do.
    #[error("it is no set of members")]
    Magic,
    /// Its fields are torn.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
}

impl From<MembersError> for Error {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::Read(error) => error,
            error => Error::new(Class::Data, error),
        }
    }
}

/// The registers of a HyperLogLog: for each the highest rank of a hash that fell on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers(Vec<u8>);

impl Default for Registers {
    fn default() -> Self {
        Registers(vec![0; REGISTERS])
    }
}

impl Registers {
    /// Of the members in the payload of a HyperLogLog, as events carry it (`docs/format/redis.md`, section 2.2).
    ///
    /// Cost: a buffer of 64 KiB, whatever the number and length of the members.
    ///
    /// # Errors
    /// [`MembersError`].
    pub fn of_members(payload: Body<'_>) -> Result<Registers, MembersError> {
        let mut registers = Registers::default();
        if payload.is_empty() {
            return Ok(registers);
        }
        let mut window = Window::new(Payload(payload), WINDOW_LEN);
        for (at, byte) in (0..).zip(MEMBERS_MAGIC) {
            if at >= payload.len() || window.byte(at)? != *byte {
                return Err(MembersError::Magic);
            }
        }
        let start = crate::file_len(MEMBERS_MAGIC.len());
        let mut fields = Fields::of(Span { start, len: payload.len().saturating_sub(start) });
        while let Some(field) = fields.next(&mut window)? {
            if let (MEMBERS_FIELD, Wire::Bytes(span)) = (field.number, field.content) {
                registers.add_hash(hash(&mut window, span)?);
            }
        }
        Ok(registers)
    }

    /// Of a value that a server keeps; `None` if it is no HyperLogLog.
    pub fn of_value(value: &[u8]) -> Option<Registers> {
        let (header, body) = value.split_at_checked(HEADER_LEN)?;
        if !header.starts_with(MAGIC) {
            return None;
        }
        match header.get(MAGIC.len())? {
            0 => of_dense(body),
            1 => of_sparse(body),
            _ => None,
        }
    }

    /// Of a string that a server may keep as one; `None` if it is no HyperLogLog.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn of_string(body: Body<'_>) -> ekv_model::Result<Option<Registers>> {
        if let Body::Inline(value) = body {
            return Ok(Registers::of_value(value));
        }
        if body.len() > VALUE_LEN_MAX {
            return Ok(None);
        }
        let mut value = Vec::new();
        body.for_each_chunk(|chunk| {
            value.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(Registers::of_value(&value))
    }

    /// Adds a member.
    pub fn add(&mut self, member: &[u8]) {
        let len = crate::file_len(member.len());
        let mut state = HASH_SEED ^ len.wrapping_mul(HASH_FACTOR);
        let (words, rest) = member.as_chunks::<8>();
        for word in words {
            state = mix(state, u64::from_le_bytes(*word));
        }
        self.add_hash(last(state, rest));
    }

    fn add_hash(&mut self, hash: u64) {
        let index = usize::try_from(hash & ((1 << REGISTER_BITS) - 1)).unwrap_or(0);
        let rank = ((hash >> REGISTER_BITS) | (1 << (64 - REGISTER_BITS))).trailing_zeros() + 1;
        if let Some(register) = self.0.get_mut(index) {
            *register = (*register).max(u8::try_from(rank).unwrap_or(RANK_MAX));
        }
    }

    /// The value that a server keeps: sparse where it would keep it so, with a cached count that is marked as stale.
    pub fn to_value(&self) -> Vec<u8> {
        let (form, body) = match self.sparse() {
            Some(body) => (1, body),
            None => (0, self.dense()),
        };
        let mut value = Vec::with_capacity(HEADER_LEN.saturating_add(body.len()));
        value.extend_from_slice(MAGIC);
        value.extend_from_slice(&[form, 0, 0, 0]);
        value.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x80]);
        value.extend_from_slice(&body);
        value
    }

    fn dense(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(DENSE_LEN);
        let (groups, _) = self.0.as_chunks::<4>();
        for [a, b, c, d] in groups {
            body.extend_from_slice(&[a | (b << 6), (b >> 2) | (c << 4), (c >> 4) | (d << 2)]);
        }
        body
    }

    /// `None` if a server would keep the dense form.
    fn sparse(&self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        for run in self.0.chunk_by(|a, b| a == b) {
            let rank = *run.first()?;
            if rank == 0 {
                match run.len() - 1 {
                    less @ 0..64 => body.push(u8::try_from(less).ok()?),
                    less => body.extend_from_slice(&(0x4000 | u16::try_from(less).ok()?).to_be_bytes()),
                }
                continue;
            }
            if rank > SPARSE_RANK_MAX {
                return None;
            }
            for run in run.chunks(4) {
                body.push(0x80 | ((rank - 1) << 2) | u8::try_from(run.len() - 1).ok()?);
            }
        }
        (body.len() <= SPARSE_LEN_MAX).then_some(body)
    }
}

fn of_dense(body: &[u8]) -> Option<Registers> {
    let (groups, rest) = body.as_chunks::<3>();
    if body.len() != DENSE_LEN || !rest.is_empty() {
        return None;
    }
    let four = |[a, b, c]: &[u8; 3]| [a & 0x3f, ((a >> 6) | (b << 2)) & 0x3f, ((b >> 4) | (c << 4)) & 0x3f, c >> 2];
    Some(Registers(groups.iter().flat_map(four).collect()))
}

fn of_sparse(mut body: &[u8]) -> Option<Registers> {
    let mut registers = Vec::with_capacity(REGISTERS);
    while let Some((first, rest)) = body.split_first() {
        body = rest;
        let (rank, less) = match first >> 6 {
            0 => (0, u16::from(*first)),
            1 => {
                let (low, rest) = body.split_first()?;
                body = rest;
                (0, u16::from_be_bytes([first & 0x3f, *low]))
            }
            _ => (((first >> 2) & 0x1f) + 1, u16::from(first & 3)),
        };
        let len = registers.len() + usize::from(less) + 1;
        if len > REGISTERS {
            return None;
        }
        registers.resize(len, rank);
    }
    (registers.len() == REGISTERS).then_some(Registers(registers))
}

/// MurmurHash64A of a part of a payload.
fn hash(window: &mut Window<Payload<'_>>, span: Span) -> Result<u64, MembersError> {
    let mut state = HASH_SEED ^ span.len.wrapping_mul(HASH_FACTOR);
    let mut word = [0; 8];
    let mut filled = 0;
    for at in span.start..span.start.saturating_add(span.len) {
        let byte = window.byte(at)?;
        if let Some(place) = word.get_mut(filled) {
            *place = byte;
        }
        filled += 1;
        if filled == word.len() {
            state = mix(state, u64::from_le_bytes(word));
            filled = 0;
        }
    }
    Ok(last(state, word.get(..filled).unwrap_or_default()))
}

fn mix(state: u64, word: u64) -> u64 {
    let mut word = word.wrapping_mul(HASH_FACTOR);
    word ^= word >> HASH_SHIFT;
    (state ^ word.wrapping_mul(HASH_FACTOR)).wrapping_mul(HASH_FACTOR)
}

fn last(mut state: u64, rest: &[u8]) -> u64 {
    if !rest.is_empty() {
        let word = rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        state = (state ^ word).wrapping_mul(HASH_FACTOR);
    }
    state ^= state >> HASH_SHIFT;
    state = state.wrapping_mul(HASH_FACTOR);
    state ^ (state >> HASH_SHIFT)
}

/// A payload, read by position.
struct Payload<'b>(Body<'b>);

impl BytesAt for Payload<'_> {
    type Error = MembersError;

    fn byte_count(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), MembersError> {
        match self.0 {
            Body::Inline(bytes) => InMemory(bytes).read_exact_at(offset, buf),
            Body::Streamed(source) => source.read_exact_at(offset, buf),
        }
        .map_err(MembersError::Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload<'m>(members: impl Iterator<Item = &'m [u8]>) -> Vec<u8> {
        let mut payload = MEMBERS_MAGIC.to_vec();
        for member in members {
            payload.extend_from_slice(&[0x0a, u8::try_from(member.len()).unwrap()]);
            payload.extend_from_slice(member);
        }
        payload
    }

    fn hash_of(member: &[u8]) -> u64 {
        let bytes = payload([member].into_iter());
        let span = Span { start: 6, len: crate::file_len(member.len()) };
        hash(&mut Window::new(Payload(Body::Inline(&bytes)), 3), span).unwrap()
    }

    #[test]
    fn hashes_are_those_of_a_server() {
        assert_eq!(hash_of(b"a"), 0x53d2_470a_9b43_b1a7);
        assert_eq!(hash_of(b"b"), 0xf10c_df96_c004_fda4);
        assert_eq!(hash_of(b"12345678"), 0x95eb_b863_8913_2953);
        assert_eq!(hash_of(b""), 0xd8df_ea65_85bc_9732);
    }

    #[test]
    fn two_members_become_the_bytes_of_pfadd() {
        let registers = Registers::of_members(Body::Inline(b"\0RS\x01\x0a\x01a\x0a\x01b")).unwrap();
        let golden = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x71\xa6\x84\x4b\xfb\x80\x42\x5a";
        assert_eq!(registers.to_value(), golden);
        assert_eq!(Registers::of_value(golden), Some(registers));
    }

    #[test]
    fn sizes_of_both_forms_are_those_of_a_server_and_registers_come_back() {
        let cases =
            [(0, 18), (1, 21), (2, 24), (3, 27), (10, 48), (100, 279), (1000, 1901), (5000, 12304), (20_000, 12304)];
        for (count, len) in cases {
            let members: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
            let bytes = payload(members.iter().map(String::as_bytes));
            let registers = Registers::of_members(Body::Inline(&bytes)).unwrap();
            let mut added = Registers::default();
            members.iter().for_each(|member| added.add(member.as_bytes()));
            assert_eq!(registers, added);
            let value = registers.to_value();
            if [0, 1, 5000, 20_000].contains(&count) {
                assert_eq!(value.len(), len, "{count}");
            }
            assert_eq!(Registers::of_value(&value), Some(registers), "{count}");
        }
    }

    #[test]
    fn high_rank_and_long_sparse_form_become_dense() {
        let mut registers = Registers::default();
        registers.0[7] = SPARSE_RANK_MAX;
        assert_eq!(registers.to_value()[4], 1);
        registers.0[7] += 1;
        assert_eq!(registers.to_value()[4], 0);
        assert_eq!(Registers::of_value(&registers.to_value()), Some(registers));
        // A byte for each register that is set and for what is before it, two for the zeros behind the last one.
        let mut registers = Registers::default();
        (0..1499).for_each(|n| registers.0[2 * n + 1] = 1);
        assert_eq!((registers.sparse().unwrap().len(), registers.to_value()[4]), (3000, 1));
        registers.0[2 * 1499 + 1] = 1;
        assert_eq!(registers.to_value()[4], 0);
    }

    #[test]
    fn what_is_no_set_of_members_is_refused() {
        for bytes in [&b"\0RS"[..], b"\0RS\x02", b"HYLL", b"\0RS\x01\x0a\x05a"] {
            assert!(Registers::of_members(Body::Inline(bytes)).is_err(), "{}", bytes.escape_ascii());
        }
        for bytes in
            [&b"HYLL"[..], b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff\x00"]
        {
            assert_eq!(Registers::of_value(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
