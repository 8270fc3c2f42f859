//! Several runs with one target.

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
    for subject in [
        Subject::decode,
        Subject::decode_to_archive,
        Subject::pack,
        Subject::unpack,
        Subject::encode,
        Subject::restore,
        Subject::prepare_restore,
    ] {
        let subject = subject();
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
    for subject in [
        Subject::decode_replacing,
        Subject::decode_to_archive_replacing,
        Subject::pack_replacing,
        Subject::unpack_replacing,
        Subject::encode_replacing,
        Subject::checksums,
    ] {
        let subject = subject();
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
