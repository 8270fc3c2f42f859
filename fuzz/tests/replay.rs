//! Every input that was ever worth keeping, on every test run.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::catch_unwind;

use ekv_fuzz::{corpus, targets};

#[test]
fn fuzz_corpus_replays_without_a_panic() {
    let mut failed = Vec::new();
    let mut inputs = 0;
    for target in targets::ALL {
        for (name, input) in corpus::load(target).unwrap() {
            inputs += 1;
            if catch_unwind(|| (target.run)(&input)).is_err() {
                failed.push(format!("{}: {name}", target.name));
            }
        }
    }
    assert!(inputs > 0, "there is a corpus");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn fuzz_seeds_replay_without_a_panic() {
    for target in targets::ALL {
        for seed in (target.seeds)() {
            (target.run)(&seed);
        }
    }
}
