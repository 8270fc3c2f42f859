//! Files and what they hash to, to compare two dumps without holding either.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_files::Result;
use ekv_files::checksums::FileDigest;
use ekv_files::path::split_last;
use ekv_model::CHUNK_LEN;
use ekv_spill::{Scratch, Sorter, Spool, Spooled, SpooledReader};
use sha2::{Digest, Sha256};

use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::layout::sqs::write::INTERNALS_DIRECTORY;
use crate::losses::LOSSES_FILE;
use crate::manifest::MANIFEST_FILE;
use crate::s3_name::{BUCKET_FILE, META_SUFFIX};
use crate::scope_list::SCOPES_FILE;
use crate::verify::walk::read_error;

/// Memory for writing a listing, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// The files of a dump with their digests, in byte order of the paths. Those in its root, which tell about it, are not among them.
///
/// Files whose lines have no order (KEYMAPs, expiry sidecars) have a digest of the set of their lines.
pub struct Listing {
    files: Spooled,
}

/// A difference between two listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Both have the file, with other contents.
    Contents,
    /// Only the first one has it.
    OnlyFirst,
    /// Only the second one has it.
    OnlySecond,
}

impl Listing {
    /// Calls `report` for every difference, in byte order of the paths.
    ///
    /// # Errors
    /// A failing scratch file, or the first error of `report`.
    pub fn compare(&self, second: &Listing, mut report: impl FnMut(&[u8], Difference) -> Result<()>) -> Result<()> {
        self.compare_digests(second, |path, difference, _| report(path, difference))
    }

    /// As [`Listing::compare`], with the digest of the file: that of the first listing where both have it.
    ///
    /// # Errors
    /// As [`Listing::compare`].
    pub fn compare_digests(
        &self,
        second: &Listing,
        mut report: impl FnMut(&[u8], Difference, &FileDigest) -> Result<()>,
    ) -> Result<()> {
        let (mut a, mut b) = (Rows::new(self), Rows::new(second));
        a.advance()?;
        b.advance()?;
        while a.has_row || b.has_row {
            let order = match (a.has_row, b.has_row) {
                (true, false) => std::cmp::Ordering::Less,
                (false, true) => std::cmp::Ordering::Greater,
                _ => a.path.cmp(&b.path),
            };
            match order {
                std::cmp::Ordering::Less => {
                    report(&a.path, Difference::OnlyFirst, &a.digest)?;
                    a.advance()?;
                }
                std::cmp::Ordering::Greater => {
                    report(&b.path, Difference::OnlySecond, &b.digest)?;
                    b.advance()?;
                }
                std::cmp::Ordering::Equal => {
                    if a.digest != b.digest {
                        report(&a.path, Difference::Contents, &a.digest)?;
                    }
                    a.advance()?;
                    b.advance()?;
                }
            }
        }
        Ok(())
    }
}

/// Writes a listing; paths must ascend.
pub(crate) struct ListingWriter {
    spool: Spool,
    /// Sets of lines that come behind the last file.
    sets: LineSetsReader,
}

impl ListingWriter {
    /// A listing into which `sets` are merged.
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, sets: LineSets) -> Result<Self> {
        let mut sets = sets.finish()?;
        sets.advance()?;
        Ok(ListingWriter { spool: Spool::new(Arc::clone(scratch), WRITE_BUDGET), sets })
    }

    pub(crate) fn file(&mut self, path: &[u8], digest: &FileDigest) -> Result<()> {
        while self.sets.has_row && self.sets.path.as_slice() < path {
            self.set()?;
        }
        self.row(path, digest)
    }

    pub(crate) fn finish(mut self) -> Result<Listing> {
        while self.sets.has_row {
            self.set()?;
        }
        Ok(Listing { files: self.spool.into_reader()? })
    }

    fn set(&mut self) -> Result<()> {
        let path = std::mem::take(&mut self.sets.path);
        let digest = self.sets.digest;
        self.row(&path, &digest)?;
        self.sets.path = path;
        self.sets.advance()
    }

    fn row(&mut self, path: &[u8], digest: &FileDigest) -> Result<()> {
        self.spool.write_all(path)?;
        self.spool.write_all(&[0])?;
        Ok(self.spool.write_all(digest)?)
    }
}

/// Reads a listing row by row.
struct Rows<'l> {
    input: BufReader<SpooledReader<'l>>,
    has_row: bool,
    path: Vec<u8>,
    digest: FileDigest,
}

impl<'l> Rows<'l> {
    fn new(listing: &'l Listing) -> Self {
        Rows {
            input: BufReader::with_capacity(CHUNK_LEN, listing.files.reader()),
            has_row: false,
            path: Vec::new(),
            digest: FileDigest::default(),
        }
    }

    fn advance(&mut self) -> Result<()> {
        self.path.clear();
        self.input.read_until(0, &mut self.path).map_err(read_error)?;
        self.has_row = self.path.pop().is_some();
        if self.has_row {
            self.input.read_exact(&mut self.digest).map_err(read_error)?;
        }
        Ok(())
    }
}

/// The lines of files in which order and repeats do not matter.
pub(crate) struct LineSets {
    sorter: Sorter,
    key: Vec<u8>,
}

impl LineSets {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        LineSets { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: Vec::new() }
    }

    /// Whether order and repeats do not matter in a file.
    pub(crate) fn holds(path: &[u8]) -> bool {
        let (scope, name) = split_last(path);
        let (adapter, database) = split_last(scope);
        let is_in_scope = !adapter.contains(&b'/') && !database.is_empty();
        let is_keymap = name == KEYMAP_FILE.as_bytes();
        is_in_scope
            && (matches!(adapter, b"redis" | b"s3") && is_keymap || adapter == b"redis" && is_expiry_sidecar(name))
    }

    /// Adds a line of the file at `path`.
    pub(crate) fn add(&mut self, path: &[u8], line: &[u8]) -> Result<()> {
        self.key.clear();
        self.key.extend_from_slice(path);
        self.key.push(0);
        self.key.extend_from_slice(line);
        Ok(self.sorter.push(&self.key, b"")?)
    }

    fn finish(self) -> Result<LineSetsReader> {
        let sorted = self.sorter.finish()?;
        Ok(LineSetsReader { sorted, next: Vec::new(), has_row: false, path: Vec::new(), digest: FileDigest::default() })
    }
}

/// Whether a file is compared as a whole: it is none of which the lines are a set, tells nothing but data, and is not made anew from
/// other files.
pub(crate) fn is_compared(path: &[u8]) -> bool {
    let mut components = path.splitn(4, |byte| *byte == b'/');
    let (protocol, directory) = (components.next(), components.nth(1));
    let is_made_anew = protocol == Some(b"sqs") && directory == Some(INTERNALS_DIRECTORY.as_bytes());
    let is_about_the_dump = [MANIFEST_FILE, LOSSES_FILE, SCOPES_FILE].iter().any(|name| name.as_bytes() == path);
    !is_about_the_dump && !LineSets::holds(path) && !is_made_anew
}

/// Whether a file is a text that this tool lays out, so that people may lay it out in another way; all others are bytes of users.
pub fn is_document(path: &[u8]) -> bool {
    let mut components = path.splitn(4, |byte| *byte == b'/');
    let place = [components.next(), components.next(), components.next(), components.next()];
    match place {
        [Some(b"redis"), _, Some(directory), Some(_)] => !matches!(directory, b"strings" | b"hll"),
        [Some(b"s3"), _, Some(name), None] if name == BUCKET_FILE.as_bytes() => true,
        [Some(b"s3"), ..] => LineSets::holds(path) || path.ends_with(META_SUFFIX),
        [Some(b"redis" | b"dynamodb" | b"sqs"), ..] => true,
        _ => false,
    }
}

fn is_expiry_sidecar(name: &[u8]) -> bool {
    ExpirySidecar::of(name).is_some()
}

/// Gives each file with the digest of its lines.
struct LineSetsReader {
    sorted: ekv_spill::Sorted,
    /// The first line of the next file, with its path; empty at the beginning and at the end.
    next: Vec<u8>,
    has_row: bool,
    path: Vec<u8>,
    digest: FileDigest,
}

impl LineSetsReader {
    fn advance(&mut self) -> Result<()> {
        if self.next.is_empty() {
            match self.sorted.next()? {
                Some((key, _)) => self.next.extend_from_slice(key),
                None => {
                    self.has_row = false;
                    return Ok(());
                }
            }
        }
        self.has_row = true;
        self.path = self.next.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        let mut hasher = Sha256::new();
        loop {
            let line = self.next.get(self.path.len()..).unwrap_or_default();
            hasher.update(u64::try_from(line.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(line);
            // Goes on to the next distinct line.
            loop {
                match self.sorted.next()? {
                    Some((key, _)) if key == self.next => {}
                    Some((key, _)) => {
                        self.next.clear();
                        self.next.extend_from_slice(key);
                        break;
                    }
                    None => {
                        self.next.clear();
                        break;
                    }
                }
            }
            let is_same_file =
                self.next.strip_prefix(self.path.as_slice()).is_some_and(|rest| rest.first() == Some(&0));
            if !is_same_file {
                break;
            }
        }
        self.digest = hasher.finalize().into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::*;

    fn scratch() -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    fn listing(files: &[(&str, u8)], lines: &[(&str, &str)]) -> Listing {
        let mut sets = LineSets::new(&scratch(), 1 << 16);
        for (path, line) in lines {
            sets.add(path.as_bytes(), line.as_bytes()).unwrap();
        }
        let mut writer = ListingWriter::new(&scratch(), sets).unwrap();
        for (path, byte) in files {
            writer.file(path.as_bytes(), &[*byte; 32]).unwrap();
        }
        writer.finish().unwrap()
    }

    fn differences(a: &Listing, b: &Listing) -> Vec<(String, Difference)> {
        let mut found = Vec::new();
        a.compare(b, |path, difference| {
            found.push((String::from_utf8(path.to_vec()).unwrap(), difference));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn every_difference_is_found_in_order() {
        let a = listing(&[("a", 1), ("b", 0), ("d", 3)], &[("c", "x")]);
        let b = listing(&[("b", 7), ("d", 3), ("e", 9)], &[("c", "y")]);
        let expected = [
            ("a", Difference::OnlyFirst),
            ("b", Difference::Contents),
            ("c", Difference::Contents),
            ("e", Difference::OnlySecond),
        ];
        assert_eq!(differences(&a, &b), expected.map(|(path, difference)| (path.to_owned(), difference)));
        assert_eq!(differences(&a, &a), []);
        assert_eq!(differences(&listing(&[], &[]), &listing(&[], &[])), []);
    }

    #[test]
    fn order_and_repeats_of_lines_do_not_matter_and_their_bounds_do() {
        let a = listing(&[], &[("f", "1"), ("f", "2"), ("f", "2"), ("g", "3")]);
        assert_eq!(differences(&a, &listing(&[], &[("g", "3"), ("f", "2"), ("f", "1")])), []);
        for other in [&[("f", "12"), ("g", "3")][..], &[("f", "1"), ("g", "3")], &[("f", "1"), ("f", "3"), ("g", "3")]]
        {
            assert_eq!(differences(&a, &listing(&[], other)), [("f".to_owned(), Difference::Contents)]);
        }
    }

    #[test]
    fn bytes_of_users_are_told_from_documents() {
        for path in ["redis/db_0/strings/a.bin", "redis/db_0/hll/a.bin", "s3/b/a", "s3/b/x/_bucket.json", "_unknown/x"]
        {
            assert!(!is_document(path.as_bytes()), "{path}");
        }
        for path in [
            "redis/db_0/hashes/a.json",
            "redis/db_0/streams/a.jsonl",
            "redis/db_0/strings_ttl.jsonl",
            "s3/b/_bucket.json",
            "s3/b/KEYMAP.jsonl",
            "s3/b/a/b.elastickv-meta.json",
            "dynamodb/t/items/a.json",
            "sqs/q/messages.jsonl",
        ] {
            assert!(is_document(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn bookkeeping_records_and_files_about_the_dump_are_not_compared() {
        for path in [
            "MANIFEST.json",
            "LOSSES.jsonl",
            "SCOPES.jsonl",
            "sqs/q/_internals/side_records.jsonl",
            "redis/db_0/KEYMAP.jsonl",
        ] {
            assert!(!is_compared(path.as_bytes()), "{path}");
        }
        for path in ["sqs/_internals/messages.jsonl", "s3/b/_internals/x", "sqs/q/_queue.json", "_unknown/x"] {
            assert!(is_compared(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn sets_of_lines_are_known_by_their_place() {
        for path in
            ["redis/db_0/KEYMAP.jsonl", "redis/db_0/strings_ttl.jsonl", "redis/db_0/hll_ttl.jsonl", "s3/b/KEYMAP.jsonl"]
        {
            assert!(LineSets::holds(path.as_bytes()), "{path}");
        }
        for path in [
            "KEYMAP.jsonl",
            "redis/KEYMAP.jsonl",
            "s3/b/strings_ttl.jsonl",
            "s3/b/c/KEYMAP.jsonl",
            "sqs/q/KEYMAP.jsonl",
        ] {
            assert!(!LineSets::holds(path.as_bytes()), "{path}");
        }
    }
}
