//! A short view of a folder of files, for a person who sees it for the first time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Longest text that counts as readable at a glance, in bytes.
const SHORT_TEXT_LEN_MAX: usize = 60;

/// The files below `root`, sorted, as paths relative to it.
///
/// # Errors
/// [`Error::Io`] with the folder that cannot be read.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
            let entry = entry.map_err(Error::io(&path))?;
            let is_folder = entry.file_type().map_err(Error::io(&path))?.is_dir();
            let list = if is_folder { &mut folders } else { &mut files };
            list.push(folder.join(entry.file_name()));
        }
    }
    files.sort();
    Ok(files)
}

/// One line per folder: how many files it holds, and the name of one of them.
pub(crate) fn summary(files: &[PathBuf]) -> Vec<String> {
    let mut folders: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for file in files {
        if let (Some(folder), Some(name)) = (file.parent(), file.file_name()) {
            folders.entry(folder).or_default().push(Path::new(name));
        }
    }
    let line = |(folder, names): (&Path, Vec<&Path>)| {
        let folder = if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() };
        // The shortest name is the one a person reads most easily.
        let example = names.iter().min_by_key(|name| name.as_os_str().len())?;
        let count = names.len();
        Some(format!("{count:>6} {:<5} in {folder}, such as {}", plural(count), example.display()))
    };
    folders.into_iter().filter_map(line).collect()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}

/// A file in `folder` that holds a short line of printable ASCII, and that line; one with a plain name if there is one.
///
/// # Errors
/// [`Error::Io`] with the file that cannot be read.
pub(crate) fn short_text(root: &Path, files: &[PathBuf], folder: &Path) -> Result<Option<(PathBuf, String)>, Error> {
    let mut candidates: Vec<&PathBuf> = files.iter().filter(|file| file.parent() == Some(folder)).collect();
    candidates.sort_by_key(|file| file.to_string_lossy().matches('%').count());
    for file in candidates {
        let path = root.join(file);
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let is_short = (1..=SHORT_TEXT_LEN_MAX).contains(&bytes.len());
        let is_printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if is_short && is_printable {
            return Ok(Some((path, String::from_utf8_lossy(&bytes).into_owned())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, body) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, body).unwrap();
        }
        root
    }

    #[test]
    fn files_are_found_in_every_folder_and_sorted() {
        let root = tree(&[("b", b""), ("a/z/y", b""), ("a/c", b"")]);
        let expected: Vec<PathBuf> = ["a/c", "a/z/y", "b"].map(PathBuf::from).into();
        assert_eq!(files_below(root.path()).unwrap(), expected);
    }

    #[test]
    fn folder_that_does_not_exist_is_an_error_that_names_it() {
        let root = tree(&[]);
        let error = files_below(&root.path().join("missing")).unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("missing")), "{error:?}");
    }

    #[test]
    fn summary_counts_the_files_of_each_folder_and_shows_the_shortest_name() {
        let files = ["CHECKSUMS", "strings/long-name", "strings/s"].map(PathBuf::from);
        let expected = ["     1 file  in ., such as CHECKSUMS", "     2 files in strings, such as s"];
        assert_eq!(summary(&files), expected);
    }

    #[test]
    fn short_text_prefers_a_file_with_a_plain_name() {
        let root = tree(&[("s/%20", b"no"), ("s/plain", b"yes")]);
        let files = files_below(root.path()).unwrap();
        let found = short_text(root.path(), &files, Path::new("s")).unwrap();
        assert_eq!(found.map(|(_, text)| text).as_deref(), Some("yes"));
    }

    #[test]
    fn short_text_skips_empty_binary_and_long_files_and_other_folders() {
        let long = [b'x'; SHORT_TEXT_LEN_MAX + 1];
        let root = tree(&[("s/a", b""), ("s/b", b"\x00\xff"), ("s/c", &long), ("other", b"no"), ("s/d", b"yes")]);
        let files = files_below(root.path()).unwrap();
        let found = short_text(root.path(), &files, Path::new("s")).unwrap();
        assert_eq!(found, Some((root.path().join("s/d"), "yes".to_owned())));
    }
}
