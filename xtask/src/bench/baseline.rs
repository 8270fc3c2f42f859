//! The least that making a directory of files can cost: create, write and close, with the same names and sizes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::command::quoted;
use crate::error::Error;

/// Name of the hidden task that runs the loop.
pub(super) const TASK: &str = "bench-files";

/// Writes one line per file of a dump: length in bytes, blank, path. Files of a directory follow each other.
pub(super) fn write_listing(dump: &Path, listing: &Path) -> Result<(), Error> {
    let mut out = BufWriter::new(File::create(listing).map_err(Error::io(listing))?);
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let here = dump.join(&directory);
        for entry in fs::read_dir(&here).map_err(Error::io(&here))? {
            let entry = entry.map_err(Error::io(&here))?;
            let metadata = entry.metadata().map_err(Error::io(&here))?;
            let path = directory.join(entry.file_name());
            if metadata.is_dir() {
                directories.push(path);
            } else {
                writeln!(out, "{} {}", metadata.len(), path.display()).map_err(Error::io(listing))?;
            }
        }
    }
    out.flush().map_err(Error::io(listing))
}

/// The command line that runs the loop.
pub(super) fn command(listing: &Path, target: &Path) -> String {
    let here = std::env::current_exe().unwrap_or_default();
    let words = [&here, Path::new(TASK), listing, target].map(|word| quoted(&word.display().to_string()).into_owned());
    words.join(" ")
}

/// Creates the files of a listing below `target`. From inside each directory, so that no path has to be looked up.
pub(super) fn create_files(listing: &Path, target: &Path) -> Result<(), Error> {
    let lines = BufReader::new(File::open(listing).map_err(Error::io(listing))?);
    let mut content = Vec::new();
    let mut current: Option<PathBuf> = None;
    fs::create_dir(target).map_err(Error::io(target))?;
    let target = target.canonicalize().map_err(Error::io(target))?;
    for line in lines.lines() {
        let line = line.map_err(Error::io(listing))?;
        let (len, path) = line.split_once(' ').unwrap_or(("0", &line));
        let len = len.parse().unwrap_or(0);
        if content.len() < len {
            content.resize(len, b'x');
        }
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if current.as_deref() != Some(Path::new(directory)) {
            let place = target.join(directory);
            fs::create_dir_all(&place).map_err(Error::io(&place))?;
            std::env::set_current_dir(&place).map_err(Error::io(&place))?;
            current = Some(PathBuf::from(directory));
        }
        let mut file = File::create_new(name).map_err(Error::io(Path::new(name)))?;
        file.write_all(content.get(..len).unwrap_or_default()).map_err(Error::io(Path::new(name)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_makes_files_of_the_same_names_and_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let dump = folder.path().join("dump");
        fs::create_dir_all(dump.join("a/b")).unwrap();
        fs::write(dump.join("a/b/one"), b"123").unwrap();
        fs::write(dump.join("a/two words"), b"").unwrap();
        fs::write(dump.join("three"), vec![1; 70_000]).unwrap();
        let listing = folder.path().join("listing");
        write_listing(&dump, &listing).unwrap();
        let mut lines: Vec<String> = fs::read_to_string(&listing).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["0 a/two words", "3 a/b/one", "70000 three"]);
    }
}
