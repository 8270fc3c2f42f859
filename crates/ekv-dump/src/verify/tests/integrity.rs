//! Contents, CHECKSUMS and what ends a check.

use std::cell::Cell;
use std::io::Read;

use ekv_files::checksums::write_line;
use ekv_files::source::{Refusal, Source, Visitor};
use ekv_files::{DumpPath, ErrorKind, Result};
use ekv_model::{Cancelled, Class, Monitor, NoMonitor};
use sha2::{Digest, Sha256};

use super::tree::{empty, full, reference, scratch, text};
use crate::DumpFault;
use crate::verify::{Problem, ProblemKind, verify};

#[derive(Default)]
struct Counter(Cell<u64>);

impl Monitor for Counter {
    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        self.0.set(self.0.get() + bytes);
        Ok(())
    }
}

#[test]
fn sound_dumps_pass_and_every_byte_is_counted_once() {
    for tree in [full(), empty(), reference()] {
        assert_eq!(tree.problems(), [""; 0]);
        let seen = Counter::default();
        let result = verify(&mut tree.clone(), &scratch(), 1 << 20, &seen).unwrap();
        assert!(result.is_sound());
        assert_eq!(result.files, u64::try_from(tree.files.len()).unwrap());
        assert_eq!(result.bytes, tree.files.values().map(|content| u64::try_from(content.len()).unwrap()).sum::<u64>());
        assert_eq!(seen.0.get(), result.bytes);
    }
}

#[test]
fn a_tiny_memory_budget_changes_nothing() {
    assert!(verify(&mut full(), &scratch(), 0, &NoMonitor).unwrap().is_sound());
    let broken = full().without("redis/db_0/KEYMAP.jsonl").without("s3/bkt/KEYMAP.jsonl");
    let small = verify(&mut broken.clone(), &scratch(), 0, &NoMonitor).unwrap().problems;
    assert_eq!(small.first, broken.verify().unwrap().problems.first);
    assert!(small.count > 1);
}

#[test]
fn every_flipped_byte_is_found() {
    let tree = full();
    for (path, content) in &tree.files {
        for at in 0..content.len() {
            let mut broken = tree.clone();
            broken.files.get_mut(path).unwrap()[at] ^= 0x01;
            match broken.verify() {
                Ok(result) => assert!(!result.is_sound(), "{} byte {at}", path.escape_ascii()),
                Err(error) => {
                    assert!(path == b"MANIFEST.json" || path == b"CHECKSUMS", "{}: {error}", path.escape_ascii());
                    assert_eq!(error.class(), Class::Data);
                }
            }
        }
    }
}

#[test]
fn every_cut_lengthened_and_lost_file_is_found() {
    let tree = full();
    for (path, content) in &tree.files {
        let is_about_dump = path == b"MANIFEST.json" || path == b"CHECKSUMS";
        let mut lost = tree.clone();
        lost.files.remove(path);
        match lost.verify() {
            Ok(result) => {
                let missing = Problem { path: path.clone(), line: None, kind: ProblemKind::Missing };
                assert!(result.problems.first.contains(&missing), "{}", path.escape_ascii());
            }
            Err(error) => assert!(is_about_dump && matches!(error.content(), Some(DumpFault::NotADump { .. }))),
        }
        let mut longer = tree.clone();
        longer.files.get_mut(path).unwrap().push(b'x');
        assert!(longer.verify().map_or(is_about_dump, |result| !result.is_sound()), "{}", path.escape_ascii());
        if !content.is_empty() {
            let mut cut = tree.clone();
            cut.files.get_mut(path).unwrap().pop();
            assert!(cut.verify().map_or(is_about_dump, |result| !result.is_sound()), "{}", path.escape_ascii());
        }
    }
}

#[test]
fn checksums_and_files_must_agree_both_ways() {
    let mut tree = full();
    tree.files.insert(b"redis/db_0/strings/new.bin".to_vec(), Vec::new());
    assert_eq!(tree.problems(), ["redis/db_0/strings/new.bin: CHECKSUMS does not list it"]);

    let mut tree = full();
    let checksums = tree.files.get_mut(&b"CHECKSUMS"[..]).unwrap();
    write_line(&[0; 32], b"redis/db_0/strings/old.bin", checksums);
    assert_eq!(tree.problems(), ["redis/db_0/strings/old.bin: CHECKSUMS lists it, but there is no such file"]);

    let mut tree = full();
    let checksums = tree.files.get_mut(&b"CHECKSUMS"[..]).unwrap();
    write_line(&Sha256::digest(b"hello").into(), b"redis/db_0/strings/ttl.bin", checksums);
    assert_eq!(tree.problems(), ["redis/db_0/strings/ttl.bin: CHECKSUMS lists it more than once"]);

    let mut tree = full();
    let checksums = text(tree.files[&b"CHECKSUMS"[..]].clone());
    let rest: String =
        checksums.lines().filter(|line| !line.ends_with("MANIFEST.json")).map(|l| format!("{l}\n")).collect();
    tree.files.insert(b"CHECKSUMS".to_vec(), rest.into_bytes());
    assert_eq!(tree.problems(), ["MANIFEST.json: CHECKSUMS does not list it"]);
}

#[test]
fn order_of_checksums_does_not_matter() {
    let mut tree = full();
    let checksums = text(tree.files[&b"CHECKSUMS"[..]].clone());
    let reversed: String = checksums.lines().rev().map(|line| format!("{line}\n")).collect();
    tree.files.insert(b"CHECKSUMS".to_vec(), reversed.into_bytes());
    assert_eq!(tree.problems(), [""; 0]);
}

#[test]
fn dumps_that_cannot_be_judged_are_errors() {
    let mut tree = full();
    tree.files.insert(b"CHECKSUMS".to_vec(), b"not a line\n".to_vec());
    let error = tree.error();
    assert!(matches!(error.kind(), ErrorKind::Checksums(_)));
    assert_eq!(error.to_string(), "CHECKSUMS, line 1: it is not 64 lowercase hex digits, two blanks and a path");

    let mut tree = full();
    let manifest =
        text(tree.files[&b"MANIFEST.json"[..]].clone()).replace("\"format_version\": 1", "\"format_version\": 2");
    tree.files.insert(b"MANIFEST.json".to_vec(), manifest.into_bytes());
    assert!(matches!(tree.error().content(), Some(DumpFault::Manifest(_))));

    for name in ["MANIFEST.json", "CHECKSUMS"] {
        let mut tree = full();
        tree.files.remove(name.as_bytes());
        assert_eq!(tree.error().to_string(), format!("this is no complete dump: it has no {name}"));
        tree.refused.push((name, Refusal::Symlink));
        assert_eq!(tree.error().to_string(), format!("{name}: the entry is refused: it is a symbolic link"));
    }
}

#[test]
fn refused_entries_are_problems_and_the_check_goes_on() {
    let mut tree = full();
    tree.files.remove(&b"redis/db_0/strings/ttl.bin"[..]);
    tree.refused.push(("redis/db_0/strings/ttl.bin", Refusal::HardLink));
    tree.refused.push(("redis/db_0/fifo", Refusal::Fifo));
    assert_eq!(
        tree.problems(),
        [
            "redis/db_0/strings/ttl.bin: it is a file with more than one link",
            "redis/db_0/fifo: it is a FIFO",
            "redis/db_0/strings_ttl.jsonl, line 1: there is no file strings/ttl.bin that this expiry could belong to",
        ]
    );
}

#[test]
fn problems_are_counted_exactly_and_kept_up_to_a_limit() {
    let mut tree = full();
    for number in 0..250 {
        tree.files.insert(format!("redis/db_0/strings/n{number}.bin").into_bytes(), Vec::new());
    }
    let problems = tree.verify().unwrap().problems;
    assert_eq!((problems.count, problems.first.len()), (250, 100));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    struct OneFile(&'static str);
    impl Source for OneFile {
        fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
            visitor.file(&DumpPath::new(self.0.as_bytes())?, &mut Broken)
        }
    }
    for path in [
        "MANIFEST.json",
        "CHECKSUMS",
        "redis/db_0/KEYMAP.jsonl",
        "redis/db_0/hll_ttl.jsonl",
        "s3/b/KEYMAP.jsonl",
        "redis/db_0/strings/a.bin",
    ] {
        let error = verify(&mut OneFile(path), &scratch(), 1 << 20, &NoMonitor).unwrap_err();
        assert_eq!(error.to_string(), format!("{path}: cannot read the file"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk");
    }
}
