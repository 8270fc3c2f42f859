//! The tree, from its root. Source: `docs/format/fs.md`, sections 4 and 5.

use ekv_model::fs::{Entry as Named, Event, PATH_LEN_MAX, ROOT, ROOT_PATH};
use ekv_model::{Event as ModelEvent, FileOffset, Kind, Protocol, Result};
use ekv_snapshot::{Lookup, Range, RangeScan};
use ekv_spill::Sorter;

use super::content::{Chunks, Rows};
use super::findings;
use super::keys;
use super::reach::Reach;
use super::several::{Met, Several, SeveralBuilder};
use super::values::{Entry, Inode};
use crate::json::JsonError;
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Memory for the numbers of the inodes that were met, in bytes.
const MET_BUDGET: usize = 4 << 20;

/// What the walk has found out.
pub(super) struct Walked {
    /// Whether anything was emitted.
    pub(super) has_begun: bool,
    /// Numbers of the inodes that are accounted for.
    pub(super) met: Sorter,
    /// Bytes of all chunks at the homes of their files.
    pub(super) chunk_bytes: u64,
    pub(super) inodes: Lookup,
    pub(super) chunks: Chunks,
}

/// A directory that is open.
struct Frame {
    id: u64,
    /// Length of its path; 0 for the root.
    path_len: usize,
    /// Directories in it so far.
    directories: u32,
    nlink: u32,
}

struct Walk<'w, 's> {
    reach: &'w Reach<'s>,
    /// Whether everything is looked at: only then is counted.
    is_all: bool,
    entries: RangeScan,
    several: Option<Several>,
    frames: Vec<Frame>,
    /// How many of them, the outermost, have been emitted.
    emitted: usize,
    /// The path of the innermost; of the root nothing.
    path: Vec<u8>,
    walked: Walked,
}

/// How far a directory has been read.
enum Position {
    Start,
    After(Vec<u8>),
    /// Behind the last name, where the cursor still is.
    Here(Vec<u8>),
}

/// A name in the open directory, with its value if that parses.
struct Found {
    name: Vec<u8>,
    entry: Option<Entry>,
    at: FileOffset,
}

/// An inode that was looked up.
enum Looked {
    Sound(Box<Inode>, u64),
    Missing,
    /// Of no use, as has been told.
    Lost,
}

/// Walks over all that is selected.
pub(super) fn decode(run: &mut Run<'_>) -> Result<Walked> {
    let scope = run.scope();
    let reach = Reach::of(&scope);
    let is_all = scope.is_all_of(Protocol::Fs);
    let walked = Walked {
        met: Sorter::new(run.scratch(), MET_BUDGET),
        has_begun: false,
        chunk_bytes: 0,
        inodes: run.view().lookup(),
        chunks: Chunks::new(run),
    };
    if reach.is_nothing() || (run.visible(Family::FsDir) == 0 && !run.can_find(Family::FsInode)) {
        return Ok(walked);
    }
    let several = if reach.is_one() { None } else { several(run, is_all)? };
    let entries = run.view().probe();
    let path = Vec::new();
    let mut walk = Walk { reach: &reach, is_all, entries, several, frames: Vec::new(), emitted: 0, path, walked };
    if let Some((root, commit_ts)) = walk.root(run)? {
        walk.enter_root(run, &root, commit_ts)?;
        walk.run(run)?;
    }
    Ok(walk.walked)
}

/// Which inodes have several names. Where everything is looked at, keys that do not parse are told.
fn several(run: &mut Run<'_>, is_all: bool) -> Result<Option<Several>> {
    let mut builder = SeveralBuilder::new(run.scratch());
    let mut scan = run.view().scan_range(Range::prefix(Family::FsDir.prefix()))?;
    while let Some(found) = scan.next_visible()? {
        run.monitor().advance(0)?;
        if keys::parse_entry(found.user_key).is_none() {
            if is_all {
                run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), String::new);
            }
            continue;
        }
        match Entry::parse(&found.body) {
            Ok(entry) => builder.add(entry.inode)?,
            Err(JsonError::Read(error)) => return Err(error),
            Err(JsonError::Fault(_)) => {}
        }
    }
    builder.finish()
}

impl Walk<'_, '_> {
    /// The root, as it is stored or as the next mount would make it; `None` if there is nothing to walk over.
    fn root(&mut self, run: &mut Run<'_>) -> Result<Option<(Inode, u64)>> {
        let root = match self.look_up(run, ROOT, ROOT_PATH)? {
            Looked::Sound(root, commit_ts) => (*root, commit_ts),
            Looked::Lost => return Ok(None),
            Looked::Missing => {
                let Some(directories) = self.count_root()? else { return Ok(None) };
                run.record_finding(findings::ROOT_MISSING, ROOT_PATH, None, String::new);
                return Ok(Some((Inode::of_root(directories.saturating_add(2)), 0)));
            }
        };
        if root.0.is_directory() {
            return Ok(Some(root));
        }
        run.record_finding(findings::ROOT_NOT_DIRECTORY, ROOT_PATH, None, || format!("type {:?}", root.0.kind));
        self.lose_inode(run, ROOT)?;
        Ok(None)
    }

    /// How many directories the root holds; `None` if it holds nothing at all.
    fn count_root(&mut self) -> Result<Option<u32>> {
        self.entries.seek(Range::prefix(&keys::of_inode(Family::FsDir, ROOT)))?;
        let mut count = None;
        while let Some(found) = self.entries.next_visible()? {
            let count = count.get_or_insert(0_u32);
            let is_directory = Entry::parse(&found.body).is_ok_and(|entry| entry.kind == ekv_model::fs::DIRECTORY);
            *count = count.saturating_add(u32::from(is_directory));
        }
        Ok(count)
    }

    fn enter_root(&mut self, run: &mut Run<'_>, root: &Inode, commit_ts: u64) -> Result<()> {
        self.check_inode(run, root, ROOT, ROOT_PATH);
        let is_stored = commit_ts > 0;
        if self.reach.takes(Kind::Directory, ROOT_PATH) {
            emit(run, Event::Directory(named(ROOT_PATH, b"", ROOT, root, commit_ts)))?;
            self.emitted = 1;
            self.walked.has_begun = true;
            if is_stored {
                run.account(Family::FsInode, Outcome::Emitted, 1)?;
            }
        }
        if is_stored {
            self.met(ROOT)?;
        }
        self.frames.push(Frame { id: ROOT, path_len: 0, directories: 0, nlink: root.nlink });
        Ok(())
    }

    fn run(&mut self, run: &mut Run<'_>) -> Result<()> {
        let mut position = Position::Start;
        while let Some(directory) = self.frames.last().map(|frame| frame.id) {
            run.monitor().advance(0)?;
            position = match self.next_name(directory, position)? {
                Some(found) if self.take(run, directory, &found)? => Position::Start,
                Some(found) => Position::Here(found.name),
                None => self.leave(run),
            };
        }
        Ok(())
    }

    /// The next name in a directory that may be selected, or lead to what is.
    fn next_name(&mut self, directory: u64, position: Position) -> Result<Option<Found>> {
        let path = if self.frames.len() == 1 { ROOT_PATH } else { &self.path };
        let last = match &position {
            Position::Start => None,
            Position::After(name) | Position::Here(name) => Some(name.as_slice()),
        };
        if let Some(mut name) = self.reach.next_name(path, last) {
            // Of single names only these.
            while let Some(next) = name {
                self.entries.seek(Range::prefix(&keys::entry(directory, next)))?;
                if let Some(found) = next_found(&mut self.entries)? {
                    return Ok(Some(found));
                }
                name = self.reach.next_name(path, Some(next)).flatten();
            }
            return Ok(None);
        }
        if !matches!(position, Position::Here(_)) {
            let mut range = Range::prefix(&keys::of_inode(Family::FsDir, directory));
            if let Some(last) = last {
                // Behind all versions of the name.
                range = range.starting_at(&[keys::entry(directory, last), vec![0xff; 9]].concat());
            }
            self.entries.seek(range)?;
        }
        next_found(&mut self.entries)
    }

    /// Takes a name in the innermost directory; says whether it is a directory that was entered.
    fn take(&mut self, run: &mut Run<'_>, directory: u64, found: &Found) -> Result<bool> {
        let parent_len = self.path.len();
        if parent_len > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&found.name);
        let is_entered = self.take_path(run, directory, found)?;
        if !is_entered {
            self.path.truncate(parent_len);
        }
        Ok(is_entered)
    }

    /// Takes what has the path at hand.
    fn take_path(&mut self, run: &mut Run<'_>, directory: u64, found: &Found) -> Result<bool> {
        let path = std::mem::take(&mut self.path);
        let taken = self.take_named(run, directory, found, &path);
        self.path = path;
        taken
    }

    fn take_named(&mut self, run: &mut Run<'_>, directory: u64, found: &Found, path: &[u8]) -> Result<bool> {
        let takes = [Kind::File, Kind::Directory].map(|kind| self.reach.takes(kind, path));
        let enters = self.reach.enters(path);
        if takes == [false; 2] && !enters {
            return Ok(false);
        }
        let Some(entry) = &found.entry else {
            run.record_finding(findings::INVALID_ENTRY, path, Some(found.at), || {
                format!("in the directory {directory:016x}")
            });
            return lose_entry(run);
        };
        let child = entry.inode;
        if !keys::is_legal(&found.name) {
            run.record_finding(findings::ILLEGAL_NAME, path, Some(found.at), || {
                format!("in the directory {directory:016x}")
            });
            return lose_entry(run);
        }
        if path.len() > PATH_LEN_MAX {
            run.record_finding(findings::LONG_PATH, path, Some(found.at), || {
                format!("{} bytes, inode {child:016x}", path.len())
            });
            return lose_entry(run);
        }
        let (inode, commit_ts) = match self.look_up(run, child, path)? {
            Looked::Sound(inode, commit_ts) => (inode, commit_ts),
            Looked::Missing => {
                run.record_finding(findings::DANGLING_ENTRY, path, Some(found.at), || format!("inode {child:016x}"));
                return lose_entry(run);
            }
            Looked::Lost => return lose_entry(run),
        };
        let [takes_file, takes_directory] = takes;
        let is_selected = if inode.is_directory() { takes_directory } else { takes_file };
        let is_on_the_way = inode.is_directory() && enters;
        if !is_selected && !is_on_the_way {
            return Ok(false);
        }
        let met = match &mut self.several {
            _ if child == ROOT => Met::Again,
            Some(several) => several.meet(child)?,
            None => Met::First { names: 1 },
        };
        if inode.is_directory() && met == Met::Again {
            run.record_finding(findings::DIRECTORY_LOOP, path, Some(found.at), || format!("inode {child:016x}"));
            return lose_entry(run);
        }
        if entry.kind != inode.kind {
            run.record_finding(findings::TYPE_MISMATCH, path, None, || {
                format!("{:?}, and it is {:?}", entry.kind, inode.kind)
            });
        }
        let event = named(path, &found.name, directory, &inode, commit_ts);
        if is_selected {
            self.emit_around(run, path)?;
        }
        if met != Met::Again {
            self.check_inode(run, &inode, directory, path);
        }
        if inode.is_directory() {
            self.take_directory(run, event, &inode, is_selected)?;
            return Ok(true);
        }
        match met {
            Met::Again => {
                emit(run, Event::Link(event))?;
                run.account(Family::FsDir, Outcome::Emitted, 1)?;
            }
            Met::First { names } => self.take_file(run, event, &inode, names)?,
        }
        Ok(false)
    }

    fn take_directory(&mut self, run: &mut Run<'_>, event: Named<'_>, inode: &Inode, is_selected: bool) -> Result<()> {
        if inode.size > 0 {
            run.record_finding(findings::IGNORED_SIZE, event.path, None, || format!("{} bytes", inode.size));
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.directories = frame.directories.saturating_add(1);
        }
        if is_selected {
            emit(run, Event::Directory(event))?;
            run.account(Family::FsDir, Outcome::Emitted, 1)?;
            run.account(Family::FsInode, Outcome::Emitted, 1)?;
            self.emitted = self.frames.len().saturating_add(1);
        }
        self.met(inode.id)?;
        self.frames.push(Frame { id: inode.id, path_len: event.path.len(), directories: 0, nlink: inode.nlink });
        Ok(())
    }

    fn take_file(&mut self, run: &mut Run<'_>, event: Named<'_>, inode: &Inode, names: u64) -> Result<()> {
        self.met(inode.id)?;
        let Walked { chunks, chunk_bytes, .. } = &mut self.walked;
        let content = chunks.of(run, inode)?;
        let Rows { seen, unseen, cut, len, has_damage, .. } = content.rows;
        *chunk_bytes = chunk_bytes.saturating_add(len);
        let outcome = if has_damage {
            run.record_finding(findings::DAMAGED_CHUNK, event.path, None, || format!("inode {:016x}", inode.id));
            Outcome::Lost
        } else {
            emit(run, Event::File(event, &content))?;
            Outcome::Emitted
        };
        if unseen > 0 || cut > 0 {
            let what = || format!("{unseen} beyond its end, {cut} longer than they may be");
            run.record_finding(findings::IGNORED_CHUNKS, event.path, None, what);
        }
        if self.is_all && u64::from(inode.nlink) != names {
            run.record_finding(findings::NLINK_MISMATCH, event.path, None, || {
                format!("{} stored, {names} counted", inode.nlink)
            });
        }
        run.account(Family::FsDir, outcome, 1)?;
        run.account(Family::FsInode, outcome, 1)?;
        run.account(Family::FsChunk, outcome, seen)?;
        run.account(Family::FsChunk, Outcome::Orphaned, unseen)
    }

    /// Leaves the innermost directory; says where its name stands in the one around it.
    fn leave(&mut self, run: &mut Run<'_>) -> Position {
        let Some(frame) = self.frames.pop() else { return Position::Start };
        self.emitted = self.emitted.min(self.frames.len());
        let counted = frame.directories.saturating_add(2);
        if self.is_all && counted != frame.nlink {
            let path = if frame.path_len == 0 { ROOT_PATH } else { &self.path };
            run.record_finding(findings::NLINK_MISMATCH, path, None, || {
                format!("{} stored, {counted} counted", frame.nlink)
            });
        }
        let around_len = self.frames.last().map_or(0, |around| around.path_len);
        let name_start = if around_len == 0 { 0 } else { around_len.saturating_add(1) };
        let name = self.path.get(name_start..).unwrap_or_default().to_vec();
        self.path.truncate(around_len);
        Position::After(name)
    }

    /// Emits the directories around what is selected that have not been.
    fn emit_around(&mut self, run: &mut Run<'_>, path: &[u8]) -> Result<()> {
        self.walked.has_begun = true;
        while let Some(frame) = self.frames.get(self.emitted) {
            let (id, path_len) = (frame.id, frame.path_len);
            let around = self.emitted.checked_sub(1).and_then(|at| self.frames.get(at));
            let (parent, around_len) = around.map_or((ROOT, 0), |around| (around.id, around.path_len));
            let own = if path_len == 0 { ROOT_PATH } else { path.get(..path_len).unwrap_or_default() };
            let name_start = if around_len == 0 { 0 } else { around_len.saturating_add(1) };
            let name = if path_len == 0 { b"" } else { own.get(name_start..).unwrap_or_default() };
            let (inode, commit_ts) = match self.look_up(run, id, own)? {
                Looked::Sound(inode, commit_ts) => (*inode, commit_ts),
                // Only a root that the next mount would make.
                Looked::Missing | Looked::Lost => (Inode::of_root(frame_nlink(&self.frames, self.emitted)), 0),
            };
            emit(run, Event::Passage(named(own, name, parent, &inode, commit_ts)))?;
            self.emitted = self.emitted.saturating_add(1);
        }
        Ok(())
    }

    /// Looks an inode up. What is wrong with it is told, and it is lost.
    fn look_up(&mut self, run: &mut Run<'_>, id: u64, path: &[u8]) -> Result<Looked> {
        let Some(found) = self.walked.inodes.get(&keys::of_inode(Family::FsInode, id))? else {
            return Ok(Looked::Missing);
        };
        if found.is_damaged {
            run.record_finding(findings::INVALID_INODE, path, Some(found.byte_offset), || {
                "its record is damaged".to_owned()
            });
            return Ok(Looked::Lost);
        }
        let (finding, offset, detail) = match Inode::parse(&found.body) {
            Ok(inode) if inode.id == id => return Ok(Looked::Sound(Box::new(inode), found.commit_ts.0)),
            Ok(inode) => {
                let detail = format!("the record of inode {id:016x} says {:016x}", inode.id);
                (findings::INODE_MISMATCH, found.byte_offset, detail)
            }
            Err(JsonError::Read(error)) => return Err(error),
            Err(JsonError::Fault(fault)) => (findings::INVALID_INODE, found.byte_offset, fault.to_string()),
        };
        run.record_finding(finding, path, Some(offset), || detail);
        self.lose_inode(run, id)?;
        Ok(Looked::Lost)
    }

    /// Accounts for the record of an inode that is of no use.
    fn lose_inode(&mut self, run: &mut Run<'_>, id: u64) -> Result<()> {
        // Several names may lead to it.
        let is_again = match &mut self.several {
            Some(several) if id != ROOT => several.meet(id)? == Met::Again,
            _ => false,
        };
        if !is_again {
            self.met(id)?;
            run.account(Family::FsInode, Outcome::Lost, 1)?;
        }
        Ok(())
    }

    /// Tells what is odd about an inode.
    fn check_inode(&self, run: &mut Run<'_>, inode: &Inode, directory: u64, path: &[u8]) {
        let event = inode.event();
        if inode.parent != directory {
            let detail = || format!("{:016x}, and it is in {directory:016x}", inode.parent);
            run.record_finding(findings::PARENT_MISMATCH, path, None, detail);
        }
        if event.mode > 0o7777 {
            run.record_finding(findings::ODD_MODE, path, None, || format!("{:o}", event.mode));
        }
        if !inode.is_directory() && event.kind != ekv_model::fs::FILE {
            run.record_finding(findings::UNKNOWN_TYPE, path, None, || format!("{:?}", event.kind));
        }
        for name in &inode.unknown {
            run.record_finding(findings::UNKNOWN_FIELDS, path, None, || format!("{name:?}"));
        }
    }

    fn met(&mut self, id: u64) -> Result<()> {
        self.walked.met.push(&id.to_be_bytes(), b"").map_err(scratch_error)
    }
}

/// The next name of which the key parses.
fn next_found(entries: &mut RangeScan) -> Result<Option<Found>> {
    while let Some(found) = entries.next_visible()? {
        if let Some((_, name)) = keys::parse_entry(found.user_key) {
            let entry = match Entry::parse(&found.body) {
                Ok(entry) => Some(entry),
                Err(JsonError::Read(error)) => return Err(error),
                Err(JsonError::Fault(_)) => None,
            };
            return Ok(Some(Found { name, entry, at: found.byte_offset }));
        }
    }
    Ok(None)
}

fn frame_nlink(frames: &[Frame], at: usize) -> u32 {
    frames.get(at).map_or(0, |frame| frame.nlink)
}

fn lose_entry(run: &mut Run<'_>) -> Result<bool> {
    run.account(Family::FsDir, Outcome::Lost, 1)?;
    Ok(false)
}

fn named<'n>(path: &'n [u8], name: &'n [u8], parent: u64, inode: &'n Inode, commit_ts: u64) -> Named<'n> {
    Named { path, name, parent, inode: inode.event(), commit_ts }
}

pub(super) fn emit(run: &mut Run<'_>, event: Event<'_>) -> Result<()> {
    run.emit(ModelEvent::Fs(event))
}
