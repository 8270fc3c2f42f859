//! Programs that the tests run and that may have to be installed first.

use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;

/// How systems install a package.
const INSTALLERS: [&[&str]; 5] = [
    &["apt-get", "install", "--yes", "--no-install-recommends"],
    &["dnf", "install", "--assumeyes"],
    &["apk", "add"],
    &["zypper", "--non-interactive", "install"],
    &["pacman", "--sync", "--noconfirm"],
];

/// Set for tests that may not leave out what they cannot do here.
pub(crate) const NO_SKIPS: &str = "EKV_NO_SKIPS";

/// Makes sure that `strace` is there, with which tests make system calls fail; Linux alone has it.
///
/// # Errors
/// [`Error::Missing`] if it can be neither found nor installed.
pub(crate) fn provide_strace(workspace: &Workspace) -> Result<(), Error> {
    if cfg!(not(target_os = "linux")) || works(&workspace.command("strace").args(["--version"])) {
        return Ok(());
    }
    let is_root = workspace.command("id").args(["-u"]).output().is_ok_and(|id| id.trim_ascii() == b"0");
    for installer in INSTALLERS {
        let words = installer.iter().copied().chain(["strace"]);
        let command = match (is_root, words.clone().next()) {
            (true, Some(program)) => workspace.command(program).args(words.skip(1)),
            _ => workspace.command("sudo").args(["--non-interactive"]).args(words),
        };
        if installer.first().is_some_and(|program| is_on_path(workspace, program)) && command.run().is_ok() {
            return Ok(());
        }
    }
    Err(Error::Missing { program: "strace" })
}

fn works(command: &Command) -> bool {
    command.output().is_ok()
}

fn is_on_path(workspace: &Workspace, program: &str) -> bool {
    works(&workspace.command("sh").args(["-c", &format!("command -v {program}")]))
}
