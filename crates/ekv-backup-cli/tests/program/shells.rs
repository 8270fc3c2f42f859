//! What is pasted into a shell, and what a shell completes.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::Room;

/// Runs a script in a shell, in the room, with the program first in the path; `None` where there is no such shell.
fn run_script(room: &Room, shell: &[&str], script: &str) -> Option<(bool, String)> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ekv-backup")).parent().unwrap();
    let path = std::env::join_paths(
        [program.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).current_dir(room.path("")).env("PATH", path.unwrap()).env("HOME", room.path(""));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.inspect_err(|_| println!("skipped, no {}", shell[0])).ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text.into_owned()))
}

/// The command that is printed in the line with this text before it.
fn command_after<'a>(report: &'a str, lead: &str) -> &'a str {
    let at = report.find(lead).unwrap_or_else(|| panic!("no {lead:?} in {report}"));
    report[at + lead.len()..].lines().next().unwrap()
}

#[test]
fn commands_that_are_printed_work_as_they_are_in_every_shell() {
    for name in [
        "my dump",
        "it's \"$HOME\" `x` \\ !",
        "-rf",
        "two\nlines",
        "*?[a]{b,c}~#=",
        "é 日本",
        "tab\tesc\u{1b}[2J",
        "%d%%",
    ] {
        let room = Room::with_small_snapshot();
        let decode = room.run(&["decode", "snapshot.fsm", "--", name]);
        let verify = command_after(&decode.assert_code(0).stdout, "check it any time: ").to_owned();
        assert!(verify.chars().all(ekv_text::is_shown_as_it_is), "{verify:?}");
        let payload = format!("{name}.fsm");
        let encode = room.run(&["encode", "--", name, &payload]);
        let prepare = command_after(&encode.assert_code(0).stdout, "make a node of it: ").to_owned();
        for (n, shell) in ["sh", "bash", "zsh", "fish"].into_iter().enumerate() {
            let prepare = prepare.replace("DATA_DIR", &format!("n{n}")).replace("ID=HOST:PORT", &format!("n{n}=h:1"));
            for command in [verify.clone(), prepare] {
                let Some((is_done, text)) = run_script(&room, &[shell], &format!("{command} -q\n")) else { continue };
                assert!(is_done, "{shell}: {command}: {text}");
            }
        }
    }
}

#[test]
fn next_steps_of_a_restore_are_quoted() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let run = room.run(&["restore", "dump", "my data", "--peers", "n 1=127.0.0.1:2380", "--fresh-cluster"]);
    let step = command_after(&run.assert_code(0).stdout, "for example\n").trim_start().to_owned();
    let moved = step.replace("<raftDataDir>/", "raft-");
    let Some((is_done, text)) = run_script(&room, &["sh"], &format!("{moved}\n")) else { return };
    assert!(is_done && room.path("raft-n 1").is_dir(), "{moved}: {text}");
    std::fs::create_dir(room.path("raft data")).unwrap();
    let words = ["restore", "dump", "raft data/n 1", "--peers", "n 1=127.0.0.1:2380", "--fresh-cluster"];
    let run = room.run(&words);
    let flags = command_after(&run.assert_code(0).stdout, "its flags must be\n").trim_start().to_owned();
    let raft_data_dir = room.path("raft data").canonicalize().unwrap();
    let (_, shown) = run_script(&room, &["sh"], &format!("printf '%s\\n' {flags}\n")).unwrap();
    let expected = ["-raftId", "n 1", "-address", "127.0.0.1:2380", "-raftDataDir", raft_data_dir.to_str().unwrap()];
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
}

/// What bash completes a line to, as its completion function says.
fn completed_by_bash(room: &Room, words: &[&str]) -> Option<Vec<String>> {
    let script = format!(
        "source <(ekv-backup completions bash)\n\
         COMP_WORDS=({})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         _ekv__backup ekv-backup \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.iter().map(|word| if word.is_empty() { "''" } else { word }).collect::<Vec<_>>().join(" ")
    );
    let (_, text) = run_script(room, &["bash", "--norc"], &script)?;
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_options_behind_every_command() {
    let room = Room::new();
    for (words, expected) in [
        (&["ekv-backup", "deco"][..], "decode"),
        (&["ekv-backup", "decode", "--fo"], "--force"),
        (&["ekv-backup", "dump", "--fo"], "--force"),
        (&["ekv-backup", "decode", "a.fsm", "dump", "--fsync", "f"], "full"),
        (&["ekv-backup", "verify", "--max-e"], "--max-entries"),
        (&["ekv-backup", "check", "--max-e"], "--max-entries"),
        (&["ekv-backup", "inspect", "--require"], "--require-checksum"),
        (&["ekv-backup", "prepare-restore", "--fresh"], "--fresh-cluster"),
        (&["ekv-backup", "restore", "--fresh"], "--fresh-cluster"),
        (&["ekv-backup", "encode", "--no-self"], "--no-self-test"),
        (&["ekv-backup", "pack", "--compression", "z"], "zstd"),
        (&["ekv-backup", "clean", "--dry"], "--dry-run"),
        (&["ekv-backup", "completions", "fi"], "fish"),
        (&["ekv-backup", "help", "restor"], "restore"),
        (&["ekv-backup", "completions", ""], "fish"),
        (&["ekv-backup", "decode", "--adapter", ""], "dynamodb"),
        (&["ekv-backup", "encode", "a", "b", "--adapter", "r"], "redis"),
    ] {
        let Some(found) = completed_by_bash(&room, words) else { return };
        assert!(found.iter().any(|word| word == expected), "{words:?}: {found:?}");
    }
}

#[test]
fn bash_completes_files_where_a_file_is_named() {
    let room = Room::new();
    for words in
        [&["ekv-backup", "verify", ""][..], &["ekv-backup", "decode", "a.fsm", "du"], &["ekv-backup", "clean", ""]]
    {
        // Nothing of the program's own: bash then completes files, as it is told to.
        let Some(found) = completed_by_bash(&room, words) else { return };
        assert!(found.iter().all(String::is_empty), "{words:?}: {found:?}");
    }
    let script = room.run(&["completions", "bash"]).stdout;
    assert!(script.lines().any(|line| line.contains("complete -F") && line.contains("-o default")), "{script}");
}

#[test]
fn fish_completes_options_behind_every_command() {
    let room = Room::new();
    for (line, expected) in [
        ("ekv-backup deco", "decode"),
        ("ekv-backup decode --fo", "--force"),
        ("ekv-backup prepare-restore --fresh", "--fresh-cluster"),
        ("ekv-backup pack --compression z", "zstd"),
    ] {
        let script = format!("ekv-backup completions fish | source\ncomplete -C '{line}'\n");
        let Some((_, text)) = run_script(&room, &["fish", "--no-config"], &script) else { return };
        assert!(text.lines().any(|row| row.split('\t').next() == Some(expected)), "{line}: {text}");
    }
}

#[test]
fn zsh_reads_its_completion_script() {
    let room = Room::new();
    let script =
        "autoload -Uz compinit && compinit -u -D\nsource <(ekv-backup completions zsh)\nwhence -w _ekv-backup\n";
    let Some((is_done, text)) = run_script(&room, &["zsh", "-f"], script) else { return };
    assert!(is_done && text.contains("_ekv-backup: function"), "{text}");
}
