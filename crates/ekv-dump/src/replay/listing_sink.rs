//! A dump of which only the names and digests are kept.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use ekv_files::checksums::{CHECKSUMS_FILE, parse_line};
use ekv_files::sink::{Published, Sink, SinkError};
use ekv_files::{DumpPath, ErrorKind, Result};
use ekv_spill::Scratch;

use super::listing::{LineSets, Listing, ListingWriter, is_compared};

/// Where a [`ListingSink`] leaves its listing.
#[derive(Clone, Default)]
pub struct ListingSlot {
    listing: Arc<Mutex<Option<Listing>>>,
}

impl ListingSlot {
    /// Takes the listing out; `None` if no sink was published to this place.
    pub fn take(&self) -> Option<Listing> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Takes a dump, writes none of it, and keeps a [`Listing`] of what it would have been.
///
/// The digests are those that [`crate::DumpWriter`] writes into CHECKSUMS, which must be the last file. Cost: memory within the
/// budget, the rest in scratch files; bytes of files are thrown away.
pub struct ListingSink {
    slot: ListingSlot,
    scratch: Arc<dyn Scratch>,
    open: Option<Open>,
    sets: Option<LineSets>,
    writer: Option<ListingWriter>,
    /// The file that the last line of CHECKSUMS named.
    previous: Vec<u8>,
    /// The beginning of a line, in files of which the lines are looked at.
    line: Vec<u8>,
}

/// What is made of the bytes of the open file.
enum Open {
    Nothing,
    /// Lines of the file at this path are a set.
    Set(Vec<u8>),
    Checksums,
}

impl ListingSink {
    /// A sink that leaves its listing in `slot`, with `memory_budget` bytes for sorting.
    pub fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize, slot: &ListingSlot) -> Self {
        ListingSink {
            slot: slot.clone(),
            scratch: Arc::clone(scratch),
            open: None,
            sets: Some(LineSets::new(scratch, memory_budget)),
            writer: None,
            previous: Vec::new(),
            line: Vec::new(),
        }
    }

    /// Takes a line of the open file, line feed included.
    fn take_line(&mut self, line: &[u8]) -> Result<()> {
        match (&self.open, &mut self.sets, &mut self.writer) {
            (Some(Open::Set(path)), Some(sets), _) => sets.add(path, line),
            (Some(Open::Checksums), _, Some(writer)) => {
                let line = parse_line(line.strip_suffix(b"\n").unwrap_or(line)).map_err(ErrorKind::Checksums)?;
                let path = line.path.as_bytes();
                if path == self.previous {
                    let path = ekv_files::path::Escaped(path).to_string();
                    return Err(SinkError::NameTaken { path, alias: None }.into());
                }
                self.previous.clear();
                self.previous.extend_from_slice(path);
                if is_compared(path) { writer.file(path, &line.digest) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

impl Sink for ListingSink {
    fn directory(&mut self, _path: &DumpPath) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, path: &DumpPath) -> Result<()> {
        let bytes = path.as_bytes();
        self.line.clear();
        self.open = Some(match bytes {
            _ if bytes == CHECKSUMS_FILE.as_bytes() => {
                self.writer = self.sets.take().map(|sets| ListingWriter::new(&self.scratch, sets)).transpose()?;
                Open::Checksums
            }
            _ if LineSets::holds(bytes) => Open::Set(bytes.to_vec()),
            _ => Open::Nothing,
        });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if matches!(self.open, None | Some(Open::Nothing)) {
            return Ok(());
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Writing to a vector cannot fail.
            let _ = self.line.write_all(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.take_line(&line)?;
                self.line = line;
                self.line.clear();
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line)?;
        }
        self.open = None;
        Ok(())
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        let listing = self.writer.take().map(ListingWriter::finish).transpose()?;
        *self.slot.listing.lock().unwrap_or_else(PoisonError::into_inner) = listing;
        Ok(Published::in_memory(""))
    }

    fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::super::tests::{Dump, options, string};
    use super::*;
    use crate::DumpWriter;
    use crate::replay::{Difference, Place, replay};
    use ekv_files::source::MemorySource;

    fn scratch() -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    /// The listing of a dump that is written to the sink file by file.
    fn written(dump: &Dump) -> Listing {
        let slot = ListingSlot::default();
        let mut writer = DumpWriter::new(Box::new(ListingSink::new(&scratch(), 1 << 16, &slot)));
        for (path, content) in &dump.entries {
            match content {
                Some(content) if path != b"CHECKSUMS" && path != b"MANIFEST.json" => {
                    writer.write_file(&DumpPath::new(path).unwrap(), content).unwrap();
                }
                _ => {}
            }
        }
        writer.finish(b"{}").unwrap();
        slot.take().unwrap()
    }

    fn replayed(dump: &Dump) -> Listing {
        dump.replay_with(&options()).unwrap().1.listing
    }

    fn differences(first: &Listing, second: &Listing) -> Vec<(String, Difference)> {
        let mut found = Vec::new();
        first
            .compare(second, |path, difference| {
                found.push((String::from_utf8(path.to_vec()).unwrap(), difference));
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn what_is_written_lists_as_what_is_read() {
        let long = [b'k'; 300];
        let dump = Dump::of(&[string(b"a", b"1", Some(7)), string(b"b/c", b"2", None), string(&long, b"3", Some(8))]);
        assert_eq!(differences(&replayed(&dump), &written(&dump)), []);
        let body = dump.clone().with("redis/db_0/strings/a.bin", b"other");
        assert_eq!(
            differences(&replayed(&dump), &written(&body)),
            [("redis/db_0/strings/a.bin".to_owned(), Difference::Contents)]
        );
        let expiry = dump.clone().edited("redis/db_0/strings_ttl.jsonl", ":7}", ":9}");
        assert_eq!(
            differences(&replayed(&dump), &written(&expiry)),
            [("redis/db_0/strings_ttl.jsonl".to_owned(), Difference::Contents)]
        );
    }

    #[test]
    fn order_and_repeats_of_lines_do_not_count() {
        let dump = Dump::of(&[string(b"a", b"1", Some(7)), string(b"b", b"2", Some(8))]);
        let text = String::from_utf8(dump.file("redis/db_0/strings_ttl.jsonl").to_vec()).unwrap();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.reverse();
        let turned = dump.clone().with("redis/db_0/strings_ttl.jsonl", lines.concat().as_bytes());
        assert_eq!(differences(&written(&dump), &written(&turned)), []);
    }

    #[test]
    fn two_files_with_one_name_are_refused() {
        let slot = ListingSlot::default();
        let mut writer = DumpWriter::new(Box::new(ListingSink::new(&scratch(), 1 << 16, &slot)));
        let path = DumpPath::new(b"redis/db_0/strings/a.bin").unwrap();
        writer.write_file(&path, b"1").unwrap();
        writer.write_file(&path, b"2").unwrap();
        let error = writer.finish(b"{}").unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        assert!(slot.take().is_none());
    }

    #[test]
    fn replay_of_an_unsound_dump_gives_no_listing() {
        let dump = Dump::of(&[string(b"a", b"1", None)]).with("redis/db_0/strings/a.bin", b"2");
        let mut source = MemorySource::new(dump.entries);
        let mut ignore = crate::replay::tests::Recorder::default();
        assert!(replay(&mut source, &scratch(), &options(), &mut ignore, &Place::default(), &mut |_| Ok(())).is_err());
    }
}
