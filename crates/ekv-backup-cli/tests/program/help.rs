//! What help must say.

use crate::support::Room;

/// The long help of a command, with blanks and line ends made equal.
fn help(command: &[&str]) -> String {
    let run = Room::new().run(&[command, &["--help"]].concat());
    assert_eq!(run.stderr, "");
    run.assert_code(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_mentions(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not mentioned in: {text}");
    }
}

#[test]
fn program_lists_its_commands_and_first_steps() {
    let words = ["decode", "verify", "inspect", "clean", "verify dump", "--json", "--quiet", "NO_COLOR"];
    assert_mentions(&help(&[]), &words);
}

#[test]
fn decode_explains_time_and_exit_codes_and_the_names_of_the_reference_decoder() {
    let text = help(&["decode"]);
    assert_mentions(&text, &["10 seconds", "add 10 seconds", "RFC 3339", "hlc:", "retention"]);
    assert_mentions(&text, &["--input", "--output", "--adapter", "--rename-collisions", "--cluster-id"]);
    assert_mentions(&text, &["--force", "--fsync", "--parents", "--portable-names", "--verify", "--strict", "--view"]);
    assert_mentions(
        &text,
        &[
            "One file per Redis string",
            "sha256sum -c",
            "standard input",
            "data directory",
            "complete or absent",
            "Raft index",
            "Ctrl-C",
        ],
    );
    let codes = [
        "0 done",
        "1 usage",
        "2 data",
        "3 out of space",
        "4 another failure",
        "5 done, but not everything is there",
        "6 the answer is no",
        "130 cancelled",
    ];
    assert_mentions(&text, &["Exit codes:"]);
    assert_mentions(&text, &codes);
}

#[test]
fn long_help_begins_with_two_examples_and_short_help_does_not() {
    let room = Room::new();
    for command in ["ls", "encode", "restore", "clean"] {
        let help = room.run(&[command, "--help"]);
        let lines: Vec<&str> = help.assert_code(0).stdout.lines().take_while(|line| !line.is_empty()).collect();
        let examples = lines.iter().filter(|line| line.starts_with("  ekv-backup")).count();
        assert_eq!((lines[0], examples), ("For example:", 2), "{command}");
        assert!(lines[1].starts_with(&format!("  ekv-backup {command} ")), "{lines:?}");
        assert!(!room.run(&[command, "-h"]).assert_code(0).stdout.contains("For example:"));
    }
}

#[test]
fn filters_of_a_command_that_takes_one_address_are_told_what_to_write() {
    let room = Room::new();
    for words in [&["get", "s.fsm", "--queue", "orders"][..], &["history", "s.fsm", "--table", "t"]] {
        room.run(words).assert_code(1).assert_says("one address says what is meant");
    }
}

#[test]
fn other_commands_explain_themselves() {
    assert_mentions(&help(&["verify"]), &["manifest", "checksums", "Exit code 0"]);
    assert_mentions(&help(&["inspect"]), &["without writing anything", "--at", "10 seconds", "--require-checksum"]);
    let report =
        ["--html", "--top", "--depth", "--separators", "1.6 %", "a dump holds one version", "--prefix", "--at"];
    assert_mentions(&help(&["report"]), &report);
    assert_mentions(&help(&["clean"]), &["staging", "killed", "--dry-run"]);
    let encode = help(&["encode"]);
    assert_mentions(&encode, &["--prefix", "--key", "--last-commit-ts", "--form", "--no-self-test", "--sort-memory"]);
    assert_mentions(&encode, &["edited by hand", "ekv-backup checksums dump", "encode_info.json", "--force"]);
    assert_mentions(&help(&["restore"]), &["--peers", "--fresh-cluster", "--prefix", "ekv-backup checksums dump"]);
    assert_mentions(&help(&["checksums"]), &["edited by hand", "--dry-run", "before the first edit"]);
    assert_mentions(&help(&["completions"]), &["bash", "zsh", "fish"]);
    assert_mentions(&help(&["manual"]), &["manual page"]);
    assert_mentions(&help(&[]), &["version", "Print the version"]);
}

#[test]
fn every_command_that_works_on_data_shows_examples_and_exit_codes() {
    let commands = [
        "decode",
        "verify",
        "inspect",
        "report",
        "export",
        "checksums",
        "encode",
        "restore",
        "prepare-restore",
        "pack",
        "unpack",
        "clean",
    ];
    for command in commands {
        let example = format!("Examples: ekv-backup {command} ");
        assert_mentions(&help(&[command]), &[&example, "Exit codes: 0 done", "130 cancelled"]);
    }
}

#[test]
fn manual_page_refers_to_no_page_that_is_not_there() {
    let room = Room::new();
    let page = room.run(&["manual"]).assert_code(0).stdout.clone();
    std::fs::create_dir(room.path("pages")).unwrap();
    room.run(&["manual", "pages"]).assert_code(0);
    let references: Vec<&str> = page.lines().filter_map(|line| line.strip_suffix("(1)")).collect();
    assert!(references.len() > 5, "{page}");
    for reference in references {
        let file = format!("pages/{}.1", reference.replace('\\', ""));
        assert!(room.path(&file).is_file(), "{file}");
    }
}

#[test]
fn short_help_and_version_are_no_errors() {
    let room = Room::new();
    for arguments in [&["-h"][..], &["decode", "-h"], &["help", "decode"], &["--version"]] {
        let run = room.run(arguments);
        assert!(!run.assert_code(0).stdout.is_empty());
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn every_command_that_takes_a_source_says_that_it_can_be_an_offload_store_and_have_encrypted_values() {
    let room = Room::new();
    for verb in ["decode", "inspect", "ls", "get", "history", "diff", "report", "export", "load", "compare"] {
        let help = room.run(&[verb, "--help"]).assert_code(0).stdout.clone();
        for word in ["offload store", "--encryption-keys", "--kek-file", "--data-key", "--group", "--published-before"]
        {
            assert!(help.contains(word), "{verb}: {word}");
        }
    }
}
