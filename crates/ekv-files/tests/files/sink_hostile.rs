//! Somebody interferes with the target or with the staging directory: nothing outside changes, and the target is absent or untouched.
//!
//! Source: `docs/format/tree.md`, sections 8.2 and 13.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use ekv_files::sink::{DirOptions, DirSink, ExistingTarget, Fsync, PublishMethod, Sink, SinkError};
use ekv_files::{DumpPath, Error, ErrorKind};
use ekv_model::Class;
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

const REFUSE: DirOptions = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
const REPLACE: DirOptions = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };

/// A parent for the target, and a directory outside of it that must never change.
struct Scene {
    root: TempDir,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("parent")).unwrap();
        fs::create_dir(root.path().join("outside")).unwrap();
        fs::write(root.path().join("outside/precious"), b"precious").unwrap();
        Scene { root }
    }

    fn parent(&self) -> PathBuf {
        self.root.path().join("parent")
    }

    fn target(&self) -> PathBuf {
        self.parent().join("dump")
    }

    fn outside(&self) -> PathBuf {
        self.root.path().join("outside")
    }

    fn create(&self, options: DirOptions) -> Result<DirSink, Error> {
        DirSink::create(&self.target(), options)
    }

    fn start(&self) -> Box<DirSink> {
        Box::new(self.create(REFUSE).unwrap())
    }

    /// The staging directory of the run that is going on.
    fn staging(&self) -> PathBuf {
        let names = names(&self.parent());
        let staging: Vec<_> = names.iter().filter(|name| name.contains(".ekv-staging-")).collect();
        assert_eq!(staging.len(), 1, "{names:?}");
        self.parent().join(staging[0])
    }

    #[track_caller]
    fn assert_outside_is_unchanged(&self) {
        assert_eq!(names(&self.outside()), ["precious"]);
        assert_eq!(fs::read(self.outside().join("precious")).unwrap(), b"precious");
    }

    #[track_caller]
    fn assert_parent_holds(&self, expected: &[&str]) {
        assert_eq!(names(&self.parent()), expected);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn path(text: &str) -> DumpPath {
    DumpPath::new(text.as_bytes()).unwrap()
}

fn file(sink: &mut dyn Sink, name: &str, content: &[u8]) -> Result<(), Error> {
    sink.begin(&path(name))?;
    sink.write(content)?;
    sink.end()
}

fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

#[track_caller]
fn sink_error<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Sink(_)), "{error:?}");
            error
        }
    }
}

macro_rules! assert_sink_error {
    ($result:expr, $pattern:pat, $class:expr) => {{
        let error = sink_error($result);
        assert!(matches!(error.kind(), ErrorKind::Sink($pattern)), "{error:?}");
        assert_eq!(error.class(), $class, "{error}");
    }};
}

/// A way to put something at a path.
type Plant = fn(&Path, &Path);

/// Things that can lie at a name, made with a directory outside at hand.
const PLANTS: [(&str, Plant); 7] = [
    ("file", |at, _| fs::write(at, b"planted").unwrap()),
    ("symlink to a file", |at, outside| symlink(outside.join("precious"), at).unwrap()),
    ("symlink to a directory", |at, outside| symlink(outside, at).unwrap()),
    ("dangling symlink", |at, outside| symlink(outside.join("missing"), at).unwrap()),
    ("hard link", |at, outside| fs::hard_link(outside.join("precious"), at).unwrap()),
    ("FIFO", |at, _| fifo(at)),
    ("directory", |at, _| fs::create_dir(at).unwrap()),
];

#[test]
fn whatever_exists_at_the_target_is_left_alone() {
    for (name, plant) in PLANTS {
        let scene = Scene::new();
        plant(&scene.target(), &scene.outside());
        let before = fs::symlink_metadata(scene.target()).unwrap().ino();
        assert_sink_error!(scene.create(REFUSE), SinkError::TargetExists { .. }, Class::Environment);
        assert_eq!(fs::symlink_metadata(scene.target()).unwrap().ino(), before, "{name}");
        scene.assert_parent_holds(&["dump"]);
        scene.assert_outside_is_unchanged();
    }
}

#[test]
fn force_replaces_nothing_but_a_dump_or_an_empty_directory() {
    for (name, plant) in PLANTS.into_iter().filter(|(name, _)| *name != "directory") {
        let scene = Scene::new();
        plant(&scene.target(), &scene.outside());
        assert_sink_error!(scene.create(REPLACE), SinkError::NotReplaceable { .. }, Class::Environment);
        scene.assert_parent_holds(&["dump"]);
        assert!(fs::symlink_metadata(scene.target()).is_ok(), "{name}");
        scene.assert_outside_is_unchanged();
    }
    let contents: [(&str, Plant); 5] = [
        ("other content", |at, _| fs::write(at.join("file"), b"mine").unwrap()),
        ("unknown version", |at, _| fs::write(at.join("MANIFEST.json"), br#"{"format_version":2}"#).unwrap()),
        ("broken manifest", |at, _| fs::write(at.join("MANIFEST.json"), b"{").unwrap()),
        ("FIFO as manifest", |at, _| fifo(&at.join("MANIFEST.json"))),
        ("link as manifest", |at, outside| {
            fs::write(outside.join("precious"), br#"{"format_version":1}"#).unwrap();
            symlink(outside.join("precious"), at.join("MANIFEST.json")).unwrap();
        }),
    ];
    for (name, plant) in contents {
        let scene = Scene::new();
        fs::create_dir(scene.target()).unwrap();
        plant(&scene.target(), &scene.outside());
        assert_sink_error!(scene.create(REPLACE), SinkError::NotReplaceable { .. }, Class::Environment);
        assert_eq!(names(&scene.target()).len(), 1, "{name}");
        scene.assert_parent_holds(&["dump"]);
    }
}

#[test]
fn force_replaces_an_empty_directory_and_a_dump_and_writes_a_new_one() {
    for old in ["nothing", "empty", "dump"] {
        let scene = Scene::new();
        if old != "nothing" {
            fs::create_dir(scene.target()).unwrap();
        }
        if old == "dump" {
            old_dump(&scene.target());
        }
        let mut sink = Box::new(scene.create(REPLACE).unwrap());
        file(sink.as_mut(), "new", b"new").unwrap();
        let published = sink.publish().unwrap();
        let expected = if old == "nothing" { PublishMethod::Rename } else { PublishMethod::Exchange };
        assert_eq!(published.method, expected);
        assert!(published.warnings.is_empty());
        assert_eq!(names(&scene.target()), ["new"]);
        scene.assert_parent_holds(&["dump"]);
        scene.assert_outside_is_unchanged();
    }
}

/// A dump of one file.
fn old_dump(at: &Path) {
    fs::write(at.join("MANIFEST.json"), br#"{"format_version":1}"#).unwrap();
    fs::write(at.join("CHECKSUMS"), format!("{}  redis/db_0/strings/k.bin\n", "ab".repeat(32))).unwrap();
    fs::create_dir_all(at.join("redis/db_0/strings")).unwrap();
    fs::write(at.join("redis/db_0/strings/k.bin"), b"old").unwrap();
}

#[test]
fn dump_that_holds_what_no_dump_has_is_not_replaced_and_the_entries_are_named() {
    let strangers: [(&str, Plant); 9] = [
        ("notes.txt", |at, _| fs::write(at.join("notes.txt"), b"mine").unwrap()),
        ("redis/db_0/strings/own.bin", |at, _| fs::write(at.join("redis/db_0/strings/own.bin"), b"mine").unwrap()),
        ("work", |at, _| fs::create_dir(at.join("work")).unwrap()),
        ("redis/db_0/own", |at, _| fs::create_dir(at.join("redis/db_0/own")).unwrap()),
        ("redis/db_0/strings/a/b", |at, _| fs::create_dir_all(at.join("redis/db_0/strings/a/b")).unwrap()),
        ("work/a", |at, _| {
            fs::create_dir(at.join("work")).unwrap();
            fs::write(at.join("work/a"), b"mine").unwrap();
        }),
        ("redis/link", |at, outside| symlink(outside, at.join("redis/link")).unwrap()),
        ("fifo", |at, _| fifo(&at.join("fifo"))),
        ("redis/db_0/strings/k.bin", |at, _| fs::remove_file(at.join("CHECKSUMS")).unwrap()),
    ];
    for (name, plant) in strangers {
        let scene = Scene::new();
        fs::create_dir(scene.target()).unwrap();
        old_dump(&scene.target());
        plant(&scene.target(), &scene.outside());
        let error = sink_error(DirSink::check_target(&scene.target(), REPLACE));
        assert_eq!(error.class(), Class::Environment);
        assert!(error.to_string().contains(name) && error.to_string().contains("does not list"), "{name}: {error}");
        // The same where nobody asked beforehand, or what is in the way came while the dump was written.
        let mut sink = Box::new(scene.create(REPLACE).unwrap());
        file(sink.as_mut(), "new", b"new").unwrap();
        assert_sink_error!(sink.publish(), SinkError::HoldsOthers { .. }, Class::Environment);
        assert_eq!(fs::read(scene.target().join("redis/db_0/strings/k.bin")).unwrap(), b"old", "{name}");
        assert!(name.contains("k.bin") || fs::symlink_metadata(scene.target().join(name)).is_ok(), "{name}");
        scene.assert_parent_holds(&["dump"]);
        scene.assert_outside_is_unchanged();
    }
}

#[test]
fn directories_that_a_dump_has_though_nothing_is_in_them_are_replaced() {
    let scene = Scene::new();
    fs::create_dir(scene.target()).unwrap();
    old_dump(&scene.target());
    for empty in ["sqs", "s3", ".scratch", "dynamodb/users/items"] {
        fs::create_dir_all(scene.target().join(empty)).unwrap();
    }
    fs::remove_file(scene.target().join("redis/db_0/strings/k.bin")).unwrap();
    DirSink::check_target(&scene.target(), REPLACE).unwrap();
}

#[test]
fn entries_that_no_dump_has_are_named_up_to_a_limit() {
    let scene = Scene::new();
    fs::create_dir(scene.target()).unwrap();
    old_dump(&scene.target());
    for n in 0..9 {
        fs::write(scene.target().join(format!("n{n}")), b"").unwrap();
    }
    let error = sink_error(DirSink::check_target(&scene.target(), REPLACE)).to_string();
    assert!(error.contains(": n0, n1, n2, n3, n4, and more;"), "{error}");
}

#[test]
fn parent_may_be_a_symlink_but_must_be_an_existing_directory() {
    let scene = Scene::new();
    let link = scene.root.path().join("link");
    symlink(scene.parent(), &link).unwrap();
    let mut sink = Box::new(DirSink::create(&link.join("dump//"), REFUSE).unwrap());
    file(sink.as_mut(), "x", b"x").unwrap();
    sink.publish().unwrap();
    scene.assert_parent_holds(&["dump"]);

    let in_missing = DirSink::create(&scene.root.path().join("missing/dump"), REFUSE);
    assert_sink_error!(in_missing, SinkError::Io { .. }, Class::Environment);
    assert!(!scene.root.path().join("missing").exists());
    let in_file = DirSink::create(&scene.outside().join("precious/dump"), REFUSE);
    assert_sink_error!(in_file, SinkError::Io { .. }, Class::Environment);
    scene.assert_outside_is_unchanged();
}

#[test]
fn read_only_parent_is_an_error_of_the_environment() {
    let scene = Scene::new();
    let parent = if rustix::process::geteuid().is_root() {
        println!("modes do not bind root: taking a file system that nobody may write to");
        PathBuf::from(if cfg!(target_vendor = "apple") { "/dev/fd" } else { "/sys" })
    } else {
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o500);
        fs::set_permissions(scene.parent(), mode).unwrap();
        scene.parent()
    };
    let result = DirSink::create(&parent.join("dump"), REFUSE);
    assert_sink_error!(result, SinkError::Io { .. }, Class::Environment);
}

#[test]
fn target_without_a_name_of_its_own_is_refused() {
    for target in ["", "/", "//", ".", "..", "a/..", "./", "a/."] {
        let result = DirSink::create(Path::new(target), REPLACE);
        assert_sink_error!(result, SinkError::TargetName { .. }, Class::Environment);
    }
}

#[test]
fn longest_name_is_published() {
    let scene = Scene::new();
    let target = scene.parent().join("k".repeat(255));
    let mut sink = Box::new(DirSink::create(&target, REFUSE).unwrap());
    file(sink.as_mut(), "x", b"x").unwrap();
    sink.publish().unwrap();
    assert_eq!(names(&target), ["x"]);
    assert_eq!(names(&scene.parent()).len(), 1);
}

#[test]
fn entry_planted_at_the_name_of_a_file_is_never_opened() {
    for name in ["file", "directory/file"] {
        for (plant_name, plant) in PLANTS {
            let scene = Scene::new();
            let mut sink = scene.start();
            sink.directory(&path("directory")).unwrap();
            plant(&scene.staging().join("tree").join(name), &scene.outside());
            let result = file(sink.as_mut(), name, b"secret");
            assert_sink_error!(result, SinkError::NameTaken { .. }, Class::Data);
            sink.abort().unwrap();
            scene.assert_parent_holds(&[]);
            scene.assert_outside_is_unchanged();
            assert!(!scene.target().exists(), "{plant_name}");
        }
    }
}

#[test]
fn entry_planted_at_the_name_of_a_directory_is_never_entered() {
    for name in ["directory", "a/directory"] {
        for (plant_name, plant) in PLANTS {
            let scene = Scene::new();
            let mut sink = scene.start();
            sink.directory(&path("a")).unwrap();
            plant(&scene.staging().join("tree").join(name), &scene.outside());
            let result = file(sink.as_mut(), &format!("{name}/precious"), b"secret");
            assert_sink_error!(result, SinkError::NameTaken { .. }, Class::Data);
            drop(sink);
            scene.assert_parent_holds(&[]);
            scene.assert_outside_is_unchanged();
            assert!(!scene.target().exists(), "{plant_name}");
        }
    }
}

#[test]
fn directory_replaced_by_a_link_while_it_is_open_leads_nowhere_else() {
    let scene = Scene::new();
    let mut sink = scene.start();
    file(sink.as_mut(), "a/b/first", b"1").unwrap();
    let tree = scene.staging().join("tree");
    fs::rename(tree.join("a"), tree.join("moved")).unwrap();
    symlink(scene.outside(), tree.join("a")).unwrap();
    file(sink.as_mut(), "a/b/precious", b"2").unwrap();
    scene.assert_outside_is_unchanged();
    sink.abort().unwrap();
    scene.assert_parent_holds(&[]);
    scene.assert_outside_is_unchanged();
}

#[test]
fn directory_replaced_after_it_was_closed_is_noticed() {
    let replacements: [(&str, Plant); 3] = [
        ("symlink", |at, outside| symlink(outside, at).unwrap()),
        ("directory", |at, _| fs::create_dir(at).unwrap()),
        ("nothing", |_, _| {}),
    ];
    for (name, replace) in replacements {
        let scene = Scene::new();
        let mut sink = scene.start();
        file(sink.as_mut(), "first/file", b"1").unwrap();
        for i in 0..200 {
            file(sink.as_mut(), &format!("d{i}/file"), b"x").unwrap();
        }
        let first = scene.staging().join("tree/first");
        fs::rename(&first, scene.staging().join("tree/moved")).unwrap();
        replace(&first, &scene.outside());
        let result = file(sink.as_mut(), "first/precious", b"2");
        assert_sink_error!(result, SinkError::DirectoryReplaced { .. }, Class::WriteIo);
        drop(sink);
        scene.assert_parent_holds(&[]);
        scene.assert_outside_is_unchanged();
        assert!(!scene.target().exists(), "{name}");
    }
}

#[test]
fn swapped_tree_is_not_published() {
    let replacements: [(&str, Plant); 2] =
        [("symlink", |at, outside| symlink(outside, at).unwrap()), ("directory", |at, _| fs::create_dir(at).unwrap())];
    for (name, replace) in replacements {
        let scene = Scene::new();
        let mut sink = scene.start();
        file(sink.as_mut(), "a", b"1").unwrap();
        let staging = scene.staging();
        fs::rename(staging.join("tree"), staging.join("moved")).unwrap();
        replace(&staging.join("tree"), &scene.outside());
        file(sink.as_mut(), "precious", b"2").unwrap();
        assert_sink_error!(sink.publish(), SinkError::DirectoryReplaced { .. }, Class::WriteIo);
        scene.assert_parent_holds(&[]);
        scene.assert_outside_is_unchanged();
        assert!(!scene.target().exists(), "{name}");
    }
}

#[test]
fn staging_directory_replaced_by_a_link_changes_nothing_but_the_cleaning_up() {
    let scene = Scene::new();
    let mut sink = scene.start();
    file(sink.as_mut(), "a", b"1").unwrap();
    let staging = scene.staging();
    fs::create_dir(scene.outside().join("tree")).unwrap();
    fs::rename(&staging, scene.root.path().join("moved")).unwrap();
    symlink(scene.outside(), &staging).unwrap();
    file(sink.as_mut(), "b", b"2").unwrap();
    let published = sink.publish().unwrap();
    assert_eq!(published.warnings.len(), 1);
    assert!(published.warnings[0].to_string().contains("was replaced"), "{}", published.warnings[0]);
    assert_eq!(names(&scene.target()), ["a", "b"]);
    assert_eq!(names(&scene.outside()), ["precious", "tree"]);
    assert!(names(&scene.root.path().join("moved")).is_empty());
}

#[test]
fn links_planted_in_the_staging_directory_are_removed_and_not_followed() {
    let scene = Scene::new();
    let mut sink = scene.start();
    file(sink.as_mut(), "a/b", b"1").unwrap();
    for directory in ["tree/a", "tree", "scratch", ""] {
        for (name, plant) in PLANTS {
            plant(&scene.staging().join(directory).join(format!("planted {name}")), &scene.outside());
        }
    }
    sink.abort().unwrap();
    scene.assert_parent_holds(&[]);
    scene.assert_outside_is_unchanged();
}

#[test]
fn second_of_two_runs_at_one_target_is_refused_and_harms_nothing() {
    let scene = Scene::new();
    let mut first = scene.start();
    let mut second = scene.start();
    file(first.as_mut(), "first", b"1").unwrap();
    file(second.as_mut(), "second", b"2").unwrap();
    first.publish().unwrap();
    assert_sink_error!(second.publish(), SinkError::TargetExists { .. }, Class::Environment);
    assert_eq!(names(&scene.target()), ["first"]);
    scene.assert_parent_holds(&["dump"]);
}

#[test]
fn deep_and_wide_trees_are_written_and_removed() {
    let scene = Scene::new();
    let deep = format!("redis/{}", vec!["d"; 400].join("/"));
    let wide = (0..300).map(|i| format!("s3/d{i}/file"));
    let listed: Vec<String> = wide.chain([format!("{deep}/file"), format!("{deep}/other")]).collect();
    let checksums: String = listed.iter().map(|path| format!("{}  {path}\n", "ab".repeat(32))).collect();
    for publish in [false, true] {
        let mut sink = scene.start();
        file(sink.as_mut(), &format!("{deep}/file"), b"x").unwrap();
        for i in 0..300 {
            file(sink.as_mut(), &format!("s3/d{i}/file"), b"x").unwrap();
        }
        file(sink.as_mut(), &format!("{deep}/other"), b"x").unwrap();
        if publish {
            file(sink.as_mut(), "MANIFEST.json", br#"{"format_version":1}"#).unwrap();
            file(sink.as_mut(), "CHECKSUMS", checksums.as_bytes()).unwrap();
            sink.publish().unwrap();
            assert_eq!(names(&scene.target().join("s3")).len(), 300);
            assert_eq!(names(&scene.target().join(&deep)), ["file", "other"]);
        } else {
            sink.abort().unwrap();
        }
    }
    let mut sink = Box::new(scene.create(REPLACE).unwrap());
    file(sink.as_mut(), "x", b"x").unwrap();
    assert!(sink.publish().unwrap().warnings.is_empty());
    scene.assert_parent_holds(&["dump"]);
}
