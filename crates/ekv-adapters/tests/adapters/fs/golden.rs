//! The examples of section 13, made by a real server.

use ekv_adapters::EncodeOptions;
use ekv_dump::FsFormat;
use ekv_testkit::SnapshotBuilder;
use sha2::{Digest, Sha256};

use crate::fs::store::{chunk_key, dir_key, id_key};
use crate::trip::{Dump, Mode};

const R: u64 = 1;
const D: u64 = 0xab2f_b70c_4ed1_8c41;
const F: u64 = 0x7b29_da18_b59a_67dc;
const S: u64 = 0x5381_9de2_1c66_3568;
const Z: u64 = 0x7909_69f9_fa42_4f1b;
const X: u64 = 0x2a45_6b03_11e6_e024;
const G: u64 = 0xbb4a_4842_c77a_1667;

const INODES: [(u64, u64, &str); 7] = [
    (
        R,
        BASE + 25,
        r#"{"inode":1,"parent":1,"type":"directory","mode":493,"uid":1000,"gid":1000,"size":0,"atime_nsec":1795366524212612092,"mtime_nsec":1795366554518075130,"ctime_nsec":1795366554518075130,"chunk_size":4194304,"home_slot":1,"epoch":1,"nlink":3,"generation":1}"#,
    ),
    (
        X,
        BASE + 4,
        r#"{"inode":3045958383915425828,"parent":1,"type":"file","mode":420,"uid":0,"gid":0,"size":0,"atime_nsec":1795366554295192552,"mtime_nsec":1795366554295192552,"ctime_nsec":1795366554295192552,"chunk_size":4194304,"home_slot":3045958383915425828,"epoch":1,"nlink":1,"generation":1}"#,
    ),
    (
        S,
        BASE + 13,
        r#"{"inode":6017264171608323432,"parent":1,"type":"file","mode":420,"uid":0,"gid":0,"size":10485760,"atime_nsec":1795366554353182090,"mtime_nsec":1795366554418399656,"ctime_nsec":1795366554418399656,"chunk_size":4194304,"home_slot":6017264171608323432,"epoch":1,"nlink":1,"generation":1}"#,
    ),
    (
        Z,
        BASE + 17,
        r#"{"inode":8721618675746098971,"parent":1,"type":"file","mode":420,"uid":0,"gid":0,"size":10,"atime_nsec":1795366554423926731,"mtime_nsec":1795366554433212637,"ctime_nsec":1795366554433212637,"chunk_size":4194304,"home_slot":8721618675746098971,"epoch":1,"nlink":1,"generation":1}"#,
    ),
    (
        F,
        BASE + 2,
        r#"{"inode":8874864340371138524,"parent":12335279167880924225,"type":"file","mode":2541,"uid":1000,"gid":1001,"size":6,"atime_nsec":1700000000123456789,"mtime_nsec":1600000000987654321,"ctime_nsec":1795366554290844586,"chunk_size":4194304,"home_slot":8874864340371138524,"epoch":1,"nlink":1,"generation":1}"#,
    ),
    (
        D,
        117_661_143_088_168_963,
        r#"{"inode":12335279167880924225,"parent":1,"type":"directory","mode":493,"uid":0,"gid":0,"size":0,"atime_nsec":1795366554210104606,"mtime_nsec":1795366554219569981,"ctime_nsec":1795366554219569981,"chunk_size":4194304,"home_slot":12335279167880924225,"epoch":1,"nlink":2,"generation":1}"#,
    ),
    (
        G,
        BASE + 25,
        r#"{"inode":13495678685020821095,"parent":1,"type":"file","mode":384,"uid":0,"gid":0,"size":3,"atime_nsec":1795366554488183119,"mtime_nsec":1795366554499969949,"ctime_nsec":1795366554518075130,"chunk_size":4194304,"home_slot":13495678685020821095,"epoch":1,"nlink":0,"generation":1,"orphaned":true}"#,
    ),
];
const BASE: u64 = 117_661_143_153_901_568;
const COMMIT_TS: u64 = 117_661_143_219_503_107;

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The visible rows of the server, each with its own commit timestamp.
fn snapshot() -> Vec<u8> {
    let early = 117_661_143_088_168_963;
    let mut builder = SnapshotBuilder::new().bare().last_commit_ts(COMMIT_TS);
    let entry = |id: u64, kind: &str| format!(r#"{{"inode":{id},"type":"{kind}"}}"#);
    for (key, ts, value) in [
        (chunk_key(S, S, 1), BASE + 10, "\0\0\0END".to_owned()),
        (chunk_key(F, F, 0), 117_661_143_088_168_965, "hello\n".to_owned()),
        (chunk_key(G, G, 0), BASE + 23, "boo".to_owned()),
        (id_key("!fs|dirv|", R), BASE + 25, "1795366554518075130".to_owned()),
        (id_key("!fs|dirv|", D), early, "1795366554219569981".to_owned()),
        (dir_key(R, b"d"), 117_661_143_088_168_961, entry(D, "directory")),
        (dir_key(R, b"sp"), BASE + 8, entry(S, "file")),
        (dir_key(R, b"z"), BASE + 15, entry(Z, "file")),
        (dir_key(R, b"\xff"), BASE + 4, entry(X, "file")),
        (dir_key(D, b"a|b"), early, entry(F, "file")),
    ] {
        builder = builder.put(&key, ts, value.as_bytes());
    }
    for (id, ts) in [
        (R, 117_661_140_530_757_632),
        (X, BASE + 4),
        (S, BASE + 8),
        (Z, BASE + 15),
        (F, early),
        (D, 117_661_143_088_168_961),
        (G, BASE + 21),
    ] {
        let home = format!(r#"{{"home_slot":{id},"state":"active","epoch":1}}"#);
        builder = builder.put(&id_key("!fs|home|", id), ts, home.as_bytes());
    }
    for (id, ts, inode) in INODES {
        builder = builder.put(&id_key("!fs|ino|", id), ts, inode.as_bytes());
    }
    let lease = [id_key("!fs|ref|", G), b"n1\0\0".to_vec(), 0x39a2_d773_9aa1_e5af_u64.to_be_bytes().to_vec()].concat();
    let value = r#"{"inode":13495678685020821095,"client_id":"bjE=","fh":4153118697904530863,"created_nsec":1795366554494560430,"expires_nsec":1795366854494560430}"#;
    builder.put(&lease, BASE + 22, value.as_bytes()).build()
}

#[test]
fn rows_of_a_server_become_the_documented_files_and_these_the_documented_payload() {
    let snapshot = snapshot();
    assert_eq!(snapshot.len(), 4123);
    assert_eq!(sum(&snapshot), "1d71f0cc6b89a77f652e0695520572d7f61999a8ef128c8e24483831654469eb");
    let (dump, findings) = Dump::of_snapshot(snapshot, Mode::default());
    let files = [
        ("entries.jsonl", 1651, "f81e491db6098975a7c69ca99232d8d4f6ec9a8d89af09a2e97d47e455f513b9"),
        (
            "tree/a8100ae6aa1940d0b663bb31cd466142__%FF",
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        ("tree/d/a|b", 6, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        ("tree/sp", 10_485_760, "b59d4f11da577ff39284826cd1a661b65f9c613fe8fb6e513c3dd8c0d4cc9425"),
        ("tree/z", 10, "01d448afd928065458cf670b60f5a594d735af0172c8d67f22a81680132681ca"),
    ];
    let found = dump.entries.iter().filter_map(|(path, content)| {
        let name = path.strip_prefix(b"fs/fs_0/")?;
        content.as_ref().map(|content| (String::from_utf8(name.to_vec()).unwrap(), content.len(), sum(content)))
    });
    let expected = files.map(|(name, len, sum)| (name.to_owned(), len, sum.to_owned()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(
        findings.iter().map(|(finding, totals)| (finding.name, totals.count)).collect::<Vec<_>>(),
        [("fs_unlinked_open", 1)]
    );
    let details: Vec<_> = findings.iter().flat_map(|(_, totals)| &totals.examples).collect();
    assert_eq!(details[0].detail, "file of 3 bytes, 1 live leases");
    assert!(dump.text("MANIFEST.json").contains("\"fs\": {\n      \"filesystems\": [\n        0\n      ]"));

    let payload = dump.payload_at(COMMIT_TS, EncodeOptions::default());
    assert_eq!(
        (payload.len(), sum(&payload).as_str()),
        (3321, "aa9071bad858acd22df802235a46b7f2175e81bbf6569677d481c1e682a231bf")
    );
    assert_eq!(Dump::of_snapshot(payload, Mode::default()).0.files("fs/"), dump.files("fs/"));
}

#[test]
fn rows_of_a_server_become_the_documented_archive_and_this_the_documented_payload() {
    let mode = |has_special_bits| Mode { fs_format: FsFormat::Tar { has_special_bits }, ..Mode::default() };
    let (dump, _) = Dump::of_snapshot(snapshot(), mode(false));
    let files = dump.files("fs/");
    assert_eq!(files.keys().collect::<Vec<_>>(), ["fs_0/tree.tar"]);
    let archive = &files["fs_0/tree.tar"];
    assert_eq!(
        (archive.len(), sum(archive).as_str()),
        (12_288, "b732fff9c78edd130749cf2cb43c8207aad8feb57f5d8415825e013b09d904b5")
    );
    let records = "29 mtime=1795366554.51807513\n30 atime=1795366524.212612092\n142 comment=ekv inode=0000000000000001 mode=0755 mtime_nsec=1795366554518075130 atime_nsec=1795366524212612092 ctime_nsec=1795366554518075130\n";
    assert_eq!(&archive[512..512 + records.len()], records.as_bytes());
    let payload = dump.payload_at(COMMIT_TS, EncodeOptions::default());
    assert_eq!(
        (payload.len(), sum(&payload).as_str()),
        (3321, "aa9071bad858acd22df802235a46b7f2175e81bbf6569677d481c1e682a231bf")
    );
    let (special, _) = Dump::of_snapshot(snapshot(), mode(true));
    assert_eq!(special.payload_at(COMMIT_TS, EncodeOptions::default()), payload);
    let special = special.files("fs/").remove("fs_0/tree.tar").unwrap();
    let modes = |archive: &[u8]| {
        archive
            .chunks(512)
            .filter(|block| &block[257..262] == b"ustar")
            .map(|block| block[100..107].to_vec())
            .collect::<Vec<_>>()
    };
    let differing: Vec<_> =
        modes(archive).into_iter().zip(modes(&special)).filter(|(plain, special)| plain != special).collect();
    assert_eq!(differing, [(b"0000755".to_vec(), b"0004755".to_vec())]);
}

#[test]
fn files_with_large_holes_are_their_stored_parts_and_where_these_lie() {
    use crate::fs::store::Store;
    let store = Store::new().file(2, R, b"far", (1 << 40) + 6, &[(262_144, b"\0\0\0\0\0f")]).file(
        3,
        R,
        b"huge",
        1 << 62,
        &[(0, b"h")],
    );
    store.assert_round_trip_as_archive();
    let dump = store.dump();
    let files = dump.files("fs/fs_0/packed/");
    let shown: Vec<_> =
        files.iter().map(|(path, content)| (path.as_str(), content.escape_ascii().to_string())).collect();
    let expected = [
        ("0000000000000002.bin", r"\x00\x00\x00\x00\x00f"),
        ("0000000000000002.map", r"1099511627776 6\n"),
        ("0000000000000003.bin", "h"),
        ("0000000000000003.map", r"0 1\n"),
    ];
    assert_eq!(shown, expected.map(|(path, text)| (path, text.to_owned())));
    store.assert_round_trip();
}

#[test]
fn fixture_of_a_real_server_is_written_again_byte_for_byte_and_its_payload_gives_the_same_files() {
    let snapshot = ekv_testkit::fixtures::read("fs-9.fsm");
    let (dump, findings) = Dump::of_snapshot(snapshot, Mode::default());
    assert!(dump.files("fs/fs_0/tree/").len() > 30);
    assert!(findings.iter().all(|(finding, _)| finding.severity < ekv_model::Severity::Loss), "{findings:?}");
    assert!(dump.rewritten(Mode::default()) == dump);
    let payload = dump.payload(EncodeOptions::default());
    assert!(Dump::of_snapshot(payload.clone(), Mode::default()).0.files("fs/") == dump.files("fs/"));
    let mode = Mode { fs_format: FsFormat::Tar { has_special_bits: false }, ..Mode::default() };
    let (archive, _) = Dump::of_snapshot(ekv_testkit::fixtures::read("fs-9.fsm"), mode);
    assert_eq!(archive.problems(), [""; 0]);
    assert!(archive.payload(EncodeOptions::default()) == payload);
    assert!(Dump::of_snapshot(payload, mode).0.files("fs/") == archive.files("fs/"));
}
