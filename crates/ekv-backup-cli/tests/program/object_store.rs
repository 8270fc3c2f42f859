//! Archives on an object store: written as a whole or not at all, and read wherever a file is.

use std::process::Command;

use ekv_testkit::aws::{MiniStack, ScriptedAws, Told};

use crate::support::{Room, Run, end_of};

const DUMP: &str = "s3://backups/n1/night.tar.zst";
const KEY: &str = "/backups/n1/night.tar.zst";

/// A server with the bucket `backups`.
fn server() -> Option<MiniStack> {
    let server = MiniStack::start()?;
    assert_eq!(server.s3("PUT", "/backups", b"").status, 200);
    Some(server)
}

/// Runs the program so that it reaches the store at `url`.
fn run(room: &Room, url: &str, arguments: &[&str]) -> Run {
    end_of(reaching(room.command(arguments), url).spawn().unwrap())
}

fn reaching(mut command: Command, url: &str) -> Command {
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

/// What the store has in the bucket, and the uploads that are under way, as it lists them.
fn names(server: &MiniStack) -> (String, String) {
    let listed = server.s3("GET", "/backups?list-type=2", b"").text();
    (listed, server.s3("GET", "/backups?uploads", b"").text())
}

fn assert_nothing_is_there(server: &MiniStack, what: &str) {
    let (objects, uploads) = names(server);
    assert!(!objects.contains("<Key>"), "{what}: {objects}");
    assert!(!uploads.contains("<Key>"), "{what}: {uploads}");
}

#[test]
fn dump_on_a_store_is_that_of_a_file_and_is_read_by_every_verb() {
    let Some(server) = server() else { return };
    let room = Room::with_real_snapshot();
    let run = |arguments: &[&str]| run(&room, &server.url(), arguments);
    let decoded = run(&["decode", "redis-1.fsm", DUMP]);
    assert!(decoded.assert_code(0).stdout.contains("created, not replaced"), "{decoded:?}");
    assert_eq!(run(&["decode", "redis-1.fsm", "night.tar.zst"]).code, Some(0));
    run(&["unpack", DUMP, "from-store"]).assert_code(0);
    run(&["unpack", "night.tar.zst", "from-file"]).assert_code(0);
    let (mut store, mut file) = (room.tree("from-store"), room.tree("from-file"));
    // They say when they were written.
    for tree in [&mut store, &mut file] {
        tree.retain(|path, _| path.as_os_str() != "MANIFEST.json" && path.as_os_str() != "CHECKSUMS");
    }
    assert!(store == file && store.len() > 100);
    run(&["verify", DUMP]).assert_code(0);
    let keys = |source: &str| {
        let listed = run(&["ls", source, "--type", "string"]).assert_code(0).stdout.clone();
        let mut keys: Vec<String> = listed.lines().map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert!(keys(DUMP) == keys("redis-1.fsm") && keys(DUMP).len() > 50);
    let of_store = run(&["get", DUMP, "redis:0/boot"]);
    assert_eq!(of_store.assert_code(0).stdout, run(&["get", "redis-1.fsm", "redis:0/boot"]).stdout);
    run(&["diff", DUMP, "redis-1.fsm"]).assert_code(0);
    run(&["encode", DUMP, "payload.fsm"]).assert_code(0);
    let packed = run(&["pack", "from-store", "s3://backups/packed.tar"]);
    packed.assert_code(0);
    run(&["verify", "s3://backups/packed.tar"]).assert_code(0);
}

#[test]
fn snapshot_on_a_store_is_read_as_one_in_a_file() {
    let Some(server) = server() else { return };
    let room = Room::with_real_snapshot();
    let bytes = std::fs::read(room.path("redis-1.fsm")).unwrap();
    assert_eq!(server.s3("PUT", "/backups/r.fsm", &bytes).status, 200);
    let run = |arguments: &[&str]| run(&room, &server.url(), arguments);
    let of_store = run(&["ls", "s3://backups/r.fsm"]);
    assert!(of_store.assert_code(0).stdout == run(&["ls", "redis-1.fsm"]).stdout);
    run(&["decode", "s3://backups/r.fsm", "s3://backups/r.tar.zst"]).assert_code(0);
    run(&["diff", "s3://backups/r.tar.zst", "redis-1.fsm"]).assert_code(0);
}

#[test]
fn object_that_is_there_stays_unless_it_is_replaced_on_purpose() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    let run = |arguments: &[&str]| run(&room, &server.url(), arguments);
    assert_eq!(server.s3("PUT", KEY, b"mine").status, 200);
    run(&["decode", "snapshot.fsm", DUMP]).assert_code(1).assert_says("exists already").assert_says("--force");
    assert_eq!(server.s3("GET", KEY, b"").text(), "mine");
    run(&["decode", "snapshot.fsm", DUMP, "--dry-run", "--force"]).assert_code(0);
    assert_eq!(server.s3("GET", KEY, b"").text(), "mine");
    let replaced = run(&["decode", "snapshot.fsm", DUMP, "--force"]);
    assert!(replaced.assert_code(0).stdout.contains("in place of what was there"), "{replaced:?}");
    run(&["verify", DUMP]).assert_code(0);
}

#[test]
fn nothing_is_to_be_seen_of_a_dry_run_of_a_damaged_snapshot_and_of_wrong_names() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    let mut bytes = std::fs::read(room.path("snapshot.fsm")).unwrap();
    bytes[60] ^= 1;
    room.write("damaged.fsm", &bytes);
    let run = |arguments: &[&str]| run(&room, &server.url(), arguments);
    run(&["decode", "snapshot.fsm", DUMP, "--dry-run"]).assert_code(0);
    run(&["decode", "damaged.fsm", DUMP]).assert_code(2);
    run(&["decode", "snapshot.fsm", "s3://backups/dump.zip"]).assert_code(1);
    run(&["decode", "snapshot.fsm", "s3://backups/n1/"]).assert_code(1).assert_says("name an object");
    run(&["decode", "snapshot.fsm", "s3:///key"]).assert_code(1).assert_says("no bucket");
    run(&["verify", DUMP]).assert_code(1).assert_says("is not there");
    run(&["ls", DUMP]).assert_code(1).assert_says("is not there");
    assert_nothing_is_there(&server, "whatever failed");
}

#[test]
fn whatever_request_fails_or_goes_unanswered_the_dump_is_there_as_a_whole_or_not_at_all() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    let port = server.port();
    let requests = {
        let counted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counting = std::sync::Arc::clone(&counted);
        let endpoint = ScriptedAws::start(move |asked| {
            counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            asked.forwarded(port)
        });
        run(&room, &endpoint.url(), &["decode", "snapshot.fsm", DUMP]).assert_code(0);
        counted.load(std::sync::atomic::Ordering::SeqCst)
    };
    assert_eq!(server.s3("DELETE", KEY, b"").status, 204);
    assert!(requests >= 5, "asked, probed twice, cleaned up, written: {requests}");
    for n in 0..requests {
        let refused = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        let endpoint = ScriptedAws::start(move |asked| match asked.number {
            number if number == n => Told::xml(403, refused),
            _ => asked.forwarded(port),
        });
        let run = run(&room, &endpoint.url(), &["decode", "snapshot.fsm", DUMP]);
        assert_ne!(run.code, Some(0), "request {n}: {run:?}");
        let (objects, uploads) = names(&server);
        assert!(!objects.contains("night.tar.zst") && !uploads.contains("<Key>"), "request {n}: {objects} {uploads}");
    }
    for n in 0..requests {
        let endpoint = ScriptedAws::start(move |asked| {
            let answer = asked.forwarded(port);
            if asked.number == n { Told::Nothing } else { answer }
        });
        run(&room, &endpoint.url(), &["decode", "snapshot.fsm", DUMP]).assert_code(0);
        run(&room, &server.url(), &["verify", DUMP]).assert_code(0);
        assert_eq!(server.s3("DELETE", KEY, b"").status, 204);
    }
}

#[test]
fn cut_and_flipped_answers_never_pass_as_the_dump() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    run(&room, &server.url(), &["decode", "snapshot.fsm", "s3://backups/dump.tar"]).assert_code(0);
    let port = server.port();
    let len = server.s3("GET", "/backups/dump.tar", b"").body.len();
    for at in (0..len).step_by(len / 7) {
        let endpoint = ScriptedAws::start(move |asked| match asked.forwarded(port) {
            Told::Whole { status, headers, mut body } if asked.method == "GET" => {
                body[at] ^= 0x40;
                Told::Whole { status, headers, body }
            }
            other => other,
        });
        let run = run(&room, &endpoint.url(), &["verify", "s3://backups/dump.tar"]);
        assert_ne!(run.code, Some(0), "byte {at}: {run:?}");
    }
    // Each answer is cut once, and asked for again.
    let endpoint = ScriptedAws::start(move |asked| match asked.method == "GET" && asked.number % 2 == 1 {
        true => asked.forwarded(port).cut(2_000),
        false => asked.forwarded(port),
    });
    run(&room, &endpoint.url(), &["verify", "s3://backups/dump.tar"]).assert_code(0);
}

#[test]
fn a_store_that_overwrites_what_must_be_new_is_refused_before_any_work() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    let port = server.port();
    let endpoint = ScriptedAws::start(move |asked| {
        let mut asked = asked.clone();
        asked.headers.retain(|(name, _)| name != "if-none-match");
        asked.forwarded(port)
    });
    let run = run(&room, &endpoint.url(), &["decode", "snapshot.fsm", DUMP]);
    run.assert_code(1).assert_says("overwrites objects");
    assert_nothing_is_there(&server, "the probe is deleted");
}

#[test]
fn killed_while_it_writes_the_program_leaves_no_object() {
    let Some(server) = server() else { return };
    let room = Room::with_small_snapshot();
    let port = server.port();
    for n in [0, 1, 3, 4] {
        let (reached, waits) = std::sync::mpsc::channel();
        let endpoint = ScriptedAws::start(move |asked| match asked.number == n {
            true => {
                reached.send(()).unwrap();
                Told::Never
            }
            false => asked.forwarded(port),
        });
        let mut child = reaching(room.command(["decode", "snapshot.fsm", DUMP]), &endpoint.url()).spawn().unwrap();
        waits.recv().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let (objects, _) = names(&server);
        assert!(!objects.contains("night.tar.zst"), "request {n}: {objects}");
    }
}
