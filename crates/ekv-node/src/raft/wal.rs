//! The write-ahead log of a Raft member. Source: `docs/format/restore.md`, section 8.4.
//!
//! A new member's log holds no entries: it says at which position the snapshot stands, who votes, and what is committed.

use ekv_snapshot::{Error, Input, Result, for_each_piece, len_u64};
use ekv_text::protobuf::Wire;

use super::invalid;
use crate::protobuf::{Budget, Span, for_each_field, put_bytes, put_number};
use crate::snapfile::{ConfState, SnapMetadata};

/// Path of the first file of a log in a data directory, whatever position it begins from.
pub const WAL_PATH: &str = "wal/0000000000000000-0000000000000000.wal";

/// Length of a file that [`encode`] writes, in bytes; the server lets it grow.
const FILE_LEN: usize = 4096;
/// Bytes of a frame's length field.
const LENGTH_LEN: u64 = 8;
/// Bits of the length field that hold the length.
const LENGTH_MASK: u64 = (1 << 56) - 1;
/// Set in the top byte of the length field if padding follows.
const PADDED: u8 = 0x80;
/// Records, their fields and list elements that are looked at in one file.
const FIELD_COUNT_MAX: u32 = 10_000_000;
/// Snapshot records that are kept; the server writes one per snapshot.
const SNAPSHOT_COUNT_MAX: usize = 10_000;
const STRUCTURE: &str = "write-ahead log";

const TYPE_METADATA: u64 = 1;
const TYPE_ENTRY: u64 = 2;
const TYPE_HARD_STATE: u64 = 3;
const TYPE_CRC: u64 = 4;
const TYPE_SNAPSHOT: u64 = 5;

/// What the member promised to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// Current term.
    pub term: u64,
    /// Number of the member it voted for in this term; 0 = none.
    pub vote: u64,
    /// Index up to which entries are committed.
    pub commit: u64,
}

/// What a file of the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wal {
    /// The snapshot records, in their order; the first one stands at index 0.
    pub snapshots: Vec<SnapMetadata>,
    /// The newest hard state.
    pub hard_state: Option<HardState>,
    /// Number of log entries.
    pub entry_count: u64,
}

/// The file of a member that begins from the snapshot at `position`, and knows that it is committed.
pub fn encode(position: &SnapMetadata) -> Vec<u8> {
    let mut start = Vec::new();
    put_number(1, 0, &mut start);
    put_number(2, 0, &mut start);

    let mut snapshot = Vec::new();
    put_number(1, position.index, &mut snapshot);
    put_number(2, position.term, &mut snapshot);
    put_bytes(3, &position.conf_state.encode(), &mut snapshot);

    let mut hard_state = Vec::new();
    put_number(1, position.term, &mut hard_state);
    put_number(3, position.index, &mut hard_state);

    let mut file = Vec::new();
    let mut crc32c = 0;
    for (record_type, data) in [
        (TYPE_CRC, None),
        (TYPE_METADATA, None),
        (TYPE_SNAPSHOT, Some(start)),
        (TYPE_SNAPSHOT, Some(snapshot)),
        (TYPE_HARD_STATE, Some(hard_state)),
    ] {
        put_record(&mut file, record_type, data.as_deref(), &mut crc32c);
    }
    file.resize(file.len().next_multiple_of(FILE_LEN), 0);
    file
}

/// Appends one record in its frame.
fn put_record(file: &mut Vec<u8>, record_type: u64, data: Option<&[u8]>, crc32c: &mut u32) {
    *crc32c = crc32c::crc32c_append(*crc32c, data.unwrap_or(&[]));
    let mut record = Vec::new();
    put_number(1, record_type, &mut record);
    put_number(2, u64::from(*crc32c), &mut record);
    if let Some(data) = data {
        put_bytes(3, data, &mut record);
    }
    let padded_len = record.len().next_multiple_of(8);
    let padding = u8::try_from(padded_len.saturating_sub(record.len())).unwrap_or(0);
    let top = if padding > 0 { PADDED | padding } else { 0 };
    file.extend_from_slice(&(len_u64(&record) | u64::from(top) << 56).to_le_bytes());
    file.extend_from_slice(&record);
    file.resize(file.len().saturating_add(usize::from(padding)), 0);
}

impl Wal {
    /// Reads and checks a whole file of the log: frames, checksums, and zeros behind the last record.
    ///
    /// Cost: one read; log entries are counted and not kept.
    ///
    /// # Errors
    /// `Invalid` for a wrong checksum or structure, or a failing read.
    pub fn read(input: &Input) -> Result<Wal> {
        let mut reader =
            Reader { input, at: 0, crc32c: None, budget: Budget::new(FIELD_COUNT_MAX), wal: Wal::default() };
        while reader.record().map_err(|e| e.at(reader.at).in_file(&input.name))? {}
        Ok(reader.wal)
    }
}

struct Reader<'i> {
    input: &'i Input,
    /// Offset of the current frame.
    at: u64,
    /// Checksum of the data so far, from the first checksum record on.
    crc32c: Option<u32>,
    budget: Budget,
    wal: Wal,
}

impl Reader<'_> {
    /// Reads one frame; false at the end of the log.
    fn record(&mut self) -> Result<bool> {
        let left = self.input.len.saturating_sub(self.at);
        if left == 0 {
            return Ok(false);
        }
        let mut field = [0; 8];
        if self.input.fill_at(self.at, &mut field)? < field.len() {
            return Err(invalid(STRUCTURE, "it is cut inside a length field"));
        }
        let field = u64::from_le_bytes(field);
        if field == 0 {
            self.check_zeros()?;
            return Ok(false);
        }
        let len = field & LENGTH_MASK;
        let [.., top] = field.to_le_bytes();
        let padding = match top {
            0 => 0,
            top if top & !7 == PADDED && top & 7 != 0 => u64::from(top & 7),
            _ => return Err(invalid(STRUCTURE, format!("a length field begins with {top:#04x}"))),
        };
        let frame_len = LENGTH_LEN.saturating_add(len).saturating_add(padding);
        if frame_len > left || !frame_len.is_multiple_of(8) {
            return Err(invalid(STRUCTURE, format!("a record of {len} bytes does not fit into its frame")));
        }
        let start = self.at.saturating_add(LENGTH_LEN);
        self.content(start, len)?;
        self.zeros(start.saturating_add(len), padding, "the padding of a record")?;
        self.at = self.at.saturating_add(frame_len);
        Ok(true)
    }

    fn check_zeros(&self) -> Result<()> {
        self.zeros(self.at, self.input.len.saturating_sub(self.at), "what follows the last record")
    }

    fn zeros(&self, offset: u64, len: u64, what: &str) -> Result<()> {
        for_each_piece(self.input, offset, len, |piece| match piece.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(invalid(STRUCTURE, format!("{what} is not zero"))),
        })
    }

    /// Reads the record of `len` bytes at `start`.
    fn content(&mut self, start: u64, len: u64) -> Result<()> {
        let (mut record_type, mut stored_crc, mut data) = (None, None, Span { start, len: 0 });
        for_each_field(self.input, Span { start, len }, &mut self.budget, |_, number, value| {
            match (number, value) {
                (1, Wire::Varint(n)) => record_type = Some(n),
                (2, Wire::Varint(n)) => stored_crc = u32::try_from(n).ok(),
                (3, Wire::Bytes(span)) => data = span,
                _ => return Err(invalid(STRUCTURE, format!("field {number} of a record is not what it must be"))),
            }
            Ok(())
        })?;
        let (Some(record_type), Some(stored_crc)) = (record_type, stored_crc) else {
            return Err(invalid(STRUCTURE, "a record has no type or no checksum"));
        };
        let mut crc32c = match (record_type, self.crc32c) {
            // A checksum record states with which value the checksums of its file begin.
            (TYPE_CRC, None) => stored_crc,
            (_, Some(crc32c)) => crc32c,
            (_, None) => return Err(invalid(STRUCTURE, "it does not begin with a checksum record")),
        };
        for_each_piece(self.input, data.start, data.len, |piece| {
            crc32c = crc32c::crc32c_append(crc32c, piece);
            Ok(())
        })?;
        if crc32c != stored_crc {
            let reason = format!("checksum mismatch in a record: stored {stored_crc:08x}, computed {crc32c:08x}");
            return Err(invalid(STRUCTURE, reason));
        }
        self.crc32c = Some(crc32c);
        match record_type {
            TYPE_METADATA | TYPE_CRC => Ok(()),
            TYPE_ENTRY => {
                self.wal.entry_count = self.wal.entry_count.saturating_add(1);
                Ok(())
            }
            TYPE_HARD_STATE => self.hard_state(data),
            TYPE_SNAPSHOT => self.snapshot(data),
            other => Err(invalid(STRUCTURE, format!("record type {other} is unknown"))),
        }
    }

    fn hard_state(&mut self, span: Span) -> Result<()> {
        let mut state = HardState::default();
        for_each_field(self.input, span, &mut self.budget, |_, number, value| {
            let Wire::Varint(n) = value else { return Err(wrong_type("hard state")) };
            match number {
                1 => state.term = n,
                2 => state.vote = n,
                3 => state.commit = n,
                _ => {}
            }
            Ok(())
        })?;
        if state == HardState::default() {
            return Err(invalid(STRUCTURE, "a hard state says nothing"));
        }
        self.wal.hard_state = Some(state);
        Ok(())
    }

    fn snapshot(&mut self, span: Span) -> Result<()> {
        if self.wal.snapshots.len() == SNAPSHOT_COUNT_MAX {
            return Err(invalid(STRUCTURE, "it has too many snapshot records"));
        }
        let mut position = SnapMetadata::default();
        let SnapMetadata { index, term, conf_state } = &mut position;
        for_each_field(self.input, span, &mut self.budget, |budget, number, value| match (number, value) {
            (1, Wire::Varint(n)) => {
                *index = n;
                Ok(())
            }
            (2, Wire::Varint(n)) => {
                *term = n;
                Ok(())
            }
            (3, Wire::Bytes(span)) => {
                *conf_state = ConfState::read(self.input, span, budget)?;
                Ok(())
            }
            _ => Err(wrong_type("snapshot record")),
        })?;
        self.wal.snapshots.push(position);
        Ok(())
    }
}

fn wrong_type(what: &str) -> Error {
    invalid(STRUCTURE, format!("a field of a {what} is unknown or has the wrong type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ekv_snapshot::{FooterPolicy, MemoryInput};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Section 13, without the zeros at the end.
    const GOLDEN: [&str; 8] = [
        "04000000000000840804100000000000",
        "04000000000000840801100000000000",
        "0e00000000000082080510a0b39b8f08",
        "1a040800100000001a00000000000086",
        "080510c6a4e6a20a1a10080110011a0a",
        "08c0a9e3aafbe0ded908000000000000",
        "0e00000000000082080310c7a191db0b",
        "1a040801180100000000000000000000",
    ];

    fn golden() -> Vec<u8> {
        let hex = GOLDEN.concat();
        let mut bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        bytes.resize(FILE_LEN, 0);
        bytes
    }

    fn position(index: u64, term: u64, voters: &[u64]) -> SnapMetadata {
        SnapMetadata { index, term, conf_state: ConfState { voters: voters.to_vec(), ..ConfState::default() } }
    }

    fn read(bytes: &[u8]) -> Result<Wal> {
        let source = Arc::new(MemoryInput(bytes.into()));
        let (len, name) = (len_u64(bytes), "x.wal".to_owned());
        Wal::read(&Input { source, len, name, footer: FooterPolicy::Optional, token_crc32c: None })
    }

    fn reason(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    /// A log of these records, with the right checksums.
    fn log(records: &[(u64, Option<&[u8]>)]) -> Vec<u8> {
        let (mut file, mut crc32c) = (Vec::new(), 0);
        for (record_type, data) in records {
            put_record(&mut file, *record_type, *data, &mut crc32c);
        }
        file
    }

    #[test]
    fn documented_file_is_written_and_read_byte_for_byte() {
        let n1 = super::super::node_id("n1");
        assert_eq!(encode(&position(1, 1, &[n1])), golden());
        let wal = read(&golden()).unwrap();
        assert_eq!(wal.snapshots, [position(0, 0, &[]), position(1, 1, &[n1])]);
        assert_eq!(wal.hard_state, Some(HardState { term: 1, vote: 0, commit: 1 }));
        assert_eq!(wal.entry_count, 0);
    }

    #[test]
    fn any_changed_byte_changes_what_is_read_or_is_refused() {
        let good = read(&golden()).unwrap();
        for at in 0..160 {
            for bit in 0..8 {
                let mut changed = golden();
                changed[at] ^= 1 << bit;
                assert_ne!(read(&changed).ok().as_ref(), Some(&good), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn log_that_is_cut_is_refused_or_tells_less() {
        let good = read(&golden()).unwrap();
        for len in 0..120 {
            assert_ne!(read(&golden()[..len]).ok().as_ref(), Some(&good), "{len}");
        }
        assert_eq!(read(&golden()[..120]).unwrap(), good);
        assert!(reason(&golden()[..123]).contains("cut inside a length field"));
    }

    #[test]
    fn entries_and_metadata_are_passed_and_later_states_win() {
        let first = [8, 1, 24, 1];
        let later = [8, 7, 16, 5, 24, 9];
        let entry = vec![0xee; 100_000];
        let log = log(&[
            (TYPE_CRC, None),
            (TYPE_METADATA, Some(b"\x01anything")),
            (TYPE_HARD_STATE, Some(&first)),
            (TYPE_ENTRY, Some(&entry)),
            (TYPE_ENTRY, Some(b"")),
            (TYPE_HARD_STATE, Some(&later)),
        ]);
        let wal = read(&log).unwrap();
        assert_eq!(wal.entry_count, 2);
        assert_eq!(wal.hard_state, Some(HardState { term: 7, vote: 5, commit: 9 }));
    }

    #[test]
    fn hostile_frames_are_refused_without_allocating() {
        assert!(reason(&log(&[(TYPE_METADATA, None)])).contains("does not begin with a checksum record"));
        assert!(reason(&log(&[(TYPE_CRC, None), (6, None)])).contains("record type 6 is unknown"));
        for field in [u64::MAX, 1 << 40, 1 << 56, 0x80 << 56 | 4, 0x8f << 56 | 1, 4] {
            let mut file = field.to_le_bytes().to_vec();
            file.extend_from_slice(&[8, 4, 16, 0, 0, 0, 0, 0]);
            assert!(read(&file).is_err(), "{field:#x}");
        }
        let mut behind = golden();
        *behind.last_mut().unwrap() = 1;
        assert!(reason(&behind).contains("what follows the last record is not zero"));
        let mut padding = golden();
        padding[12] = 1;
        assert!(reason(&padding).contains("the padding of a record is not zero"));
    }

    proptest! {
        #[test]
        fn written_log_reads_back_equal(
            index in any::<u64>(), term in any::<u64>(), voters in proptest::collection::vec(any::<u64>(), 0..1024),
        ) {
            let expected = position(index, term, &voters);
            let file = encode(&expected);
            prop_assert_eq!(file.len() % FILE_LEN, 0);
            let wal = read(&file).unwrap();
            prop_assert_eq!(&wal.snapshots[1], &expected);
            prop_assert_eq!(wal.hard_state, Some(HardState { term, vote: 0, commit: index }));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[&golden()[..16], &bytes].concat());
        }
    }
}
