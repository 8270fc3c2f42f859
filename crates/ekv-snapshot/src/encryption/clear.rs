//! The records of a snapshot without encryption, in scratch space. Source: `docs/format/encryption.md`, sections 2 and 4.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::Monitor;
use ekv_spill::{Scratch, Spool};

use super::gcm::{NONCE_LEN, Sealed, TAG_LEN};
use super::keys::{DataKey, DataKeys};
use crate::file::Cursor;
use crate::format::{
    ENCRYPTION_STATE_ENCRYPTED, FLAGS_ENCRYPTION, FLAGS_RESERVED, PAYLOAD_HEADER_LEN, TS_LEN, VALUE_HEADER_LEN,
};
use crate::record::{StoredValue, UnversionedRow};
use crate::record_writer::RecordWriter;
use crate::stream::{for_each_piece, len_u64};
use crate::{CommitTs, Error, ErrorKind, RecordFile, Result};

/// Buffer of the cursor over the records, in bytes.
const WINDOW_LEN: usize = 128 << 10;
/// Longest body that is decrypted in memory, in bytes.
const IN_MEMORY_LEN_MAX: u64 = 2 << 20;
/// Records between two calls of the monitor.
const MONITOR_INTERVAL: u64 = 1024;
/// What an envelope begins with: its version, and no flags.
const ENVELOPE: [u8; 2] = [1, 0];
/// Bytes of an envelope before the nonce: these two, and the id of the data key.
const FIXED_LEN: usize = 6;
/// Bytes of an envelope before its ciphertext.
const PREFIX_LEN: usize = FIXED_LEN + NONCE_LEN;

/// A record without encryption, or as it was if that cannot be taken off.
pub(crate) struct Seen<'s> {
    /// Where it begins among the records that are written.
    pub(crate) at: u64,
    pub(crate) raw_key: &'s [u8],
    /// The first bytes of its value.
    pub(crate) value_head: &'s [u8],
    pub(crate) value_len: u64,
    /// Why it is not what a server wrote.
    pub(crate) broken: Option<Error>,
}

/// What became of an encrypted value.
enum ClearedValue {
    /// It is written as it is.
    Kept,
    /// It is written so that no reader takes it for a value.
    Broken(Error),
    Opened {
        key_id: u32,
    },
}

/// Writes the records of `file` once more, with clear values where a key is known; `take` sees each of them before.
///
/// `is_strict`: a clear value that opens as an encrypted one is broken. Returns how many values each data key opened.
///
/// Cost: one read; scratch space for all records; memory for a body of 2 MiB.
///
/// # Errors
/// A failing read or scratch file, `Changed` if the file was written to, or the first error of `take`.
pub(crate) fn rewrite(
    file: &RecordFile,
    last_commit_ts: CommitTs,
    keys: &DataKeys,
    is_strict: bool,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
    take: &mut dyn FnMut(Seen<'_>) -> Result<()>,
) -> Result<(RecordFile, BTreeMap<u32, u64>)> {
    let mut opener = Opener {
        keys,
        is_strict,
        writer: RecordWriter::new(scratch, last_commit_ts)?,
        take,
        plain: Vec::new(),
        aad: Vec::new(),
        opened: BTreeMap::new(),
    };
    let mut cursor = Cursor::new(file, WINDOW_LEN);
    let mut records = 0_u64;
    while cursor.advance()? {
        let at = cursor.byte_offset();
        let name = &file.input().name;
        opener.record(cursor.raw_key(), &cursor.value()).map_err(|e| e.at(at).in_file(name))?;
        records = records.saturating_add(1);
        if records.is_multiple_of(MONITOR_INTERVAL) {
            monitor.advance(0)?;
        }
    }
    file.check_unchanged()?;
    let Opener { writer, opened, .. } = opener;
    let records = writer.finish(format!("{} (decrypted)", file.input().name))?;
    let end = records.len;
    Ok((RecordFile::new(records, PAYLOAD_HEADER_LEN, end, Default::default()), opened))
}

struct Opener<'o> {
    keys: &'o DataKeys,
    is_strict: bool,
    writer: RecordWriter<Spool>,
    take: &'o mut dyn FnMut(Seen<'_>) -> Result<()>,
    /// The plain text of a short body.
    plain: Vec<u8>,
    aad: Vec<u8>,
    opened: BTreeMap<u32, u64>,
}

impl Opener<'_> {
    fn record(&mut self, raw_key: &[u8], value: &StoredValue<'_>) -> Result<()> {
        let is_versioned = raw_key.len() >= TS_LEN && UnversionedRow::of(raw_key).is_none();
        let header = value.head().first_chunk::<VALUE_HEADER_LEN>().filter(|_| is_versioned);
        let fate = match header {
            Some(header) => self.open(raw_key, *header, value)?,
            None => ClearedValue::Kept,
        };
        match fate {
            ClearedValue::Opened { key_id } => {
                let count = self.opened.entry(key_id).or_default();
                *count = count.saturating_add(1);
                Ok(())
            }
            ClearedValue::Kept => self.copy(raw_key, value, None, 0),
            // What has this state no reader takes for a value.
            ClearedValue::Broken(error) => self.copy(raw_key, value, Some(error), ENCRYPTION_STATE_ENCRYPTED),
        }
    }

    /// Opens an encrypted value and writes what it holds.
    fn open(
        &mut self,
        raw_key: &[u8],
        header: [u8; VALUE_HEADER_LEN],
        value: &StoredValue<'_>,
    ) -> Result<ClearedValue> {
        let [flags, ..] = header;
        let body = value.without_header();
        if flags & FLAGS_RESERVED != 0 {
            return Ok(ClearedValue::Kept);
        }
        match flags & FLAGS_ENCRYPTION {
            0 => return self.look_for_rebadged(raw_key, header, &body),
            ENCRYPTION_STATE_ENCRYPTED => {}
            _ => return Ok(ClearedValue::Kept),
        }
        let Some((fixed, nonce)) = envelope(&body) else {
            return Ok(broken(None, "its envelope is cut short"));
        };
        let [version, flag, id @ ..] = fixed;
        let key_id = u32::from_be_bytes(id);
        if [version, flag] != ENVELOPE {
            return Ok(broken(Some(key_id), &format!("its envelope has version {version} and flags {flag:#04x}")));
        }
        let keys = self.keys;
        let cipher = match keys.get(key_id) {
            None => return Ok(ClearedValue::Kept),
            Some(DataKey::Raft) => return Ok(broken(Some(key_id), "its data key is one of the Raft log")),
            Some(DataKey::Storage(cipher)) => cipher,
        };
        self.set_aad(&fixed, header, raw_key);
        let mut clear_header = header;
        if let Some(first) = clear_header.first_mut() {
            *first &= !FLAGS_ENCRYPTION;
        }
        if body.len() > IN_MEMORY_LEN_MAX {
            let len = body.len().saturating_sub(len_u64(&[0; PREFIX_LEN + TAG_LEN]));
            let offset = body.byte_offset().saturating_add(len_u64(&[0; PREFIX_LEN]));
            let sealed = Sealed { input: body.input(), offset, len, nonce: &nonce, aad: &self.aad };
            let Opener { writer, take, .. } = self;
            let mut has_begun = false;
            let mut begin = |writer: &mut RecordWriter<Spool>| {
                has_begun = true;
                let value_len = len.saturating_add(len_u64(&header));
                let at = writer.output().len();
                (take)(Seen { at, raw_key, value_head: &clear_header, value_len, broken: None })?;
                writer.head(raw_key, clear_header, len)
            };
            let mut is_first = true;
            let is_open = cipher.open_long(&sealed, |piece| {
                if std::mem::take(&mut is_first) {
                    begin(writer)?;
                }
                writer.body(piece)
            })?;
            return Ok(if is_open && has_begun { ClearedValue::Opened { key_id } } else { wrong(key_id) });
        }
        if !self.decrypt_short(cipher, &nonce, &body)? {
            return Ok(wrong(key_id));
        }
        let value_len = len_u64(&self.plain).saturating_add(len_u64(&header));
        let head = [&clear_header[..], self.plain.get(..FIXED_LEN).unwrap_or(&self.plain)].concat();
        let at = self.writer.output().len();
        (self.take)(Seen { at, raw_key, value_head: &head, value_len, broken: None })?;
        self.writer.head(raw_key, clear_header, len_u64(&self.plain))?;
        self.writer.body(&self.plain)?;
        Ok(ClearedValue::Opened { key_id })
    }

    /// Decrypts a short body into `plain`; `false` if its tag is wrong.
    fn decrypt_short(
        &mut self,
        cipher: &super::gcm::Cipher,
        nonce: &[u8; NONCE_LEN],
        body: &StoredValue<'_>,
    ) -> Result<bool> {
        let sealed = body.after(PREFIX_LEN);
        let Opener { plain, aad, .. } = self;
        plain.clear();
        for_each_piece(sealed.input(), sealed.byte_offset(), sealed.len(), |piece| {
            plain.extend_from_slice(piece);
            Ok(())
        })?;
        let len = cipher.open_in_place(nonce, aad, plain);
        plain.truncate(len.unwrap_or(0));
        Ok(len.is_some())
    }

    /// A clear value that opens as an encrypted one was encrypted, and somebody has changed its state.
    fn look_for_rebadged(
        &mut self,
        raw_key: &[u8],
        header: [u8; VALUE_HEADER_LEN],
        body: &StoredValue<'_>,
    ) -> Result<ClearedValue> {
        let parts = envelope(body).filter(|(fixed, _)| self.is_strict && fixed.starts_with(&ENVELOPE));
        let Some((fixed, nonce)) = parts else { return Ok(ClearedValue::Kept) };
        let [_, _, id @ ..] = fixed;
        let key_id = u32::from_be_bytes(id);
        let mut encrypted_header = header;
        if let Some(first) = encrypted_header.first_mut() {
            *first |= ENCRYPTION_STATE_ENCRYPTED;
        }
        let keys = self.keys;
        let Some((_, cipher)) = keys.of_values().find(|(id, _)| *id == key_id) else { return Ok(ClearedValue::Kept) };
        self.set_aad(&fixed, encrypted_header, raw_key);
        let opens = if body.len() > IN_MEMORY_LEN_MAX {
            let len = body.len().saturating_sub(len_u64(&[0; PREFIX_LEN + TAG_LEN]));
            let offset = body.byte_offset().saturating_add(len_u64(&[0; PREFIX_LEN]));
            let sealed = Sealed { input: body.input(), offset, len, nonce: &nonce, aad: &self.aad };
            cipher.open_long(&sealed, |_| Ok(()))?
        } else {
            self.decrypt_short(cipher, &nonce, body)?
        };
        Ok(if opens { broken(Some(key_id), "it says that it is clear and is encrypted") } else { ClearedValue::Kept })
    }

    fn set_aad(&mut self, fixed: &[u8; FIXED_LEN], header: [u8; VALUE_HEADER_LEN], raw_key: &[u8]) {
        self.aad.clear();
        for part in [&fixed[..], &header, raw_key] {
            self.aad.extend_from_slice(part);
        }
    }

    /// Writes a record as it is, but for the bits `flags`, which are added to those of its value.
    fn copy(&mut self, raw_key: &[u8], value: &StoredValue<'_>, broken: Option<Error>, flags: u8) -> Result<()> {
        let mut head = value.head().get(..VALUE_HEADER_LEN + FIXED_LEN).unwrap_or(value.head()).to_vec();
        if let Some(first) = head.first_mut() {
            *first |= flags;
        }
        let at = self.writer.output().len();
        (self.take)(Seen { at, raw_key, value_head: &head, value_len: value.len(), broken })?;
        self.writer.begin_entry(raw_key, value.len())?;
        self.writer.body(&head)?;
        let rest = value.after(head.len());
        match rest.whole() {
            Some(rest) => self.writer.body(rest),
            None => for_each_piece(rest.input(), rest.byte_offset(), rest.len(), |piece| self.writer.body(piece)),
        }
    }
}

/// The first bytes of an envelope, and its nonce; `None` if the body is too short for one.
fn envelope(body: &StoredValue<'_>) -> Option<([u8; FIXED_LEN], [u8; NONCE_LEN])> {
    if body.len() < len_u64(&[0; PREFIX_LEN + TAG_LEN]) {
        return None;
    }
    let (fixed, rest) = body.head().split_first_chunk()?;
    Some((*fixed, *rest.first_chunk()?))
}

fn wrong(key_id: u32) -> ClearedValue {
    broken(Some(key_id), "its tag is wrong")
}

fn broken(key_id: Option<u32>, reason: &str) -> ClearedValue {
    ClearedValue::Broken(Error::new(ErrorKind::EncryptedIntegrity { key_id, reason: reason.to_owned() }))
}
