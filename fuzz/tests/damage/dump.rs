//! A dump: `verify` finds every changed bit, cut, lost, added, renamed and exchanged file.

use std::sync::Arc;

use ekv_dump::verify::verify;
use ekv_files::sink::MemoryEntries;
use ekv_files::source::MemorySource;
use ekv_model::Class;
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::Cases;

fn is_sound(entries: MemoryEntries, context: &str) -> bool {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    match verify(&mut MemorySource::new(entries), &scratch, 1 << 20, &ekv_model::NoMonitor) {
        Ok(verification) => verification.is_sound(),
        Err(error) => {
            assert_eq!(error.class(), Class::Data, "{context}: {error}");
            false
        }
    }
}

/// A sound dump with data of every protocol, and its files.
struct Dump {
    entries: MemoryEntries,
    files: Vec<Vec<u8>>,
}

impl Dump {
    fn new() -> Dump {
        let entries = ekv_fuzz::small_dump();
        assert!(is_sound(entries.clone(), "the dump"));
        let files: Vec<_> =
            entries.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path.clone()).collect();
        for protocol in ["dynamodb/", "redis/", "s3/", "sqs/"] {
            assert!(files.iter().any(|path| path.starts_with(protocol.as_bytes())), "{protocol}");
        }
        Dump { entries, files }
    }

    fn content(&self, path: &[u8]) -> &[u8] {
        self.entries[path].as_deref().unwrap()
    }

    /// Every byte of every file: the file and the offset in it.
    fn bytes(&self) -> Vec<(&[u8], usize)> {
        self.files.iter().flat_map(|path| (0..self.content(path).len()).map(move |at| (path.as_slice(), at))).collect()
    }

    /// The dump with one file replaced, or removed.
    fn with(&self, path: &[u8], content: Option<Vec<u8>>) -> MemoryEntries {
        let mut entries = self.entries.clone();
        match content {
            Some(content) => entries.insert(path.to_vec(), Some(content)),
            None => entries.remove(path),
        };
        entries
    }

    fn check_changed_bits(&self, cases: Cases) {
        let bytes = self.bytes();
        cases.run("changed bits of a dump", bytes.len() * 8, |case| {
            let (path, at) = bytes[case / 8];
            let mut content = self.content(path).to_vec();
            content[at] ^= 1 << (case % 8);
            let context = format!("{}, bit {} of byte {at}", path.escape_ascii(), case % 8);
            assert!(!is_sound(self.with(path, Some(content)), &context), "{context} is not noticed");
        });
    }

    fn check_cuts(&self, cases: Cases) {
        let bytes = self.bytes();
        cases.run("cuts of the files of a dump", bytes.len(), |case| {
            let (path, len) = bytes[case];
            let context = format!("{} cut at {len}", path.escape_ascii());
            let cut = self.content(path)[..len].to_vec();
            assert!(!is_sound(self.with(path, Some(cut)), &context), "{context} is not noticed");
        });
    }

    fn check_whole_files(&self) {
        Cases::All.run("lost, lengthened, renamed and doubled files of a dump", self.files.len(), |case| {
            let path = &self.files[case];
            let context = path.escape_ascii().to_string();
            assert!(!is_sound(self.with(path, None), &context), "{context} is lost, which is not noticed");
            let longer = [self.content(path), b"\n"].concat();
            assert!(!is_sound(self.with(path, Some(longer)), &context), "{context} is longer, which is not noticed");
            let other = [path, &b"x"[..]].concat();
            let mut renamed = self.with(path, None);
            renamed.insert(other.clone(), Some(self.content(path).to_vec()));
            assert!(!is_sound(renamed, &context), "{context} is renamed, which is not noticed");
            let doubled = self.with(&other, Some(self.content(path).to_vec()));
            assert!(!is_sound(doubled, &context), "{context} has a copy, which is not noticed");
            assert!(
                !is_sound(self.with(&other, Some(Vec::new())), &context),
                "an empty file beside {context} is not noticed"
            );
        });
        let directories: Vec<_> = self.entries.iter().filter(|(_, content)| content.is_none()).collect();
        Cases::All.run("files and directories added to a dump", directories.len(), |case| {
            let path = directories[case].0;
            let context = path.escape_ascii().to_string();
            let added = [path, &b"/added"[..]].concat();
            assert!(!is_sound(self.with(&added, Some(b"x".to_vec())), &context), "a file in {context} is not noticed");
        });
    }

    /// Two files with each other's contents.
    fn check_exchanges(&self) {
        let count = self.files.len();
        Cases::All.run("exchanged files of a dump", count * count, |case| {
            let (a, b) = (&self.files[case / count], &self.files[case % count]);
            if a < b && self.content(a) != self.content(b) {
                let mut entries = self.with(a, Some(self.content(b).to_vec()));
                entries.insert(b.clone(), Some(self.content(a).to_vec()));
                let context = format!("{} and {}", a.escape_ascii(), b.escape_ascii());
                assert!(!is_sound(entries, &context), "{context} are exchanged, which is not noticed");
            }
        });
    }
}

#[test]
fn a_sample_of_changed_bits_and_cuts_of_a_dump_is_found() {
    let dump = Dump::new();
    dump.check_changed_bits(Cases::Sample(4001));
    dump.check_cuts(Cases::Sample(2001));
}

#[test]
fn every_lost_added_renamed_or_lengthened_file_of_a_dump_is_found() {
    Dump::new().check_whole_files();
}

#[test]
fn every_exchange_of_two_files_of_a_dump_is_found() {
    Dump::new().check_exchanges();
}

#[test]
#[ignore = "long form: minutes, run by `cargo xtask long`"]
fn all_changed_bits_of_a_dump_are_found() {
    Dump::new().check_changed_bits(Cases::All);
}

#[test]
#[ignore = "long form: minutes, run by `cargo xtask long`"]
fn all_cuts_of_a_dump_are_found() {
    Dump::new().check_cuts(Cases::All);
}
