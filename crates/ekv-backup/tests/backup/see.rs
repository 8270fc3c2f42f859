//! Looking into backups of real servers: what is listed can be got, and is what the server answered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[cfg(unix)]
mod kept_index;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use ekv_backup::see::{
    Change, DiffOptions, Difference, GetOptions, GetOutput, GetReport, ListOptions, Listed, Side, SortBy, Source,
    ThingState, Version, VersionState, diff, get, history, list,
};
use ekv_backup::{
    Checking, Class, CopyOptions, DecodeOptions, DumpTarget, EventOptions, Expired, NewName, NoProgress, Protocol,
    ReadOptions, ReadTime, Resources, Result, Scope, decode, pack,
};
use ekv_dump::{Role, role_of};
use ekv_model::Name;
use ekv_testkit::fixtures::{ALL_3, KnownSnapshot, REDIS_1, REDIS_2, SNAPSHOTS, unpack};
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use ekv_testkit::truth::observation;
use serde_json::Value;

/// Bytes that a command wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn events(scope: Scope) -> EventOptions {
    let mut events = EventOptions { scope: Arc::new(scope), ..EventOptions::default() };
    events.redis.expired = Expired::Drop;
    events
}

fn got(source: &mut Source, address: &str, json: bool) -> Result<(GetReport, Vec<u8>)> {
    got_checking(source, address, json, Checking::All)
}

fn got_checking(source: &mut Source, address: &str, json: bool, checking: Checking) -> Result<(GetReport, Vec<u8>)> {
    let mut scope = Scope::everything();
    scope.add_address(address.as_bytes(), false).unwrap();
    let name = Name::parse(address.as_bytes(), false).unwrap();
    let events = EventOptions { checking, ..events(scope) };
    let options = GetOptions { events, name, json, resources: Resources::DEFAULT };
    let written = Written::default();
    let report = get(source, &options, GetOutput::Stream(Box::new(written.clone())), &NoProgress)?;
    let bytes = written.0.lock().unwrap().clone();
    Ok((report, bytes))
}

fn bytes_of(source: &mut Source, address: &str) -> Vec<u8> {
    got(source, address, false).unwrap_or_else(|error| panic!("{address}: {error}")).1
}

fn listed_with(source: &mut Source, change: impl FnOnce(&mut ListOptions)) -> Vec<Value> {
    let mut options = ListOptions {
        events: events(Scope::everything()),
        scopes: false,
        sort: None,
        reverse: false,
        limit: None,
        resources: Resources::DEFAULT,
    };
    change(&mut options);
    let mut rows = Vec::new();
    let mut render = |listed: Listed<'_>, line: &mut Vec<u8>| serde_json::to_writer(line, &listed).unwrap();
    let mut put = |line: &[u8]| {
        rows.push(serde_json::from_slice(line).unwrap());
        Ok(())
    };
    list(source, &options, &mut render, &mut put, &NoProgress).unwrap();
    rows
}

fn listed(source: &mut Source) -> Vec<Value> {
    listed_with(source, |_| {})
}

fn addresses(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["address"].as_str().unwrap().to_owned()).collect()
}

fn open(place: &Path, at: Option<u64>) -> Source {
    let at = at.map(|unix_ms| unix_ms.to_string().parse::<ReadTime>().unwrap());
    Source::open(place, &ReadOptions { at, ..ReadOptions::default() }, &NoProgress).unwrap()
}

/// Addresses and values of all strings that the server answered.
fn plain_truth(observation: &Value) -> BTreeMap<String, Vec<u8>> {
    let mut truth = BTreeMap::new();
    let name =
        |protocol, scope: &[u8], key: Vec<u8>| Name { protocol, scope: scope.to_vec(), key: vec![key] }.to_string();
    for (key, wanted) in observation["redis"].as_object().unwrap() {
        if wanted["type"] == "string" {
            let key = BASE64_STANDARD.decode(key).unwrap();
            let value = BASE64_STANDARD.decode(wanted["value"].as_str().unwrap()).unwrap();
            truth.insert(name(Protocol::Redis, b"0", key), value);
        }
    }
    truth
}

/// Addresses of all keys and objects that the server answered.
fn known_names(observation: &Value) -> BTreeSet<String> {
    let name =
        |protocol, scope: &[u8], key: Vec<u8>| Name { protocol, scope: scope.to_vec(), key: vec![key] }.to_string();
    let object = |part: &str| observation[part].as_object().cloned().unwrap_or_default();
    let mut names = BTreeSet::new();
    for key in object("redis").keys() {
        names.insert(name(Protocol::Redis, b"0", BASE64_STANDARD.decode(key).unwrap()));
    }
    for (bucket, wanted) in object("s3") {
        let objects = wanted.get("objects").unwrap_or(&wanted).as_object().cloned().unwrap_or_default();
        for key in objects.keys() {
            names.insert(name(Protocol::S3, bucket.as_bytes(), key.clone().into_bytes()));
        }
    }
    names
}

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Room { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn snapshot(&self, known: &KnownSnapshot) -> PathBuf {
        let path = self.path("snapshot.fsm");
        std::fs::write(&path, known.bytes()).unwrap();
        path
    }

    /// A dump without expired keys, and an archive of it.
    fn dumps(&self, snapshot: &Path) -> [PathBuf; 2] {
        let mut options = DecodeOptions { now: "2026-11-22T12:00:00Z".parse().unwrap(), ..DecodeOptions::default() };
        options.events.redis.expired = Expired::Keep;
        [self.path("dump"), self.path("dump.tar")].map(|path| {
            let target = match path.extension() {
                None => DumpTarget::Directory(NewName::new(&path)),
                Some(_) => DumpTarget::Archive(NewName::new(&path), ekv_backup::Compression::None),
            };
            decode(snapshot, target, &options, &NoProgress).unwrap();
            path
        })
    }
}

#[test]
fn every_address_that_is_listed_is_got_as_the_server_answered_it() {
    for known in SNAPSHOTS {
        let room = Room::new();
        let snapshot = room.snapshot(&known);
        let truth = known.truth();
        for label in ["middle", "end"] {
            let observation = observation(&truth, label);
            let at = (label == "middle").then(|| observation["unix_ms"].as_u64().unwrap());
            let mut source = open(&snapshot, at);
            let rows = listed(&mut source);
            let names: BTreeSet<String> = addresses(&rows).into_iter().collect();
            assert_eq!(names.len(), rows.len(), "{} {label}: an address twice", known.name);
            let expected = known_names(observation);
            let missing: Vec<&String> = expected.difference(&names).collect();
            assert!(missing.is_empty(), "{} {label}: not listed: {missing:?}", known.name);
            for (address, value) in plain_truth(observation) {
                assert!(bytes_of(&mut source, &address) == value, "{} {label}: {address}", known.name);
            }
        }
    }
}

#[test]
fn what_is_got_of_all_addresses_are_the_files_of_a_dump() {
    let room = Room::new();
    let snapshot = room.snapshot(&ALL_3);
    let [dump, _] = room.dumps(&snapshot);
    let mut files = Vec::new();
    let mut folders = vec![dump.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&dump).unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true => folders.push(path),
                false if role_of(name.as_bytes()) != Role::Content => {}
                // The lines of a queue are got one by one.
                false if name.starts_with("sqs/") => {
                    let text = std::fs::read(&path).unwrap();
                    files.extend(text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
                }
                false => files.push(std::fs::read(path).unwrap()),
            }
        }
    }
    let mut source = Source::open(&snapshot, &ReadOptions::default(), &NoProgress).unwrap();
    let rows = listed_with(&mut source, |options| options.events.redis.expired = Expired::Keep);
    let mut got: Vec<Vec<u8>> = Vec::new();
    for address in addresses(&rows) {
        let mut scope = Scope::everything();
        scope.add_address(address.as_bytes(), false).unwrap();
        let mut events = events(scope);
        events.redis.expired = Expired::Keep;
        let name = Name::parse(address.as_bytes(), false).unwrap();
        let options = GetOptions { events, name, json: false, resources: Resources::DEFAULT };
        let written = Written::default();
        get(&mut source, &options, GetOutput::Stream(Box::new(written.clone())), &NoProgress).unwrap();
        got.push(written.0.lock().unwrap().clone());
    }
    assert_eq!(got.len(), files.len());
    got.sort();
    files.sort();
    assert!(got == files, "what is got differs from the files of a dump");
}

/// What is got, or why nothing is.
fn outcome(source: &mut Source, address: &str, json: bool, checking: Checking) -> std::result::Result<Vec<u8>, String> {
    got_checking(source, address, json, checking).map(|(_, bytes)| bytes).map_err(|error| error.to_string())
}

/// A dump of a snapshot as a directory and as an archive with an index.
fn dump_and_indexed(room: &Room, snapshot: &Path) -> [PathBuf; 2] {
    let [dump, _] = room.dumps(snapshot);
    let archive = room.path("dump.tar.zst");
    let compression = ekv_backup::Compression::Zstd(Default::default());
    let target = DumpTarget::Archive(NewName::new(&archive), compression);
    pack(&dump, target, &CopyOptions::default(), &NoProgress).unwrap();
    [dump, archive]
}

#[test]
fn one_key_of_a_dump_is_got_by_its_name_as_the_snapshot_has_it() {
    for known in SNAPSHOTS {
        let room = Room::new();
        let snapshot = room.snapshot(&known);
        let mut of_snapshot = open(&snapshot, None);
        let addresses = addresses(&listed(&mut of_snapshot));
        for place in dump_and_indexed(&room, &snapshot) {
            let mut source = open(&place, None);
            for (at, address) in addresses.iter().filter(|address| address.starts_with("redis:")).enumerate() {
                let expected = outcome(&mut of_snapshot, address, false, Checking::All);
                assert!(outcome(&mut source, address, false, Checking::Selected) == expected, "{address}");
                assert!(outcome(&mut source, address, false, Checking::Nothing) == expected, "{address}");
                if at.is_multiple_of(19) {
                    let all = outcome(&mut source, address, true, Checking::All);
                    assert_eq!(outcome(&mut source, address, true, Checking::Selected), all, "{address}");
                }
            }
        }
    }
}

#[test]
fn one_key_of_any_size_is_got_by_its_name_as_by_reading_all_of_the_dump() {
    const FRAME_LEN: usize = 2 << 20;
    let lens = [0, 1, FRAME_LEN - 1, FRAME_LEN, FRAME_LEN + 1, 3 * FRAME_LEN + 7];
    let name =
        |n: usize| if n.is_multiple_of(2) { format!("key/{n}") } else { format!("long {n} {}", "x".repeat(300)) };
    let mut records = RedisRecords::new();
    for (n, len) in lens.into_iter().chain(0..40).enumerate() {
        let body: Vec<u8> = (0..len).map(|at| u8::try_from((at * at + n) % 251).unwrap()).collect();
        let expiry = n.is_multiple_of(3).then(|| if n.is_multiple_of(9) { 1 } else { 1 << 50 });
        records = records.put(key::string(name(n).as_bytes()), value::string(&body, expiry));
    }
    records =
        records.put(Wide::Set.element(b"a set", b"one"), b"").put(Wide::Set.delta(b"a set", 1, 0), value::delta(1));
    let room = Room::new();
    let snapshot = room.path("sizes.fsm");
    std::fs::write(&snapshot, records.snapshot().build()).unwrap();
    let names = (0..46).map(|n| ekv_model::Name {
        protocol: Protocol::Redis,
        scope: b"0".to_vec(),
        key: vec![name(n).into_bytes()],
    });
    let addresses: Vec<String> = names.map(|name| name.to_string()).chain(["a%20set".to_owned()]).collect();
    for place in dump_and_indexed(&room, &snapshot) {
        let mut source = open(&place, None);
        for address in &addresses {
            let all = outcome(&mut source, address, true, Checking::All);
            assert!(all.is_ok() || all.as_ref().unwrap_err().contains("expired"), "{all:?}");
            for checking in [Checking::Selected, Checking::Nothing] {
                assert!(outcome(&mut source, address, true, checking) == all, "{address} in {}", place.display());
            }
        }
        for absent in ["nope", "key/1", &"y".repeat(500)] {
            let all = outcome(&mut source, absent, false, Checking::All).unwrap_err();
            let selected = got_checking(&mut source, absent, false, Checking::Selected).unwrap_err();
            assert_eq!(selected.class(), Class::NoMatch, "{selected}");
            assert_eq!(selected.to_string(), format!("{all}, by the index of names; --thorough reads all of the dump"));
        }
    }
}

#[test]
fn changed_file_of_a_key_is_noticed_by_its_name_and_one_of_another_key_is_not() {
    let room = Room::new();
    let snapshot = room.path("two.fsm");
    let records = RedisRecords::new()
        .put(key::string(b"one"), value::string(b"1", Some(1 << 50)))
        .put(key::string(b"two"), value::string(b"2", Some(1 << 50)));
    std::fs::write(&snapshot, records.snapshot().build()).unwrap();
    let [dump, _] = room.dumps(&snapshot);
    std::fs::write(dump.join("redis/db_0/strings/one.bin"), b"x").unwrap();
    let mut source = open(&dump, None);
    let changed = outcome(&mut source, "one", false, Checking::Selected).unwrap_err();
    assert_eq!(changed, outcome(&mut source, "one", false, Checking::All).unwrap_err());
    assert_eq!(outcome(&mut source, "one", false, Checking::Nothing).unwrap(), b"x");
    assert_eq!(outcome(&mut source, "two", false, Checking::Selected).unwrap(), b"2");
    // A list that is about many keys is one file.
    let list = dump.join("redis/db_0/strings_ttl.jsonl");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.lines().rev().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let changed = outcome(&mut source, "two", false, Checking::Selected).unwrap_err();
    assert_eq!(changed, outcome(&mut source, "two", false, Checking::All).unwrap_err());
}

#[test]
fn snapshot_dump_and_archive_list_and_give_the_same() {
    let room = Room::new();
    let snapshot = room.snapshot(&ALL_3);
    let [dump, archive] = room.dumps(&snapshot);
    let without_times = |rows: Vec<Value>| -> BTreeMap<String, Value> {
        rows.into_iter()
            .map(|mut row| {
                row["changed"] = Value::Null;
                (row["address"].as_str().unwrap().to_owned(), row)
            })
            .collect()
    };
    let mut of_snapshot = open(&snapshot, None);
    let rows = without_times(listed(&mut of_snapshot));
    let scopes = listed_with(&mut of_snapshot, |options| options.scopes = true);
    for place in [dump, archive] {
        let mut source = open(&place, None);
        assert_eq!(without_times(listed(&mut source)), rows, "{}", place.display());
        assert_eq!(listed_with(&mut source, |options| options.scopes = true), scopes, "{}", place.display());
        for address in rows.keys().step_by(9) {
            assert!(bytes_of(&mut source, address) == bytes_of(&mut of_snapshot, address), "{address}");
            let line = |source: &mut Source| -> Value {
                let mut line: Value = serde_json::from_slice(&got(source, address, true).unwrap().1).unwrap();
                line["changed"] = Value::Null;
                line
            };
            assert_eq!(line(&mut source), line(&mut of_snapshot), "{address}");
        }
    }
}

#[test]
fn json_of_a_thing_has_its_row_its_metadata_and_its_value() {
    let room = Room::new();
    let mut source = open(&room.snapshot(&ALL_3), None);
    for row in listed(&mut source) {
        let address = row["address"].as_str().unwrap();
        let (report, line) = got(&mut source, address, true).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "{address}");
        let mut json: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(u64::try_from(line.len()).unwrap(), report.len);
        let members = json.as_object_mut().unwrap();
        let value = members.remove("value").unwrap();
        let metadata = members.remove("metadata");
        assert_eq!(metadata.is_some(), row["adapter"] == "s3", "{address}");
        assert_eq!(json, row, "{address}");
        let plain = bytes_of(&mut source, address);
        let expected = match row["type"].as_str().unwrap() {
            "string" | "hll" | "object" => match std::str::from_utf8(&plain) {
                Ok(text) => Value::from(text),
                Err(_) => serde_json::json!({ "base64": BASE64_STANDARD_NO_PAD.encode(&plain) }),
            },
            "stream" => serde_json::Deserializer::from_slice(&plain).into_iter::<Value>().map(Result::unwrap).collect(),
            _ => serde_json::from_slice(&plain).unwrap(),
        };
        assert!(value == expected, "{address}");
    }
}

#[test]
fn lists_are_sorted_by_what_is_asked_and_end_where_it_is_asked() {
    let room = Room::new();
    let mut source = open(&room.snapshot(&ALL_3), None);
    let all = listed(&mut source);
    for (by, field) in [
        (SortBy::Name, "address"),
        (SortBy::Size, "bytes"),
        (SortBy::Elements, "elements"),
        (SortBy::Expiry, "expire_at_ms"),
    ] {
        let sorted = listed_with(&mut source, |options| options.sort = Some(by));
        let mut reversed = listed_with(&mut source, |options| {
            options.sort = Some(by);
            options.reverse = true;
        });
        reversed.reverse();
        assert_eq!(sorted, reversed);
        let (mut one, mut other) = (addresses(&sorted), addresses(&all));
        let numbers: Vec<u64> = sorted.iter().map(|row| row[field].as_u64().unwrap_or(0)).collect();
        match by {
            SortBy::Name => assert!(one.is_sorted()),
            SortBy::Expiry => assert!(numbers.iter().filter(|at| **at > 0).is_sorted()),
            _ => assert!(numbers.iter().rev().is_sorted(), "{numbers:?}"),
        }
        one.sort();
        other.sort();
        assert_eq!(one, other);
        let first = listed_with(&mut source, |options| {
            options.sort = Some(by);
            options.limit = Some(3);
        });
        assert_eq!(first, sorted[..3]);
    }
    assert_eq!(listed_with(&mut source, |options| options.limit = Some(5)), all[..5]);
}

#[test]
fn what_is_no_single_thing_is_refused_and_what_is_not_there_is_said() {
    let room = Room::new();
    let mut source = open(&room.snapshot(&ALL_3), None);
    let failed = |source: &mut Source, address: &str| got(source, address, false).map(drop).unwrap_err();
    for address in ["redis:0/", "redis:", "dynamodb:users/", "s3:bucket-one/"] {
        let error = failed(&mut source, address);
        assert_eq!(error.class(), Class::Environment, "{address}");
        assert!(error.to_string().contains("ls SOURCE"), "{error}");
    }
    for address in ["nope", "redis:1/boot", "s3:bucket-one/none", "s3:nope/x", "sqs:nope/", "dynamodb:users/none"] {
        assert_eq!(failed(&mut source, address).class(), Class::NoMatch, "{address}");
    }
    assert_eq!(bytes_of(&mut source, "s3:bucket-one/%2541").len(), 3003);
    let error = failed(&mut source, "s3:bucket-one/%41").to_string();
    assert!(error.contains("where the name has %41 in it, write %2541"), "{error}");
    let lines = bytes_of(&mut source, "sqs:orders/");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 7);
}

#[test]
fn dump_answers_for_its_own_moment_only() {
    let room = Room::new();
    let [dump, _] = room.dumps(&room.snapshot(&ALL_3));
    let read = ReadOptions { at: Some("2026-11-22T15:34:25Z".parse().unwrap()), ..ReadOptions::default() };
    let error = Source::open(&dump, &read, &NoProgress).map(drop).unwrap_err();
    assert_eq!(error.class(), Class::Environment);
    assert!(error.to_string().contains("a dump holds one moment"), "{error}");
}

#[test]
fn data_directory_of_a_node_is_looked_into() {
    let room = Room::new();
    unpack("groups-4.data.tar", room.dir.path());
    let node = room.path("groups-4");
    let node = if node.is_dir() { node } else { room.dir.path().to_path_buf() };
    let mut source = open(&node, None);
    let rows = listed(&mut source);
    assert!(rows.len() > 10);
    for address in addresses(&rows).iter().step_by(25) {
        bytes_of(&mut source, address);
    }
}

/// Everything that `diff` tells of two sources, by change, with the first letter of its type.
fn differences(first: &mut Source, second: &mut Source) -> Vec<Difference> {
    let options = DiffOptions {
        events: events(Scope::everything()),
        strict_sqs: false,
        first_only: false,
        resources: Resources::DEFAULT,
    };
    let mut told = Vec::new();
    let mut take = |difference: &Difference| {
        told.push(difference.clone());
        Ok(())
    };
    let compared = diff(first, second, &options, &mut take, &NoProgress).unwrap();
    assert_eq!(compared.differences, u64::try_from(told.len()).unwrap());
    told
}

/// Lines and files of a dump that hold data, by path, but for objects, whose paths depend on what else is there.
fn data_of(dump: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut data = BTreeMap::new();
    let mut folders = vec![dump.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dump).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.extend((name != "s3").then_some(path));
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            match role_of(name.as_bytes()) {
                Role::Content if name.starts_with("sqs/") => {
                    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        let json: Value = serde_json::from_slice(line).unwrap();
                        data.insert(format!("{name}/{}", json["message_id"]), line.to_vec());
                    }
                }
                Role::Content => drop(data.insert(name, bytes)),
                _ => {}
            }
        }
    }
    data
}

/// The objects of a source: content, and what describes them, without the time of their last change.
fn objects_of(source: &mut Source) -> BTreeMap<String, (Value, Value)> {
    let mut objects = BTreeMap::new();
    for address in addresses(&listed(source)).into_iter().filter(|address| address.starts_with("s3:")) {
        let mut json: Value = serde_json::from_slice(&got(source, &address, true).unwrap().1).unwrap();
        json["metadata"].as_object_mut().unwrap().retain(|member, _| !member.contains("last_modified"));
        objects.insert(address, (json["value"].clone(), json["metadata"].clone()));
    }
    objects
}

/// Compares `diff` at two moments with two decodes at these moments.
fn check_moments(snapshot: &Path, dir: &Path, moments: [u64; 2]) {
    let [mut first, mut second] = moments.map(|at| open(snapshot, Some(at)));
    let told = differences(&mut first, &mut second);
    let [before, after] = moments.map(|at| {
        let dump = dir.join(format!("at-{at}"));
        if !dump.exists() {
            let mut options = DecodeOptions::default();
            options.read.at = Some(at.to_string().parse().unwrap());
            options.events.redis.expired = Expired::Drop;
            options.tree.extended = true;
            decode(snapshot, &*dump, &options, &NoProgress).unwrap();
        }
        data_of(&dump)
    });
    let is_kind = |side: &Option<Side>, kinds: &[&str]| side.as_ref().is_some_and(|side| kinds.contains(&side.kind));
    let others = ["table", "bucket", "queue", "object"];
    let count = |wanted: &dyn Fn(&Difference) -> bool| {
        told.iter().filter(|one| !is_kind(&one.before, &others) && !is_kind(&one.after, &others) && wanted(one)).count()
    };
    let has_elements = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.elements.is_some());
    let added = after.keys().filter(|path| !before.contains_key(*path)).count();
    let removed = before.keys().filter(|path| !after.contains_key(*path)).count();
    let changed = before.iter().filter(|(path, bytes)| after.get(*path).is_some_and(|other| other != *bytes)).count();
    let types = count(&|one| one.change == Change::Type);
    assert!(count(&|one| one.change == Change::Added) + types == added, "{moments:?}: added, not {added}");
    assert!(count(&|one| one.change == Change::Removed) + types == removed, "{moments:?}: removed, not {removed}");
    // The expiry of a collection stands in its file.
    let own = count(&|one| one.change == Change::Value || (one.change == Change::Expiry && has_elements(&one.after)));
    assert!(own == changed, "{moments:?}: {own} changed, not {changed}");
    let (before, after) = (objects_of(&mut first), objects_of(&mut second));
    let mut expected = BTreeMap::new();
    for address in before.keys().chain(after.keys()) {
        let change = match (before.get(address), after.get(address)) {
            (None, _) => Some(Change::Added),
            (_, None) => Some(Change::Removed),
            (Some(one), Some(other)) if one.0 != other.0 => Some(Change::Value),
            (Some(one), Some(other)) if one.1 != other.1 => Some(Change::Metadata),
            _ => None,
        };
        expected.extend(change.map(|change| (address.clone(), change)));
    }
    let objects = told.iter().filter(|one| is_kind(&one.before, &["object"]) || is_kind(&one.after, &["object"]));
    let objects: BTreeMap<String, Change> = objects.map(|one| (one.address.clone(), one.change)).collect();
    assert!(objects == expected, "{moments:?}: {objects:?}, not {expected:?}");
}

/// Pairs of moments in the life of a snapshot, the same for the same seed.
fn check_pairs(known: &KnownSnapshot, pairs: u64) {
    let room = Room::new();
    let snapshot = room.snapshot(known);
    let source = open(&snapshot, None);
    let end = source.header().read_ts >> 16;
    let start = observation(&known.truth(), "middle")["unix_ms"].as_u64().unwrap() - 5_000;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut moment = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Few moments, so that few decodes are made.
        start + (end - start) * (state % 12) / 11
    };
    for _ in 0..pairs {
        let moments = [moment(), moment()];
        check_moments(&snapshot, room.dir.path(), moments);
    }
}

#[test]
fn diff_of_two_moments_is_what_two_decodes_differ_in() {
    check_pairs(&REDIS_2, 4);
    check_pairs(&ALL_3, 3);
}

#[test]
#[ignore = "long"]
fn diff_of_a_hundred_pairs_of_moments_is_what_two_decodes_differ_in() {
    for known in SNAPSHOTS {
        check_pairs(&known, 100);
    }
}

#[test]
fn snapshot_and_its_dumps_do_not_differ_in_whatever_form() {
    let room = Room::new();
    let snapshot = room.snapshot(&ALL_3);
    let [dump, archive] = room.dumps(&snapshot);
    let lines = room.path("lines");
    let mut options = DecodeOptions::default();
    options.tree.dynamodb_layout = ekv_backup::DynamodbLayout::Jsonl;
    options.tree.extended = true;
    decode(&snapshot, &*lines, &options, &NoProgress).unwrap();
    for place in [&dump, &archive, &lines] {
        let told = differences(&mut open(&snapshot, None), &mut open(place, None));
        assert!(told.is_empty(), "{}: {told:?}", place.display());
        let told = differences(&mut open(place, None), &mut open(&dump, None));
        assert!(told.is_empty(), "{}: {told:?}", place.display());
    }
}

#[test]
fn adapters_that_a_side_leaves_out_are_not_compared() {
    let room = Room::new();
    let snapshot = room.snapshot(&ALL_3);
    let dump = room.path("some");
    let mut options = DecodeOptions::default();
    options.events.adapters = vec![Protocol::Redis, Protocol::S3];
    decode(&snapshot, &*dump, &options, &NoProgress).unwrap();
    let options = DiffOptions {
        events: events(Scope::everything()),
        strict_sqs: false,
        first_only: false,
        resources: Resources::DEFAULT,
    };
    let compared =
        diff(&mut open(&snapshot, None), &mut open(&dump, None), &options, &mut |one| panic!("{one:?}"), &NoProgress);
    let mut left_out = compared.unwrap().not_compared;
    left_out.sort();
    assert_eq!(left_out, [Protocol::DynamoDb, Protocol::Sqs]);
}

/// What `ls` says of one address at a commit timestamp: type, bytes, elements and expiry; nothing if it is not there, or the store cannot tell.
fn row_at(source: &Source, address: &str, hlc: u64) -> Option<Option<(Value, Value, Value, Value)>> {
    let mut then = source.at(format!("hlc:{hlc}").parse().unwrap(), &NoProgress).ok()?;
    let rows = listed_with(&mut then, |options| {
        let mut scope = Scope::everything();
        scope.add_address(address.as_bytes(), false).unwrap();
        options.events = events(scope);
        options.events.redis.expired = Expired::Keep;
    });
    let parts = |row: &Value| ["type", "bytes", "elements", "expire_at_ms"].map(|member| row[member].clone());
    assert!(rows.len() < 2, "{rows:?}");
    Some(rows.first().map(parts).map(Into::into))
}

/// Checks that every version is what a reader saw at its commit, and that nothing changed between two of them.
fn check_history(source: &Source, address: &str) -> usize {
    let name = Name::parse(address.as_bytes(), false).unwrap();
    let mut moments = Vec::new();
    let mut take = |moment: &Version| {
        moments.push(moment.clone());
        Ok(())
    };
    history(source, &name, &Resources::DEFAULT, &mut take, &NoProgress).unwrap();
    assert!(moments.is_sorted_by(|one, other| one.commit_ts > other.commit_ts), "{address}");
    let states: Vec<Option<(Value, Value, Value, Value)>> = moments
        .iter()
        .map(|moment| match &moment.state {
            VersionState::Deleted => None,
            VersionState::Damaged(why) => panic!("{address}: {why}"),
            VersionState::There(ThingState { kind, bytes, elements, expire_at_ms, .. }) => {
                Some(((*kind).into(), (*bytes).into(), (*elements).into(), (*expire_at_ms).into()))
            }
        })
        .collect();
    for (at, moment) in moments.iter().enumerate() {
        if let Some(row) = row_at(source, address, moment.commit_ts) {
            assert_eq!(row, states[at], "{address} at {}", moment.commit_ts);
        }
        if let Some(row) = row_at(source, address, moment.commit_ts - 1) {
            assert_eq!(row, states.get(at + 1).cloned().flatten(), "{address} before {}", moment.commit_ts);
        }
    }
    moments.len()
}

#[test]
fn history_has_every_change_that_readers_saw_and_no_other() {
    let room = Room::new();
    let source = open(&room.snapshot(&REDIS_1), None);
    let mut listed_source = open(&room.path("snapshot.fsm"), None);
    let names = addresses(&listed(&mut listed_source));
    let versions: usize = names.iter().step_by(7).map(|address| check_history(&source, address)).sum();
    assert!(versions > names.len() / 7, "{versions} versions");
    let source = open(&room.snapshot(&ALL_3), None);
    for address in ["redis:0/s::_%FE", "dynamodb:dropped/x", "s3:bucket-one/plain", "dynamodb:users/1"] {
        assert!(check_history(&source, address) > 0);
    }
}

/// A key that is written, deleted, given an expiry and made another type again and again, among others whose names begin as its own.
fn restless_key(commits: usize) -> RedisRecords {
    let field = |n: usize| Wide::Hash.element(b"k", format!("field {}", n % 7).as_bytes());
    let mut records = RedisRecords::new();
    for n in 0..commits {
        let at_ms = u64::try_from(n).unwrap() + 1;
        records = match n % 12 {
            0 | 3 => records.put(key::string(b"k"), value::string(&vec![b'x'; n], None)),
            1 => records.put(key::string(b"k"), value::string(b"short", Some(at_ms))),
            2 => records.put(key::string(b"k\xff\xff"), value::string(b"a neighbour", None)),
            4 | 8 => records.delete(key::string(b"k")),
            5 | 6 | 10 => records.put(field(n), format!("value {n}")),
            7 => records.put(Wide::Hash.delta(b"k", at_ms, 0), value::delta(1)),
            9 => records.delete(field(n / 12)),
            _ => records.put(Wide::Hash.meta(b"k"), value::meta(3, at_ms)),
        };
    }
    records
}

#[test]
fn history_of_many_versions_has_every_change_that_readers_saw() {
    let room = Room::new();
    let path = room.path("restless.fsm");
    // More than are told of one copy, or of a copy of a copy.
    std::fs::write(&path, restless_key(300).snapshot().build()).unwrap();
    assert_eq!(check_history(&open(&path, None), "k"), 275);
}

/// A key that is a large hash, set or sorted set most of the time: elements come, change and go, all of it goes or is another type for a while.
fn restless_collection(wide: Wide, commits: usize) -> RedisRecords {
    let element = |n: usize| wide.element(b"k", format!("element {}", n % 61).as_bytes());
    let content = |n: usize| match wide {
        Wide::ZSet => (n % 9).to_string().parse::<f64>().unwrap().to_be_bytes().to_vec(),
        _ => vec![b'x'; n % 23],
    };
    let mut records = RedisRecords::new();
    for n in 0..commits {
        records = match n % 97 {
            90 => records.put(key::string(b"k"), value::string(b"for a while a string", None)),
            93 => records.delete(key::string(b"k")),
            95 => records.put(wide.meta(b"k"), value::meta(3, u64::try_from(n).unwrap())),
            96 if n % 2 == 0 => (0..61).fold(records, |records, n| records.delete(element(n))),
            7 | 19 | 23 => records.delete(element(n * 5)),
            31 => records.put(Wide::Set.element(b"k", b"of another type"), ""),
            33 => records.delete(Wide::Set.element(b"k", b"of another type")),
            _ => records.put(element(n * 3), content(n)),
        };
    }
    records
}

#[test]
fn history_of_a_large_collection_has_every_change_that_readers_saw() {
    for wide in [Wide::Hash, Wide::Set, Wide::ZSet] {
        let room = Room::new();
        let path = room.path("large.fsm");
        std::fs::write(&path, restless_collection(wide, 600).snapshot().build()).unwrap();
        assert!(check_history(&open(&path, None), "k") > 550, "{wide:?}");
    }
}

#[test]
fn moment_before_the_end_is_counted_from_the_newest_commit_of_what_is_read() {
    let room = Room::new();
    let path = room.path("ages.fsm");
    let at = |ms: u64| (1_795_359_405_983 + ms) << 16;
    let snapshot = ekv_testkit::SnapshotBuilder::new()
        .put(b"!redis|str|a", at(0), b"\xff\x01\x00old")
        .put(b"!redis|str|b", at(1), b"\xff\x01\x00new")
        .put(b"!redis|str|c", at(2), b"\xff\x01\x00newest");
    std::fs::write(&path, snapshot.build()).unwrap();
    let newest = open(&path, None).moment_ms();
    let read = |text: &str| ReadOptions { at: Some(text.parse().unwrap()), ..ReadOptions::default() };
    for ms in [0, 1, 2] {
        let mut source = Source::open(&path, &read(&format!("{ms}ms before the end")), &NoProgress).unwrap();
        assert_eq!(source.moment_ms(), newest - ms);
        let same = Source::open(&path, &read(&format!("{}", newest - ms)), &NoProgress);
        let rows = listed(&mut source);
        assert_eq!(u64::try_from(rows.len()).unwrap(), 3 - ms);
        assert_eq!(rows, listed(&mut same.unwrap()), "{ms}");
    }
    assert!(Source::open(&path, &read("1d before the end"), &NoProgress).is_err(), "nothing was committed then");
    for text in ["before the end", "soon before the end", "-1h before the end", "1h before"] {
        assert!(text.parse::<ReadTime>().is_err(), "{text}");
    }
}

#[test]
fn history_of_what_never_was_or_is_many_things_is_refused() {
    let room = Room::new();
    let snapshot = room.snapshot(&ALL_3);
    let [dump, _] = room.dumps(&snapshot);
    let failed = |source: &Source, address: &str| {
        let name = Name::parse(address.as_bytes(), false).unwrap();
        history(source, &name, &Resources::DEFAULT, &mut |_| Ok(()), &NoProgress).unwrap_err()
    };
    let source = open(&snapshot, None);
    assert_eq!(failed(&source, "nope").class(), Class::NoMatch);
    assert_eq!(failed(&source, "redis:0/").class(), Class::Environment);
    let error = failed(&open(&dump, None), "nope");
    assert_eq!(error.class(), Class::Environment);
    assert!(error.to_string().contains("no older versions"), "{error}");
}

#[test]
fn everything_that_is_listed_says_when_it_was_changed_as_its_history_does() {
    let room = Room::new();
    let mut source = open(&room.snapshot(&ALL_3), None);
    let rows = listed_with(&mut source, |options| options.events.looks_ahead = true);
    let newest = source.header().read_ts;
    for row in rows.iter().step_by(5) {
        let name = Name::parse(row["address"].as_str().unwrap().as_bytes(), false).unwrap();
        let mut first = None;
        let mut take = |version: &Version| {
            first.get_or_insert(version.commit_ts);
            Ok(())
        };
        history(&source, &name, &Resources::DEFAULT, &mut take, &NoProgress).unwrap();
        let changed = row["changed"]["hlc"].as_u64().unwrap_or_else(|| panic!("{row}"));
        // What was deleted of it is no record that clients see.
        assert!(changed > 0 && changed <= first.unwrap() && first.unwrap() <= newest, "{row}: {first:?}");
    }
}
