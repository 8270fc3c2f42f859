//! What this program may remove, move away or rename over: one rule, and what proves that it holds.
//!
//! A name is touched only if it leads to
//!
//! 1. what this run created exclusively, known again by its identity ([`is_same`]);
//! 2. a staging directory of this program that no run uses: it has the marker and holds nothing but what one holds ([`Contents`]), and what it
//!    holds of others was put back, or the new dump or files have all of their names (`replacing.rs`);
//! 3. the empty directory or file by which a killed run took its target's name, as its staging directory says (`leftover.rs`);
//! 4. the very target that `--force` names: a dump with nothing in it that no dump has, an empty directory, or where a file is written a
//!    regular file; what was moved away must be what was looked at (`target.rs`, `publish.rs`, `files.rs`).
//!
//! Everything else stays and is named. That the input of a command is not what it replaces is seen to before, by who knows the inputs.
//!
//! Source: `docs/format/tree.md`, section 8.7.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::names::{KEPT, MARKER, MARKER_TEXT, PROBE, PUBLISHING, REPLACED, REPLACED_FILE, REPLACING, SCRATCH, TREE};
use super::sys::{Access, FileId, Stat, System, has_errno};

/// Whether what is found under one name is what was looked at under another one.
///
/// Some file systems give a file another inode number together with another name. Where the number differs, a file in the staging
/// directory shows whether this is one of them; if so, everything else about both must be equal.
pub(super) fn is_same<S: System>(system: &S, staging: BorrowedFd<'_>, known: &Stat, found: &Stat) -> io::Result<bool> {
    Ok(known.id == found.id || known.looks() == found.looks() && renumbers(system, staging)?)
}

/// Whether what is found under a name is what this run made under the same name.
///
/// Some file systems forget the number of what is not in use.
pub(super) fn is_still<S: System>(system: &S, place: BorrowedFd<'_>, known: FileId, found: FileId) -> bool {
    known == found || known.device == found.device && !system.has_lasting_ids(place)
}

/// Whether the file system gives a file or directory another number together with another name.
pub(super) fn renumbers<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<bool> {
    let scratch = system.open_directory(staging, SCRATCH)?;
    let scratch = scratch.as_fd();
    let [file, linked, moved, directory, moved_directory] =
        [&b"probe-1"[..], b"probe-2", b"probe-3", b"probe-4", b"probe-5"];
    let tried = (|| {
        system.close(system.create_file(scratch, file, Access::WriteOnly)?)?;
        system.create_directory(scratch, directory, Mode::RWXU)?;
        let before = [system.stat_at(scratch, file)?.id, system.stat_at(scratch, directory)?.id];
        if system.link((scratch, file), (scratch, linked)).is_ok() && system.stat_at(scratch, linked)?.id != before[0] {
            return Ok(true);
        }
        system.rename((scratch, file), (scratch, moved))?;
        system.rename((scratch, directory), (scratch, moved_directory))?;
        Ok([system.stat_at(scratch, moved)?.id, system.stat_at(scratch, moved_directory)?.id] != before)
    })();
    // What cannot be removed goes with the staging directory.
    for name in [file, linked, moved] {
        let _ = system.remove_file(scratch, name);
    }
    for name in [directory, moved_directory] {
        let _ = system.remove_directory(scratch, name);
    }
    tried
}

/// What a directory with the name of a staging directory turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// A staging directory of this program.
    Ours,
    /// It holds an entry that no staging directory holds.
    Stranger(Vec<u8>),
    /// Nothing says that it is one: the marker is missing.
    Unmarked,
}

/// Tells a staging directory from another directory that somebody gave such a name.
///
/// The marker is written first and removed last. After a loss of power it may be empty: then the two directories that every run makes at once
/// tell as much, and so does a directory in which there is nothing else. Where its name is gone, too, nothing proves whose directory it is.
pub(super) fn contents<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<Contents> {
    let (mut stranger, mut known) = (None, Vec::new());
    let mut failure = None;
    system.list(staging, &mut |name, _| match system.stat_at(staging, name) {
        Ok(stat) if is_known(name, stat.kind) => {
            known.push(name.to_vec());
            ControlFlow::Continue(())
        }
        Ok(_) => {
            stranger = Some(name.to_vec());
            ControlFlow::Break(())
        }
        Err(error) if has_errno(&error, &[Errno::NOENT]) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    if let Some(name) = stranger {
        return Ok(Contents::Stranger(name));
    }
    let has = |name: &[u8]| known.iter().any(|known| known == name);
    let marker = if has(MARKER) { read_start(system, staging, MARKER, MARKER_TEXT.len())? } else { Vec::new() };
    let is_ours = match marker.as_slice() {
        MARKER_TEXT => true,
        [] => known.iter().all(|name| name == MARKER) || has(MARKER) && has(TREE) && has(SCRATCH),
        _ => false,
    };
    Ok(if is_ours { Contents::Ours } else { Contents::Unmarked })
}

/// Whether a staging directory may hold an entry of this name and kind.
fn is_known(name: &[u8], kind: FileType) -> bool {
    let is_replaced_file = name
        .strip_prefix(REPLACED_FILE)
        .is_some_and(|number| !number.is_empty() && number.len() <= 3 && number.iter().all(u8::is_ascii_digit));
    match kind {
        FileType::Directory => [TREE, SCRATCH, REPLACED].contains(&name),
        FileType::RegularFile => [MARKER, PUBLISHING, PROBE, REPLACING, KEPT].contains(&name) || is_replaced_file,
        _ => false,
    }
}

/// The first bytes of a regular file.
pub(super) fn read_start<S: System>(
    system: &S,
    directory: BorrowedFd<'_>,
    name: &[u8],
    len_max: usize,
) -> io::Result<Vec<u8>> {
    let file = system.open_file(directory, name)?;
    let mut bytes = Vec::new();
    if system.stat(file.as_fd())?.kind == FileType::RegularFile {
        File::from(file).take(u64::try_from(len_max).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
