//! What becomes of staged writes: rows 26 to 30, 32 and 33 of section 18.

use ekv_model::Finding;
use ekv_snapshot::txn::{TxnTotals, findings};
use ekv_testkit::SnapshotBuilder;

use crate::transactions::case::{Case, OwnerOf, committed, nobody, owner, staged};

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

/// A transaction over `a` (group 1, primary) and `z` (group 2), started at 200 and committed at 300, whose lock on `z` the server cleaned up
/// at `cleaned_at`.
fn torn(cleaned_at: u64) -> [(Option<u64>, SnapshotBuilder); 2] {
    let group_1 = SnapshotBuilder::new()
        .put(b"a", 100, b"old")
        .prepare(b"a", 200, b"a", Some(b"new"))
        .resolve(b"a", 300)
        .commit_record(b"a", 200, 300)
        .put(b"a", 300, b"new");
    let group_2 =
        SnapshotBuilder::new().put(b"z", 100, b"old").prepare(b"z", 200, b"a", Some(b"new")).resolve(b"z", cleaned_at);
    [(Some(1), group_1), (Some(2), group_2)]
}

#[test]
fn committed_write_that_was_cleaned_up_unapplied_is_in_the_protocol_view_and_named() {
    // Before the commit, at it, and after it, where a commit leaves a tombstone at its own timestamp.
    for cleaned_at in [250, 300, 302] {
        let protocol = Case::default().run(&torn(cleaned_at));
        assert_eq!((protocol.get("a"), protocol.get("z")), (Some("new"), Some("new")), "{cleaned_at}");
        assert_eq!(protocol.odd(), [(findings::CLEANED_UP.name, 1), (findings::VIEWS_DIFFER.name, 1)]);
        assert_eq!((protocol.totals.cleaned_up, protocol.totals.open_locks), (1, 0));
        assert_eq!(Case::at(299).run(&torn(cleaned_at)).get("z"), Some("old"));
        assert_eq!(Case::at(300).run(&torn(cleaned_at)).get("z"), Some("new"));
        let live = Case::live().run(&torn(cleaned_at));
        assert_eq!((live.get("a"), live.get("z")), (Some("new"), Some("old")));
        assert_eq!((live.odd(), live.totals), (vec![(findings::VIEWS_DIFFER.name, 1)], TxnTotals::default()));
    }
}

#[test]
fn cleaned_up_write_beyond_the_newest_commit_of_its_group_is_shown_without_a_read_timestamp() {
    let [first, (id, group_2)] = torn(250);
    let outcome = Case::default().run(&[first, (id, group_2.clone())]);
    assert_eq!(outcome.get("z"), Some("new"));
    // Not decided by a group that is not there.
    assert_eq!(Case::default().run(&[(id, group_2)]).get("z"), Some("old"));
}

#[test]
fn cleaned_up_deletion_counts_as_well() {
    let [first, (id, _)] = torn(302);
    let group_2 = SnapshotBuilder::new().put(b"z", 100, b"old").prepare(b"z", 200, b"a", None).resolve(b"z", 302);
    let outcome = Case::default().run(&[first, (id, group_2)]);
    assert_eq!((outcome.get("z"), outcome.findings.count(findings::CLEANED_UP)), (None, 1));
}

#[test]
fn resolved_locks_say_nothing_where_a_newer_write_covers_theirs_or_the_transaction_was_not_committed() {
    let [(one, group_1), (two, group_2)] = torn(302);
    for groups in [
        [(one, group_1.clone()), (two, group_2.clone().put(b"z", 310, b"newest"))],
        [(one, SnapshotBuilder::new().put(b"a", 100, b"old")), (two, group_2.clone())],
        [(one, SnapshotBuilder::new().rollback_record(b"a", 200, 302)), (two, group_2.clone())],
        [(one, group_1.clone()), (two, group_2.put(b"z", 300, b"applied"))],
        // An intent that a compaction took along with the version of the write.
        [
            (one, group_1),
            (two, SnapshotBuilder::new().lock(b"z", 200, b"a").resolve(b"z", 302).put(b"z", 310, b"newest")),
        ],
    ] {
        let outcome = Case::default().run(&groups);
        assert_eq!((outcome.odd(), outcome.totals), (vec![], TxnTotals::default()));
    }
}

#[test]
fn cleaned_up_write_of_transactions_that_may_have_mixed_is_named_and_not_guessed() {
    let [(one, group_1), (two, group_2)] = torn(302);
    let other = group_1.clone().commit_record(b"b", 200, 300);
    let mixed = SnapshotBuilder::new()
        .prepare(b"a", 200, b"a", Some(b"mine"))
        .resolve(b"a", 300)
        .commit_record(b"a", 200, 300)
        .put(b"a", 300, b"theirs");
    let deleted = SnapshotBuilder::new()
        .prepare(b"a", 200, b"a", Some(b"mine"))
        .resolve(b"a", 300)
        .commit_record(b"a", 200, 300)
        .delete(b"a", 300);
    for (first, words) in [
        (other, "another transaction has the same start and commit timestamps"),
        (mixed, "its primary key has another value than it wrote"),
        (deleted, "its primary key has another value than it wrote"),
    ] {
        let groups = [(one, first), (two, group_2.clone())];
        let outcome = Case::default().run(&groups);
        assert_eq!((outcome.get("z"), outcome.odd()), (Some("old"), vec![(findings::CLEANED_UP_IN_DOUBT.name, 1)]));
        let (finding, totals) = outcome.findings.first_strict_fatal().unwrap();
        assert_eq!(
            (finding.name, totals.examples[0].key.as_deref()),
            (findings::CLEANED_UP_IN_DOUBT.name, Some(&b"z"[..]))
        );
        assert!(totals.examples[0].detail.ends_with(words), "{}", totals.examples[0].detail);
        assert_eq!(Case::live().run(&groups).odd(), []);
    }
    // Equal timestamps of another pair are no reason for doubt.
    let elsewhere = group_1.commit_record(b"b", 200, 310).commit_record(b"b", 199, 300);
    assert_eq!(Case::default().run(&[(one, elsewhere), (two, group_2)]).get("z"), Some("new"));
}

#[test]
fn in_doubt_and_lost_keys_are_fatal_under_strict_and_harmless_ones_are_not() {
    let fatal = |finding: Finding| finding.strict_fatal;
    assert!([findings::PENDING, findings::GROUP_NOT_LOADED, findings::PREDATES_PREPARE].map(fatal).iter().all(|f| *f));
    assert!(fatal(findings::DAMAGED_RECORD) && fatal(findings::SAME_COMMIT) && fatal(findings::CLEANED_UP_IN_DOUBT));
    assert!(![findings::INTENT_MISSING, findings::VIEWS_DIFFER, findings::APPLIED].map(fatal).iter().any(|f| *f));
}
