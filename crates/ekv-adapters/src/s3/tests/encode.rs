//! Records to files, files to records, and the same files again. Source: `docs/format/s3.md`, sections 6 and 9.

use std::sync::Arc;

use ekv_dump::manifest::{Adapters, DynamodbLayout, Exclusions, Manifest, Origin, SnapshotOrigin};
use ekv_dump::replay::{ReadPosition, ReplayOptions, replay};
use ekv_dump::{DumpWriter, TreeTarget};
use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_files::source::MemorySource;
use ekv_model::{Map, NoMonitor, Protocol};
use ekv_snapshot::{CommitTs, Input, Writer, WrittenForm};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{fixtures, memory_input};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::golden;
use super::support::{Store, TS, TestPart, md5_hex, view_of};
use crate::s3::{Options, decode};
use crate::{Encoder, Run};
use ekv_text::hex::hex;

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// The whole dump of the buckets in a snapshot.
fn dump_of(input: &Input) -> MemoryEntries {
    let (view, totals) = view_of(input);
    let memory = MemoryDump::new();
    let mut tree = TreeTarget::new(DumpWriter::new(Box::new(MemorySink::new(&memory))));
    let mut run = Run::new(&view, &totals, &mut tree, &NoMonitor, scratch());
    decode(&mut run, &Options::default(), &[]).unwrap();
    let (_, findings) = run.into_books();
    assert!(findings.iter().all(|(finding, _)| finding.severity < ekv_model::Severity::Loss));
    let (writer, scopes) = tree.finish().unwrap();
    let manifest = Manifest {
        elastickv_version: "ekv-backup/test".to_owned(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: TS,
        wall_time_iso: "2026-11-22T15:45:07Z".to_owned(),
        origin: Origin::Snapshot(SnapshotOrigin::default()),
        adapters: Adapters::default().with(Protocol::S3, scopes.of(Protocol::S3)),
        exclusions: Exclusions::default(),
        dynamodb_layout: DynamodbLayout::default(),
    };
    writer.finish(&manifest.to_bytes::<()>(None).unwrap()).unwrap();
    memory.entries().unwrap()
}

/// The payload of the records that a dump gives.
fn encoded(dump: &MemoryEntries, commit_ts: u64) -> Vec<u8> {
    let mut writer = Writer::new(&scratch(), CommitTs(commit_ts), 1 << 20).unwrap();
    let options = ReplayOptions {
        included: Map::only(&[Protocol::S3]),
        scope: Arc::default(),
        checking: ekv_dump::replay::Checking::All,
        memory_budget: 1 << 16,
    };
    let mut source = MemorySource::new(dump.clone());
    let mut encoder = Encoder::new(&mut writer, &scratch());
    replay(&mut source, &scratch(), &options, &mut encoder, &ReadPosition::default(), &NoMonitor).unwrap();
    let mut payload = Vec::new();
    writer.finish(WrittenForm::Payload, &mut payload, &NoMonitor).unwrap();
    payload
}

/// Encodes a dump, decodes that, and expects the same dump; encoding again gives the same records.
fn expect_round_trip(dump: &MemoryEntries) {
    let payload = encoded(dump, TS);
    let again = dump_of(&memory_input(payload.clone()));
    assert!(again == *dump, "{:?} {:?}", again.keys(), dump.keys());
    assert!(encoded(&again, TS) == payload);
}

#[test]
fn the_documented_files_give_the_documented_records() {
    let payload = encoded(&dump_of(&golden::store().0.input()), 117_660_676_771_872_972);
    assert_eq!(payload.len(), 2128);
    let digest = hex(&Sha256::digest(&payload));
    assert_eq!(digest, "6606c6eb122afa0876a33984b8ca9241d2192f2f483e99e8b3234de25b79981f");
    let head = br#"{"upload_id":"elastickv-restore","etag":"6b83e711a8f381f9cd83a34a7d6549ff","size_bytes":12,"last_modified_hlc":117660674738946048,"content_type":"application/octet-stream","content_encoding":"","cache_control":"","content_disposition":"","user_metadata":null,"parts":[{"part_no":1,"etag":"6b83e711a8f381f9cd83a34a7d6549ff","size_bytes":12,"chunk_count":1,"chunk_sizes":[12],"part_version":0,"chunk_ref_version":0,"offloaded":false}]}"#;
    assert!(payload.windows(head.len()).any(|window| window == head));
}

#[test]
fn the_documented_files_come_back_from_their_records() {
    expect_round_trip(&dump_of(&golden::store().0.input()));
}

#[test]
fn buckets_of_a_real_server_come_back_from_their_records() {
    let dump = dump_of(&memory_input(fixtures::read("all-3.fsm")));
    let bodies = dump.iter().filter(|(path, content)| {
        content.is_some() && dump.contains_key(&[path.as_slice(), b".elastickv-meta.json"].concat())
    });
    assert!(bodies.count() >= 5);
    expect_round_trip(&dump);
}

#[test]
fn parts_of_an_object_become_one_with_the_same_content() {
    let part = |part_no, chunks| TestPart { part_no, version: 9 + part_no, chunks };
    let parts = [part(1, vec![vec![1; 1 << 20], vec![2; 5]]), part(2, vec![vec![3; 700_000], vec![4; 1 << 20]])];
    let store = Store::default().bucket("b", 7).parts("b", 7, b"multi", "0123456789abcdef0123456789abcdef-2", &parts);
    let dump = dump_of(&store.0.input());
    assert_eq!(dump[b"s3/b/multi".as_slice()].as_ref().unwrap().len(), (2 << 20) + 700_005);
    expect_round_trip(&dump);
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        ["a", "b", "/", ".", "..", "\\", "\0", "é", ".elastickv-meta.json", ".elastickv-leaf-data", "_orphans"];
    let pieces = prop::sample::select(pieces.map(str::as_bytes).into_iter().chain([&b"\xff"[..]]).collect::<Vec<_>>());
    prop_oneof![
        6 => prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat()),
        1 => (230_usize..260).prop_map(|len| vec![b'k'; len]),
    ]
}

fn any_parts() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let chunk = prop::collection::vec(any::<u8>(), 1..9);
    prop::collection::vec(prop::collection::vec(chunk, 1..3), 0..3)
}

proptest! {
    #[test]
    fn any_buckets_come_back_from_their_records(
        buckets in prop::collection::btree_map(
            "[a-z.-]{3,8}",
            (1_u64..9, prop::collection::btree_map(any_key(), any_parts(), 0..8)),
            0..3,
        ),
    ) {
        let mut store = Store::default();
        for (bucket, (generation, objects)) in &buckets {
            store = store.bucket(bucket, *generation);
            for (key, parts) in objects {
                let body = parts.concat().concat();
                let etag = if parts.len() > 1 { format!("{}-{}", md5_hex(b""), parts.len()) } else { md5_hex(&body) };
                let parts: Vec<TestPart> = (1_u64..)
                    .zip(parts)
                    .map(|(part_no, chunks)| TestPart { part_no, version: part_no % 2, chunks: chunks.clone() })
                    .collect();
                store = store.parts(bucket, *generation, key, &etag, &parts);
            }
        }
        expect_round_trip(&dump_of(&store.0.input()));
    }
}
