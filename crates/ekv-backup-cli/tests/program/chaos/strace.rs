//! `strace` makes system calls of the program fail, or kills it there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Room, Run, end_of};

/// Set where a test that cannot do its work must fail instead of being skipped.
const NO_SKIPS: &str = "EKV_NO_SKIPS";

/// Calls that change files, or end what was begun with them.
pub(super) const CHANGING: &[&str] = &[
    "openat",
    "mkdirat",
    "write",
    "pwrite64",
    "renameat",
    "renameat2",
    "linkat",
    "unlinkat",
    "ftruncate",
    "fsync",
    "fdatasync",
    "syncfs",
    "close",
    "flock",
    "exit_group",
];

/// The n-th call of a kind, counted for each thread from one.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) nth: usize,
}

/// Whether programs can be traced here. A test that needs it says so and is skipped otherwise, or fails where no skips are allowed.
pub(super) fn is_available() -> bool {
    let works = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let problem = match works {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skip(&format!("cannot trace programs with strace: {problem}"));
    false
}

/// Says why a test cannot do its work here.
pub(super) fn skip(reason: &str) {
    assert!(std::env::var_os(NO_SKIPS).is_none(), "{reason}");
    println!("skipped: {reason}");
}

/// The program in `room` with these arguments, under `strace` with these options.
fn traced<A: AsRef<OsStr>>(room: &Room, options: &[&str], words: &[A]) -> Command {
    let program = room.command(words);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(options).arg(program.get_program()).args(program.get_args());
    strace.current_dir(program.get_current_dir().unwrap()).env_remove("NO_COLOR");
    strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    strace
}

/// Every call of these kinds that a run makes after the program has started.
pub(super) fn calls<A: AsRef<OsStr>>(room: &Room, names: &[&str], words: &[A]) -> Vec<Call> {
    let start = counts(&Room::new(), names, &["--version"]);
    let mut calls = Vec::new();
    for (name, count) in counts(room, names, words) {
        let first = start.get(&name).copied().filter(|_| name != "exit_group" && name != "write").unwrap_or(0) + 1;
        calls.extend((first..=count).map(|nth| Call { name: name.clone(), nth }));
    }
    calls
}

/// How many calls of each kind the thread with the most of them makes.
fn counts<A: AsRef<OsStr>>(room: &Room, names: &[&str], words: &[A]) -> BTreeMap<String, usize> {
    let log = Room::new();
    let path = log.path("log").display().to_string();
    let trace = format!("trace={}", names.iter().map(|name| format!("?{name}")).collect::<Vec<_>>().join(","));
    end_of(traced(room, &["-o", &path, "-e", &trace], words).spawn().unwrap()).assert_code(0);
    let mut by_thread: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let (thread, rest) = line.split_once(char::is_whitespace).unwrap();
        if let Some((name, _)) = rest.trim_start().split_once('(').filter(|(name, _)| names.contains(name)) {
            *by_thread.entry((thread.to_owned(), name.to_owned())).or_default() += 1;
        }
    }
    let mut counts = BTreeMap::new();
    for ((_, name), count) in by_thread {
        let most = counts.entry(name).or_insert(0);
        *most = count.max(*most);
    }
    counts
}

/// Runs the program; the first thread that comes to `call` meets `effect` instead, such as `signal=KILL` or `error=EIO`.
pub(super) fn run<A: AsRef<OsStr>>(room: &Room, call: &Call, effect: &str, words: &[A]) -> Run {
    run_with(room, &format!("inject={}:{effect}:when={}", call.name, call.nth), words)
}

/// Runs the program with this `inject=` of `strace`.
pub(super) fn run_with<A: AsRef<OsStr>>(room: &Room, inject: &str, words: &[A]) -> Run {
    let names = inject.trim_start_matches("inject=").split(':').next().unwrap_or_default();
    let trace = format!("trace={names}");
    end_of(traced(room, &["-o", "/dev/null", "-e", &trace, "-e", inject], words).spawn().unwrap())
}
