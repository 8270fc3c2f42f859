//! Versions to be added, and the records from which they are made.

use ekv_text::ByteCursor;

use super::record::{Damage, INTENT_FIXED_LEN, Intent};
use crate::file::Cursor;
use crate::record::ValueHeader;
use crate::record_writer::BodyPlace;
use crate::{CommitTs, Result};

/// Buffer of the cursors that look records up, in bytes.
pub(super) const WINDOW_LEN: usize = 32 << 10;

/// A version to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: RowKind,
    /// Whether the server would return it.
    pub(super) live: bool,
    /// Whether the server has cleaned it up.
    pub(super) is_cleaned_up: bool,
    /// Byte offset of the lock record.
    pub(super) lock_offset: u64,
    /// The value in the group's input.
    pub(super) body: BodyPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Put,
    Delete,
    /// A tombstone for a key whose value is not known.
    Hide,
}

impl Row {
    /// Length of [`Row::encode`] in bytes.
    pub(super) const LEN: usize = 27;

    pub(super) fn encode(self) -> Vec<u8> {
        let kind = match self.kind {
            RowKind::Put => 0,
            RowKind::Delete => 1,
            RowKind::Hide => 2,
        };
        let mut out = vec![kind, u8::from(self.live), u8::from(self.is_cleaned_up)];
        for number in [self.lock_offset, self.body.offset, self.body.len] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Row> {
        let mut cursor = ByteCursor::new(bytes);
        let [kind, live, is_cleaned_up] = cursor.take()?;
        let lock_offset = cursor.u64()?;
        let body = BodyPlace { offset: cursor.u64()?, len: cursor.u64()? };
        let kind = match kind {
            0 => RowKind::Put,
            1 => RowKind::Delete,
            _ => RowKind::Hide,
        };
        Some(Row { kind, live: *live != 0, is_cleaned_up: *is_cleaned_up != 0, lock_offset, body })
    }
}

/// Moves to a raw key; whether there is such a record.
pub(super) fn is_at(cursor: &mut Cursor, raw_key: &[u8]) -> Result<bool> {
    Ok(cursor.seek(raw_key)? && cursor.raw_key() == raw_key)
}

/// What the intent under the cursor writes; `None` if there is no intent.
pub(super) fn read_intent(cursor: Option<&Cursor>, start_ts: CommitTs) -> Result<Option<(RowKind, BodyPlace)>, Damage> {
    let Some(value) = cursor.map(Cursor::value) else { return Ok(None) };
    let header = ValueHeader::parse(value.head(), value.len());
    let header = header.map_err(|_| Damage::ValueHeader { record: "intent" })?;
    if header.tombstone {
        return Ok(None);
    }
    let body = value.without_header();
    let written = body.after(INTENT_FIXED_LEN);
    Ok(Some(match Intent::parse(body.head(), body.len(), start_ts)? {
        Intent::Put { len } => (RowKind::Put, BodyPlace { offset: written.byte_offset(), len }),
        Intent::Delete => (RowKind::Delete, BodyPlace { offset: written.byte_offset(), len: 0 }),
    }))
}
