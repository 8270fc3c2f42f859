//! Compares a dump with what the live server answered.
//!
//! The truth files are described in `tests/data/README.md`; the layout of dumps in `docs/format/tree.md`.

mod files;
mod redis;
mod served;
mod services;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All types of Redis keys.
    Redis,
    /// Items of DynamoDB tables.
    DynamoDb,
    /// Bodies of S3 objects.
    S3,
    /// Numbers of messages in SQS queues.
    Sqs,
    /// Files and directories: kind, mode, owner, length, number of names, time of the last change, content.
    Files,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Keys, items, objects and queues of the truth that were looked at.
    pub compared: usize,
    /// What is different, a line each.
    pub differences: Vec<String>,
}

impl Comparison {
    fn differ(&mut self, name: impl std::fmt::Debug, what: impl std::fmt::Display) {
        self.differences.push(format!("{name:?}: {what}"));
    }

    /// Panics with all differences if there are any, or if fewer than `least` things were compared.
    pub fn assert_equal(&self, least: usize) {
        assert!(
            self.differences.is_empty(),
            "{} differences:\n{}",
            self.differences.len(),
            self.differences.join("\n")
        );
        assert!(self.compared >= least, "only {} compared", self.compared);
    }
}

#[cfg(unix)]
pub use files::compare_unpacked;
pub use served::compare_server;
pub use services::are_same_items;

/// The observation with this label (`middle` or `end`).
pub fn observation<'t>(truth: &'t Value, label: &str) -> &'t Value {
    truth["at"].as_array().unwrap().iter().find(|at| at["label"] == label).unwrap()
}

/// Compares the dump with an observation.
pub fn compare(dump: &Path, observation: &Value, kinds: &[Kind]) -> Comparison {
    let mut comparison = Comparison::default();
    for kind in kinds {
        match kind {
            Kind::Redis => redis::compare(dump, observation, &mut comparison),
            Kind::DynamoDb => services::compare_tables(dump, observation, &mut comparison),
            Kind::S3 => services::compare_buckets(dump, observation, &mut comparison),
            Kind::Sqs => services::compare_queues(dump, observation, &mut comparison),
            Kind::Files => files::compare(dump, observation, &mut comparison),
        }
    }
    comparison
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of a file of JSON lines; none if there is no such file.
fn read_lines(path: &Path) -> Vec<Value> {
    let Ok(bytes) = fs::read(path) else { return Vec::new() };
    serde_json::Deserializer::from_slice(&bytes).into_iter().map(Result::unwrap).collect()
}

/// Entries of a directory; none if there is no such directory.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// All files below a directory.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let nested = entries(dir).into_iter().map(|path| if path.is_dir() { files_below(&path) } else { vec![path] });
    nested.flatten().collect()
}

/// Original keys by their encoded names.
fn keymap(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let lines = read_lines(&dir.join("KEYMAP.jsonl")).into_iter();
    lines
        .map(|line| (text(&line["encoded"]), BASE64_URL_SAFE_NO_PAD.decode(text(&line["original"])).unwrap()))
        .collect()
}

/// The key behind an encoded name.
fn key_of(encoded: &OsStr, keymap: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let bytes = encoded.as_encoded_bytes();
    let mapped = std::str::from_utf8(bytes).ok().and_then(|encoded| keymap.get(encoded));
    mapped.cloned().unwrap_or_else(|| percent_decode(bytes))
}

fn percent_decode(encoded: &[u8]) -> Vec<u8> {
    let mut rest = encoded;
    let mut key = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                key.push(byte);
                rest = &after[2..];
            }
            None => {
                key.push(*first);
                rest = after;
            }
        }
    }
    key
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Bytes of the truth.
fn base64(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(text(value)).unwrap()
}

/// Bytes of a dump: a string, or an object with base64.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        _ => BASE64_URL_SAFE_NO_PAD.decode(text(&value["base64"])).unwrap(),
    }
}
