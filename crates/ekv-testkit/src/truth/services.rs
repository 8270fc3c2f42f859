//! DynamoDB tables, S3 buckets, SQS queues.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ekv_model::dynamodb::Number;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Comparison, entries, files_below, keymap, read_json, read_lines, text};

pub(super) fn compare_tables(dump: &Path, observation: &Value, comparison: &mut Comparison) {
    let root = dump.join("dynamodb");
    let tables = observation["dynamodb"].as_object().unwrap();
    for (table, wanted) in tables {
        let stored =
            files_below(&root.join(table).join("items")).iter().map(|path| read_json(path)).collect::<Vec<_>>();
        let wanted = wanted["items"].as_array().unwrap();
        comparison.compared += wanted.len();
        if normal_items(&stored) != normal_items(wanted) {
            comparison.differ(table, format!("{} items differ from the {} of the server", stored.len(), wanted.len()));
        }
    }
    for path in entries(&root) {
        let table = path.file_name().unwrap().to_string_lossy().into_owned();
        if !tables.contains_key(&table) {
            comparison.differ(table, "the server has no such table");
        }
    }
}

fn normal_items(items: &[Value]) -> Vec<String> {
    let mut normal: Vec<String> = items
        .iter()
        .map(|item| {
            let attributes: Map<String, Value> =
                item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), normal(value))).collect();
            Value::from(attributes).to_string()
        })
        .collect();
    normal.sort();
    normal
}

/// Whether a service that keeps numbers in a form of its own has the items that were seen.
pub fn are_same_items(items: &[Value], wanted: &[Value]) -> bool {
    let normal = |items: &[Value]| {
        let mut items: Vec<Value> = items.to_vec();
        items.iter_mut().for_each(by_value);
        normal_items(&items)
    };
    normal(items) == normal(wanted)
}

/// Writes each number in one form, whatever form it has.
fn by_value(value: &mut Value) {
    let plain = |number: &mut Value| {
        let text = number.as_str().unwrap();
        let parsed = Number::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        *number =
            format!("{}0.{}e{}", if parsed.is_negative { "-" } else { "" }, parsed.digits, parsed.magnitude).into();
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(by_value),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &mut *value) {
                    ("N", Value::String(_)) => plain(value),
                    ("NS", Value::Array(members)) => members.iter_mut().for_each(plain),
                    _ => by_value(value),
                }
            }
        }
        _ => {}
    }
}

/// An attribute value whose sets are sorted and whose binary values are plain base64.
fn normal(value: &Value) -> Value {
    let (kind, content) = value.as_object().unwrap().iter().next().unwrap();
    let binary = |content: &Value| content.get("b64").unwrap_or(content).clone();
    let list = || content.as_array().unwrap().iter();
    let set = |members: Vec<Value>| members.iter().map(text).collect::<BTreeSet<_>>().into_iter().collect::<Value>();
    let content = match kind.as_str() {
        "B" => binary(content),
        "BS" => set(list().map(binary).collect()),
        "SS" | "NS" => set(list().cloned().collect()),
        "M" => content.as_object().unwrap().iter().map(|(name, value)| (name.clone(), normal(value))).collect(),
        "L" => list().map(normal).collect(),
        _ => content.clone(),
    };
    [(kind.clone(), content)].into_iter().collect()
}

pub(super) fn compare_buckets(dump: &Path, observation: &Value, comparison: &mut Comparison) {
    for (bucket, objects) in observation["s3"].as_object().unwrap() {
        let root = dump.join("s3").join(bucket);
        if !root.is_dir() {
            comparison.differ(bucket, "the bucket is missing");
            continue;
        }
        let mut stored = stored_objects(&root);
        for (key, wanted) in objects.as_object().unwrap() {
            comparison.compared += 1;
            let name = format!("{bucket}/{key}");
            match stored.remove(key) {
                None => comparison.differ(name, "the object is missing"),
                Some(path) => {
                    let body = fs::read(&path).unwrap();
                    let sha256: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
                    if sha256 != text(&wanted["sha256"]) {
                        comparison.differ(name, "the body differs");
                    }
                }
            }
        }
        for key in stored.into_keys() {
            comparison.differ(format!("{bucket}/{key}"), "the server has no such object");
        }
    }
}

/// Paths of the bodies by object key.
fn stored_objects(root: &Path) -> BTreeMap<String, PathBuf> {
    let keymap = keymap(root);
    let mut objects = BTreeMap::new();
    for path in files_below(root) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let is_of_the_dump = ["_bucket.json", "KEYMAP.jsonl"].contains(&name.as_str())
            || name.starts_with("_incomplete_uploads")
            || name.starts_with("_orphans");
        if is_of_the_dump {
            continue;
        }
        let key = match keymap.get(&name) {
            Some(original) => String::from_utf8(original.clone()).unwrap(),
            None if name.ends_with(".elastickv-meta.json") => continue,
            None => name,
        };
        objects.insert(key, path);
    }
    objects
}

pub(super) fn compare_queues(dump: &Path, observation: &Value, comparison: &mut Comparison) {
    for (queue, attributes) in observation["sqs"].as_object().unwrap() {
        comparison.compared += 1;
        let stored = read_lines(&dump.join("sqs").join(queue).join("messages.jsonl")).len();
        let number = |name: &str| attributes[name].as_str().map_or(0, |count| count.parse::<usize>().unwrap());
        let wanted = number("ApproximateNumberOfMessages")
            + number("ApproximateNumberOfMessagesNotVisible")
            + number("ApproximateNumberOfMessagesDelayed");
        if stored != wanted {
            comparison.differ(queue, format!("{stored} messages, on the server {wanted}"));
        }
    }
}
