//! Lines and files of a file system, which must be each other's. Source: `docs/format/fs.md`, section 9.

use std::io::BufRead;
use std::sync::Arc;

use ekv_files::source::read_error;
use ekv_files::{Error, ErrorKind, Result};
use ekv_model::fs::DIRECTORY;
use ekv_spill::{Scratch, Sorter};
use ekv_text::{LineError, Lines};

use super::entry::{CONTENT_END, DIRECTORY as FS_0, Entry, MAP_END};
use super::fault::FsFault;
use super::line::{LINE_LEN_MAX, Line};
use super::map::read_map;
use super::order::Order;
use super::tar::read::{FsTar, FsTarOptions};
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::verify::joins::{Joins, Notes};
use crate::verify::problem::{ProblemKind, Problems};
use crate::verify::rules::Rules;

/// What is told of a place; in this order for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// A line has a directory there.
    DirectoryLine = 0,
    /// A line has a file there, with this length; of the parts of a file with holes it is that of the file.
    FileLine = 1,
    PartsLine = 2,
    MapLine = 3,
    /// A map says how long the parts are, and where they end in the file.
    Map = 4,
    /// There is a directory, or a file with this length.
    Directory = 5,
    File = 6,
}

const ALL_TOLD: [Told; 7] =
    [Told::DirectoryLine, Told::FileLine, Told::PartsLine, Told::MapLine, Told::Map, Told::Directory, Told::File];

/// Collects what is told, by place.
pub(super) struct Files {
    sorter: Sorter,
    scratch: Arc<dyn Scratch>,
    /// Whether there are lines that cannot be relied on: then nothing is said of places.
    has_bad_lines: bool,
    /// Which of the two forms there are.
    has_lines: bool,
    has_archive: bool,
}

impl Files {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Files {
            sorter: Sorter::new(Arc::clone(scratch), memory_budget),
            scratch: Arc::clone(scratch),
            has_bad_lines: false,
            has_lines: false,
            has_archive: false,
        }
    }

    fn tell(&mut self, place: &[u8], told: Told, numbers: [u64; 2]) -> Result<()> {
        let tag = ALL_TOLD.iter().zip(0_u8..).find(|(own, _)| **own == told).map_or(0, |(_, tag)| tag);
        // No path has a zero byte.
        let key = [place, &[0, tag]].concat();
        let [one, two] = numbers.map(u64::to_be_bytes);
        Ok(self.sorter.push(&key, &[one, two].concat())?)
    }

    fn read_lines(&mut self, input: &mut dyn BufRead) -> Result<()> {
        let mut order = Order::new(&self.scratch);
        (self.has_bad_lines, self.has_lines) = (true, true);
        for_each_line(input, &mut |number, offset, line| {
            let placed = order.take(line, number, offset)?;
            let numbers = [number, line.size];
            let place = placed.place;
            if line.is_link {
                return Ok(());
            }
            if placed.is_packed {
                self.tell(&[&place, CONTENT_END].concat(), Told::PartsLine, numbers)?;
                return self.tell(&[&place, MAP_END].concat(), Told::MapLine, numbers);
            }
            let told = if line.inode().kind == DIRECTORY { Told::DirectoryLine } else { Told::FileLine };
            self.tell(&place, told, numbers)
        })?;
        order.finish()?;
        self.has_bad_lines = false;
        Ok(())
    }

    fn read_archive(&mut self, input: &mut dyn BufRead) -> Result<()> {
        self.has_archive = true;
        let options = FsTarOptions { must_be_in_order: true, ..FsTarOptions::default() };
        FsTar::read(input, options, &self.scratch).map(|_| ())
    }

    fn read_map(&mut self, inode: &[u8], input: &mut dyn BufRead) -> Result<()> {
        let (mut len, mut end) = (0_u64, 0);
        read_map(input, u64::MAX, &mut |run| {
            len = len.saturating_add(run.len);
            end = run.end();
            Ok(())
        })?;
        let place = |extension: &[u8]| [b"packed/", inode, extension].concat();
        self.tell(&place(CONTENT_END), Told::Map, [len, end])?;
        self.tell(&place(MAP_END), Told::Map, [len, end])
    }

    /// What of a directory that a line or file tells is known before anything is compared.
    fn check_all(self, problems: &mut Problems) -> Result<()> {
        let Files { sorter, has_bad_lines, has_lines, has_archive, .. } = self;
        if has_lines && has_archive {
            problems.add(&Entry::Archive.path(FS_0), ProblemKind::line(&FsFault::TwoForms));
        }
        if has_bad_lines {
            return Ok(());
        }
        let mut sorted = sorter.finish()?;
        let (mut place, mut seen) = (Vec::new(), [None; ALL_TOLD.len()]);
        while let Some((key, payload)) = sorted.next()? {
            let (own, tag) = key.split_at_checked(key.len().saturating_sub(2)).unwrap_or((key, &[]));
            if own != place {
                check_place(&place, &seen, problems);
                place = own.to_vec();
                seen = [None; ALL_TOLD.len()];
            }
            let tag = usize::from(tag.get(1).copied().unwrap_or(0));
            if let Some(seen) = seen.get_mut(tag) {
                *seen = Some(numbers_of(payload));
            }
        }
        check_place(&place, &seen, problems);
        Ok(())
    }
}

fn numbers_of(payload: &[u8]) -> [u64; 2] {
    let number =
        |at: usize| payload.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
    [number(0), number(8)]
}

/// Compares what is told of one place.
fn check_place(place: &[u8], seen: &[Option<[u64; 2]>; ALL_TOLD.len()], problems: &mut Problems) {
    let [directory_line, file_line, parts_line, map_line, map, directory, file] = *seen;
    let fault = match (file_line.or(parts_line).or(map_line), file) {
        (Some([line, _]), None) => Some(FsFault::Missing { line }),
        (None, Some(_)) => Some(FsFault::Unlisted),
        (Some([line, stated]), Some([found, _])) if file_line.is_some() && stated != found => {
            Some(FsFault::Size { found, stated, line })
        }
        (Some(_), Some([found, _])) if parts_line.is_some() && map.is_some_and(|[stated, _]| stated != found) => {
            Some(FsFault::Parts { found, stated: map.map_or(0, |[stated, _]| stated) })
        }
        (Some([_, size]), Some(_)) if map_line.is_some() && map.is_some_and(|[_, end]| end > size) => {
            Some(FsFault::Map { size })
        }
        // A directory that was lost on the way has its line.
        (None, None) if directory.is_some() && directory_line.is_none() => Some(FsFault::Unlisted),
        _ => None,
    };
    if let Some(fault) = fault {
        problems.add(&Entry::Named(place).path(FS_0), ProblemKind::line(&fault));
    }
}

/// Calls `take` for every line, with its number and offset.
pub(super) fn for_each_line(
    input: &mut dyn BufRead,
    take: &mut dyn FnMut(u64, u64, &Line) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::new(input, LINE_LEN_MAX);
    let mut offset = 0_u64;
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(LineError::Io(source)) => return Err(read_error(source)),
            Err(fault) => return Err(Error::from(ProblemKind::line(&fault)).at_line(lines.number())),
        };
        let len = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let parsed = Line::parse(line);
        let number = lines.number();
        let taken = parsed.and_then(|line| take(number, offset, &line));
        taken.map_err(|error| error.at_line(number))?;
        offset = offset.saturating_add(len).saturating_add(1);
    }
}

impl Joins for Files {
    fn read(&mut self, scope: &[u8], entry: Inside<'_>, input: &mut dyn BufRead, notes: Notes<'_>) -> Result<()> {
        let read = match entry {
            Inside::Fs(Entry::Lines) if scope == FS_0 => self.read_lines(input),
            Inside::Fs(Entry::Archive) => self.read_archive(input),
            Inside::Fs(Entry::PackedMap(inode)) => self.read_map(inode, input),
            _ => return Ok(()),
        };
        match read {
            Err(error) if matches!(error.kind(), ErrorKind::Content(_)) => {
                let line = error.location().line;
                notes.problems.add_at(notes.path, line, ProblemKind::line(error.kind()));
                Ok(())
            }
            read => read,
        }
    }

    fn note(&mut self, _: &[u8], entry: Inside<'_>, len: u64, _: &Rules) -> Result<()> {
        match entry {
            Inside::Fs(Entry::Named(path)) => self.tell(path, Told::File, [len, 0]),
            Inside::Fs(Entry::PackedContent(inode)) => {
                self.tell(&[b"packed/", inode, CONTENT_END].concat(), Told::File, [len, 0])
            }
            Inside::Fs(Entry::PackedMap(inode)) => {
                self.tell(&[b"packed/", inode, MAP_END].concat(), Told::File, [len, 0])
            }
            _ => Ok(()),
        }
    }

    fn note_directory(&mut self, _: &[u8], entry: Inside<'_>) -> Result<()> {
        match entry {
            Inside::Fs(Entry::Named(path)) if path != super::entry::DEEP => self.tell(path, Told::Directory, [0; 2]),
            _ => Ok(()),
        }
    }

    fn check(self: Box<Self>, _: &Rules, problems: &mut Problems) -> Result<()> {
        (*self).check_all(problems)
    }
}
