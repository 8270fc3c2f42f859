//! Snapshots of real servers, decoded and compared with what the servers answered and with what the reference decoder writes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ekv_backup::{Class, DecodeOptions, DecodeReport, NoProgress, Phase, Progress, ReadTime, Result, decode, verify};
use ekv_model::{Cancelled, Monitor};
use ekv_snapshot::FooterPolicy;
use ekv_testkit::fixtures::{ALL_3, ENC_7, FS_9, KnownSnapshot, REDIS_1, REDIS_2, SNAPSHOTS, SSTI_5, data_dir};
use ekv_testkit::truth::{Kind, compare, observation};
use ekv_testkit::{scan_as, seal};
use serde_json::Value;
use tempfile::TempDir;

/// Original keys of the Redis files whose names do not tell them.
const KEYMAP: &str = "redis/db_0/KEYMAP.jsonl";

/// A directory with a decompressed snapshot, and room for dumps.
struct Room {
    dir: TempDir,
    snapshot: PathBuf,
}

impl Room {
    fn new(known: &KnownSnapshot) -> Room {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = dir.path().join("snapshot.fsm");
        fs::write(&snapshot, known.bytes()).unwrap();
        Room { dir, snapshot }
    }

    fn dump(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Decodes the snapshot with options that differ from the defaults in `change`.
    fn decode(&self, name: &str, change: impl FnOnce(&mut DecodeOptions)) -> Result<DecodeReport> {
        let mut options = DecodeOptions { now: "2026-11-22T12:00:00Z".parse().unwrap(), ..DecodeOptions::default() };
        change(&mut options);
        decode(&self.snapshot, &self.dump(name), &options, &NoProgress)
    }

    /// Names in the directory: what a failed run left behind would be here.
    fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Bytes of all files below a directory, by path.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn kinds_of(known: &KnownSnapshot) -> &'static [Kind] {
    if known.name == FS_9.name {
        &[Kind::Files]
    } else if [ALL_3.name, SSTI_5.name, ENC_7.name].contains(&known.name) {
        &[Kind::Redis, Kind::DynamoDb, Kind::S3, Kind::Sqs]
    } else {
        &[Kind::Redis]
    }
}

fn assert_sound(dump: &Path) {
    let report = verify(dump, &NoProgress).unwrap();
    assert!(report.sound, "{:?}", report.problems);
}

#[test]
fn newest_state_is_what_the_server_answered_last() {
    for known in SNAPSHOTS {
        let room = Room::new(&known);
        let report = room.decode("dump", |_| {}).unwrap();
        assert_eq!((report.losses, &report.warnings[..], &report.notes[..]), (0, &[][..], &[][..]), "{}", known.name);
        let truth = known.truth();
        compare(&room.dump("dump"), observation(&truth, "end"), kinds_of(&known)).assert_equal(160);
        assert_sound(&room.dump("dump"));
    }
}

#[test]
fn state_at_an_earlier_moment_is_what_the_server_answered_then() {
    for known in SNAPSHOTS {
        let room = Room::new(&known);
        let truth = known.truth();
        let middle = observation(&truth, "middle");
        let at: ReadTime = middle["unix_ms"].to_string().parse().unwrap();
        let report = room.decode("dump", |options| options.read.at = Some(at)).unwrap();
        assert_eq!(report.losses, 0, "{}", known.name);
        compare(&room.dump("dump"), middle, kinds_of(&known)).assert_equal(75);
        assert_sound(&room.dump("dump"));
    }
}

#[test]
fn sst_files_become_what_the_server_answered_and_the_dump_of_the_other_form() {
    let room = Room::new(&SSTI_5);
    let truth = SSTI_5.truth();
    let middle = observation(&truth, "middle");
    let at: ReadTime = middle["unix_ms"].to_string().parse().unwrap();
    let report = room.decode("middle", |options| options.read.at = Some(at)).unwrap();
    assert_eq!(report.losses, 0);
    compare(&room.dump("middle"), middle, kinds_of(&SSTI_5)).assert_equal(125);
    let report = room.decode("dump", |_| {}).unwrap();
    assert_eq!((report.losses, report.books.records.entries), (0, SSTI_5.entries));
    compare(&room.dump("dump"), observation(&truth, "end"), kinds_of(&SSTI_5)).assert_equal(220);
    assert_sound(&room.dump("dump"));

    let (_, rows) = scan_as(&SSTI_5.bytes(), FooterPolicy::Required).unwrap();
    let mut payload = vec![0; usize::try_from(rows.input().len).unwrap()];
    assert_eq!(rows.input().fill_at(0, &mut payload).unwrap(), payload.len());
    let header = &SSTI_5.bytes()[..16];
    fs::write(&room.snapshot, seal([header, &payload].concat())).unwrap();
    room.decode("converted", |_| {}).unwrap();
    let (mut dump, mut converted) = (tree(&room.dump("dump")), tree(&room.dump("converted")));
    for own in ["MANIFEST.json", "CHECKSUMS"] {
        assert!(dump.remove(own) != converted.remove(own), "the form is told");
    }
    assert!(dump == converted, "the forms give other files");
}

/// The keys of `enc-7`, of a sidecar without the key `without`.
#[cfg(unix)]
fn keys_of_enc_7(room: &Room, without: Option<&str>) -> ekv_backup::KeyFiles {
    use std::os::unix::fs::PermissionsExt;
    let (kek, sidecar) = (room.dump("kek"), room.dump("keys.json"));
    fs::copy(data_dir().join("enc-7.kek"), &kek).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    let mut keys: Value = serde_json::from_slice(&fs::read(data_dir().join("enc-7.keys.json")).unwrap()).unwrap();
    if let Some(id) = without {
        keys["keys"].as_object_mut().unwrap().remove(id).unwrap();
    }
    fs::write(&sidecar, keys.to_string()).unwrap();
    ekv_backup::KeyFiles { sidecar: Some(sidecar), kek: Some(kek), data_keys: Vec::new() }
}

#[cfg(unix)]
#[test]
fn encrypted_values_become_what_the_server_answered_with_the_keys_and_losses_without() {
    let room = Room::new(&ENC_7);
    let truth = ENC_7.truth();
    let middle = observation(&truth, "middle");
    let at: ReadTime = middle["unix_ms"].to_string().parse().unwrap();
    let keys = keys_of_enc_7(&room, None).open().unwrap();
    let report = room.decode("dump", |options| (options.read.keys, options.strict) = (keys.clone(), false)).unwrap();
    assert_eq!(report.losses, 0);
    assert!(report.notes.iter().any(|note| note.starts_with("the dump is not encrypted")), "{:?}", report.notes);
    compare(&room.dump("dump"), observation(&truth, "end"), kinds_of(&ENC_7)).assert_equal(190);
    assert_sound(&room.dump("dump"));
    let manifest: Value = serde_json::from_slice(&fs::read(room.dump("dump/MANIFEST.json")).unwrap()).unwrap();
    let recorded = serde_json::json!([{ "id": 11, "values": 351 }, { "id": 13, "values": 1622 }]);
    assert_eq!(manifest["ekv_backup"]["snapshots"][0]["data_keys"], recorded);
    let report = room.decode("middle", |options| (options.read.at, options.read.keys) = (Some(at), keys)).unwrap();
    assert_eq!(report.losses, 0);
    compare(&room.dump("middle"), middle, kinds_of(&ENC_7)).assert_equal(105);

    let lost = |name: &str, change: &dyn Fn(&mut DecodeOptions)| {
        let report = room.decode(name, change).unwrap();
        assert!(report.notes.iter().all(|note| !note.contains("decrypt")), "{:?}", report.notes);
        let lines = fs::read_to_string(room.dump(name).join("LOSSES.jsonl")).unwrap();
        let of = |key: &str| lines.lines().filter(|line| line.contains(key)).count();
        (of("data key 11"), of("data key 13"))
    };
    let (of_11, of_13) = lost("without", &|_| ());
    assert!(of_11 > 0 && of_13 > 0, "{of_11} and {of_13}");
    let some = keys_of_enc_7(&room, Some("13")).open().unwrap();
    assert_eq!(lost("some", &|options| options.read.keys = some.clone()), (0, of_13));
}

#[test]
fn files_become_what_the_mount_showed() {
    let room = Room::new(&FS_9);
    let truth = FS_9.truth();
    for (label, least) in [("end", 54), ("middle", 26)] {
        let shown = observation(&truth, label);
        let at: ReadTime = shown["unix_ms"].to_string().parse().unwrap();
        let at = (label == "middle").then_some(at);
        let report = room.decode(label, |options| options.read.at = at).unwrap();
        assert_eq!(report.losses, 0);
        compare(&room.dump(label), shown, kinds_of(&FS_9)).assert_equal(least);
        assert_sound(&room.dump(label));
    }
}

/// Makes a payload of a dump, decodes that, and tells whether the second dump has the same files.
fn there_and_back(room: &Room, dump: &str) -> String {
    let (payload, again) = (room.dump(&format!("{dump}.payload.fsm")), format!("{dump}.again"));
    let sink = ekv_backup::DirOptions { fsync: ekv_backup::Fsync::None, ..ekv_backup::DirOptions::default() };
    let options = ekv_backup::EncodeOptions { sink, ..ekv_backup::EncodeOptions::default() };
    let report = ekv_backup::encode(&room.dump(dump), &payload, &options, &NoProgress).unwrap();
    assert_eq!((report.payload.not_restorable, report.payload.self_test.matched), (0, true));
    let back = Room { dir: tempfile::tempdir().unwrap(), snapshot: payload };
    let report = back.decode("dump", |_| {}).unwrap();
    assert_eq!(report.losses, 0, "{dump}");
    let (mut before, mut after) = (tree(&room.dump(dump)), tree(&back.dump("dump")));
    for own in ["MANIFEST.json", "CHECKSUMS"] {
        assert!(before.remove(own).is_some() && after.remove(own).is_some());
    }
    let different: Vec<&String> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(different.is_empty(), "{dump}: {different:?}");
    fs::rename(back.dump("dump"), room.dump(&again)).unwrap();
    again
}

#[cfg(unix)]
#[test]
fn whole_way_there_and_back_is_what_the_server_answered_at_either_moment() {
    for (known, least) in [(SSTI_5, [125, 220]), (ENC_7, [105, 190]), (FS_9, [26, 54])] {
        let room = Room::new(&known);
        let truth = known.truth();
        let keys = (known.name == ENC_7.name).then(|| keys_of_enc_7(&room, None).open().unwrap()).flatten();
        for (label, least) in ["middle", "end"].into_iter().zip(least) {
            let answered = observation(&truth, label);
            let at: ReadTime = answered["unix_ms"].to_string().parse().unwrap();
            room.decode(label, |options| {
                options.read.at = (label == "middle").then_some(at);
                options.read.keys = keys.clone();
            })
            .unwrap();
            let again = there_and_back(&room, label);
            compare(&room.dump(&again), answered, kinds_of(&known)).assert_equal(least);
        }
    }
}

#[test]
fn every_entry_of_the_snapshot_is_accounted_for() {
    for known in SNAPSHOTS {
        let room = Room::new(&known);
        let books = room.decode("dump", |_| {}).unwrap().books;
        let records = books.records;
        assert_eq!((records.entries, records.visible), (known.entries, known.visible), "{}", known.name);
        let hidden = records.older + records.newer + records.deleted + records.store_expired + records.damaged;
        assert_eq!(records.store_rows + records.short_keys + hidden + records.visible, records.entries);
        let outcomes: u64 = records.outcomes.iter().map(|outcome| outcome.records).sum();
        assert_eq!(outcomes, records.visible, "{}: {:?}", known.name, records.outcomes);
        for family in &books.families {
            let outcomes: u64 = family.outcomes.iter().map(|outcome| outcome.records).sum();
            assert_eq!(outcomes, family.visible, "{}: {}", known.name, family.family);
        }
        let unaccounted = books.findings.iter().find(|finding| finding.name == "records_unaccounted");
        assert!(unaccounted.is_none(), "{unaccounted:?}");
    }
}

/// Whether a file that the reference decoder does not write is a collection that exists and is empty on the server.
fn is_empty_collection(dump: &Path, name: &str, truth: &Value) -> bool {
    let alone = tempfile::tempdir().unwrap();
    let path = alone.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(dump.join(name), &path).unwrap();
    if dump.join(KEYMAP).exists() {
        fs::copy(dump.join(KEYMAP), alone.path().join(KEYMAP)).unwrap();
    }
    // Of all keys of the truth only those that are empty: exactly one of them must be there.
    let end = observation(truth, "end");
    let is_empty = |wanted: &Value| wanted["value"].as_array().is_some_and(Vec::is_empty);
    let keys = end["redis"].as_object().unwrap().iter().filter(|(_, wanted)| is_empty(wanted));
    let mut only_empty = end.clone();
    only_empty["redis"] = Value::Object(keys.map(|(key, wanted)| (key.clone(), wanted.clone())).collect());
    let found = compare(alone.path(), &only_empty, &[Kind::Redis]);
    found.differences.len() + 1 == found.compared && found.differences.iter().all(|line| line.contains("is missing"))
}

/// The lines of a keymap that belong to none of the files.
fn without_lines_of(keymap: &[u8], files: &[String]) -> Vec<u8> {
    let stems: BTreeSet<&str> =
        files.iter().map(|name| Path::new(name).file_stem().unwrap().to_str().unwrap()).collect();
    let lines = keymap.split_inclusive(|byte| *byte == b'\n').filter(|line| {
        let line: Value = serde_json::from_slice(line).unwrap();
        !stems.contains(line["encoded"].as_str().unwrap())
    });
    lines.collect::<Vec<_>>().concat()
}

#[test]
fn files_are_byte_for_byte_those_of_the_reference_decoder() {
    for known in SNAPSHOTS {
        let room = Room::new(&known);
        room.decode("dump", |_| {}).unwrap();
        known.unpack_reference_tree(&room.dump("reference"));
        let mut ours = tree(&room.dump("dump"));
        let mut reference = BTreeMap::new();
        for (name, bytes) in tree(&room.dump("reference")) {
            if name == "MANIFEST.json" || name == "CHECKSUMS" {
                continue;
            }
            reference.insert(name, bytes);
        }
        assert!(reference.len() > 100, "{}: only {} files", known.name, reference.len());
        // What only we write: the description of the dump, S3, and collections that the reference decoder does not see.
        let own = ["MANIFEST.json", "CHECKSUMS"];
        let is_ours = |name: &str| own.contains(&name) || name.starts_with("s3/");
        let only_ours: Vec<String> =
            ours.keys().filter(|name| !reference.contains_key(*name) && !is_ours(name)).cloned().collect();
        let truth = known.truth();
        for name in &only_ours {
            assert!(is_empty_collection(&room.dump("dump"), name, &truth), "{}: {name} is one too many", known.name);
        }
        if let Some(keymap) = ours.get_mut(KEYMAP) {
            *keymap = without_lines_of(keymap, &only_ours);
        }
        for (name, bytes) in &reference {
            let mine = ours.get(name).unwrap_or_else(|| panic!("{}: {name} is missing", known.name));
            if mine != bytes {
                let at = mine.iter().zip(bytes).take_while(|(a, b)| a == b).count();
                let shown = |bytes: &[u8]| {
                    bytes.iter().skip(at).take(80).copied().collect::<Vec<_>>().escape_ascii().to_string()
                };
                panic!("{}: {name} differs at byte {at}: {} and not {}", known.name, shown(mine), shown(bytes));
            }
        }
    }
}

#[test]
fn two_runs_write_the_same_bytes_but_for_the_time_in_the_manifest() {
    let room = Room::new(&REDIS_2);
    room.decode("first", |_| {}).unwrap();
    room.decode("second", |_| {}).unwrap();
    assert!(tree(&room.dump("first")) == tree(&room.dump("second")), "two runs at the same time differ");
    room.decode("later", |options| options.now = "2027-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let (mut first, mut later) = (tree(&room.dump("first")), tree(&room.dump("later")));
    let manifest = |files: &mut BTreeMap<String, Vec<u8>>| {
        files.remove("CHECKSUMS").unwrap();
        let mut manifest: Value = serde_json::from_slice(&files.remove("MANIFEST.json").unwrap()).unwrap();
        manifest.as_object_mut().unwrap().remove("wall_time_iso").unwrap();
        manifest
    };
    assert_eq!(manifest(&mut first), manifest(&mut later));
    assert!(first == later, "files beside the manifest differ");
}

#[test]
fn moment_of_the_newest_commit_is_the_newest_state() {
    let room = Room::new(&REDIS_1);
    room.decode("newest", |_| {}).unwrap();
    let at: ReadTime = format!("hlc:{}", REDIS_1.last_commit_ts).parse().unwrap();
    room.decode("at", |options| options.read.at = Some(at)).unwrap();
    assert!(tree(&room.dump("newest")) == tree(&room.dump("at")));
}

#[test]
fn compressed_snapshot_becomes_the_same_dump() {
    let room = Room::new(&REDIS_1);
    let named = |options: &mut DecodeOptions| options.source_name = Some("the snapshot".into());
    room.decode("plain", named).unwrap();
    let compressed = Room { snapshot: REDIS_1.compressed_path(), dir: room.dir };
    compressed.decode("compressed", named).unwrap();
    assert!(tree(&compressed.dump("plain")) == tree(&compressed.dump("compressed")));
}

#[test]
fn flipped_byte_anywhere_publishes_nothing_and_leaves_nothing_behind() {
    let room = Room::new(&REDIS_1);
    let bytes = REDIS_1.bytes();
    let before = room.names();
    for at in (0..bytes.len()).step_by(bytes.len() / 40).chain([8, 24, 33, bytes.len() - 1]) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x08;
        fs::write(&room.snapshot, &flipped).unwrap();
        let error = room.decode("dump", |_| {}).unwrap_err();
        assert_eq!(error.class(), Class::Data, "byte {at}: {error}");
        assert_eq!(room.names(), before, "byte {at} left something behind");
    }
}

/// Wants to stop at the n-th call.
struct StopAt {
    calls_left: Cell<u64>,
}

impl Progress for StopAt {
    fn begin(&self, _: Phase, _: Option<u64>) {}
}

impl Monitor for StopAt {
    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        let left = self.calls_left.get();
        self.calls_left.set(left.saturating_sub(1));
        if left == 0 { Err(Cancelled) } else { Ok(()) }
    }
}

#[test]
fn run_that_is_stopped_at_any_moment_publishes_nothing_and_leaves_nothing_behind() {
    let room = Room::new(&REDIS_2);
    let before = room.names();
    let options = DecodeOptions::default();
    let never = StopAt { calls_left: Cell::new(u64::MAX) };
    decode(&room.snapshot, &room.dump("dump"), &options, &never).unwrap();
    fs::remove_dir_all(room.dump("dump")).unwrap();
    let calls = u64::MAX - never.calls_left.get();
    assert!(calls > 300, "asked only {calls} times");
    for n in (0..calls).step_by(usize::try_from(calls / 25).unwrap()).chain([1, 2, 3, calls - 1]) {
        let error = decode(&room.snapshot, &room.dump("dump"), &options, &StopAt { calls_left: Cell::new(n) });
        assert_eq!(error.unwrap_err().class(), Class::Cancelled, "call {n}");
        assert_eq!(room.names(), before, "call {n} left something behind");
    }
}

/// Interferes once, when the records are about to be read again.
struct Interference<F>(F);

impl<F: Fn()> Progress for Interference<F> {
    fn begin(&self, phase: Phase, _: Option<u64>) {
        if phase == Phase::Decode {
            (self.0)();
        }
    }
}

impl<F> Monitor for Interference<F> {
    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

#[test]
fn snapshot_that_is_written_to_after_it_was_checked_is_refused() {
    let known = &REDIS_2;
    let at = known.bytes().windows(9).position(|window| window == b"!redis|st").unwrap();
    let append = |path: &Path| fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let truncate = |path: &Path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1000).unwrap();
    let overwrite = |path: &Path| {
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(u64::try_from(at).unwrap())).unwrap();
        file.write_all(b"!redis|xx").unwrap();
    };
    let changes: [&dyn Fn(&Path); 3] = [&append, &truncate, &overwrite];
    for change in changes {
        let room = Room::new(known);
        // A clock that ticks slowly would give the change the same time.
        fs::File::options().write(true).open(&room.snapshot).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let before = room.names();
        let interference = Interference(|| change(&room.snapshot));
        let error = decode(&room.snapshot, &room.dump("dump"), &DecodeOptions::default(), &interference).unwrap_err();
        assert!(error.to_string().contains("was written to while it was read"), "{error}");
        assert_eq!(error.class(), Class::Data);
        assert_eq!(room.names(), before);
    }
}

#[test]
fn snapshot_that_gets_other_names_or_none_while_it_is_read_is_decoded() {
    let room = Room::new(&REDIS_2);
    let interference = Interference(|| {
        fs::hard_link(&room.snapshot, room.dump("second-name")).unwrap();
        fs::remove_file(&room.snapshot).unwrap();
    });
    decode(&room.snapshot, &room.dump("dump"), &DecodeOptions::default(), &interference).unwrap();
    verify(&room.dump("dump"), &NoProgress).unwrap();
}
