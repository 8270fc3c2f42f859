//! Several runs with one target.

use super::inputs::Data;
use super::plan::{
    CHECKSUMS, DECODE, DECODE_REPLACING, DECODE_TO_ARCHIVE, DECODE_TO_ARCHIVE_REPLACING, ENCODE, ENCODE_REPLACING,
    PACK, PACK_REPLACING, PREPARE_RESTORE, RESTORE, UNPACK, UNPACK_REPLACING,
};
use super::subject::{Found, Subject};
use crate::support::{Run, end_of};

/// Runs at the same time.
const RUNS: usize = 4;

fn race(subject: &Subject) -> (Vec<Run>, Found) {
    let room = subject.room();
    let children: Vec<_> = (0..RUNS).map(|_| room.command(&subject.words).spawn().unwrap()).collect();
    let runs: Vec<Run> = children.into_iter().map(end_of).collect();
    let context = format!("{}: {runs:?}", subject.name);
    assert!(subject.leftovers(&room).is_empty(), "{context}");
    let found = subject.found(&room, &context);
    (runs, found)
}

#[test]
fn exactly_one_of_several_runs_with_one_target_wins() {
    for plan in [&DECODE, &DECODE_TO_ARCHIVE, &PACK, &UNPACK, &ENCODE, &RESTORE, &PREPARE_RESTORE] {
        let subject = Subject::new(plan, Data::Much);
        let (runs, found) = race(&subject);
        assert_eq!(found, Found::After, "{}", subject.name);
        assert_eq!(runs.iter().filter(|run| run.code == Some(0)).count(), 1, "{}: {runs:?}", subject.name);
        for loser in runs.iter().filter(|run| run.code != Some(0)) {
            loser.assert_code(1).assert_says("exists already");
        }
    }
}

#[test]
fn runs_that_replace_one_target_leave_a_whole_output() {
    for plan in [
        &DECODE_REPLACING,
        &DECODE_TO_ARCHIVE_REPLACING,
        &PACK_REPLACING,
        &UNPACK_REPLACING,
        &ENCODE_REPLACING,
        &CHECKSUMS,
    ] {
        let subject = Subject::new(plan, Data::Much);
        let (runs, found) = race(&subject);
        assert_eq!(found, Found::After, "{}: {runs:?}", subject.name);
        assert!(runs.iter().any(|run| run.code == Some(0)), "{}: {runs:?}", subject.name);
        for loser in runs.iter().filter(|run| run.code != Some(0)) {
            // `checksums` may come upon the staging directory of another run, which is no part of a dump.
            let says_why = ["error: ", "problem: "].iter().any(|word| loser.stderr.contains(word));
            assert!(matches!(loser.code, Some(1 | 2)) && says_why, "{loser:?}");
        }
    }
}
