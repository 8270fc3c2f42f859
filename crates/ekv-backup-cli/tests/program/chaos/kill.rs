//! Runs that are killed, at any of their calls.

use std::collections::BTreeSet;

use ekv_testkit::Cases;

use super::inputs::Data;
use super::plan::ALL;
use super::strace::{self, CHANGING};
use super::subject::{Subject, is_staging};
use crate::support::Room;

/// Kills the command at chosen calls, and checks what lies there, what `clean` does about it, and that the next run succeeds.
fn kill(subject: &Subject, cases: Cases) {
    if !strace::is_available() {
        return;
    }
    let calls = strace::calls(&subject.room(), CHANGING, &subject.words);
    cases.run(&format!("{} killed", subject.name), calls.len(), |number| {
        let call = &calls[number];
        let context = format!("{} killed at {call:?}", subject.name);
        let room = subject.room();
        let run = strace::run(&room, call, "signal=KILL", &subject.words);
        assert!(matches!(run.code, None | Some(0)), "{context}: {run:?}");
        let found = subject.found(&room, &context);

        let leftovers = subject.leftovers(&room);
        assert!(leftovers.iter().all(|name| is_staging(name)), "{context}: {leftovers:?}");
        assert_eq!(cleaned(&room, subject.place()), leftovers, "{context}");
        assert!(subject.leftovers(&room).is_empty(), "{context}");
        assert_eq!(subject.found(&room, &context), found, "{context}");
        subject.run_again(&room, found, &context);
    });
}

/// Names of what `clean` removed.
fn cleaned(room: &Room, place: &str) -> BTreeSet<String> {
    let report = room.run(&["clean", place, "--json"]).assert_code(0).json();
    let leftovers = report["leftovers"].as_array().unwrap().iter();
    leftovers
        .map(|leftover| {
            assert_eq!(leftover["removed"], true, "{report}");
            leftover["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn command_killed_at_some_call_leaves_a_whole_output_or_none() {
    for plan in ALL {
        kill(&Subject::new(plan, Data::Much), Cases::Sample(4));
    }
}

#[test]
#[ignore = "long form: every call of small runs, and a sample of those of long ones"]
fn command_killed_at_any_call_leaves_a_whole_output_or_none() {
    for plan in ALL {
        kill(&Subject::new(plan, Data::Little), Cases::All);
        kill(&Subject::new(plan, Data::Much), Cases::Sample(100));
    }
}
