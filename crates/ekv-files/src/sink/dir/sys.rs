//! The system calls of the directory sink: the only place that makes them, and the seam at which tests make them fail.
//!
//! Every name is one path component, taken relative to an open directory; no call follows a symbolic link, except for the path of
//! the parent directory that the operator gave.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Identifies a file or directory as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    /// Both numbers in a fixed form.
    pub(super) fn to_mark(self) -> [u8; 16] {
        (u128::from(self.device) << 64 | u128::from(self.inode)).to_be_bytes()
    }

    pub(super) fn from_mark(mark: [u8; 16]) -> Self {
        let number = |half: Option<&[u8; 8]>| u64::from_be_bytes(half.copied().unwrap_or_default());
        FileId { device: number(mark.first_chunk()), inode: number(mark.last_chunk()) }
    }
}

/// What the sink wants to know about a directory entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) id: FileId,
    pub(super) kind: FileType,
    /// The nine permission bits.
    pub(super) permissions: u64,
    pub(super) owner: u64,
    pub(super) len: u64,
    /// Time of the last modification, in seconds and nanoseconds; compared, never read.
    pub(super) modified: (u64, u64),
}

impl Stat {
    /// All that stays the same under another name, but for the number.
    pub(super) fn looks(&self) -> impl PartialEq + use<> {
        (self.id.device, self.kind, self.permissions, self.owner, self.len, self.modified)
    }
}

/// How a new file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    WriteOnly,
    ReadWrite,
}

/// How thorough a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncScope {
    /// One file or directory, as far as the drive.
    Entry,
    /// One file or directory, and the cache of the drive where the system distinguishes that.
    Drive,
    /// All of the file system.
    FileSystem,
}

/// The calls. All of them report the error of the system as it is; only [`System::write`] is ever repeated, by its caller.
pub(super) trait System: Clone + Send + Sync + 'static {
    /// Opens a directory by the operator's path, which may lead through symbolic links.
    fn open_path(&self, path: &Path) -> io::Result<OwnedFd>;
    /// Opens a directory for reading its entries and creating others in it.
    fn open_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd>;
    /// Opens a file for reading, without waiting if it is a FIFO.
    fn open_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd>;
    fn create_directory(&self, parent: BorrowedFd<'_>, name: &[u8], mode: Mode) -> io::Result<()>;
    /// Creates a file with mode 0600; fails if anything has the name.
    fn create_file(&self, parent: BorrowedFd<'_>, name: &[u8], access: Access) -> io::Result<OwnedFd>;
    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize>;
    /// Goes on so many bytes behind the end of a file, which then has zeros there.
    fn skip(&self, file: BorrowedFd<'_>, len: u64) -> io::Result<()>;
    fn sync(&self, file: BorrowedFd<'_>, scope: SyncScope) -> io::Result<()>;
    /// Closes and reports what the file system has to say about it.
    fn close(&self, file: OwnedFd) -> io::Result<()>;
    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<Stat>;
    fn stat_at(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat>;
    /// Takes the exclusive lock of a directory without waiting; answers false if somebody has it.
    fn lock(&self, directory: BorrowedFd<'_>) -> io::Result<bool>;
    fn rename(&self, from: At<'_>, to: At<'_>) -> io::Result<()>;
    fn rename_no_replace(&self, from: At<'_>, to: At<'_>) -> io::Result<()>;
    fn exchange(&self, one: At<'_>, other: At<'_>) -> io::Result<()>;
    /// Gives a file a second name; fails if anything has it.
    fn link(&self, from: At<'_>, to: At<'_>) -> io::Result<()>;
    fn remove_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()>;
    /// Calls `f` with the name of every entry except `.` and `..`, and its inode number, until told to stop.
    fn list(&self, directory: BorrowedFd<'_>, f: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) -> io::Result<()>;
    fn random(&self) -> io::Result<u64>;
    fn effective_user(&self) -> u64;
    fn set_mode(&self, file: BorrowedFd<'_>, mode: Mode) -> io::Result<()>;
    /// Whether another file system, or another part of one, is mounted at a name.
    fn is_mount_point(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool>;
    /// Whether the file system keeps the inode number of what nobody has open.
    fn has_lasting_ids(&self, file: BorrowedFd<'_>) -> bool;
    /// How many files the process may have open, if that is limited.
    fn open_files_max(&self) -> Option<u64>;
    /// Whether [`SyncScope::FileSystem`] exists and reports errors of earlier writes.
    fn file_system_sync_reports_errors(&self) -> bool;
}

/// A name in an open directory.
pub(super) type At<'a> = (BorrowedFd<'a>, &'a [u8]);

/// The system itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Native;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl System for Native {
    fn open_path(&self, path: &Path) -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
    }

    fn open_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
    }

    fn open_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
    }

    fn create_directory(&self, parent: BorrowedFd<'_>, name: &[u8], mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(parent, name, mode)?)
    }

    fn create_file(&self, parent: BorrowedFd<'_>, name: &[u8], access: Access) -> io::Result<OwnedFd> {
        let access = match access {
            Access::WriteOnly => OFlags::WRONLY,
            Access::ReadWrite => OFlags::RDWR,
        };
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?)
    }

    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(file, bytes)?)
    }

    fn skip(&self, file: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        let len = i64::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let end = rustix::fs::seek(file, rustix::fs::SeekFrom::Current(len))?;
        Ok(rustix::fs::ftruncate(file, end)?)
    }

    fn sync(&self, file: BorrowedFd<'_>, scope: SyncScope) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if scope == SyncScope::FileSystem {
            return Ok(rustix::fs::syncfs(file)?);
        }
        #[cfg(target_vendor = "apple")]
        if scope != SyncScope::Entry {
            match rustix::fs::fcntl_fullfsync(file) {
                Err(Errno::NOTSUP | Errno::INVAL | Errno::NOTTY) => {}
                result => return Ok(result?),
            }
        }
        let _ = scope;
        Ok(rustix::fs::fsync(file)?)
    }

    fn close(&self, file: OwnedFd) -> io::Result<()> {
        Ok(nix::unistd::close(file)?)
    }

    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<Stat> {
        Ok(stat_from(&rustix::fs::fstat(file)?))
    }

    fn stat_at(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
        Ok(stat_from(&rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn lock(&self, directory: BorrowedFd<'_>) -> io::Result<bool> {
        match rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn rename(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        Ok(rustix::fs::renameat(from.0, from.1, to.0, to.1)?)
    }

    fn rename_no_replace(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE)?)
    }

    fn exchange(&self, one: At<'_>, other: At<'_>) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(one.0, one.1, other.0, other.1, RenameFlags::EXCHANGE)?)
    }

    fn link(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        Ok(rustix::fs::linkat(from.0, from.1, to.0, to.1, AtFlags::empty())?)
    }

    fn remove_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
    }

    fn remove_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
    }

    fn list(&self, directory: BorrowedFd<'_>, f: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) -> io::Result<()> {
        for entry in rustix::fs::Dir::read_from(directory.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." && f(name, entry.ino()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn random(&self) -> io::Result<u64> {
        getrandom::u64().map_err(io::Error::other)
    }

    fn effective_user(&self) -> u64 {
        u64::from(rustix::process::geteuid().as_raw())
    }

    fn set_mode(&self, file: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::fchmod(file, mode)?)
    }

    fn is_mount_point(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{StatxAttributes, StatxFlags, statx};
            let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
            // Where the kernel cannot tell, the device does, except for a part of the same file system.
            if let Ok(found) = statx(parent, name, flags, StatxFlags::empty())
                && found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
            {
                return Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
            }
        }
        let found = self.stat_at(parent, name)?;
        Ok(found.kind == FileType::Directory && found.id.device != self.stat(parent)?.id.device)
    }

    fn has_lasting_ids(&self, file: BorrowedFd<'_>) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            const FUSE: u64 = 0x6573_5546;
            rustix::fs::fstatfs(file).map_or(true, |found| number(found.f_type) != FUSE)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = file;
            true
        }
    }

    fn open_files_max(&self) -> Option<u64> {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }

    fn file_system_sync_reports_errors(&self) -> bool {
        cfg!(any(target_os = "linux", target_os = "android"))
            && std::fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| is_linux_5_8(&release))
    }
}

fn stat_from(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        id: FileId { device: number(stat.st_dev), inode: number(stat.st_ino) },
        kind: FileType::from_raw_mode(stat.st_mode),
        permissions: number(stat.st_mode) & 0o777,
        owner: number(stat.st_uid),
        len: number(stat.st_size),
        modified: (number(stat.st_mtime), number(stat.st_mtime_nsec)),
    }
}

/// The types of these numbers differ between systems.
fn number(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

/// Whether a kernel release is 5.8 or newer, the first one whose `syncfs` reports errors of earlier writes.
fn is_linux_5_8(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u64>().unwrap_or(0));
    let major = numbers.next().unwrap_or(0);
    let minor = numbers.next().unwrap_or(0);
    (major, minor) >= (5, 8)
}

/// Whether an error says that the file system or the kernel lacks an operation.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    has_errno(error, &[Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP])
}

/// Whether an error is one of these.
pub(super) fn has_errno(error: &io::Error, errnos: &[Errno]) -> bool {
    error.raw_os_error().is_some_and(|code| errnos.iter().any(|errno| errno.raw_os_error() == code))
}

/// Writes all bytes, going on after short writes and interruptions.
pub(super) fn write_fully<S: System>(system: &S, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match system.write(file, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if has_errno(&error, &[Errno::INTR]) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_release_is_compared_by_number() {
        for (release, expected) in [
            ("5.8.0", true),
            ("5.7.19", false),
            ("5.10-rc1", true),
            ("6.1.0-13-amd64", true),
            ("4.19", false),
            ("", false),
        ] {
            assert_eq!(is_linux_5_8(release), expected, "{release}");
        }
    }
}
