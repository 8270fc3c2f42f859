//! Files to events. Source: `docs/format/fs.md`, sections 7 and 9.
//!
//! The lines are read twice: nothing may be handed on before all of them make a tree. Then each file is read where its line says.

pub(crate) mod findings;

use std::io::{BufReader, Read as _};

use ekv_files::source::read_error;
use ekv_files::{DumpPath, Error, Result};
use ekv_model::fs::{DIRECTORY, Event, SCOPE, Sparse};
use ekv_model::{CHUNK_LEN, Consumer, Event as ModelEvent, Example, Keys, Kind, Protocol, Scope};
use ekv_spill::{Sorter, Spool, Spooled};

use findings::ORPHANS_NOT_RESTORED;

use super::content::{read_packed, read_whole};
use super::entry::{ARCHIVE_FILE, CONTENT_END, DIRECTORY as FS_0, Entry as Own, LINES_FILE, MAP_END, ORPHANS};
use super::fault::FsFault;
use super::joins::for_each_line;
use super::line::{LINE_LEN_MAX, Line};
use super::order::{FirstLines, Order, Placed, first_line};
use super::tar::read::{FsTar, FsTarOptions};
use crate::entry::Entry;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::replay::one_way::OneWay;
use crate::replay::reading::{DumpFile, Reading, Visit, emit};
use crate::verify::problem::ProblemKind;

/// Memory for the lines, in bytes; more goes to a scratch file.
const LINES_BUDGET: usize = 1 << 20;

/// Replays the file system.
pub(super) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut scopes = reading.scopes(Protocol::Fs)?.finish()?;
    while let Some((scope, _)) = scopes.next()? {
        read_file_system(reading, scope, target)?;
    }
    Ok(())
}

fn read_file_system(reading: &mut Reading<'_>, scope: &[u8], target: &mut dyn Consumer) -> Result<()> {
    if reading.scope().keys_in(Protocol::Fs, SCOPE).is_nothing() {
        return reading.leave_out(Entry::Scope(Protocol::Fs, scope));
    }
    let Around { paths: present, has_orphans, has_archive } = look_around(reading, scope)?;
    if has_archive {
        return read_archive(reading, present, target);
    }
    let Some(lines) = read_lines(reading, &own_path(&[LINES_FILE.as_bytes()])?)? else {
        // What no name leads to may be all there is.
        return match has_orphans && present.is_empty() {
            true => Ok(()),
            false => {
                Err(Error::from(ProblemKind::Incomplete { name: LINES_FILE })
                    .at(&Entry::Scope(Protocol::Fs, scope).path()))
            }
        };
    };
    let places = reading.sorter();
    let first_lines = outline(reading, &lines, places, present)?;
    Files { reading, target, lines: &lines, first_lines }.replay()
}

fn own_path(pieces: &[&[u8]]) -> Result<DumpPath> {
    let mut path = DumpPath::new(&Entry::Scope(Protocol::Fs, FS_0).path())?;
    path.extend(&pieces.concat())?;
    Ok(path)
}

/// Looks at what lies in the directory of the file system.
fn look_around(reading: &mut Reading<'_>, scope: &[u8]) -> Result<Around> {
    let mut around = Around { paths: reading.sorter(), has_orphans: false, has_archive: false };
    reading.show_below(&DumpPath::new(&Entry::Scope(Protocol::Fs, scope).path())?, &mut around)?;
    if around.has_orphans {
        let path = own_path(&[ORPHANS])?;
        reading.record_finding(ORPHANS_NOT_RESTORED, || Example::new(None, None, format!("{path}/")));
    }
    Ok(around)
}

/// What lies in a file system.
struct Around {
    /// Paths of all directories and files with content.
    paths: Sorter,
    has_orphans: bool,
    has_archive: bool,
}

impl Visit for Around {
    fn directory(&mut self, _: &DumpPath, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::In(_, Inside::Fs(Own::Named(path))) if path != super::entry::DEEP => {
                Ok(self.paths.push(path, IS_DIRECTORY)?)
            }
            _ => Ok(()),
        }
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        let Entry::In(_, Inside::Fs(entry)) = entry else { return Ok(()) };
        match entry {
            Own::Orphans(_) => {
                self.has_orphans = true;
                file.leave_out();
                return Ok(());
            }
            Own::Named(path) => self.paths.push(path, IS_FILE)?,
            Own::PackedContent(inode) => self.paths.push(&[b"packed/", inode, CONTENT_END].concat(), IS_FILE)?,
            Own::PackedMap(inode) => self.paths.push(&[b"packed/", inode, MAP_END].concat(), IS_FILE)?,
            Own::Archive => self.has_archive = true,
            Own::Lines | Own::PackedFiles => {}
        }
        file.pass_over();
        Ok(())
    }
}

const IS_FILE: &[u8] = b"f";
const IS_DIRECTORY: &[u8] = b"d";

/// The text of the lines; `None` if there is no such file.
fn read_lines(reading: &mut Reading<'_>, path: &DumpPath) -> Result<Option<Spooled>> {
    let mut spool = Some(Spool::new(reading.scratch(), LINES_BUDGET));
    let mut lines = None;
    let read = reading.read_file(path, &mut |file| {
        let Some(mut spool) = spool.take() else { return Ok(()) };
        let mut buffer = vec![0; CHUNK_LEN];
        loop {
            match file.read(&mut buffer).map_err(read_error)? {
                0 => break,
                len => spool.write_all(buffer.get(..len).unwrap_or_default())?,
            }
        }
        lines = Some(spool.into_reader()?);
        Ok(())
    });
    match read {
        Err(error) if error.is_missing() => Ok(None),
        read => read.map(|()| lines),
    }
}

/// Hands on what is in the archive, which is read twice: nothing may be handed on before its entries make a tree.
fn read_archive(reading: &mut Reading<'_>, present: Sorter, target: &mut dyn Consumer) -> Result<()> {
    let path = own_path(&[ARCHIVE_FILE.as_bytes()])?;
    if !present.is_empty() || reading.peek(&own_path(&[LINES_FILE.as_bytes()])?).is_ok() {
        return Err(Error::from(FsFault::TwoForms).at(path.as_bytes()));
    }
    let (scope, scratch, place) = (reading.scope(), reading.scratch(), reading.place());
    let keys = scope.keys_in(Protocol::Fs, SCOPE);
    let selected = Selected { scope, keys: &keys };
    let options = FsTarOptions { must_be_in_order: true, ..FsTarOptions::default() };
    // What is wrong with it is told below: reading it as one of the files of the dump tells whether it was changed.
    let mut tar = Some(reading.peek(&path).and_then(|mut file| FsTar::read(&mut file, options, &scratch)));
    reading.read_file(&path, &mut |file| {
        let tar = match tar.take() {
            Some(Ok(tar)) => tar,
            Some(Err(error)) => return FsTar::read(file, options, &scratch).and(Err(error)),
            None => return Ok(()),
        };
        let mut watch = |_: &[u8]| {};
        let archive = OneWay::new(file, u64::MAX, &mut watch);
        let taken = tar.emit(&archive, &|path| selected.takes(Kind::File, path), &mut |event| {
            emit(target, place, ModelEvent::Fs(event))
        });
        archive.finish(taken).map(|_| ())
    })
}

/// Checks that the lines make a tree, and that every file has one and every line its file.
fn outline(reading: &Reading<'_>, lines: &Spooled, places: Sorter, present: Sorter) -> Result<FirstLines> {
    let path = own_path(&[LINES_FILE.as_bytes()])?;
    let mut order = Order::new(&reading.scratch());
    let mut places = places;
    for_each_line(&mut BufReader::new(lines.reader()), &mut |number, offset, line| {
        let Placed { place, is_packed, .. } = order.take(line, number, offset)?;
        let number = number.to_be_bytes();
        match (line.is_link, is_packed) {
            (true, _) => Ok(()),
            (false, true) => {
                places.push(&[&place, CONTENT_END].concat(), &[IS_FILE, &number].concat())?;
                Ok(places.push(&[&place, MAP_END].concat(), &[IS_FILE, &number].concat())?)
            }
            (false, false) => {
                let kind = if line.inode().kind == DIRECTORY { IS_DIRECTORY } else { IS_FILE };
                Ok(places.push(&place, &[kind, &number].concat())?)
            }
        }
    })
    .map_err(|error| error.or_at(path.as_bytes(), None))?;
    let first_lines = order.finish().map_err(|error| error.or_at(path.as_bytes(), None))?;
    compare(places, present)?;
    Ok(first_lines)
}

/// Compares where lines say that things lie with where they do.
fn compare(places: Sorter, present: Sorter) -> Result<()> {
    let (mut places, mut present) = (places.finish()?, present.finish()?);
    let at = |path: &[u8], fault: FsFault| Error::from(fault).at(&Own::Named(path).path(FS_0));
    let mut here = present.next()?.map(|(path, kind)| (path.to_vec(), kind.to_vec()));
    while let Some((place, row)) = places.next()? {
        let (kind, number) = row.split_at_checked(1).unwrap_or((row, &[]));
        while here.as_ref().is_some_and(|(path, _)| path.as_slice() < place) {
            if let Some((path, _)) = here.take() {
                return Err(at(&path, FsFault::Unlisted));
            }
        }
        match &here {
            Some((path, found)) if path == place && found == kind => {
                here = present.next()?.map(|(path, kind)| (path.to_vec(), kind.to_vec()));
            }
            // A directory that was lost on the way has its line.
            _ if kind == IS_DIRECTORY => {}
            _ => {
                let line = number.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
                return Err(at(place, FsFault::Missing { line }));
            }
        }
    }
    here.map_or(Ok(()), |(path, _)| Err(at(&path, FsFault::Unlisted)))
}

/// Hands files and directories on, line by line.
struct Files<'f, 'r, 't> {
    reading: &'f mut Reading<'r>,
    target: &'t mut dyn Consumer,
    lines: &'f Spooled,
    first_lines: FirstLines,
}

impl Files<'_, '_, '_> {
    fn replay(mut self) -> Result<()> {
        let path = own_path(&[LINES_FILE.as_bytes()])?;
        let scope = self.reading.scope();
        let keys = scope.keys_in(Protocol::Fs, SCOPE);
        let mut order = Order::new(&self.reading.scratch());
        for_each_line(&mut BufReader::new(self.lines.reader()), &mut |number, offset, line| {
            let placed = order.take(line, number, offset)?;
            self.reading.place().enter_file(path.as_bytes());
            self.reading.place().enter_line(number);
            self.line(line, number, &placed, &Selected { scope, keys: &keys })
        })
        .map_err(|error| error.or_at(path.as_bytes(), None))?;
        emit(self.target, self.reading.place(), ModelEvent::Fs(Event::End))
    }

    fn line(&mut self, line: &Line, number: u64, placed: &Placed<'_>, selected: &Selected<'_>) -> Result<()> {
        let entry = line.entry(placed.path);
        if line.is_link {
            return if selected.takes(Kind::File, placed.path) {
                self.link(line, placed.path, selected)
            } else {
                Ok(())
            };
        }
        if entry.inode.is_directory() {
            return self.emit(Event::Directory(entry));
        }
        let paths = match placed.is_packed {
            true => vec![own_path(&[&placed.place, CONTENT_END])?, own_path(&[&placed.place, MAP_END])?],
            false => vec![own_path(&[&placed.place])?],
        };
        if !selected.takes(Kind::File, placed.path) {
            return paths.iter().try_for_each(|path| self.reading.leave_out_file(path));
        }
        let place = self.reading.place();
        let target = &mut *self.target;
        let mut take = |content: &dyn Sparse| emit(target, place, ModelEvent::Fs(Event::File(entry, content)));
        match paths.as_slice() {
            [parts, map] => read_packed(self.reading, [parts, map], entry.inode.size, &mut take),
            [path] => read_whole(self.reading, path, entry.inode.size, number, &mut take),
            _ => Ok(()),
        }
    }

    /// A further name of a file whose line came before.
    fn link(&mut self, line: &Line, path: &[u8], selected: &Selected<'_>) -> Result<()> {
        let found = first_line(&mut self.first_lines, line.id)?;
        let Some((number, offset)) = found else { return Err(FsFault::LinkWithoutFile { inode: line.id }.into()) };
        let mut text = vec![0; LINE_LEN_MAX];
        let left = usize::try_from(self.lines.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        text.truncate(left);
        self.lines.read_at(offset, &mut text)?;
        text.truncate(text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len()));
        let first = Line::parse(&text)?;
        if !selected.keys.is_all() && !selected.takes(Kind::File, &self.first_path(offset)?) {
            return Err(FsFault::LinkAlone { inode: line.id, first_line: number }.into());
        }
        let mut entry = line.entry(path);
        entry.inode = first.inode();
        self.emit(Event::Link(entry))
    }

    /// The path of the line at an offset: the lines before it tell it.
    fn first_path(&self, wanted: u64) -> Result<Vec<u8>> {
        let mut order = Order::new(&self.reading.scratch());
        let mut found = Vec::new();
        for_each_line(&mut BufReader::new(self.lines.reader()), &mut |number, offset, line| {
            if offset <= wanted {
                found = order.take(line, number, offset)?.path.to_vec();
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.reading.place(), ModelEvent::Fs(event))
    }
}

/// What is selected.
struct Selected<'s> {
    scope: &'s Scope,
    keys: &'s Keys<'s>,
}

impl Selected<'_> {
    fn takes(&self, kind: Kind, path: &[u8]) -> bool {
        self.scope.includes_kind(kind) && self.keys.contains(path)
    }
}
