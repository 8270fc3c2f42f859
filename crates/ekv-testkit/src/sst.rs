//! `EKVSSTI1` payloads, written from their description, with what can be wrong about them. Source: `docs/format/ssti1.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A raw key and its value, value header included.
pub type SstRow = (Vec<u8>, Vec<u8>);

/// How SST files are laid out, and what is wrong about them.
#[derive(Clone, Debug)]
pub struct SstLayout {
    /// A data block is closed once it has so many bytes.
    pub block_len: usize,
    /// With more bytes than that an index has two levels.
    pub index_len: usize,
    /// Whether data and index blocks are compressed where that saves an eighth.
    pub is_compressed: bool,
    /// Version in the footer.
    pub version: u32,
    /// Kind of the checksums in the footer.
    pub checksum_kind: u8,
    /// Properties with other values than the true ones.
    pub properties: Vec<(&'static str, Vec<u8>)>,
    /// A block that the metaindex names besides the properties.
    pub meta_block: Option<&'static str>,
    /// What keys of rows end with.
    pub trailer: [u8; 8],
    /// The byte before each value.
    pub prefix: u8,
    /// Changes a data block before its checksum is made: entries, restart points and their number.
    pub edit_block: fn(&mut Vec<u8>),
    /// Changes what is stored of a data block, compression and checksum included.
    pub edit_stored: fn(&mut Vec<u8>),
    /// Changes offsets and lengths of the data blocks in the index.
    pub edit_handles: fn(&mut Vec<(u64, u64)>),
    /// What all data blocks hold in the place of their rows: entries, restart points and their number.
    pub block: Option<Vec<u8>>,
    /// The compressed form of all data blocks in the place of the true one.
    pub compressed: Option<Vec<u8>>,
}

impl Default for SstLayout {
    fn default() -> Self {
        SstLayout {
            block_len: 4096,
            index_len: 4096,
            is_compressed: true,
            version: 4,
            checksum_kind: 1,
            properties: Vec::new(),
            meta_block: None,
            trailer: [1, 0, 0, 0, 0, 0, 0, 0],
            prefix: 0,
            edit_block: |_| (),
            edit_stored: |_| (),
            edit_handles: |_| (),
            block: None,
            compressed: None,
        }
    }
}

/// A file, with what the manifest says about it.
#[derive(Clone, Debug)]
pub struct SstFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its first and last raw key.
    pub bounds: (Vec<u8>, Vec<u8>),
    /// Its rows.
    pub rows: u64,
    /// Bytes of their raw keys and values.
    pub raw_len: u64,
}

impl SstFile {
    /// A file of these rows, which ascend.
    pub fn new(rows: &[SstRow], layout: &SstLayout) -> Self {
        let key = |row: Option<&SstRow>| row.map(|(key, _)| key.clone()).unwrap_or_default();
        let raw_len: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
        let bounds = (key(rows.first()), key(rows.last()));
        SstFile { bytes: table(rows, layout), bounds, rows: len64(rows.len()), raw_len: len64(raw_len) }
    }
}

/// A payload of these files.
pub fn sst_payload(files: &[SstFile], last_commit_ts: u64) -> Vec<u8> {
    let bodies: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
    sst_container(&sst_manifest(files, last_commit_ts), &bodies.concat())
}

/// A payload of this manifest and these bodies of files.
pub fn sst_container(manifest: &str, bodies: &[u8]) -> Vec<u8> {
    let len = i64::try_from(manifest.len()).unwrap();
    let hash = Sha256::digest(manifest.as_bytes());
    [&b"EKVSSTI1"[..], &len.to_be_bytes(), &hash, manifest.as_bytes(), bodies].concat()
}

/// The manifest of these files.
pub fn sst_manifest(files: &[SstFile], last_commit_ts: u64) -> String {
    let entry = |(number, file): (usize, &SstFile)| {
        let sha256: String = Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let (smallest, largest) = (STANDARD.encode(&file.bounds.0), STANDARD.encode(&file.bounds.1));
        let size = file.bytes.len();
        format!(
            r#"{{"name":"{number:06}.sst","size":{size},"sha256":"{sha256}","smallest":"{smallest}","largest":"{largest}"}}"#
        )
    };
    let entries: Vec<String> = files.iter().enumerate().map(entry).collect();
    let list = if files.is_empty() { "null".to_owned() } else { format!("[{}]", entries.join(",")) };
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let raw_len: u64 = files.iter().map(|file| file.raw_len).sum();
    let total: usize = files.iter().map(|file| file.bytes.len()).sum();
    format!(
        r#"{{"version":1,"last_commit_ts":{last_commit_ts},"min_retained_ts":0,"pending_min_retained_ts":0,"entry_count":{rows},"uncompressed_bytes":{raw_len},"total_file_bytes":{total},"files":{list}}}"#
    )
}

/// Entries with restart points, as all blocks have them.
fn block(entries: &[(Vec<u8>, Vec<u8>)], interval: usize, key_tail: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut restarts = Vec::new();
    let mut previous: &[u8] = &[];
    for (number, (key, value)) in entries.iter().enumerate() {
        let shareable = key.len() - key_tail.min(key.len());
        let mut shared = key[..shareable].iter().zip(previous).take_while(|(a, b)| a == b).count();
        if number % interval == 0 {
            restarts.push(u32::try_from(out.len()).unwrap());
            shared = 0;
        }
        for number in [shared, key.len() - shared, value.len()] {
            put_varint(&mut out, len64(number));
        }
        out.extend_from_slice(&key[shared..]);
        out.extend_from_slice(value);
        previous = key;
    }
    if restarts.is_empty() {
        restarts.push(0);
    }
    restarts.iter().for_each(|restart| out.extend_from_slice(&restart.to_le_bytes()));
    out.extend_from_slice(&u32::try_from(restarts.len()).unwrap().to_le_bytes());
    out
}

/// Appends a block with its trailer and returns offset and length.
fn put_block(file: &mut Vec<u8>, raw: &[u8], compressed: Option<Vec<u8>>, edit: fn(&mut Vec<u8>)) -> (u64, u64) {
    match compressed.filter(|compressed| compressed.len() < raw.len() - raw.len() / 8) {
        Some(compressed) => put_stored(file, &compressed, 1, edit),
        None => put_stored(file, raw, 0, edit),
    }
}

fn put_stored(file: &mut Vec<u8>, stored: &[u8], kind: u8, edit: fn(&mut Vec<u8>)) -> (u64, u64) {
    let handle = (len64(file.len()), len64(stored.len()));
    let mut stored = [stored, &[kind]].concat();
    let crc = crc32c::crc32c(&stored).rotate_right(15).wrapping_add(0xa282_ead8);
    stored.extend_from_slice(&crc.to_le_bytes());
    edit(&mut stored);
    file.extend_from_slice(&stored);
    handle
}

fn table(rows: &[SstRow], layout: &SstLayout) -> Vec<u8> {
    let snappy = |raw: &[u8]| snap::raw::Encoder::new().compress_vec(raw).unwrap();
    let compress = |raw: &[u8]| layout.is_compressed.then(|| snappy(raw));
    let mut file = Vec::new();
    let mut handles = Vec::new();
    let mut keys = Vec::new();
    let mut waiting: Vec<SstRow> = Vec::new();
    let mut waiting_len = 0;
    for (number, (raw_key, value)) in rows.iter().enumerate() {
        waiting_len += raw_key.len() + value.len() + 12;
        waiting.push(([&raw_key[..], &layout.trailer].concat(), [&[layout.prefix][..], value].concat()));
        if waiting_len >= layout.block_len || number + 1 == rows.len() {
            let mut raw = layout.block.clone().unwrap_or_else(|| block(&waiting, 16, 8));
            (layout.edit_block)(&mut raw);
            let handle = match &layout.compressed {
                Some(compressed) => put_stored(&mut file, compressed, 1, layout.edit_stored),
                None => put_block(&mut file, &raw, compress(&raw), layout.edit_stored),
            };
            handles.push(handle);
            keys.push(waiting.pop().unwrap().0);
            waiting.clear();
            waiting_len = 0;
        }
    }
    let (data_len, data_blocks) = (file.len(), handles.len());
    (layout.edit_handles)(&mut handles);
    let index: Vec<(Vec<u8>, Vec<u8>)> = keys.into_iter().zip(handles.iter().map(put_handle)).collect();
    let index_raw = block(&index, 1, 0);
    let is_two_level = index_raw.len() > layout.index_len;
    let plain = |_: &mut Vec<u8>| ();
    let top = if is_two_level {
        let lower = index.chunks(7).map(|part| {
            let raw = block(part, 1, 0);
            (part.last().unwrap().0.clone(), put_handle(&put_block(&mut file, &raw, compress(&raw), plain)))
        });
        let top: Vec<_> = lower.collect();
        block(&top, 1, 0)
    } else {
        index_raw
    };
    let top = put_block(&mut file, &top, compress(&top), plain);
    let properties = properties(rows, layout, data_len, data_blocks, is_two_level);
    let properties = put_block(&mut file, &block(&properties, usize::MAX, 0), None, plain);
    let mut meta = vec![(b"rocksdb.properties".to_vec(), put_handle(&properties))];
    meta.extend(layout.meta_block.map(|name| (name.as_bytes().to_vec(), put_handle(&(0, 0)))));
    meta.sort();
    let metaindex = put_block(&mut file, &block(&meta, 1, 0), None, plain);
    let mut footer = [vec![layout.checksum_kind], put_handle(&metaindex), put_handle(&top)].concat();
    footer.resize(41, 0);
    footer.extend_from_slice(&layout.version.to_le_bytes());
    footer.extend_from_slice(b"\xf0\x9f\xaa\xb3\xf0\x9f\xaa\xb3");
    [file, footer].concat()
}

fn properties(
    rows: &[SstRow],
    layout: &SstLayout,
    data_len: usize,
    data_blocks: usize,
    is_two_level: bool,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let number = |n: usize| {
        let mut out = Vec::new();
        put_varint(&mut out, len64(n));
        out
    };
    let keys: usize = rows.iter().map(|(key, _)| key.len() + 8).sum();
    let values: usize = rows.iter().map(|(_, value)| value.len()).sum();
    let mut all = vec![
        ("obsolete-key", Vec::new()),
        ("rocksdb.block.based.table.index.type", vec![if is_two_level { 2 } else { 0 }, 0, 0, 0]),
        ("rocksdb.comparator", b"leveldb.BytewiseComparator".to_vec()),
        ("rocksdb.data.size", number(data_len)),
        ("rocksdb.deleted.keys", number(0)),
        ("rocksdb.num.data.blocks", number(data_blocks)),
        ("rocksdb.num.entries", number(rows.len())),
        ("rocksdb.raw.key.size", number(keys)),
        ("rocksdb.raw.value.size", number(values)),
    ];
    for (name, value) in &layout.properties {
        all.retain(|(known, _)| known != name);
        all.push((name, value.clone()));
    }
    all.sort();
    all.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect()
}

fn put_handle(&(offset, len): &(u64, u64)) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, offset);
    put_varint(&mut out, len);
    out
}

/// Appends a number, least significant seven bits first.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn len64(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}
