//! The index of a snapshot that an earlier run kept: whatever it says, reading ends, and a sound one tells what a scan tells.

use ekv_model::NoMonitor;
use std::io;
use std::sync::{Arc, OnceLock};

use ekv_snapshot::kept::{read, scan_to_keep};
use ekv_snapshot::{CommitTs, FileIdentity, Input, MemoryInput, OneFamily, ReadAt, ScanOptions, View};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{SnapshotBuilder, Visible, input_of, visible_at};

const MAKER: &[u8] = b"fuzz";
const NOW: u64 = 20;

/// A snapshot, and its index without the checksum at the end.
struct Known {
    input: Input,
    visible: Visible,
    body: Vec<u8>,
}

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// Bytes in memory that are recognised like a file.
struct Named(MemoryInput);

impl ReadAt for Named {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        let len = u64::try_from(self.0.0.len()).map_err(io::Error::other)?;
        Ok(Some(FileIdentity { device: 1, inode: 2, len, modified: [3, 4], changed: [5, 6] }))
    }
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut builder = SnapshotBuilder::new().delete(b"deleted", 9).put(b"deleted", 5, b"x");
        for n in 0..12_u8 {
            builder = builder.put(&[b'k', n], 7, &vec![n; usize::from(n) * 900]).put(&[b'k', n], 3, b"old");
        }
        let bytes = builder.put(&[b'l'; 600], 7, b"y").meta_row("min_retained_ts", 2).build();
        let len = u64::try_from(bytes.len()).expect("a length");
        let input = input_of(Arc::new(Named(MemoryInput(bytes.into()))), len);
        let scanned = scan_to_keep(&input, &ScanOptions::default(), &mut OneFamily, &scratch(), &NoMonitor);
        let (scan, file, keepable) = scanned.expect("a sound snapshot");
        let mut body = Vec::new();
        let keepable = keepable.expect("nothing is odd about it");
        keepable.write(&scan, &file, &[(b"!x|".to_vec(), 1)], MAKER, &mut body).expect("memory takes bytes");
        body.truncate(body.len() - 4);
        Known { visible: visible_at(&file, NOW).expect("a sound snapshot"), input, body }
    })
}

/// Bit 1 of the first byte: the rest is the index. Otherwise its checksum follows.
pub(super) fn run(input: &[u8]) {
    let Some((bits, rest)) = input.split_first() else { return };
    let Known { input, visible, body } = known();
    let mut index = rest.to_vec();
    if bits & 1 == 0 {
        index.extend_from_slice(&crc32c::crc32c(rest).to_le_bytes());
    }
    let used = read(index.as_slice(), input, MAKER, &scratch());
    assert!(used.is_ok() || rest != body || bits & 1 == 1, "what was kept is used");
    let Ok((_, file, _)) = used else { return };
    let seen = visible_at(&file, NOW);
    assert!(rest != body || seen.as_ref().ok() == Some(visible), "a sound index shows what there is");
    let mut lookup = View::of_file(&file, CommitTs(NOW)).lookup();
    for key in visible.keys() {
        let found = lookup.get(key).map(|found| found.map(|found| found.body.len()));
        assert!(rest != body || matches!(found, Ok(Some(_))), "a sound index finds what there is");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let Known { body, .. } = known();
    let whole = [body.as_slice(), &crc32c::crc32c(body).to_le_bytes()].concat();
    vec![[&[0], body.as_slice()].concat(), [&[1], whole.as_slice()].concat()]
}
