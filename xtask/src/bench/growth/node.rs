//! The data directory of a node with several Raft groups. Source: `docs/format/snapshot.md`, sections 10 and 12.

use std::fs;
use std::path::Path;

use super::records::{COMMIT_TS, Records};
use crate::error::Error;

/// Strings of a group.
const STRINGS: u64 = 60;
/// Hashes for each group.
const HASHES: u64 = 20;

/// Writes a node with so many groups; each has the same number of strings. Returns the length of all snapshots.
pub(super) fn write(node: &Path, groups: u64) -> Result<u64, Error> {
    let mut len = 0;
    for group in 0..groups {
        let mut records = Records::default();
        if group == 0 {
            (0..groups).for_each(|group| route(&mut records, group, groups));
        }
        for i in 0..STRINGS {
            records.expiring_string(format!("{}.{i:03}", start(group)).as_bytes(), COMMIT_TS);
        }
        // Who owns a hash goes by the bytes of its records, all of which come before the first string.
        for i in 0..if group == 0 { groups * HASHES } else { 0 } {
            records.hash(format!("h{i:06}").as_bytes(), &[b"field".to_vec()]);
        }
        len += write_group(&node.join(format!("group-{}", group + 1)), 100 + group, &records.into_snapshot())?;
    }
    Ok(len)
}

/// Where the route of a group starts.
fn start(group: u64) -> String {
    format!("{group:05}")
}

fn route(records: &mut Records, group: u64, groups: u64) {
    let number = (group + 1).to_be_bytes();
    let counted =
        |text: &str| [&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes()[..], text.as_bytes()].concat();
    let from = if group == 0 { String::new() } else { start(group) };
    let end = if group + 1 == groups { vec![0] } else { [&[1][..], &counted(&start(group + 1))].concat() };
    let body = [&[2][..], &number, &number, &[0], &[0; 8], &counted(&from), &end, &[0; 8]].concat();
    records.put(&[b"!dist|route|", &number], COMMIT_TS, &[&body]);
}

/// A snapshot and the file that vouches for it.
fn write_group(directory: &Path, index: u64, snapshot: &[u8]) -> Result<u64, Error> {
    const TERM: u64 = 1;
    let footer = snapshot.last_chunk::<4>().copied().unwrap_or_default();
    let token = [&b"EKVT\x01"[..], &index.to_be_bytes(), &footer].concat();
    let members = number_field(1, 626_980_046_172_116_160);
    let metadata = [bytes_field(1, &members), number_field(2, index), number_field(3, TERM)].concat();
    let inner = [bytes_field(1, &token), bytes_field(2, &metadata)].concat();
    let outer = [number_field(1, u64::from(crc32c::crc32c(&inner))), bytes_field(2, &inner)].concat();
    for (folder, name, bytes) in [
        ("fsm-snap", format!("{index:016x}.fsm"), snapshot),
        ("snap", format!("{TERM:016x}-{index:016x}.snap"), &outer),
    ] {
        let folder = directory.join(folder);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(Error::io(&path))?;
    }
    Ok(u64::try_from(snapshot.len()).unwrap_or(u64::MAX))
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn number_field(field: u64, number: u64) -> Vec<u8> {
    [varint(field << 3), varint(number)].concat()
}

fn bytes_field(field: u64, bytes: &[u8]) -> Vec<u8> {
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    [&varint(field << 3 | 2)[..], &varint(len), bytes].concat()
}
