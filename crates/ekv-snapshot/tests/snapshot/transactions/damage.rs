//! Damaged records: row 33 of section 18.

use ekv_snapshot::txn::findings;
use ekv_testkit::{SnapshotBuilder, intent_body, lock_body};

use crate::transactions::case::Case;

#[test]
fn damaged_record_costs_its_key_and_no_other() {
    let base = || SnapshotBuilder::new().put(b"k", 100, b"old").put(b"other", 100, b"kept");
    let decided = || base().commit_record(b"p", 200, 300);
    let [lock_key, intent_key] = [&b"!txn|lock|k"[..], b"!txn|int|k"];
    let status = |prefix: &[u8]| [prefix, b"p", &200_u64.to_be_bytes()].concat();
    let lock = lock_body(200, false, b"p");
    let mut other_version = lock.clone();
    other_version[0] = 2;
    let mut bad_operation = intent_body(200, Some(b"K1"));
    bad_operation[9] = 7;
    let cases: Vec<(&str, SnapshotBuilder)> = vec![
        (
            "intent of another transaction",
            decided().lock(b"k", 200, b"p").put(intent_key, 200, &intent_body(199, Some(b""))),
        ),
        ("unknown intent operation", decided().lock(b"k", 200, b"p").put(intent_key, 200, &bad_operation)),
        ("intent with reserved flags", decided().lock(b"k", 200, b"p").version(intent_key, 200, 8, 0, b"")),
        ("lock cut short", decided().put(lock_key, 200, &lock[..lock.len() - 1])),
        ("lock of another version", decided().put(lock_key, 200, &other_version)),
        ("lock of another transaction", decided().put(lock_key, 200, &lock_body(199, false, b"p"))),
        ("lock without primary key", decided().put(lock_key, 200, &lock_body(200, false, b""))),
        ("lock with reserved flags", decided().version(lock_key, 200, 8, 0, &lock)),
        ("commit record cut short", base().prepare(b"k", 200, b"p", None).put(&status(b"!txn|cmt|"), 300, &[1, 0])),
        (
            "rollback record of another version",
            base().prepare(b"k", 200, b"p", None).put(&status(b"!txn|rb|"), 300, &[2]),
        ),
    ];
    for (name, snapshot) in cases {
        for read_ts in [200, 300, 5000] {
            let outcome = Case::at(read_ts).run_one(&snapshot);
            if read_ts == 200 && name.contains("intent") {
                // The write was committed later, its intent does not matter yet.
                assert_eq!((outcome.get("k"), outcome.odd()), (Some("old"), vec![]), "{name}");
                continue;
            }
            assert_eq!((outcome.get("k"), outcome.get("other")), (None, Some("kept")), "{name} at {read_ts}");
            assert_eq!(outcome.odd(), [(findings::DAMAGED_RECORD.name, 1)], "{name} at {read_ts}");
        }
        let newest = Case::default().run_one(&snapshot);
        assert_eq!((newest.get("k"), newest.get("other")), (None, Some("kept")), "{name}");
        let before = Case::at(199).run_one(&snapshot);
        assert_eq!((before.get("k"), before.odd()), (Some("old"), vec![]), "{name}");
    }
}

#[test]
fn damaged_lock_that_was_resolved_or_that_the_server_does_not_find_costs_nothing() {
    let resolved = SnapshotBuilder::new().put(b"k", 300, b"K1").put(b"!txn|lock|k", 200, b"\x02").resolve(b"k", 300);
    assert_eq!(Case::default().run_one(&resolved).odd(), []);
    let hidden = SnapshotBuilder::new()
        .put(b"k", 100, b"old")
        .put(b"!txn|lock|k", 200, b"\x02")
        .lock(b"k1", 50, b"p")
        .delete(b"!txn|lock|k1", 60);
    let live = Case::live().run_one(&hidden);
    assert_eq!((live.get("k"), live.odd()), (Some("old"), vec![]));
    let protocol = Case::default().run_one(&hidden);
    assert_eq!((protocol.get("k"), protocol.odd()), (None, vec![(findings::DAMAGED_RECORD.name, 1)]));
}
