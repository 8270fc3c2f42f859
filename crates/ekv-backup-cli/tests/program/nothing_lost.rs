//! Whatever lies around the target: only what the program made, or the very target that `--force` names, is gone afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Dice, Room, end_of};

/// Rounds of the form that runs every day.
const ROUNDS: u64 = 60;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    Directory { is_private: bool },
    File(Vec<u8>),
    Link(PathBuf),
}

/// Everything below a directory, by path.
type World = BTreeMap<PathBuf, Thing>;

fn world(root: &Path) -> World {
    let mut found = World::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            let stat = fs::symlink_metadata(&entry).unwrap();
            let thing = if stat.is_dir() {
                open.push(entry.clone());
                Thing::Directory { is_private: stat.mode() & 0o777 == 0o700 }
            } else if stat.is_symlink() {
                Thing::Link(fs::read_link(&entry).unwrap())
            } else {
                Thing::File(fs::read(&entry).unwrap())
            };
            found.insert(entry.strip_prefix(root).unwrap().to_owned(), thing);
        }
    }
    found
}

/// Names that mean something to the program, and others.
const NAMES: [&str; 18] = [
    "notes.txt",
    "dump",
    "dump.tar",
    "out.fsm",
    "out.fsm.encode_info.json",
    "out.fsm.mismatch.txt",
    ".dump.ekv-staging-0123456789abcdef",
    ".ekv-staging-0000000000000000",
    "ekv-staging",
    "tree",
    "scratch",
    "replaced",
    "replaced-1",
    "MANIFEST.json",
    "CHECKSUMS",
    "redis",
    "node",
    "K",
];

/// A room with inputs of each kind, and one with a dump, an archive and a payload at the usual targets.
fn pattern() -> Room {
    let room = Room::with_small_snapshot();
    for directory in ["in", "out"] {
        fs::create_dir(room.path(directory)).unwrap();
        room.run(&["decode", "snapshot.fsm", &format!("{directory}/dump")]).assert_code(0);
        room.run(&["pack", "in/dump", &format!("{directory}/dump.tar")]).assert_code(0);
        room.run(&["encode", "in/dump", &format!("{directory}/out.fsm")]).assert_code(0);
    }
    fs::rename(room.path("snapshot.fsm"), room.path("in/snapshot.fsm")).unwrap();
    room
}

fn copy(from: &Path, to: &Path) {
    let stat = fs::symlink_metadata(from).unwrap();
    if stat.is_dir() {
        fs::DirBuilder::new().mode(stat.mode() & 0o777).create(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if stat.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Puts something somewhere, or moves something; what cannot be done is not.
fn scatter(root: &Path, dice: &mut Dice) {
    let known: Vec<PathBuf> = [PathBuf::from(".")].into_iter().chain(world(root).into_keys()).collect();
    let other = root.join(dice.choose(&known));
    let directories: Vec<&PathBuf> = known.iter().filter(|path| root.join(path).is_dir()).collect();
    let at = root.join(dice.choose(&directories)).join(dice.choose(&NAMES));
    if fs::symlink_metadata(&at).is_ok() {
        return;
    }
    match dice.pick(8) {
        0 | 1 => drop(fs::write(&at, b"mine")),
        2 => drop(fs::write(&at, b"")),
        3 => drop(fs::DirBuilder::new().mode(*dice.choose(&[0o700, 0o755])).create(&at)),
        4 => drop(symlink(&other, &at)),
        5 => drop(fs::hard_link(&other, &at)),
        6 if !at.starts_with(&other) => copy(&other, &at),
        // A rename of what is somewhere else, as another user might do it.
        7 if !at.starts_with(&other) => drop(fs::rename(&other, &at)),
        _ => {}
    }
}

/// A command: its words, what it may make, and what it may take away.
struct Command {
    words: Vec<String>,
    targets: Vec<PathBuf>,
    verb: &'static str,
    is_forced: bool,
}

fn command(root: &Path, dice: &mut Dice) -> Command {
    let known: Vec<PathBuf> = world(root).into_keys().collect();
    let verbs = ["decode", "pack", "unpack", "encode", "restore", "prepare-restore", "checksums", "clean"];
    let verb = *dice.choose(&verbs);
    let input = match ((dice.roll(3) == 0), verb) {
        (true, _) => dice.choose(&known).clone(),
        (_, "decode") => "in/snapshot.fsm".into(),
        (_, "unpack") => "in/dump.tar".into(),
        (_, "prepare-restore") => "in/out.fsm".into(),
        _ => "in/dump".into(),
    };
    let target = match dice.pick(4) {
        0 => dice.choose(&known).clone(),
        1 => Path::new("out").join(dice.choose(&NAMES)),
        2 => Path::new("out/missing").join(dice.choose(&NAMES)),
        _ => Path::new(dice.choose(&["out/dump", "out/dump.tar", "out/out.fsm"])).to_owned(),
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut words = vec![verb.to_owned()];
    let mut targets = Vec::new();
    let mut is_forced = false;
    match verb {
        "checksums" => {
            words.push(text(&input));
            targets.push(input.join("CHECKSUMS"));
            is_forced = true;
        }
        "clean" => words.push(text(dice.choose::<&Path>(&[Path::new("."), Path::new("out"), Path::new("in"), &input]))),
        _ => {
            words.extend([text(&input), text(&target)]);
            if verb == "encode" {
                targets.extend([".encode_info.json", ".mismatch.txt"].map(|end| PathBuf::from(text(&target) + end)));
            }
            targets.push(target);
        }
    }
    if ["decode", "pack", "unpack", "encode"].contains(&verb) {
        is_forced = dice.roll(3) != 0;
        words.extend(is_forced.then(|| "--force".to_owned()));
        words.push(format!("--fsync={}", dice.choose(&["none", "full", "file"])));
    }
    if ["decode", "pack", "unpack"].contains(&verb) && (dice.roll(2) == 0) {
        words.push("--parents".to_owned());
    }
    if verb == "decode" && (dice.roll(3) == 0) {
        words.extend(["--compression".to_owned(), (*dice.choose(&["none", "zstd"])).to_owned()]);
    }
    if verb == "decode" && (dice.roll(4) == 0) {
        words.extend(["--blob-source".to_owned(), text(dice.choose::<PathBuf>(&known))]);
    }
    if ["restore", "prepare-restore"].contains(&verb) {
        words.extend(["--peers", "n1=h:1", "--fresh-cluster"].map(str::to_owned));
    }
    Command { words, targets, verb, is_forced }
}

/// Whether a directory holds nothing but a dump, or nothing.
fn is_dump_alone(world: &World, directory: &Path) -> bool {
    let below: BTreeMap<&Path, &Thing> = world
        .iter()
        .filter_map(|(path, thing)| Some((path.strip_prefix(directory).ok()?, thing)))
        .filter(|(path, _)| !path.as_os_str().is_empty())
        .collect();
    let listed: BTreeSet<&str> = match below.get(Path::new("CHECKSUMS")) {
        Some(Thing::File(text)) => {
            std::str::from_utf8(text).unwrap_or_default().lines().filter_map(|line| line.get(66..)).collect()
        }
        _ => BTreeSet::new(),
    };
    below.is_empty()
        || below.contains_key(Path::new("MANIFEST.json"))
            && below.iter().all(|(path, thing)| match thing {
                Thing::Directory { .. } => true,
                Thing::File(_) => {
                    ["MANIFEST.json", "CHECKSUMS"].contains(&path.to_str().unwrap())
                        || listed.contains(path.to_str().unwrap())
                }
                Thing::Link(_) => false,
            })
}

/// Whether a directory is what a killed run leaves: private, with its marker or both of its directories, and nothing else.
fn is_staging(world: &World, directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_str().unwrap();
    let inside: BTreeMap<&str, &Thing> = world
        .iter()
        .filter(|(path, _)| path.parent() == Some(directory))
        .map(|(path, thing)| (path.file_name().unwrap().to_str().unwrap(), thing))
        .collect();
    let is_marked = match inside.get("ekv-staging") {
        Some(Thing::File(text)) if text.is_empty() => inside.len() == 1,
        _ => inside.is_empty(),
    };
    let is_directory = |name| matches!(inside.get(name), Some(Thing::Directory { .. }));
    name.contains(".ekv-staging-")
        && matches!(world.get(directory), Some(Thing::Directory { is_private: true }))
        && (is_marked || is_directory("tree") && is_directory("scratch"))
        && inside.keys().all(|name| ["ekv-staging", "tree", "scratch", "replaced", "replaced-1"].contains(name))
}

/// What is gone or changed and should not be, and what is there and should not be.
fn complaints(before: &World, after: &World, command: &Command, code: i32) -> Vec<String> {
    let (mut complaints, is_done) = (Vec::new(), code == 0 || code == 5);
    let may_go = |path: &Path| {
        let is_replaced = command.is_forced
            && is_done
            && command.targets.iter().any(|target| {
                path.starts_with(target)
                    && match before.get(target) {
                        Some(Thing::Directory { .. }) => is_dump_alone(before, target),
                        Some(Thing::File(_)) => true,
                        _ => false,
                    }
            });
        is_replaced || command.verb == "clean" && path.ancestors().any(|above| is_staging(before, above))
    };
    for (path, thing) in before {
        if after.get(path) != Some(thing) && !may_go(path) {
            complaints.push(format!("{} was {thing:?} and is {:?}", path.display(), after.get(path)));
        }
    }
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        let is_made =
            is_done && command.targets.iter().any(|target| path.starts_with(target) || target.starts_with(path));
        let is_list_of_differences = path.to_str().unwrap().ends_with(".mismatch.txt");
        if !(is_made || is_list_of_differences) {
            complaints.push(format!("{} was left behind", path.display()));
        }
    }
    complaints
}

/// The way of a path without links, relative to the root: a target is named by what it leads to.
fn real(root: &Path, path: &Path) -> PathBuf {
    let real_root = root.canonicalize().unwrap();
    let (parent, name) = (root.join(path), path.file_name().unwrap_or_default());
    let parent = parent.parent().and_then(|parent| parent.canonicalize().ok());
    let found = parent.map(|parent| parent.join(name));
    found.and_then(|found| found.strip_prefix(&real_root).ok().map(Path::to_owned)).unwrap_or_else(|| path.to_owned())
}

fn run_round(pattern: &Room, seed: u64) -> (String, i32) {
    let mut dice = Dice::of_seed(seed);
    let room = Room::new();
    let root = room.path("room");
    copy(&pattern.path("."), &root);
    for _ in 0..dice.pick(7) {
        scatter(&root, &mut dice);
    }
    let mut command = command(&root, &mut dice);
    command.targets = command.targets.iter().map(|target| real(&root, target)).collect();
    let before = world(&root);
    let child = room.command(&command.words).current_dir(&root).spawn().unwrap();
    let run = end_of(child);
    let after = world(&root);
    let name = format!("seed {seed}: {:?}", command.words);
    let code = run.code.unwrap_or_else(|| panic!("{name}: {run:?}"));
    let complaints = complaints(&before, &after, &command, code);
    assert!(complaints.is_empty(), "{name}: {complaints:#?}\n{run:?}");
    (command.verb.to_owned(), code)
}

fn run_rounds(seeds: impl Iterator<Item = u64>) {
    let pattern = pattern();
    let mut outcomes: BTreeMap<(String, i32), u64> = BTreeMap::new();
    for seed in seeds {
        *outcomes.entry(run_round(&pattern, seed)).or_default() += 1;
    }
    println!("verbs and exit codes: {outcomes:?}");
    assert!(outcomes.keys().any(|(_, code)| *code == 0) && outcomes.keys().any(|(_, code)| *code == 1));
}

#[test]
fn random_trees_around_the_target_lose_nothing_but_what_was_named() {
    run_rounds(1..=ROUNDS);
}

#[test]
#[ignore = "long form: thousands of random trees"]
fn thousands_of_random_trees_around_the_target_lose_nothing_but_what_was_named() {
    run_rounds(ROUNDS + 1..=4000);
}
