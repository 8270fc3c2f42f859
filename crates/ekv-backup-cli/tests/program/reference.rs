//! Command lines written for the reference's tools.

use crate::support::Room;

const TRUE: [&str; 6] = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE: [&str; 6] = ["0", "f", "F", "FALSE", "false", "False"];

#[test]
fn booleans_are_read_as_go_reads_them_in_every_option_and_form() {
    let room = Room::with_small_snapshot();
    let options = [
        "include-incomplete-uploads",
        "include-orphans",
        "preserve-sqs-visibility",
        "include-sqs-side-records",
        "rename-collisions",
    ];
    // All options at once: each value in each option, alternately with one dash and with two.
    for (n, value) in TRUE.into_iter().chain(FALSE).enumerate() {
        let dash = ["-", "--"][n % 2];
        let booleans: Vec<String> = options.iter().map(|option| format!("{dash}{option}={value}")).collect();
        let output = format!("dump-{n}");
        let mut words = vec!["decode", "-input", "snapshot.fsm", "--output", &output];
        words.extend(booleans.iter().map(String::as_str));
        room.run(&words).assert_code(0);
        let manifest = String::from_utf8(room.tree(&output)[std::path::Path::new("MANIFEST.json")].clone()).unwrap();
        let expected = format!("\"include_orphans\": {}", TRUE.contains(&value));
        assert!(manifest.contains(&expected), "{value}: {manifest}");
    }
    for value in ["yes", "on", "tRUE", "2", ""] {
        let option = format!("--include-orphans={value}");
        let run = room.run(&["decode", "--input", "snapshot.fsm", "--output", "other", &option]);
        run.assert_code(1).assert_says("expected true or false");
    }
    let bare: Vec<String> = options.iter().map(|option| format!("-{option}")).collect();
    let mut words = vec!["decode", "-input=snapshot.fsm", "-output=bare"];
    words.extend(bare.iter().map(String::as_str));
    room.run(&words).assert_code(0);
}

#[test]
fn booleans_of_encode_and_prepare_restore_are_read_the_same_way() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    for (n, value) in TRUE.into_iter().chain(FALSE).enumerate() {
        let (payload, node) = (format!("payload-{n}"), format!("node-{n}"));
        let self_test = format!("-self-test={value}");
        room.run(&["encode", "-input", "dump", "-output", &payload, &self_test, "--fsync", "none"]).assert_code(0);
        let is_true = TRUE.contains(&value);
        let words = |fresh: &str, id: &[&str]| {
            let options = [
                format!("-fresh-cluster={fresh}"),
                "-allow-unverified-self-test=T".to_owned(),
                format!("--allow-missing-cluster-id={value}"),
            ];
            let mut words: Vec<String> =
                ["prepare-restore", "-input", &payload, "-data-dir", &node, "-peers", "n1=h:1"]
                    .into_iter()
                    .chain(id.iter().copied())
                    .map(str::to_owned)
                    .collect();
            words.extend(options);
            words
        };
        let run = |words: Vec<String>| room.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // A false one is as good as none: a cluster must be named then, and one that is named must be that of the dump.
        if is_true {
            run(words(value, &["-target-cluster-id", "prod"])).assert_code(1).assert_says("cannot be used with");
            run(words(value, &[])).assert_code(0);
        } else {
            run(words(value, &[])).assert_code(1).assert_says("--fresh-cluster").assert_says("--target-cluster-id");
            run(words(value, &["-target-cluster-id", "prod"])).assert_code(2).assert_says("from which cluster");
        }
    }
}

#[test]
fn options_whose_values_are_no_text_are_respelled_too() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let room = Room::with_small_snapshot();
    let output = OsStr::from_bytes(b"-output=dump-\xfe");
    let words = [OsStr::new("decode"), OsStr::new("-input=snapshot.fsm"), output];
    let run = crate::support::end_of(room.command(words).spawn().unwrap());
    if run.code != Some(0) {
        println!("skipped, the file system takes text only: {run:?}");
        return;
    }
    assert!(room.path(OsStr::from_bytes(b"dump-\xfe")).is_dir());
}
