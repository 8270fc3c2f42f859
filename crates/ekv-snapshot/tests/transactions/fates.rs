//! What becomes of staged writes: rows 26 to 30, 32 and 33 of section 18.

use ekv_model::Finding;
use ekv_snapshot::txn::{TxnTotals, findings};
use ekv_testkit::SnapshotBuilder;

use crate::case::{Case, OwnerOf, committed, nobody, owner, staged};

#[test]
fn committed_intents_count_from_their_commit_timestamp_on() {
    let before = Case::at(299).run_one(&committed());
    assert_eq!((before.get("k"), before.get("z"), before.get("p")), (Some("old"), Some("zold"), None));
    assert_eq!((before.totals.committed_later, before.odd()), (2, vec![]));
    for case in [Case::at(300), Case::at(u64::MAX), Case::default()] {
        let after = case.run_one(&committed());
        assert_eq!((after.get("k"), after.get("z"), after.get("p")), (Some("K1"), None, Some("P1")));
        assert_eq!((after.totals.applied, after.odd()), (2, vec![]));
        assert_eq!(after.findings.count(findings::APPLIED), 2);
    }
}

#[test]
fn locks_after_the_read_timestamp_have_no_effect() {
    let outcome = Case::at(199).run_one(&staged());
    assert_eq!((outcome.get("k"), outcome.get("z")), (Some("old"), Some("zold")));
    assert_eq!((outcome.totals, outcome.odd()), (TxnTotals::default(), vec![]));
}

#[test]
fn lock_on_the_primary_key_without_status_record_is_in_doubt_and_pending() {
    let outcome = Case::default().run_one(&staged().prepare(b"p", 200, b"p", Some(b"P1")));
    assert_eq!((outcome.get("k"), outcome.get("z"), outcome.get("p")), (Some("old"), Some("zold"), None));
    assert_eq!(outcome.odd(), [(findings::PENDING.name, 3)]);
    assert_eq!(outcome.findings.first_strict_fatal().unwrap().0.name, findings::PENDING.name);
    let example = &outcome.findings.iter().next().unwrap().1.examples[0];
    assert_eq!(example.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(example.detail, "transaction started at 200, primary key p, deadline 1099511627776");
}

#[test]
fn rolled_back_transaction_leaves_the_older_value_without_doubt() {
    let outcome = Case::default().run_one(&staged().rollback_record(b"p", 200, 201));
    assert_eq!((outcome.get("k"), outcome.get("z")), (Some("old"), Some("zold")));
    assert_eq!((outcome.totals.rolled_back, outcome.odd()), (2, vec![]));
}

#[test]
fn commit_record_wins_over_a_rollback_record() {
    let outcome = Case::default().run_one(&committed().rollback_record(b"p", 200, 201));
    assert_eq!((outcome.get("k"), outcome.odd()), (Some("K1"), vec![]));
}

#[test]
fn commit_record_in_another_group_decides_even_above_this_groups_last_commit() {
    let other = SnapshotBuilder::new().commit_record(b"p", 200, 300).put(b"p", 300, b"P1");
    let outcome = Case::default().run(&[(Some(1), staged()), (Some(2), other)]);
    assert_eq!((outcome.get("k"), outcome.get("z"), outcome.get("p")), (Some("K1"), None, Some("P1")));
    assert_eq!(outcome.odd(), []);
}

#[test]
fn transaction_of_a_group_that_was_not_given_is_in_doubt() {
    let owners: [OwnerOf<'_>; 2] = [&owner, &nobody];
    for owner_of in owners {
        let outcome = Case { owner_of, ..Case::default() }.run(&[(Some(1), staged())]);
        assert_eq!((outcome.get("k"), outcome.get("z")), (Some("old"), Some("zold")));
        assert_eq!(outcome.odd(), [(findings::GROUP_NOT_LOADED.name, 2)]);
    }
}

#[test]
fn snapshot_of_the_deciding_group_that_is_older_than_the_prepare_leaves_doubt() {
    let case = Case { owner_of: &owner, ..Case::default() };
    for (last_commit_ts, words) in [(150, "the other snapshot is older"), (900, "the other snapshot may be older")] {
        let other = SnapshotBuilder::new().put(b"x", last_commit_ts, b"X");
        let outcome = case.run(&[(Some(1), staged()), (Some(2), other)]);
        assert_eq!(outcome.get("k"), Some("old"));
        assert_eq!(outcome.odd(), [(findings::PREDATES_PREPARE.name, 2)]);
        let totals = outcome.findings.iter().next().unwrap().1;
        assert!(totals.examples[0].detail.ends_with(words), "{}", totals.examples[0].detail);
    }
}

#[test]
fn nothing_about_a_transaction_whose_primary_key_is_in_the_same_group_proves_its_rollback() {
    let case = Case { owner_of: &owner, ..Case::default() };
    let snapshot = SnapshotBuilder::new().put(b"k", 100, b"old").prepare(b"k", 200, b"b", Some(b"K1"));
    for group_id in [Some(1), None] {
        let outcome = case.run(&[(group_id, snapshot.clone())]);
        assert_eq!((outcome.get("k"), outcome.odd(), outcome.totals.rolled_back), (Some("old"), vec![], 1));
    }
}

#[test]
fn lock_on_the_primary_key_is_found_in_whichever_group_has_it() {
    let other = SnapshotBuilder::new().prepare(b"p", 200, b"p", Some(b"P1"));
    for order in [[0, 1], [1, 0]] {
        let groups = [(Some(1), staged()), (Some(2), other.clone())];
        let outcome = Case { owner_of: &owner, ..Case::default() }.run(&order.map(|i: usize| groups[i].clone()));
        assert_eq!(outcome.odd(), [(findings::PENDING.name, 3)]);
    }
}

#[test]
fn write_that_was_applied_already_is_not_applied_again() {
    // The lock at 300 took the place of the tombstone that resolved the lock at 200.
    let snapshot = SnapshotBuilder::new()
        .prepare(b"k", 200, b"p", Some(b"K1"))
        .commit_record(b"p", 200, 300)
        .put(b"k", 300, b"applied")
        .prepare(b"k", 300, b"q", Some(b"K2"))
        .rollback_record(b"q", 300, 301);
    let outcome = Case::default().run_one(&snapshot);
    assert_eq!((outcome.get("k"), outcome.totals.already_applied, outcome.totals.applied), (Some("applied"), 1, 0));
    assert_eq!(outcome.odd(), []);
}

#[test]
fn lock_without_intent_is_reported_and_changes_nothing() {
    let snapshot = SnapshotBuilder::new().put(b"k", 100, b"old").lock(b"k", 200, b"p").commit_record(b"p", 200, 300);
    let outcome = Case::default().run_one(&snapshot);
    assert_eq!((outcome.get("k"), outcome.odd()), (Some("old"), vec![(findings::INTENT_MISSING.name, 1)]));
    assert!(outcome.findings.first_strict_fatal().is_none());
}

#[test]
fn two_transactions_at_one_commit_timestamp_are_reported_and_the_last_started_counts() {
    let snapshot = SnapshotBuilder::new()
        .prepare(b"k", 200, b"p", Some(b"first"))
        .prepare(b"k", 210, b"q", Some(b"second"))
        .commit_record(b"p", 200, 300)
        .commit_record(b"q", 210, 300);
    let outcome = Case::default().run_one(&snapshot);
    assert_eq!((outcome.get("k"), outcome.odd()), (Some("second"), vec![(findings::SAME_COMMIT.name, 1)]));
}

#[test]
fn in_doubt_and_lost_keys_are_fatal_under_strict_and_harmless_ones_are_not() {
    let fatal = |finding: Finding| finding.strict_fatal;
    assert!([findings::PENDING, findings::GROUP_NOT_LOADED, findings::PREDATES_PREPARE].map(fatal).iter().all(|f| *f));
    assert!(fatal(findings::DAMAGED_RECORD) && fatal(findings::SAME_COMMIT));
    assert!(![findings::INTENT_MISSING, findings::VIEWS_DIFFER, findings::APPLIED].map(fatal).iter().any(|f| *f));
}
