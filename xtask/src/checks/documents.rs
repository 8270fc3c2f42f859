//! The check of the documents: each file, folder and item of code that they name in backticks is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::workspace::Workspace;

/// What speaks of the code. `CHANGELOG.md` may name what is gone, `docs/format/` names the files of dumps.
const DOCUMENTS: [&str; 5] =
    ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/testing.md", "docs/performance.md"];
/// Where the code and the documents are.
const FOLDERS: [&str; 5] = ["crates", "docs", "fuzz", "tests", "xtask"];
/// Endings of files that a document may mean.
const ENDINGS: [&str; 5] = [".rs", ".md", ".toml", ".patch", ".lock"];

/// Compares the documents with the files and prints what they name that is not there.
pub(super) fn run() -> Result<(), Error> {
    let root = Workspace::load()?.workspace_root;
    let tree = Tree::read(&root)?;
    let mut differences = Vec::new();
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        differences.extend(
            tree.missing(&text).into_iter().map(|name| format!("{document} names `{name}`, which is not there")),
        );
    }
    differences.iter().for_each(|difference| println!("{difference}"));
    if differences.is_empty() {
        println!("what {} documents name is there", DOCUMENTS.len());
        return Ok(());
    }
    Err(Error::Documents { count: differences.len() })
}

/// What is in the repository.
#[derive(Default)]
struct Tree {
    /// Files and folders, each beginning with a `/`.
    paths: Vec<String>,
    /// All words of the code.
    words: BTreeSet<String>,
}

impl Tree {
    fn read(root: &Path) -> Result<Self, Error> {
        let mut tree = Tree::default();
        for name in ENDINGS.iter().flat_map(|ending| names_in(root, ending)).chain(FOLDERS.map(PathBuf::from)) {
            tree.add(root, &name)?;
        }
        Ok(tree)
    }

    fn add(&mut self, root: &Path, name: &Path) -> Result<(), Error> {
        let path = root.join(name);
        self.paths.push(format!("/{}", name.display()));
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
                self.add(root, &name.join(entry.map_err(Error::io(&path))?.file_name()))?;
            }
        } else if name.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
            self.words.extend(text.split(|c: char| !is_of_word(c)).map(str::to_owned));
        }
        Ok(())
    }

    /// What `text` names in backticks that is neither a file or folder nor an item of the code.
    fn missing(&self, text: &str) -> Vec<String> {
        let outside = text.split("```").step_by(2);
        let named = outside.flat_map(|part| part.split('`').skip(1).step_by(2));
        let is_missing = |name: &&str| match name {
            name if name == &"/" || name.contains(|c: char| c.is_whitespace() || "<*…".contains(c)) => false,
            name if name.ends_with('/') || ENDINGS.iter().any(|ending| name.ends_with(ending)) => !self.has_path(name),
            name => name.rsplit_once("::").is_some_and(|(_, item)| !self.words.contains(item.trim_end_matches("()"))),
        };
        named.filter(is_missing).map(str::to_owned).collect()
    }

    fn has_path(&self, name: &str) -> bool {
        let end = format!("/{}", name.trim_end_matches('/'));
        self.paths.iter().any(|path| path.ends_with(&end))
    }
}

/// The files of the root with this ending.
fn names_in(root: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| PathBuf::from(entry.file_name()));
    entries.filter(|name| name.to_str().is_some_and(|name| name.ends_with(ending))).collect()
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let paths = ["/crates/ekv-model/src/body.rs", "/crates/ekv-model/src"].map(str::to_owned).to_vec();
        Tree { paths, words: ["Body", "run"].map(str::to_owned).into() }
    }

    #[test]
    fn names_of_files_folders_and_items_that_are_not_there_are_told() {
        let text = "`body.rs`, `src/gone.rs`, `ekv-model/src/`, `ekv-model/tests/`, `pipe::run`, `pipe::walk`, `any words`, `tar`";
        assert_eq!(tree().missing(text), ["src/gone.rs", "ekv-model/tests/", "pipe::walk"]);
    }

    #[test]
    fn blocks_of_commands_and_names_with_a_blank_to_be_filled_are_passed_over() {
        assert!(tree().missing("```\n`gone.rs`\n```\n`docs/<protocol>.md` and `src/*.rs`").is_empty());
    }
}
