//! RDB files of servers, as they are and with their checksum made right.

use std::sync::Arc;

use ekv_model::redis::Event;
use ekv_model::{Class, Consumer, Event as AnyEvent, Findings, InMemory, Kind, Result, Severity};
use ekv_rdb::{Checked, Crc64, Encoded, Encoder, FieldExpiry, SortedFile, Taker, check, read};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::redis::{RecordedKey, Recorder};
use ekv_testkit::vectors::{hex, rdb_of_every_type};

/// Memory for sorting, in bytes.
const SORT_LEN: usize = 64 << 10;
/// What files begin with whose other bytes are given a right end and checksum.
const MAGICS: [&[u8]; 4] = [b"REDIS0009", b"REDIS0013", b"VALKEY080", b"REDIS0003"];

/// The first byte says what the others are: a file, or what stands between the magic and the end of one; and what becomes of fields that
/// expire.
pub(super) fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let field_expiry = if first & 0x80 == 0 { FieldExpiry::Lose } else { FieldExpiry::Drop };
    match MAGICS.get(usize::from(first & 0x7f)) {
        Some(magic) => run_file(&sealed(magic, rest), field_expiry),
        None => run_file(rest, field_expiry),
    }
}

fn sealed(magic: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = [magic, body, &[0xff]].concat();
    if magic != MAGICS[3] {
        let mut crc = Crc64::default();
        crc.update(&bytes);
        bytes.extend_from_slice(&crc.value().to_le_bytes());
    }
    bytes
}

fn run_file(bytes: &[u8], field_expiry: FieldExpiry) {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let (checked, keys, findings) = match keys_of(bytes, field_expiry, &scratch) {
        Ok(read) => read,
        Err(error) => return assert_eq!(error.class(), Class::Data, "{error}"),
    };
    let lost = findings.count_of(Severity::Loss);
    assert_eq!(u64::try_from(keys.len()).unwrap() + lost, checked.keys, "each key is handed on or lost: {findings:?}");
    let Some((written, taken)) = rewritten(bytes, field_expiry, &scratch) else { return };
    let (_, mut again, findings) = keys_of(&written, FieldExpiry::Lose, &scratch).expect("what is written is sound");
    assert_eq!(findings.count_of(Severity::Loss), 0, "{findings:?}");
    // A file is written in the order of its keys.
    let mut expected: Vec<_> =
        keys.into_iter().zip(taken).filter_map(|(key, is_taken)| is_taken.then_some(key)).collect();
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    again.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(again == expected, "what was written comes back");
    let (twice, _) = rewritten(&written, FieldExpiry::Lose, &scratch).expect("no key comes twice");
    assert!(twice == written, "the same keys are the same bytes");
}

/// Index of a database, and a key in it.
type At = (u32, Vec<u8>);
/// What is known of a file, its keys, and what is odd about them.
type Read = (Checked, Vec<(At, RecordedKey)>, Findings);

/// The keys of a file, in its order; once it is checked nothing in it is an error.
fn keys_of(bytes: &[u8], field_expiry: FieldExpiry, scratch: &Arc<dyn Scratch>) -> Result<Read> {
    let checked = check(&InMemory(bytes), scratch, &mut |_| Ok(()))?;
    let mut collected = Collected::default();
    let findings = read(&InMemory(bytes), scratch, field_expiry, Findings::default(), &mut collected);
    let findings = findings.expect("a file that was checked is read");
    collected.end();
    assert_eq!(collected.asked, checked.keys);
    Ok((checked, collected.keys, findings))
}

/// Gathers keys, which in a file of nobody may come twice.
#[derive(Default)]
struct Collected {
    keys: Vec<(At, RecordedKey)>,
    open: Recorder,
    database: u32,
    asked: u64,
}

impl Collected {
    fn end(&mut self) {
        let recorder = std::mem::take(&mut self.open);
        self.keys.extend(recorder.keys.into_iter().map(|(key, recorded)| ((self.database, key), recorded)));
    }
}

impl Taker for Collected {
    fn wants(&mut self, _: u32, _: &[u8], _: Option<Kind>) -> Result<bool> {
        self.end();
        self.asked += 1;
        Ok(true)
    }

    fn event(&mut self, database: u32, event: Event<'_>) -> Result<()> {
        self.database = database;
        self.open.event(AnyEvent::Redis { database, event })
    }

    fn passed(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// The file of what a file holds, and of each key of that whether it is in it; `None` if one comes twice.
fn rewritten(bytes: &[u8], field_expiry: FieldExpiry, scratch: &Arc<dyn Scratch>) -> Option<(Vec<u8>, Vec<bool>)> {
    let mut writing = Writing {
        encoder: Encoder::new(Arc::clone(scratch)),
        file: SortedFile::new(Arc::clone(scratch), SORT_LEN),
        key: Vec::new(),
        expire_at_ms: None,
        rows: Vec::new(),
    };
    read(&InMemory(bytes), scratch, field_expiry, Findings::default(), &mut writing).expect("it was read before");
    let Writing { file, rows, .. } = writing;
    let mut written = Vec::new();
    let done = file.finish(|piece| {
        written.extend_from_slice(piece);
        Ok(())
    });
    let mut sorted: Vec<&At> = rows.iter().filter(|(_, is_taken)| *is_taken).map(|(key, _)| key).collect();
    sorted.sort();
    let is_repeated = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    assert_eq!(done.is_err(), is_repeated, "{:?}", done.err());
    (!is_repeated).then(|| (written, rows.iter().map(|(_, is_taken)| *is_taken).collect()))
}

struct Writing {
    encoder: Encoder,
    file: SortedFile,
    key: Vec<u8>,
    expire_at_ms: Option<u64>,
    /// The keys, and whether they are in the file.
    rows: Vec<(At, bool)>,
}

impl Taker for Writing {
    fn wants(&mut self, _: u32, _: &[u8], _: Option<Kind>) -> Result<bool> {
        Ok(true)
    }

    fn event(&mut self, database: u32, event: Event<'_>) -> Result<()> {
        match &event {
            Event::Scalar { key, expiry, .. } => {
                (self.key, self.expire_at_ms) = (key.to_vec(), expiry.map(|expiry| expiry.at_ms));
            }
            Event::Begin { key, expire_at_ms, .. } => (self.key, self.expire_at_ms) = (key.to_vec(), *expire_at_ms),
            _ => {}
        }
        let is_taken = match self.encoder.event(&event)? {
            None => return Ok(()),
            Some(Encoded::Value(value)) => self.file.push(database, &self.key, self.expire_at_ms, &value)?.is_ok(),
            Some(Encoded::Refused(_)) => false,
        };
        self.rows.push(((database, self.key.clone()), is_taken));
        Ok(())
    }

    fn passed(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Values of `docs/format/rdb.md`, section 1.6, with the number of the magic and the type.
const VALUES: [(u8, u8, &str); 20] = [
    (1, 12, "1c 1c00000016000000040000 016203 042d696e66 06 0161 03 03312e35 ff"),
    (1, 14, "01 14 140000000f000000030000 016103 f202 c02c01 ff"),
    (1, 10, "14 140000000f000000030000 016103 f202 c02c01 ff"),
    (1, 16, "0d 0d0000000200 816602 817602 ff"),
    (1, 18, "02 02 0f 0f0000000300 816102 0101 c12c02 ff 01 017a"),
    (1, 11, "14 04000000 03000000 01000000 02000000 e0930400"),
    (1, 20, "0c 0c00000002008161020101ff"),
    (1, 17, "0c 0c00000002008161020101ff"),
    (1, 13, "11 110000000d0000000200000166030176ff"),
    (3, 9, "09 0101660102760000ff"),
    (3, 3, "03 0161 03312e35 0162 ff 0163 fe"),
    (1, 2, "02 c001 0161"),
    (1, 4, "02 0162 c001 0161 02 7878"),
    (1, 0, "c309 4064 016161 e05700 016161"),
    (1, 24, "7b204aa9d1010000 02 01 0161 c001 00 0162 0132"),
    (0x81, 25, "7b204aa9d1010000 1d 1d0000000600 816102 0101 f47b204aa9d101000009 816202 0201 0001 ff"),
    (0x82, 22, "02 0161 c001 7b204aa9d1010000 0162 c002 ffffffffffffffff"),
    (1, 15, "00 00 09 09 00"),
    (1, 7, "810102030405060708 02 05 04 0000000000000000 05 01 78 00"),
    (
        1,
        19,
        "01 10 00000000000000010000000000000001 3f 3f0000001800 0201 0101 0101 816602 0001 0201 0001 0001 817602
        0401 0301 0001 0101 817702 0401 0001 0401 dfff02 0201 816702 0701 816802 827a7a03 0801 ff 02 0500 0101 0102 03 01
        0167 0101 81ffffffffffffffff 01 00000000000000010000000000000001 0102030405060708 01 01 026331 0102030405060708
        01 00000000000000010000000000000001",
    ),
];

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let golden = rdb_of_every_type();
    let body = golden[9..golden.len() - 9].to_vec();
    let files = [vec![0x7f], golden].concat();
    let values = VALUES.map(|(first, value_type, value)| [&[first, value_type, 1, b'k'], &hex(value)[..]].concat());
    [files, [vec![0], body].concat()].into_iter().chain(values).collect()
}
