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
    /// Whether an older output lies at the target.
    replaces: bool,
    /// What all runs read.
    inputs: Room,
    /// What lies there once the command is done.
    pub(super) after: Files,
    before: Files,
}

const NODE: [&str; 3] = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
/// Protocols that go both ways.
const BOTH_WAYS: &str = "redis,sqs,dynamodb";

impl Subject {
    /// All of them.
    pub(super) fn all() -> [fn() -> Subject; 7] {
        [
            Subject::decode,
            Subject::decode_replacing,
            Subject::encode,
            Subject::encode_replacing,
            Subject::restore,
            Subject::prepare_restore,
            Subject::checksums,
        ]
    }

    pub(super) fn decode() -> Subject {
        Subject::make("decode", Kind::Dump, false)
    }

    pub(super) fn decode_replacing() -> Subject {
        Subject::make("decode --force", Kind::Dump, true)
    }

    pub(super) fn encode() -> Subject {
        Subject::make("encode", Kind::Payload, false)
    }

    pub(super) fn encode_replacing() -> Subject {
        Subject::make("encode --force", Kind::Payload, true)
    }

    pub(super) fn restore() -> Subject {
        Subject::make("restore", Kind::Node, false)
    }

    pub(super) fn prepare_restore() -> Subject {
        Subject::make("prepare-restore", Kind::Node, false)
    }

    pub(super) fn checksums() -> Subject {
        Subject::make("checksums", Kind::Checksums, true)
    }

    fn make(name: &'static str, kind: Kind, replaces: bool) -> Subject {
        let inputs = Room::new();
        inputs.write("all.fsm", &ALL_3.bytes());
        inputs.write("small.fsm", &small_snapshot().build());
        let input = |name: &str| inputs.path(name).display().to_string();
        let make = |words: &[&str]| {
            inputs.run(words).assert_code(0);
        };
        let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
        match name {
            "decode" | "decode --force" => words.extend([input("all.fsm"), "out".to_owned()]),
            "checksums" => words.push("out".to_owned()),
            _ => {
                make(&["decode", "all.fsm", "dump", "--adapter", BOTH_WAYS, "--fsync", "none"]);
                let source = if name == "prepare-restore" { "payload" } else { "dump" };
                if source == "payload" {
                    make(&["encode", "dump", "payload", "--fsync", "none"]);
                }
                words.extend([input(source), "out".to_owned()]);
            }
        }
        if kind == Kind::Node {
            words.extend(NODE.map(str::to_owned));
        }
        make(&["decode", "small.fsm", "small", "--fsync", "none"]);
        make(&["encode", "small", "small-payload", "--fsync", "none"]);
        let mut subject = Subject { name, words, kind, replaces, inputs, after: Files::new(), before: Files::new() };
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
        let room = Room::new();
        let copy = |from: &str, to: &str| {
            fs::copy(self.inputs.path(from), room.path(to)).unwrap();
        };
        match self.kind {
            Kind::Dump | Kind::Checksums if self.replaces => {
                for file in self.inputs.tree("small").into_keys() {
                    let to = PathBuf::from("out").join(&file);
                    fs::create_dir_all(room.path(&to).parent().unwrap()).unwrap();
                    fs::copy(self.inputs.path("small").join(&file), room.path(&to)).unwrap();
                }
                if self.kind == Kind::Checksums {
                    fs::write(room.path("out/redis/db_0/strings/a.bin"), "edited").unwrap();
                }
            }
            Kind::Payload if self.replaces => {
                copy("small-payload", "out");
                copy("small-payload.encode_info.json", "out.encode_info.json");
            }
            _ => {}
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
            Kind::Dump | Kind::Node => &["out"],
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
        let occupied = found != Found::Before && !self.replaces;
        match self.kind {
            Kind::Node if occupied => {
                room.run(&words).assert_code(1).assert_says("exists already");
                return;
            }
            Kind::Dump | Kind::Payload if occupied => words.push("--force"),
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

/// Whether a name is that of a staging directory.
pub(super) fn is_staging(name: &str) -> bool {
    name.starts_with('.') && name.contains(".ekv-staging-")
}
