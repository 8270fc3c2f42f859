//! A system that counts its calls, fails at some of them, and lets a test interfere between them.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::fs::{FileType, Mode};

use super::super::sys::{Access, At, Native, Stat, SyncScope, System};

pub(super) const EINTR: i32 = 4;
pub(super) const EIO: i32 = 5;
pub(super) const EEXIST: i32 = 17;
pub(super) const EBUSY: i32 = 16;
pub(super) const EINVAL: i32 = 22;
pub(super) const EMFILE: i32 = 24;
pub(super) const ENOSPC: i32 = 28;
pub(super) const ENOSYS: i32 = if cfg!(target_vendor = "apple") { 78 } else { 38 };
const ENAMETOOLONG: i32 = if cfg!(target_vendor = "apple") { 63 } else { 36 };
pub(super) const EDQUOT: i32 = if cfg!(target_vendor = "apple") { 69 } else { 122 };

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    OpenPath,
    OpenDirectory,
    OpenFile,
    CreateDirectory,
    CreateFile,
    Write,
    Sync,
    Close,
    Stat,
    StatAt,
    Lock,
    Rename,
    RenameNoReplace,
    Exchange,
    Link,
    RemoveFile,
    RemoveDirectory,
    List,
    Random,
    SetMode,
    IsMountPoint,
}

impl Call {
    pub(super) const ALL: [Call; 21] = [
        Call::OpenPath,
        Call::OpenDirectory,
        Call::OpenFile,
        Call::CreateDirectory,
        Call::CreateFile,
        Call::Write,
        Call::Sync,
        Call::Close,
        Call::Stat,
        Call::StatAt,
        Call::Lock,
        Call::Rename,
        Call::RenameNoReplace,
        Call::Exchange,
        Call::Link,
        Call::RemoveFile,
        Call::RemoveDirectory,
        Call::List,
        Call::Random,
        Call::SetMode,
        Call::IsMountPoint,
    ];
}

type Interference = Box<dyn FnMut() + Send>;

#[derive(Default)]
struct Plan {
    /// Calls made so far.
    calls: Vec<Call>,
    /// The n-th call of a kind fails with a code.
    faults: Vec<(Call, usize, i32)>,
    fired: bool,
    /// All calls from the n-th one on fail, as if the process had been killed.
    frozen_from: Option<usize>,
    /// Before the first call of a kind, once.
    interference: Option<(Call, Interference)>,
    /// Renames with flags fail with this code.
    no_rename_flags: Option<i32>,
    /// Second names fail with this code.
    no_links: Option<i32>,
    /// Writes take at most so many bytes.
    write_len_max: Option<usize>,
    open_files_max: Option<u64>,
    /// Names are taken in lower case, as on a file system without regard to case.
    folds_case: bool,
    /// Everything has this owner and these modes of files and directories, whatever it is given.
    fixed: Option<Fixed>,
    /// A new name gives a file another number: names that were given by a second name, or by that and by renaming.
    renumbers: Option<Renumbering>,
    renumbered: BTreeSet<(u64, Vec<u8>)>,
    /// At this name another file system is mounted.
    mount_point: Option<Vec<u8>>,
    /// Directories that are not open get another number.
    forgets_ids: bool,
    /// How many numbers were forgotten.
    forgotten: u64,
    /// A file that is removed comes back under a hidden name, as one that is open does on network file systems.
    hides_removed: bool,
    hidden: u64,
    /// Names are at most so long.
    name_len_max: Option<usize>,
}

/// What a file system without owners or modes shows instead.
#[derive(Clone, Copy)]
pub(super) struct Fixed {
    pub(super) owner: Option<u64>,
    pub(super) directory: Option<u64>,
    pub(super) file: Option<u64>,
}

/// Which new names give a file another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renumbering {
    Links,
    LinksAndRenames,
}

/// The system itself, with faults.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    plan: Arc<Mutex<Plan>>,
}

impl Faulty {
    pub(super) fn failing(call: Call, n: usize, code: i32) -> Self {
        let system = Faulty::default();
        system.and_failing(call, n, code)
    }

    /// With another fault.
    pub(super) fn and_failing(self, call: Call, n: usize, code: i32) -> Self {
        self.plan.lock().unwrap().faults.push((call, n, code));
        self
    }

    /// Makes the next call of a kind fail.
    pub(super) fn fail_later(&self, call: Call, code: i32) {
        let n = self.count(call);
        self.plan.lock().unwrap().faults.push((call, n, code));
    }

    pub(super) fn frozen_from(n: usize) -> Self {
        let system = Faulty::default();
        system.plan.lock().unwrap().frozen_from = Some(n);
        system
    }

    /// Makes all further calls fail.
    pub(super) fn freeze(&self) {
        let mut plan = self.plan.lock().unwrap();
        plan.frozen_from = Some(plan.calls.len());
    }

    pub(super) fn without_rename_flags(self, code: i32) -> Self {
        self.plan.lock().unwrap().no_rename_flags = Some(code);
        self
    }

    pub(super) fn without_links(self, code: i32) -> Self {
        self.plan.lock().unwrap().no_links = Some(code);
        self
    }

    pub(super) fn with_short_writes(self, len_max: usize) -> Self {
        self.plan.lock().unwrap().write_len_max = Some(len_max);
        self
    }

    pub(super) fn with_open_files_max(self, max: u64) -> Self {
        self.plan.lock().unwrap().open_files_max = Some(max);
        self
    }

    pub(super) fn folding_case(self) -> Self {
        self.plan.lock().unwrap().folds_case = true;
        self
    }

    pub(super) fn with_fixed(self, fixed: Fixed) -> Self {
        self.plan.lock().unwrap().fixed = Some(fixed);
        self
    }

    pub(super) fn renumbering(self, what: Renumbering) -> Self {
        self.plan.lock().unwrap().renumbers = Some(what);
        self
    }

    pub(super) fn with_mount_point(self, name: &[u8]) -> Self {
        self.plan.lock().unwrap().mount_point = Some(name.to_vec());
        self
    }

    /// From now on.
    pub(super) fn forget_ids(&self) {
        self.plan.lock().unwrap().forgets_ids = true;
    }

    /// From now on.
    pub(super) fn hide_removed(&self) {
        self.plan.lock().unwrap().hides_removed = true;
    }

    pub(super) fn with_name_len_max(self, len_max: usize) -> Self {
        self.plan.lock().unwrap().name_len_max = Some(len_max);
        self
    }

    /// What the file system shows of a file or directory.
    fn shown(&self, stat: Stat, at: Option<At<'_>>) -> Stat {
        let plan = self.plan.lock().unwrap();
        let mut shown = stat;
        if let Some(fixed) = plan.fixed {
            let permissions = if stat.kind == FileType::Directory { fixed.directory } else { fixed.file };
            shown.owner = fixed.owner.unwrap_or(stat.owner);
            shown.permissions = permissions.unwrap_or(stat.permissions);
        }
        if at.is_some_and(|at| plan.renumbered.contains(&key(at))) {
            shown.id.inode ^= 1 << 62;
        }
        shown
    }

    /// A name was given to what had another one.
    fn renamed(&self, from: At<'_>, to: At<'_>, is_link: bool) {
        let mut plan = self.plan.lock().unwrap();
        plan.renumbered.remove(&key(from));
        match plan.renumbers {
            Some(Renumbering::LinksAndRenames) => plan.renumbered.insert(key(to)),
            Some(Renumbering::Links) if is_link => plan.renumbered.insert(key(to)),
            _ => plan.renumbered.remove(&key(to)),
        };
    }

    /// The name is a mount point or too long.
    fn check_name(&self, name: &[u8]) -> io::Result<()> {
        let plan = self.plan.lock().unwrap();
        if plan.name_len_max.is_some_and(|len_max| name.len() > len_max) {
            return Err(io::Error::from_raw_os_error(ENAMETOOLONG));
        }
        match plan.mount_point.as_deref() == Some(name) {
            true => Err(io::Error::from_raw_os_error(EBUSY)),
            false => Ok(()),
        }
    }

    fn name(&self, name: &[u8]) -> Vec<u8> {
        if self.plan.lock().unwrap().folds_case { name.to_ascii_lowercase() } else { name.to_vec() }
    }

    /// Interferes once, right before the next call of a kind.
    pub(super) fn before(&self, call: Call, interference: impl FnMut() + Send + 'static) {
        self.plan.lock().unwrap().interference = Some((call, Box::new(interference)));
    }

    /// Whether the first fault was met.
    pub(super) fn fired(&self) -> bool {
        self.plan.lock().unwrap().fired
    }

    pub(super) fn count(&self, call: Call) -> usize {
        self.plan.lock().unwrap().calls.iter().filter(|made| **made == call).count()
    }

    pub(super) fn count_all(&self) -> usize {
        self.plan.lock().unwrap().calls.len()
    }

    fn hit(&self, call: Call) -> io::Result<()> {
        let interference = {
            let mut plan = self.plan.lock().unwrap();
            match &plan.interference {
                Some((awaited, _)) if *awaited == call => plan.interference.take(),
                _ => None,
            }
        };
        if let Some((_, mut interfere)) = interference {
            interfere();
        }
        let mut plan = self.plan.lock().unwrap();
        let before = plan.calls.iter().filter(|made| **made == call).count();
        let position = plan.calls.len();
        plan.calls.push(call);
        if plan.frozen_from.is_some_and(|from| position >= from) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if let (Call::RenameNoReplace | Call::Exchange, Some(code)) = (call, plan.no_rename_flags) {
            return Err(io::Error::from_raw_os_error(code));
        }
        if let (Call::Link, Some(code)) = (call, plan.no_links) {
            return Err(io::Error::from_raw_os_error(code));
        }
        let fault = plan.faults.iter().position(|(faulty, n, _)| *faulty == call && *n == before);
        match fault.map(|index| plan.faults[index]) {
            Some((_, _, code)) => {
                plan.fired |= fault == Some(0);
                Err(io::Error::from_raw_os_error(code))
            }
            None => Ok(()),
        }
    }
}

/// A name and the directory that it is in.
fn key(at: At<'_>) -> (u64, Vec<u8>) {
    (Native.stat(at.0).unwrap().id.inode, at.1.to_vec())
}

impl System for Faulty {
    fn open_path(&self, path: &Path) -> io::Result<OwnedFd> {
        self.hit(Call::OpenPath)?;
        Native.open_path(path)
    }
    fn open_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        self.hit(Call::OpenDirectory)?;
        Native.open_directory(parent, &self.name(name))
    }
    fn open_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        self.hit(Call::OpenFile)?;
        Native.open_file(parent, name)
    }
    fn create_directory(&self, parent: BorrowedFd<'_>, name: &[u8], mode: Mode) -> io::Result<()> {
        self.hit(Call::CreateDirectory)?;
        self.check_name(name)?;
        Native.create_directory(parent, &self.name(name), mode)
    }
    fn create_file(&self, parent: BorrowedFd<'_>, name: &[u8], access: Access) -> io::Result<OwnedFd> {
        self.hit(Call::CreateFile)?;
        Native.create_file(parent, &self.name(name), access)
    }
    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        self.hit(Call::Write)?;
        let len_max = self.plan.lock().unwrap().write_len_max.unwrap_or(usize::MAX);
        Native.write(file, &bytes[..bytes.len().min(len_max)])
    }
    fn skip(&self, file: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        self.hit(Call::Write)?;
        Native.skip(file, len)
    }
    fn sync(&self, file: BorrowedFd<'_>, scope: SyncScope) -> io::Result<()> {
        // Nothing is lost here but time: no test cuts the power.
        let _ = (file, scope);
        self.hit(Call::Sync)
    }
    fn close(&self, file: OwnedFd) -> io::Result<()> {
        let hit = self.hit(Call::Close);
        Native.close(file)?;
        hit
    }
    fn stat(&self, file: BorrowedFd<'_>) -> io::Result<Stat> {
        self.hit(Call::Stat)?;
        let mut stat = self.shown(Native.stat(file)?, None);
        let mut plan = self.plan.lock().unwrap();
        if plan.forgets_ids && stat.kind == FileType::Directory {
            plan.forgotten += 1;
            stat.id.inode ^= plan.forgotten << 40;
        }
        Ok(stat)
    }
    fn stat_at(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
        self.hit(Call::StatAt)?;
        Ok(self.shown(Native.stat_at(parent, &self.name(name))?, Some((parent, name))))
    }
    fn lock(&self, directory: BorrowedFd<'_>) -> io::Result<bool> {
        self.hit(Call::Lock)?;
        Native.lock(directory)
    }
    fn rename(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        self.hit(Call::Rename)?;
        self.check_name(from.1).and(self.check_name(to.1))?;
        Native.rename(from, to)?;
        self.renamed(from, to, false);
        Ok(())
    }
    fn rename_no_replace(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        self.hit(Call::RenameNoReplace)?;
        self.check_name(from.1).and(self.check_name(to.1))?;
        Native.rename_no_replace(from, to)?;
        self.renamed(from, to, false);
        Ok(())
    }
    fn exchange(&self, one: At<'_>, other: At<'_>) -> io::Result<()> {
        self.hit(Call::Exchange)?;
        self.check_name(one.1).and(self.check_name(other.1))?;
        Native.exchange(one, other)?;
        self.renamed(one, other, false);
        self.renamed(other, one, false);
        if self.plan.lock().unwrap().renumbers == Some(Renumbering::LinksAndRenames) {
            self.plan.lock().unwrap().renumbered.insert(key(other));
        }
        Ok(())
    }
    fn link(&self, from: At<'_>, to: At<'_>) -> io::Result<()> {
        self.hit(Call::Link)?;
        self.check_name(from.1).and(self.check_name(to.1))?;
        Native.link(from, to)?;
        self.renamed(from, to, true);
        Ok(())
    }
    fn remove_file(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        self.hit(Call::RemoveFile)?;
        let hidden = {
            let mut plan = self.plan.lock().unwrap();
            plan.hidden += 1;
            plan.hides_removed.then(|| format!(".nfs{:08}", plan.hidden))
        };
        if let Some(hidden) = hidden {
            return Native.rename((parent, name), (parent, hidden.as_bytes()));
        }
        Native.remove_file(parent, name)
    }
    fn remove_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        self.hit(Call::RemoveDirectory)?;
        Native.remove_directory(parent, name)
    }
    fn list(&self, directory: BorrowedFd<'_>, f: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) -> io::Result<()> {
        self.hit(Call::List)?;
        Native.list(directory, f)
    }
    fn random(&self) -> io::Result<u64> {
        self.hit(Call::Random)?;
        Native.random()
    }
    fn effective_user(&self) -> u64 {
        Native.effective_user()
    }
    fn set_mode(&self, file: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
        self.hit(Call::SetMode)?;
        Native.set_mode(file, mode)
    }
    fn is_mount_point(&self, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
        self.hit(Call::IsMountPoint)?;
        match self.plan.lock().unwrap().mount_point.as_deref() == Some(name) {
            true => Ok(true),
            false => Native.is_mount_point(parent, name),
        }
    }
    fn has_lasting_ids(&self, _file: BorrowedFd<'_>) -> bool {
        !self.plan.lock().unwrap().forgets_ids
    }
    fn open_files_max(&self) -> Option<u64> {
        self.plan.lock().unwrap().open_files_max.or_else(|| Native.open_files_max())
    }
    fn file_system_sync_reports_errors(&self) -> bool {
        Native.file_system_sync_reports_errors()
    }
}
