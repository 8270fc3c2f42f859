//! Finds the chunks of an object. Source: `docs/format/s3.md`, sections 2.2, 2.5 and 4.3.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use ekv_model::Result;
use ekv_snapshot::{Input, Lookup, View};
use ekv_spill::Spool;

use super::chunk_ref::ChunkRef;
use super::content::{Checksum, Content, Piece};
use super::head::Head;
use super::keys::{ChunkPlace, push_segment, put_chunk};
use super::offloaded::{Copy, Offloaded};
use super::parts::Part;
use crate::{Family, Run};

/// Memory for the list of an object's chunks, in bytes; a longer one goes to a scratch file.
const PLAN_BUDGET_LEN: usize = 1 << 20;
/// Longest content that is kept in memory if it is one chunk that has just been read, in bytes.
const INLINE_LEN_MAX: usize = 64 << 10;

/// Why an object cannot be read, for a person.
pub(super) struct Incomplete(pub(super) String);

/// Records that an object's content came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) blobs: u64,
    pub(super) references: u64,
}

/// Looks up chunks; objects in key order make it read each family once.
pub(super) struct Chunks {
    blobs: Lookup,
    references: Lookup,
    pub(super) offloaded: Offloaded,
    /// Inputs that chunks were found in.
    inputs: Vec<Input>,
    upload: Vec<u8>,
    user_key: Vec<u8>,
}

/// An object while its chunks are being found.
struct Plan<'p> {
    group: &'p [u8],
    pieces: Spool,
    len: u64,
    used: Used,
    inline: Option<Vec<u8>>,
}

impl Chunks {
    pub(super) fn new(run: &Run<'_>, blob_sources: &[View]) -> Self {
        Chunks {
            blobs: run.view().lookup(),
            references: run.view().lookup(),
            offloaded: Offloaded::new(run, blob_sources),
            inputs: Vec::new(),
            upload: Vec::new(),
            user_key: Vec::new(),
        }
    }

    /// Finds all chunks of an object and checks them; `group` is what its keys begin with.
    pub(super) fn find<'c, 'r: 'c>(
        &'c mut self,
        run: &mut Run<'r>,
        group: &[u8],
        head: &Head,
    ) -> Result<Result<(Content<'c>, Used), Incomplete>> {
        self.upload.clear();
        push_segment(head.upload_id.as_bytes(), &mut self.upload);
        let pieces = Spool::new(run.scratch(), PLAN_BUDGET_LEN);
        let mut plan = Plan { group, pieces, len: 0, used: Used::default(), inline: None };
        let found = self.find_parts(run, &mut plan, head)?;
        self.offloaded.settle(run, found.is_ok())?;
        if let Err(incomplete) = found {
            return Ok(Err(incomplete));
        }
        if u64::try_from(head.size_bytes) != Ok(plan.len) {
            let detail = format!("the chunks have {} bytes, the record says {}", plan.len, head.size_bytes);
            return Ok(Err(Incomplete(detail)));
        }
        let content = Content {
            plan: plan.pieces.into_reader()?,
            inputs: &self.inputs,
            len: plan.len,
            inline: plan.inline.filter(|bytes| u64::try_from(bytes.len()) == Ok(plan.len)),
            last: Cell::default(),
            checksum: RefCell::new(Checksum::default()),
            monitor: run.monitor(),
        };
        Ok(Ok((content, plan.used)))
    }

    fn find_parts(&mut self, run: &mut Run<'_>, plan: &mut Plan<'_>, head: &Head) -> Result<Result<(), Incomplete>> {
        for index in 0..head.parts.len() {
            let part = head.parts.get(index)?;
            for chunk_no in 0..part.chunks() {
                let size = head.parts.chunk_size(&part, chunk_no)?;
                let found = if part.is_offloaded {
                    self.find_offloaded(run, plan, &part, chunk_no, size)?
                } else {
                    self.find_blob(plan, &part, chunk_no, size)?
                };
                if let Err(fault) = found {
                    let detail = format!("part {}, chunk {chunk_no}: {fault}", part.part_no);
                    return Ok(Err(Incomplete(detail)));
                }
                run.monitor().advance(0)?;
            }
        }
        Ok(Ok(()))
    }

    fn find_blob(
        &mut self,
        plan: &mut Plan<'_>,
        part: &Part,
        chunk_no: u64,
        size: Option<u64>,
    ) -> Result<Result<(), String>> {
        let place = ChunkPlace { part_no: part.part_no, chunk_no, version: part.part_version };
        put_chunk(&mut self.user_key, Family::S3Blob, plan.group, &self.upload, place);
        let Some(found) = self.blobs.get(&self.user_key)? else { return Ok(Err("it is missing".to_owned())) };
        if let Some(size) = size.filter(|size| *size != found.body.len()) {
            return Ok(Err(format!("it has {} bytes, the record says {size}", found.body.len())));
        }
        plan.used.blobs = plan.used.blobs.saturating_add(1);
        plan.keep_inline(found.body.whole());
        let copy =
            Copy { input: found.body.input().clone(), byte_offset: found.body.byte_offset(), len: found.body.len() };
        plan.add(&mut self.inputs, copy)?;
        Ok(Ok(()))
    }

    fn find_offloaded(
        &mut self,
        run: &mut Run<'_>,
        plan: &mut Plan<'_>,
        part: &Part,
        chunk_no: u64,
        size: Option<u64>,
    ) -> Result<Result<(), String>> {
        let place = ChunkPlace { part_no: part.part_no, chunk_no, version: part.chunk_ref_version };
        put_chunk(&mut self.user_key, Family::S3ChunkRef, plan.group, &self.upload, place);
        let Some(found) = self.references.get(&self.user_key)? else {
            return Ok(Err("the reference to its content is missing".to_owned()));
        };
        plan.used.references = plan.used.references.saturating_add(1);
        let Some(reference) = ChunkRef::read(&found.body)? else {
            let at = found.byte_offset.byte_offset.map(|at| format!(", at byte {at},")).unwrap_or_default();
            return Ok(Err(format!("the reference to its content{at} does not parse")));
        };
        if let Some(size) = size.filter(|size| *size != reference.size_bytes) {
            return Ok(Err(format!("its reference says {} bytes, the record says {size}", reference.size_bytes)));
        }
        match self.offloaded.find(run, &reference)? {
            Some(copy) => {
                plan.keep_inline(None);
                plan.add(&mut self.inputs, copy)?;
                Ok(Ok(()))
            }
            None => Ok(Err(format!(
                "no sound copy of its content {} here; recorded at {}",
                ekv_text::hex::hex(&reference.digest),
                if reference.peers.is_empty() { "no peer".to_owned() } else { reference.peers.join(", ") }
            ))),
        }
    }
}

impl Plan<'_> {
    /// Keeps the bytes of the next chunk if it is the first one and small.
    fn keep_inline(&mut self, bytes: Option<&[u8]>) {
        let is_first = self.len == 0;
        self.inline = bytes.filter(|bytes| is_first && bytes.len() <= INLINE_LEN_MAX).map(<[u8]>::to_vec);
    }

    fn add(&mut self, inputs: &mut Vec<Input>, copy: Copy) -> Result<()> {
        let Copy { input, byte_offset, len } = copy;
        if len == 0 {
            return Ok(());
        }
        let known = inputs.iter().position(|known| Arc::ptr_eq(&known.source, &input.source));
        let number = known.unwrap_or_else(|| {
            inputs.push(input);
            inputs.len().saturating_sub(1)
        });
        let input = u64::try_from(number).unwrap_or(u64::MAX);
        let piece = Piece { start: self.len, input, byte_offset, len };
        self.pieces.write_all(&piece.to_bytes())?;
        self.len = self.len.saturating_add(len);
        Ok(())
    }
}
