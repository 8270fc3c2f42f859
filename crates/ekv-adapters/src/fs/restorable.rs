//! Which files no server restores. Source: `docs/format/fs.md`, section 9.

use ekv_model::fs::{self, Entry, Event, Inode};
use ekv_model::{Event as ModelEvent, Example, Result};

use super::findings::{CHUNK_SIZE_CHANGED, MODE_MASKED};
use super::keys;
use crate::restores::{Passing, Restores, fits, long_key};

/// Longest chunk that a server is given, in bytes.
const CHUNK_SIZE_MAX: u64 = 64 << 20;
/// All bits of a mode.
const MODE_BITS: u32 = 0o7777;

/// Looks at files one after the other.
pub(super) struct Files {
    /// Whether files of types that are not known are restored as they are.
    keeps_unknown_types: bool,
    /// The directories around what comes next that were left out, from the outermost.
    left_out: Vec<u64>,
}

impl Files {
    pub(super) fn new(keeps_unknown_types: bool) -> Self {
        Files { keeps_unknown_types, left_out: Vec::new() }
    }

    /// Why something cannot be restored.
    fn fault(&self, entry: &Entry<'_>) -> Option<String> {
        let key_len = keys::entry(entry.parent, entry.name).len();
        if !fits(key_len) {
            return Some(long_key("name", entry.name.len()));
        }
        let kind = entry.inode.kind;
        let is_known = self.keeps_unknown_types || [fs::FILE, fs::DIRECTORY].contains(&kind);
        (!is_known).then(|| format!("type {kind:?}, which no known server has (--fs-keep-unknown-types)"))
    }
}

impl Restores for Files {
    fn event(&mut self, event: ModelEvent<'_>, passing: &mut Passing<'_>) -> Result<()> {
        let ModelEvent::Fs(own) = event else { return Ok(()) };
        let Some(entry) = own.entry() else { return passing.target.event(event) };
        let is_directory = matches!(own, Event::Directory(_) | Event::Passage(_));
        let around = self.left_out.iter().rposition(|id| *id == entry.parent);
        self.left_out.truncate(around.map_or(0, |at| at.saturating_add(1)));
        let fault = self.fault(entry);
        if let Some(why) = &fault {
            passing.leave_out(entry.path, || why.clone());
        }
        if fault.is_some() || !self.left_out.is_empty() {
            if is_directory {
                self.left_out.push(entry.inode.id);
            }
            return Ok(());
        }
        let mended = Entry { inode: mended(entry, passing), ..*entry };
        let event = match own {
            Event::Directory(_) => Event::Directory(mended),
            Event::Passage(_) => Event::Passage(mended),
            Event::File(_, content) => Event::File(mended, content),
            Event::Link(_) => Event::Link(mended),
            own => own,
        };
        passing.target.event(ModelEvent::Fs(event))
    }
}

/// The inode as a server takes it.
fn mended<'i>(entry: &Entry<'i>, passing: &mut Passing<'_>) -> Inode<'i> {
    let mut inode = entry.inode;
    let example = |what: String| Example::new(Some(entry.path), None, what);
    if inode.mode > MODE_BITS {
        passing.findings.record(MODE_MASKED, || example(format!("{:o}", inode.mode)));
        inode.mode &= MODE_BITS;
    }
    if inode.is_directory() {
        inode.size = 0;
    }
    if inode.chunk_size > CHUNK_SIZE_MAX {
        passing.findings.record(CHUNK_SIZE_CHANGED, || example(format!("{} bytes", inode.chunk_size)));
        inode.chunk_size = 0;
    }
    inode.chunk_size = inode.chunk_len();
    inode
}
