//! Somebody who does what he likes beside the target while the program runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::inputs::Data;
use super::plan::{DECODE, DECODE_TO_ARCHIVE, ENCODE, PACK, RESTORE, UNPACK};
use super::subject::{Found, Subject, is_staging};
use crate::support::{Dice, Room, Run, end_of};

/// What the attacker may write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The directory in which the target is created, as another user with write permission there.
    Parent,
    /// The private staging directory, too, as the same user: what the program makes can be changed by him before and after.
    Staging,
}

/// A directory that nobody may touch, compared afterwards.
fn canary(room: &Room) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let files = room.tree("canary").into_iter();
    files
        .map(|(path, bytes)| {
            let mode = fs::symlink_metadata(room.path("canary").join(&path)).unwrap().permissions().mode();
            (path, (bytes, mode))
        })
        .collect()
}

/// One thing that the attacker does. Every failure is his.
fn attack(dice: &mut Dice, reach: Reach, parent: &Path, canary: &Path, targets: &[&str]) {
    let entries = fs::read_dir(parent).unwrap().map(Result::unwrap);
    let mut staging: Vec<PathBuf> = entries
        .filter(|entry| is_staging(entry.file_name().to_str().unwrap()))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    let staging = (!staging.is_empty()).then(|| staging.swap_remove(dice.pick(staging.len())));
    let target = parent.join(targets[dice.pick(targets.len())]);
    match (dice.roll(if reach == Reach::Staging { 10 } else { 5 }), staging) {
        (0, _) => plant(dice, canary, &target),
        // Takes away what was planted, never an output: a directory with entries stays, and so does a file with content.
        (1, _) => match fs::symlink_metadata(&target) {
            Ok(found) if found.is_dir() => drop(fs::remove_dir(&target)),
            Ok(found) if !found.is_file() || found.len() == 0 => drop(fs::remove_file(&target)),
            _ => {}
        },
        (2, Some(staging)) => {
            steal(dice, parent, &staging);
            plant(dice, canary, &staging);
        }
        (3, Some(staging)) => {
            steal(dice, parent, &staging);
            drop(fs::create_dir_all(staging.join("tree")));
            drop(fs::write(staging.join("tree/MANIFEST.json"), "{\"format_version\": 1}"));
        }
        (4, _) => {
            let name = format!(".out.ekv-staging-{:016x}", dice.roll(u64::MAX));
            plant(dice, canary, &parent.join(name));
        }
        (5, Some(staging)) => drop(fs::remove_dir_all(staging)),
        (6, Some(staging)) => plant(dice, canary, &staging.join("tree/redis")),
        (7, Some(staging)) => {
            drop(fs::rename(staging.join("tree"), staging.join("away")));
            plant(dice, canary, &staging.join("tree"));
        }
        (8, Some(staging)) => plant(dice, canary, &staging.join("tree/MANIFEST.json")),
        (9, Some(staging)) => {
            drop(fs::remove_file(staging.join("tree/out")));
            plant(dice, canary, &staging.join("tree/out"));
        }
        _ => {}
    }
}

/// Moves the staging directory away.
fn steal(dice: &mut Dice, parent: &Path, staging: &Path) {
    drop(fs::rename(staging, parent.join(format!("stolen-{}", dice.roll(u64::MAX)))));
}

/// Puts something at a name that leads out, blocks, or is in the way.
fn plant(dice: &mut Dice, canary: &Path, at: &Path) {
    // Through a link that was planted earlier he would attack the canary himself.
    if !fs::symlink_metadata(at.parent().unwrap()).is_ok_and(|parent| parent.is_dir()) {
        return;
    }
    match dice.roll(5) {
        0 => drop(symlink(canary, at)),
        1 => drop(symlink(canary.join("precious"), at)),
        2 => drop(Command::new("mkfifo").arg(at).output()),
        3 => drop(fs::create_dir(at)),
        _ => drop(fs::File::create_new(at)),
    }
}

/// Runs the command under attack; nothing outside changes, nothing hangs, and what is reported as done is whole.
fn besiege(subject: &Subject, reach: Reach, runs: u64) {
    let (mut done, mut failed) = (0, 0);
    for seed in 1..=runs {
        let room = subject.room();
        fs::create_dir_all(room.path("canary/deep")).unwrap();
        room.write("canary/precious", b"precious");
        room.write("canary/deep/MANIFEST.json", b"{\"format_version\": 1}");
        let before = canary(&room);
        let parent = room.path(".");
        let stop = AtomicBool::new(false);
        let run = thread::scope(|scope| {
            scope.spawn(|| {
                let mut dice = Dice::of_seed(seed);
                // He is faster in some runs than in others.
                let pause = dice.roll(1000) + 1;
                while !stop.load(Ordering::Relaxed) {
                    idle(Duration::from_micros(dice.roll(pause)), &stop);
                    attack(&mut dice, reach, &parent, &room.path("canary"), subject.targets());
                    thread::yield_now();
                }
            });
            let run = end_of(room.command(&subject.words).spawn().unwrap());
            stop.store(true, Ordering::Relaxed);
            run
        });
        let context = format!("{} besieged in reach {reach:?}, seed {seed}: {run:?}", subject.name);
        assert_eq!(canary(&room), before, "{context}");
        check_outcome(subject, &room, reach, &run, &context);
        if run.code == Some(0) {
            done += 1;
        } else {
            failed += 1;
        }
    }
    println!("{} besieged, reach {reach:?}: {runs} runs, {done} done and whole, {failed} refused", subject.name);
}

fn check_outcome(subject: &Subject, room: &Room, reach: Reach, run: &Run, context: &str) {
    if run.code == Some(0) {
        if reach == Reach::Staging {
            // The owner's own processes can change a dump at any time, before and after it is published: then `verify` says so.
            let verified = room.run(&["verify", "out"]);
            if verified.code != Some(0) {
                assert!(matches!(verified.code, Some(1 | 2)), "{context}: {verified:?}");
                return;
            }
        }
        assert_eq!(subject.found(room, context), Found::After, "{context}");
        return;
    }
    assert!(matches!(run.code, Some(1..=4)), "{context}");
    assert!(run.stderr.contains("error: "), "{context}");
}

#[test]
fn attack_beside_the_target_costs_the_run_at_most() {
    for plan in [&DECODE, &PACK, &ENCODE] {
        besiege(&Subject::new(plan, Data::Much), Reach::Parent, 6);
    }
    for plan in [&DECODE, &DECODE_TO_ARCHIVE] {
        besiege(&Subject::new(plan, Data::Much), Reach::Staging, 6);
    }
}

#[test]
#[ignore = "long form: a thousand runs of each kind"]
fn long_attack_beside_the_target_costs_the_run_at_most() {
    for data in [Data::Little, Data::Much] {
        for plan in [&DECODE, &DECODE_TO_ARCHIVE, &UNPACK, &ENCODE, &RESTORE] {
            besiege(&Subject::new(plan, data), Reach::Parent, 500);
        }
        for plan in [&DECODE, &DECODE_TO_ARCHIVE] {
            besiege(&Subject::new(plan, data), Reach::Staging, 500);
        }
    }
}

/// Passes the time, unless the program has ended. Counted in yields it would be long on a machine that has other work to do.
fn idle(time: Duration, stop: &AtomicBool) {
    let start = Instant::now();
    while start.elapsed() < time && !stop.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

/// Changes the snapshot all the time while it is decoded.
fn disturb_input(runs: u64) {
    let (mut done, mut failed) = (0, 0);
    let subject = Subject::new(&DECODE, Data::Much);
    let undisturbed = Instant::now();
    subject.room().run(&subject.words()).assert_code(0);
    let run_us = u64::try_from(undisturbed.elapsed().as_micros()).unwrap();
    for seed in 1..=runs {
        let room = subject.room();
        let snapshot = room.path("in.fsm");
        fs::copy(&subject.words[1], &snapshot).unwrap();
        let stop = AtomicBool::new(false);
        let run = thread::scope(|scope| {
            scope.spawn(|| {
                let mut dice = Dice::of_seed(seed);
                let file = fs::OpenOptions::new().write(true).open(&snapshot).unwrap();
                // The first change comes at a moment that differs from run to run.
                idle(Duration::from_micros(dice.roll(run_us)), &stop);
                let len = file.metadata().unwrap().len();
                let overwrites = dice.roll(2) == 0;
                while !stop.load(Ordering::Relaxed) {
                    match (overwrites, dice.roll(2)) {
                        (true, _) => file.write_all_at(b"changed", dice.roll(len - 7)).unwrap(),
                        (false, 0) => file.set_len(len - dice.roll(len)).unwrap(),
                        (false, _) => file.set_len(len + dice.roll(100) + 1).unwrap(),
                    }
                    thread::yield_now();
                }
            });
            let run = end_of(room.command(["decode", "in.fsm", "out", "--fsync", "none"]).spawn().unwrap());
            stop.store(true, Ordering::Relaxed);
            run
        });
        let context = format!("snapshot disturbed, seed {seed}: {run:?}");
        if run.code == Some(0) {
            let out = room.timeless_tree("out");
            let same = subject.after.iter().filter(|(path, _)| !path.ends_with("MANIFEST.json"));
            assert!(same.into_iter().all(|(path, bytes)| out.get(path) == Some(bytes)), "{context}");
            done += 1;
        } else {
            assert!(matches!(run.code, Some(1 | 2)), "{context}");
            assert_eq!(room.names().into_iter().collect::<Vec<_>>(), ["in.fsm"], "{context}");
            failed += 1;
        }
    }
    println!("snapshot disturbed: {runs} runs, {done} done and whole, {failed} refused");
}

#[test]
fn snapshot_that_changes_while_it_is_read_gives_its_dump_or_none() {
    disturb_input(10);
}

#[test]
#[ignore = "long form: 1000 runs"]
fn snapshot_that_changes_in_any_of_many_moments_gives_its_dump_or_none() {
    disturb_input(1000);
}
