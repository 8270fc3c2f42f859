//! SECURITY.md names tests; each must exist.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_and_path_that_security_md_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    ["crates", "fuzz"].iter().for_each(|directory| sources(&root.join(directory), &mut files));
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let is_test =
        |name: &&&str| name.matches('_').count() > 2 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let tests: Vec<_> = quoted.iter().filter(is_test).collect();
    assert!(tests.len() > 5, "{tests:?}");
    for name in tests {
        assert!(code.contains(&format!("fn {name}()")), "there is no test {name}");
    }
    for path in quoted.iter().filter(|name| name.starts_with("crates/") || name.starts_with("fuzz/")) {
        assert!(root.join(path).exists(), "there is no {path}");
    }
}
