//! The directories on the way to what is at hand, of which only those come that something selected lies in.

use super::{Entry, Event, Inode, ROOT_PATH};
use crate::{Consumer, Event as ModelEvent, Result};

/// Remembers the directories around what comes next, until something in them is passed on. Memory: what is stored of them, but their names.
#[derive(Default)]
pub(crate) struct Way {
    frames: Vec<Frame>,
    /// How many of them, the outermost, have been passed on.
    passed: usize,
    has_begun: bool,
}

struct Frame {
    id: u64,
    /// What has not been passed on.
    held: Option<Held>,
}

/// A directory, but its path.
struct Held {
    /// 0 for the root.
    path_len: usize,
    name_len: usize,
    parent: u64,
    inode: Inode<'static>,
    kind: String,
    extra: String,
    commit_ts: u64,
}

impl Way {
    /// Takes the next entry, and passes it on if it is selected, with the directories around it as passages.
    pub(crate) fn take(&mut self, event: Event<'_>, is_selected: bool, next: &mut dyn Consumer) -> Result<()> {
        let Some(entry) = event.entry() else {
            // What has no name is selected with everything; the end, if anything was.
            let is_passed = is_selected || (self.has_begun && matches!(event, Event::End));
            return if is_passed { next.event(ModelEvent::Fs(event)) } else { Ok(()) };
        };
        let around = self.frames.iter().rposition(|frame| frame.id == entry.parent);
        self.frames.truncate(around.map_or(0, |at| at.saturating_add(1)));
        self.passed = self.passed.min(self.frames.len());
        if is_selected {
            self.has_begun = true;
            let passed = std::mem::replace(&mut self.passed, self.frames.len());
            let held = self.frames.iter_mut().skip(passed).filter_map(|frame| frame.held.take());
            for held in held {
                let event = held.event(entry.path);
                next.event(ModelEvent::Fs(event))?;
            }
            next.event(ModelEvent::Fs(event))?;
        }
        if let Event::Directory(entry) | Event::Passage(entry) = &event {
            let held = (!is_selected).then(|| Held::of(entry));
            self.frames.push(Frame { id: entry.inode.id, held });
            self.passed = self.passed.saturating_add(usize::from(is_selected));
        }
        Ok(())
    }
}

impl Held {
    fn of(entry: &Entry<'_>) -> Self {
        let Entry { path, name, parent, inode, commit_ts } = *entry;
        Held {
            path_len: if name.is_empty() { 0 } else { path.len() },
            name_len: name.len(),
            parent,
            inode: Inode { kind: "", extra: "", ..inode },
            kind: inode.kind.to_owned(),
            extra: inode.extra.to_owned(),
            commit_ts,
        }
    }

    /// The directory on the way to `path`.
    fn event<'h>(&'h self, path: &'h [u8]) -> Event<'h> {
        let Held { path_len, name_len, parent, inode, kind, extra, commit_ts } = self;
        let path = if *path_len == 0 { ROOT_PATH } else { path.get(..*path_len).unwrap_or_default() };
        let name = path.get(path.len().saturating_sub(*name_len)..).unwrap_or_default();
        let inode = Inode { kind, extra, ..*inode };
        Event::Passage(Entry { path, name, parent: *parent, inode, commit_ts: *commit_ts })
    }
}
