//! Files of a dump: each format alone, and whole dumps.

use ekv_backup::restore::EncodeInfo;
use ekv_dump::expiry::{self, ExpiryReader};
use ekv_dump::keymap::KeymapReader;
use ekv_dump::manifest::Manifest;
use ekv_files::checksums::{self, ChecksumsReader};
use ekv_files::sink::MemoryEntries;
use sha2::{Digest, Sha256};

use crate::dump;

/// Names that stand for one byte in the input of [`run_dump`]; every other byte is the length of a name of its own.
pub(crate) const PATHS: [&str; 20] = [
    "MANIFEST.json",
    "CHECKSUMS",
    "redis/db_0/strings/k.bin",
    "redis/db_0/strings_ttl.jsonl",
    "redis/db_0/KEYMAP.jsonl",
    "redis/db_0/hll/p.bin",
    "redis/db_0/hll_ttl.jsonl",
    "redis/db_0/hashes/h.json",
    "redis/db_0/lists/l.json",
    "redis/db_0/sets/s.json",
    "redis/db_0/zsets/z.json",
    "redis/db_0/streams/x.jsonl",
    "dynamodb/t/_schema.json",
    "dynamodb/t/items/1.json",
    "s3/b/_bucket.json",
    "s3/b/o",
    "s3/b/o.elastickv-meta.json",
    "s3/b/KEYMAP.jsonl",
    "sqs/q/_queue.json",
    "sqs/q/messages.jsonl",
];

/// Bit of a file's first byte: its path is spelled out.
const OWN_PATH: u8 = 0x80;

/// Files of the input: `path u8 | length u16 LE | content`, the path spelled out as `0x80 | length`, then its bytes.
pub(super) fn parse_files(mut input: &[u8]) -> MemoryEntries {
    let mut entries = MemoryEntries::new();
    while let Some((&first, rest)) = input.split_first() {
        let (path, rest) = if first & OWN_PATH == 0 {
            (PATHS[usize::from(first) % PATHS.len()].as_bytes(), rest)
        } else {
            rest.split_at(usize::from(first & !OWN_PATH).min(rest.len()))
        };
        let Some((len, rest)) = rest.split_first_chunk() else { break };
        let (content, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
        if ekv_files::DumpPath::new(path).is_ok_and(|path| !path.is_empty()) {
            entries.insert(path.to_vec(), Some(content.to_vec()));
        }
        input = rest;
    }
    add_directories(&mut entries);
    entries
}

/// The input of files; directories follow from them.
pub(crate) fn to_input(entries: &MemoryEntries) -> Vec<u8> {
    let mut input = vec![1];
    for (path, content) in entries {
        let Some(content) = content else { continue };
        let Ok(len) = u16::try_from(content.len()) else { continue };
        match PATHS.iter().position(|known| known.as_bytes() == path) {
            Some(index) => input.push(u8::try_from(index).unwrap()),
            None => {
                let Some(len) = u8::try_from(path.len()).ok().filter(|len| *len < OWN_PATH) else { continue };
                input.push(OWN_PATH | len);
                input.extend(path);
            }
        }
        input.extend(len.to_le_bytes());
        input.extend(content);
    }
    input
}

/// Adds what lies above the files; a file that stands where a directory must be goes.
fn add_directories(entries: &mut MemoryEntries) {
    let mut directories = Vec::new();
    for path in entries.keys() {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        directories.extend(ends.map(|(end, _)| path[..end].to_vec()));
    }
    entries.extend(directories.into_iter().map(|path| (path, None)));
}

/// A whole dump. With the lowest bit of the first byte set, CHECKSUMS is made to fit the files.
pub(super) fn run_dump(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    let mut entries = parse_files(input);
    if bits & 1 == 1 {
        let lines = checksum_lines(&entries);
        entries.insert(b"CHECKSUMS".to_vec(), Some(lines));
    }
    dump::read(&entries);
}

fn checksum_lines(entries: &MemoryEntries) -> Vec<u8> {
    let mut lines = Vec::new();
    for (path, content) in entries.iter().filter(|(path, _)| *path != b"CHECKSUMS") {
        if let Some(content) = content {
            checksums::write_line(&Sha256::digest(content).into(), path, &mut lines);
        }
    }
    lines
}

/// KEYMAP, CHECKSUMS and expiry lines: what is read is what is written again.
pub(super) fn run_lines(input: &[u8]) {
    let Some((kind, text)) = input.split_first() else { return };
    match kind % 3 {
        0 => keymap(text),
        1 => checksums(text),
        _ => expiries(text),
    }
}

fn keymap(text: &[u8]) {
    let mut reader = KeymapReader::new(text);
    loop {
        match reader.next_record() {
            Ok(None) => return,
            Ok(Some(record)) => {
                let mut line = Vec::new();
                record.write_into(&mut line);
                assert_eq!(KeymapReader::new(&line[..]).next_record().unwrap(), Some(record));
            }
            Err(error) if matches!(error.fault, ekv_dump::keymap::KeymapFault::Line(_)) => return,
            Err(_) => {}
        }
    }
}

fn checksums(text: &[u8]) {
    let mut reader = ChecksumsReader::new(text);
    let mut line = Vec::new();
    while let Ok(Some(read)) = reader.next_line() {
        line.clear();
        checksums::write_line(&read.digest, read.path.as_bytes(), &mut line);
        assert_eq!(ChecksumsReader::new(&line[..]).next_line().unwrap(), Some(read));
    }
}

fn expiries(text: &[u8]) {
    let mut reader = ExpiryReader::new(text);
    let mut lines = Vec::new();
    loop {
        match reader.next_line() {
            Ok(None) => break,
            Ok(Some(line)) => expiry::write_line(line.segment, line.expire_at_ms, &mut lines),
            Err(_) => return,
        }
    }
    assert_eq!(lines, text, "what is accepted is what is written");
}

/// MANIFEST.json: what is read is what is written again.
pub(super) fn run_manifest(text: &[u8]) {
    if let Ok(manifest) = Manifest::parse(text) {
        match manifest.to_bytes::<()>(None) {
            Ok(written) => assert_eq!(Manifest::parse(&written).expect("what is written is read"), manifest),
            Err(error) => panic!("what was read cannot be written: {error}"),
        }
    }
    let _ = Manifest::parse_extension::<serde_json::Value>(text);
}

/// `encode_info.json`: what is read is what is written again.
pub(super) fn run_encode_info(text: &[u8]) {
    if let Ok(info) = EncodeInfo::parse(text) {
        let written = info.to_bytes().expect("what was read is written");
        assert_eq!(EncodeInfo::parse(&written).expect("what is written is read"), info);
    }
}
