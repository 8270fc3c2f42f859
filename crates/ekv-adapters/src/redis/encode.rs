//! Redis: events to records. Source: `docs/format/redis.md`, section 9.
//!
//! Every key gets its current form, whatever it was decoded from: no deltas, claims, fences and blobs.

use std::sync::Arc;

use ekv_model::redis::{CollectionKind, Element, Event, ScalarKind, StreamId};
use ekv_model::{Body, Event as ModelEvent, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::{Scratch, Spool};

use super::keys::{put_counted, put_plain};
use super::list::item_suffix;
use super::meta::{put_count_meta, put_list_meta, put_stream_meta};
use super::stream::{ENTRY_MAGIC, FIELD_ID, FIELD_TEXT, id_suffix};
use super::value::{put_header, score_bits, sortable_score};
use crate::adapter::EncodeEvents;
use crate::encode_error::misplaced;
use crate::protobuf::{is_utf8_body, put_len_prefix};
use crate::{EncodeError, Family};

/// Memory for putting an entry of a stream together, in bytes.
const ENTRY_BUDGET: usize = 64 << 10;

/// Builds records from the events of one key after the other.
pub(crate) struct Encoder {
    scratch: Arc<dyn Scratch>,
    open: Option<OpenCollection>,
    user_key: Vec<u8>,
    head: Vec<u8>,
}

/// The collection whose elements come.
struct OpenCollection {
    kind: CollectionKind,
    key: Vec<u8>,
    expire_at_ms: Option<u64>,
    /// Elements so far.
    len: u64,
    /// The open entry of a stream.
    entry: Option<(StreamId, Spool)>,
}

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Redis { database, event } = event else {
            return Err(misplaced("an event of another protocol"));
        };
        if database != 0 {
            return Err(EncodeError::RedisDatabase { index: database }.into());
        }
        match (event, self.open.is_some()) {
            (Event::Scalar { kind, key, body, expiry, .. }, false) => {
                self.scalar(sink, kind, key, body, expiry.map(|expiry| expiry.at_ms))
            }
            (Event::Begin { kind, key, expire_at_ms, .. }, false) => {
                // 0 would mean that the key never expires; the moment after it is past as well.
                let expire_at_ms = expire_at_ms.map(|at_ms| at_ms.max(1));
                self.open = Some(OpenCollection { kind, key: key.to_vec(), expire_at_ms, len: 0, entry: None });
                Ok(())
            }
            (Event::Element(element), true) => self.element(sink, element),
            (Event::End, true) => self.end(sink),
            (Event::Scalar { .. } | Event::Begin { .. }, true) => Err(misplaced("a key inside a collection")),
            (Event::Element(_) | Event::End, false) => Err(misplaced("an element outside of a collection")),
        }
    }
}

impl Encoder {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Encoder { scratch: Arc::clone(scratch), open: None, user_key: Vec::new(), head: Vec::new() }
    }

    fn scalar(
        &mut self,
        sink: &mut dyn RecordSink,
        kind: ScalarKind,
        key: &[u8],
        body: Body<'_>,
        expire_at_ms: Option<u64>,
    ) -> Result<()> {
        let family = match kind {
            ScalarKind::String => Family::RedisString,
            ScalarKind::Hll => Family::RedisHll,
        };
        put_plain(&mut self.user_key, family.prefix(), key);
        self.head.clear();
        put_header(kind, expire_at_ms, &body, &mut self.head)?;
        sink.put(&self.user_key, &[Body::Inline(&self.head), body])?;
        match (kind, expire_at_ms) {
            (ScalarKind::Hll, Some(at_ms)) => self.index_row(sink, key, at_ms),
            // Nothing reads the index row of a string that carries its own expiry.
            _ => Ok(()),
        }
    }

    fn element(&mut self, sink: &mut dyn RecordSink, element: Element<'_>) -> Result<()> {
        let Encoder { scratch, open, user_key, head } = self;
        let Some(open) = open else { return Err(misplaced("an element outside of a collection")) };
        match (open.kind, element) {
            (CollectionKind::Hash, Element::Field { name, value }) => {
                put_counted(user_key, Family::HashField.prefix(), &open.key);
                user_key.extend_from_slice(name);
                sink.put(user_key, &[value])?;
            }
            (CollectionKind::Set, Element::Member(member)) => {
                put_counted(user_key, Family::SetMember.prefix(), &open.key);
                user_key.extend_from_slice(member);
                sink.put(user_key, &[])?;
            }
            (CollectionKind::ZSet, Element::Scored { member, score }) => {
                put_counted(user_key, Family::ZSetMember.prefix(), &open.key);
                user_key.extend_from_slice(member);
                sink.put(user_key, &[Body::Inline(&score_bits(score).to_be_bytes())])?;
                put_counted(user_key, Family::ZSetScore.prefix(), &open.key);
                user_key.extend_from_slice(&sortable_score(score));
                user_key.extend_from_slice(member);
                sink.put(user_key, &[])?;
            }
            (CollectionKind::List, Element::Item(value)) => {
                let seq = i64::try_from(open.len).unwrap_or(i64::MAX);
                put_plain(user_key, Family::ListItem.prefix(), &open.key);
                user_key.extend_from_slice(&item_suffix(seq));
                sink.put(user_key, &[value])?;
            }
            (CollectionKind::Stream { .. }, Element::EntryBegin(id)) if open.entry.is_none() => {
                let mut value = Spool::new(Arc::clone(scratch), ENTRY_BUDGET);
                value.write_all(ENTRY_MAGIC)?;
                let text = format!("{}-{}", id.ms, id.seq);
                put_text(&mut value, head, FIELD_ID, &Body::Inline(text.as_bytes()))?;
                open.entry = Some((id, value));
                return Ok(());
            }
            (CollectionKind::Stream { .. }, Element::EntryField { name, value }) => {
                let Some((id, entry)) = &mut open.entry else { return Err(misplaced("a field outside of an entry")) };
                for text in [&name, &value] {
                    if !is_utf8_body(text)? {
                        return Err(EncodeError::RedisStreamText { id: format!("{}-{}", id.ms, id.seq) }.into());
                    }
                    put_text(entry, head, FIELD_TEXT, text)?;
                }
                return Ok(());
            }
            (CollectionKind::Stream { .. }, Element::EntryEnd) => {
                let Some((id, entry)) = open.entry.take() else { return Err(misplaced("the end of no entry")) };
                put_counted(user_key, Family::StreamEntry.prefix(), &open.key);
                user_key.extend_from_slice(&id_suffix(id));
                sink.put(user_key, &[entry.into_reader()?.body()])?;
            }
            _ => return Err(misplaced("an element of another type")),
        }
        open.len = open.len.saturating_add(1);
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn RecordSink) -> Result<()> {
        let Some(OpenCollection { kind, key, expire_at_ms, len, entry: None }) = self.open.take() else {
            return Err(misplaced("the end of a collection inside an entry"));
        };
        let Encoder { user_key, head, .. } = self;
        head.clear();
        let family = match kind {
            CollectionKind::Hash => Family::HashMeta,
            CollectionKind::List => Family::ListMeta,
            CollectionKind::Set => Family::SetMeta,
            CollectionKind::ZSet => Family::ZSetMeta,
            CollectionKind::Stream { .. } => Family::StreamMeta,
        };
        match kind {
            CollectionKind::List => {
                put_list_meta(len, expire_at_ms, head);
                put_plain(user_key, family.prefix(), &key);
            }
            CollectionKind::Stream { last } => {
                put_stream_meta(len, last, expire_at_ms, head);
                put_counted(user_key, family.prefix(), &key);
            }
            CollectionKind::Hash | CollectionKind::Set | CollectionKind::ZSet => {
                put_count_meta(len, expire_at_ms, head);
                put_counted(user_key, family.prefix(), &key);
            }
        }
        sink.put(user_key, &[Body::Inline(head)])?;
        match expire_at_ms {
            Some(at_ms) => self.index_row(sink, &key, at_ms),
            None => Ok(()),
        }
    }

    fn index_row(&mut self, sink: &mut dyn RecordSink, key: &[u8], at_ms: u64) -> Result<()> {
        put_plain(&mut self.user_key, Family::RedisExpiry.prefix(), key);
        sink.put(&self.user_key, &[Body::Inline(&at_ms.to_be_bytes())])
    }
}

/// Adds a field of a message.
fn put_text(value: &mut Spool, head: &mut Vec<u8>, field: u64, text: &Body<'_>) -> Result<()> {
    head.clear();
    put_len_prefix(field, text.len(), head);
    value.write_all(head)?;
    text.for_each_chunk(|chunk| Ok(value.write_all(chunk)?))
}

#[cfg(test)]
mod tests;
