use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use ekv_model::Class;
use ekv_spill::SystemScratch;
use tempfile::TempDir;

use super::*;

/// Writes down what it is shown, a line per entry.
#[derive(Default)]
struct Notes(Vec<String>);

impl Visitor for Notes {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.0.push(format!("{path}/"));
        Ok(())
    }
    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        let mut text = String::new();
        content.read_to_string(&mut text).unwrap();
        self.0.push(format!("{path} = {text}"));
        Ok(())
    }
    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        self.0.push(format!("{path}: {refusal}"));
        Ok(())
    }
}

fn open(root: &Path) -> Result<DirSource> {
    DirSource::open(root, Arc::new(SystemScratch::new()))
}

fn walk(root: &Path) -> Vec<String> {
    let mut notes = Notes::default();
    open(root).unwrap().walk(&mut notes).unwrap();
    notes.0
}

fn write(root: &TempDir, path: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

#[test]
fn walk_shows_the_files_about_the_dump_first_and_the_rest_in_order() {
    let root = TempDir::new().unwrap();
    for path in ["b/z", "b/a/2", "b/a/1", "CHECKSUMS", "MANIFEST.json", "A", "a-b/x", "a/CHECKSUMS", "a/1"] {
        write(&root, path);
    }
    let expected = [
        "MANIFEST.json = x",
        "CHECKSUMS = x",
        "A = x",
        "a/",
        "a/1 = x",
        "a/CHECKSUMS = x",
        "a-b/",
        "a-b/x = x",
        "b/",
        "b/z = x",
        "b/a/",
        "b/a/1 = x",
        "b/a/2 = x",
    ];
    assert_eq!(walk(root.path()), expected);
}

#[test]
fn entries_of_other_types_are_refused_and_not_opened() {
    let root = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "outside").unwrap();
    write(&root, "d/file");
    let at = |name: &str| root.path().join("d").join(name);
    symlink(outside.path().join("secret"), at("link")).unwrap();
    symlink(outside.path(), at("link-to-directory")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    fs::hard_link(outside.path().join("secret"), at("hard")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(status.success());
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let expected = [
        "d/",
        "d/dangling: it is a symbolic link",
        "d/fifo: it is a FIFO",
        "d/file = x",
        "d/hard: it is a file with more than one link",
        "d/link: it is a symbolic link",
        "d/link-to-directory: it is a symbolic link",
        "d/socket: it is a socket",
    ];
    assert_eq!(walk(root.path()), expected);

    let mut source = open(root.path()).unwrap();
    for (path, refusal) in [
        ("d/link", Refusal::Symlink),
        ("d/hard", Refusal::HardLink),
        ("d/fifo", Refusal::Fifo),
        ("d/socket", Refusal::Socket),
        ("d", Refusal::Replaced),
        ("d/link-to-directory/secret", Refusal::Replaced),
    ] {
        let error = source.open_file(&DumpPath::new(path.as_bytes()).unwrap()).unwrap_err();
        assert!(
            matches!(error.kind(), crate::ErrorKind::Source(SourceError::Refused(found)) if *found == refusal),
            "{path}"
        );
        assert_eq!(error.class(), Class::Data);
    }
    let mut text = String::new();
    source.open_file(&DumpPath::new(b"d/file").unwrap()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "x");
}

#[test]
fn root_may_be_named_through_a_link() {
    let root = TempDir::new().unwrap();
    write(&root, "real/a");
    symlink("real", root.path().join("link")).unwrap();
    assert_eq!(walk(&root.path().join("link")), ["a = x"]);
}

#[test]
fn root_that_is_missing_or_a_file_is_an_error_of_the_environment() {
    let root = TempDir::new().unwrap();
    write(&root, "file");
    for name in ["missing", "file"] {
        let path = root.path().join(name);
        let error = open(&path).err().unwrap();
        let message = format!("{}: cannot open the dump", path.display());
        assert_eq!((error.class(), error.to_string()), (Class::Environment, message));
    }
}

#[test]
fn deep_trees_need_few_descriptors_and_every_level_is_shown() {
    let root = TempDir::new().unwrap();
    let deep = vec!["d"; 200].join("/");
    write(&root, &format!("{deep}/a"));
    write(&root, &format!("{deep}/b"));
    write(&root, &format!("{}/side/c", vec!["d"; 190].join("/")));
    let seen = walk(root.path());
    assert_eq!(seen.len(), 200 + 1 + 3);
    assert!(seen.contains(&format!("{deep}/b = x")));
    let mut source = open(root.path()).unwrap();
    source.open_file(&DumpPath::new(format!("{deep}/a").as_bytes()).unwrap()).unwrap();
    assert!(source.directories.open.len() <= OPEN_DIRECTORIES_MAX);
}

#[test]
fn names_are_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = TempDir::new().unwrap();
    if fs::write(root.path().join(OsStr::from_bytes(b"\xff\n\\")), "x").is_err() {
        eprintln!("skipped: this file system takes only UTF-8 names");
        return;
    }
    assert_eq!(walk(root.path()), ["\\xff\\n\\\\ = x"]);
}

#[test]
fn directory_in_the_last_one_is_opened_from_there_however_deep_it_lies() {
    let root = TempDir::new().unwrap();
    let deep = vec!["d"; 300].join("/");
    write(&root, &format!("{deep}/a"));
    write(&root, &format!("{}/side/b", vec!["d"; 250].join("/")));
    let mut source = open(root.path()).unwrap();
    source.walk(&mut Notes::default()).unwrap();
    // Each level once, and once more from the top for the way back from the side.
    assert!(source.directories.opened <= 3 * 300, "{} directories", source.directories.opened);
    assert!(source.open_file(&DumpPath::new(format!("{deep}/a").as_bytes()).unwrap()).is_ok());
    assert!(source.open_file(&DumpPath::new(format!("{deep}/d/a").as_bytes()).unwrap()).is_err());
    assert!(source.open_file(&DumpPath::new(format!("{deep}/a").as_bytes()).unwrap()).is_ok());
}
