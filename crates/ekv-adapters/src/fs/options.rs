//! Options of the file system adapter.

/// Options of the file system adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether inodes without a name are emitted, and chunks without an inode.
    pub include_orphans: bool,
}
