//! Every kind of damage to a small archive is seen.

use ekv_files::archive::{ArchiveLimits, Compression};
use ekv_model::Class;

use super::support::*;

#[test]
fn archive_that_is_cut_off_anywhere_is_refused_unless_only_its_index_is_gone() {
    for compression in [Compression::None, ZSTD] {
        let whole = archive(compression);
        assert!(check(&whole, ArchiveLimits::default()).unwrap().is_sound());
        let mut without_index = Vec::new();
        for len in 0..whole.len() {
            match check(&whole[..len], ArchiveLimits::default()) {
                Ok(checked) => {
                    assert_eq!(
                        unpack(&whole[..len], ArchiveLimits::default()).unwrap(),
                        Some(entries()),
                        "{len} bytes"
                    );
                    without_index.push((len, checked.is_sound()));
                }
                Err(error) => {
                    assert_eq!(error.class(), Class::Data, "{len} bytes: {error}");
                    assert!(index(&whole[..len], ArchiveLimits::default()).is_err(), "{len} bytes");
                }
            }
        }
        let frame_len = |bytes: &[u8]| zstd::zstd_safe::find_frame_compressed_size(bytes).unwrap();
        // What ends behind the tar is an archive without an index; one with half of it is not what was written.
        let expected = match compression {
            Compression::None => Vec::new(),
            Compression::Zstd(_) => {
                let tar_end = frame_len(&whole);
                vec![(tar_end, true), (tar_end + frame_len(&whole[tar_end..]), false)]
            }
        };
        assert_eq!(without_index, expected, "{compression:?}");
    }
}

#[test]
fn every_changed_byte_is_seen_or_means_the_same() {
    for compression in [Compression::None, ZSTD] {
        let whole = archive(compression);
        let mut harmless = 0;
        for at in 0..whole.len() {
            for change in [0x01, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let found = unpack(&changed, ArchiveLimits::default());
                if let Ok(Some(found)) = found {
                    assert!(found == entries(), "byte {at} ^ {change:#x} passes and changes the dump");
                }
                if check(&changed, ArchiveLimits::default()).is_ok_and(|checked| checked.is_sound()) {
                    harmless += 1;
                }
            }
        }
        // Bits of frame headers that say how much memory decompression needs; the magic number by which an index is found at all.
        let harmless_max = if compression == Compression::None { 0 } else { 40 };
        println!("{compression:?}: {harmless}");
        assert!(harmless <= harmless_max, "{harmless} changes of {compression:?} are not seen");
    }
}

#[test]
fn anything_but_zeros_behind_the_end_is_refused() {
    let mut bytes = archive(Compression::None);
    bytes.extend_from_slice(&[0; 9000]);
    assert!(check(&bytes, ArchiveLimits::default()).unwrap().is_sound());
    bytes.push(1);
    let error = check(&bytes, ArchiveLimits::default()).unwrap_err();
    assert!(error.to_string().ends_with("there are other bytes than zeros behind its end"), "{error}");

    let mut compressed = archive(ZSTD);
    compressed.extend_from_slice(b"more");
    let error = check(&compressed, ArchiveLimits::default()).unwrap_err();
    assert_eq!(error.class(), Class::Data, "{error}");
}

#[test]
fn other_files_are_not_taken_for_archives() {
    for bytes in [&b"EKVTHLC1"[..], &[0; 4096], b"PK\x03\x04", b"ustar"] {
        let error = check(bytes, ArchiveLimits::default()).unwrap_err();
        assert!(error.to_string().contains("this is no archive of a dump"), "{error}");
    }
    let error = check(b"", ArchiveLimits::default()).unwrap_err();
    assert!(error.to_string().contains("ends before its first byte"), "{error}");
}
