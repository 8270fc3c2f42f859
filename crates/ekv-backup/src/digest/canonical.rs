//! The canonical encoding of things, as it is hashed.

use std::cell::RefCell;

use ekv_model::dynamodb::{ItemKey, KeySchema, KeyValue, Node, SetKind, Table};
use ekv_model::redis::{CollectionKind, Element, ScalarKind};
use ekv_model::s3::{BucketRecord, Object};
use ekv_model::sqs::{Message, Queue};
use ekv_model::{Body, ByteSource, CHUNK_LEN, Result};
use ekv_snapshot::CommitTs;
use sha2::{Digest, Sha256};

/// A digest.
pub(super) type Sum = [u8; 32];

/// Hashes fields one after the other, so that no two things have the same bytes: each text has its length in front of it.
pub(super) struct Canonical(Sha256);

impl Canonical {
    /// Begins a thing of a type.
    pub(super) fn of(thing: &str) -> Self {
        let mut canonical = Canonical(Sha256::new());
        canonical.text(thing);
        canonical
    }

    pub(super) fn finish(self) -> Sum {
        self.0.finalize().into()
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn signed(&mut self, number: i64) {
        self.number(number.cast_unsigned());
    }

    fn len(&mut self, len: usize) {
        self.number(u64::try_from(len).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts<const N: usize>(&mut self, texts: [&str; N]) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn flag(&mut self, flag: bool) {
        self.number(u64::from(flag));
    }

    fn maybe(&mut self, number: Option<u64>) {
        self.flag(number.is_some());
        self.number(number.unwrap_or(0));
    }

    fn body(&mut self, body: &Body<'_>) -> Result<()> {
        self.number(body.len());
        body.for_each_chunk(|chunk| {
            self.0.update(chunk);
            Ok(())
        })
    }

    pub(super) fn scalar(&mut self, kind: ScalarKind, body: &Body<'_>, expire_at_ms: Option<u64>) -> Result<()> {
        self.text(match kind {
            ScalarKind::String => "string",
            ScalarKind::Hll => "hll",
        });
        self.maybe(expire_at_ms);
        self.body(body)
    }

    pub(super) fn collection(&mut self, kind: CollectionKind, expire_at_ms: Option<u64>) {
        let (kind, last) = match kind {
            CollectionKind::Hash => ("hash", None),
            CollectionKind::List => ("list", None),
            CollectionKind::Set => ("set", None),
            CollectionKind::ZSet => ("zset", None),
            CollectionKind::Stream { last } => ("stream", Some(last)),
        };
        self.text(kind);
        // 0 cannot be stored of a collection, where it means that it never expires; 1 is in the past as well.
        self.maybe(expire_at_ms.map(|at_ms| at_ms.max(1)));
        self.maybe(last.map(|last| last.ms));
        self.maybe(last.map(|last| last.seq));
    }

    pub(super) fn element(&mut self, element: &Element<'_>) -> Result<()> {
        match element {
            Element::Field { name, value } => {
                self.text("field");
                self.bytes(name);
                self.body(value)?;
            }
            Element::Item(value) => {
                self.text("item");
                self.body(value)?;
            }
            Element::Member(member) => {
                self.text("member");
                self.bytes(member);
            }
            Element::Scored { member, score } => {
                self.text("scored");
                self.bytes(member);
                // A dump says NaN, and not which one.
                self.number(if score.is_nan() { f64::NAN } else { *score }.to_bits());
            }
            Element::EntryBegin(id) => {
                self.text("entry");
                self.number(id.ms);
                self.number(id.seq);
            }
            Element::EntryField { name, value } => {
                self.text("field");
                self.body(name)?;
                self.body(value)?;
            }
            Element::EntryEnd => self.text("end"),
        }
        Ok(())
    }

    pub(super) fn table(&mut self, table: &Table<'_>) {
        self.key_schema(&table.primary_key);
        self.len(table.attribute_definitions.len());
        for definition in table.attribute_definitions {
            self.texts([definition.name, definition.attribute_type]);
        }
        self.len(table.indexes.len());
        for index in table.indexes {
            self.texts([index.name, index.projection.projection_type]);
            self.key_schema(&index.key_schema);
            self.len(index.projection.non_key_attributes.len());
            index.projection.non_key_attributes.iter().for_each(|name| self.text(name));
        }
    }

    fn key_schema(&mut self, schema: &KeySchema<'_>) {
        self.texts([schema.hash_key, schema.range_key]);
    }

    pub(super) fn item_key(&mut self, key: &ItemKey<'_>) {
        let mut value = |value: &KeyValue<'_>| {
            self.text(value.key_type.letter());
            self.bytes(value.bytes);
        };
        value(&key.hash);
        key.range.iter().for_each(value);
    }

    pub(super) fn node(&mut self, node: &Node<'_>) -> Result<()> {
        let (kind, body) = match node {
            Node::Name(name) => ("name", Some(Body::Inline(name.as_bytes()))),
            Node::String(body) => ("S", Some(*body)),
            Node::Number(body) => ("N", Some(*body)),
            Node::Binary(body) => ("B", Some(*body)),
            Node::Bool(true) => ("true", None),
            Node::Bool(false) => ("false", None),
            Node::Null(true) => ("null", None),
            Node::Null(false) => ("not null", None),
            Node::Missing => ("missing", None),
            Node::SetBegin(SetKind::String) => ("SS", None),
            Node::SetBegin(SetKind::Number) => ("NS", None),
            Node::SetBegin(SetKind::Binary) => ("BS", None),
            Node::Member(body) => ("member", Some(*body)),
            Node::ListBegin => ("L", None),
            Node::MapBegin => ("M", None),
            Node::End => ("end", None),
        };
        self.text(kind);
        body.map_or(Ok(()), |body| self.body(&body))
    }

    pub(super) fn bucket(&mut self, record: Option<&BucketRecord<'_>>) {
        self.flag(record.is_some());
        if let Some(record) = record {
            self.texts([record.owner, record.region, record.acl]);
        }
    }

    pub(super) fn object(&mut self, object: &Object<'_>) -> Result<()> {
        let mut content = Sha256::new();
        object.body.for_each_chunk(|chunk| {
            content.update(chunk);
            Ok(())
        })?;
        self.object_of(object, content.finalize().into());
        Ok(())
    }

    /// An object of which the content has been hashed already.
    pub(super) fn object_of(&mut self, object: &Object<'_>, content: Sum) {
        self.texts([object.etag, object.content_type, object.content_encoding]);
        self.texts([object.cache_control, object.content_disposition]);
        // A dump says the millisecond, not the counter.
        self.number(CommitTs(object.last_modified_hlc).unix_ms());
        self.len(object.user_metadata.len());
        object.user_metadata.iter().for_each(|(name, value)| self.texts([name, value]));
        self.number(object.body.len());
        self.bytes(&content);
    }

    pub(super) fn queue(&mut self, queue: &Queue<'_>) {
        match queue.stored_name {
            "" => self.text(&String::from_utf8_lossy(queue.name)),
            stored => self.text(stored),
        }
        self.flag(queue.fifo);
        self.flag(queue.content_based_deduplication);
        self.signed(queue.visibility_timeout_seconds);
        self.signed(queue.message_retention_seconds);
        self.signed(queue.delay_seconds);
        self.signed(queue.receive_message_wait_seconds);
        self.signed(queue.maximum_message_size);
        self.texts([queue.redrive_policy, queue.redrive_allow_policy]);
        self.texts([queue.fifo_throughput_limit, queue.deduplication_scope]);
        self.number(queue.partition_count.into());
    }

    /// False if nothing of it is set. The generation alone is nothing that a client sees.
    pub(super) fn queue_extension(&mut self, queue: &Queue<'_>) -> bool {
        // A dump does not say a limit of 0, which is none.
        let is_set = |limit: &str| limit.parse::<f64>().is_ok_and(|limit| limit != 0.0);
        let limits: Vec<_> = queue.throttle.named().filter(|(_, limit)| is_set(limit)).collect();
        let times = [queue.created_at_ms, queue.last_modified_at_ms, queue.last_purged_at_ms];
        self.number(queue.generation.max(1));
        self.number(queue.incarnation);
        self.number(queue.created_at_hlc);
        times.into_iter().for_each(|time| self.signed(time));
        self.len(queue.tags.len());
        queue.tags.iter().for_each(|tag| self.texts([tag.name, tag.value]));
        self.len(limits.len());
        limits.iter().for_each(|(name, limit)| self.texts([name, limit]));
        let is_stored = queue.incarnation != 0 || queue.created_at_hlc != 0 || times != [0; 3];
        is_stored || !queue.tags.is_empty() || !limits.is_empty()
    }

    pub(super) fn message(&mut self, message: &Message<'_>) -> Result<()> {
        self.texts([message.md5_of_body, message.md5_of_message_attributes, message.sender_id]);
        self.len(message.attributes.len());
        for attribute in message.attributes {
            self.text(attribute.name);
            self.bytes(attribute.json);
        }
        let times = [message.send_timestamp_ms, message.available_at_ms, message.visible_at_ms];
        times.into_iter().for_each(|time| self.signed(time));
        self.signed(message.receive_count);
        self.signed(message.first_receive_ms);
        self.bytes(message.current_receipt_token);
        self.number(message.queue_generation);
        self.texts([message.message_group_id, message.message_deduplication_id, message.dead_letter_source_arn]);
        self.number(message.sequence_number);
        self.maybe(message.partition.map(u64::from));
        self.body(&message.body)
    }
}

/// Hashes bytes while somebody else reads them from front to back.
pub(super) struct Tee<'a> {
    source: &'a dyn ByteSource,
    /// The digest of what was read, and how much that is.
    read: RefCell<(Sha256, u64)>,
}

impl<'a> Tee<'a> {
    pub(super) fn new(source: &'a dyn ByteSource) -> Self {
        Tee { source, read: RefCell::default() }
    }

    /// The digest of all bytes; those that nobody has read are read now.
    pub(super) fn finish(self) -> Result<Sum> {
        let mut buf = vec![0; CHUNK_LEN];
        loop {
            let at = self.read.borrow().1;
            let left = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(CHUNK_LEN);
            let Some(piece) = buf.get_mut(..left).filter(|piece| !piece.is_empty()) else { break };
            self.read_exact_at(at, piece)?;
        }
        Ok(self.read.into_inner().0.finalize().into())
    }
}

impl ByteSource for Tee<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.source.read_exact_at(offset, buf)?;
        let (hasher, read_len) = &mut *self.read.borrow_mut();
        // What was read before is hashed already.
        let known = usize::try_from(read_len.saturating_sub(offset)).unwrap_or(usize::MAX);
        if let Some(new) = buf.get(known..).filter(|new| offset <= *read_len && !new.is_empty()) {
            hasher.update(new);
            *read_len = read_len.saturating_add(u64::try_from(new.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}
