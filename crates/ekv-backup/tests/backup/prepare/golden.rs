//! The documented data directory, byte for byte. Source: `docs/format/restore.md`, section 13.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ekv_backup::restore::{EncodeInfo, Placement, RestoreTarget};
use ekv_node::raft::peers::Peers;
use ekv_node::raft::wal::Wal;
use ekv_node::snapfile::{SnapData, SnapFile};
use ekv_snapshot::{FooterPolicy, Input};
use ekv_testkit::seal;

use crate::prepare::scene::{Scene, T, golden_payload};

const PAYLOAD: &str = "454b565042424c310700 0068e5cf8b01 1600000000000000 21726564 69737c73 7472 7c61 2f62 fe74 301a 97ff fff8 \
    0e00 0000000000000000000000000000 00ff 0100 6869";
const FSM: &str = "454b5654484c4331 0000018bcfe56801";
const SNAP: &str =
    "08b6f9bf8703 1225 0a11 454b565401 0000000000000001 cfe71b90 1210 0a0a 08c0a9e3aafbe0ded908 1001 1801";
const WAL: &str = "0400000000000084 0804100000000000 0400000000000084 0801100000000000 0e00000000000082 080510a0b39b8f08 \
    1a04080010000000 1a00000000000086 080510c6a4e6a20a 1a10080110011a0a 08c0a9e3aafbe0de d908000000000000 \
    0e00000000000082 080310c7a191db0b 1a04080118010000";
const PEERS: &str = "454b5650 00000003 0000000000000001 00000001 08b37b07b558d4c0 00 00000002 6e31 0000000e \
    3132372e302e302e313a32333830 00 00000000";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Files and their bytes, directories without; every mode is checked.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700, "{}", directory.display());
        for entry in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                open.push(entry);
            } else {
                assert_eq!(fs::metadata(&entry).unwrap().permissions().mode() & 0o7777, 0o600, "{}", entry.display());
                let name = entry.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&entry).unwrap());
            }
        }
    }
    files
}

fn input(path: &Path) -> Input {
    Input::open(path, FooterPolicy::Required).unwrap()
}

#[test]
fn documented_directory_is_written_byte_for_byte() {
    let scene = Scene::golden();
    assert_eq!(golden_payload(), bytes(PAYLOAD));
    let report = scene.prepare().unwrap();
    let mut wal = bytes(WAL);
    wal.resize(4096, 0);
    let expected = BTreeMap::from([
        ("etcd-raft-peers.bin".to_owned(), bytes(PEERS)),
        ("fsm-snap/0000000000000001.fsm".to_owned(), [bytes(FSM), bytes(PAYLOAD), bytes("cfe71b90")].concat()),
        ("snap/0000000000000001-0000000000000001.snap".to_owned(), bytes(SNAP)),
        ("wal/0000000000000000-0000000000000000.wal".to_owned(), wal),
    ]);
    assert_eq!(tree(&scene.path("n1")), expected);
    assert_eq!(scene.entries(), ["m.fsm", "m.fsm.encode_info.json", "n1"]);

    assert_eq!((report.index, report.term, report.records, report.payload_bytes), (1, 1, 1, 68));
    assert_eq!(report.payload_sha256, "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d");
    assert_eq!((report.fsm_crc32c.as_str(), report.last_commit.hlc), ("cfe71b90", T));
    assert_eq!(report.members[0].node_id, "08b37b07b558d4c0");
    let raft_data_dir = scene.dir.path().canonicalize().unwrap();
    assert_eq!(report.placement, Placement::SingleGroup { raft_id: "n1".into(), raft_data_dir });
    assert!(report.warnings.is_empty());
}

#[test]
fn two_members_are_named_alike_in_all_three_files() {
    let mut scene = Scene::golden();
    scene.options.peers = " n1 = a:1 , n2=b:2,,".parse().unwrap();
    scene.prepare().unwrap();
    let files = tree(&scene.path("n1"));
    let conf_state = bytes("08c0a9e3aafbe0ded908 08d9b3e3aafbc0dfd908");
    for path in ["snap/0000000000000001-0000000000000001.snap", "wal/0000000000000000-0000000000000000.wal"] {
        assert!(files[path].windows(conf_state.len()).any(|window| window == conf_state), "{path}");
    }
    let peers = bytes(
        "00000002 08b37b07b558d4c0 00 00000002 6e31 00000003 613a31 08b37e07b558d9d9 00 00000002 6e32 00000003 623a32",
    );
    assert_eq!(files["etcd-raft-peers.bin"][16..], [peers, vec![0; 5]].concat());
}

#[test]
fn any_index_term_that_leaves_room_and_any_number_of_members_is_read_back_by_the_readers() {
    for (index, term, member_count) in [(1, 1, 1), (2001, 3, 3), ((1 << 63) - 1, 1, 5), (1, (1 << 63) - 1, 1024)] {
        let mut scene = Scene::golden();
        scene.options.index = NonZeroU64::new(index).unwrap();
        scene.options.term = NonZeroU64::new(term).unwrap();
        let peers: Vec<_> = (0..member_count).map(|n| format!("node-{n}=host-{n}:2380")).collect();
        scene.options.peers = peers.join(",").parse().unwrap();
        let report = scene.prepare().unwrap();
        let root = scene.path("n1");
        let [_, snap, wal, peers] = [0, 1, 2, 3].map(|n: usize| root.join(&report.files[n]));
        assert_eq!(snap.file_name().unwrap().to_str().unwrap(), format!("{term:016x}-{index:016x}.snap"));

        let snap = SnapFile::read(&input(&snap)).unwrap();
        assert_eq!((snap.metadata.index, snap.metadata.term), (index, term));
        assert!(snap.metadata.conf_state.voters.is_sorted());
        let SnapData::Token(token) = snap.data else { panic!("no token") };
        assert_eq!((token.index, format!("{:08x}", token.crc32c)), (index, report.fsm_crc32c));
        let wal = Wal::read(&input(&wal)).unwrap();
        assert_eq!(wal.snapshots[1], snap.metadata);
        assert_eq!(wal.hard_state.unwrap().commit, index);
        let peers = Peers::decode(&fs::read(peers).unwrap()).unwrap();
        let node_ids: Vec<_> = peers.peers.iter().map(|peer| peer.node_id).collect();
        assert_eq!((peers.index, node_ids), (index, snap.metadata.conf_state.voters));
        assert_eq!(report.placement, Placement::Elsewhere);
    }
}

#[test]
fn payload_in_the_frame_of_a_server_file_gives_the_same_directory() {
    let scene = Scene::golden();
    scene.prepare().unwrap();
    let framed = Scene::golden();
    let file = seal([bytes(FSM), golden_payload()].concat());
    fs::write(framed.path("m.fsm"), &file).unwrap();
    framed.prepare().unwrap();
    assert_eq!(tree(&framed.path("n1")), tree(&scene.path("n1")));
}

#[test]
fn store_without_commits_gets_no_clock_ceiling_and_a_warning() {
    let mut scene = Scene::of(&[b"EKVPBBL1".as_slice(), &[0; 8]].concat());
    scene.options.target = RestoreTarget::Cluster("lab".into());
    let report = scene.prepare().unwrap();
    assert_eq!(report.records, 0);
    assert!(report.warnings[0].contains("timestamp is 0"), "{:?}", report.warnings);
    assert_eq!(
        tree(&scene.path("n1"))["fsm-snap/0000000000000001.fsm"][..16],
        [b"EKVTHLC1".as_slice(), &[0; 8]].concat()
    );
}

#[test]
fn info_file_may_lie_elsewhere() {
    let scene = Scene::golden();
    fs::rename(EncodeInfo::path_beside(&scene.path("m.fsm")), scene.path("elsewhere.json")).unwrap();
    let (payload, info, data_dir) = (scene.path("m.fsm"), scene.path("elsewhere.json"), scene.path("n1"));
    let prepare = ekv_backup::restore::prepare_restore;
    prepare(&payload, Some(&info), &data_dir, &scene.options, &ekv_backup::NoProgress).unwrap();
}
