//! The example of `docs/format/dynamodb.md`, section 9: real bytes.

use ekv_backup::DynamodbLayout;
use ekv_testkit::SnapshotBuilder;

use crate::dynamodb::support::{dump, options};

const RECORDS: [(&str, &str, u64); 7] = [
    (
        "216464627c6773697c64584e6c636e4d7c317c596e6c665957646c7c0202010200ff39390001757365722f330001",
        "216464627c6974656d7c64584e6c636e4d7c317c757365722f330001",
        117_660_674_738_946_178,
    ),
    (
        "216464627c6974656d7c5a585a6c626e527a7c317c00ff01ff000100fffdfefeffceca0001",
        "004449010a0b0a02706b12051a030001ff0a0c0a02736b120612042d312e350a090a017612040a026531",
        117_660_674_738_946_181,
    ),
    (
        "216464627c6974656d7c64584e6c636e4d7c317c757365722f330001",
        "004449010a0b0a036167651204120239390a0e0a02696412080a06757365722f33",
        117_660_674_738_946_178,
    ),
    ("216464627c6d6574617c67656e7c5a585a6c626e527a", "31", 117_660_674_738_946_150),
    ("216464627c6d6574617c67656e7c64584e6c636e4d", "31", 117_660_674_738_946_148),
    (
        "216464627c6d6574617c7461626c657c5a585a6c626e527a",
        "004453010a066576656e747312070a02706b12014212070a02736b12014e1a080a02706b1202736b28023801",
        117_660_674_738_946_150,
    ),
    (
        "216464627c6d6574617c7461626c657c64584e6c636e4d",
        "004453010a05757365727312080a0361676512014e12070a0269641201531a040a02696422180a0662795f616765120e0a050a03616765\
         12050a03414c4c28023801",
        117_660_674_738_946_148,
    ),
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn snapshot() -> Vec<u8> {
    let empty = SnapshotBuilder::new().bare().last_commit_ts(117_660_676_771_872_972);
    let put = |snapshot: SnapshotBuilder, (key, value, ts): (&str, &str, u64)| snapshot.put(&hex(key), ts, &hex(value));
    let snapshot = RECORDS.into_iter().fold(empty, put).build();
    assert_eq!(snapshot.len(), 663);
    snapshot
}

#[test]
fn golden_snapshot_gives_the_files_of_the_reference_decoder() {
    let dump = dump(&snapshot(), &options(DynamodbLayout::PerItem));
    let expected = [
        ("events/_schema.json", 336, "ef8025fc1583fbebb737c0143c77701675be08ba7ae2fa44589c5784bb23e485"),
        ("events/items/b64.AAH_/-3%2F2.json", 92, "b72b47422b6ee707ecc7a3d8f27c699b5c3fe3eb6daebb4b5ad7b071d7880665"),
        ("users/_schema.json", 553, "fd1425f6930f3e0310f2ecbcb98696bd2c92fe2d6389f0a31d4585811d1095c3"),
        ("users/items/user%2F3.json", 65, "146a6f14f34cbc7969c656194a04621cdfcab92d59ae98574666d35d8d1dda76"),
    ];
    for (path, len, digest) in expected {
        assert_eq!(dump.text(path).len(), len, "{path}");
        assert_eq!(dump.digests[&format!("dynamodb/{path}")], digest, "{path}");
    }
    assert_eq!(dump.files.len(), expected.len());
    assert_eq!(dump.report.losses, 0);
    assert!(dump.report.books.findings.iter().all(|finding| !finding.name.starts_with("ddb_")));
}

#[test]
fn golden_snapshot_gives_one_line_for_each_item_in_the_other_layout() {
    let dump = dump(&snapshot(), &options(DynamodbLayout::Jsonl));
    assert_eq!(
        dump.text("events/items.jsonl"),
        "{\"pk\":{\"B\":\"AAH/\"},\"sk\":{\"N\":\"-1.5\"},\"v\":{\"S\":\"e1\"}}\n"
    );
    assert_eq!(dump.text("users/items.jsonl"), "{\"age\":{\"N\":\"99\"},\"id\":{\"S\":\"user/3\"}}\n");
    assert_eq!(dump.files.len(), 4);
}
