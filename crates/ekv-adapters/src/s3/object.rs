//! One object, or what is left of one. Source: `docs/format/s3.md`, sections 3, 4.3, 4.6 and 5.

use ekv_model::s3::{Event, Object, OrphanChunk};
use ekv_model::{Keys, Result};

use super::chunk_ref::ChunkRef;
use super::chunks::{Incomplete, Used};
use super::head::Head;
use super::keys::{ChunkKey, ObjectKey, unescape};
use super::scope::{Scope, emit};
use super::walk::Walk;
use super::{Options, findings};
use crate::json::JsonError;
use crate::{Family, Outcome, Run};

impl Walk {
    /// Emits the object whose keys begin with `group` if it is selected, or accounts for its remains; all its records are behind the
    /// cursors then.
    pub(super) fn object(
        &mut self,
        run: &mut Run<'_>,
        options: &Options,
        scope: &mut Scope,
        group: &[u8],
        keys: &Keys<'_>,
    ) -> Result<()> {
        // Groups come from keys that parse.
        let Ok(parsed) = ObjectKey::parse(group) else { return Ok(()) };
        let key = unescape(parsed.object);
        if !keys.contains(&key) {
            for lane in [&mut self.heads, &mut self.blobs, &mut self.references] {
                while lane.is_in(group) {
                    run.monitor().advance(0)?;
                    lane.advance(run)?;
                }
            }
            return Ok(());
        }
        let is_active = scope.generation == Some(parsed.generation);
        let has_head = self.heads.rest() == Some(group);
        let is_object = is_active && has_head && self.heads.found().is_some_and(|found| !found.body.is_empty());
        if is_object {
            return self.live_object(run, scope, group, &key);
        }
        if has_head {
            run.account(Family::S3Object, Outcome::Orphaned, 1)?;
            self.heads.advance(run)?;
        }
        scope.stale_objects = scope.stale_objects.saturating_add(u64::from(!is_active));
        let blobs = self.orphan_blobs(run, options, scope, group, &key)?;
        let references = self.unused_references(run, scope, group, &key, Outcome::Orphaned)?;
        let chunks = blobs.saturating_add(references);
        if chunks > 0 && (is_active || options.include_orphans) {
            run.record_finding(findings::ORPHAN_CHUNKS, &scope.path_of(&key), None, || {
                format!("{chunks} chunks in generation {}", parsed.generation)
            });
        }
        Ok(())
    }

    /// Emits the object under the cursor of heads.
    fn live_object(&mut self, run: &mut Run<'_>, scope: &Scope, group: &[u8], key: &[u8]) -> Result<()> {
        let used = self.emit_object(run, scope, group, key)?;
        let outcome = if used.is_some() { Outcome::Emitted } else { Outcome::Lost };
        run.account(Family::S3Object, outcome, 1)?;
        self.heads.advance(run)?;

        let mut blobs: u64 = 0;
        while self.blobs.is_in(group) {
            blobs = blobs.saturating_add(1);
            self.blobs.advance(run)?;
        }
        let Some(used) = used else {
            run.account(Family::S3Blob, Outcome::Lost, blobs)?;
            return self.unused_references(run, scope, group, key, Outcome::Lost).map(drop);
        };
        // Chunks that the record does not list are leftovers of overwritten objects.
        let used_blobs = used.blobs.min(blobs);
        run.account(Family::S3Blob, Outcome::Emitted, used_blobs)?;
        run.account(Family::S3Blob, Outcome::Orphaned, blobs.saturating_sub(used_blobs))?;
        let references = self.count_references(run, scope, group, key)?;
        let used_references = used.references.min(references);
        run.account(Family::S3ChunkRef, Outcome::Joined, used_references)?;
        run.account(Family::S3ChunkRef, Outcome::Orphaned, references.saturating_sub(used_references))
    }

    /// Emits the object if it is whole; `None` if it is not, which has been noted then.
    fn emit_object(&mut self, run: &mut Run<'_>, scope: &Scope, group: &[u8], key: &[u8]) -> Result<Option<Used>> {
        let Some(found) = self.heads.found() else { return Ok(None) };
        let at = Some(found.byte_offset);
        let head = match Head::parse(&found.body, &run.scratch()) {
            Ok(head) => head,
            Err(JsonError::Read(error)) => return Err(error),
            Err(JsonError::Fault(fault)) => {
                run.record_finding(findings::INVALID_OBJECT, &scope.path_of(key), at, || fault.to_string());
                return Ok(None);
            }
        };
        let (content, used) = match self.chunks.find(run, group, &head)? {
            Ok(found) => found,
            Err(Incomplete(detail)) => {
                run.record_finding(findings::INCOMPLETE_OBJECT, &scope.path_of(key), at, || detail);
                return Ok(None);
            }
        };
        let object = Object {
            key,
            etag: &head.etag,
            last_modified_hlc: head.last_modified_hlc,
            commit_ts: found.commit_ts.0,
            content_type: &head.content_type,
            content_encoding: &head.content_encoding,
            cache_control: &head.cache_control,
            content_disposition: &head.content_disposition,
            user_metadata: &head.user_metadata,
            body: content.body(),
        };
        emit(run, Event::Object(object))?;
        if run.is_leaving_out() {
            return Ok(Some(used));
        }
        if let Some(md5) = content.differs_from(&head.etag)? {
            run.record_finding(findings::ETAG_MISMATCH, &scope.path_of(key), at, || {
                format!("the entity tag is {}, the MD5 of the content {md5}", head.etag)
            });
        }
        Ok(Some(used))
    }

    /// Accounts for the blobs of an object that is not live, and emits them if asked; returns their number.
    fn orphan_blobs(
        &mut self,
        run: &mut Run<'_>,
        options: &Options,
        scope: &mut Scope,
        group: &[u8],
        key: &[u8],
    ) -> Result<u64> {
        let outcome = if options.include_orphans { Outcome::Emitted } else { Outcome::Orphaned };
        let mut blobs: u64 = 0;
        while self.blobs.is_in(group) {
            if options.include_orphans {
                scope.begin(run)?;
                if let (Some(found), Some(Ok(chunk))) = (self.blobs.found(), self.blobs.rest().map(ChunkKey::parse)) {
                    let orphan = OrphanChunk {
                        key,
                        generation: chunk.object.generation,
                        upload_id: &unescape(chunk.upload),
                        part_no: chunk.place.part_no,
                        chunk_no: chunk.place.chunk_no,
                        part_version: chunk.place.version,
                        body: found.body.body(),
                    };
                    emit(run, Event::OrphanChunk(orphan))?;
                }
            }
            run.account(Family::S3Blob, outcome, 1)?;
            blobs = blobs.saturating_add(1);
            self.blobs.advance(run)?;
        }
        Ok(blobs)
    }

    /// Accounts for the references of an object that needs none of them; returns their number.
    fn unused_references(
        &mut self,
        run: &mut Run<'_>,
        scope: &Scope,
        group: &[u8],
        key: &[u8],
        outcome: Outcome,
    ) -> Result<u64> {
        let references = self.count_references(run, scope, group, key)?;
        run.account(Family::S3ChunkRef, outcome, references)?;
        Ok(references)
    }

    /// Passes over the references of an object; one that does not parse is noted, since the object can do without it.
    fn count_references(&mut self, run: &mut Run<'_>, scope: &Scope, group: &[u8], key: &[u8]) -> Result<u64> {
        let mut references: u64 = 0;
        while self.references.is_in(group) {
            if let Some(found) = self.references.found()
                && ChunkRef::read(&found.body)?.is_none()
            {
                run.record_finding(findings::INVALID_CHUNK_REF, &scope.path_of(key), Some(found.byte_offset), || {
                    format!("reference of {} bytes", found.body.len())
                });
            }
            references = references.saturating_add(1);
            self.references.advance(run)?;
        }
        Ok(references)
    }
}
