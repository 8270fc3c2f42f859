//! The commands that write, with what they may leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use ekv_testkit::fixtures::ALL_3;
use serde_json::Value;

use crate::support::{Room, small_snapshot};

/// Files by path, without what tells the time.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What lies at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What lay there before, or nothing.
    Before,
    /// The payload of a pair, without its info file: `prepare-restore` refuses it.
    Half,
    /// All that the command writes.
    After,
}

/// Where a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dump,
    Archive,
    Payload,
    Node,
    Checksums,
}

/// A command, prepared to be run many times.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Its arguments.
    pub(super) words: Vec<String>,
    kind: Kind,
    /// The input that lies at the target as an older output.
    old: Option<&'static str>,
    /// What all runs read.
    inputs: Room,
    /// What lies there once the command is done.
    pub(super) after: Files,
    before: Files,
}

/// Inputs with what they are made of, and how.
const RECIPES: [(&str, &str, &str); 6] = [
    ("dump", "all.fsm", "decode all.fsm dump --adapter redis,sqs,dynamodb --fsync none"),
    ("payload", "dump", "encode dump payload --fsync none"),
    ("archive", "dump", "pack dump archive --fsync none"),
    ("old-dump", "small.fsm", "decode small.fsm old-dump --fsync none"),
    ("old-payload", "old-dump", "encode old-dump old-payload --fsync none"),
    ("old-archive", "old-dump", "pack old-dump old-archive --fsync none"),
];

/// Makes an input unless it is there; false if there is no such input.
fn provide(inputs: &Room, name: &str) -> bool {
    if inputs.path(name).exists() {
        return true;
    }
    match (name, RECIPES.iter().find(|(made, ..)| *made == name)) {
        ("all.fsm", _) => inputs.write(name, &ALL_3.bytes()),
        ("small.fsm", _) => inputs.write(name, &small_snapshot().build()),
        (_, Some((_, from, command))) => {
            provide(inputs, from);
            inputs.run(&command.split(' ').collect::<Vec<_>>()).assert_code(0);
        }
        _ => return false,
    }
    true
}

impl Subject {
    /// All of them.
    pub(super) fn all() -> [fn() -> Subject; 13] {
        [
            Subject::decode,
            Subject::decode_replacing,
            Subject::decode_to_archive,
            Subject::decode_to_archive_replacing,
            Subject::pack,
            Subject::pack_replacing,
            Subject::unpack,
            Subject::unpack_replacing,
            Subject::encode,
            Subject::encode_replacing,
            Subject::restore,
            Subject::prepare_restore,
            Subject::checksums,
        ]
    }

    pub(super) fn decode() -> Subject {
        Subject::make("decode", Kind::Dump, None, "decode all.fsm out")
    }

    pub(super) fn decode_replacing() -> Subject {
        Subject::make("decode --force", Kind::Dump, Some("old-dump"), "decode --force all.fsm out")
    }

    pub(super) fn decode_to_archive() -> Subject {
        Subject::make("decode to an archive", Kind::Archive, None, "decode --compression none all.fsm out")
    }

    pub(super) fn decode_to_archive_replacing() -> Subject {
        let words = "decode --force --compression zstd all.fsm out";
        Subject::make("decode --force to an archive", Kind::Archive, Some("old-archive"), words)
    }

    pub(super) fn pack() -> Subject {
        Subject::make("pack", Kind::Archive, None, "pack dump out")
    }

    pub(super) fn pack_replacing() -> Subject {
        Subject::make("pack --force", Kind::Archive, Some("old-archive"), "pack --force --compression none dump out")
    }

    pub(super) fn unpack() -> Subject {
        Subject::make("unpack", Kind::Dump, None, "unpack archive out")
    }

    pub(super) fn unpack_replacing() -> Subject {
        Subject::make("unpack --force", Kind::Dump, Some("old-dump"), "unpack --force archive out")
    }

    pub(super) fn encode() -> Subject {
        Subject::make("encode", Kind::Payload, None, "encode dump out")
    }

    pub(super) fn encode_replacing() -> Subject {
        Subject::make("encode --force", Kind::Payload, Some("old-payload"), "encode --force dump out")
    }

    pub(super) fn restore() -> Subject {
        Subject::make("restore", Kind::Node, None, "restore --fresh-cluster --peers n1=127.0.0.1:2380 dump out")
    }

    pub(super) fn prepare_restore() -> Subject {
        let words = "prepare-restore --fresh-cluster --peers n1=127.0.0.1:2380 payload out";
        Subject::make("prepare-restore", Kind::Node, None, words)
    }

    pub(super) fn checksums() -> Subject {
        Subject::make("checksums", Kind::Checksums, Some("old-dump"), "checksums out")
    }

    fn make(name: &'static str, kind: Kind, old: Option<&'static str>, words: &str) -> Subject {
        let inputs = Room::in_memory();
        let word = |word: &str| match provide(&inputs, word) {
            true => inputs.path(word).display().to_string(),
            false => word.to_owned(),
        };
        let words = words.split(' ').map(word).collect();
        assert!(old.is_none_or(|old| provide(&inputs, old)));
        let mut subject = Subject { name, words, kind, old, inputs, after: Files::new(), before: Files::new() };
        let room = subject.room();
        subject.before = subject.files(&room);
        room.run(&subject.words()).assert_code(0);
        subject.after = subject.files(&room);
        assert_ne!(subject.before, subject.after);
        subject
    }

    pub(super) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Where all runs read.
    pub(super) fn inputs_path(&self) -> String {
        self.inputs.path("").display().to_string()
    }

    /// A directory in which the command can be run.
    pub(super) fn room(&self) -> Room {
        let room = Room::in_memory();
        let Some(old) = self.old else { return room };
        let copy = |from: PathBuf, to: PathBuf| assert!(fs::copy(from, to).is_ok());
        match self.kind {
            Kind::Dump | Kind::Checksums => {
                for file in self.inputs.tree(old).into_keys() {
                    let to = room.path("out").join(&file);
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    copy(self.inputs.path(old).join(&file), to);
                }
            }
            Kind::Payload => {
                copy(self.inputs.path(old), room.path("out"));
                let info = format!("{old}.encode_info.json");
                copy(self.inputs.path(info), room.path("out.encode_info.json"));
            }
            Kind::Archive | Kind::Node => copy(self.inputs.path(old), room.path("out")),
        }
        if self.kind == Kind::Checksums {
            fs::write(room.path("out/redis/db_0/strings/a.bin"), "edited").unwrap();
        }
        room
    }

    /// The directory in which the command creates names.
    pub(super) fn place(&self) -> &'static str {
        if self.kind == Kind::Checksums { "out" } else { "." }
    }

    /// Names of files and directories of the command in its place.
    pub(super) fn targets(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Payload => &["out", "out.encode_info.json"],
            Kind::Checksums => &["CHECKSUMS", "MANIFEST.json", "redis"],
            Kind::Dump | Kind::Archive | Kind::Node => &["out"],
        }
    }

    /// All that lies at the targets.
    pub(super) fn files(&self, room: &Room) -> Files {
        let mut files = Files::new();
        match self.kind {
            Kind::Payload => {
                for name in self.targets() {
                    if let Ok(bytes) = fs::read(room.path(name)) {
                        files.insert(name.into(), bytes);
                    }
                }
                if let Some(info) = files.get_mut(&PathBuf::from("out.encode_info.json")) {
                    let mut value: Value = serde_json::from_slice(info).unwrap();
                    value.as_object_mut().unwrap().remove("wall_time_iso").unwrap();
                    *info = value.to_string().into_bytes();
                }
            }
            _ if !room.path("out").exists() => {}
            Kind::Dump => files = room.timeless_tree("out"),
            Kind::Archive => files = unpacked(room),
            Kind::Node | Kind::Checksums => files = room.tree("out"),
        }
        files.retain(|path, _| !path.iter().any(|part| is_staging(&part.to_string_lossy())));
        files
    }

    /// What lies at the targets; anything but the whole output or what was there before fails the test.
    #[track_caller]
    pub(super) fn found(&self, room: &Room, context: &str) -> Found {
        let files = self.files(room);
        if files == self.after {
            if self.kind == Kind::Dump {
                room.run(&["verify", "out"]).assert_code(0);
            }
            return Found::After;
        }
        if files == self.before {
            return Found::Before;
        }
        let names: Vec<_> = files.keys().map(|path| path.to_str().unwrap()).collect();
        assert!(self.kind == Kind::Payload && names == ["out"], "{context}: {names:?}");
        Found::Half
    }

    /// Runs the command once more, as a user would after a run that failed, and expects the whole output.
    pub(super) fn run_again(&self, room: &Room, found: Found, context: &str) {
        let mut words = self.words();
        let occupied = found != Found::Before && self.old.is_none();
        match self.kind {
            Kind::Node if occupied => {
                room.run(&words).assert_code(1).assert_says("exists already");
                return;
            }
            Kind::Dump | Kind::Archive | Kind::Payload if occupied => words.push("--force"),
            _ => {}
        }
        room.run(&words).assert_code(0);
        assert_eq!(self.found(room, context), Found::After, "{context}");
        assert!(self.leftovers(room).is_empty(), "{context}");
    }

    /// Names beside the targets.
    pub(super) fn leftovers(&self, room: &Room) -> BTreeSet<String> {
        let names = fs::read_dir(room.path(self.place())).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !self.targets().contains(&name.as_str())).collect()
    }
}

/// What the archive at the target holds; itself if it is not whole.
fn unpacked(room: &Room) -> Files {
    let elsewhere = Room::in_memory();
    match elsewhere.run(&["unpack", "--fsync", "none", &room.path("out").display().to_string(), "dump"]).code {
        Some(0) => elsewhere.timeless_tree("dump"),
        _ => Files::from([("out".into(), fs::read(room.path("out")).unwrap())]),
    }
}

/// Whether a name is that of a staging directory.
pub(super) fn is_staging(name: &str) -> bool {
    name.starts_with('.') && name.contains(".ekv-staging-")
}
