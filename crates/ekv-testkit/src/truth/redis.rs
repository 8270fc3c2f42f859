//! Redis keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Comparison, base64, bytes, entries, key_of, keymap, read_json, read_lines};

/// Folders, and the types that the server calls their keys.
const FOLDERS: [(&str, &str); 7] = [
    ("strings", "string"),
    ("hll", "hll"),
    ("hashes", "hash"),
    ("lists", "list"),
    ("sets", "set"),
    ("zsets", "zset"),
    ("streams", "stream"),
];

/// Keys of the workload that are no part of the truth.
const OUTSIDE: [&[u8]; 3] = [b"filler", b"zfiller", b"boot"];

/// How far an expiry may be from the observed one, in milliseconds.
const EXPIRY_TOLERANCE_MS: u64 = 3000;

type Expiries = BTreeMap<(&'static str, Vec<u8>), u64>;

pub(super) fn compare(dump: &Path, observation: &Value, comparison: &mut Comparison) {
    let root = dump.join("redis/db_0");
    let keymap = keymap(&root);
    let mut dumped: BTreeMap<Vec<u8>, Vec<(&str, PathBuf)>> = BTreeMap::new();
    for (folder, kind) in FOLDERS {
        for path in entries(&root.join(folder)) {
            dumped.entry(key_of(path.file_stem().unwrap(), &keymap)).or_default().push((kind, path));
        }
    }
    let mut expiries = Expiries::new();
    for (kind, file) in [("string", "strings_ttl.jsonl"), ("hll", "hll_ttl.jsonl")] {
        for line in read_lines(&root.join(file)) {
            let key = match &line["key"] {
                Value::String(encoded) => key_of(encoded.as_ref(), &keymap),
                stored => bytes(stored),
            };
            if expiries.insert((kind, key.clone()), line["expire_at_ms"].as_u64().unwrap()).is_some() {
                comparison.differ(key.escape_ascii(), "two expiries");
            }
        }
    }
    for (key, wanted) in observation["redis"].as_object().unwrap() {
        let key = base64(&Value::from(key.as_str()));
        let name = key.escape_ascii().to_string();
        let kind = wanted["type"].as_str().unwrap();
        comparison.compared += 1;
        match dumped.remove(&key).as_deref() {
            None => comparison.differ(&name, format!("{kind} is missing")),
            Some([(found, path)]) if *found == kind => {
                let expiry = compare_key(kind, path, &wanted["value"], &name, comparison);
                let expiry = expiry.or_else(|| expiries.get(&(*found, key)).copied());
                let about = wanted["expire_at_ms_about"].as_u64();
                let is_near = match (expiry, about) {
                    (Some(expiry), Some(about)) => expiry.abs_diff(about) < EXPIRY_TOLERANCE_MS,
                    (expiry, about) => expiry == about,
                };
                if !is_near {
                    comparison.differ(&name, format!("{kind} expires at {expiry:?}, on the server at about {about:?}"));
                }
            }
            Some(others) => comparison.differ(&name, format!("is {others:?}, on the server a {kind}")),
        }
    }
    let observed_at = observation["unix_ms"].as_u64().unwrap();
    for (key, found) in dumped {
        for (kind, path) in found {
            let expiry = expiries.get(&(kind, key.clone())).copied().or_else(|| own_expiry(kind, &path));
            if !OUTSIDE.contains(&key.as_slice()) && expiry.is_none_or(|expiry| expiry > observed_at) {
                comparison.differ(key.escape_ascii().to_string(), format!("the server has no such {kind}"));
            }
        }
    }
}

/// Compares a key's value; returns the expiry that its file states.
fn compare_key(kind: &str, path: &Path, wanted: &Value, name: &str, comparison: &mut Comparison) -> Option<u64> {
    let is_same = match kind {
        "string" => fs::read(path).unwrap() == base64(wanted),
        // The server tells only how many elements a HyperLogLog is estimated to have.
        "hll" => true,
        "stream" => stream(path) == wanted_entries(wanted),
        "hash" => pairs(&read_json(path)["fields"], "name", "value") == wanted_pairs(wanted),
        "list" => list(&read_json(path)["items"], bytes) == list(wanted, base64),
        "set" => sorted(list(&read_json(path)["members"], bytes)) == sorted(list(wanted, base64)),
        _ => scores(&read_json(path)["members"]) == wanted_scores(wanted),
    };
    if !is_same {
        comparison.differ(name, format!("the value of the {kind} differs"));
    }
    own_expiry(kind, path)
}

fn own_expiry(kind: &str, path: &Path) -> Option<u64> {
    match kind {
        "string" | "hll" => None,
        "stream" => read_lines(path).iter().find(|line| line["_meta"] == true)?["expire_at_ms"].as_u64(),
        _ => read_json(path)["expire_at_ms"].as_u64(),
    }
}

fn list(values: &Value, decode: fn(&Value) -> Vec<u8>) -> Vec<Vec<u8>> {
    values.as_array().unwrap().iter().map(decode).collect()
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs(values: &Value, name: &str, value: &str) -> Pairs {
    let pair = |field: &Value| (bytes(&field[name]), bytes(&field[value]));
    sorted(values.as_array().unwrap().iter().map(pair).collect())
}

fn wanted_pairs(wanted: &Value) -> Pairs {
    sorted(wanted.as_array().unwrap().iter().map(|pair| (base64(&pair[0]), base64(&pair[1]))).collect())
}

fn stream(path: &Path) -> Vec<(String, Pairs)> {
    let lines = read_lines(path).into_iter().filter(|line| line["_meta"] != true);
    lines.map(|line| (super::text(&line["id"]), pairs(&line["fields"], "name", "value"))).collect()
}

fn wanted_entries(wanted: &Value) -> Vec<(String, Pairs)> {
    wanted.as_array().unwrap().iter().map(|entry| (super::text(&entry[0]), wanted_pairs(&entry[1]))).collect()
}

/// Members with the bits of their scores.
type Scores = Vec<(Vec<u8>, u64)>;

fn scores(members: &Value) -> Scores {
    let member = |member: &Value| {
        // The text of a number is parsed here: the JSON parser is not exact to the last bit.
        let score = member["score"].as_str().map_or_else(|| member["score"].to_string(), str::to_owned);
        (bytes(&member["member"]), score.parse::<f64>().unwrap().to_bits())
    };
    sorted(members.as_array().unwrap().iter().map(member).collect())
}

fn wanted_scores(wanted: &Value) -> Scores {
    let member = |pair: &Value| (base64(&pair[0]), pair[1].as_str().unwrap().parse::<f64>().unwrap().to_bits());
    sorted(wanted.as_array().unwrap().iter().map(member).collect())
}
