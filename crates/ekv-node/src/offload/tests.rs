use super::*;
use ekv_snapshot::ErrorKind;
use ekv_testkit::fixtures;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A manifest of a real server: `docs/format/offload.md`, section 3.
const NEWEST: &str = "v1/groups/1/snapshots/00000000000000000474-00000000000000000002.json";

/// A store of a real server.
fn store() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fixtures::unpack("offload-6.tar", dir.path());
    let root = dir.path().join("store/backups/prod");
    (dir, root)
}

fn open(path: &Path) -> OffloadStore {
    OffloadStore::open(&StoreSelection::of(path).unwrap()).unwrap()
}

#[test]
fn store_its_version_a_group_and_a_manifest_are_recognised_and_nothing_else() {
    let (_dir, root) = store();
    let real = root.canonicalize().unwrap();
    let whole = StoreSelection { root: root.clone(), group: None, snapshot: None };
    assert_eq!(StoreSelection::of(&root), Some(whole.clone()));
    assert_eq!(StoreSelection::of(&root.join("v1")), Some(StoreSelection { root: real.clone(), ..whole.clone() }));
    assert_eq!(
        StoreSelection::of(&root.join("v1/groups/2")),
        Some(StoreSelection { root: real.clone(), group: Some(2), ..whole.clone() })
    );
    let named = StoreSelection { root: real, group: Some(1), snapshot: Some((474, 2)) };
    assert_eq!(StoreSelection::of(&root.join(NEWEST)), Some(named));
    for other in ["", "v1/groups", "v1/payloads", "v1/groups/1/snapshots"] {
        assert_eq!(StoreSelection::of(&root.parent().unwrap().join(other)), None, "{other}");
    }
}

#[test]
fn all_snapshots_of_a_real_store_are_listed_newest_first_and_their_payloads_are_whole() {
    let (_dir, root) = store();
    let store = open(&root);
    let rows: Vec<_> = store.listed().iter().map(|listed| (listed.group_id, listed.index, listed.term)).collect();
    assert_eq!(rows, [(1, 474, 2), (1, 229, 2), (2, 263, 2), (2, 146, 2)]);
    assert_eq!((store.unnamed_payloads, store.unfinished, store.doubt(1)), (0, 0, None));
    for listed in store.listed() {
        let manifest = listed.manifest.as_ref().unwrap();
        assert_eq!((manifest.source_cluster.as_str(), manifest.is_reformatted), ("fixture", false));
        let payload = store.payload(manifest).unwrap();
        assert!(payload.notes.is_empty(), "{:?}", payload.notes);
        let crc32c = manifest.source_crc32c;
        let computed = verify_payload(&payload.input, &manifest.payload_sha256, crc32c, &|_| Ok(())).unwrap();
        assert_eq!(Some(computed), crc32c);
        assert!(verify_payload(&payload.input, &[0; 32], crc32c, &|_| Ok(())).is_err());
        assert!(verify_payload(&payload.input, &manifest.payload_sha256, Some(computed ^ 1), &|_| Ok(())).is_err());
    }
}

#[test]
fn every_changed_byte_of_a_manifest_is_refused_or_says_the_same_and_is_told() {
    let (_dir, root) = store();
    let text = fs::read(root.join(NEWEST)).unwrap();
    let whole = Manifest::parse(&text).unwrap();
    for at in 0..text.len() {
        for bits in 0..8 {
            let mut changed = text.clone();
            changed[at] ^= 1 << bits;
            if let Ok(read) = Manifest::parse(&changed) {
                assert_eq!(read, Manifest { is_reformatted: true, ..whole.clone() }, "byte {at}");
            }
        }
    }
    for len in 0..text.len() - 1 {
        assert!(Manifest::parse(&text[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn reformatted_text_and_unknown_members_are_accepted_and_edited_values_are_not() {
    let (_dir, root) = store();
    let text = fs::read_to_string(root.join(NEWEST)).unwrap();
    let compact: serde_json::Value = serde_json::from_str(&text).unwrap();
    let unknown = text.replacen('{', "{ \"later\": [1],", 1);
    for changed in [compact.to_string(), unknown] {
        assert!(Manifest::parse(changed.as_bytes()).unwrap().is_reformatted);
    }
    for (from, to) in [
        ("\"group_id\": 1", "\"group_id\": 2"),
        ("\"snapshot_index\": 474", "\"snapshot_index\": 475"),
        ("fixture", "another"),
        ("\"bytes\": 984114", "\"bytes\": 984115"),
    ] {
        let error = Manifest::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("SHA-256 does not match"), "{error}");
    }
    let error =
        Manifest::parse(text.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1).as_bytes()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnsupportedForm { .. }), "{error}");
}

#[test]
fn manifests_that_lie_elsewhere_or_are_too_long_are_listed_as_unusable() {
    let (_dir, root) = store();
    let text = fs::read(root.join(NEWEST)).unwrap();
    let renamed = "v1/groups/1/snapshots/00000000000000000475-00000000000000000002.json";
    fs::write(root.join(renamed), &text).unwrap();
    let long = "v1/groups/1/snapshots/00000000000000000476-00000000000000000002.json";
    fs::write(root.join(long), vec![b' '; (1 << 20) + 1]).unwrap();
    fs::write(root.join("v1/groups/1/snapshots/.put-123"), b"").unwrap();
    fs::write(root.join(format!("v1/payloads/sha256/4f/{}.fsm", "4f".repeat(32))), b"").unwrap();
    let store = open(&root);
    let faults: Vec<String> = store
        .listed()
        .iter()
        .filter_map(|listed| Some(format!("{} {}", listed.index, listed.manifest.as_ref().err()?.kind())))
        .collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("476") && faults[0].contains("more than 1048576"), "{faults:?}");
    assert!(faults[1].starts_with("475") && faults[1].contains("says that it is"), "{faults:?}");
    assert_eq!((store.unnamed_payloads, store.unfinished), (1, 1));
}

#[test]
fn copied_store_is_read_and_noted() {
    let (dir, root) = store();
    let copy = dir.path().join("copy");
    fs::rename(&root, &copy).unwrap();
    let store = open(&copy);
    let payload = store.payload(store.listed()[0].manifest.as_ref().unwrap()).unwrap();
    assert_eq!(payload.notes, ["the store was published at \"backups/prod\" and copied from there"]);
}
