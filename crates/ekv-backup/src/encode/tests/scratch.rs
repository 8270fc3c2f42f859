//! Scratch space of the way back and forth: a multiple of the dump, whatever clients stored. The row is in SECURITY.md.

use super::*;
use ekv_model::Protocol;
use ekv_testkit::SnapshotBuilder;

/// What is written to scratch files at most for each byte of the snapshot and of the dump, and once. Source: SECURITY.md.
const PER_BYTE: u64 = 8;
const ONCE: u64 = 1 << 20;

const TS: u64 = 7 << 16;

fn string(builder: SnapshotBuilder, name: &[u8], value: &[u8]) -> SnapshotBuilder {
    builder.put(&[b"!redis|str|", name].concat(), TS, &[b"\xff\x01\x00", value].concat())
}

fn hash(mut builder: SnapshotBuilder, key: &[u8], fields: &[Vec<u8>]) -> SnapshotBuilder {
    let prefixed = [&u32::try_from(key.len()).unwrap().to_be_bytes()[..], key].concat();
    for field in fields {
        builder = builder.put(&[b"!hs|fld|", &prefixed[..], field].concat(), TS, b"v");
    }
    let count = u64::try_from(fields.len()).unwrap();
    builder.put(&[b"!hs|meta|", &prefixed[..]].concat(), TS, &count.to_be_bytes())
}

/// Snapshots of which much must be sorted or kept.
fn snapshots() -> Vec<(&'static str, SnapshotBuilder)> {
    let empty = SnapshotBuilder::new;
    let numbers = |n: u32| (0..n).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    let nested: Vec<Vec<u8>> = (1..400).map(|len| vec![b'n'; len * 10]).collect();
    let wide: Vec<Vec<u8>> = numbers(8_000).map(|number| number.repeat(8)).collect();
    vec![
        ("small strings", numbers(2_000).fold(empty(), |builder, name| string(builder, &name, b"v"))),
        ("a large string", string(empty(), b"large", &vec![7; 6 << 20])),
        ("long names", numbers(400).fold(empty(), |builder, name| string(builder, &name.repeat(2000), b"v"))),
        ("a wide hash", hash(empty(), b"wide", &wide)),
        ("nested field names", hash(empty(), b"nested", &nested)),
    ]
}

#[test]
fn scratch_space_is_a_multiple_of_the_size_of_a_dump_whatever_is_in_it() {
    for (what, builder) in snapshots() {
        let bytes = builder.build();
        let scene = Scene::of(&bytes, Protocol::Redis);
        let stage = FaultyStage::new(&scene, usize::MAX);
        let counted = Arc::clone(&stage.scratch);
        // Little memory, so that much goes to scratch files, and not so little that it is written again and again.
        scene.run_with(Box::new(stage), &EncodeOptions { sort_memory: 2 << 20, ..options() }).unwrap();
        let tree = ekv_testkit::read_files(&scene.dump);
        let dump_len: usize = tree.iter().map(|(path, content)| path.len() + content.len()).sum();
        let len = u64::try_from(bytes.len().max(dump_len)).unwrap();
        println!("{what}: snapshot {}, dump {dump_len}, scratch {}", bytes.len(), counted.bytes());
        assert!(counted.bytes() <= PER_BYTE * len + ONCE, "{what}: {} for {len} bytes", counted.bytes());
    }
}
