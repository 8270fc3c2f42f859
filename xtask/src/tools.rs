//! Programs that the tests run and that may have to be installed first.

use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;

/// How systems install a package. The lines of an installer are run until the package is there.
const INSTALLERS: [(&str, &[&[&str]]); 5] = [
    ("apt-get", &[APT_INSTALL, &["update"], APT_INSTALL]),
    ("dnf", &[&["install", "--assumeyes", STRACE]]),
    ("apk", &[&["add", "--update-cache", STRACE]]),
    ("zypper", &[&["--non-interactive", "install", STRACE]]),
    ("pacman", &[&["--sync", "--refresh", "--noconfirm", STRACE]]),
];
/// Fails where the lists of packages were never fetched, as on a new machine.
const APT_INSTALL: &[&str] = &["install", "--yes", "--no-install-recommends", STRACE];
const STRACE: &str = "strace";

/// Set for tests that may not leave out what they cannot do here.
pub(crate) const NO_SKIPS: &str = "EKV_NO_SKIPS";

/// Makes sure that `strace` is there, with which tests make system calls fail; Linux alone has it.
///
/// # Errors
/// [`Error::Missing`] if it can be neither found nor installed.
pub(crate) fn provide_strace(workspace: &Workspace) -> Result<(), Error> {
    let is_there = || works(&workspace.command(STRACE).args(["--version"]));
    if cfg!(not(target_os = "linux")) || is_there() {
        return Ok(());
    }
    let is_root = workspace.command("id").args(["-u"]).output().is_ok_and(|id| id.trim_ascii() == b"0");
    for (installer, lines) in INSTALLERS.iter().filter(|(installer, _)| is_on_path(workspace, installer)) {
        for line in *lines {
            let command = match is_root {
                true => workspace.command(installer),
                false => workspace.command("sudo").args(["--non-interactive", installer]),
            };
            // What counts is whether the program is there afterwards.
            let _ = command.args(line.iter().copied()).run();
            if is_there() {
                return Ok(());
            }
        }
    }
    Err(Error::Missing { program: STRACE })
}

fn works(command: &Command) -> bool {
    command.output().is_ok()
}

fn is_on_path(workspace: &Workspace, program: &str) -> bool {
    works(&workspace.command("sh").args(["-c", &format!("command -v {program}")]))
}
