//! Writes snapshots: records in any order in, a sorted payload out.
//!
//! Source: `docs/format/restore.md`, sections 1 and 3.

use std::io::Write;
use std::sync::Arc;

use ekv_model::{Body, ByteSource, CHUNK_LEN, Monitor};
use ekv_spill::{Scratch, Sorted, Sorter, Spool, Spooled};
use sha2::{Digest, Sha256};

use crate::format::{RESTORABLE_RAW_KEY_LEN_MAX, TS_LEN, VALUE_HEADER_LEN, VALUE_LEN_MAX};
use crate::record_writer::{Output, RecordWriter};
use crate::server_file::ServerFrame;
use crate::stream::len_u64;
use crate::{CommitTs, Error, ErrorKind, RecordSink, Result};

/// Longest body that is sorted together with its key, in bytes; longer ones wait in a scratch file.
const INLINE_LEN_MAX: u64 = 32 << 10;
/// Memory for writing the longer bodies to their scratch file, in bytes.
const LARGE_BUDGET: usize = 64 << 10;
/// Bytes that are gathered before they are hashed and written.
const OUTPUT_LEN: usize = 256 << 10;
// First byte of a sorted record's payload.
/// The body follows.
const INLINE: u8 = 0;
/// Offset and length of the body in the scratch file follow, each as eight bytes, little-endian.
const LARGE: u8 = 1;

/// What surrounds the payload that is written. Source: `docs/format/restore.md`, sections 1 and 8.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrittenForm {
    /// Nothing.
    #[default]
    Payload,
    /// `EKVTHLC1` header with the clock ceiling, and checksum footer.
    File,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Entries.
    pub records: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the payload, without header and footer.
    pub payload_sha256: [u8; 32],
    /// The checksum in the footer, if there is one.
    pub footer_crc32c: Option<u32>,
}

/// Sorts records and writes them as a snapshot in which every record has one commit timestamp.
///
/// Entries are ordered by the whole raw key, timestamp included, which is not the order of the user keys. All value headers are zero:
/// no tombstone, no store expiry. Same records and timestamp: same bytes.
///
/// Cost: memory within the budget and a few buffers; the rest goes to scratch files, each body at most twice.
pub struct Writer {
    commit_ts: CommitTs,
    sorter: Sorter,
    /// Bodies longer than [`INLINE_LEN_MAX`], one behind the other.
    large: Spool,
    raw_key: Vec<u8>,
    payload: Vec<u8>,
}

impl Writer {
    /// A writer for records committed at `commit_ts`, with `memory_budget` bytes for sorting.
    ///
    /// # Errors
    /// `TsTooLate` for a timestamp that no clock can pass: a node given such records exits at its start.
    pub fn new(scratch: &Arc<dyn Scratch>, commit_ts: CommitTs, memory_budget: usize) -> Result<Writer> {
        if CommitTs::last_of_ms(commit_ts.unix_ms().saturating_add(1)).is_none() {
            return Err(Error::new(ErrorKind::TsTooLate { commit_ts: commit_ts.0 }));
        }
        Ok(Writer {
            commit_ts,
            sorter: Sorter::new(Arc::clone(scratch), memory_budget),
            large: Spool::new(Arc::clone(scratch), LARGE_BUDGET),
            raw_key: Vec::new(),
            payload: Vec::new(),
        })
    }

    /// Records taken so far.
    pub fn records(&self) -> u64 {
        self.sorter.len()
    }

    /// Writes the snapshot; `monitor` is told of its bytes.
    ///
    /// # Errors
    /// `DuplicateKey` if a user key came twice, `Write` if `output` fails, failing scratch files, or the error of `monitor`.
    pub fn finish(self, form: WrittenForm, output: &mut dyn Write, monitor: &dyn Monitor) -> Result<Written> {
        let records = self.sorter.len();
        let mut sorted = self.sorter.finish()?;
        let large = self.large.into_reader()?;
        let mut writer = RecordWriter::begin(Hashed::begin(output, form, self.commit_ts)?, self.commit_ts)?;
        write_entries(&mut sorted, &large, &mut writer, monitor)?;
        writer.into_output().finish(records)
    }
}

impl RecordSink for Writer {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> ekv_model::Result<()> {
        let body_len = parts.iter().fold(0_u64, |len, part| len.saturating_add(part.len()));
        check_limits(user_key, body_len)?;
        self.raw_key.clear();
        self.raw_key.extend_from_slice(user_key);
        self.raw_key.extend_from_slice(&self.commit_ts.to_suffix());
        self.payload.clear();
        if body_len <= INLINE_LEN_MAX {
            self.payload.push(INLINE);
            for part in parts {
                part.for_each_chunk(|piece| {
                    self.payload.extend_from_slice(piece);
                    Ok(())
                })?;
            }
        } else {
            self.payload.push(LARGE);
            self.payload.extend_from_slice(&self.large.len().to_le_bytes());
            self.payload.extend_from_slice(&body_len.to_le_bytes());
            for part in parts {
                part.for_each_chunk(|piece| Ok(self.large.write_all(piece).map_err(Error::from)?))?;
            }
        }
        Ok(self.sorter.push(&self.raw_key, &self.payload).map_err(Error::from)?)
    }
}

fn check_limits(user_key: &[u8], body_len: u64) -> Result<()> {
    let raw_key_len = len_u64(user_key).saturating_add(u64::try_from(TS_LEN).unwrap_or(u64::MAX));
    let value_len = body_len.saturating_add(u64::try_from(VALUE_HEADER_LEN).unwrap_or(u64::MAX));
    let kind = if raw_key_len > RESTORABLE_RAW_KEY_LEN_MAX {
        ErrorKind::KeyTooLarge { found: raw_key_len, limit: RESTORABLE_RAW_KEY_LEN_MAX }
    } else if value_len > VALUE_LEN_MAX {
        ErrorKind::ValueTooLarge { found: value_len, limit: VALUE_LEN_MAX }
    } else {
        return Ok(());
    };
    Err(Error::new(kind).with_key(user_key))
}

fn write_entries(
    sorted: &mut Sorted,
    large: &Spooled,
    writer: &mut RecordWriter<Hashed<'_>>,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut previous: Vec<u8> = Vec::new();
    let mut is_first = true;
    let mut told = 0;
    let mut buf = Vec::new();
    while let Some((raw_key, payload)) = sorted.next()? {
        if !is_first && raw_key == previous {
            let user_key = raw_key.get(..raw_key.len().saturating_sub(TS_LEN)).unwrap_or(raw_key);
            return Err(Error::new(ErrorKind::DuplicateKey { user_key: user_key.to_vec() }));
        }
        is_first = false;
        previous.clear();
        previous.extend_from_slice(raw_key);
        match payload.split_first() {
            Some((&INLINE, body)) => {
                writer.head(raw_key, [0; VALUE_HEADER_LEN], len_u64(body))?;
                writer.body(body)?;
            }
            Some((_, place)) => {
                let (offset, len) = split_place(place);
                writer.head(raw_key, [0; VALUE_HEADER_LEN], len)?;
                copy(large, offset, len, &mut buf, writer)?;
            }
            None => {}
        }
        let written = writer.output_len();
        monitor.advance(written.saturating_sub(told))?;
        told = written;
    }
    Ok(())
}

/// Offset and length of a body in the scratch file.
fn split_place(place: &[u8]) -> (u64, u64) {
    let (offset, len) = place.split_first_chunk().unwrap_or((&[0; 8], &[]));
    (u64::from_le_bytes(*offset), len.first_chunk().map_or(0, |len| u64::from_le_bytes(*len)))
}

fn copy(
    large: &Spooled,
    offset: u64,
    len: u64,
    buf: &mut Vec<u8>,
    writer: &mut RecordWriter<Hashed<'_>>,
) -> Result<()> {
    let (mut at, mut left) = (offset, len);
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_LEN);
        buf.resize(want, 0);
        large.read_exact_at(at, buf).map_err(|error| match error.downcast::<ekv_spill::Error>() {
            Ok(error) => Error::from(error),
            Err(error) => Error::io("read a scratch file", std::io::Error::other(error)),
        })?;
        writer.body(buf)?;
        at = at.saturating_add(len_u64(buf));
        left = left.saturating_sub(len_u64(buf));
    }
    Ok(())
}

/// Hashes what it passes on, and puts the frame around it.
struct Hashed<'o> {
    output: &'o mut dyn Write,
    /// Payload that was not passed on yet.
    buffer: Vec<u8>,
    payload_sha256: Sha256,
    frame: Option<ServerFrame>,
    /// Bytes passed on and in the buffer.
    len: u64,
}

impl<'o> Hashed<'o> {
    fn begin(output: &'o mut dyn Write, form: WrittenForm, commit_ts: CommitTs) -> Result<Self> {
        let mut hashed = Hashed {
            output,
            buffer: Vec::with_capacity(OUTPUT_LEN),
            payload_sha256: Sha256::new(),
            frame: None,
            len: 0,
        };
        if form == WrittenForm::File {
            let (frame, header) = ServerFrame::begin(commit_ts);
            hashed.pass_on(&header)?;
            hashed.frame = Some(frame);
            hashed.len = len_u64(&header);
        }
        Ok(hashed)
    }

    fn flush(&mut self) -> Result<()> {
        let mut payload = std::mem::take(&mut self.buffer);
        self.payload_sha256.update(&payload);
        if let Some(frame) = &mut self.frame {
            frame.update(&payload);
        }
        self.pass_on(&payload)?;
        payload.clear();
        self.buffer = payload;
        Ok(())
    }

    fn pass_on(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.write_all(bytes).map_err(|source| Error::new(ErrorKind::Write { source }))
    }

    fn finish(mut self, records: u64) -> Result<Written> {
        self.flush()?;
        if let Some(frame) = &self.frame {
            let footer = frame.footer();
            self.pass_on(&footer)?;
            self.len = self.len.saturating_add(len_u64(&footer));
        }
        self.output.flush().map_err(|source| Error::new(ErrorKind::Write { source }))?;
        let payload_sha256 = self.payload_sha256.finalize().into();
        let footer_crc32c = self.frame.map(|frame| frame.crc32c());
        Ok(Written { records, bytes: self.len, payload_sha256, footer_crc32c })
    }
}

impl Output for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len().saturating_add(bytes.len()) > OUTPUT_LEN {
            self.flush()?;
        }
        self.len = self.len.saturating_add(len_u64(bytes));
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}

impl RecordWriter<Hashed<'_>> {
    fn output_len(&self) -> u64 {
        self.output().len
    }
}

#[cfg(test)]
mod tests;
