//! What the file system makes of owners and modes.
//!
//! Source: `docs/format/tree.md`, sections 8.1, step 3, and 8.7.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::Mode;

use super::sys::{Stat, System};
use crate::sink::Privacy;

/// Mode of a directory that is for its owner alone.
pub(super) const PRIVATE_DIRECTORY: u64 = 0o700;

/// Bits of a mode that let others in.
const OTHERS: u64 = 0o077;

/// Whether a directory is for the caller alone.
pub(super) fn is_private<S: System>(system: &S, directory: &Stat) -> bool {
    directory.owner == system.effective_user() && directory.permissions == PRIVATE_DIRECTORY
}

/// What a private directory just made is worth where its owner or mode is not the one it was made with; an error text if that is not the
/// doing of the file system.
///
/// `probe` is a file that this run has just created exclusively in the directory. Nobody can put another one in the place of an open
/// descriptor, so that its owner, and whether it takes the modes that it is given, show what the file system does.
pub(super) fn judge<S: System>(
    system: &S,
    parent: &Stat,
    directory: &Stat,
    probe: BorrowedFd<'_>,
) -> io::Result<Result<Privacy, &'static str>> {
    if is_private(system, directory) {
        return Ok(Ok(Privacy::Modes));
    }
    if directory.id.device != parent.id.device {
        return Ok(Err("it was replaced"));
    }
    let made = system.stat(probe)?;
    let is_owner_fixed = made.owner != system.effective_user();
    if directory.owner != made.owner {
        return Ok(Err("it belongs to another user"));
    }
    if directory.permissions == PRIVATE_DIRECTORY {
        return Ok(Ok(Privacy::OtherOwner { owner: directory.owner }));
    }
    // The first mode lets the group read an empty file for a moment; the second one is what it shall have.
    let keeps_modes = keeps_mode(system, probe, Mode::RUSR | Mode::WUSR | Mode::RGRP)?
        && keeps_mode(system, probe, Mode::RUSR | Mode::WUSR)?;
    Ok(match keeps_modes {
        true => Err("its mode is not 0700, perhaps because of an unusual umask"),
        false => Ok(Privacy::FixedModes {
            permissions: directory.permissions,
            owner: is_owner_fixed.then_some(directory.owner),
        }),
    })
}

/// What the mode of a file just made is worth, in a directory that is worth `directory`, once the file leaves it.
pub(super) fn of_file(directory: Privacy, file: &Stat) -> Privacy {
    match directory {
        Privacy::Modes if file.permissions & OTHERS != 0 => {
            Privacy::FixedModes { permissions: file.permissions, owner: None }
        }
        known => known,
    }
}

/// Whether a file has a mode once it was given it; a refusal means that it has not.
fn keeps_mode<S: System>(system: &S, file: BorrowedFd<'_>, mode: Mode) -> io::Result<bool> {
    let _ = system.set_mode(file, mode);
    Ok(system.stat(file)?.permissions == u64::from(mode.as_raw_mode()))
}
