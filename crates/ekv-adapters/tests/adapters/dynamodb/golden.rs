//! The example of `docs/format/dynamodb.md`, section 9, from the dump to the payload.

use ekv_testkit::SnapshotBuilder;
use sha2::{Digest, Sha256};

use crate::dynamodb::support::{
    LAYOUTS, Records, dump_of, encoded, expect_round_trip, payload, send_dump, send_snapshot,
};

const RECORDS: [(&str, &str); 7] = [
    (
        "216464627c6773697c64584e6c636e4d7c317c596e6c665957646c7c0202010200ff39390001757365722f330001",
        "216464627c6974656d7c64584e6c636e4d7c317c757365722f330001",
    ),
    (
        "216464627c6974656d7c5a585a6c626e527a7c317c00ff01ff000100fffdfefeffceca0001",
        "004449010a0b0a02706b12051a030001ff0a0c0a02736b120612042d312e350a090a017612040a026531",
    ),
    (
        "216464627c6974656d7c64584e6c636e4d7c317c757365722f330001",
        "004449010a0b0a036167651204120239390a0e0a02696412080a06757365722f33",
    ),
    ("216464627c6d6574617c67656e7c5a585a6c626e527a", "31"),
    ("216464627c6d6574617c67656e7c64584e6c636e4d", "31"),
    (
        "216464627c6d6574617c7461626c657c5a585a6c626e527a",
        "004453010a066576656e747312070a02706b12014212070a02736b12014e1a080a02706b1202736b28023801",
    ),
    (
        "216464627c6d6574617c7461626c657c64584e6c636e4d",
        "004453010a05757365727312080a0361676512014e12070a0269641201531a040a02696422180a0662795f616765120e0a050a03616765\
         12050a03414c4c28023801",
    ),
];

/// A real value with many shapes.
const SHAPES: &str = "004449010a0f0a00120b0a09656d7074796e616d650a0a0a03636e7412031201310a080a02656212021a000a080a02656c\
                      12024a000a080a02656d120252000a0b0a02656e120512036162630a070a0166120220000a170a0468746d6c120f0a0d3c\
                      6120687265663d2278223e260a0d0a02696412070a0576616c73320a130a026e73120d3a0b0a01320a03312e300a01310a\
                      110a027373120b32090a01620a01610a0162";

const COMMIT_TS: u64 = 117_660_676_771_872_972;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn golden() -> Records {
    RECORDS.iter().map(|(key, value)| (hex(key), hex(value))).collect()
}

#[test]
fn golden_dump_becomes_the_documented_payload_in_both_layouts() {
    let records = golden();
    let snapshot = records.iter().fold(SnapshotBuilder::new(), |snapshot, (key, value)| snapshot.put(key, 9, value));
    for layout in LAYOUTS {
        let dump = dump_of(layout, |target| send_snapshot(snapshot.build(), target));
        assert_eq!(encoded(|target| send_dump(&dump, target)), records);
        let (payload, written) = payload(&dump, COMMIT_TS);
        assert_eq!((payload.len(), written.records), (663, 7));
        let digest: Vec<u8> = Sha256::digest(&payload).to_vec();
        assert_eq!(digest, hex("c0cd014c05e0afb6c167126b389a8192b6831253f139399061330316b9c039bc"));
    }
}

#[test]
fn golden_dump_is_written_again_as_it_is() {
    expect_round_trip(&golden());
}

#[test]
fn a_real_value_of_many_shapes_comes_back_byte_for_byte() {
    let mut records = golden();
    records.remove(&hex(RECORDS[0].0));
    records.remove(&hex(RECORDS[2].0));
    records.insert([&hex("216464627c6974656d7c64584e6c636e4d7c317c")[..], b"vals2\0\x01"].concat(), hex(SHAPES));
    expect_round_trip(&records);
}
