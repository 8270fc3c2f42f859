//! Remembers every directory that a run made, in bounded memory.

use std::collections::HashMap;
use std::sync::Arc;

use ekv_spill::{Error as SpillError, Operation, Scratch, read_exact_at, write_all_at};
use sha2::{Digest, Sha256};

/// Directories that are remembered in memory; more go to a scratch file.
const MEMORY_ENTRIES: usize = 32 * 1024;

/// A slot of the file: the hash of the path, then the mark. A slot of zeros is empty.
const SLOT_LEN: usize = 32;

/// What is remembered about a path.
pub(super) type Mark = [u8; 16];

type PathHash = [u8; 16];
type Slot = [u8; SLOT_LEN];

/// Directory path -> mark.
///
/// Cost: at most 2 MiB of memory; 64 to 128 bytes of scratch file per directory beyond the first ones. One or two small reads
/// per look-up in the file.
pub(super) struct PathTable {
    scratch: Arc<dyn Scratch>,
    memory_entries: usize,
    memory: HashMap<PathHash, Mark>,
    table: Option<Table>,
}

impl PathTable {
    pub(super) fn new(scratch: Arc<dyn Scratch>) -> Self {
        PathTable { scratch, memory_entries: MEMORY_ENTRIES, memory: HashMap::new(), table: None }
    }

    pub(super) fn get(&self, path: &[u8]) -> Result<Option<Mark>, SpillError> {
        let hash = path_hash(path);
        match (self.memory.get(&hash), &self.table) {
            (Some(mark), _) => Ok(Some(*mark)),
            (None, Some(table)) => table.get(&hash),
            (None, None) => Ok(None),
        }
    }

    /// Adds a directory that is not known yet.
    pub(super) fn insert(&mut self, path: &[u8], mark: Mark) -> Result<(), SpillError> {
        let hash = path_hash(path);
        if self.memory.len() < self.memory_entries {
            self.memory.insert(hash, mark);
            return Ok(());
        }
        let table = match &mut self.table {
            Some(table) => table,
            None => self.table.insert(Table::create(self.scratch.as_ref(), self.memory_entries)?),
        };
        if table.is_half_full() {
            *table = table.doubled(self.scratch.as_ref())?;
        }
        table.insert(&slot(&hash, &mark))
    }
}

/// A hash table with linear probing in a scratch file.
struct Table {
    file: std::fs::File,
    place: String,
    slots: u64,
    used: u64,
}

impl Table {
    fn create(scratch: &dyn Scratch, slots: usize) -> Result<Self, SpillError> {
        let slots = u64::try_from(slots).unwrap_or(u64::MAX).max(4);
        let table = Table { file: scratch.create()?, place: scratch.place(), slots, used: 0 };
        let len = offset(slots);
        table.file.set_len(len).map_err(|source| table.error(Operation::Write, source))?;
        Ok(table)
    }

    fn is_half_full(&self) -> bool {
        self.used.saturating_mul(2) >= self.slots
    }

    fn get(&self, hash: &PathHash) -> Result<Option<Mark>, SpillError> {
        let (_, found) = self.probe(hash)?;
        Ok(found.map(|slot| mark_of(&slot)))
    }

    fn insert(&mut self, slot: &Slot) -> Result<(), SpillError> {
        let (index, _) = self.probe(hash_of(slot))?;
        write_all_at(&self.file, slot, offset(index)).map_err(|source| self.error(Operation::Write, source))?;
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// The slot that holds a hash, or the empty one that ends the search for it.
    fn probe(&self, hash: &PathHash) -> Result<(u64, Option<Slot>), SpillError> {
        let mut index = u64::from_le_bytes(*first_8(hash)) % self.slots;
        loop {
            let slot = self.read(index)?;
            if slot == [0; SLOT_LEN] {
                return Ok((index, None));
            }
            if hash_of(&slot) == hash {
                return Ok((index, Some(slot)));
            }
            index = (index + 1) % self.slots;
        }
    }

    fn read(&self, index: u64) -> Result<Slot, SpillError> {
        let mut slot = [0; SLOT_LEN];
        read_exact_at(&self.file, &mut slot, offset(index)).map_err(|source| self.error(Operation::Read, source))?;
        Ok(slot)
    }

    fn doubled(&self, scratch: &dyn Scratch) -> Result<Table, SpillError> {
        let slots = usize::try_from(self.slots.saturating_mul(2)).unwrap_or(usize::MAX);
        let mut larger = Table::create(scratch, slots)?;
        for index in 0..self.slots {
            let slot = self.read(index)?;
            if slot != [0; SLOT_LEN] {
                larger.insert(&slot)?;
            }
        }
        Ok(larger)
    }

    fn error(&self, operation: Operation, source: std::io::Error) -> SpillError {
        SpillError::Io { operation, place: self.place.clone(), source }
    }
}

fn offset(slots: u64) -> u64 {
    slots.saturating_mul(u64::try_from(SLOT_LEN).unwrap_or(u64::MAX))
}

fn path_hash(path: &[u8]) -> PathHash {
    let digest: [u8; 32] = Sha256::digest(path).into();
    *hash_of(&digest)
}

fn hash_of(slot: &Slot) -> &PathHash {
    let (hash, _) = slot.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    hash
}

fn first_8(bytes: &PathHash) -> &[u8; 8] {
    let (first, _) = bytes.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    first
}

fn mark_of(slot: &Slot) -> Mark {
    slot.last_chunk().copied().unwrap_or_default()
}

fn slot(hash: &PathHash, mark: &Mark) -> Slot {
    let mut slot = [0; SLOT_LEN];
    slot.iter_mut().zip(hash.iter().chain(mark)).for_each(|(to, from)| *to = *from);
    slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use ekv_spill::SystemScratch;

    #[test]
    fn table_finds_every_directory_and_no_other_in_memory_and_in_its_file() {
        let mut table = PathTable::new(Arc::new(SystemScratch::new()));
        table.memory_entries = 5;
        let mark = |i: u64| u128::from(i * 7).to_le_bytes();
        for i in 0..500 {
            let path = format!("dir/{i}");
            assert_eq!(table.get(path.as_bytes()).unwrap(), None);
            table.insert(path.as_bytes(), mark(i)).unwrap();
        }
        for i in 0..500 {
            assert_eq!(table.get(format!("dir/{i}").as_bytes()).unwrap(), Some(mark(i)));
        }
        assert_eq!(table.get(b"dir/500").unwrap(), None);
    }
}
