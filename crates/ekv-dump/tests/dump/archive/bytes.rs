//! The bytes of an archive, and that they depend on the dump alone.

use std::num::NonZeroU32;

use ekv_files::archive::{ArchiveOptions, Compression, ZstdLevel};
use ekv_files::sink::Sink;
use ekv_testkit::{archive_with_index, blocks_of, index_payload, rows_of};

use super::support::*;

/// Bytes with NULs up to a length.
fn padded(text: &[u8], len: usize) -> Vec<u8> {
    assert!(text.len() <= len);
    [text, &vec![0; len - text.len()]].concat()
}

/// A header block, field by field.
fn header(name: &str, mode: &str, size: &str, checksum: &str, kind: &str, prefix: &str) -> Vec<u8> {
    let block = [
        padded(name.as_bytes(), 100),
        padded(mode.as_bytes(), 8),
        padded(b"0000000", 8),
        padded(b"0000000", 8),
        padded(size.as_bytes(), 12),
        padded(b"15300607003", 12),
        [checksum.as_bytes(), b"\0 "].concat(),
        kind.as_bytes().to_vec(),
        vec![0; 100],
        b"ustar\x0000".to_vec(),
        vec![0; 64],
        padded(b"0000000", 8),
        padded(b"0000000", 8),
        padded(prefix.as_bytes(), 155),
        vec![0; 12],
    ];
    let block = block.concat();
    assert_eq!(block.len(), 512);
    block
}

fn write_tiny(mut sink: Box<dyn Sink>) {
    let (n, p) = ("n".repeat(100), "p".repeat(155));
    for (name, content) in [
        ("d/a".to_owned(), b"hi".to_vec()),
        (format!("{p}/{n}"), Vec::new()),
        (format!("d/{n}n"), vec![b'x'; 512]),
        ("d/caf\u{e9}".to_owned(), Vec::new()),
    ] {
        sink.begin(&path(&name)).unwrap();
        sink.write(&content).unwrap();
        sink.end().unwrap();
    }
    sink.directory(&path("e/f")).unwrap();
    sink.publish().unwrap();
}

#[test]
fn every_byte_of_a_tiny_archive_is_the_documented_one() {
    let (n, p) = ("n".repeat(100), "p".repeat(155));
    let (file, directory) = ("0000600", "0000700");
    let expected = [
        header("d", directory, "00000000000", "007370", "5", ""),
        header("d/a", file, "00000000002", "007604", "0", ""),
        padded(b"hi", 512),
        header("PaxHeaders/0", file, "00000000245", "011445", "x", ""),
        padded(format!("165 path={p}\n").as_bytes(), 512),
        header(&p[..100], directory, "00000000000", "035124", "5", ""),
        header(&n, file, "00000000000", "076526", "0", &p),
        header("PaxHeaders/1", file, "00000000161", "011443", "x", ""),
        padded(format!("113 path=d/{n}n\n").as_bytes(), 512),
        header(&format!("d/{}", "n".repeat(98)), file, "00000001000", "034476", "0", ""),
        vec![b'x'; 512],
        header("PaxHeaders/2", file, "00000000020", "011436", "x", ""),
        padded("16 path=d/caf\u{e9}\n".as_bytes(), 512),
        header("d/caf__", file, "00000000000", "010411", "0", ""),
        header("e", directory, "00000000000", "007371", "5", ""),
        header("e/f", directory, "00000000000", "007616", "5", ""),
        vec![0; 1024],
    ];
    let expected = expected.concat();
    let found = archive_of(&options(Compression::None), write_tiny);
    for (at, (found, expected)) in found.chunks(512).zip(expected.chunks(512)).enumerate() {
        let shown = |block: &[u8]| block.escape_ascii().to_string().replace("\\x00", ".");
        assert_eq!(shown(found), shown(expected), "block {at}");
    }
    assert_eq!(found.len(), expected.len());
}

/// Files of many lengths: around the ends of blocks and of the buffer, and beyond it.
fn write_lengths(mut sink: Box<dyn Sink>) {
    let lens = [0, 1, 511, 512, 513, (1 << 20) - 1024, (1 << 20) - 512, 1 << 20, (1 << 20) + 1, 3_000_000, 100];
    for (number, len) in lens.into_iter().enumerate() {
        let long = if number % 2 == 0 { "n".repeat(200) } else { String::new() };
        sink.begin(&path(&format!("d{}/{long}{number}", number % 3))).unwrap();
        let content: Vec<u8> = (0..len).map(|i| u8::try_from((i * 7 + number) % 251).unwrap()).collect();
        content.chunks(70_001).for_each(|chunk| sink.write(chunk).unwrap());
        sink.end().unwrap();
    }
    sink.publish().unwrap();
}

#[test]
fn files_of_every_length_are_read_back_by_another_implementation() {
    let bytes = archive_of(&options(Compression::None), write_lengths);
    let mut found = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type() == tar::EntryType::Regular {
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            let number = found.len();
            let is_right = content.iter().enumerate().all(|(i, byte)| usize::from(*byte) == (i * 7 + number) % 251);
            assert!(is_right, "file {number}");
            found.push(content.len());
        }
    }
    let lens = [0, 1, 511, 512, 513, (1 << 20) - 1024, (1 << 20) - 512, 1 << 20, (1 << 20) + 1, 3_000_000, 100];
    assert_eq!(found, lens);
    let headers: Vec<&[u8]> = bytes.chunks(512).filter(|block| block.starts_with(b"PaxHeaders/")).collect();
    for (number, header) in headers.iter().enumerate() {
        assert!(header.starts_with(format!("PaxHeaders/{number}\0").as_bytes()), "they are counted without gaps");
    }
    assert_eq!(headers.len(), 6);
}

/// Bytes that are neither all alike nor noise.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 28).unwrap()
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn compressed_bytes_do_not_depend_on_the_number_of_threads() {
    let content = noise(1_000_000);
    let write = |mut sink: Box<dyn Sink>| {
        for number in 0..20_u8 {
            let changed: Vec<u8> = content.iter().map(|byte| byte ^ number).collect();
            sink.begin(&path(&format!("f{number}"))).unwrap();
            sink.write(&changed).unwrap();
            sink.end().unwrap();
        }
        sink.publish().unwrap();
    };
    // Each way in which the library looks for matches.
    for level in [1, 3, 5, 9, 13] {
        let compression = Compression::Zstd(ZstdLevel::new(level).unwrap());
        let with = |workers: Option<u32>| {
            let options = ArchiveOptions { workers: workers.and_then(NonZeroU32::new), ..options(compression) };
            archive_of(&options, write)
        };
        let one = with(Some(1));
        assert!(one.len() > 9_000_000);
        for workers in [None, Some(2), Some(5)] {
            assert!(with(workers) == one, "level {level}, {workers:?}");
        }
    }
}

#[test]
fn compressed_archive_is_every_byte_the_documented_one() {
    // Names of all kinds, and more of them than a block of the index holds.
    let write = |mut sink: Box<dyn Sink>| {
        let mut file = |name: &str, content: &[u8]| {
            sink.begin(&path(name)).unwrap();
            content.chunks(300_000).for_each(|chunk| sink.write(chunk).unwrap());
            sink.end().unwrap();
        };
        (0..3_000).rev().for_each(|number| file(&format!("many/{number:0100}"), b"x"));
        file("large", &noise(4_500_000));
        file(&format!("long/{}", "n".repeat(200)), b"");
        file("caf\u{e9}", b"1");
        sink.directory(&path("empty")).unwrap();
        sink.publish().unwrap();
    };
    let tar = archive_of(&options(Compression::None), write);
    let blocks = blocks_of(&rows_of(&tar));
    assert_eq!(blocks.len(), 1);
    for (tar, compressed) in [(tar, archive_of(&options(ZSTD), write)), (archive(Compression::None), archive(ZSTD))] {
        let rows = rows_of(&tar);
        let payload = index_payload(&blocks_of(&rows), u64::try_from(rows.len()).unwrap());
        assert!(compressed == archive_with_index(&tar, &payload));
        assert!(zstd::decode_all(compressed.as_slice()).unwrap() == tar, "around the same tar");
    }
}

#[test]
fn times_that_a_header_cannot_hold_become_the_nearest_one() {
    for (time, digits) in [("1960-01-01T00:00:00.5Z", "00000000000"), ("9999-12-30T22:00:00Z", "77777777777")] {
        let options = ArchiveOptions { modified: time.parse().unwrap(), ..options(Compression::None) };
        let bytes = archive_of(&options, write_tiny);
        assert_eq!(&bytes[136..147], digits.as_bytes());
    }
}
