//! Disks that fail or are full.

use std::fs;
use std::process::Stdio;

use ekv_testkit::Cases;

use super::inputs::Data;
use super::plan::{ALL, DECODE, DECODE_TO_ARCHIVE, ENCODE, PACK, PREPARE_RESTORE, RESTORE};
use super::strace;
use super::subject::{Found, Subject};
use crate::support::{Room, Run, end_of};

/// Kinds of calls with what they can fail with.
const FAULTS: [(&str, &[&str]); 19] = [
    ("openat", &["EIO", "EMFILE"]),
    ("read", &["EIO", "EINTR"]),
    ("pread64", &["EIO", "EINTR"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT", "EINTR"]),
    ("pwrite64", &["EIO", "ENOSPC"]),
    ("mkdirat", &["EIO", "ENOSPC", "EDQUOT"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT"]),
    ("syncfs", &["EIO", "ENOSPC"]),
    ("close", &["EIO", "EDQUOT", "EINTR"]),
    ("renameat2", &["EIO", "ENOSPC", "EINVAL"]),
    ("renameat", &["EIO"]),
    ("linkat", &["EIO"]),
    ("unlinkat", &["EIO"]),
    ("getdents64", &["EIO"]),
    ("newfstatat", &["EIO"]),
    ("fstat", &["EIO"]),
    ("statx", &["EIO"]),
    ("flock", &["EIO"]),
    ("clone3", &["EAGAIN"]),
];

/// Errors that say that space is used up.
const OUT_OF_SPACE: [&str; 2] = ["ENOSPC", "EDQUOT"];

/// Errors that nothing but the fault leads to, with what a message says of them.
const TELLTALE: [(&str, &str); 3] =
    [("EIO", "(os error 5)"), ("ENOSPC", "(os error 28)"), ("EDQUOT", "(os error 122)")];

const NOT_PRINTED: &str = "the work is done, but its result cannot be printed";

/// Errors after which the output is there.
const PUBLISHED: [&str; 2] = [NOT_PRINTED, "is published, but its durability is unknown"];

/// Fails the command at chosen calls; it must say so, with the right code, and leave nothing.
fn fail(subject: &Subject, cases: Cases) {
    if !strace::is_available() {
        return;
    }
    let names = FAULTS.map(|(name, _)| name);
    let calls = strace::calls(&subject.room(), &names, &subject.words);
    let faults: Vec<_> = calls
        .iter()
        .flat_map(|call| {
            let (_, errors) = FAULTS.iter().find(|(name, _)| *name == call.name).unwrap();
            errors.iter().map(move |error| (call, *error))
        })
        .collect();
    cases.run(&format!("{} with a failing call", subject.name), faults.len(), |number| {
        let (call, error) = faults[number];
        let context = format!("{} with {error} from {call:?}", subject.name);
        let room = subject.room();
        let run = strace::run(&room, call, &format!("error={error}"), &subject.words);
        // The thread that prints the message may come to its own first write with it.
        let silent = call.name == "write" && matches!(run.code, Some(3 | 4)) && run.stderr.is_empty();
        if silent {
            assert_eq!(subject.found(&room, &context), Found::Before, "{context}");
            assert!(subject.leftovers(&room).is_empty(), "{context}");
            return;
        }
        check_failed(subject, &room, &run, &format!("{context}: {run:?}"));
        if run.code == Some(0) {
            return;
        }
        if let Some((_, cause)) = TELLTALE.iter().find(|(name, _)| *name == error) {
            assert!(run.stderr.contains(cause), "{context}: {run:?}");
        }
        // Once the output is there, that is what matters.
        if OUT_OF_SPACE.contains(&error) && !PUBLISHED.iter().any(|text| run.stderr.contains(text)) {
            assert_eq!(run.code, Some(3), "{context}: {run:?}");
            assert!(run.stderr.contains("out of space: "), "{context}: {run:?}");
        }
    });
}

/// Whatever the fault: done and whole, or an error that names a file, and nothing left.
fn check_failed(subject: &Subject, room: &Room, run: &Run, context: &str) {
    let found = subject.found(room, context);
    let leftovers = subject.leftovers(room);
    if run.code == Some(0) {
        assert_eq!(found, Found::After, "{context}");
        assert!(leftovers.is_empty() || run.stderr.contains("ekv-staging"), "{context}: {leftovers:?}");
        return;
    }
    assert!(matches!(run.code, Some(1..=4)), "{context}");
    // Notes on what was done come before the message that its result cannot be printed.
    let mut told = run.stderr.lines().skip_while(|line| line.starts_with("note: "));
    assert!(told.next().is_some_and(|line| line.starts_with("error: ")), "{context}");
    let published = PUBLISHED.iter().any(|text| run.stderr.contains(text));
    assert_eq!(found, if published { Found::After } else { Found::Before }, "{context}");
    if !published {
        assert!(leftovers.is_empty() || run.stderr.contains("; then: "), "{context}: {leftovers:?}");
    }
    assert!(published || names_a_path(&run.stderr), "{context}");
}

/// Whether a message names a file or directory: absolute, from the current directory, or relative to a dump or a data directory.
fn names_a_path(message: &str) -> bool {
    let message = message.replace("out of space: ", "");
    let at_the_beginning = ["/", "./", "out/", "redis/", "sqs/", "dynamodb/", "wal/", "snap/", "fsm-snap/"];
    let alone = [
        ".",
        "out",
        "redis",
        "sqs",
        "dynamodb",
        "CHECKSUMS",
        "MANIFEST.json",
        "etcd-raft-peers.bin",
        "out.encode_info.json",
    ];
    let mut words = message.split_whitespace().map(|word| word.trim_matches([':', ',', ';', '"']));
    words.any(|word| alone.contains(&word) || at_the_beginning.iter().any(|beginning| word.starts_with(beginning)))
}

#[test]
fn some_failing_call_ends_the_command_with_an_error_and_nothing_left() {
    for plan in ALL {
        fail(&Subject::new(plan, Data::Much), Cases::Sample(4));
    }
}

#[test]
#[ignore = "long form: every call of small runs with every error, and a sample of those of long ones"]
fn any_failing_call_ends_the_command_with_an_error_and_nothing_left() {
    for plan in ALL {
        fail(&Subject::new(plan, Data::Little), Cases::All);
        fail(&Subject::new(plan, Data::Much), Cases::Sample(400));
    }
}

/// Runs a shell script with the program as `$program` and the paths of `inputs` as `$inputs`.
fn script(subject: &Subject, room: &Room, shell: &[&str], text: &str) -> Run {
    let program = room.command(["--version"]);
    let mut command = std::process::Command::new(shell[0]);
    command.args(&shell[1..]).args(["sh", "-c", text]).current_dir(room.path("."));
    command.env("program", program.get_program()).env("words", subject.words.join(" "));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_of(command.spawn().unwrap())
}

/// A name space in which anybody may mount; `None` if there is none.
fn mounting_shell(room: &Room) -> Option<&'static [&'static str]> {
    let shell: &[&str] = &["unshare", "--user", "--map-root-user", "--mount"];
    let works = std::process::Command::new(shell[0])
        .args(&shell[1..])
        .args(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "."])
        .current_dir(room.path("."))
        .output();
    match works {
        Ok(output) if output.status.success() => Some(shell),
        Ok(output) => {
            skip_mount(&String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            skip_mount(&error.to_string());
            None
        }
    }
}

/// Without the right to mount, the limit of file lengths stands in for the full disk.
fn skip_mount(problem: &str) {
    println!("skipped: cannot mount a small file system: {problem}");
}

/// The disk has every size up to one in which the output fits, in steps.
const FULL_DISK: &str = r#"
for limit in size=24k size=200k size=800k size=4m size=12m,nr_inodes=6 size=64m,nr_inodes=40 size=64m; do
  mount -t tmpfs -o $limit none disk || exit 90
  cd disk
  "$program" $words >../log 2>&1
  code=$?
  left=$(ls -A | grep -v -e '^out$' -e '^out.encode_info.json$')
  cd ..
  echo "$limit code=$code out=$(ls -A disk | wc -l) left=$left $(grep -c '^error: out of space: ' log)"
  umount disk
done
"#;

#[test]
fn full_disk_is_reported_and_its_space_given_back() {
    for plan in [&DECODE, &DECODE_TO_ARCHIVE, &ENCODE, &RESTORE] {
        let subject = Subject::new(plan, Data::Much);
        let room = Room::new();
        let Some(shell) = mounting_shell(&room) else { return };
        fs::create_dir(room.path("disk")).unwrap();
        let run = script(&subject, &room, shell, FULL_DISK);
        run.assert_code(0);
        let full = run.stdout.lines().filter(|line| line.ends_with("code=3 out=0 left= 1")).count();
        let fits = run.stdout.lines().filter(|line| line.contains("code=0 ") && line.contains("left= ")).count();
        assert!(full >= 3 && fits >= 1 && full + fits == 7, "{}: {run:?}", subject.name);
    }
}

#[test]
fn file_length_limit_is_reported_and_leaves_nothing() {
    for plan in [&DECODE, &DECODE_TO_ARCHIVE, &ENCODE, &PREPARE_RESTORE] {
        let subject = Subject::new(plan, Data::Much);
        for trap in ["trap '' XFSZ", "true"] {
            let room = subject.room();
            let run = script(&subject, &room, &["env"], &format!("{trap}; ulimit -f 8; exec \"$program\" $words"));
            run.assert_code(3);
            check_failed(&subject, &room, &run, &subject.name);
        }
    }
}

#[test]
fn result_that_cannot_be_printed_is_an_error_and_the_output_is_there() {
    for plan in [&DECODE, &PACK, &ENCODE] {
        let subject = Subject::new(plan, Data::Much);
        let room = subject.room();
        let mut command = room.command(&subject.words);
        command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let run = end_of(command.spawn().unwrap());
        run.assert_code(3).assert_says(NOT_PRINTED);
        assert_eq!(subject.found(&room, &subject.name), Found::After);
        for closed in [">&-", "2>&-", ">&- 2>&-", "<&-"] {
            let room = subject.room();
            script(&subject, &room, &["env"], &format!("exec \"$program\" $words {closed}")).assert_code(0);
            assert_eq!(subject.found(&room, &subject.name), Found::After, "{closed}");
        }
    }
}

#[test]
fn device_as_target_is_refused_and_not_written_to() {
    let room = Room::with_small_snapshot();
    for words in [&["decode", "snapshot.fsm", "/dev/full"][..], &["decode", "snapshot.fsm", "/dev/full", "--force"]] {
        let run = room.run(words);
        run.assert_code(1).assert_says("/dev/full");
    }
}

/// Append-only directories, immutable files, sticky directories of others: some or all removals fail.
#[test]
fn checksums_where_nothing_may_be_removed_leaves_a_whole_file_and_says_what_stays() {
    let inject =
        ["unlinkat:error=EPERM", "unlinkat:error=EPERM:when=2+", "unlinkat,renameat2,renameat,rename:error=EPERM"];
    if !strace::is_available() {
        return;
    }
    for (inject, code) in inject.into_iter().zip([0, 0, 4]) {
        let room = Room::with_small_snapshot();
        room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
        let file = "dump/redis/db_0/strings/a.bin";
        room.write(file, b"edited");
        let old = fs::read(room.path("dump/CHECKSUMS")).unwrap();
        let run = strace::run_with(&room, &format!("inject={inject}"), &["checksums", "dump"]);
        run.assert_code(code).assert_says("cannot remove dump/.CHECKSUMS.ekv-staging-");
        let new = fs::read(room.path("dump/CHECKSUMS")).unwrap();
        assert_eq!(new == old, code != 0, "{inject}: {run:?}");
        // Once removing is possible, the same command ends well.
        room.run(&["checksums", "dump"]).assert_code(0);
        room.run(&["verify", "dump"]).assert_code(0);
        assert_ne!(fs::read(room.path("dump/CHECKSUMS")).unwrap(), old);
    }
}
