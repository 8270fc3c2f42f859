//! Where the protocol view and the live view differ: row 31 of section 18.

use ekv_snapshot::txn::{TxnTotals, findings};
use ekv_testkit::SnapshotBuilder;

use crate::transactions::case::{Case, committed};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The documented records of a real server: two stacked locks on `z1`, hidden from the server by a lock on `z10`.
fn stacked() -> [(Option<u64>, SnapshotBuilder); 2] {
    let z1 = b"!redis|str|z1";
    let primary = b"!hs|meta|\0\0\0\x02z1";
    let (older, newer) = (0x01a2_03e7_4c31_0003, 0x01a2_03e8_3988_0001);
    let lock = "01 01a203e839880001 01a203e88a100000 00 000000000000000f 2168737c6d6574617c000000027a31";
    let intent = "01 01a203e839880001 00 0000000000000008 ff0100414741494e";
    let group_2 = SnapshotBuilder::new()
        .put(z1, 117_660_831_428_509_696, b"\xff\x01\0v")
        .put(b"!txn|lock|!redis|str|z1", newer, &hex(lock))
        .put(b"!txn|int|!redis|str|z1", newer, &hex(intent))
        .prepare(z1, older, primary, Some(b"\xff\x01\0CHANGED"))
        .prepare(b"!redis|str|z10", older, primary, Some(b"\xff\x01\0x"))
        .put(b"!redis|str|z10", 0x01a2_03e8_31b8_0000, b"\xff\x01\0x")
        .resolve(b"!redis|str|z10", 0x01a2_03e8_31b8_0000);
    let key = [b"!txn|cmt|", &primary[..], &newer.to_be_bytes()].concat();
    let group_1 = SnapshotBuilder::new().put(&key, newer + 1, &hex("01 01a203e839880002")).commit_record(
        primary,
        older,
        0x01a2_03e8_31b8_0000,
    );
    [(Some(1), group_1), (Some(2), group_2)]
}

#[test]
fn protocol_view_has_acknowledged_writes_that_the_live_view_lacks() {
    let z1 = "!redis|str|z1";
    let protocol = Case::default().run(&stacked());
    assert_eq!((protocol.get(z1), protocol.totals.applied), (Some("\\xff\\x01\\x00AGAIN"), 2));
    assert_eq!(protocol.odd(), [(findings::VIEWS_DIFFER.name, 1)]);
    let changed = Case::at(0x01a2_03e8_31b8_0000).run(&stacked());
    assert_eq!(changed.get(z1), Some("\\xff\\x01\\x00CHANGED"));
    let live = Case::live().run(&stacked());
    assert_eq!((live.get(z1), live.totals), (Some("\\xff\\x01\\x00v"), TxnTotals::default()));
    assert_eq!(live.odd(), [(findings::VIEWS_DIFFER.name, 1)]);
}

#[test]
fn live_view_drops_only_locks_that_are_not_the_newest_or_that_a_longer_key_hides() {
    let plain = Case::live().run_one(&committed());
    assert_eq!((plain.get("k"), plain.odd()), (Some("K1"), vec![]));
    let hidden = committed().lock(b"k1", 50, b"p").delete(b"!txn|lock|k1", 60);
    let live = Case::live().run_one(&hidden);
    assert_eq!((live.get("k"), live.get("z")), (Some("old"), None));
    assert_eq!(live.odd(), [(findings::VIEWS_DIFFER.name, 1)]);
    let superseded = committed().prepare(b"k", 400, b"q", Some(b"K2")).rollback_record(b"q", 400, 401);
    assert_eq!(Case::live().run_one(&superseded).get("k"), Some("old"));
    assert_eq!(Case::default().run_one(&superseded).get("k"), Some("K1"));
}

#[test]
fn views_agree_where_a_newer_version_covers_the_write_or_nothing_would_change() {
    let hidden = |snapshot: SnapshotBuilder| snapshot.lock(b"k1", 50, b"p").delete(b"!txn|lock|k1", 60);
    for snapshot in [
        hidden(committed().put(b"k", 350, b"newer")),
        hidden(SnapshotBuilder::new().prepare(b"k", 200, b"p", None).commit_record(b"p", 200, 300)),
        hidden(committed().prepare(b"k", 400, b"q", Some(b"K2")).commit_record(b"q", 400, 500).put(b"k", 500, b"K2")),
    ] {
        let [protocol, live] = [Case::default(), Case::live()].map(|case| case.run_one(&snapshot));
        assert_eq!(protocol.get("k"), live.get("k"));
        assert_eq!((protocol.odd(), live.odd()), (vec![], vec![]));
    }
}
