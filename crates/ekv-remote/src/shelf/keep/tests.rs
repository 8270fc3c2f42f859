use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn dump(at: &str, is_complete: bool, is_verified: bool) -> Candidate {
    Candidate { at: at.parse().unwrap(), is_complete, is_verified, cluster_id: None, tags: Vec::new() }
}

/// The first letters of why each is kept.
fn told(dumps: &[Candidate], rules: &KeepRules) -> Vec<String> {
    let reasons = |reasons: BTreeSet<Reason>| reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("+");
    keep(dumps, rules).unwrap().into_iter().map(reasons).collect()
}

#[test]
fn newest_dump_of_each_of_the_last_periods_is_kept() {
    let dumps = [
        dump("2026-11-30T02:17:00Z", true, true),
        dump("2026-11-29T23:17:00Z", true, true),
        dump("2026-11-29T02:17:00Z", true, true),
        dump("2026-11-23T02:17:00Z", true, true),
        dump("2026-10-31T02:17:00Z", true, true),
        dump("2025-12-29T02:17:00Z", true, true),
    ];
    let rules = KeepRules { daily: 2, ..KeepRules::default() };
    assert_eq!(told(&dumps, &rules), ["daily+newest that was verified", "daily", "", "", "", ""]);
    // The 30th is a Monday: the 29th and the 23rd are of the week before.
    let rules = KeepRules { weekly: 2, monthly: 2, ..KeepRules::default() };
    let expected = ["weekly+monthly+newest that was verified", "weekly", "", "", "monthly", ""];
    assert_eq!(told(&dumps, &rules), expected);
    let rules = KeepRules { yearly: 9, hourly: 1, last: 3, ..KeepRules::default() };
    let expected = ["last+hourly+yearly+newest that was verified", "last", "last", "", "", "yearly"];
    assert_eq!(told(&dumps, &rules), expected);
    let rules = KeepRules { within: Some(SignedDuration::from_hours(24)), ..KeepRules::default() };
    assert_eq!(told(&dumps, &rules), ["within+newest that was verified", "within", "within", "", "", ""]);
}

#[test]
fn a_dump_with_losses_stands_for_its_period_only_if_no_complete_one_does() {
    let dumps = [
        dump("2026-11-30T02:00:00Z", false, true),
        dump("2026-11-30T01:00:00Z", true, false),
        dump("2026-11-29T02:00:00Z", false, false),
        dump("2026-11-28T02:00:00Z", true, true),
    ];
    let rules = KeepRules { daily: 2, ..KeepRules::default() };
    assert_eq!(told(&dumps, &rules), ["", "daily", "daily", "newest that was verified"]);
    assert_eq!(told(&dumps[..2], &rules), ["", "daily+newest that is complete"]);
}

#[test]
fn rules_count_for_each_cluster_by_itself_and_tags_keep_for_ever() {
    let of = |cluster: &str, tag: &str, at: &str| Candidate {
        cluster_id: Some(cluster.to_owned()),
        tags: vec![tag.to_owned()],
        ..dump(at, true, true)
    };
    let dumps = [
        of("a", "", "2026-11-30T02:00:00Z"),
        of("a", "audit", "2026-01-01T02:00:00Z"),
        of("a", "", "2026-01-02T02:00:00Z"),
        of("b", "", "2026-11-01T02:00:00Z"),
    ];
    let rules = KeepRules { last: 1, tags: vec!["audit".to_owned()], ..KeepRules::default() };
    let expected = ["last+newest that was verified", "tag audit", "", "last+newest that was verified"];
    assert_eq!(told(&dumps, &rules), expected);
}

#[test]
fn rules_that_keep_nothing_are_refused() {
    assert_eq!(keep(&[], &KeepRules::default()), Err(KeepError));
}

fn histories() -> impl Strategy<Value = Vec<Candidate>> {
    // Two years in steps of a quarter of an hour: several a day, and holes of weeks. Clocks go back, so that the order is any.
    let dump = (0_i64..70_000, any::<bool>(), any::<bool>(), option::of(0..2_u8), 0..8_u8).prop_map(
        |(quarter, is_complete, is_verified, cluster, tag)| Candidate {
            at: Timestamp::from_second(1_735_689_600 + quarter * 900).unwrap(),
            is_complete,
            is_verified,
            cluster_id: cluster.map(|cluster| cluster.to_string()),
            tags: if tag == 0 { vec!["keep".to_owned()] } else { Vec::new() },
        },
    );
    vec(dump, 0..40)
}

fn rules() -> impl Strategy<Value = KeepRules> {
    let count = || prop_oneof![3 => Just(0_u32), 2 => 1..5_u32];
    let within = option::weighted(0.2, 0..2_000_000_i64);
    (count(), count(), count(), count(), count(), count(), within, any::<bool>()).prop_map(
        |(last, hourly, daily, weekly, monthly, yearly, within, has_tag)| KeepRules {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            within: within.map(SignedDuration::from_secs),
            tags: if has_tag { vec!["keep".to_owned()] } else { Vec::new() },
        },
    )
}

/// What must hold of every history and every set of rules.
fn check(dumps: &[Candidate], rules: &KeepRules) {
    let Ok(kept) = keep(dumps, rules) else {
        assert!(rules.is_empty());
        return;
    };
    let is_kept = |index: usize| !kept[index].is_empty();
    let mut newest: BTreeMap<Option<&str>, Timestamp> = BTreeMap::new();
    for dump in dumps.iter().filter(|dump| dump.is_complete && dump.is_verified) {
        let newest = newest.entry(dump.cluster_id.as_deref()).or_insert(dump.at);
        *newest = dump.at.max(*newest);
    }
    for (cluster, at) in newest {
        let has_newest = dumps.iter().enumerate().any(|(index, dump)| {
            let is_it = dump.cluster_id.as_deref() == cluster && dump.at == at;
            is_it && dump.is_complete && dump.is_verified && is_kept(index)
        });
        assert!(has_newest, "the newest verified dump of {cluster:?} goes");
    }
    for (reason, count) in rules.counts() {
        let by_rule = dumps.iter().zip(&kept).filter(|(_, reasons)| reasons.contains(&reason));
        let mut per_cluster: BTreeMap<Option<&str>, Vec<&Candidate>> = BTreeMap::new();
        by_rule.for_each(|(dump, _)| per_cluster.entry(dump.cluster_id.as_deref()).or_default().push(dump));
        for (cluster, of_rule) in per_cluster {
            assert!(of_rule.len() <= usize::try_from(count).unwrap(), "{reason} keeps too many of {cluster:?}");
            for dump in of_rule {
                let rivals = dumps.iter().filter(|other| {
                    other.cluster_id.as_deref() == cluster
                        && period(&reason, 0, other.at) == period(&reason, 0, dump.at)
                        && reason != Reason::Last
                });
                for rival in rivals {
                    let is_better = (rival.is_complete, rival.at) > (dump.is_complete, dump.at);
                    assert!(!is_better, "{reason} keeps {dump:?} and not {rival:?}");
                }
            }
        }
    }
    // What was kept once is kept again, if nothing is added.
    let rest: Vec<Candidate> =
        dumps.iter().enumerate().filter(|(index, _)| is_kept(*index)).map(|(_, dump)| dump.clone()).collect();
    let again = keep(&rest, rules).unwrap();
    assert!(again.iter().all(|reasons| !reasons.is_empty()), "a second run takes more");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn newest_verified_dump_stays_and_no_rule_keeps_more_than_it_says(dumps in histories(), rules in rules()) {
        check(&dumps, &rules);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    #[ignore = "long form: 100,000 histories"]
    fn newest_verified_dump_stays_in_a_hundred_thousand_histories(dumps in histories(), rules in rules()) {
        check(&dumps, &rules);
    }
}
