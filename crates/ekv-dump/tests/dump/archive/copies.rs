//! Copies between archives and other places.

use ekv_files::archive::{ArchiveLimits, Compression};
use ekv_model::NoMonitor;

use super::support::*;

#[test]
fn dump_that_is_packed_and_unpacked_is_the_same() {
    for compression in [Compression::None, ZSTD] {
        let (published, bytes) = pack(entries(), &options(compression)).unwrap();
        assert!(published);
        assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), Some(entries()));
        assert_eq!(pack(entries(), &options(compression)).unwrap().1, bytes, "two packs are byte-identical");
    }
}

#[test]
fn dump_that_is_not_sound_is_not_packed_and_the_stream_has_no_end() {
    for (name, content) in [("redis/db_0/strings/a.bin", Some(b"changed".to_vec())), ("redis/db_0/x", Some(Vec::new()))]
    {
        let mut entries = entries();
        entries.insert(name.as_bytes().to_vec(), content);
        let (published, bytes) = pack(entries, &options(Compression::None)).unwrap();
        assert!(!published && !bytes.ends_with(&[0; 1024]), "{name}");
    }
}

#[test]
fn archives_in_any_order_and_without_directories_are_accepted() {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries().into_iter().rev() {
        let Some(content) = content else { continue };
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(content.len()).unwrap());
        builder.append_data(&mut header, String::from_utf8(name).unwrap(), content.as_slice()).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), Some(entries()));
}

#[test]
fn failing_sink_ends_the_copy_with_its_error() {
    let mut source = ekv_files::source::MemorySource::new(entries());
    let full = std::fs::File::options().write(true).open("/dev/full");
    let Ok(full) = full else {
        eprintln!("skipped: there is no /dev/full");
        return;
    };
    let sink = ekv_files::sink::ArchiveSink::stream(Box::new(full), "a full disk", &options(ZSTD)).unwrap();
    let error = ekv_dump::copy(&mut source, Box::new(sink), &scratch(), 1 << 20, &NoMonitor, &mut |_| Ok(()));
    let error = error.unwrap_err();
    assert_eq!((error.class(), error.to_string().as_str()), (ekv_model::Class::OutOfSpace, "cannot write a full disk"));
}
