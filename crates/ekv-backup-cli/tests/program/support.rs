//! Runs the program in a directory of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::REDIS_1;
use serde_json::Value;
use tempfile::TempDir;

/// After this time a program that should have ended hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// A working directory for runs of the program.
pub(crate) struct Room {
    dir: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Room {
    pub(crate) fn new() -> Room {
        Room { dir: tempfile::tempdir().unwrap() }
    }

    /// In memory if the system offers that: for tests with so many runs that a disk would be all they wait for.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_memory() -> Room {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Room::new(), |dir| Room { dir })
    }

    /// With `snapshot.fsm`: three keys and a deleted one.
    pub(crate) fn with_small_snapshot() -> Room {
        let room = Room::new();
        room.write("snapshot.fsm", &small_snapshot().build());
        room
    }

    /// With `redis-1.fsm`, a snapshot of a real server.
    pub(crate) fn with_real_snapshot() -> Room {
        let room = Room::new();
        room.write("redis-1.fsm", &REDIS_1.bytes());
        room
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(Path::new(name.as_ref()))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The program with these arguments, in this directory, without input and without a terminal.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ekv-backup"));
        command.args(arguments).current_dir(self.dir.path()).env_remove("NO_COLOR").env_remove("SOURCE_DATE_EPOCH");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same, and no signal is ignored, even if these tests were started with `nohup` or in the background of a script.
    pub(crate) fn command_that_minds_signals<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let plain = self.command(arguments);
        let mut command = minding_signals(plain.get_program());
        command.args(plain.get_args()).current_dir(self.dir.path()).env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        end_of(self.command(arguments).spawn().unwrap())
    }

    /// Runs the program and gives it `input` through a pipe.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The program may end before it has read everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let run = end_of(child);
        writer.join().unwrap();
        run
    }

    /// Names in the directory: what a failed run left behind would be here.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Bytes of all files of a dump, by path.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    files.insert(path.strip_prefix(self.path(name)).unwrap().to_owned(), bytes);
                }
            }
        }
        files
    }

    /// As [`Room::tree`], without the time in the manifest and the manifest's line in the checksums.
    pub(crate) fn timeless_tree(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = self.tree(name);
        let manifest = files.get_mut(Path::new("MANIFEST.json")).unwrap();
        let mut value: Value = serde_json::from_slice(manifest).unwrap();
        value.as_object_mut().unwrap().remove("wall_time_iso").unwrap();
        *manifest = value.to_string().into_bytes();
        let checksums = files.get_mut(Path::new("CHECKSUMS")).unwrap();
        let lines = std::str::from_utf8(checksums).unwrap().lines().filter(|line| !line.ends_with("  MANIFEST.json"));
        *checksums = lines.collect::<Vec<_>>().join("\n").into_bytes();
        files
    }
}

/// Waits for the end; a program that hangs is killed, and the test fails.
pub(crate) fn end_of(child: Child) -> Run {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let Ok(output) = receiver.recv_timeout(HANGS_AFTER) else {
        signal(id, "KILL");
        panic!("the program hangs");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status().unwrap();
    assert!(sent.success());
}

impl Run {
    /// The result as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Standard error has this text.
    #[track_caller]
    pub(crate) fn assert_says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "{self:?}");
        self
    }
}

/// Pseudorandom numbers from a seed (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// Equal seeds, from 1 on, give equal numbers.
    pub(crate) fn of_seed(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// An index below `len`.
    pub(crate) fn pick(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(len).unwrap())).unwrap()
    }

    /// One of several things.
    pub(crate) fn choose<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.pick(choices.len())]
    }
}

/// Three strings and a deleted one.
pub(crate) fn small_snapshot() -> SnapshotBuilder {
    SnapshotBuilder::new().put(b"a", 20, b"1").put(b"b", 30, b"2").put(b"c", 40, b"3").delete(b"d", 50)
}

/// A program that starts with no signal ignored, where `env` can do that.
pub(crate) fn minding_signals(program: &OsStr) -> Command {
    let reset = "--default-signal=HUP,INT,TERM,XCPU";
    let can_reset =
        Command::new("env").args([reset, "true"]).stderr(Stdio::null()).status().is_ok_and(|end| end.success());
    if !can_reset {
        return Command::new(program);
    }
    let mut command = Command::new("env");
    command.arg(reset).arg(program);
    command
}
