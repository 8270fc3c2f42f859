//! Records in memory, sorted in place.

use super::run::Runs;
use crate::Result;

/// Bytes of a key that are compared as one number.
const PREFIX_LEN: usize = 8;

/// Room that is made first, in bytes and in entries.
const FIRST_ARENA_LEN: usize = 4096;
const FIRST_ENTRIES: usize = 64;

/// Where a record lies in the arena: its key, then its payload.
#[derive(Clone, Copy)]
struct Entry {
    /// The key's bytes behind the prefix common to all keys, big-endian; set before sorting.
    prefix: u64,
    /// Ascends in the order of pushing; a record without a byte shares it with the next one.
    offset: usize,
    key_len: u32,
    payload_len: u32,
}

/// Bytes that an entry takes.
const ENTRY_LEN: usize = size_of::<Entry>();

/// Records in the order in which they were pushed.
pub(super) struct Batch {
    memory_budget: usize,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Length of the prefix that all keys share.
    common_len: usize,
}

impl Batch {
    pub(super) fn new(memory_budget: usize) -> Self {
        Batch { memory_budget, arena: Vec::new(), entries: Vec::new(), common_len: 0 }
    }

    /// Makes room for a record of this length; answers false if that would exceed the budget. An empty batch always
    /// makes room for one record.
    pub(super) fn make_room(&mut self, record_len: usize) -> bool {
        let arena_need = self.arena.len().saturating_add(record_len);
        let entries_need = self.entries.len().saturating_add(1);
        let arena_room = grown(self.arena.capacity(), arena_need, FIRST_ARENA_LEN);
        let entries_room = grown(self.entries.capacity(), entries_need, FIRST_ENTRIES);
        // Growing by half as much as there is avoids copying; near the budget it may only grow to what is left.
        let arena_most = self.memory_budget.saturating_sub(self.entries.capacity().max(entries_need) * ENTRY_LEN);
        let arena_room = arena_room.min(arena_most).max(self.arena.capacity());
        let entries_most = self.memory_budget.saturating_sub(arena_room.max(arena_need)) / ENTRY_LEN;
        let entries_room = entries_room.min(entries_most).max(self.entries.capacity());
        if (arena_room < arena_need || entries_room < entries_need) && !self.entries.is_empty() {
            return false;
        }
        self.arena.reserve_exact(arena_room.max(arena_need) - self.arena.len());
        self.entries.reserve_exact(entries_room.max(entries_need) - self.entries.len());
        true
    }

    /// Adds a record of at most [`crate::RECORD_LEN_MAX`] bytes.
    pub(super) fn push(&mut self, key: &[u8], payload: &[u8]) {
        self.common_len = match self.entries.first() {
            None => key.len(),
            Some(first) => {
                let common = part(&self.arena, first.offset, self.common_len);
                if key.starts_with(common) { self.common_len } else { common_prefix_len(common, key) }
            }
        };
        self.entries.push(Entry {
            prefix: 0,
            offset: self.arena.len(),
            key_len: u32::try_from(key.len()).unwrap_or(u32::MAX),
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        });
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(payload);
    }

    /// Ends pushing.
    pub(super) fn sort(mut self) -> SortedBatch {
        self.sort_entries();
        SortedBatch { arena: self.arena, entries: self.entries.into_iter() }
    }

    /// Writes the records in order as one run and empties the batch. An empty batch leaves no run.
    pub(super) fn spill_into(&mut self, runs: &mut Runs) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.sort_entries();
        if let Some(first) = self.entries.first() {
            runs.begin_run(first.key(&self.arena));
        }
        for entry in &self.entries {
            runs.append(entry.key(&self.arena), entry.payload(&self.arena))?;
        }
        runs.end_run()?;
        if let Some(last) = self.entries.last() {
            runs.set_last_key(last.key(&self.arena));
        }
        self.entries.clear();
        self.arena.clear();
        self.arena.shrink_to(self.memory_budget);
        Ok(())
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn memory_len(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * ENTRY_LEN
    }

    /// Bytes in use.
    #[cfg(test)]
    pub(super) fn used_len(&self) -> usize {
        self.arena.len() + self.entries.len() * ENTRY_LEN
    }

    fn sort_entries(&mut self) {
        let (arena, common_len) = (&self.arena, self.common_len);
        for entry in &mut self.entries {
            entry.prefix = prefix(entry.key(arena), common_len);
        }
        self.entries.sort_unstable_by(|a, b| {
            let by_key = || a.key(arena).cmp(b.key(arena));
            // Of records at one offset all but the last are empty.
            let by_push = || (a.offset, a.payload_len).cmp(&(b.offset, b.payload_len));
            a.prefix.cmp(&b.prefix).then_with(by_key).then_with(by_push)
        });
    }
}

impl Entry {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        part(arena, self.offset, len(self.key_len))
    }

    fn payload<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        part(arena, self.offset.saturating_add(len(self.key_len)), len(self.payload_len))
    }
}

/// Records in order of their keys.
pub(super) struct SortedBatch {
    arena: Vec<u8>,
    entries: std::vec::IntoIter<Entry>,
}

impl SortedBatch {
    pub(super) fn next(&mut self) -> Option<(&[u8], &[u8])> {
        self.entries.next().map(|entry| (entry.key(&self.arena), entry.payload(&self.arena)))
    }
}

/// The capacity to aim at for `need`: unchanged if it suffices, else half as much again.
fn grown(capacity: usize, need: usize, first: usize) -> usize {
    if need <= capacity { capacity } else { need.max(capacity.saturating_add(capacity / 2)).max(first) }
}

fn len(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn part(arena: &[u8], offset: usize, len: usize) -> &[u8] {
    arena.get(offset..).and_then(|rest| rest.get(..len)).unwrap_or_default()
}

fn common_prefix_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The bytes of `key` from `start` as a number that orders as they do, the end of the key counting as zeros.
fn prefix(key: &[u8], start: usize) -> u64 {
    let rest = key.get(start..).unwrap_or_default();
    match rest.first_chunk::<PREFIX_LEN>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; PREFIX_LEN];
            for (to, from) in bytes.iter_mut().zip(rest) {
                *to = *from;
            }
            u64::from_be_bytes(bytes)
        }
    }
}
