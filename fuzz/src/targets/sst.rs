//! SST files whose hashes and checksums are made right, so that mutations get to what they hold.

use std::collections::BTreeMap;

use ekv_snapshot::FooterPolicy;
use ekv_testkit::{SstFile, SstLayout, SstRow, put_varint, scan_as, sst_payload, vectors, visible_at};

/// Where the only file of the documented payload lies in it.
const DOCUMENTED_FILE: std::ops::Range<usize> = 458..1387;
/// Where its only data block lies in that.
const DOCUMENTED_BLOCK: std::ops::Range<usize> = 0..355;

/// The first byte says what the others are: a file, a data block, or one compressed with Snappy.
pub(super) fn run(input: &[u8]) {
    let Some((what, bytes)) = input.split_first() else { return };
    match what % 3 {
        0 => {
            let file = SstFile { bytes: bytes.to_vec(), bounds: Default::default(), rows: u64::MAX, raw_len: u64::MAX };
            let refused = scan_as(&sst_payload(&[file], 1), FooterPolicy::Optional);
            assert!(bytes.is_empty() || refused.is_err(), "a file with more rows than there are numbers is accepted");
        }
        1 => check(bytes, SstLayout { block: Some(bytes.to_vec()), is_compressed: false, ..SstLayout::default() }),
        _ => {
            let raw = snap::raw::decompress_len(bytes).ok().filter(|len| *len <= 1 << 20);
            let raw = raw.and_then(|_| snap::raw::Decoder::new().decompress_vec(bytes).ok());
            check(&raw.unwrap_or_default(), SstLayout { compressed: Some(bytes.to_vec()), ..SstLayout::default() });
        }
    }
}

/// Reads a file of one data block. What a simple reader sees in it is what is accepted, if anything is.
fn check(block: &[u8], layout: SstLayout) {
    let rows = rows_of(block);
    let some = rows.clone().filter(|rows| !rows.is_empty()).unwrap_or_else(|| vec![(vec![0; 8], vec![])]);
    let number = |n: usize| {
        let mut out = Vec::new();
        put_varint(&mut out, u64::try_from(n).unwrap());
        out
    };
    // The writer is given one row, so that it makes one block; the properties are those of what it holds.
    let properties = vec![
        ("rocksdb.num.entries", number(some.len())),
        ("rocksdb.raw.key.size", number(some.iter().map(|(key, _)| key.len() + 8).sum())),
        ("rocksdb.raw.value.size", number(some.iter().map(|(_, value)| value.len()).sum())),
    ];
    let made = SstFile::new(&some[..1], &SstLayout { properties, ..layout });
    let file = SstFile { bytes: made.bytes, ..SstFile::new(&some, &SstLayout::default()) };
    let Ok((_, file)) = scan_as(&sst_payload(&[file], 1), FooterPolicy::Optional) else { return };
    let rows: BTreeMap<_, _> = rows.expect("what is accepted, a simple reader reads").into_iter().collect();
    for (user_key, (body, commit_ts)) in visible_at(&file, u64::MAX).unwrap() {
        let raw_key = [&user_key[..], &(!commit_ts).to_be_bytes()].concat();
        assert_eq!(rows[&raw_key][9..], body[..], "the value that was written");
    }
}

/// Raw keys and values of a data block, read as simply as its description says.
fn rows_of(block: &[u8]) -> Option<Vec<SstRow>> {
    let (rest, restarts) = block.split_last_chunk::<4>()?;
    let restarts = usize::try_from(u32::from_le_bytes(*restarts)).ok().filter(|restarts| *restarts > 0)?;
    let mut rest = rest.get(..rest.len().checked_sub(restarts.checked_mul(4)?)?)?;
    let mut key = Vec::new();
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let [shared, unshared, value_len] = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        if shared > key.len() {
            return None;
        }
        key.truncate(shared);
        let value;
        (key, (value, rest)) = {
            let (added, behind) = rest.split_at_checked(unshared)?;
            ([key, added.to_vec()].concat(), behind.split_at_checked(value_len)?)
        };
        let (raw_key, _) = key.split_last_chunk::<8>()?;
        rows.push((raw_key.to_vec(), value.get(1..)?.to_vec()));
    }
    Some(rows)
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u128;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let small = vectors::sst_small();
    let file = &small[DOCUMENTED_FILE];
    let compressed = &file[DOCUMENTED_BLOCK];
    let raw = snap::raw::Decoder::new().decompress_vec(compressed).unwrap();
    let rows: Vec<SstRow> = (0..40_u8).map(|n| ([&[n][..], &[0xff; 8]].concat(), vec![0; usize::from(n)])).collect();
    let several = SstFile::new(&rows, &SstLayout { block_len: 100, index_len: 0, ..SstLayout::default() });
    vec![
        [&[0][..], file].concat(),
        [&[0][..], &several.bytes].concat(),
        [&[1][..], &raw].concat(),
        [&[2][..], compressed].concat(),
    ]
}
