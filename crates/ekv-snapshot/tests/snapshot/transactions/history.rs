//! Random histories of two groups against a model of what clients were told.

use std::collections::BTreeMap;

use ekv_testkit::{SnapshotBuilder, intent_body, lock_body};
use proptest::prelude::*;

use crate::transactions::case::{Case, owner, text};

/// One step of a random history. Keys are indices into [`KEYS`].
#[derive(Clone, Debug)]
enum Step {
    /// A write of one group, in one step.
    Write { key: usize, delete: bool },
    /// A two-phase transaction; `fate` says how far it comes, `moved` which of its writes reach their keys.
    Transaction { keys: Vec<usize>, deletes: u8, fate: Fate, moved: u8, starts_at_last_commit: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Commits,
    RollsBack,
    StaysPending,
}

/// Keys of two groups, some of which begin with another.
const KEYS: [&[u8]; 7] = [b"a", b"user:1", b"b", b"user:10", b"user:1\xfe", b"c", b"a\xff\xff\xff\xff\xff\xff\xff\xf0"];

fn group_of(key: usize) -> usize {
    usize::from(KEYS[key].starts_with(b"user"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![4 => Just(Fate::Commits), 1 => Just(Fate::RollsBack), 1 => Just(Fate::StaysPending)];
    let transaction =
        (proptest::collection::btree_set(0..KEYS.len(), 1..4), any::<u8>(), fate, any::<u8>(), any::<bool>()).prop_map(
            |(keys, deletes, fate, moved, starts_at_last_commit)| Step::Transaction {
                keys: keys.into_iter().collect(),
                deletes,
                fate,
                moved,
                starts_at_last_commit,
            },
        );
    let write = (0..KEYS.len(), any::<bool>()).prop_map(|(key, delete)| Step::Write { key, delete });
    proptest::collection::vec(prop_oneof![1 => write, 3 => transaction], 1..16)
}

/// Stored entries of a group: user key and timestamp -> flags and body. A later entry at the same place overwrites.
type Stored = BTreeMap<(Vec<u8>, u64), (u8, Vec<u8>)>;

/// What a cluster stores, and what its clients were told.
#[derive(Default)]
struct Cluster {
    stored: [Stored; 2],
    /// Acknowledged writes: key, commit timestamp -> value.
    acknowledged: BTreeMap<(usize, u64), Option<Vec<u8>>>,
    /// Keys that a pending transaction holds.
    held: Vec<usize>,
    clock: u64,
}

impl Cluster {
    fn put(&mut self, group: usize, key: &[u8], ts: u64, body: &[u8]) {
        self.stored[group].insert((key.to_vec(), ts), (0, body.to_vec()));
    }

    fn delete(&mut self, group: usize, key: &[u8], ts: u64) {
        self.stored[group].insert((key.to_vec(), ts), (1, Vec::new()));
    }

    fn store(&mut self, key: usize, ts: u64, value: Option<&[u8]>) {
        match value {
            Some(value) => self.put(group_of(key), KEYS[key], ts, value),
            None => self.delete(group_of(key), KEYS[key], ts),
        }
    }

    fn run(&mut self, step: &Step) {
        let last_commit = self.clock;
        self.clock += 10;
        match step {
            Step::Write { key, .. } if self.held.contains(key) => {}
            Step::Write { key, delete } => {
                let value = format!("w{}", self.clock).into_bytes();
                let value = (!delete).then_some(value);
                self.store(*key, self.clock, value.as_deref());
                self.acknowledged.insert((*key, self.clock), value);
            }
            Step::Transaction { keys, .. } if keys.iter().any(|key| self.held.contains(key)) => {}
            Step::Transaction { keys, deletes, fate, moved, starts_at_last_commit } => {
                let start = if *starts_at_last_commit && last_commit > 0 { last_commit } else { self.clock };
                let commit = self.clock + 5;
                self.clock = commit;
                let primary = KEYS[keys[0]];
                let value = |nth: usize| (deletes >> nth & 1 == 0).then(|| format!("t{commit}.{nth}").into_bytes());
                for (nth, key) in keys.iter().enumerate() {
                    let (lock, intent) = ([b"!txn|lock|", KEYS[*key]].concat(), [b"!txn|int|", KEYS[*key]].concat());
                    self.put(group_of(*key), &lock, start, &lock_body(start, nth == 0, primary));
                    self.put(group_of(*key), &intent, start, &intent_body(start, value(nth).as_deref()));
                }
                let status = |prefix: &[u8]| [prefix, primary, &start.to_be_bytes()].concat();
                match fate {
                    Fate::StaysPending => self.held.extend(keys),
                    Fate::RollsBack => self.put(group_of(keys[0]), &status(b"!txn|rb|"), commit, &[1]),
                    Fate::Commits => {
                        let body = [&[1], &commit.to_be_bytes()[..]].concat();
                        self.put(group_of(keys[0]), &status(b"!txn|cmt|"), commit, &body);
                    }
                }
                for (nth, key) in keys.iter().enumerate() {
                    let is_moved = moved >> nth & 1 == 1 && *fate != Fate::StaysPending;
                    if *fate == Fate::Commits {
                        self.acknowledged.insert((*key, commit), value(nth));
                        if is_moved {
                            self.store(*key, commit, value(nth).as_deref());
                        }
                    }
                    if is_moved {
                        for prefix in [&b"!txn|lock|"[..], b"!txn|int|"] {
                            self.delete(group_of(*key), &[prefix, KEYS[*key]].concat(), commit);
                        }
                    }
                }
            }
        }
    }

    fn snapshots(&self) -> Vec<(Option<u64>, SnapshotBuilder)> {
        let snapshot = |group: &Stored| {
            let mut snapshot = SnapshotBuilder::new();
            for ((key, ts), (flags, body)) in group {
                snapshot = snapshot.version(key, *ts, *flags, 0, body);
            }
            snapshot
        };
        self.stored.iter().zip([Some(1), Some(2)]).map(|(group, id)| (id, snapshot(group))).collect()
    }

    /// The acknowledged state at a timestamp, straight from the definition.
    fn state_at(&self, read_ts: u64) -> BTreeMap<String, String> {
        let mut newest = BTreeMap::new();
        for ((key, _), value) in self.acknowledged.iter().filter(|((_, ts), _)| *ts <= read_ts) {
            newest.insert(*key, value);
        }
        let put = newest.into_iter().filter_map(|(key, value)| Some((text(KEYS[key]), text(value.as_ref()?))));
        put.collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_state_of_a_random_history_is_read_at_every_timestamp(steps in steps()) {
        let mut cluster = Cluster::default();
        for step in &steps {
            cluster.run(step);
        }
        let snapshots = cluster.snapshots();
        let newest = Case { owner_of: &owner, ..Case::default() }.run(&snapshots);
        prop_assert_eq!(&newest.visible, &cluster.state_at(u64::MAX));
        prop_assert_eq!(newest.totals.damaged + newest.totals.without_intent, 0);
        for read_ts in (1..=cluster.clock).step_by(5) {
            let outcome = Case { owner_of: &owner, ..Case::at(read_ts) }.run(&snapshots);
            prop_assert_eq!(&outcome.visible, &cluster.state_at(read_ts), "at {}", read_ts);
        }
    }
}
