//! Shelves: what is listed, what goes.

use ekv_remote::shelf::{Description, KeepRules, Plan, PruneError, ShelfName, State, Status, carry_out, list, plan};
use ekv_remote::{Mode, Remote};
use ekv_testkit::remote::{MemoryRemote, RemoteFault};
use jiff::Timestamp;

const SHELF: &str = "prod/";

fn at(day: u32) -> Timestamp {
    format!("2026-11-{day:02}T02:17:00Z").parse().unwrap()
}

fn name(day: u32) -> String {
    ShelfName::new(at(day), 1, day).to_string()
}

/// An archive of a day, without a description.
fn archive(remote: &MemoryRemote, day: u32) -> Description {
    let archive = format!("{}.tar.zst", name(day));
    let meta = remote.put(&format!("{SHELF}{archive}"), archive.as_bytes(), Mode::Create).unwrap();
    Description {
        format_version: Description::FORMAT_VERSION,
        tool: "ekv-backup 0".to_owned(),
        archive,
        archive_len: meta.len,
        archive_sha256: "00".repeat(32),
        archive_tag: meta.tag,
        at: at(day),
        at_hlc: 1,
        groups: 1,
        status: Status::Complete,
        losses: 0,
        cluster_id: None,
        tags: Vec::new(),
        verified_at: Some(at(day)),
    }
}

fn describe(remote: &MemoryRemote, day: u32, description: &Description) {
    remote.put(&format!("{SHELF}{}.json", name(day)), &description.text().unwrap(), Mode::Create).unwrap();
}

/// A shelf with a dump of each of ten days.
fn shelf() -> MemoryRemote {
    let remote = MemoryRemote::default();
    for day in 1..=10 {
        let description = archive(&remote, day);
        describe(&remote, day, &description);
    }
    remote
}

fn rules(daily: u32) -> KeepRules {
    KeepRules { daily, ..KeepRules::default() }
}

fn going(plan: &Plan) -> Vec<String> {
    plan.dumps.iter().filter(|dump| dump.goes()).map(|dump| dump.row.name.to_string()).collect()
}

#[test]
fn dumps_are_listed_oldest_first_with_what_is_known_of_them() {
    let remote = shelf();
    archive(&remote, 11);
    remote.put("prod/notes.txt", b"", Mode::Create).unwrap();
    remote.put("prod/older/x.json", b"", Mode::Create).unwrap();
    remote.put("production/x", b"", Mode::Create).unwrap();
    let mut rows = Vec::new();
    let others = list(&remote, SHELF, &mut |row| {
        rows.push(row);
        Ok(())
    });
    assert_eq!(others.unwrap(), 2);
    assert_eq!(rows.iter().map(|row| row.name.to_string()).collect::<Vec<_>>(), (1..=11).map(name).collect::<Vec<_>>());
    assert!(rows[..10].iter().all(|row| row.description().is_some()));
    assert!(matches!(rows[10].state, State::NotDescribed));
}

#[test]
fn a_description_beside_another_archive_than_it_describes_is_none() {
    for spoil in [
        |description: &mut Description| description.archive_len += 1,
        |description: &mut Description| description.archive_tag.push('x'),
        |description: &mut Description| description.archive = "other.tar.zst".to_owned(),
    ] {
        let remote = MemoryRemote::default();
        let mut description = archive(&remote, 1);
        spoil(&mut description);
        describe(&remote, 1, &description);
        let mut is_unsound = false;
        list(&remote, SHELF, &mut |row| {
            is_unsound = matches!(row.state, State::Unsound(_));
            Ok(())
        })
        .unwrap();
        assert!(is_unsound, "{description:?}");
        assert!(matches!(plan(&remote, SHELF, &rules(1), at(20)), Err(PruneError::Description { .. })));
    }
}

#[test]
fn what_no_rule_keeps_goes_and_everything_else_stays() {
    let remote = shelf();
    remote.put("prod/notes.txt", b"", Mode::Create).unwrap();
    let plan = plan(&remote, SHELF, &rules(3), at(20)).unwrap();
    assert_eq!(going(&plan), (1..=7).map(name).collect::<Vec<_>>());
    assert_eq!(plan.others, 1);
    carry_out(&remote, SHELF, &plan, &mut |_| {}).unwrap();
    let left = (8..=10).flat_map(|day| [format!("prod/{}.json", name(day)), format!("prod/{}.tar.zst", name(day))]);
    assert_eq!(remote.keys(), left.chain(["prod/notes.txt".to_owned()]).collect::<Vec<_>>());
    let again = ekv_remote::shelf::plan(&remote, SHELF, &rules(3), at(20)).unwrap();
    assert!(going(&again).is_empty());
}

#[test]
fn an_archive_without_description_stays_for_a_day() {
    let remote = shelf();
    remote.set_now(at(15));
    archive(&remote, 11);
    let later = at(15) + jiff::SignedDuration::from_hours(23);
    assert!(going(&plan(&remote, SHELF, &rules(10), later).unwrap()).is_empty());
    let later = at(15) + jiff::SignedDuration::from_hours(24);
    assert_eq!(going(&plan(&remote, SHELF, &rules(10), later).unwrap()), [name(11)]);
}

#[test]
fn whatever_call_fails_nothing_is_deleted_by_a_plan_and_no_description_outlives_its_archive() {
    let calls = {
        let remote = shelf();
        remote.fail(u64::MAX, RemoteFault::Refused);
        let plan = plan(&remote, SHELF, &rules(3), at(20)).unwrap();
        carry_out(&remote, SHELF, &plan, &mut |_| {}).unwrap();
        remote.calls()
    };
    assert_eq!(calls, 1 + 10 + 14, "a list, ten descriptions, two deletions for each of seven");
    for n in 1..=calls {
        for fault in [RemoteFault::Refused, RemoteFault::Unanswered, RemoteFault::Cut] {
            let remote = shelf();
            remote.fail(n, fault);
            let planned = plan(&remote, SHELF, &rules(3), at(20));
            if (2..=11).contains(&n) && fault == RemoteFault::Cut {
                assert_eq!(going(&planned.unwrap()).len(), 7, "what is cut is asked for again");
                continue;
            }
            if n <= 11 {
                assert!(planned.is_err(), "call {n}, {fault:?}");
                assert_eq!(remote.keys().len(), 20);
                continue;
            }
            carry_out(&remote, SHELF, &planned.unwrap(), &mut |_| {}).unwrap_err();
            remote.mend();
            let keys = remote.keys();
            for day in 1..=10 {
                let has = |ending: &str| keys.contains(&format!("prod/{}{ending}", name(day)));
                assert!(has(".tar.zst") || !has(".json"), "call {n}, {fault:?}");
                assert!(day <= 7 || has(".json"), "call {n}, {fault:?}");
            }
        }
    }
}
