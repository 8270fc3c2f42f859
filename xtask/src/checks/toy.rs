//! The check of a fifth protocol: it touches few files outside of its own folders, and then goes all ways.
//!
//! Which protocols there are is in the types of the code, so that none can be added while it runs. A toy is therefore put into a copy of the
//! workspace, by a patch whose files are counted, and has to compile and to pass its own test there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::listing::files_below;
use crate::workspace::Workspace;

/// The toy: its patch, and below `crates` the files of its own folders.
const TOY: &str = "xtask/toy";
const PATCH: &str = "insertions.patch";
/// What files and folders of a protocol are named after it.
const OWN: &str = "toy";
/// Most files outside of its own folders that a protocol touches.
const OUTSIDE_MAX: usize = 9;
/// What is in a copy of the workspace: no history, no builds.
const COPIED: [&str; 10] =
    [".cargo", "Cargo.lock", "Cargo.toml", "clippy.toml", "crates", "docs", "fuzz", "rustfmt.toml", "tests", "xtask"];

/// Makes the copy, says how many files the toy touches, and compiles and tests it.
pub(super) fn run() -> Result<(), Error> {
    let Workspace { workspace_root, target_directory } = Workspace::load()?;
    let room = target_directory.join(OWN);
    let copy = room.join("workspace");
    let touched = make_copy(&workspace_root, &copy)?;
    println!("a protocol touches {} files outside of its own folders:", touched.len());
    touched.iter().for_each(|file| println!("  {file}"));
    let copy = Workspace { workspace_root: copy, target_directory: room.join("target") };
    for args in [
        &["fmt", "--all", "--", "--check"][..],
        &["check", "--workspace", "--all-targets", "--locked"],
        &["test", "--package", "ekv-backup", "--test", OWN, "--locked"],
    ] {
        let target = copy.target_directory.display().to_string();
        copy.command("cargo").args(args.iter().copied()).env("CARGO_TARGET_DIR", target).run()?;
    }
    Ok(())
}

/// Makes a copy of the workspace with the toy in it. What is in the copy already and the same is left alone, so that it need not be compiled
/// again. Tells which files outside of its own folders the toy touches.
fn make_copy(root: &Path, copy: &Path) -> Result<Vec<String>, Error> {
    let toy = root.join(TOY);
    let patched = patched(root)?;
    let touched = patched.iter().map(|(file, _)| file.clone()).collect();
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for name in COPIED {
        read_into(&mut files, &root.join(name), Path::new(name))?;
    }
    read_into(&mut files, &toy.join("crates"), Path::new("crates"))?;
    files.extend(patched.into_iter().map(|(file, text)| (file.into(), text.into_bytes())));
    for (file, content) in &files {
        write_if_new(&copy.join(file), content)?;
    }
    for file in files_below(copy)?.iter().filter(|file| !files.contains_key(*file)) {
        fs::remove_file(copy.join(file)).map_err(Error::io(copy))?;
    }
    Ok(touched)
}

/// Reads a file, or all files in a folder but what was built there.
fn read_into(files: &mut BTreeMap<PathBuf, Vec<u8>>, from: &Path, name: &Path) -> Result<(), Error> {
    if from.is_dir() {
        for file in files_below(from)?.iter().filter(|file| !file.starts_with("target")) {
            read_into(files, &from.join(file), &name.join(file))?;
        }
        return Ok(());
    }
    files.insert(name.to_owned(), fs::read(from).map_err(Error::io(from))?);
    Ok(())
}

/// The files outside of its own folders that the toy touches, and what becomes of them.
fn patched(root: &Path) -> Result<Vec<(String, String)>, Error> {
    let patch = root.join(TOY).join(PATCH);
    let mut patched = Vec::new();
    for part in text(&patch)?.split("--- ").skip(1) {
        let (file, hunks) = part.split_once('\n').unwrap_or((part, ""));
        let before = text(&root.join(file))?;
        let after = apply(&before, hunks).map_err(|lines| Error::Toy { file: file.to_owned(), lines })?;
        patched.push((file.to_owned(), after));
    }
    match patched.len() {
        count if count > OUTSIDE_MAX => Err(Error::ToyTouches { count, count_max: OUTSIDE_MAX }),
        _ => Ok(patched),
    }
}

/// A text with the hunks of a patch without line numbers: the lines of each that stay or go must be there once.
///
/// # Errors
/// The lines of the first hunk that are there never, or several times.
fn apply(text: &str, hunks: &str) -> Result<String, String> {
    let mut text = text.to_owned();
    for hunk in hunks.split("@@\n").filter(|hunk| !hunk.is_empty()) {
        let lines = |signs: &[char]| -> String {
            let kept = hunk.lines().filter_map(|line| line.strip_prefix(signs));
            kept.map(|line| format!("{line}\n")).collect()
        };
        let (before, after) = (lines(&[' ', '-']), lines(&[' ', '+']));
        match text.matches(&before).count() {
            1 => text = text.replacen(&before, &after, 1),
            _ => return Err(before),
        }
    }
    Ok(text)
}

fn text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io(path))
}

fn write_if_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|before| before == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    fs::write(path, content).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn a_protocol_touches_at_most_nine_files_outside_of_its_own_folders() {
        let patched = patched(root()).unwrap();
        let is_own = |path: &Path| path.iter().any(|name| Path::new(name).file_stem() == Some(OWN.as_ref()));
        for (file, text) in &patched {
            assert!(!is_own(Path::new(file)) && text.contains(OWN), "{file}");
        }
        let own = files_below(&root().join(TOY).join("crates")).unwrap();
        assert!(!own.is_empty() && own.iter().all(|file| is_own(file)), "{own:?}");
        assert!(own.iter().all(|file| !root().join("crates").join(file).exists()), "the toy is no part of the product");
    }

    #[test]
    fn a_patch_that_does_not_fit_is_refused_with_the_lines_that_it_looks_for() {
        assert_eq!(apply("a\nb\nc\n", "@@\n a\n+x\n@@\n-c\n+d\n").unwrap(), "a\nx\nb\nd\n");
        assert_eq!(apply("a\nb\n", "@@\n c\n+x\n").unwrap_err(), "c\n");
        assert_eq!(apply("a\na\n", "@@\n a\n+x\n").unwrap_err(), "a\n");
    }
}
