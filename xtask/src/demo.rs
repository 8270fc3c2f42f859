//! The demo: a snapshot that a real server wrote, turned into files before the reader's eyes.

use std::fs;
use std::path::Path;

use crate::command::{Command, quoted};
use crate::error::Error;
use crate::listing;
use crate::workspace::Workspace;

/// The sample, compressed.
const SAMPLE: &str = "tests/data/redis-1.fsm.zst";
/// The folder of the dump from which one file is shown.
const STRINGS: &str = "redis/db_0/strings";

/// Builds the program, decodes the sample into the `demo` folder of the target directory and shows what came out.
/// The folder is the demo's own: what an earlier run left there is removed first.
pub(crate) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let folder = workspace.target_directory.join("demo");
    let dump = folder.join("dump");
    let program =
        workspace.target_directory.join("release").join(format!("ekv-backup{}", std::env::consts::EXE_SUFFIX));

    workspace.command("cargo").args(["build", "--release", "--locked", "--package", "ekv-backup-cli"]).run()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    workspace.command_at(&program).args(["decode", SAMPLE]).args([workspace.shown(&dump)]).run()?;
    show(&workspace, &dump)
}

fn show(workspace: &Workspace, dump: &Path) -> Result<(), Error> {
    let files = listing::files_below(dump)?;
    println!("\n{}:", workspace.shown(dump));
    for line in listing::summary(&files) {
        println!("{line}");
    }
    if let Some((path, text)) = listing::short_text(dump, &files, Path::new(STRINGS))? {
        println!("\nOne file is one key; this one is a string:\n$ cat {}\n{text}", quoted(&workspace.shown(&path)));
    }
    println!("\nThe dump carries its own checksums (here in {}):", workspace.shown(dump));
    let check = Command::new("sha256sum", dump).args(["--check", "--quiet", "CHECKSUMS"]);
    match check.run() {
        Err(Error::Start { .. }) => println!("there is no `sha256sum` here, so this was not run"),
        result => {
            result?;
            println!("every file is as it was written");
        }
    }
    Ok(())
}
