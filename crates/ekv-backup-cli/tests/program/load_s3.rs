//! `load` and `compare`: objects into buckets of S3.

use std::process::Command;
use std::sync::mpsc::channel;

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::aws::{Asked, Microburst, MiniStack, ScriptedAws, Told};
use ekv_testkit::fixtures::ALL_3;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Room, Run, end_of};

/// The program with credentials that an emulator takes, in a region.
pub(crate) fn aws_command(room: &Room, url: &str, arguments: &[&str]) -> Command {
    let mut command = room.command(arguments);
    command.args(["--endpoint-url", url, "--region", "us-east-1"]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

pub(crate) fn aws(room: &Room, url: &str, arguments: &[&str]) -> Run {
    end_of(aws_command(room, url, arguments).spawn().unwrap())
}

/// Length from which an object goes in several parts, and a bit.
const LARGE: usize = (64 << 20) + 1;

fn segment(bytes: &[u8]) -> Vec<u8> {
    let escaped: Vec<u8> = bytes.iter().flat_map(|byte| if *byte == 0 { vec![0, 0xff] } else { vec![*byte] }).collect();
    [&escaped[..], &[0, 1]].concat()
}

/// An object: key, content, metadata.
type ObjectRow<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str)]);

/// A snapshot of one bucket with these objects.
fn bucket(name: &str, objects: &[ObjectRow<'_>]) -> Vec<u8> {
    const AT: u64 = 1_000_000 << 16;
    let meta = json!({ "bucket_name": name, "generation": 1, "created_at_hlc": AT, "acl": "private" }).to_string();
    let key = |prefix: &str, parts: &[&[u8]]| [&[prefix.as_bytes()], parts].concat().concat();
    let (bucket, one) = (segment(name.as_bytes()), 1_u64.to_be_bytes());
    let mut snapshot = SnapshotBuilder::new().put(&key("!s3|bucket|meta|", &[&bucket]), AT, meta.as_bytes());
    for (number, (object, content, metadata)) in objects.iter().enumerate() {
        let upload = format!("{number:032x}");
        let chunks: Vec<&[u8]> = content.chunks(1 << 20).collect();
        let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
        let metadata: Value = metadata.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let part = json!({ "part_no": 1, "etag": "", "size_bytes": content.len(), "chunk_count": chunks.len(), "chunk_sizes": sizes });
        let parts = if content.is_empty() { json!([]) } else { json!([part]) };
        let head = json!({
            "upload_id": upload, "etag": "", "size_bytes": content.len(), "last_modified_hlc": AT, "content_type": "text/x",
            "user_metadata": metadata, "parts": parts,
        });
        let object = segment(object.as_bytes());
        snapshot = snapshot.put(&key("!s3|obj|head|", &[&bucket, &one, &object]), AT, head.to_string().as_bytes());
        for (number, chunk) in (0_u64..).zip(chunks) {
            let tail = [&one[..], &number.to_be_bytes()].concat();
            let blob = key("!s3|blob|", &[&bucket, &one, &object, &segment(upload.as_bytes()), &tail]);
            snapshot = snapshot.put(&blob, AT, chunk);
        }
    }
    snapshot.build()
}

/// Four small objects with everyday and awkward keys.
fn small() -> Vec<u8> {
    bucket(
        "photos",
        &[("../x", b"up", &[]), ("a//b", b"two", &[("note", "me <&>")]), ("dir/", b"", &[]), ("plain", b"text", &[])],
    )
}

fn small_room() -> Room {
    let room = Room::new();
    room.write("small.fsm", &small());
    room
}

fn load(room: &Room, url: &str, more: &[&str]) -> Run {
    aws(room, url, &[&["load", "small.fsm", "s3:"], more].concat())
}

fn compare(room: &Room, url: &str, more: &[&str]) -> Run {
    aws(room, url, &[&["compare", "small.fsm", "s3:"], more].concat())
}

#[test]
fn every_object_of_a_fixture_is_on_the_server_as_the_truth_says() {
    let Some(server) = MiniStack::start() else { return };
    let room = Room::new();
    let (snapshot, truth) = (ALL_3.compressed_path(), ALL_3.truth());
    let source = snapshot.to_str().unwrap();
    aws(&room, &server.url(), &["load", source, "s3:"]).assert_code(0);
    let buckets = ekv_testkit::truth::observation(&truth, "end")["s3"].as_object().unwrap();
    let mut compared = 0;
    for (bucket, objects) in buckets {
        for (key, wanted) in objects.as_object().unwrap() {
            let there = server.s3("GET", &format!("/{bucket}/{}", key.replace('%', "%25").replace(' ', "%20")), b"");
            let sum: String = Sha256::digest(&there.body).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sum, wanted["sha256"], "{bucket}/{key}");
            assert_eq!(there.header("content-type"), wanted["content_type"].as_str());
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared}");
    for more in [&[][..], &["--deep"]] {
        aws(&room, &server.url(), &[&["compare", source, "s3:"], more].concat())
            .assert_code(0)
            .assert_says("no difference");
    }
}

#[test]
fn awkward_keys_and_metadata_arrive_and_each_single_change_is_found() {
    let Some(server) = MiniStack::start() else { return };
    let (room, url) = (small_room(), server.url());
    let dry = load(&room, &url, &["--dry-run"]);
    assert!(dry.assert_code(0).stdout.contains("photos: 4 objects, new"), "{dry:?}");
    assert_eq!(server.s3("GET", "/photos", b"").status, 404, "a dry run creates nothing");
    load(&room, &url, &["--etag-metadata"]).assert_code(0);
    let there = server.s3("GET", "/photos/a//b", b"");
    assert_eq!((there.text().as_str(), there.header("x-amz-meta-note")), ("two", Some("me <&>")));
    assert_eq!(server.s3("GET", "/photos/../x", b"").text(), "up");
    compare(&room, &url, &["--deep"]).assert_code(0);
    let found = |more: &[&str], line: &str| {
        let run = compare(&room, &url, more);
        assert!(run.assert_code(6).stdout.lines().any(|told| told.starts_with(line)), "{line}: {run:?}");
    };
    server.s3("PUT", "/photos/plain", b"tex_");
    found(&["--deep"], "~ s3:photos/plain");
    server.s3("PUT", "/photos/plain", b"text");
    found(&["--deep"], "M s3:photos/plain");
    compare(&room, &url, &[]).assert_code(0);
    server.s3("PUT", "/photos/plain", b"longer");
    found(&[], "~ s3:photos/plain");
    server.s3("DELETE", "/photos/dir/", b"");
    found(&[], "- s3:photos/dir/");
    server.s3("PUT", "/photos/b", b"");
    found(&[], "+ s3:photos/b");
    compare(&room, &url, &["--prefix", "photos/a"]).assert_code(0);
    found(&["--rename", "photos=other"], "- s3:other/");
}

#[test]
fn object_that_is_there_ends_the_run_unless_it_is_skipped_or_replaced() {
    let Some(server) = MiniStack::start() else { return };
    let (room, url) = (small_room(), server.url());
    load(&room, &url, &["--no-create"]).assert_code(1).assert_says("bucket photos is not there");
    server.s3("PUT", "/photos", b"");
    server.s3("PUT", "/photos/plain", b"mine");
    load(&room, &url, &["--no-create"])
        .assert_code(1)
        .assert_says("s3:photos/plain: the target has this object already");
    let skipped = load(&room, &url, &["--on-exists", "skip"]);
    assert!(skipped.assert_code(0).stdout.contains("4 existed and stay as they were"), "{skipped:?}");
    assert_eq!(server.s3("GET", "/photos/plain", b"").text(), "mine");
    load(&room, &url, &["--on-exists", "replace", "--verify", "none"]).assert_code(0);
    assert_eq!(server.s3("GET", "/photos/plain", b"").text(), "text");
    assert!(!server.s3("GET", "/photos", b"").text().contains("probe"), "the probe is gone");
    load(&room, &url, &["--rename", "photos=other"]).assert_code(0);
    assert_eq!(server.s3("GET", "/other/plain", b"").text(), "text");
    load(&room, &url, &["--prefix", "nothing"]).assert_code(6);
    let unfit = load(&room, &url, &["--rename", "photos=UPPER"]);
    assert!(unfit.assert_code(5).stdout.contains("4 lost"), "{unfit:?}");
    load(&room, &url, &["--rename", "photos=UPPER", "--strict"]).assert_code(2).assert_says("nothing was written");
}

#[test]
fn server_that_overwrites_what_it_is_told_to_keep_is_refused() {
    let Some(server) = MiniStack::start() else { return };
    let port = server.port();
    // It does not know of conditions.
    let careless = ScriptedAws::start(move |asked| {
        let mut asked = asked.clone();
        asked.headers.retain(|(name, _)| name != "if-none-match");
        asked.forwarded(port)
    });
    let room = small_room();
    load(&room, &careless.url(), &[]).assert_code(1).assert_says("only --on-exists replace goes with it");
    assert!(!server.s3("GET", "/photos", b"").text().contains("<Key>"), "nothing is written, and the probe is gone");
    load(&room, &careless.url(), &["--on-exists", "replace"]).assert_code(0);
}

#[test]
fn key_that_nobody_sent_ends_the_run_and_one_that_is_not_listed_is_told() {
    let Some(server) = MiniStack::start() else { return };
    let port = server.port();
    let renaming = |from: &'static str, to: &'static str| {
        ScriptedAws::start(move |asked| {
            let mut asked = asked.clone();
            if asked.method == "PUT" {
                asked.uri = asked.uri.replace(from, to);
            }
            asked.forwarded(port)
        })
    };
    let room = small_room();
    let folding = renaming("a//b", "a/b");
    load(&room, &folding.url(), &[]).assert_code(4).assert_says("s3:photos/a/b is there, and was not sent");
    let hiding = renaming("/other/dir/", "/hidden/dir/");
    server.s3("PUT", "/hidden", b"");
    let run = load(&room, &hiding.url(), &["--rename", "photos=other"]);
    run.assert_code(5).assert_says("s3:other/dir/");
}

#[test]
fn trouble_that_passes_loses_nothing() {
    let Some(server) = MiniStack::start() else { return };
    let Some(proxy) = Microburst::before(server.port()) else { return };
    // The proxy does not pass on a key with dots in it.
    let room = Room::new();
    room.write(
        "small.fsm",
        &bucket("photos", &[("a//b", b"a", &[]), ("b", b"b", &[]), ("c", b"c", &[]), ("d/", b"", &[])]),
    );
    let rules = json!([
        { "service": "s3", "operation": "PutObject", "times": 3, "error": { "code": "SlowDown", "status": 503 } },
        { "service": "s3", "operation": "PutObject", "times": 2, "reset": true },
        { "service": "s3", "operation": "PutObject", "times": 2, "error": { "code": "InternalError", "status": 500 } },
        { "service": "s3", "operation": "ListObjectsV2", "times": 1, "response": { "truncate_frac": 0.5 } },
        { "service": "s3", "operation": "ListObjectsV2", "times": 1, "response": { "abort_frac": 0.3 } },
    ]);
    for policy in ["fail", "skip", "replace"] {
        proxy.set_rules(&rules);
        let before = proxy.fired().len();
        let name = format!("photos=photos-{policy}");
        let run = load(&room, &proxy.url(), &["--rename", &name, "--on-exists", policy, "--json"]);
        assert_eq!(run.assert_code(0).json()["loaded"], 4);
        assert!(proxy.fired().len() >= before + 8, "{:?}", proxy.fired());
        compare(&room, &server.url(), &["--rename", &name, "--deep"]).assert_code(0);
    }
}

#[test]
fn object_that_was_written_although_no_answer_came_counts_as_loaded() {
    let Some(server) = MiniStack::start() else { return };
    let port = server.port();
    let mut lost = 0;
    // Each object arrives, and its first answer does not.
    let deaf = ScriptedAws::start(move |asked| {
        let told = asked.forwarded(port);
        let is_object = asked.method == "PUT" && asked.uri.starts_with("/photos/") && !asked.uri.contains("probe");
        lost += usize::from(is_object);
        if is_object && lost <= 4 { Told::Nothing } else { told }
    });
    let room = small_room();
    let run = load(&room, &deaf.url(), &["--connections", "1", "--json"]);
    assert_eq!(run.assert_code(0).json()["loaded"], 4);
}

/// Uploads in parts that are neither complete nor forgotten.
fn uploads(server: &MiniStack) -> usize {
    server.s3("GET", "/photos?uploads", b"").text().matches("<UploadId>").count()
}

#[test]
fn large_object_goes_in_parts_through_an_error_inside_of_a_success() {
    let Some(server) = MiniStack::start() else { return };
    let port = server.port();
    let mut completions = 0;
    let odd = ScriptedAws::start(move |asked| {
        let is_completion = asked.method == "POST" && asked.uri.contains("uploadId=");
        completions += usize::from(is_completion);
        match is_completion && completions == 1 {
            true => {
                Told::xml(200, "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>m</Message></Error>")
            }
            false => asked.forwarded(port),
        }
    });
    let room = Room::new();
    let content: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(LARGE).collect();
    room.write("small.fsm", &bucket("photos", &[("large", &content, &[("a", "b")])]));
    load(&room, &odd.url(), &[]).assert_code(0);
    let there = server.s3("GET", "/photos/large", b"");
    assert!(there.body == content && there.header("x-amz-meta-a") == Some("b"));
    compare(&room, &server.url(), &["--deep"]).assert_code(0);
    // One that is there is seen before anything is sent.
    load(&room, &server.url(), &[]).assert_code(1).assert_says("s3:photos/large: the target has this object already");
    // A refused part leaves no upload behind.
    server.s3("DELETE", "/photos/large", b"");
    let refusing = ScriptedAws::start(move |asked| match asked.uri.contains("partNumber=3") {
        true => Told::xml(400, "<Error><Code>InvalidRequest</Code><Message>m</Message></Error>"),
        false => asked.forwarded(port),
    });
    load(&room, &refusing.url(), &[]).assert_code(4).assert_says("InvalidRequest");
    assert_eq!(uploads(&server), 0);
}

/// Runs a load that is killed when `is_now` says so of a request, before it reaches the server or when it has, and then goes on with it.
/// Whether it was killed.
fn killed(
    server: &MiniStack,
    room: &Room,
    is_behind: bool,
    mut is_now: impl FnMut(&Asked) -> bool + Send + 'static,
) -> bool {
    let port = server.port();
    let (tell, told) = channel();
    let (go_on, wait) = channel::<()>();
    let mut has_ended = false;
    let proxy = ScriptedAws::start(move |asked| {
        let is_now = !has_ended && is_now(asked);
        if !is_now {
            return asked.forwarded(port);
        }
        if is_behind {
            asked.forwarded(port);
        }
        has_ended = true;
        tell.send(()).unwrap();
        wait.recv().unwrap();
        Told::Nothing
    });
    let arguments = ["load", "small.fsm", "s3:", "--resume", "progress"];
    let mut child = aws_command(room, &proxy.url(), &arguments).spawn().unwrap();
    let was_killed = loop {
        if told.try_recv().is_ok() {
            child.kill().unwrap();
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        std::thread::yield_now();
    };
    let ended = end_of(child);
    if was_killed {
        go_on.send(()).unwrap();
        // The endpoint is part of what it goes on with.
        aws(room, &proxy.url(), &arguments).assert_code(0);
    } else {
        ended.assert_code(0);
    }
    assert!(!room.names().contains("progress"));
    was_killed
}

#[test]
fn load_killed_at_any_request_goes_on_to_the_same_and_leaves_nothing_of_its_own() {
    for is_behind in [false, true] {
        let Some(server) = MiniStack::start() else { return };
        let room = small_room();
        let mut at = 0;
        loop {
            let mut seen = 0;
            let was_killed = killed(&server, &room, is_behind, move |_| {
                seen += 1;
                seen > at
            });
            compare(&room, &server.url(), &["--deep"]).assert_code(0);
            assert!(!server.s3("GET", "/photos", b"").text().contains("probe"));
            if !was_killed {
                break;
            }
            for key in ["../x", "a//b", "dir/", "plain"] {
                server.s3("DELETE", &format!("/photos/{key}"), b"");
            }
            server.s3("DELETE", "/photos", b"");
            at += 1;
        }
        assert!(at >= 10, "{at} requests");
    }
}

#[test]
fn load_killed_inside_of_an_upload_goes_on_and_leaves_no_part_of_it() {
    let Some(server) = MiniStack::start() else { return };
    let room = Room::new();
    room.write("small.fsm", &bucket("photos", &[("large", &vec![7; LARGE], &[])]));
    for (what, is_behind) in [("uploads=", true), ("partNumber=2", true), ("uploadId=", false), ("uploadId=", true)] {
        let is_completion = what == "uploadId=";
        let was_killed = killed(&server, &room, is_behind, move |asked| {
            asked.uri.contains(what) && (!is_completion || asked.method == "POST")
        });
        assert!(was_killed, "{what}");
        compare(&room, &server.url(), &["--deep"]).assert_code(0);
        assert_eq!(uploads(&server), usize::from(what == "uploads="), "{what}");
        server.s3("DELETE", "/photos/large", b"");
        if what == "uploads=" {
            // Nobody knows the name of an upload whose answer was lost; the next runs count on none.
            let list = server.s3("GET", "/photos?uploads", b"").text();
            let id = list.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
            server.s3("DELETE", &format!("/photos/large?uploadId={id}"), b"");
        }
    }
}
