//! Chunks that are stored by their digest. Source: `docs/format/s3.md`, section 2.5.

use ekv_model::{ByteSource, Result};
use ekv_snapshot::{Input, Lookup, View, Visible};
use ekv_spill::{Sorted, Sorter, Spool};
use sha2::{Digest, Sha256};

use super::chunk_ref::ChunkRef;
use super::findings;
use super::keys::{ChunkDigest, put_chunk_blob};
use crate::run::scratch_error;
use crate::{Outcome, Run};

/// Memory for the digests that were asked for, in bytes.
const BUDGET_LEN: usize = 1 << 20;
/// Bytes of a digest and its [`Rank`].
const ASKED_LEN: usize = 33;

/// What became of a chunk, the strongest claim first.
#[derive(Clone, Copy)]
enum Rank {
    Emitted,
    Lost,
}

impl Rank {
    fn tag(self) -> u8 {
        match self {
            Rank::Emitted => 0,
            Rank::Lost => 1,
        }
    }
}

/// A chunk whose content was checked.
pub(super) struct Copy {
    pub(super) input: Input,
    pub(super) byte_offset: u64,
    pub(super) len: u64,
}

/// Finds chunks by digest, in this snapshot first, then in those of other nodes.
pub(super) struct Offloaded {
    lookups: Vec<Lookup>,
    /// Chunks of this snapshot that the object at hand needs: digest and whether the copy is damaged.
    asked: Spool,
    /// Chunks of this snapshot that any object needed, with their rank.
    seen: Sorter,
    user_key: Vec<u8>,
}

impl Offloaded {
    pub(super) fn new(run: &Run<'_>, blob_sources: &[View]) -> Self {
        Offloaded {
            lookups: std::iter::once(run.view()).chain(blob_sources).map(View::lookup).collect(),
            asked: Spool::new(run.scratch(), BUDGET_LEN),
            seen: Sorter::new(run.scratch(), BUDGET_LEN),
            user_key: Vec::new(),
        }
    }

    /// A copy of the chunk with the right digest and length; damaged copies are findings. Cost: reads each copy until a good one.
    pub(super) fn find(&mut self, run: &mut Run<'_>, reference: &ChunkRef) -> Result<Option<Copy>> {
        put_chunk_blob(&mut self.user_key, &reference.digest);
        for (number, lookup) in self.lookups.iter_mut().enumerate() {
            let Some(found) = lookup.get(&self.user_key)? else { continue };
            let is_good = is_copy(&found, reference)?;
            // A record with a damaged value header is not among the visible ones.
            if number == 0 && !found.is_damaged {
                let rank = if is_good { Rank::Emitted } else { Rank::Lost };
                self.asked.write_all(&reference.digest).map_err(scratch_error)?;
                self.asked.write_all(&[rank.tag()]).map_err(scratch_error)?;
            }
            let input = found.body.input();
            if is_good {
                let (byte_offset, len) = (found.body.byte_offset(), found.body.len());
                return Ok(Some(Copy { input: input.clone(), byte_offset, len }));
            }
            run.record_finding(findings::BLOB_HASH_MISMATCH, &self.user_key, Some(found.byte_offset), || {
                format!("{} bytes in {} do not have the digest in their key", found.body.len(), input.name)
            });
        }
        Ok(None)
    }

    /// Notes what became of the chunks that the object at hand asked for.
    pub(super) fn settle(&mut self, run: &Run<'_>, is_emitted: bool) -> Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let asked = std::mem::replace(&mut self.asked, Spool::new(run.scratch(), BUDGET_LEN));
        let asked = asked.into_reader().map_err(scratch_error)?;
        let (mut at, mut entry) = (0, [0; ASKED_LEN]);
        while at < asked.len() {
            asked.read_exact_at(at, &mut entry)?;
            let [digest @ .., tag] = entry;
            let tag = if is_emitted { tag } else { Rank::Lost.tag() };
            self.seen.push(&digest, &[tag]).map_err(scratch_error)?;
            at = at.saturating_add(u64::try_from(ASKED_LEN).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// What became of the chunks of this snapshot; chunks that no object asked for are orphans.
    pub(super) fn finish(self) -> Result<Outcomes> {
        let mut outcomes = Outcomes { sorted: self.seen.finish().map_err(scratch_error)?, next: None };
        outcomes.pull()?;
        Ok(outcomes)
    }
}

fn is_copy(found: &Visible<'_>, reference: &ChunkRef) -> Result<bool> {
    if found.body.len() != reference.size_bytes {
        return Ok(false);
    }
    let mut sha256 = Sha256::new();
    found.body.body().for_each_chunk(|piece| {
        sha256.update(piece);
        Ok(())
    })?;
    let digest: ChunkDigest = sha256.finalize().into();
    Ok(digest == reference.digest)
}

/// What became of chunks, to be asked in ascending order of their digests.
pub(super) struct Outcomes {
    sorted: Sorted,
    next: Option<(ChunkDigest, u8)>,
}

impl Outcomes {
    /// What became of the chunk; digests ascend from call to call.
    pub(super) fn of(&mut self, digest: &ChunkDigest) -> Result<Outcome> {
        let mut strongest = None;
        while let Some((next, tag)) = self.next
            && next <= *digest
        {
            if next == *digest {
                strongest = Some(strongest.map_or(tag, |strongest: u8| strongest.min(tag)));
            }
            self.pull()?;
        }
        Ok(match strongest {
            Some(tag) if tag == Rank::Emitted.tag() => Outcome::Emitted,
            Some(_) => Outcome::Lost,
            None => Outcome::Orphaned,
        })
    }

    /// What became of the next chunk that any object asked for; of copies that are there and damaged, too.
    pub(super) fn next(&mut self) -> Result<Option<Outcome>> {
        match self.next {
            Some((digest, _)) => self.of(&digest).map(Some),
            None => Ok(None),
        }
    }

    fn pull(&mut self) -> Result<()> {
        let next = self.sorted.next().map_err(scratch_error)?;
        self.next = next.and_then(|(digest, tag)| Some((digest.try_into().ok()?, *tag.first()?)));
        Ok(())
    }
}
