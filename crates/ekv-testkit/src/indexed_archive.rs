//! Compressed archives with an index, put together by hand from `docs/format/tree.md`, section 9.3: right ones, and ones that lie.

use std::io::Read;

/// Bytes of the tar in a frame.
const FRAME_LEN: usize = 2_097_152;

/// Most bytes of rows in a block.
const BLOCK_LEN_MAX: usize = 65_536;

/// What the index says about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Its path.
    pub path: Vec<u8>,
    /// Where its first header begins in the tar; a multiple of 512.
    pub header_offset: u64,
    /// Length of its content, in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// The rows of a tar, sorted by path, as another implementation finds them.
///
/// # Panics
/// If it is none.
pub fn rows_of(tar: &[u8]) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    let mut next_offset = 0;
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, len) = (entry.path_bytes().into_owned(), entry.size());
        let is_directory = entry.header().entry_type().is_dir();
        rows.push(IndexRow { path, header_offset: next_offset, len, is_directory });
        next_offset = (entry.raw_file_position() + len).next_multiple_of(512);
        std::io::copy(&mut entry.by_ref(), &mut std::io::sink()).unwrap();
    }
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    rows
}

/// The rows in blocks that are as long as they may be.
pub fn blocks_of(rows: &[IndexRow]) -> Vec<Vec<IndexRow>> {
    let mut blocks: Vec<Vec<IndexRow>> = Vec::new();
    let mut len = 0;
    for row in rows {
        let mut bytes = Vec::new();
        push_row(blocks.last().and_then(|block| block.last()), row, &mut bytes);
        len += bytes.len();
        match blocks.last_mut().filter(|_| len <= BLOCK_LEN_MAX) {
            Some(last) => last.push(row.clone()),
            None => {
                blocks.push(vec![row.clone()]);
                len = encoded_rows(&blocks[blocks.len() - 1]).len();
            }
        }
    }
    blocks
}

/// The payload of an index with these blocks, which states so many rows.
pub fn index_payload(blocks: &[Vec<IndexRow>], rows: u64) -> Vec<u8> {
    let first_path = |block: &Vec<IndexRow>| block.first().map_or_else(Vec::new, |row| row.path.clone());
    let blocks: Vec<(Vec<u8>, Vec<u8>)> = blocks.iter().map(|block| (first_path(block), encoded_rows(block))).collect();
    index_payload_of(&blocks, rows)
}

/// The payload of an index with blocks of any bytes, of which top says that they begin with these paths.
pub fn index_payload_of(blocks: &[(Vec<u8>, Vec<u8>)], rows: u64) -> Vec<u8> {
    let mut payload = b"EKVTIDX1".to_vec();
    let mut top = Vec::new();
    for (first_path, block) in blocks {
        let frame = compressed(block);
        push_number(first_path.len() as u64, &mut top);
        top.extend_from_slice(first_path);
        push_number(frame.len() as u64, &mut top);
        payload.extend_from_slice(&frame);
    }
    let top = compressed(&top);
    let offset = payload.len() as u64;
    payload.extend_from_slice(&top);
    for number in [offset, top.len() as u64, rows] {
        payload.extend_from_slice(&number.to_le_bytes());
    }
    payload.extend_from_slice(&crc32c::crc32c(&top).to_le_bytes());
    payload.extend_from_slice(b"EKVT");
    payload
}

/// A compressed archive: frames of the tar, the payload in a skippable frame, and the table of both.
pub fn archive_with_index(tar: &[u8], payload: &[u8]) -> Vec<u8> {
    let frames: Vec<(Vec<u8>, usize)> = tar.chunks(FRAME_LEN).map(|part| (compressed(part), part.len())).collect();
    let index = skippable(0x184d_2a5d, payload);
    let mut archive = Vec::new();
    let mut table = Vec::new();
    for (frame, content_len) in frames.iter().chain([&(index, 0)]) {
        archive.extend_from_slice(frame);
        table.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        table.extend_from_slice(&(*content_len as u32).to_le_bytes());
    }
    table.extend_from_slice(&(frames.len() as u32 + 1).to_le_bytes());
    table.push(0);
    table.extend_from_slice(&0x8f92_eab1_u32.to_le_bytes());
    archive.extend_from_slice(&skippable(0x184d_2a5e, &table));
    archive
}

/// The bytes of a block.
pub fn encoded_rows(block: &[IndexRow]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, row) in block.iter().enumerate() {
        push_row(number.checked_sub(1).map(|last| &block[last]), row, &mut bytes);
    }
    bytes
}

fn push_row(last: Option<&IndexRow>, row: &IndexRow, bytes: &mut Vec<u8>) {
    let (last_path, last_offset) = last.map_or((&[][..], 0), |last| (&last.path, last.header_offset));
    let shared = last_path.iter().zip(&row.path).take_while(|(a, b)| a == b).count();
    push_number(shared as u64, bytes);
    push_number((row.path.len() - shared) as u64, bytes);
    bytes.extend_from_slice(&row.path[shared..]);
    let difference = (row.header_offset / 512) as i64 - (last_offset / 512) as i64;
    push_number(if difference < 0 { (-difference as u64) * 2 - 1 } else { difference as u64 * 2 }, bytes);
    push_number(row.len * 2 + u64::from(row.is_directory), bytes);
}

fn push_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 127 {
        bytes.push((number % 128) as u8 + 128);
        number /= 128;
    }
    bytes.push(number as u8);
}

fn skippable(magic: u32, content: &[u8]) -> Vec<u8> {
    [&magic.to_le_bytes()[..], &(content.len() as u32).to_le_bytes(), content].concat()
}

/// A frame at the default level, with length and checksum of its content.
fn compressed(content: &[u8]) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    compressor.compress(content).unwrap()
}
