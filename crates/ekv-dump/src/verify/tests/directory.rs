//! The same check on a directory of the file system.

use std::fs;
use std::os::unix::fs::symlink;

use ekv_files::source::DirSource;
use ekv_model::NoMonitor;
use tempfile::TempDir;

use super::tree::{full, scratch};
use crate::verify::{Problem, verify};

/// The full dump on disk.
fn written() -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, content) in full().files {
        let path = root.path().join(String::from_utf8(path).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn problems(root: &TempDir) -> Vec<String> {
    let mut source = DirSource::open(root.path(), scratch()).unwrap();
    let result = verify(&mut source, &scratch(), 1 << 20, &NoMonitor).unwrap();
    result.problems.first.iter().map(Problem::to_string).collect()
}

#[test]
fn sound_directory_passes() {
    assert_eq!(problems(&written()), [""; 0]);
}

#[test]
fn links_in_place_of_files_and_directories_are_found_and_not_followed() {
    let root = written();
    let at = |path: &str| root.path().join(path);
    let outside = written();
    fs::remove_file(at("redis/db_0/sets/s.json")).unwrap();
    symlink(outside.path().join("redis/db_0/sets/s.json"), at("redis/db_0/sets/s.json")).unwrap();
    fs::remove_dir_all(at("redis/db_0/zsets")).unwrap();
    symlink(outside.path().join("redis/db_0/zsets"), at("redis/db_0/zsets")).unwrap();
    fs::hard_link(at("redis/db_0/lists/l.json"), outside.path().join("other name")).unwrap();
    fs::remove_file(at("redis/db_0/streams/st.jsonl")).unwrap();
    fs::create_dir(at("redis/db_0/streams/st.jsonl")).unwrap();
    let mut found = problems(&root);
    found.sort();
    assert_eq!(
        found,
        [
            "redis/db_0/lists/l.json: it is a file with more than one link",
            "redis/db_0/sets/s.json: it is a symbolic link",
            "redis/db_0/streams/st.jsonl: CHECKSUMS lists it, but there is no such file",
            "redis/db_0/streams/st.jsonl: nothing in a dump has this name: expected files only, one for each key",
            "redis/db_0/zsets/z.json: CHECKSUMS lists it, but there is no such file",
            "redis/db_0/zsets: it is a symbolic link",
        ]
    );
}
