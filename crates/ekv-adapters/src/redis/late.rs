//! Element names in byte order, although records come in another one. Source: `docs/format/redis.md`, section 10.2.
//!
//! Names come in byte order except that a name comes after longer names that begin with it. Those late ones are sorted, on disk
//! if they are many, and looked up when their turn comes.

use ekv_model::Result;
use ekv_snapshot::{Lookup, Visible};
use ekv_spill::{Sorted, Sorter};

use crate::run::scratch_error;

/// The late names of one collection, in byte order.
pub(super) struct Late<'l> {
    sorted: Sorted,
    next: Option<Vec<u8>>,
    lookup: &'l mut Lookup,
    /// Family prefix and counted key, followed by the name last looked up.
    user_key: Vec<u8>,
    prefix_len: usize,
}

impl<'l> Late<'l> {
    /// `prefix` is what the user keys of the collection's elements begin with.
    pub(super) fn new(names: Sorter, lookup: &'l mut Lookup, prefix: Vec<u8>) -> Result<Self> {
        let sorted = names.finish().map_err(scratch_error)?;
        let mut late = Late { sorted, next: None, lookup, prefix_len: prefix.len(), user_key: prefix };
        late.pull()?;
        Ok(late)
    }

    /// The name and record of the next element, if its name sorts below `limit` (`None` = whatever its name).
    pub(super) fn next_below(&mut self, limit: Option<&[u8]>) -> Result<Option<(&[u8], Visible<'_>)>> {
        match &self.next {
            Some(next) if limit.is_none_or(|limit| next.as_slice() < limit) => {
                self.user_key.truncate(self.prefix_len);
                self.user_key.extend_from_slice(next);
            }
            _ => return Ok(None),
        }
        self.pull()?;
        let name = self.user_key.get(self.prefix_len..).unwrap_or(&[]);
        Ok(self.lookup.get(&self.user_key)?.map(|found| (name, found)))
    }

    fn pull(&mut self) -> Result<()> {
        self.next = self.sorted.next().map_err(scratch_error)?.map(|(name, _)| name.to_vec());
        Ok(())
    }
}
