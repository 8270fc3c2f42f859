//! The commands that write, with what they may leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::inputs::{Data, Inputs};
use super::plan::Plan;
use crate::support::Room;

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
pub(super) enum Kind {
    Dump,
    Archive,
    Payload,
    Node,
    Checksums,
}

/// A command, prepared to be run many times.
pub(super) struct Subject {
    pub(super) name: String,
    /// Its arguments.
    pub(super) words: Vec<String>,
    plan: &'static Plan,
    /// What all runs read.
    inputs: Inputs,
    /// What lies there once the command is done.
    pub(super) after: Files,
    before: Files,
}

impl Subject {
    pub(super) fn new(plan: &'static Plan, data: Data) -> Subject {
        let inputs = Inputs::new(data);
        let word = |word| inputs.provide(word).map_or_else(|| String::from(word), |path| path.display().to_string());
        let words = plan.words.split(' ').map(word).collect();
        if let Some(old) = plan.old {
            inputs.provide(old).unwrap();
        }
        let name = format!("{} of {data:?} data", plan.name).to_lowercase();
        let mut subject = Subject { name, words, plan, inputs, after: Files::new(), before: Files::new() };
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

    /// A directory in which the command can be run.
    pub(super) fn room(&self) -> Room {
        let room = Room::in_memory();
        let Some(old) = self.plan.old else { return room };
        let copy = |from: PathBuf, to: PathBuf| assert!(fs::copy(from, to).is_ok());
        match self.plan.kind {
            Kind::Dump | Kind::Checksums => {
                for file in self.inputs.room.tree(old).into_keys() {
                    let to = room.path("out").join(&file);
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    copy(self.inputs.room.path(old).join(&file), to);
                }
            }
            Kind::Payload => {
                copy(self.inputs.room.path(old), room.path("out"));
                let info = format!("{old}.encode_info.json");
                copy(self.inputs.room.path(info), room.path("out.encode_info.json"));
            }
            Kind::Archive | Kind::Node => copy(self.inputs.room.path(old), room.path("out")),
        }
        if self.plan.kind == Kind::Checksums {
            fs::write(room.path("out/redis/db_0/strings/a.bin"), "edited").unwrap();
        }
        room
    }

    /// The directory in which the command creates names.
    pub(super) fn place(&self) -> &'static str {
        if self.plan.kind == Kind::Checksums { "out" } else { "." }
    }

    /// Names of files and directories of the command in its place.
    pub(super) fn targets(&self) -> &'static [&'static str] {
        match self.plan.kind {
            Kind::Payload => &["out", "out.encode_info.json"],
            Kind::Checksums => &["CHECKSUMS", "MANIFEST.json", "redis"],
            Kind::Dump | Kind::Archive | Kind::Node => &["out"],
        }
    }

    /// All that lies at the targets.
    pub(super) fn files(&self, room: &Room) -> Files {
        let mut files = Files::new();
        match self.plan.kind {
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
            if self.plan.kind == Kind::Dump {
                room.run(&["verify", "out"]).assert_code(0);
            }
            return Found::After;
        }
        if files == self.before {
            return Found::Before;
        }
        let names: Vec<_> = files.keys().map(|path| path.to_str().unwrap()).collect();
        assert!(self.plan.kind == Kind::Payload && names == ["out"], "{context}: {names:?}");
        Found::Half
    }

    /// Runs the command once more, as a user would after a run that failed, and expects the whole output.
    pub(super) fn run_again(&self, room: &Room, found: Found, context: &str) {
        let mut words = self.words();
        let occupied = found != Found::Before && self.plan.old.is_none();
        match self.plan.kind {
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
