//! What `report` tells.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::{ALL_3, read};
use ekv_testkit::truth::observation;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Room, Run, small_snapshot};

/// The parts of a report that are the same for a snapshot and for every dump of it.
const CONTENTS: [&str; 8] = ["totals", "types", "scopes", "prefixes", "biggest", "longest", "sizes", "expiry"];

fn contents(run: &Run) -> Vec<Value> {
    let report = run.assert_code(0).json();
    CONTENTS.map(|part| report[part].clone()).to_vec()
}

/// Keys of the workload that are no part of the truth.
const OUTSIDE: [&str; 3] = ["redis:0/filler", "redis:0/zfiller", "redis:0/boot"];

fn base64_len(value: &Value) -> usize {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap().len()
}

/// Elements and payload of what the server answered, by the rule of `docs/format/tree.md`, section 19.
fn measure(kind: &str, value: &Value) -> Option<(Option<usize>, usize)> {
    let list = || value.as_array().unwrap().iter();
    let pairs = |value: &Value| -> usize {
        value.as_array().unwrap().iter().flat_map(|pair| pair.as_array().unwrap()).map(base64_len).sum()
    };
    let bytes = match kind {
        "string" => return Some((None, base64_len(value))),
        "hash" => pairs(value),
        "list" | "set" => list().map(base64_len).sum(),
        "zset" => list().map(|pair| base64_len(&pair[0]) + 8).sum(),
        "stream" => list().map(|entry| 16 + pairs(&entry[1])).sum(),
        // The server does not tell what is in it.
        _ => return None,
    };
    Some((Some(list().count()), bytes))
}

#[test]
fn report_counts_what_the_live_server_answered() {
    let room = Room::new();
    room.write("all.fsm", &ALL_3.bytes());
    let report = room.run(&["report", "all.fsm", "--json", "--top", "1000"]).assert_code(0).json();
    let truth = ALL_3.truth();
    let truth = observation(&truth, "end");
    let mut rows: BTreeMap<String, &Value> = BTreeMap::new();
    for row in report["biggest"].as_array().unwrap() {
        let key = match &row["key"]["base64"] {
            Value::String(base64) => {
                BASE64_STANDARD.decode(format!("{base64}{}", "=".repeat((4 - base64.len() % 4) % 4))).unwrap()
            }
            _ => percent_decoded(row["address"].as_str().unwrap()),
        };
        let name = BASE64_STANDARD.encode(&key);
        assert!(rows.insert(format!("{} {name}", row["adapter"].as_str().unwrap()), row).is_none(), "{row}");
    }
    assert_eq!(report["totals"]["keys"], rows.len());
    let mut measured = 0;
    for (name, wanted) in truth["redis"].as_object().unwrap() {
        let kind = wanted["type"].as_str().unwrap();
        let key = BASE64_STANDARD.decode(name).unwrap();
        // Of a name beyond 1 KiB the beginning is told.
        let Some(row) = rows.remove(&format!("redis {}", BASE64_STANDARD.encode(key.get(..1024).unwrap_or(&key))))
        else {
            panic!("{name} is missing")
        };
        assert_eq!(row["type"], kind);
        if let Some((elements, bytes)) = measure(kind, &wanted["value"]) {
            assert_eq!((&row["elements"], &row["bytes"]), (&Value::from(elements), &Value::from(bytes)), "{row}");
            measured += 1;
        }
        assert_eq!(row["expire_at_ms"].is_null(), wanted["expire_at_ms_about"].is_null(), "{row}");
    }
    assert!(measured > 150, "{measured}");
    let objects: usize =
        truth["s3"].as_object().unwrap().values().map(|bucket| bucket.as_object().unwrap().len()).sum();
    let items: usize =
        truth["dynamodb"].as_object().unwrap().values().map(|table| table["items"].as_array().unwrap().len()).sum();
    let of = |adapter: &str| rows.keys().filter(|name| name.starts_with(adapter)).count();
    assert_eq!((of("s3"), of("dynamodb"), of("sqs")), (objects, items, 13));
    // What the server did not answer had expired, or is none of the truth.
    let now = report["moment"]["unix_ms"].as_u64().unwrap();
    let is_left = |row: &Value| {
        let is_expired = row["expire_at_ms"].as_u64().is_some_and(|at| at <= now);
        is_expired || OUTSIDE.contains(&row["address"].as_str().unwrap())
    };
    assert!(rows.iter().filter(|(name, _)| name.starts_with("redis")).all(|(_, row)| is_left(row)), "{rows:?}");
}

/// The key in an address of one part.
fn percent_decoded(address: &str) -> Vec<u8> {
    let (_, key) = address.split_once('/').unwrap();
    let mut bytes = Vec::new();
    let mut rest = key.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                (u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap(), tail)
            }
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

#[test]
fn snapshot_dump_archive_and_standard_input_tell_the_same() {
    let room = Room::new();
    room.write("all.fsm", &ALL_3.bytes());
    room.run(&["decode", "all.fsm", "dump", "--fsync", "none"]).assert_code(0);
    room.run(&["decode", "all.fsm", "jsonl", "--dynamodb-layout", "jsonl", "--fsync", "none"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar.zst", "--fsync", "none"]).assert_code(0);
    let options = ["--json", "--top", "1000", "--depth", "3"];
    let of = |source: &str| room.run(&[&["report", source], &options[..]].concat());
    let expected = contents(&of("all.fsm"));
    for source in ["dump", "jsonl", "dump.tar.zst"] {
        let run = of(source);
        assert_eq!(contents(&run), expected, "{source}");
        let report = run.json();
        assert!(
            report["versions"].is_null() && report["versions_missing"].as_str().unwrap().contains("name a snapshot")
        );
        assert_eq!(report["moment"], of("all.fsm").json()["moment"]);
    }
    for file in ["all.fsm", "dump.tar.zst"] {
        let bytes = std::fs::read(room.path(file)).unwrap();
        let run = room.run_with_input(&[&["report", "-"], &options[..]].concat(), &bytes);
        assert_eq!(contents(&run), expected, "{file}");
    }
    let part = ["--prefix", "s", "--type", "string,set"];
    let [of_snapshot, of_dump] =
        ["all.fsm", "dump"].map(|source| room.run(&[&["report", source], &options[..], &part[..]].concat()));
    assert_eq!(contents(&of_dump), contents(&of_snapshot));
    assert_ne!(contents(&of_dump), expected);
    assert!(of_snapshot.json()["versions_missing"].as_str().unwrap().contains("leave the filters out"));
}

#[test]
fn node_of_several_groups_and_its_dump_tell_the_same() {
    let room = Room::new();
    tar::Archive::new(read("groups-4.data.tar").as_slice()).unpack(room.path("")).unwrap();
    let node = room.run(&["report", "n1", "--json", "--html", "node.html"]);
    room.run(&["decode", "n1", "dump", "--fsync", "none"]).assert_code(0);
    assert_eq!(contents(&room.run(&["report", "dump", "--json"])), contents(&node));
    let page = std::fs::read_to_string(room.path("node.html")).unwrap();
    assert_page_is_harmless(&page);
    let report = node.json();
    assert!(report["account"]["snapshots"].as_array().unwrap().len() > 1 && page.contains("Report of a node"));
    for note in report["notes"].as_array().unwrap() {
        assert!(page.contains(&note.as_str().unwrap()[..40]), "{note}");
    }
}

/// A string record.
fn string(value: &[u8]) -> Vec<u8> {
    [b"\xff\x01\x00", value].concat()
}

#[test]
fn versions_count_what_compaction_frees_and_what_is_overwritten_when() {
    let minute = 60_000_u64 << 16;
    let start = 1_795_359_600_000_u64 << 16;
    let room = Room::new();
    let snapshot = SnapshotBuilder::new()
        .put(b"!redis|str|a", start, &string(b"1"))
        .put(b"!redis|str|a", start + 1, &string(b"22"))
        .put(b"!redis|str|a", start + 3 * minute, &string(b"333"))
        .put(b"!redis|str|b", start + 1, &string(b"1"))
        .delete(b"!redis|str|b", start + 2)
        .put(b"!redis|str|c", start + 1, &string(b"1"))
        .put(b"!encryption|x", 5, b"x");
    room.write("s.fsm", &snapshot.build());
    let report = room.run(&["report", "s.fsm", "--json"]).assert_code(0).json();
    let versions = &report["versions"];
    // Key, timestamp, header and body of each.
    let (of_a, of_b) = ([12 + 17 + 4, 12 + 17 + 5], [12 + 17 + 4, 12 + 17]);
    assert_eq!(versions["reclaimable"]["versions"], 4);
    assert_eq!(versions["reclaimable"]["bytes"], of_a.iter().chain(&of_b).sum::<u64>());
    let family = &versions["families"][0];
    assert_eq!((&family["family"], &family["older"]["versions"]), (&Value::from("redis_string"), &Value::from(3)));
    assert_eq!(family["deletions"]["bytes"], of_b[1]);
    let overwritten: Vec<(&str, u64)> = versions["overwritten"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["address"].as_str().unwrap(), row["overwritten"]["versions"].as_u64().unwrap()))
        .collect();
    assert_eq!(overwritten, [("redis:0/a", 2), ("redis:0/b", 1)]);
    let commits = &versions["commits"];
    assert_eq!((&commits["commits"], &commits["bar_minutes"]), (&Value::from(4), &Value::from(1)));
    let bars: Vec<(u64, u64)> = commits["bars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| (bar["commits"].as_u64().unwrap(), bar["writes"].as_u64().unwrap()))
        .collect();
    assert_eq!(bars, [(3, 5), (1, 1)]);
    assert_eq!(commits["busiest_minute"]["from_ms"], 1_795_359_600_000_u64);
    // All of it is kept, whatever moment is read.
    let earlier = room.run(&["report", "s.fsm", "--json", "--at", &format!("hlc:{start}")]).assert_code(0).json();
    assert_eq!((&earlier["versions"], &earlier["totals"]["keys"]), (versions, &Value::from(1)));
}

#[test]
fn sections_come_in_order_and_bars_only_where_they_are_wanted() {
    let room = Room::with_real_snapshot();
    let plain = room.run(&["report", "redis-1.fsm"]).assert_code(0).stdout.clone();
    let sections = [
        "Account of",
        "type  ",
        "1 database",
        "Where in the names",
        "Biggest keys",
        "Longest collections",
        "Sizes and elements",
        "Expiry of Redis keys",
        "Versions: ",
        "Most overwritten",
        "commits from",
        "Findings",
    ];
    let places: Vec<usize> =
        sections.iter().map(|title| plain.find(title).unwrap_or_else(|| panic!("{title}: {plain}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!plain.contains('█') && !plain.contains('\x1b'), "{plain}");
    let drawn = room.run(&["report", "redis-1.fsm", "--color", "always"]).assert_code(0).stdout.clone();
    assert!(drawn.contains('█'), "{drawn}");
    room.run(&["report", "redis-1.fsm", "--top", "0", "--depth", "0"]).assert_code(0);
    assert_eq!(room.run(&["report", "redis-1.fsm", "--quiet"]).assert_code(0).stdout, "");
}

#[test]
fn report_ends_with_the_code_of_what_it_found() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let torn = small_snapshot().put(b"!redis|str|torn", 7, b"\xff\x01\x01").build();
    room.write("torn.fsm", &torn);
    room.run(&["decode", "torn.fsm", "torn"]).assert_code(5);
    let mut damaged = small_snapshot().build();
    damaged[40] ^= 1;
    room.write("damaged.fsm", &damaged);
    for source in ["torn.fsm", "torn"] {
        assert!(room.run(&["report", source]).assert_code(5).stdout.contains("INCOMPLETE"));
        room.run(&["report", source, "--json"]).assert_code(5).assert_says("warning: ");
    }
    room.run(&["report", "damaged.fsm"]).assert_code(2);
    for source in ["snapshot.fsm", "dump"] {
        let nothing = room.run(&["report", source, "--key", "nope"]);
        nothing.assert_code(6).assert_says("nothing matches --key nope");
        assert_eq!(nothing.stdout, "");
        room.run(&["report", source, "--key", "nope", "--allow-empty"]).assert_code(0);
        room.run(&["report", source, "--adapter", "s3", "--db", "0"]).assert_code(1);
    }
    room.run(&["report", "dump", "--at", "2026-11-22T15:33:50Z"]).assert_code(1).assert_says("a dump holds one moment");
    for [option, value] in [["--top", "1001"], ["--top", "-1"], ["--depth", "65"], ["--depth", "x"]] {
        room.run(&["report", "dump", option, value]).assert_code(1);
    }
    std::fs::write(room.path("dump/redis/db_0/strings/a.bin"), b"changed").unwrap();
    room.run(&["report", "dump"]).assert_code(2);
    room.run(&["report", "nothing-there"]).assert_code(1);
}

/// Names that could do harm somewhere.
fn hostile_names() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 8] = [
        b"</script><img src=x onerror=alert(1)>",
        b"\"><svg/onload=alert(1)>",
        b"' style='x",
        b"a\nSound: forged\x1b[2J",
        b"\0",
        b"\xff\xfe:x",
        "\u{202e}gnp.exe".as_bytes(),
        "zero\u{200b}width".as_bytes(),
    ];
    let mut names: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    names.push([b"long:".to_vec(), vec![b'<'; 1 << 20]].concat());
    names.push([b"long:".to_vec(), vec![b'<'; (1 << 20) - 1], b">".to_vec()].concat());
    names
}

fn hostile_room() -> Room {
    let room = Room::new();
    let mut snapshot = SnapshotBuilder::new();
    for (n, name) in (0_u64..).zip(hostile_names()) {
        let key = [b"!redis|str|", name.as_slice()].concat();
        snapshot = snapshot.put(&key, 7 << 16, &string(b"old")).put(&key, (8 + n) << 16, &string(&[b'v'; 100]));
    }
    room.write("hostile.fsm", &snapshot.build());
    room
}

#[test]
fn hostile_names_do_no_harm_in_text_and_json() {
    let room = hostile_room();
    let text = room.run(&["report", "hostile.fsm"]).assert_code(0).stdout.clone();
    assert!(text.chars().all(|c| c == '\n' || ekv_text::is_shown_as_it_is(c)), "{text:?}");
    assert!(!text.contains("\nSound") && text.contains("redis:0/%E2%80%AEgnp.exe") && text.len() < 100_000, "{text}");
    let run = room.run(&["report", "hostile.fsm", "--json"]);
    let report = run.assert_code(0).json();
    assert!(run.stdout.chars().all(|c| c == '\n' || ekv_text::is_shown_as_it_is(c)) && run.stdout.len() < 200_000);
    let cut: Vec<&Value> = report["biggest"].as_array().unwrap().iter().filter(|row| !row["cut"].is_null()).collect();
    assert_eq!(cut.len(), 2);
    assert_eq!(cut[0]["address"], cut[1]["address"]);
    assert_ne!(cut[0]["cut"]["sha256"], cut[1]["cut"]["sha256"]);
    assert!(cut.iter().all(|row| row["cut"]["bytes"] == 5 + (1 << 20)), "{cut:?}");
    for name in hostile_names().iter().take(8) {
        let address = format!("redis:0/{}", ekv_model::Part { bytes: name, is_slash_escaped: false });
        assert!(
            report["biggest"].as_array().unwrap().iter().any(|row| row["address"] == address.as_str()),
            "{address}"
        );
    }
}

/// What stands between two texts that come once.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    assert_eq!((text.matches(from).count(), text.matches(to).count()), (1, 1), "{from} {to}");
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// Makes sure that a page asks for nothing, does what it says, and holds no markup but its own.
fn assert_page_is_harmless(page: &str) {
    let (style, script) = (between(page, "<style>", "</style>"), between(page, "<script>", "</script>"));
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    let policy = format!(
        "content=\"default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'\"",
        hash(style),
        hash(script)
    );
    assert!(page.contains(&policy), "{}", &page[..600]);
    assert!(script.len() < 4096, "{}", script.len());
    assert!(page.len() <= 1 << 20, "{}", page.len());
    assert!(page.chars().all(|c| c == '\n' || ekv_text::is_shown_as_it_is(c)));
    let own = [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "p",
        "h1",
        "h2",
        "h3",
        "span",
        "b",
        "code",
        "dl",
        "div",
        "dt",
        "dd",
        "small",
        "nav",
        "ul",
        "li",
        "main",
        "section",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "rect",
        "text",
        "figure",
        "figcaption",
        "br",
        "footer",
        "script",
    ];
    let page = page.replace(style, "").replace(script, "");
    for tag in page.split('<').skip(1) {
        let (inside, _) = tag.split_once('>').unwrap_or_else(|| panic!("a tag has no end: {tag:?}"));
        let name = inside.trim_start_matches('/').split([' ', '>']).next().unwrap();
        assert!(own.contains(&name), "<{inside}>");
        for attribute in [" on", " style=", " src=", "javascript:"] {
            let outside_quotes: String = inside.split('"').step_by(2).collect();
            assert!(!outside_quotes.contains(attribute), "<{inside}>");
        }
        assert!(!inside.contains("href=") || inside.contains("href=#"), "<{inside}>");
    }
}

#[test]
fn page_is_one_file_that_asks_for_nothing_and_shows_every_section() {
    let room = Room::new();
    room.write("all.fsm", &ALL_3.bytes());
    let report = room.run(&["report", "all.fsm", "--html", "all.html", "--json"]).assert_code(0).json();
    let page = std::fs::read_to_string(room.path("all.html")).unwrap();
    assert_page_is_harmless(&page);
    assert_eq!(
        (&report["html"]["path"], &report["html"]["bytes"]),
        (&Value::from("all.html"), &Value::from(page.len()))
    );
    for section in
        ["account", "types", "scopes", "names", "biggest", "longest", "sizes", "expiry", "versions", "findings"]
    {
        assert!(
            page.contains(&format!("<section id={section} ")) && page.contains(&format!("href=#{section}>")),
            "{section}"
        );
    }
    for row in report["biggest"].as_array().unwrap().iter().filter(|row| row["cut"].is_null()) {
        let address = row["address"].as_str().unwrap();
        assert!(address.chars().count() > 200 || page.contains(&format!("<code>{address}</code>")), "{address}");
    }
    let tables = page.matches("<table").count();
    assert!(tables >= 8, "{tables}");
    assert_eq!((page.matches("<caption>").count(), page.matches("</table>").count()), (tables, tables));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(room.path("all.html")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    room.run(&["decode", "all.fsm", "dump", "--fsync", "none"]).assert_code(0);
    room.run(&["report", "dump", "--html", "dump.html"]).assert_code(0);
    let page = std::fs::read_to_string(room.path("dump.html")).unwrap();
    assert_page_is_harmless(&page);
    assert!(page.contains("Not counted: a dump, an RDB file and a running server have one version"));
}

#[test]
fn page_of_hostile_names_holds_no_markup_of_theirs_and_stays_small() {
    let room = hostile_room();
    std::fs::rename(room.path("hostile.fsm"), room.path("'\"><img src=x onerror=alert(1)>\n.fsm")).unwrap();
    room.run(&["report", "'\"><img src=x onerror=alert(1)>\n.fsm", "--html", "p.html"]).assert_code(0);
    let page = std::fs::read_to_string(room.path("p.html")).unwrap();
    assert_page_is_harmless(&page);
    assert!(page.contains("redis:0/%3C/script%3E%3Cimg%20src=x%20onerror=alert%281%29%3E"), "{page}");
    let mut snapshot = SnapshotBuilder::new();
    for n in 0..1200_u64 {
        let key = [format!("!redis|str|{n:04}:").as_bytes(), &b"<\"&'>\xff".repeat(150)].concat();
        snapshot = snapshot.put(&key, 7 << 16, &string(b"old")).put(&key, (8 + n) << 16, &string(b"new"));
    }
    room.write("many.fsm", &snapshot.build());
    room.run(&["report", "many.fsm", "--html", "many.html", "--top", "1000"]).assert_code(0);
    let page = std::fs::read_to_string(room.path("many.html")).unwrap();
    assert_page_is_harmless(&page);
    assert!(page.contains("more rows: --json has all of them"));
}

#[test]
fn page_is_there_as_a_whole_or_not_at_all() {
    let room = Room::with_small_snapshot();
    let with = |options: &[&str]| room.run(&[&["report", "snapshot.fsm", "--html", "p.html"], options].concat());
    with(&["--key", "nope"]).assert_code(6);
    with(&["--at", "hlc:1"]).assert_code(1);
    assert!(!room.path("p.html").exists());
    with(&[]).assert_code(0);
    let first = std::fs::read(room.path("p.html")).unwrap();
    room.write("p.html", b"mine");
    with(&[]).assert_code(1).assert_says("--force");
    assert_eq!(std::fs::read(room.path("p.html")).unwrap(), b"mine");
    with(&["--force"]).assert_code(0);
    assert_eq!(std::fs::read(room.path("p.html")).unwrap(), first);
    std::fs::create_dir(room.path("directory")).unwrap();
    for place in ["directory", "snapshot.fsm", "missing/p.html", "-", "http://host/p.html"] {
        room.run(&["report", "snapshot.fsm", "--html", place, "--force"]).assert_code(1);
    }
    room.run(&["report", "snapshot.fsm", "--force"]).assert_code(1).assert_says("--html");
    assert_eq!(room.names().len(), 3, "{:?}", room.names());
}
