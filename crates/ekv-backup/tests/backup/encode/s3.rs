//! Buckets whose objects get other names on their way, and what no client sees.

use ekv_testkit::selection;
use std::fs;

use ekv_backup::{
    ChecksumsOptions, Class, DecodeOptions, EncodeReport, EventOptions, Fsync, NoProgress, Protocol, checksums,
};
use ekv_testkit::SnapshotBuilder;

use crate::encode::room::{Room, decode_options, options};

/// Unix milliseconds 1 700 000 000 000.
const T: u64 = 111_411_200_000_000_007;

const HEAD: &[u8] = br#"{"upload_id":"u","size_bytes":2,"parts":[{"part_no":1,"chunk_sizes":[2]}]}"#;

fn s3_only() -> DecodeOptions {
    DecodeOptions { events: EventOptions::of(vec![Protocol::S3]), ..decode_options() }
}

fn key(prefix: &str, object: &str, tail: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), b"b\0\x01\0\0\0\0\0\0\0\x01", object.as_bytes(), b"\0\x01", tail].concat()
}

/// A dump of bucket `b` with the objects `a`, `a/b` and `x`, whose bodies are two bytes each, and an unfinished upload.
fn room(decode_options: &DecodeOptions) -> Room {
    let chunk = [&b"u\0\x01"[..], &1_u64.to_be_bytes(), &0_u64.to_be_bytes()].concat();
    let mut snapshot = SnapshotBuilder::new()
        .put(b"!s3|bucket|meta|b\0\x01", T, br#"{"bucket_name":"b","generation":1,"created_at_hlc":65536}"#)
        .put(&key("!s3|upload|meta|", "running", b"u\0\x01"), T, b"{}")
        .put(&key("!s3|blob|", "running", &chunk), T, b"rr");
    for (object, body) in [("a", b"aa"), ("a/b", b"bb"), ("x", b"xx")] {
        let head = key("!s3|obj|head|", object, b"");
        snapshot = snapshot.put(&key("!s3|blob|", object, &chunk), T, body).put(&head, T, HEAD);
    }
    Room::with_dump_of(&snapshot.build(), decode_options)
}

impl Room {
    fn encode_objects(&self, names: &[&str]) -> EncodeReport {
        let mut options = options();
        options.scope = selection(names.iter().map(|name| name.as_bytes().to_vec()), []);
        let report = self.encode("dump", "out.fsm", &options).unwrap();
        assert!(report.payload.self_test.matched);
        self.decode("out.fsm", "again", &s3_only());
        report
    }

    fn bodies(&self, dump: &str) -> Vec<String> {
        let files = self.data(dump).into_iter();
        let bodies = files.filter(|(path, _)| path.starts_with("s3/") && !path.contains(".json"));
        bodies.map(|(path, body)| format!("{path} {}", String::from_utf8(body).unwrap())).collect()
    }

    fn sign(&self) {
        let options = ChecksumsOptions { fsync: Fsync::None, ..ChecksumsOptions::default() };
        assert!(checksums(&self.path("dump"), &options, &NoProgress).unwrap().rewritten);
    }
}

#[test]
fn objects_have_their_own_names_back_where_what_was_in_their_way_is_not_selected() {
    let room = room(&s3_only());
    assert_eq!(room.bodies("dump"), ["s3/b/a.elastickv-leaf-data aa", "s3/b/a/b bb", "s3/b/x xx"]);
    let report = room.encode_objects(&["b/a", "b/x"]);
    assert_eq!(room.bodies("again"), ["s3/b/a aa", "s3/b/x xx"]);
    assert!(report.payload.self_test.matched);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[test]
fn objects_have_their_own_names_back_where_what_was_in_their_way_was_removed() {
    let room = room(&s3_only());
    fs::remove_dir_all(room.path("dump/s3/b/a")).unwrap();
    room.sign();
    room.encode_objects(&[]);
    assert_eq!(room.bodies("again"), ["s3/b/a aa", "s3/b/x xx"]);
}

#[test]
fn objects_at_names_of_the_reference_decoder_get_those_of_ours() {
    let room = room(&s3_only());
    let name = "0123456789abcdef0123456789abcdef__x";
    for suffix in ["", ".elastickv-meta.json"] {
        fs::rename(room.path(&format!("dump/s3/b/x{suffix}")), room.path(&format!("dump/s3/b/{name}{suffix}")))
            .unwrap();
    }
    let manifest = String::from_utf8(room.bytes("dump/MANIFEST.json")).unwrap();
    fs::write(room.path("dump/MANIFEST.json"), manifest.replace("\"ekv-backup/", "\"dev/")).unwrap();
    room.sign();
    room.encode_objects(&[]);
    let found = room.bodies("again");
    assert_eq!(found[2], format!("s3/b/c6adf9bb73b31df7b339106a031c285a__{name} xx"));
    assert_eq!(found.len(), 3);
}

#[test]
fn what_no_client_sees_stays_in_the_dump_with_a_warning() {
    let mut all = s3_only();
    all.events.s3.include_orphans = true;
    all.events.s3.include_incomplete_uploads = true;
    let room = room(&all);
    let mut strict = options();
    strict.strict = true;
    let error = room.refusal(Class::Data, &strict);
    assert!(error.to_string().contains("s3_side_records_not_restored"), "{error}");
    let report = room.encode_objects(&[]);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("s3/b/_incomplete_uploads: 1 files are left out"), "{:?}", report.warnings);
    assert_eq!(room.bodies("again"), ["s3/b/a.elastickv-leaf-data aa", "s3/b/a/b bb", "s3/b/x xx"]);
}

#[test]
fn contents_that_are_not_those_of_the_metadata_are_refused_even_if_checksums_lists_them() {
    let room = room(&s3_only());
    fs::write(room.path("dump/s3/b/x"), b"xxx").unwrap();
    room.sign();
    let error = room.refusal(Class::Data, &options());
    let said = "s3/b/x: the object has 3 bytes, but line 3 of s3/b/x.elastickv-meta.json says 2";
    assert!(error.to_string().contains(said), "{error}");
}
