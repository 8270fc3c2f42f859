//! An object, read at any position.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::download::read_range;
use crate::{Meta, Remote, Result};

/// Blocks in which it is read, in bytes: an index of names and a frame are one or two of them.
const BLOCK_LEN: u64 = 256 << 10;
/// Blocks that are kept.
const KEPT_MAX: usize = 64;

/// An object that is read at any position, in blocks of 256 KiB of which the last 64 are kept.
pub struct RemoteFile {
    remote: Arc<dyn Remote>,
    key: String,
    meta: Meta,
    /// Numbers and bytes of blocks, the one that was used last in front.
    kept: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
}

impl RemoteFile {
    /// The object that `meta` describes; nothing is read yet.
    pub fn new(remote: Arc<dyn Remote>, key: impl Into<String>, meta: Meta) -> Self {
        RemoteFile { remote, key: key.into(), meta, kept: Mutex::default() }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.meta.len
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.meta.len == 0
    }

    /// Reads what lies at `offset` into `buf`; how much that was. It is less than asked for at the end of a block, and 0 at the end of the object.
    ///
    /// # Errors
    /// As [`Remote::get`]; answers that break off again and again.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        if offset >= self.meta.len || buf.is_empty() {
            return Ok(0);
        }
        let block = self.block(offset / BLOCK_LEN)?;
        let from = usize::try_from(offset % BLOCK_LEN).unwrap_or(usize::MAX);
        let rest = block.get(from..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        if let (Some(into), Some(bytes)) = (buf.get_mut(..len), rest.get(..len)) {
            into.copy_from_slice(bytes);
        }
        Ok(len)
    }

    fn block(&self, number: u64) -> Result<Arc<Vec<u8>>> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut kept = kept();
            if let Some(found) = kept.iter().position(|(known, _)| *known == number).and_then(|at| kept.remove(at)) {
                let block = Arc::clone(&found.1);
                kept.push_front(found);
                return Ok(block);
            }
        }
        let start = number.saturating_mul(BLOCK_LEN);
        let end = start.saturating_add(BLOCK_LEN).min(self.meta.len);
        let block = Arc::new(read_range(self.remote.as_ref(), &self.key, &self.meta.tag, start..end)?);
        let mut kept = kept();
        kept.push_front((number, Arc::clone(&block)));
        kept.truncate(KEPT_MAX);
        Ok(block)
    }
}
