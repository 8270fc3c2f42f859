//! A file of records that has been checked and indexed, and a cursor over it.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use ekv_model::FileOffset;
use ekv_spill::SparseIndex;

use crate::entry::lengths;
use crate::input::Stamp;
use crate::record::StoredValue;
use crate::shared_key::SharedKey;
use crate::{Error, ErrorKind, Input, Result};

/// Bytes of a value that are always in memory with its record.
const VALUE_HEAD_LEN: u64 = 128;

/// Records in raw-key order, checked by pass 1, readable from any key.
///
/// Cheap to clone: the index is shared.
#[derive(Clone)]
pub struct RecordFile {
    input: Input,
    start: u64,
    end: u64,
    index: Arc<SparseIndex>,
    /// The user keys, if the records hold [`SharedKey`]s in the place of their raw keys.
    keys: Option<Input>,
    is_overlay: bool,
    /// Which of the files that are read together it is, or adds to.
    number: u16,
    /// Of the input, before pass 1.
    stamp: Option<Stamp>,
}

impl RecordFile {
    pub(crate) fn new(input: Input, start: u64, end: u64, index: SparseIndex) -> Self {
        RecordFile { input, start, end, index: Arc::new(index), keys: None, is_overlay: false, number: 0, stamp: None }
    }

    /// The same file, whose records hold [`SharedKey`]s of these keys.
    #[must_use]
    pub(crate) fn with_shared_keys(self, keys: Input) -> Self {
        RecordFile { keys: Some(keys), ..self }
    }

    /// The same file with an index.
    #[must_use]
    pub(crate) fn with_index(self, index: SparseIndex) -> Self {
        RecordFile { index: Arc::new(index), ..self }
    }

    /// The same file, whose input had this stamp before it was checked.
    #[must_use]
    pub(crate) fn stamped(self, stamp: Option<Stamp>) -> Self {
        RecordFile { stamp, ..self }
    }

    /// Compares the input with what it was before pass 1, once nothing more is read from it: pass 1 has proven the checksum, and
    /// later reads are positioned and alone.
    ///
    /// # Errors
    /// `Changed` if the file was written to since; `Io`.
    pub fn check_unchanged(&self) -> Result<()> {
        match self.stamp {
            Some(before) if take_stamp(&self.input)? != Some(before) => {
                Err(Error::new(ErrorKind::Changed).in_file(&self.input.name))
            }
            _ => Ok(()),
        }
    }

    /// The same file as an addition to a snapshot.
    #[must_use]
    pub(crate) fn into_overlay(self) -> Self {
        RecordFile { is_overlay: true, ..self }
    }

    /// The same file as one of several that are read together, by its number.
    #[must_use]
    pub fn numbered(self, number: u16) -> Self {
        RecordFile { number, ..self }
    }

    /// The same records, read by way of another input.
    #[must_use]
    pub(crate) fn with_input(self, input: Input) -> Self {
        RecordFile { input, ..self }
    }

    /// Whether the records were added to those of a snapshot ([`crate::txn`]).
    pub fn is_overlay(&self) -> bool {
        self.is_overlay
    }

    /// Total bytes of all entries.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Where its records lie in the input, as byte offsets, and where they are found.
    pub(crate) fn parts(&self) -> (Range<u64>, &SparseIndex) {
        (self.start..self.end, &self.index)
    }

    /// The input that holds the records.
    pub fn input(&self) -> &Input {
        &self.input
    }
}

/// The stamp of an input.
///
/// # Errors
/// `Io`.
pub(crate) fn take_stamp(input: &Input) -> Result<Option<Stamp>> {
    input.source.stamp().map_err(|e| Error::io("examine the file", e).in_file(&input.name))
}

impl RecordFile {
    /// Where to begin to read for the first record at or above the raw key `target`: a record at or below it, or the first one.
    ///
    /// # Errors
    /// A failing read, of the input or of scratch space.
    fn start_for(&self, target: &[u8]) -> Result<u64> {
        let start = self.index.start_for(target, |byte_offset| self.compare_raw_key(byte_offset, target))?;
        Ok(start.unwrap_or(self.start))
    }

    /// How the raw key of the record at a byte offset compares with `target`. Reads no more of it than tells them apart.
    fn compare_raw_key(&self, byte_offset: u64, target: &[u8]) -> Result<Ordering> {
        let key_at = byte_offset.saturating_add(widen(KEY_LEN_LEN));
        let Some(keys) = &self.keys else {
            let mut key_len = [0; KEY_LEN_LEN];
            fill(&self.input, byte_offset, &mut key_len)?;
            return compare(&self.input, key_at, u64::from_le_bytes(key_len), target);
        };
        let mut stored = [0; SharedKey::ENCODED_LEN];
        fill(&self.input, key_at, &mut stored)?;
        let key = SharedKey::decode(&stored).ok_or_else(|| changed(&self.input, key_at))?;
        let user_key_len = usize::try_from(key.len).unwrap_or(usize::MAX).min(target.len());
        let (of_user_key, rest) = target.split_at_checked(user_key_len).unwrap_or_default();
        Ok(compare(keys, key.start, key.len, of_user_key)?.then_with(|| key.suffix.as_slice().cmp(rest)))
    }
}

/// How the `len` bytes of `input` at an offset compare with `target`.
fn compare(input: &Input, offset: u64, len: u64, target: &[u8]) -> Result<Ordering> {
    let mut buffer = Vec::new();
    let mut at = offset;
    let mut left = usize::try_from(len).unwrap_or(usize::MAX).min(target.len());
    let mut rest = target;
    while left > 0 {
        // Most keys differ soon.
        let piece_len = if at == offset { COMPARED_LEN } else { LONG_COMPARED_LEN };
        buffer.resize(left.min(piece_len), 0);
        fill(input, at, &mut buffer)?;
        let (known, behind) = rest.split_at_checked(buffer.len()).unwrap_or_default();
        match buffer.as_slice().cmp(known) {
            Ordering::Equal => {}
            different => return Ok(different),
        }
        at = at.saturating_add(widen(buffer.len()));
        left = left.saturating_sub(buffer.len());
        rest = behind;
    }
    Ok(len.cmp(&widen(target.len())))
}

/// Fills `buf` from a byte offset; pass 1 has seen that much.
fn fill(input: &Input, byte_offset: u64, buf: &mut [u8]) -> Result<()> {
    match input.fill_at(byte_offset, buf)? {
        got if got == buf.len() => Ok(()),
        _ => Err(changed(input, byte_offset)),
    }
}

/// The error for a file that is not what pass 1 saw.
fn changed(input: &Input, byte_offset: u64) -> Error {
    Error::new(ErrorKind::Changed).at(byte_offset).in_file(&input.name)
}

/// Walks over records; stands on one or at the end. Positioned reads into one reused buffer.
///
/// Cost: a buffer of the length given at creation, more only while it stands on a longer key (at most 16 MiB).
pub(crate) struct Cursor {
    file: RecordFile,
    window: Vec<u8>,
    window_len: usize,
    /// Offset in the input of `window[0]`.
    window_start: u64,
    /// Offset of the current record, or of the next one if `current` is empty.
    at: u64,
    current: Option<Current>,
    shared: Shared,
    /// Where [`Cursor::seek`] went last.
    target: Vec<u8>,
    /// Whether the cursor still stands where that led: on the first record at or above `target`, or at the end.
    is_at_target: bool,
}

/// Lengths of the record at `Cursor::at`; its key and value head lie in the window.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// Index in the window of the entry's first byte.
    base: usize,
    key_len: usize,
    value_len: u64,
    head_len: usize,
}

/// The raw key of the current record, where records share their keys.
#[derive(Default)]
struct Shared {
    raw_key: Vec<u8>,
    /// Where the record begins that follows the one of `raw_key`.
    next_at: u64,
    /// How many of its first bytes `raw_key` has in common with the record before, if that was the one before in the walk.
    kept_len: usize,
}

/// Bytes of the length of a raw key.
const KEY_LEN_LEN: usize = 8;
/// Bytes that are read at first, and at once after that, to compare a key of the file.
const COMPARED_LEN: usize = 1 << 10;
const LONG_COMPARED_LEN: usize = 64 << 10;

/// Bytes of the two length fields.
const LENGTHS_LEN: u64 = 16;

/// Records that a seek walks over before it asks the index, which costs about as much.
pub(crate) const NEAR_RECORDS: usize = 8;

impl Cursor {
    /// A cursor that stands before the first record; call [`Cursor::advance`] or [`Cursor::seek`].
    pub(crate) fn new(file: &RecordFile, window_len: usize) -> Self {
        Cursor {
            at: file.start,
            file: file.clone(),
            window: Vec::new(),
            window_len,
            window_start: 0,
            current: None,
            shared: Shared::default(),
            target: Vec::new(),
            is_at_target: false,
        }
    }

    /// The file over which it walks.
    pub(crate) fn file(&self) -> &RecordFile {
        &self.file
    }

    /// Whether the cursor stands on a record.
    pub(crate) fn is_on_record(&self) -> bool {
        self.current.is_some()
    }

    /// Raw key of the current record; empty at the end.
    pub(crate) fn raw_key(&self) -> &[u8] {
        match self.current {
            Some(_) if self.file.keys.is_some() => &self.shared.raw_key,
            _ => self.stored_key(),
        }
    }

    /// What the current record has in the place of the raw key.
    fn stored_key(&self) -> &[u8] {
        let Some(current) = self.current else { return &[] };
        let start = current.base.saturating_add(8);
        self.window.get(start..start.saturating_add(current.key_len)).unwrap_or(&[])
    }

    /// So many bytes of the raw key are known to be those of the record before, from which [`Cursor::advance`] led here.
    pub(crate) fn kept_len(&self) -> usize {
        self.shared.kept_len
    }

    /// Byte offset of the current record in the snapshot.
    pub(crate) fn byte_offset(&self) -> u64 {
        self.at
    }

    /// Where the current record lies, as users know the file.
    pub(crate) fn file_offset(&self) -> FileOffset {
        let RecordFile { is_overlay, number, .. } = self.file;
        FileOffset { file: number, byte_offset: (!is_overlay).then_some(self.at) }
    }

    /// The stored value, value header included.
    pub(crate) fn value(&self) -> StoredValue<'_> {
        let Some(current) = self.current else { return StoredValue::new(&self.file.input, self.at, 0, &[]) };
        let start = current.base.saturating_add(16).saturating_add(current.key_len);
        let head = self.window.get(start..start.saturating_add(current.head_len)).unwrap_or(&[]);
        let offset = self.at.saturating_add(LENGTHS_LEN).saturating_add(widen(current.key_len));
        StoredValue::new(&self.file.input, offset, current.value_len, head)
    }

    /// Moves to the record at a byte offset at which this cursor stood before.
    pub(crate) fn go_to(&mut self, byte_offset: u64) -> Result<bool> {
        if self.at == byte_offset && self.current.is_some() {
            return Ok(true);
        }
        self.current = None;
        self.is_at_target = false;
        self.at = byte_offset;
        self.load()
    }

    /// Moves to the next record; `false` at the end.
    ///
    /// # Errors
    /// A failing read, or `Truncated` if the file is no longer what pass 1 saw.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        self.is_at_target = false;
        if let Some(current) = self.current.take() {
            let len = LENGTHS_LEN.saturating_add(widen(current.key_len)).saturating_add(current.value_len);
            self.at = self.at.saturating_add(len);
        }
        self.load()
    }

    /// Moves to the first record whose raw key is at or above `target`; `false` if there is none.
    ///
    /// Goes on from where it stands if that is nearer than what the index offers, so that ascending targets cost one read of
    /// the range altogether, also where nothing is at them.
    ///
    /// # Errors
    /// As [`Cursor::advance`].
    pub(crate) fn seek(&mut self, target: &[u8]) -> Result<bool> {
        let is_ahead = self.is_at_target
            && self.target.as_slice() <= target
            && (self.current.is_none() || self.raw_key() >= target);
        if !is_ahead && !self.walk_near(target)? {
            let indexed = self.file.start_for(target)?;
            let stays = self.current.is_some() && self.raw_key() <= target && indexed <= self.at;
            self.is_at_target = false;
            if !stays {
                self.current = None;
                self.at = indexed;
                self.load()?;
            }
            while self.current.is_some() && self.raw_key() < target {
                self.advance()?;
            }
        }
        self.target.clear();
        self.target.extend_from_slice(target);
        self.is_at_target = true;
        Ok(self.current.is_some())
    }

    /// Whether it is known, without moving, that no record begins with `user_key`: it would lie between where [`Cursor::seek`] went last and
    /// the record to which that led.
    pub(crate) fn has_passed_over(&self, user_key: &[u8]) -> bool {
        let lies_before = |raw_key: &[u8]| user_key < raw_key.get(..user_key.len()).unwrap_or(raw_key);
        self.is_at_target
            && self.target.as_slice() <= user_key
            && (self.current.is_none() || lies_before(self.raw_key()))
    }

    /// Walks on over a few records; `true` if that led to `target`.
    fn walk_near(&mut self, target: &[u8]) -> Result<bool> {
        if self.current.is_none() || self.raw_key() > target {
            return Ok(false);
        }
        let mut walked = 0;
        while self.current.is_some() && self.raw_key() < target {
            if walked == NEAR_RECORDS {
                return Ok(false);
            }
            self.advance()?;
            walked += 1;
        }
        Ok(true)
    }

    /// Reads the entry at `self.at`.
    fn load(&mut self) -> Result<bool> {
        self.current = match self.whole_entry() {
            Some(current) => Some(current),
            None => self.read_entry()?,
        };
        if self.file.keys.is_some() {
            self.read_shared_key()?;
        }
        Ok(self.current.is_some())
    }

    /// Makes the raw key of the current record.
    fn read_shared_key(&mut self) -> Result<()> {
        let (Some(keys), Some(current)) = (&self.file.keys, self.current) else { return Ok(()) };
        let key = SharedKey::decode(self.stored_key()).ok_or_else(|| changed(&self.file.input, self.at))?;
        let Shared { raw_key, next_at, kept_len } = &mut self.shared;
        *kept_len = if *next_at == self.at { usize::try_from(key.kept_len).unwrap_or(usize::MAX) } else { 0 };
        raw_key.truncate(*kept_len);
        *kept_len = raw_key.len();
        // Until then nothing is known of what the key is.
        *next_at = 0;
        let user_key_len = usize::try_from(key.len).unwrap_or(usize::MAX);
        raw_key.resize(user_key_len, 0);
        let read_at = key.start.saturating_add(widen(*kept_len));
        if let Some(room) = raw_key.get_mut(*kept_len..).filter(|room| !room.is_empty()) {
            fill(keys, read_at, room)?;
        }
        raw_key.extend_from_slice(&key.suffix);
        *next_at = self
            .at
            .saturating_add(LENGTHS_LEN)
            .saturating_add(widen(current.key_len))
            .saturating_add(current.value_len);
        Ok(())
    }

    /// The entry at `self.at`, if all of it is in the window already.
    fn whole_entry(&self) -> Option<Current> {
        let base = usize::try_from(self.at.checked_sub(self.window_start)?).ok()?;
        let bytes = self.window.get(base..)?;
        let (key_len, value_len) = lengths(bytes)?;
        let head_len = usize::try_from(value_len).ok()?;
        let entry_len = key_len.checked_add(16)?.checked_add(head_len)?;
        let is_whole = entry_len <= bytes.len().min(self.window_len);
        is_whole.then_some(Current { base, key_len, value_len, head_len })
    }

    /// Reads the entry at `self.at` into the window, without the value if that is long; `None` at the end.
    fn read_entry(&mut self) -> Result<Option<Current>> {
        let left = self.file.end.saturating_sub(self.at);
        if left == 0 {
            return Ok(None);
        }
        let base = self.ensure(8)?;
        let key_len = self.u64_at(base);
        let base = self.ensure(key_len.saturating_add(LENGTHS_LEN))?;
        let key_len_usize = usize::try_from(key_len).unwrap_or(usize::MAX);
        let value_len = self.u64_at(base.saturating_add(8).saturating_add(key_len_usize));
        let entry_len = LENGTHS_LEN.saturating_add(key_len).saturating_add(value_len);
        let head_len = if entry_len <= widen(self.window_len) { value_len } else { value_len.min(VALUE_HEAD_LEN) };
        let base = self.ensure(LENGTHS_LEN.saturating_add(key_len).saturating_add(head_len))?;
        let head_len = usize::try_from(head_len).unwrap_or(usize::MAX);
        Ok(Some(Current { base, key_len: key_len_usize, value_len, head_len }))
    }

    /// Makes `len` bytes from `self.at` available and returns their index in the window.
    fn ensure(&mut self, len: u64) -> Result<usize> {
        let left = self.file.end.saturating_sub(self.at);
        let changed = |needed, available| {
            Error::new(ErrorKind::Truncated { what: "entry", needed, available })
                .at(self.at)
                .in_file(&self.file.input.name)
        };
        if len > left {
            return Err(changed(len, left));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let base = self.at.checked_sub(self.window_start).and_then(|b| usize::try_from(b).ok());
        if let Some(base) = base.filter(|base| base.saturating_add(len) <= self.window.len()) {
            return Ok(base);
        }
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.window_len.max(len));
        // What is already there stays; the rest is read behind it.
        let kept = match base {
            Some(base) if base < self.window.len() => {
                self.window.copy_within(base.., 0);
                self.window.len().saturating_sub(base)
            }
            _ => 0,
        };
        self.window.resize(want.max(kept), 0);
        if self.window.capacity() > self.window_len.saturating_mul(2) && self.window.len() <= self.window_len {
            self.window.shrink_to(self.window_len);
        }
        self.window_start = self.at;
        let room = self.window.get_mut(kept..).unwrap_or(&mut []);
        let read_at = self.at.saturating_add(widen(kept));
        let filled = self.file.input.fill_at(read_at, room);
        if filled.is_err() {
            // What the window holds now was not read.
            self.window.clear();
        }
        let got = filled?;
        self.window.truncate(kept.saturating_add(got));
        if kept.saturating_add(got) < len {
            return Err(changed(widen(len), widen(kept.saturating_add(got))));
        }
        Ok(0)
    }

    fn u64_at(&self, index: usize) -> u64 {
        self.window.get(index..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_le_bytes(*b))
    }
}

fn widen(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
