//! Archives that were made to do harm: each is refused, by every reader, with its reason.

use ekv_files::archive::{ArchiveLimits, Compression};
use ekv_model::Class;

use super::support::*;

/// A header with these bytes in the fields that matter, and a fitting checksum.
fn header(name: &[u8], kind: u8, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header
}

/// An entry with its content, padded.
pub(crate) fn entry(name: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let size = u64::try_from(content.len()).unwrap();
    let mut bytes = header(name, kind, size).as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// An entry whose size field has these bytes.
fn sized(field: &[u8; 12]) -> Vec<u8> {
    let mut header = header(b"f", b'0', 0);
    header.as_mut_bytes()[124..136].copy_from_slice(field);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An extended header with one record.
pub(crate) fn extended(kind: u8, key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len += 1;
    }
    entry(b"PaxHeaders/x", kind, format!("{len} {key}={value}\n").as_bytes())
}

/// The sound archive without its end, then these entries, then an end.
pub(crate) fn archive_with(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = archive(Compression::None);
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(entries.concat());
    bytes.extend([0; 1024]);
    bytes
}

/// Refused by all readers with a message that has this text, or found by the check.
#[track_caller]
fn assert_refused(what: &str, bytes: &[u8], limits: ArchiveLimits, reason: &str) {
    let says = |error: ekv_files::Error| {
        assert_eq!(error.class(), Class::Data, "{what}: {error}");
        error.to_string()
    };
    let checked = match check(bytes, limits) {
        Ok(verification) => verification.problems.to_string(),
        Err(error) => says(error),
    };
    assert!(checked.contains(reason), "{what}: checked: {checked}");
    let indexed = index(bytes, limits).map(drop).map_err(says);
    assert!(indexed.is_err(), "{what} is listed");
    match unpack(bytes, limits) {
        Ok(unpacked) => assert_eq!(unpacked, None, "{what} is unpacked"),
        Err(error) => drop(says(error)),
    }
}

#[test]
fn sound_archive_with_one_more_file_is_refused_only_for_that_file() {
    let bytes = archive_with(&[entry(b"redis/db_0/strings/x.bin", b'0', b"x")]);
    let problems = check(&bytes, ArchiveLimits::default()).unwrap().problems;
    assert_eq!(problems.to_string(), "redis/db_0/strings/x.bin: CHECKSUMS does not list it");
    assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), None);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = "n".repeat(65_535);
    let cases: [(&[u8], &str); 10] = [
        (b"../x", "the component \"..\""),
        (b"a/../b", "the component \"..\""),
        (b"..", "the component \"..\""),
        (b"a/./b", "the component \".\""),
        (b"././a", "the component \".\""),
        (b"/etc/passwd", "an empty component"),
        (b"a//b", "an empty component"),
        (b"", "an empty component"),
        (b"./", "an empty component"),
        (b"a/", "the name of a file ends in a slash"),
    ];
    for (name, reason) in cases {
        let what = name.escape_ascii().to_string();
        assert_refused(&what, &archive_with(&[entry(name, b'0', b"x")]), ArchiveLimits::default(), reason);
        let text = std::str::from_utf8(name).unwrap();
        let by_record = archive_with(&[extended(b'x', "path", text), entry(b"f", b'0', b"x")]);
        assert_refused(&format!("{what} by record"), &by_record, ArchiveLimits::default(), reason);
        let by_long_name =
            archive_with(&[entry(b"././@LongLink", b'L', &[name, b"\0"].concat()), entry(b"f", b'0', b"x")]);
        assert_refused(&format!("{what} by long name"), &by_long_name, ArchiveLimits::default(), reason);
    }
    for (what, name) in [("one component", long.clone()), ("many", long.replace("nn", "n/"))] {
        let bytes = archive_with(&[extended(b'x', "path", &name[..59_999]), entry(b"f", b'0', b"x")]);
        let reason = if what == "many" { "path is too long" } else { "is longer than 255 bytes" };
        assert_refused(what, &bytes, ArchiveLimits::default(), reason);
    }
    let nul = archive_with(&[extended(b'x', "path", "a\0b"), entry(b"f", b'0', b"x")]);
    assert_refused("NUL", &nul, ArchiveLimits::default(), "contains the byte 0x00");
}

#[test]
fn entries_that_are_neither_file_nor_directory_are_refused() {
    let cases: [(u8, &str); 9] = [
        (b'1', "a file with more than one link"),
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'6', "a FIFO"),
        (b'7', "neither a directory nor a regular file"),
        (b'S', "sparse files are not supported"),
        (b'M', "a later volume of an archive of several"),
        (0xff, "neither a directory nor a regular file"),
    ];
    for (kind, reason) in cases {
        let bytes = archive_with(&[entry(b"redis/x", kind, b"")]);
        assert_refused(&kind.escape_ascii().to_string(), &bytes, ArchiveLimits::default(), reason);
    }
    for kind in b"12346" {
        let bytes = archive_with(&[entry(b"redis/x", *kind, b"content")]);
        assert_refused("link with content", &bytes, ArchiveLimits::default(), "declares 7 bytes of content");
    }
    let bytes = archive_with(&[entry(b"redis/x", b'5', b"content")]);
    assert_refused("directory with content", &bytes, ArchiveLimits::default(), "declares 7 bytes of content");
    let sparse = archive_with(&[extended(b'x', "GNU.sparse.major", "1"), entry(b"redis/x", b'0', b"x")]);
    assert_refused("sparse by record", &sparse, ArchiveLimits::default(), "sparse files are not supported");
}

#[test]
fn names_that_come_twice_are_refused() {
    let listed = b"redis/db_0/strings/a.bin";
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("file twice", entry(listed, b'0', b"1"), "there are several files of this name"),
        ("directory over file", entry(listed, b'5', b""), "both a file and a directory"),
        ("file below file", entry(b"redis/db_0/strings/a.bin/x", b'0', b""), "both a file and a directory"),
        ("file over directory", entry(b"redis/db_0", b'0', b""), "both a file and a directory"),
        ("manifest twice", entry(b"MANIFEST.json", b'0', b"{}"), ""),
    ];
    for (what, more, reason) in cases {
        assert_refused(what, &archive_with(&[more]), ArchiveLimits::default(), reason);
    }
    let directories =
        archive_with(&[entry(b"redis/db_0", b'5', b""), entry(b"./redis/db_0/", b'5', b""), entry(b"./", b'5', b"")]);
    assert_eq!(unpack(&directories, ArchiveLimits::default()).unwrap(), Some(entries()), "directories may repeat");
}

#[test]
fn sizes_that_lie_are_refused_without_believing_them() {
    let huge = ArchiveLimits { bytes: u64::MAX, ..ArchiveLimits::default() };
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("beyond the end", sized(b"00000002001\0"), "the archive is cut off"),
        ("2^60", sized(b"\x80\0\0\0\x10\0\0\0\0\0\0\0"), "the archive is cut off"),
        ("2^63", sized(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), "the size of a header is not a valid number"),
        ("negative", sized(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), "the size of an entry is negative"),
        ("no digits", sized(b"size        "), "the size of a header is not a valid number"),
        ("empty", sized(&[0; 12]), "the size of a header is not a valid number"),
        ("record", [extended(b'x', "size", "5000"), entry(b"f", b'0', b"x")].concat(), "the archive is cut off"),
        ("negative record", [extended(b'x', "size", "-1"), entry(b"f", b'0', b"x")].concat(), "is negative"),
        ("too small", [extended(b'x', "size", "0"), entry(b"f", b'0', b"xyz")].concat(), "neither says ustar"),
    ];
    for (what, more, reason) in cases {
        assert_refused(what, &archive_with(&[more]), huge, reason);
    }
    // Binary numbers are for files that octal digits cannot count; small ones are accepted as well.
    let binary = [sized(b"\x80\0\0\0\0\0\0\0\0\0\0\x01"), [vec![b'x'], vec![0; 511]].concat()].concat();
    let problems = check(&archive_with(&[binary]), huge).unwrap().problems;
    assert_eq!(problems.first.len(), 2, "{problems}");
}

#[test]
fn headers_about_other_entries_cannot_be_abused() {
    let name = |text: &str| extended(b'x', "path", text);
    let long_name = |text: &[u8]| entry(b"././@LongLink", b'L', text);
    let file = || entry(b"f", b'0', b"x");
    let announced = |kind: u8, size: u64| header(b"PaxHeaders/x", kind, size).as_bytes().to_vec();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("record header at the end", name("a"), "stands alone, or is given twice"),
        ("long name at the end", long_name(b"a"), "stands alone, or is given twice"),
        ("two record headers", [name("a"), name("b"), file()].concat(), "stands alone, or is given twice"),
        ("two long names", [long_name(b"a"), long_name(b"b"), file()].concat(), "stands alone, or is given twice"),
        ("both", [name("a"), long_name(b"b"), file()].concat(), "stands alone, or is given twice"),
        ("global path", [extended(b'g', "path", "a"), file()].concat(), "a global header changes"),
        ("global size", [extended(b'g', "size", "1"), file()].concat(), "a global header changes"),
        ("large header", announced(b'x', 1 << 40), "a header of 1099511627776 bytes is longer than 65536 bytes"),
        ("large long name", announced(b'L', 65_537), "a header of 65537 bytes is longer than 65536 bytes"),
        ("large long link", announced(b'K', 1 << 33), "is longer than 65536 bytes"),
        ("no records", [entry(b"PaxHeaders/x", b'x', b"path=a\n"), file()].concat(), "an extended header is malformed"),
        ("record beyond the header", [entry(b"P", b'x', b"99 path=a\n"), file()].concat(), "is malformed"),
    ];
    for (what, more, reason) in cases {
        assert_refused(what, &archive_with(&[more]), ArchiveLimits::default(), reason);
    }
    let harmless = archive_with(&[extended(b'g', "comment", "abc"), entry(b"redis", b'5', b"")]);
    assert_eq!(unpack(&harmless, ArchiveLimits::default()).unwrap(), Some(entries()));
}

#[test]
fn header_that_does_not_match_its_checksum_or_is_of_another_kind_is_refused() {
    let mut wrong = header(b"f", b'0', 0);
    wrong.as_mut_bytes()[0] = b'g';
    let wrong = archive_with(&[wrong.as_bytes().to_vec()]);
    assert_refused("checksum", &wrong, ArchiveLimits::default(), "the checksum of a header does not match");
    // Without ustar a header is one of version 7, which has nothing from there on.
    for (at, filling) in [(257..265, b'u'), (257..262, 0)] {
        let mut other = header(b"f", b'0', 0);
        other.as_mut_bytes()[at].fill(filling);
        other.set_cksum();
        let other = archive_with(&[other.as_bytes().to_vec()]);
        assert_refused("without magic", &other, ArchiveLimits::default(), "neither says ustar");
    }
}

#[test]
fn archives_beyond_the_limits_are_refused_before_their_content_is_read() {
    let sound = archive(Compression::None);
    let found = check(&sound, ArchiveLimits::default()).unwrap();
    // Entries are counted with their extended headers: three directories and one long name.
    let (entries, bytes) = (found.files + 4, found.bytes);
    assert!(check(&sound, ArchiveLimits { entries, bytes, ..ArchiveLimits::DEFAULT }).unwrap().is_sound());
    let fewer = ArchiveLimits { entries: entries - 1, bytes, ..ArchiveLimits::DEFAULT };
    assert_refused("entries", &sound, fewer, "--max-entries allows more");
    let smaller = ArchiveLimits { entries, bytes: bytes - 1, ..ArchiveLimits::DEFAULT };
    assert_refused("bytes", &sound, smaller, "--max-bytes allows more");
    let deep = archive_with(&[extended(b'x', "path", &"d/".repeat(5000)), entry(b"d", b'5', b"")]);
    assert_refused(
        "deep",
        &deep,
        ArchiveLimits { entries: 1000, ..ArchiveLimits::default() },
        "--max-entries allows more",
    );
    let bomb = archive_with(&[sized(b"\x80\0\0\0\0\x01\0\0\0\0\0\0")]);
    let error = check(&bomb, ArchiveLimits { entries, bytes: 1 << 39, ..ArchiveLimits::DEFAULT }).unwrap_err();
    assert_eq!(error.location().byte_offset, Some(u64::try_from(sound.len() - 1024).unwrap()));
}

#[test]
fn compressed_data_that_need_too_much_memory_are_refused() {
    use zstd::zstd_safe::CParameter;
    let tar = archive(Compression::None);
    for (window_log, is_accepted) in [(27, true), (28, false), (31, false)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_parameter(CParameter::WindowLog(window_log)).unwrap();
        // The header states the window only where it does not state the size.
        encoder.include_contentsize(false).unwrap();
        std::io::Write::write_all(&mut encoder, &tar).unwrap();
        std::io::Write::flush(&mut encoder).unwrap();
        let compressed = encoder.finish().unwrap();
        match is_accepted {
            true => assert!(check(&compressed, ArchiveLimits::default()).unwrap().is_sound()),
            false => {
                assert_refused("window", &compressed, ArchiveLimits::default(), "need more than 128 MiB of memory")
            }
        }
    }
}

#[test]
fn bombs_end_at_the_limits() {
    let mut tar = sized(b"\x80\0\0\0\0\0\0\0\x40\0\0\0");
    tar.extend(vec![0; 1 << 22]);
    let bomb = zstd::encode_all(tar.as_slice(), 1).unwrap();
    assert!(bomb.len() < 10_000);
    let limits = ArchiveLimits { bytes: 1 << 20, ..ArchiveLimits::default() };
    assert_refused("content", &bomb, limits, "--max-bytes allows more");
    let mut tar = archive(Compression::None);
    tar.extend(vec![0; 65 << 20]);
    let bomb = zstd::encode_all(tar.as_slice(), 1).unwrap();
    let any = ArchiveLimits { expansion: u64::MAX, ..ArchiveLimits::default() };
    assert_refused("zeros", &bomb, any, "bytes of zeros follow the end of the archive");
    assert_refused("expansion", &bomb, ArchiveLimits::default(), "--max-expansion allows more");
}

#[test]
fn directories_that_paths_only_imply_stay_in_proportion_to_the_archive() {
    // 4 MB of paths for an entry of 6 KB.
    let deep = |number: u32| {
        let path = format!("redis/{number}/{}", "d/".repeat(2000));
        [extended(b'x', "path", &path), entry(b"d", b'5', b"")].concat()
    };
    let some: Vec<Vec<u8>> = (0..3).map(deep).collect();
    assert!(!check(&archive_with(&some), ArchiveLimits::default()).unwrap().is_sound());
    let many: Vec<Vec<u8>> = (0..8).map(deep).collect();
    assert_refused("many", &archive_with(&many), ArchiveLimits::default(), "pack it together with its directories");
    // The same few directories again and again.
    let path = format!("redis/{}", "a/".repeat(2000));
    let turns = |number: u32| {
        let inside = extended(b'x', "path", &format!("{path}{number}"));
        [inside, entry(b"x", b'0', b""), entry(format!("sqs/{number}").as_bytes(), b'0', b"")].concat()
    };
    let few: Vec<Vec<u8>> = (0..8).map(turns).collect();
    assert_refused("turns", &archive_with(&few), ArchiveLimits::default(), "pack it together with its directories");
}

#[test]
fn files_that_macos_adds_are_named_as_such() {
    let file = entry(b"redis/db_0/strings/._a.bin", b'0', b"\0\x05\x16\x07");
    let problems = check(&archive_with(&[file]), ArchiveLimits::default()).unwrap().problems;
    assert!(problems.to_string().contains("._a.bin: macOS added it, CHECKSUMS does not list it"), "{problems}");
    let first = [entry(b"._dump", b'0', b"\0\x05\x16\x07"), archive(Compression::None)].concat();
    assert_refused("first", &first, ArchiveLimits::default(), "COPYFILE_DISABLE=1 tar");
}
