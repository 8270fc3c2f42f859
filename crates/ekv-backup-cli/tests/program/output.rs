//! What is printed where.

use std::path::Path;
use std::process::{Command, Stdio};

use ekv_testkit::fixtures::REDIS_1;
use serde_json::Value;

use crate::support::{Room, end_of};

#[test]
fn json_report_of_decode_is_the_whole_account() {
    let room = Room::with_real_snapshot();
    let run = room.run(&["decode", "redis-1.fsm", "dump", "--json"]);
    assert_eq!(run.assert_code(0).stderr, "");
    let report = run.json();
    assert_eq!((&report["format_version"], &report["losses"]), (&Value::from(1), &Value::from(0)));
    assert!(report["dump"].as_str().unwrap().ends_with("dump"));
    let files = u64::try_from(room.tree("dump").len()).unwrap();
    // As `find dump -type f` and `verify` count them.
    assert_eq!(report["files"], files);
    let bytes: usize = room.tree("dump").values().map(Vec::len).sum();
    assert_eq!(report["bytes"], u64::try_from(bytes).unwrap());
    let verified = room.run(&["verify", "dump", "--json"]).json();
    assert_eq!((&verified["files"], &verified["bytes"]), (&report["files"], &report["bytes"]));
    for field in ["bytes", "published_by", "fsync", "families", "findings"] {
        assert!(!report[field].is_null(), "{field}");
    }
    let snapshot = &report["snapshots"][0];
    assert_eq!(snapshot["footer_crc32c"], format!("{:08x}", REDIS_1.footer_crc32c));
    assert_eq!((&snapshot["bytes"], &snapshot["newest"]["hlc"]), (&REDIS_1.len.into(), &REDIS_1.last_commit_ts.into()));
    assert_eq!(
        (&report["records"]["entries"], &report["records"]["visible"]),
        (&REDIS_1.entries.into(), &REDIS_1.visible.into())
    );
    // The same books are in the manifest.
    let manifest: Value = serde_json::from_slice(&room.tree("dump")[Path::new("MANIFEST.json")]).unwrap();
    for field in ["snapshots", "records", "families", "findings"] {
        assert_eq!(manifest["ekv_backup"][field], report[field], "{field}");
    }
}

#[test]
fn json_is_one_object_with_status_error_and_exit_code_whatever_happens() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump", "-q"]).assert_code(0);
    let peers = ["--peers", "n1=10.0.0.1:50051", "--fresh-cluster"];
    let restore = [&["restore", "nowhere", "n1"][..], &peers].concat();
    let prepare = [&["prepare-restore", "nowhere", "n1"][..], &peers].concat();
    for (words, code, status) in [
        (&["decode", "redis-1.fsm", "other"][..], 0, "done"),
        (&["inspect", "redis-1.fsm"], 0, "done"),
        (&["verify", "dump"], 0, "done"),
        (&["clean"], 0, "done"),
        (&["decode", "redis-1.fsm", "third", "--adapter", "s3"], 6, "no_match"),
        (&["decode", "redis-1.fsm", "dump"], 1, "failed"),
        (&["decode", "nowhere", "third"], 1, "failed"),
        (&["inspect", "redis-1.fsm", "--at", "2030-01-01T00:00:00Z"], 1, "failed"),
        (&["verify", "nowhere"], 1, "failed"),
        (&["checksums", "nowhere"], 1, "failed"),
        (&["pack", "nowhere", "x.tar"], 1, "failed"),
        (&["unpack", "nowhere", "third"], 1, "failed"),
        (&["encode", "nowhere", "x.fsm"], 1, "failed"),
        (&restore, 1, "failed"),
        (&prepare, 1, "failed"),
        (&["clean", "nowhere"], 1, "failed"),
        (&["decode", "--no-such-option"], 1, "failed"),
        (&[], 1, "failed"),
    ] {
        let run = room.run(&[words, &["--json"]].concat());
        let object = run.assert_code(code).json();
        assert_eq!((&object["status"], &object["exit_code"]), (&Value::from(status), &Value::from(code)), "{words:?}");
        assert_eq!(object["error"].is_string(), code != 0, "{words:?}");
        assert!(object["duration_ms"].is_u64() && object["counts"].is_object(), "{words:?}");
    }
    room.write("dump/extra", b"");
    let unsound = room.run(&["verify", "dump", "--json"]).assert_code(2).json();
    let problems = unsound["problems"].as_array().unwrap().len();
    assert_eq!((&unsound["status"], &unsound["counts"]["problems"]), (&Value::from("failed"), &Value::from(problems)));
    assert_eq!(unsound["error"], unsound["problems"][0]);
}

#[test]
fn raw_timestamps_in_json_stand_beside_a_string_that_nobody_rounds() {
    fn moments(value: &Value, found: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(hlc) = members.get("hlc") {
                    assert_eq!(members["hlc_text"], hlc.to_string(), "{value}");
                    *found += 1;
                }
                members.values().for_each(|member| moments(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| moments(item, found)),
            _ => {}
        }
    }
    let room = Room::with_real_snapshot();
    for words in [&["decode", "redis-1.fsm", "dump"][..], &["inspect", "redis-1.fsm"], &["encode", "dump", "x.fsm"]] {
        let mut found = 0;
        moments(&room.run(&[words, &["--json"]].concat()).assert_code(0).json(), &mut found);
        assert!(found > 0, "{words:?}");
    }
}

#[test]
fn json_reports_of_the_other_commands_parse_and_say_what_the_exit_code_says() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump", "-q"]).assert_code(0);
    let verified = room.run(&["verify", "dump", "--json"]);
    assert_eq!(verified.assert_code(0).json()["sound"], true);
    assert_eq!(verified.json()["problem_count"], 0);
    room.write("dump/extra", b"");
    let verified = room.run(&["--json", "verify", "dump"]);
    assert_eq!(verified.assert_code(2).json()["sound"], false);
    assert_eq!(verified.json()["problem_count"], verified.json()["problems"].as_array().unwrap().len());
    assert!(verified.json()["problems"][0].as_str().unwrap().contains("extra"));
    let inspected = room.run(&["inspect", "redis-1.fsm", "--json"]);
    assert_eq!(inspected.assert_code(0).json()["records"]["entries"], REDIS_1.entries);
    let cleaned = room.run(&["clean", "--json"]);
    assert_eq!(cleaned.assert_code(0).json()["leftovers"], Value::Array(Vec::new()));
}

#[test]
fn quiet_commands_that_succeed_print_nothing() {
    let room = Room::with_real_snapshot();
    let commands: [&[&str]; 5] = [
        &["decode", "redis-1.fsm", "dump", "--quiet"],
        &["decode", "-q", "redis-1.fsm", "dump", "--force", "--verify"],
        &["verify", "dump", "-q"],
        &["inspect", "redis-1.fsm", "--quiet"],
        &["clean", "--quiet"],
    ];
    for arguments in commands {
        let run = room.run(arguments);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""), "{arguments:?}");
    }
    room.run(&["-q", "verify", "nope"]).assert_code(1).assert_says("error: ");
    assert!(room.run(&["-q", "--json", "verify", "dump"]).json()["sound"].as_bool().unwrap());
}

#[test]
fn losses_and_warnings_are_told_beside_json_and_counted_in_it() {
    let room = Room::with_small_snapshot();
    let one_of_four = "groups-4.data.tar";
    tar::Archive::new(ekv_testkit::fixtures::read(one_of_four).as_slice()).unpack(room.path("")).unwrap();
    std::fs::remove_dir_all(room.path("n1/group-2")).unwrap();
    let quiet = room.run(&["decode", "n1", "quiet", "-q"]);
    let told: Vec<&str> = quiet.assert_code(5).stderr.lines().collect();
    assert!(told.iter().any(|line| line.starts_with("warning: INCOMPLETE: ")), "{told:?}");
    let json = room.run(&["decode", "n1", "dump", "--json"]);
    let beside: Vec<&str> = json.assert_code(5).stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert_eq!(beside, told);
    let counts = &json.json()["counts"];
    let told_count = u64::try_from(told.len()).unwrap();
    assert_eq!(counts["losses"].as_u64().unwrap() + counts["warnings"].as_u64().unwrap(), told_count, "{counts}");
    let findings = json.json()["findings"].as_array().unwrap().clone();
    let of = |severity: &str| findings.iter().filter(|finding| finding["severity"] == severity).count();
    assert_eq!(counts["losses"], of("loss"));
    assert!(counts["warnings"].as_u64().unwrap() >= u64::try_from(of("warning")).unwrap());
    for verb in [&["verify", "dump"][..], &["inspect", "n1"]] {
        let json = room.run(&[verb, &["--json"]].concat());
        assert!(json.stderr.contains("warning: ") && json.json()["counts"]["losses"] != 0, "{json:?}");
    }
    // Where an archive goes to standard output, the object is all that standard error has, notes aside.
    let streamed = room.command(["decode", "n1", "-", "--json"]).output().unwrap();
    let shown = String::from_utf8(streamed.stderr).unwrap();
    let object: Value = serde_json::from_str(&shown[shown.find("{\n").unwrap()..]).unwrap();
    assert_eq!((streamed.status.code(), &object["counts"]["losses"]), (Some(5), &counts["losses"]));
    assert!(!shown.contains("warning: INCOMPLETE"), "{shown}");
}

#[test]
fn time_of_a_manifest_is_that_of_source_date_epoch() {
    let room = Room::with_small_snapshot();
    let decode = |dump: &str, epoch: &str| {
        end_of(room.command(["decode", "snapshot.fsm", dump]).env("SOURCE_DATE_EPOCH", epoch).spawn().unwrap())
    };
    for dump in ["a", "b"] {
        decode(dump, "1795359771")
            .assert_code(0)
            .assert_says("note: MANIFEST.json states the time of SOURCE_DATE_EPOCH");
    }
    assert_eq!(room.tree("a"), room.tree("b"));
    let manifest: Value = serde_json::from_slice(&room.tree("a")[Path::new("MANIFEST.json")]).unwrap();
    assert!(manifest["wall_time_iso"].as_str().unwrap().starts_with("2026-11-22T15:02:51"), "{manifest}");
    decode("c", "yesterday").assert_code(1).assert_says("SOURCE_DATE_EPOCH");
    assert!(!room.path("c").exists());
}

#[test]
fn pipes_get_no_colour_unless_it_is_asked_for() {
    let room = Room::new();
    let failing = ["verify", "nope"];
    assert!(!room.run(&failing).stderr.contains('\x1b'));
    assert!(!room.run(&[&["--color", "never"], &failing[..]].concat()).stderr.contains('\x1b'));
    assert!(room.run(&[&["--color", "always"], &failing[..]].concat()).stderr.contains('\x1b'));
}

#[test]
fn terminal_gets_colour_unless_no_color_is_set() {
    let room = Room::new();
    // `script` runs a command on a terminal of its own.
    let on_terminal = |no_color: &str| {
        let line = format!("TERM=xterm NO_COLOR={no_color} {} verify nope", env!("CARGO_BIN_EXE_ekv-backup"));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(room.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().ok().map(|child| end_of(child).stdout)
    };
    let (Some(plain), Some(coloured)) = (on_terminal("1"), on_terminal("")) else {
        println!("skipped, there is no `script`");
        return;
    };
    assert!(plain.contains("error: ") && !plain.contains('\x1b'), "{plain:?}");
    assert!(coloured.contains("\x1b[1;31merror"), "{coloured:?}");
}
