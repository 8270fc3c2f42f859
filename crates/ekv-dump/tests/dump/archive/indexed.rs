//! What is read through the index is what reading all of the archive shows.

use std::io::Read;
use std::process::{Command, Stdio};

use ekv_files::archive::{ArchiveLimits, Compression, IndexFault, ZstdLevel};
use ekv_files::checksums::parse_line;
use ekv_files::sink::{ArchiveSink, DirOptions, ExistingTarget, Fsync, MemoryEntries, Sink};
use ekv_files::source::{IndexedArchive, Refusal, ScopedSource, Source, Visitor};
use ekv_files::{DumpPath, Result};
use proptest::prelude::*;

use super::support::*;

/// What a source shows.
#[derive(Default, PartialEq)]
struct Shown {
    entries: MemoryEntries,
    order: Vec<Vec<u8>>,
}

impl Visitor for Shown {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        assert!(self.entries.insert(path.as_bytes().to_vec(), None).is_none());
        self.order.push(path.as_bytes().to_vec());
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(ekv_files::source::read_error)?;
        assert!(self.entries.insert(path.as_bytes().to_vec(), Some(bytes)).is_none());
        self.order.push(path.as_bytes().to_vec());
        Ok(())
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        panic!("{path}: {refusal}")
    }
}

fn shown(show: impl FnOnce(&mut Shown) -> Result<()>) -> Shown {
    let mut shown = Shown::default();
    show(&mut shown).unwrap();
    shown
}

/// Writes entries, directories where the content is `None`.
fn compressed(entries: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<u8> {
    archive_of(&options(Compression::Zstd(ZstdLevel::new(1).unwrap())), |mut sink: Box<dyn Sink>| {
        for (name, content) in entries {
            let path = DumpPath::new(name).unwrap();
            match content {
                None => sink.directory(&path).unwrap(),
                Some(content) => {
                    sink.begin(&path).unwrap();
                    content.chunks(500_000).for_each(|chunk| sink.write(chunk).unwrap());
                    sink.end().unwrap();
                }
            }
        }
        sink.publish().unwrap();
    })
}

/// Compares everything that an archive shows through its index with what it shows when all of it was read.
fn compare(archive: &[u8]) {
    let (mut indexed, mut listed) =
        (open(archive, ArchiveLimits::default()).unwrap(), index(archive, ArchiveLimits::default()).unwrap());
    let all = shown(|visitor| indexed.walk(visitor));
    assert!(all.entries == shown(|visitor| listed.walk(visitor)).entries);
    assert!(all.order.is_sorted());
    let directories =
        all.entries.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| DumpPath::new(path).unwrap());
    for directory in directories.chain([DumpPath::root()]) {
        let found = shown(|visitor| indexed.walk_directory(&directory, visitor));
        assert!(found == shown(|visitor| listed.walk_directory(&directory, visitor)), "{directory}");
    }
    for (name, content) in &all.entries {
        let path = DumpPath::new(name).unwrap();
        let read = |source: &mut IndexedArchive| -> std::result::Result<Vec<u8>, String> {
            let mut bytes = Vec::new();
            source.open_file(&path).map_err(|error| error.to_string())?.read_to_end(&mut bytes).unwrap();
            Ok(bytes)
        };
        let found = read(&mut indexed);
        assert_eq!(found.as_ref().ok(), content.as_ref(), "{path}");
        assert!(found == read(&mut listed), "{path}");
    }
    for name in ["missing", "a", "zzz", "MANIFEST.jso", "MANIFEST.json0"] {
        let [found, expected] = [&mut indexed, &mut listed]
            .map(|source| source.open_file(&path(name)).map(drop).map_err(|error| error.to_string()));
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(indexed.index_fault(), None, "the index was used for all of it");
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 26).unwrap()
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn files_around_the_ends_of_frames_and_over_several_are_read_alike_in_both_ways() {
    const FRAME: usize = 1 << 21;
    let long = vec!["d".repeat(250); 65].join("/");
    let mut entries = vec![(b"MANIFEST.json".to_vec(), Some(b"{}".to_vec()))];
    for (number, len) in (0_u32..).zip([0, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 7, FRAME - 512, FRAME - 1024]) {
        entries.push((format!("d/{number}").into_bytes(), Some(noise(len, number))));
    }
    entries.push((format!("{long}/{}", "f".repeat((16 << 10) - long.len() - 1)).into_bytes(), Some(b"deep".to_vec())));
    entries.push((b"empty/inner".to_vec(), None));
    let archive = compressed(&entries);
    assert_eq!(entries[8].0.len(), 16 << 10);
    compare(&archive);
    // The tar itself ends at the end of a frame, and just behind.
    for len in [FRAME - 4 * 512, FRAME - 3 * 512, FRAME - 5 * 512] {
        compare(&compressed(&[(b"MANIFEST.json".to_vec(), Some(noise(len, 5)))]));
    }
}

#[test]
fn many_names_are_each_found_and_their_directories_listed_alike_in_both_ways() {
    let mut entries = vec![(b"MANIFEST.json".to_vec(), Some(b"{}".to_vec()))];
    // Several blocks of the index; names between those of a directory and of what lies in it.
    for number in 0..4_000 {
        let directory = ["a", "a-", "a/b", "a/b.c", "a0"][number % 5];
        entries.push((
            format!("{directory}/{:040}", number * 7_919 % 4_000).into_bytes(),
            Some(number.to_string().into_bytes()),
        ));
    }
    compare(&compressed(&entries));
}

#[test]
fn files_that_are_read_in_no_order_are_decompressed_a_bounded_number_of_times_and_read_alike() {
    let mut entries = vec![(b"MANIFEST.json".to_vec(), Some(b"{}".to_vec()))];
    entries.extend((0..8_u32).map(|number| (format!("f{number}").into_bytes(), Some(noise(1 << 21, number)))));
    let archive = compressed(&entries);
    let mut source = open(&archive, ArchiveLimits::default()).unwrap();
    for round in 0..40 {
        for number in 0..8 {
            let mut file = source.open_file(&path(&format!("f{}", (number * 3 + round) % 8))).unwrap();
            let mut start = [0; 100];
            file.read_exact(&mut start).unwrap();
            assert_eq!(start[..], noise(100, (number * 3 + round) % 8));
        }
    }
    compare(&archive);
}

#[test]
fn line_of_a_file_in_checksums_is_found_by_every_source() {
    for archive in [archive(Compression::None), archive(ZSTD)] {
        let mut source = open(&archive, ArchiveLimits::default()).unwrap();
        let checksums = entries()[&b"CHECKSUMS"[..]].clone().unwrap();
        for line in checksums.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = parse_line(line).unwrap();
            assert_eq!(source.listed_digest(&line.path).unwrap(), Some(line.digest));
        }
        assert_eq!(source.listed_digest(&path("missing")).unwrap(), None);
    }
}

#[test]
fn archive_of_one_frame_or_compressed_again_is_read_whole_and_says_why() {
    let tar = archive(Compression::None);
    let mut padded = zstd::encode_all(&tar[..], 3).unwrap();
    let one_frame = padded.clone();
    padded.extend_from_slice(b"\x5e\x2a\x4d\x18\x04\x00\x00\x00size");
    for bytes in [one_frame, padded] {
        let mut source = open(&bytes, ArchiveLimits::default()).unwrap();
        assert_eq!(source.index_fault(), Some(&IndexFault::Missing));
        assert_eq!(shown(|visitor| source.walk(visitor)).entries, entries());
        assert!(check(&bytes, ArchiveLimits::default()).unwrap().is_sound(), "nobody promised an index");
    }
    assert_eq!(open(&tar, ArchiveLimits::default()).unwrap().index_fault(), None);
}

#[test]
fn limits_hold_for_what_is_read_by_the_index() {
    let zeros = compressed(&[(b"MANIFEST.json".to_vec(), Some(vec![0; 20 << 20]))]);
    let limits = |entries, bytes, expansion| ArchiveLimits { entries, bytes, expansion };
    assert!(open(&zeros, limits(1, 30 << 20, 1_000_000)).unwrap().index_fault().is_none());
    for (limits, message) in [
        (limits(1, 30 << 20, 10), "--max-expansion"),
        (limits(1, 1 << 20, 1_000_000), "--max-bytes"),
        (limits(0, 30 << 20, 1_000_000), "--max-entries"),
    ] {
        let error = open(&zeros, limits).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn zstd_and_tar_read_archives_with_an_index() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("dump.tar.zst");
    let publication = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
    write_dump(Box::new(ArchiveSink::create(&target, &options(ZSTD), publication).unwrap()));
    let run = |program: &str, arguments: &[&str]| -> Option<Vec<u8>> {
        let mut command = Command::new(program);
        let output = command.args(arguments).arg(&target).stdin(Stdio::null()).output();
        match output {
            Ok(output) => {
                assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
                Some(output.stdout)
            }
            Err(error) => {
                eprintln!("skipped: cannot run {program}: {error}");
                None
            }
        }
    };
    if run("zstd", &["--test", "--quiet"]).is_none() {
        return;
    }
    assert_eq!(run("zstd", &["-dc"]).unwrap(), archive(Compression::None));
    let listed = String::from_utf8(run("zstd", &["--list"]).unwrap()).unwrap();
    assert!(
        listed.lines().any(|line| line.split_whitespace().take(2).eq(["3", "2"])),
        "frames and skippable ones: {listed}"
    );
    if let Some(names) = run("tar", &["--zstd", "-tf"]) {
        let names = String::from_utf8(names).unwrap();
        assert!(names.lines().eq(listed_order().iter().map(String::as_str)), "{names}");
    }
}

/// The entries of the sound dump in the order in which they are written, as tar lists them.
fn listed_order() -> Vec<String> {
    let tar = archive(Compression::None);
    let mut archive = tar::Archive::new(&tar[..]);
    let shown = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let entry = entry.unwrap();
        entry.path().unwrap().display().to_string()
    };
    archive.entries().unwrap().map(shown).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_are_read_alike_in_both_ways(
        names in prop::collection::btree_map(
            prop::collection::vec(prop::sample::select(vec!["a", "b", "a-", "a.", "ab", "z%2F"]), 1..5),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
            0..60,
        )
    ) {
        let mut entries = vec![(b"MANIFEST.json".to_vec(), Some(b"{}".to_vec()))];
        for (components, content) in &names {
            // Only what has nothing below it can be a file.
            let is_leaf = !names.keys().any(|other| other.len() > components.len() && other.starts_with(components));
            entries.push((components.join("/").into_bytes(), content.clone().filter(|_| is_leaf)));
        }
        compare(&compressed(&entries));
    }
}
