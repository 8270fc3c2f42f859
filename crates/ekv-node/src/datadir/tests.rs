use std::fs;
use std::path::{Path, PathBuf};

use ekv_snapshot::{ErrorKind, FooterPolicy, Result};
use ekv_testkit::scan_input;
use tempfile::TempDir;

use super::*;
use crate::snapfile::{SnapMetadata, Token, encode};

/// An empty store with footer; `mark` makes files differ.
fn fsm_bytes(mark: u64) -> Vec<u8> {
    let mut bytes = [&b"EKVTHLC1"[..], &mark.to_be_bytes(), b"EKVPBBL1", &mark.to_le_bytes()].concat();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    bytes
}

fn footer_of(fsm: &[u8]) -> u32 {
    u32::from_be_bytes(*fsm.last_chunk().unwrap())
}

struct Dir {
    root: TempDir,
}

impl Dir {
    fn new() -> Self {
        Dir { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn snap(&self, group: &str, term: u64, index: u64, crc32c: u32) -> PathBuf {
        let metadata = SnapMetadata { term, index, ..SnapMetadata::default() };
        let name = format!("{group}/snap/{term:016x}-{index:016x}.snap");
        self.write(&name, &encode(&metadata, Token { index, crc32c }).unwrap())
    }

    fn fsm(&self, group: &str, index: u64) -> PathBuf {
        self.write(&format!("{group}/fsm-snap/{index:016x}.fsm"), &fsm_bytes(index))
    }

    /// A `.snap` file and the `.fsm` file that it names.
    fn pair(&self, group: &str, term: u64, index: u64) -> PathBuf {
        self.snap(group, term, index, footer_of(&fsm_bytes(index)));
        self.fsm(group, index)
    }

    fn groups(&self, name: &str) -> Result<Vec<GroupDir>> {
        groups(&self.path(name))
    }

    fn candidates(&self, name: &str) -> Candidates {
        let [group] = self.groups(name).unwrap().try_into().unwrap();
        group.candidates()
    }

    /// All names below the root with their lengths.
    fn listing(&self) -> Vec<(PathBuf, u64)> {
        fn walk(dir: &Path, found: &mut Vec<(PathBuf, u64)>) {
            for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
                found.push((entry.path(), entry.metadata().unwrap().len()));
                if entry.path().is_dir() {
                    walk(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.root.path(), &mut found);
        found.sort();
        found
    }
}

/// What a caller does: reads candidates as a whole until one passes.
fn first_intact(candidates: &mut Candidates) -> Option<GroupSnapshot> {
    while let Some(snapshot) = candidates.next().unwrap() {
        match scan_input(&snapshot.input) {
            Ok(_) => return Some(snapshot),
            Err(error) => candidates.reject(&snapshot, error),
        }
    }
    None
}

fn indexes(mut candidates: Candidates) -> Vec<Option<u64>> {
    std::iter::from_fn(|| candidates.next().unwrap()).map(|snapshot| snapshot.file_index).collect()
}

fn ids(groups: &[GroupDir]) -> Vec<Option<u64>> {
    groups.iter().map(|group| group.group_id).collect()
}

#[test]
fn base_node_and_group_directory_all_lead_to_the_groups() {
    let dir = Dir::new();
    dir.pair("base/n1/group-1", 1, 5);
    dir.pair("base/n1/group-2", 1, 6);
    dir.pair("base/n1/group-10", 1, 7);
    dir.write("base/n1/raft-engine", b"etcd\n");
    dir.write("base/lost+found/x", b"");
    for path in ["base", "base/n1"] {
        assert_eq!(ids(&dir.groups(path).unwrap()), [Some(1), Some(2), Some(10)], "{path}");
    }
    let one = dir.groups("base/n1/group-2").unwrap();
    assert_eq!(one, [GroupDir { path: dir.path("base/n1/group-2"), group_id: Some(2) }]);
    assert_eq!(indexes(one[0].candidates()), [Some(6)]);
}

#[test]
fn single_group_with_a_nested_group_zero_yields_both() {
    let dir = Dir::new();
    dir.pair("base/n1", 1, 5);
    dir.pair("base/n1/group-0", 1, 6);
    for path in ["base", "base/n1"] {
        assert_eq!(ids(&dir.groups(path).unwrap()), [None, Some(0)], "{path}");
    }
}

#[test]
fn group_without_any_snapshot_is_found_and_says_so() {
    let dir = Dir::new();
    dir.pair("n1/group-1", 1, 5);
    fs::create_dir_all(dir.path("n1/group-2/wal")).unwrap();
    let groups = dir.groups("n1").unwrap();
    assert_eq!(ids(&groups), [Some(1), Some(2)]);
    let mut candidates = groups[1].candidates();
    assert!(candidates.next().unwrap().is_none());
    let error = candidates.into_error();
    assert!(matches!(error.kind(), ErrorKind::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("has not taken a snapshot yet"), "{error}");
}

#[test]
fn directory_without_groups_is_not_found_and_says_what_was_looked_for() {
    let dir = Dir::new();
    dir.write("base/some/thing", b"");
    let error = dir.groups("base").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
    assert!(error.to_string().contains("looked for fsm-snap, snap or group-<number>"), "{error}");
    dir.pair("n1", 1, 5);
    assert!(dir.groups("n1/fsm-snap").unwrap_err().to_string().contains("name the directory above it"));
    assert!(matches!(dir.groups("nowhere").unwrap_err().kind(), ErrorKind::Io { .. }));
}

#[test]
fn several_nodes_and_mixed_layouts_are_ambiguous() {
    let dir = Dir::new();
    dir.pair("base/n1", 1, 5);
    dir.pair("base/n2", 1, 5);
    let error = dir.groups("base").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Ambiguous { .. }), "{error}");
    dir.pair("base/n1/group-1", 1, 9);
    let error = dir.groups("base/n1").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Ambiguous { .. }), "{error}");
}

#[test]
fn newest_pair_wins_by_term_before_index_and_unfinished_files_are_ignored() {
    let dir = Dir::new();
    dir.pair("n1", 2, 0x10);
    dir.pair("n1", 1, 0x20);
    dir.pair("n1", 2, 0x0f);
    dir.write("n1/fsm-snap/0000000000000030.fsm.tmp", b"half");
    dir.write("n1/fsm-snap/elastickv-etcd-snapshot-1234", b"half");
    dir.write("n1/snap/0000000000000009-0000000000000040.snap.broken", b"junk");
    dir.write("n1/snap/db", b"junk");
    let mut candidates = dir.candidates("n1");
    let newest = candidates.next().unwrap().unwrap();
    assert_eq!((newest.file_index, newest.term, newest.group_id), (Some(0x10), Some(2), None));
    assert_eq!(newest.input.footer, FooterPolicy::Required);
    assert_eq!(newest.input.token_crc32c, Some(footer_of(&fsm_bytes(0x10))));
    assert_eq!(newest.path, dir.path("n1/fsm-snap/0000000000000010.fsm"));
    assert!(newest.notes.is_empty());
    assert_eq!(indexes(candidates), [Some(0x0f), Some(0x20)]);
}

#[test]
fn unusable_newest_snapshots_are_reported_and_the_next_older_pair_is_used() {
    let dir = Dir::new();
    dir.pair("n1", 1, 1);
    // Damaged .snap file.
    dir.pair("n1", 1, 9);
    let snap = dir.path("n1/snap/0000000000000001-0000000000000009.snap");
    let mut bytes = fs::read(&snap).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&snap, bytes).unwrap();
    // Name and metadata differ.
    fs::copy(
        dir.path("n1/snap/0000000000000001-0000000000000001.snap"),
        dir.path("n1/snap/0000000000000001-0000000000000008.snap"),
    )
    .unwrap();
    // .fsm missing, cut short, of another checksum, damaged inside.
    dir.snap("n1", 1, 7, 7);
    dir.snap("n1", 1, 6, 6);
    dir.write("n1/fsm-snap/0000000000000006.fsm", b"abc");
    dir.snap("n1", 1, 5, 5);
    dir.fsm("n1", 5);
    let mut damaged = fsm_bytes(4);
    damaged[10] ^= 1;
    dir.snap("n1", 1, 4, footer_of(&damaged));
    dir.write("n1/fsm-snap/0000000000000004.fsm", &damaged);

    let before = dir.listing();
    let mut candidates = dir.candidates("n1");
    let found = first_intact(&mut candidates).unwrap();
    assert_eq!(found.file_index, Some(1));
    let reasons: Vec<String> = candidates.rejected().iter().map(ToString::to_string).collect();
    let expected = [
        ("0000000000000009.snap", "checksum mismatch"),
        ("0000000000000008.snap", "its name does not"),
        ("0000000000000007.snap", "cannot open the file"),
        ("0000000000000006.snap", "footer is missing"),
        ("0000000000000005.snap", "the .snap token says 00000005"),
        ("0000000000000004.fsm", "checksum mismatch: footer"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
    for (reason, (name, text)) in reasons.iter().zip(expected) {
        assert!(reason.contains(name) && reason.contains(text), "{reason}");
    }
    assert_eq!(dir.listing(), before, "a reader changed the directory");
}

#[test]
fn highest_intact_fsm_file_is_used_with_a_note_when_no_snap_file_names_one() {
    let dir = Dir::new();
    dir.fsm("n1", 3);
    dir.fsm("n1", 0x0a);
    let damaged = dir.fsm("n1", 0x0b);
    fs::write(&damaged, &fsm_bytes(0x0b)[..30]).unwrap();
    let mut candidates = dir.candidates("n1");
    let found = first_intact(&mut candidates).unwrap();
    assert_eq!((found.file_index, found.term, found.notes), (Some(0x0a), None, vec![Note::Unreferenced]));
    assert_eq!(candidates.rejected().len(), 1);
    assert_eq!(candidates.rejected()[0].path, damaged);
}

#[test]
fn group_whose_every_snapshot_is_damaged_ends_with_the_reason_of_the_newest() {
    let dir = Dir::new();
    for index in [1, 2] {
        fs::write(dir.pair("n1", 1, index), b"damaged").unwrap();
    }
    let mut candidates = dir.candidates("n1");
    assert!(first_intact(&mut candidates).is_none());
    let error = candidates.into_error();
    let ErrorKind::NoUsableSnapshot { tried, newest } = error.kind() else { panic!("{error}") };
    assert_eq!(*tried, 4, "both pairs, and both files once more without their tokens");
    assert!(matches!(newest.kind(), ErrorKind::TokenCrc { .. }));
    assert!(newest.location().file.ends_with("0000000000000002.fsm"));
}

#[test]
fn file_that_vanishes_after_the_listing_leads_to_a_new_listing() {
    let dir = Dir::new();
    dir.pair("n1", 1, 1);
    let old = dir.pair("n1", 1, 2);
    let mut candidates = dir.candidates("n1");
    let listed = candidates.best().unwrap().unwrap();
    // The server takes a newer snapshot and prunes what was just listed.
    dir.pair("n1", 1, 3);
    fs::remove_file(old).unwrap();
    fs::remove_file(dir.path("n1/snap/0000000000000001-0000000000000002.snap")).unwrap();
    assert!(candidates.try_one(listed).unwrap().is_none());
    assert_eq!(indexes(candidates), [Some(3), Some(1)]);
}

#[test]
fn opened_candidate_stays_readable_after_the_server_removed_it() {
    let dir = Dir::new();
    let path = dir.pair("n1", 1, 2);
    let snapshot = dir.candidates("n1").next().unwrap().unwrap();
    fs::remove_file(path).unwrap();
    let mut bytes = vec![0; fsm_bytes(2).len()];
    snapshot.input.fill_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, fsm_bytes(2));
}

#[test]
fn directory_of_many_dangling_snap_files_ends_after_a_bounded_number_of_attempts() {
    let dir = Dir::new();
    for index in 0..400 {
        dir.snap("n1", 1, index, 0);
    }
    let mut candidates = dir.candidates("n1");
    assert!(candidates.next().unwrap().is_none());
    assert_eq!(candidates.rejected().len(), 256);
}

#[test]
fn payload_inside_a_snap_file_is_read_in_place() {
    let dir = Dir::new();
    let payload = [&b"EKVPBBL1"[..], &7_u64.to_le_bytes()].concat();
    let snap = |index: u64, data: &[u8]| {
        let mut metadata = Vec::new();
        crate::protobuf::put_number(2, index, &mut metadata);
        crate::protobuf::put_number(3, 1, &mut metadata);
        let mut message = Vec::new();
        crate::protobuf::put_bytes(1, data, &mut message);
        crate::protobuf::put_bytes(2, &metadata, &mut message);
        let mut file = Vec::new();
        crate::protobuf::put_number(1, u64::from(crc32c::crc32c(&message)), &mut file);
        crate::protobuf::put_bytes(2, &message, &mut file);
        dir.write(&format!("n1/snap/0000000000000001-{index:016x}.snap"), &file)
    };
    let path = snap(4, &payload);
    // Seventeen bytes that do not begin like a token are a payload too, if an unknown one.
    snap(5, b"seventeen bytes!!");
    let mut candidates = dir.candidates("n1");
    let found = first_intact(&mut candidates).unwrap();
    assert_eq!((found.path, found.file_index, found.notes), (path, Some(4), vec![Note::Inline]));
    assert_eq!(found.input.len, 16);
    assert!(matches!(candidates.rejected()[0].error.kind(), ErrorKind::UnknownMagic { .. }));
}

#[test]
fn stateless_snap_file_counts_as_an_empty_group_only_where_nothing_else_is() {
    let dir = Dir::new();
    let stateless = {
        let mut metadata = Vec::new();
        crate::protobuf::put_number(2, 1, &mut metadata);
        crate::protobuf::put_number(3, 1, &mut metadata);
        let mut message = Vec::new();
        crate::protobuf::put_bytes(2, &metadata, &mut message);
        let mut file = Vec::new();
        crate::protobuf::put_number(1, u64::from(crc32c::crc32c(&message)), &mut file);
        crate::protobuf::put_bytes(2, &message, &mut file);
        file
    };
    dir.write("n1/snap/0000000000000001-0000000000000001.snap", &stateless);
    let found = first_intact(&mut dir.candidates("n1")).unwrap();
    assert_eq!((found.input.len, found.notes), (0, vec![Note::NoState]));

    dir.snap("n1", 1, 2, 2);
    assert!(first_intact(&mut dir.candidates("n1")).is_none(), "a lost snapshot must not become an empty store");
}

#[test]
fn layout_of_old_servers_is_read_or_named() {
    let dir = Dir::new();
    dir.write("old/etcd-fsm-snapshot.bin", &[&b"EKVPBBL1"[..], &7_u64.to_le_bytes()].concat());
    let found = first_intact(&mut dir.candidates("old")).unwrap();
    assert_eq!((found.file_index, found.notes), (None, vec![Note::Legacy]));

    dir.write("older/etcd-raft-state.bin", b"EKVR");
    let mut candidates = dir.candidates("older");
    assert!(candidates.next().unwrap().is_none());
    assert!(matches!(candidates.into_error().kind(), ErrorKind::UnsupportedForm { .. }));
}

#[cfg(unix)]
#[test]
fn named_pipe_in_place_of_a_snapshot_is_rejected_without_hanging() {
    let dir = Dir::new();
    dir.pair("n1", 1, 1);
    let pipe = dir.pair("n1", 1, 2);
    fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut candidates = dir.candidates("n1");
    assert_eq!(first_intact(&mut candidates).unwrap().file_index, Some(1));
    assert!(candidates.rejected()[0].to_string().contains("a named pipe"));
}
