//! A system that keeps a journal of what it changes, and a disk on which a loss of power can be tried after any entry.
//!
//! The disk forgets as much as POSIX lets it: each directory keeps any beginning of the changes since it was synced, whatever others
//! keep, and each file all bytes since it was synced or none of them. A journal that loses its last entries is one of these cases;
//! names without their data, or a rename of which only one half is there, are others.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::fs::{FileType, Mode};

use super::super::sys::{Access, At, FileId, Native, Stat, SyncScope, System};
use super::faulty::Faulty;

/// A file or directory; never used again, other than inode numbers.
pub(super) type Node = usize;
type Name = Vec<u8>;
/// Names of one directory that change together.
type Change = Vec<(Name, Option<Node>)>;

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    NewFile(Node),
    NewDirectory(Node),
    Change(Node, Change),
    Write(Node, Vec<u8>),
    Sync(Node),
    SyncAll,
}

#[derive(Default)]
struct Log {
    entries: Vec<Entry>,
    nodes: HashMap<(u64, u64), Node>,
    count: Node,
}

impl Log {
    fn add_node(&mut self, id: FileId) -> Node {
        self.count += 1;
        self.nodes.insert((id.device, id.inode), self.count);
        self.count
    }

    fn node(&self, id: FileId) -> Node {
        self.nodes[&(id.device, id.inode)]
    }
}

/// The system itself, or one without some abilities, with a journal.
#[derive(Clone)]
pub(super) struct Recording {
    system: Faulty,
    log: Arc<Mutex<Log>>,
}

impl Recording {
    /// With `root` and all that lies in it on the disk.
    pub(super) fn new(system: Faulty, root: &Path) -> Self {
        let recording = Recording { system, log: Arc::default() };
        let fd = Native.open_path(root).unwrap();
        let id = Native.stat(fd.as_fd()).unwrap().id;
        let node = recording.log.lock().unwrap().add_node(id);
        recording.push(Entry::NewDirectory(node));
        recording.seed(fd.as_fd(), node, root);
        recording.push(Entry::SyncAll);
        recording
    }

    fn seed(&self, directory: BorrowedFd<'_>, parent: Node, path: &Path) {
        let mut names = Vec::new();
        Native
            .list(directory, &mut |name, _| {
                names.push(name.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        for name in names {
            let stat = Native.stat_at(directory, &name).unwrap();
            let path = path.join(std::str::from_utf8(&name).unwrap());
            let node = self.created(directory, &name, stat.kind == FileType::Directory).unwrap();
            assert_ne!(node, parent);
            if stat.kind == FileType::Directory {
                let child = Native.open_directory(directory, &name).unwrap();
                self.seed(child.as_fd(), node, &path);
            } else {
                self.push(Entry::Write(node, std::fs::read(path).unwrap()));
            }
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.log.lock().unwrap().entries.clone()
    }

    fn push(&self, entry: Entry) {
        self.log.lock().unwrap().entries.push(entry);
    }

    fn node(&self, fd: BorrowedFd<'_>) -> Node {
        let id = Native.stat(fd).unwrap().id;
        self.log.lock().unwrap().node(id)
    }

    fn node_at(&self, (parent, name): At<'_>) -> Option<Node> {
        let id = Native.stat_at(parent, name).ok()?.id;
        Some(self.log.lock().unwrap().node(id))
    }

    /// Notes a new entry of a directory.
    fn created(&self, parent: BorrowedFd<'_>, name: &[u8], is_directory: bool) -> io::Result<Node> {
        let id = Native.stat_at(parent, name)?.id;
        let node = self.log.lock().unwrap().add_node(id);
        self.push(if is_directory { Entry::NewDirectory(node) } else { Entry::NewFile(node) });
        self.push(Entry::Change(self.node(parent), vec![(name.to_vec(), Some(node))]));
        Ok(node)
    }

    /// Notes names that changed at the same time, in one directory or in two.
    fn changed(&self, changes: [(At<'_>, Option<Node>); 2]) {
        let [(one, one_node), (other, other_node)] = changes;
        let (one_parent, other_parent) = (self.node(one.0), self.node(other.0));
        let (one, other) = ((one.1.to_vec(), one_node), (other.1.to_vec(), other_node));
        if one_parent == other_parent {
            self.push(Entry::Change(one_parent, vec![one, other]));
        } else {
            self.push(Entry::Change(one_parent, vec![one]));
            self.push(Entry::Change(other_parent, vec![other]));
        }
    }
}

impl System for Recording {
    fn open_path(&self, path: &Path) -> io::Result<OwnedFd> {
        self.system.open_path(path)
    }
    fn open_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        self.system.open_directory(parent, name)
    }
    fn open_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        self.system.open_file(parent, name)
    }
    fn create_directory(&self, parent: BorrowedFd<'_>, name: &[u8], mode: Mode) -> io::Result<()> {
        self.system.create_directory(parent, name, mode)?;
        self.created(parent, name, true).map(|_| ())
    }
    fn create_file(&self, parent: BorrowedFd<'_>, name: &[u8], access: Access) -> io::Result<OwnedFd> {
        let file = self.system.create_file(parent, name, access)?;
        self.created(parent, name, false)?;
        Ok(file)
    }
    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let written = self.system.write(file, bytes)?;
        self.push(Entry::Write(self.node(file), bytes[..written].to_vec()));
        Ok(written)
    }
    fn skip(&self, file: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        self.system.skip(file, len)?;
        let zeros = vec![0; usize::try_from(len).unwrap()];
        self.push(Entry::Write(self.node(file), zeros));
        Ok(())
    }
    fn sync(&self, file: BorrowedFd<'_>, scope: SyncScope) -> io::Result<()> {
        self.system.sync(file, scope)?;
        self.push(if scope == SyncScope::FileSystem { Entry::SyncAll } else { Entry::Sync(self.node(file)) });
        Ok(())
    }
    fn close(&self, file: OwnedFd) -> io::Result<()> {
        self.system.close(file)
    }
    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<Stat> {
        self.system.stat(file)
    }
    fn stat_at(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
        self.system.stat_at(parent, name)
    }
    fn lock(&self, directory: BorrowedFd<'_>) -> io::Result<bool> {
        self.system.lock(directory)
    }
    fn rename(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        let node = self.node_at(from);
        self.system.rename(from, to)?;
        self.changed([(from, None), (to, node)]);
        Ok(())
    }
    fn rename_no_replace(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        let node = self.node_at(from);
        self.system.rename_no_replace(from, to)?;
        self.changed([(from, None), (to, node)]);
        Ok(())
    }
    fn exchange(&self, one: At<'_>, other: At<'_>) -> io::Result<()> {
        let (one_node, other_node) = (self.node_at(one), self.node_at(other));
        self.system.exchange(one, other)?;
        self.changed([(one, other_node), (other, one_node)]);
        Ok(())
    }
    fn link(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        let node = self.node_at(from);
        self.system.link(from, to)?;
        self.push(Entry::Change(self.node(to.0), vec![(to.1.to_vec(), node)]));
        Ok(())
    }
    fn remove_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        self.system.remove_file(parent, name)?;
        self.push(Entry::Change(self.node(parent), vec![(name.to_vec(), None)]));
        Ok(())
    }
    fn remove_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        self.system.remove_directory(parent, name)?;
        self.push(Entry::Change(self.node(parent), vec![(name.to_vec(), None)]));
        Ok(())
    }
    fn list(&self, directory: BorrowedFd<'_>, f: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) -> io::Result<()> {
        self.system.list(directory, f)
    }
    fn random(&self) -> io::Result<u64> {
        self.system.random()
    }
    fn set_mode(&self, file: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
        self.system.set_mode(file, mode)
    }
    fn is_mount_point(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
        self.system.is_mount_point(parent, name)
    }
    fn has_lasting_ids(&self, file: BorrowedFd<'_>) -> bool {
        self.system.has_lasting_ids(file)
    }
    fn effective_user(&self) -> u64 {
        self.system.effective_user()
    }
    fn open_files_max(&self) -> Option<u64> {
        self.system.open_files_max()
    }
    fn file_system_sync_reports_errors(&self) -> bool {
        true
    }
}

/// The disk after some entries of a journal.
#[derive(Default)]
pub(super) struct Disk {
    directories: HashMap<Node, Directory>,
    files: HashMap<Node, File>,
    root: Node,
}

#[derive(Default)]
struct Directory {
    durable: BTreeMap<Name, Node>,
    pending: Vec<Change>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    latest: Vec<u8>,
}

impl Directory {
    /// The names if the first `count` pending changes last.
    fn names(&self, count: usize) -> BTreeMap<Name, Node> {
        let mut names = self.durable.clone();
        for (name, node) in self.pending[..count].iter().flatten() {
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
        names
    }

    fn sync(&mut self) {
        self.durable = self.names(self.pending.len());
        self.pending.clear();
    }
}

impl Disk {
    pub(super) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::NewDirectory(node) => {
                if self.directories.is_empty() {
                    self.root = *node;
                }
                self.directories.insert(*node, Directory::default());
            }
            Entry::NewFile(node) => {
                self.files.insert(*node, File::default());
            }
            Entry::Change(parent, change) => self.directories.get_mut(parent).unwrap().pending.push(change.clone()),
            Entry::Write(node, bytes) => self.files.get_mut(node).unwrap().latest.extend(bytes),
            Entry::Sync(node) => {
                if let Some(directory) = self.directories.get_mut(node) {
                    directory.sync();
                } else {
                    let file = self.files.get_mut(node).unwrap();
                    file.durable = file.latest.clone();
                }
            }
            Entry::SyncAll => {
                self.directories.values_mut().for_each(Directory::sync);
                self.files.values_mut().for_each(|file| file.durable = file.latest.clone());
            }
        }
    }

    /// Every set of names that the root may have after a loss of power now.
    pub(super) fn roots(&self) -> impl Iterator<Item = BTreeMap<Name, Node>> {
        let root = &self.directories[&self.root];
        (0..=root.pending.len()).map(|count| root.names(count))
    }

    /// What a node holds whatever the disk forgets: all below a directory by path, or a file by the empty path. `None` if that
    /// depends on what it forgets.
    pub(super) fn certain(&self, node: Node) -> Option<BTreeMap<String, Option<Vec<u8>>>> {
        let mut found = BTreeMap::new();
        if let Some(file) = self.files.get(&node) {
            found.insert(String::new(), Some(file.durable.clone()));
            return (file.durable == file.latest).then_some(found);
        }
        let directory = &self.directories[&node];
        let names = directory.names(0);
        if (1..=directory.pending.len()).any(|count| directory.names(count) != names) {
            return None;
        }
        for (name, child) in names {
            let name = String::from_utf8(name).unwrap();
            if self.directories.contains_key(&child) {
                found.insert(name.clone(), None);
            }
            for (path, content) in self.certain(child)? {
                let separator = if path.is_empty() { "" } else { "/" };
                found.insert(format!("{name}{separator}{path}"), content);
            }
        }
        Some(found)
    }
}
