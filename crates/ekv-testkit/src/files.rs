//! What dumps hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ekv_files::checksums::{CHECKSUMS_FILE, write_line};
use sha2::{Digest as _, Sha256};

/// Bytes of all files below a directory, by path with `/`; none if there is no such directory.
pub fn read_files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let parts = path.strip_prefix(directory).unwrap().iter().map(|part| part.to_str().unwrap());
                files.insert(parts.collect::<Vec<_>>().join("/"), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The bytes behind base64url without padding, as KEYMAP and JSON files have it.
pub fn from_base64url(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A dump in a directory that is being edited.
pub struct EditedDump<'d> {
    root: &'d Path,
}

/// Edits the dump in the directory `root`, and makes its CHECKSUMS fit.
pub fn edit_dump(root: &Path, edit: impl FnOnce(&mut EditedDump<'_>)) {
    edit(&mut EditedDump { root });
    let mut lines = Vec::new();
    for (path, content) in read_regular_files(root) {
        if path != CHECKSUMS_FILE {
            write_line(&Sha256::digest(content).into(), path.as_bytes(), &mut lines);
        }
    }
    fs::write(root.join(CHECKSUMS_FILE), lines).unwrap();
}

/// As [`read_files`], without links.
fn read_regular_files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = read_files(root);
    files.retain(|path, _| !root.join(path).is_symlink());
    files
}

impl EditedDump<'_> {
    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.root
    }

    /// The bytes of a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Changes or adds a file, with the directories above it.
    pub fn write(&mut self, path: &str, content: &[u8]) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Adds to the end of a file.
    pub fn append(&mut self, path: &str, text: &str) {
        let content = [self.read(path).as_slice(), text.as_bytes()].concat();
        self.write(path, &content);
    }

    /// Replaces a text in a file.
    pub fn replace(&mut self, path: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.read(path)).unwrap();
        assert!(text.contains(from), "{path}: {from:?} is not in {text}");
        self.write(path, text.replacen(from, to, 1).as_bytes());
    }

    /// Adds a directory, with those above it.
    pub fn directory(&mut self, path: &str) {
        fs::create_dir_all(self.root.join(path)).unwrap();
    }

    /// Removes a file, or a directory with everything in it.
    pub fn remove(&mut self, path: &str) {
        let path = self.root.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// An archive of a directory, not compressed, with everything in it as it is.
pub fn tar_of(directory: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_dir_all("", directory).unwrap();
    archive.into_inner().unwrap()
}
