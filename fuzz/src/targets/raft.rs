//! Files of a Raft member.

use ekv_backup::restore::PeerList;
use ekv_node::raft::peers::Peers;
use ekv_node::raft::wal::{self, Wal};
use ekv_node::snapfile::{SnapData, SnapFile, encode};
use ekv_testkit::memory_input;

/// `.snap`: the lowest bit of the first byte says whether the checksum is made to fit.
pub(super) fn run_snap(input: &[u8]) {
    let Some((bits, message)) = input.split_first() else { return };
    let bytes = if bits & 1 == 1 { snap_container(message) } else { message.to_vec() };
    let Ok(snap) = SnapFile::read(&memory_input(bytes)) else { return };
    if let SnapData::Token(token) = snap.data
        && let Ok(again) = encode(&snap.metadata, token)
    {
        assert_eq!(SnapFile::read(&memory_input(again)).expect("what is written is read"), snap);
    }
}

/// The checksummed container of a `.snap` file: field 1 the CRC32C, field 2 the message.
fn snap_container(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x08];
    put_varint(u64::from(crc32c::crc32c(message)), &mut bytes);
    bytes.push(0x12);
    put_varint(u64::try_from(message.len()).unwrap(), &mut bytes);
    bytes.extend_from_slice(message);
    bytes
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f | 0x80).unwrap());
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

/// The write-ahead log: with the lowest bit of the first byte set, the input is records (`type u8 | length u8 | data`) in frames with
/// their checksums, else the bytes of the file.
pub(super) fn run_wal(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    let bytes = if bits & 1 == 1 { wal_file(input) } else { input.to_vec() };
    let Ok(wal) = Wal::read(&memory_input(bytes)) else { return };
    // No member begins from the position before the first entry.
    for position in wal.snapshots.iter().filter(|position| (position.term, position.index) != (0, 0)) {
        let again = Wal::read(&memory_input(wal::encode(position))).expect("what is written is read");
        assert_eq!(again.snapshots.last(), Some(position));
    }
}

fn wal_file(mut input: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut crc = 0;
    while let Some((&[record_type, len], rest)) = input.split_first_chunk() {
        let (data, rest) = rest.split_at(usize::from(len).min(rest.len()));
        crc = crc32c::crc32c_append(crc, data);
        let mut record = vec![0x08, record_type, 0x10];
        put_varint(u64::from(crc), &mut record);
        record.push(0x1a);
        put_varint(u64::try_from(data.len()).unwrap(), &mut record);
        record.extend_from_slice(data);
        let padding = (8 - record.len() % 8) % 8;
        let top = if padding > 0 { 0x80 | u64::try_from(padding).unwrap() } else { 0 };
        file.extend((u64::try_from(record.len()).unwrap() | top << 56).to_le_bytes());
        file.extend(record);
        file.resize(file.len() + padding, 0);
        input = rest;
    }
    file.resize(file.len() + 64, 0);
    file
}

/// The peers file, and the list of members on the command line.
pub(super) fn run_peers(input: &[u8]) {
    if let Ok(peers) = Peers::decode(input)
        && let Ok(written) = peers.encode()
    {
        let again = Peers::decode(&written).expect("what is written is read");
        assert_eq!((again.index, again.peers), (peers.index, peers.peers));
    }
    if let Some(list) = std::str::from_utf8(input).ok().and_then(|text| text.parse::<PeerList>().ok()) {
        let ids = list.node_ids();
        assert!(!ids.is_empty() && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
}
