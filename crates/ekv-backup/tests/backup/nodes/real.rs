//! The data directory of a real server with two groups, against what the server answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ekv_backup::{DecodeOptions, NoProgress, ReadOptions, Unowned, decode};
use ekv_dump::segment::component;
use ekv_testkit::fixtures;
use serde_json::Value;

use crate::nodes::node::check_books;

/// Keys that were written outside the observation.
const OUTSIDE: [&[u8]; 3] = [b"filler", b"zfiller", b"boot"];

fn base64(text: &str) -> Vec<u8> {
    let digit =
        |b: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|d| *d == b);
    let digits: Vec<u32> = text.bytes().map_while(digit).map(|d| u32::try_from(d).unwrap()).collect();
    let bytes = digits.chunks(4).flat_map(|chunk| {
        let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(chunk.len() - 1)
    });
    bytes.collect()
}

/// Extracts the node and returns its directory.
fn extract(root: &Path) -> PathBuf {
    fixtures::unpack("groups-4.data.tar", root);
    root.join("n1")
}

/// Files of one kind of keys: file name without ending -> content.
fn files(dump: &Path, kind: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let Ok(entries) = fs::read_dir(dump.join("redis/db_0").join(kind)) else { return BTreeMap::new() };
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().as_bytes().to_vec();
        (stem, fs::read(path).unwrap())
    };
    entries.map(read).collect()
}

fn compare(label: &str, unowned: Unowned) {
    let truth: Value = serde_json::from_slice(&fixtures::read("groups-4.truth.json")).unwrap();
    let moment = truth["at"].as_array().unwrap().iter().find(|moment| moment["label"] == label).unwrap();
    let at = (label == "middle").then(|| moment["unix_ms"].to_string().parse().unwrap());
    let root = tempfile::tempdir().unwrap();
    let (node, dump) = (extract(root.path()), root.path().join("dump"));
    let read = ReadOptions { at, unowned, ..ReadOptions::default() };
    let report = decode(&node, &dump, &DecodeOptions { read, ..DecodeOptions::default() }, &NoProgress).unwrap();
    check_books(&report);
    assert_eq!(report.losses, 0);
    assert!(report.books.records.unowned == 0, "no group holds what it does not own");

    let keys = moment["redis"].as_object().unwrap();
    for (kind, folder) in [
        ("string", "strings"),
        ("hll", "hll"),
        ("hash", "hashes"),
        ("list", "lists"),
        ("set", "sets"),
        ("zset", "zsets"),
        ("stream", "streams"),
    ] {
        let mut files = files(&dump, folder);
        let mut live = BTreeSet::new();
        for (key, answer) in keys.iter().filter(|(_, answer)| answer["type"] == kind) {
            let name = component(&base64(key));
            let content = files.get(&name).unwrap_or_else(|| panic!("{kind} {key} is missing at {label}"));
            if kind == "string" {
                assert_eq!(*content, base64(answer["value"].as_str().unwrap()), "{key} at {label}");
            }
            live.insert(name);
        }
        for outside in OUTSIDE {
            files.remove(&component(outside));
        }
        files.retain(|name, _| !live.contains(name));
        // What is left are keys that had expired when the server was asked.
        assert!(files.len() <= 3, "{kind} at {label}: {:?}", files.keys());
        assert!(kind != "list" || files.is_empty());
    }
}

#[test]
fn real_node_decodes_to_what_its_server_answered_at_the_end() {
    compare("end", Unowned::Drop);
}

#[test]
fn real_node_decodes_to_what_its_server_answered_earlier() {
    compare("middle", Unowned::Drop);
}

#[test]
fn real_node_reads_the_same_where_unowned_records_are_kept() {
    compare("middle", Unowned::Keep);
}
