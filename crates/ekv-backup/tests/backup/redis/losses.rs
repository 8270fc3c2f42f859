//! Every loss has a line in LOSSES.jsonl. Source: `docs/format/tree.md`, section 15.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ekv_backup::{
    ChecksumsOptions, CommandError, CopyOptions, DecodeOptions, DecodeReport, DirOptions, DumpTarget, ExistingTarget,
    Fsync, NewName, NoProgress, Result, checksums, decode, pack, unpack, verify,
};
use ekv_dump::losses::{LOSSES_FILE, LossesReader};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use proptest::prelude::*;
use tempfile::TempDir;

/// A snapshot file and what is made of it.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new(snapshot: &SnapshotBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("snapshot.fsm"), snapshot.build()).unwrap();
        Scene { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn decode(&self, name: &str, options: &DecodeOptions) -> Result<DecodeReport> {
        decode(&self.path("snapshot.fsm"), unsynced(&self.path(name)), options, &NoProgress)
    }

    fn dump(&self) -> DecodeReport {
        self.decode("dump", &DecodeOptions::default()).unwrap()
    }

    fn losses(&self) -> Vec<u8> {
        std::fs::read(self.path("dump").join(LOSSES_FILE)).unwrap()
    }
}

fn unsynced(path: &Path) -> DumpTarget {
    DumpTarget::directory(path, DirOptions { fsync: Fsync::None, ..DirOptions::default() })
}

/// Sum of the counts of all lines.
fn count(lines: &[u8]) -> u64 {
    let mut reader = LossesReader::new(lines);
    let mut sum = 0;
    while let Some(loss) = reader.next_loss().unwrap() {
        sum += loss.count;
    }
    sum
}

fn damaged_strings(count: usize) -> RedisRecords {
    let records = RedisRecords::new().put(key::string(b"good"), value::string(b"body", None));
    (0..count)
        .fold(records, |records, n| records.put(key::string(format!("lost{n:02}").as_bytes()), b"\xff\x01\x01cut"))
}

#[test]
fn losses_have_the_documented_lines() {
    let records = RedisRecords::new()
        .put(key::string(b"cut"), b"\xff\x01")
        .put(key::string(b"\xff\"\n"), b"\xff\x01")
        .damaged(Wide::Hash.element(b"h", b"f"));
    let scene = Scene::new(records.snapshot());
    scene.dump();
    let expected = [
        r#"{"finding":"snapshot_damaged_value","adapter":"redis","key":"!hs|fld|\u0000\u0000\u0000\u0001hf""#,
        r#"{"finding":"redis_invalid_string_value","adapter":"redis","key":"cut""#,
        r#"{"finding":"redis_invalid_string_value","adapter":"redis","key":{"base64":"_yIK"}"#,
    ];
    let text = String::from_utf8(scene.losses()).unwrap();
    assert_eq!(text.lines().count(), expected.len(), "{text}");
    for (line, expected) in text.lines().zip(expected) {
        assert!(
            line.starts_with(expected) && line.contains(",\"byte_offset\":") && line.contains(",\"detail\":\""),
            "{line}"
        );
    }
}

#[test]
fn every_loss_is_named_in_the_dump_and_in_the_report() {
    let scene = Scene::new(damaged_strings(200).snapshot());
    let report = scene.dump();
    assert_eq!((report.losses, report.books.listed_losses), (200, Some(200)));
    let json = serde_json::to_value(&report).unwrap();
    let text = String::from_utf8(scene.losses()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json["lost"], serde_json::Value::Array(lines.clone()));
    let keys: BTreeSet<_> = lines.iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, (0..200).map(|n| format!("lost{n:02}")).collect());
    let sums = std::fs::read_to_string(scene.path("dump/CHECKSUMS")).unwrap();
    assert!(sums.lines().any(|line| line.ends_with("  LOSSES.jsonl")));
}

#[test]
fn a_key_of_a_mebibyte_is_named_whole() {
    for byte in [b'k', 1, 0xff] {
        let long = vec![byte; (1 << 20) - 100];
        let scene = Scene::new(RedisRecords::new().put(key::string(&long), b"\xff\x01").snapshot());
        scene.dump();
        let loss = LossesReader::new(scene.losses().as_slice()).next_loss().unwrap().unwrap();
        assert_eq!(loss.key.unwrap().to_bytes(), long);
    }
}

#[test]
fn a_dump_without_losses_has_no_list_of_them() {
    let scene = Scene::new(damaged_strings(0).snapshot());
    let report = scene.dump();
    assert!(!scene.path("dump").join(LOSSES_FILE).exists());
    let json = serde_json::to_value(&report).unwrap();
    assert!(json.get("lost").is_none() && json.get("listed_losses").is_none());
}

#[test]
fn losses_do_not_depend_on_the_number_of_jobs() {
    let scene = Scene::new(damaged_strings(100).snapshot());
    scene.dump();
    for jobs in [1, 2, 7] {
        let name = format!("jobs{jobs}");
        let options = DecodeOptions { jobs: jobs.try_into().unwrap(), ..DecodeOptions::default() };
        scene.decode(&name, &options).unwrap();
        assert_eq!(std::fs::read(scene.path(&name).join(LOSSES_FILE)).unwrap(), scene.losses());
    }
}

#[test]
fn losses_are_listed_once_where_a_store_expiry_makes_the_scan_begin_again() {
    let records = RedisRecords::new().damaged(key::string(b"lost")).put(key::string(b"k"), value::string(b"v", None));
    let ts = records.commit_ts();
    let snapshot =
        records.snapshot().clone().version(&key::string(b"x"), ts, 0, ts + (1 << 30), &value::string(b"v", None));
    let scene = Scene::new(&snapshot);
    assert_eq!(scene.dump().losses, 1);
    assert_eq!(count(&scene.losses()), 1);
}

#[test]
fn a_blob_beside_damaged_metadata_is_named_by_its_key() {
    let records = RedisRecords::new()
        .put(key::blob("hash", b"lone"), value::hash_blob(&[(b"f", b"v")]))
        .put(key::blob("hash", b"lost"), value::hash_blob(&[(b"f", b"v")]))
        .damaged(Wide::Hash.meta(b"lost"));
    let scene = Scene::new(records.snapshot());
    assert_eq!(scene.dump().losses, 2);
    let text = String::from_utf8(scene.losses()).unwrap();
    assert!(text.contains(r#""finding":"redis_invalid_meta","adapter":"redis","key":"lost","#), "{text}");
    assert!(!text.contains("count"), "{text}");
}

#[test]
fn every_changed_byte_and_every_cut_of_the_list_is_noticed() {
    let scene = Scene::new(damaged_strings(2).snapshot());
    scene.dump();
    let path = scene.path("dump").join(LOSSES_FILE);
    let whole = scene.losses();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(!verify(&scene.path("dump"), &NoProgress).unwrap().sound, "byte {at}");
        std::fs::write(&path, &whole[..at]).unwrap();
        assert!(!verify(&scene.path("dump"), &NoProgress).unwrap().sound, "cut at {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(verify(&scene.path("dump"), &NoProgress).unwrap().sound);
}

#[test]
fn a_list_that_does_not_agree_with_the_manifest_is_refused_even_with_its_checksum() {
    let scene = Scene::new(damaged_strings(3).snapshot());
    scene.dump();
    let (dump, path) = (scene.path("dump"), scene.path("dump").join(LOSSES_FILE));
    let whole = scene.losses();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let options = ChecksumsOptions::default();
    for other in [&whole[first..], &[&whole[..], &whole[..first]].concat(), b"", b"{}\n"] {
        std::fs::write(&path, other).unwrap();
        let report = checksums(&dump, &options, &NoProgress).unwrap();
        assert!(report.problems.iter().any(|problem| problem.starts_with(LOSSES_FILE)), "{:?}", report.problems);
    }
    std::fs::remove_file(&path).unwrap();
    let report = checksums(&dump, &options, &NoProgress).unwrap();
    assert_eq!(report.problems, ["LOSSES.jsonl: nothing listed, but MANIFEST.json says 3"]);
}

#[test]
fn archives_and_copies_keep_the_list() {
    let scene = Scene::new(damaged_strings(20).snapshot());
    scene.dump();
    let named = |name: &str| NewName {
        publication: DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None },
        ..NewName::new(scene.path(name))
    };
    let archive = || DumpTarget::Archive(named("dump.tar"), ekv_backup::Compression::None);
    assert!(pack(&scene.path("dump"), archive(), &CopyOptions::default(), &NoProgress).unwrap().copy.is_some());
    let copied =
        unpack(&scene.path("dump.tar"), DumpTarget::Directory(named("copy")), &CopyOptions::default(), &NoProgress);
    assert!(copied.unwrap().copy.is_some());
    assert_eq!(std::fs::read(scene.path("copy").join(LOSSES_FILE)).unwrap(), scene.losses());
    let direct = DumpTarget::Archive(named("direct.tar"), ekv_backup::Compression::None);
    decode(&scene.path("snapshot.fsm"), direct, &DecodeOptions::default(), &NoProgress).unwrap();
    assert!(verify(&scene.path("direct.tar"), &NoProgress).unwrap().sound);
}

#[test]
fn strict_mode_carries_all_losses_and_their_number() {
    let scene = Scene::new(damaged_strings(150).snapshot());
    let error = scene.decode("strict", &DecodeOptions { strict: true, ..DecodeOptions::default() }).unwrap_err();
    let Some(CommandError::Strict { lost, .. }) = error.get_ref().downcast_ref() else { panic!("{error}") };
    let first = lost.first(100).unwrap();
    assert_eq!((first.len(), lost.count()), (100, 150));
    assert!(first[0].starts_with("redis_invalid_string_value: redis:0/lost00: "), "{}", first[0]);
    assert_eq!(serde_json::to_value(lost.as_ref()).unwrap().as_array().unwrap().len(), 150);
    assert!(!scene.path("strict").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lines_are_as_many_as_losses_whatever_is_damaged(damages in prop::collection::vec((0_u8..8, 0_u8..6), 0..30)) {
        let mut seen = BTreeSet::new();
        let mut records = RedisRecords::new().put(key::string(b"good"), value::string(b"body", None));
        for (kind, name) in damages {
            let name = &[b'a' + name][..];
            let (user_key, body): (Vec<u8>, &[u8]) = match kind {
                0 => (key::string(name), b"\xff\x01"),
                1 => (key::hll(name), b"\xff\x02\x01"),
                2 => (Wide::Hash.meta(name), b""),
                3 => (Wide::ZSet.element(name, b"m"), b"x"),
                4 => (key::blob("hash", name), b"x"),
                5 => (key::expiry(name), b""),
                6 => (Wide::Hash.element(name, b"f"), b"v"),
                _ => (key::stream_meta(name), b""),
            };
            if seen.insert(user_key.clone()) {
                records = match seen.len() % 3 {
                    0 => records.damaged(user_key),
                    _ => records.put(user_key, body),
                };
            }
        }
        let scene = Scene::new(records.snapshot());
        let report = scene.dump();
        let path = scene.path("dump").join(LOSSES_FILE);
        let lines = if path.exists() { std::fs::read(path).unwrap() } else { Vec::new() };
        let of_findings: u64 = report.books.findings.iter().filter(|f| f.severity == "loss").map(|f| f.count).sum();
        prop_assert_eq!(count(&lines), of_findings);
        prop_assert_eq!(report.losses, of_findings);
        prop_assert!(verify(&scene.path("dump"), &NoProgress).unwrap().sound);
    }
}
