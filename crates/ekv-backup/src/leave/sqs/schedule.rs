//! Which messages go next, and together.

use std::collections::{BTreeSet, VecDeque};

use ekv_aws::sqs::{BATCH_MAX, Message};

/// Most messages that wait for others.
const WAITING_MAX: usize = 1000;
/// Most bytes of them.
const WAITING_LEN_MAX: u64 = 16 << 20;

/// A message that waits to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Place in the order of the source.
    pub(crate) number: u64,
    /// Its id in the source.
    pub(crate) id: String,
    pub(crate) message: Message,
    /// Length as the service counts it, in bytes.
    pub(crate) len: u64,
}

/// The messages of a queue that wait, and the groups of which one is under way: the next one of a group goes when that one is there, since single
/// messages of a batch can fail while later ones arrive.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    waiting: VecDeque<Waiting>,
    len: u64,
    busy: BTreeSet<String>,
}

impl Schedule {
    /// The next message of the queue.
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.len = self.len.saturating_add(waiting.len);
        self.waiting.push_back(waiting);
    }

    /// Whether some must go before more are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX || self.len >= WAITING_LEN_MAX
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next batch of at most `len_max` bytes: in order, of each group the first one if none is under way. A batch that could become larger
    /// is given only if it `may_be_short`.
    pub(crate) fn next(&mut self, len_max: u64, may_be_short: bool) -> Vec<Waiting> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut groups: BTreeSet<&str> = BTreeSet::new();
        let (mut len, mut is_whole) = (0_u64, false);
        for (at, waiting) in self.waiting.iter().enumerate() {
            let group = waiting.message.message_group_id.as_deref();
            if group.is_some_and(|group| self.busy.contains(group) || groups.contains(group)) {
                continue;
            }
            len = len.saturating_add(waiting.len);
            if len > len_max && !chosen.is_empty() {
                is_whole = true;
                break;
            }
            chosen.push(at);
            groups.extend(group);
            if chosen.len() == BATCH_MAX {
                is_whole = true;
                break;
            }
        }
        if !is_whole && !may_be_short {
            return Vec::new();
        }
        let mut batch: Vec<Waiting> = chosen.iter().rev().filter_map(|at| self.waiting.remove(*at)).collect();
        batch.reverse();
        for waiting in &batch {
            self.len = self.len.saturating_sub(waiting.len);
            self.busy.extend(waiting.message.message_group_id.clone());
        }
        batch
    }

    /// Messages of these groups are there, or never will be.
    pub(crate) fn free(&mut self, group: Option<&str>) {
        if let Some(group) = group {
            self.busy.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(number: u64, group: &str, len: u64) -> Waiting {
        let message = Message { message_group_id: (!group.is_empty()).then(|| group.to_owned()), ..Message::default() };
        Waiting { number, id: String::new(), message, len }
    }

    fn numbers(batch: &[Waiting]) -> Vec<u64> {
        batch.iter().map(|waiting| waiting.number).collect()
    }

    #[test]
    fn batch_holds_one_message_of_a_group_and_the_next_waits_for_it() {
        let mut schedule = Schedule::default();
        for (number, group) in (0_u64..).zip(["a", "a", "b", "a", "c"]) {
            schedule.push(waiting(number, group, 1));
        }
        assert_eq!(numbers(&schedule.next(100, false)), [0_u64; 0], "more may come");
        assert_eq!(numbers(&schedule.next(100, true)), [0, 2, 4]);
        assert!(schedule.next(100, true).is_empty(), "all groups are under way");
        schedule.free(Some("b"));
        assert!(schedule.next(100, true).is_empty());
        schedule.free(Some("a"));
        assert_eq!(numbers(&schedule.next(100, true)), [1]);
        schedule.free(Some("a"));
        assert_eq!(numbers(&schedule.next(100, true)), [3]);
        assert!(schedule.is_empty());
    }

    #[test]
    fn batch_of_a_queue_without_groups_is_ten_in_order_or_as_many_as_fit() {
        let mut schedule = Schedule::default();
        (0..25).for_each(|number| schedule.push(waiting(number, "", 10)));
        assert_eq!(numbers(&schedule.next(1000, false)), (0..10).collect::<Vec<_>>());
        assert_eq!(numbers(&schedule.next(35, false)), [10, 11, 12]);
        assert_eq!(numbers(&schedule.next(5, false)), [13], "one that fits nowhere else goes alone");
        assert_eq!(numbers(&schedule.next(1000, false)).len(), 10);
        assert!(schedule.next(1000, false).is_empty());
        assert_eq!(numbers(&schedule.next(1000, true)), [24]);
    }
}
