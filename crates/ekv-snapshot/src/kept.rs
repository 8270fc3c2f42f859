//! What pass 1 learned of a snapshot, kept for later runs: they read what they show, and no more. Source: `docs/format/index.md`.
//!
//! [`scan_to_keep`] is [`scan`](crate::scan()) and gathers what [`Keepable::write`] writes; [`read`] gives, in the place of a scan, the same
//! [`Scan`] and a [`RecordFile`] that checks every block before it gives a byte of it.

mod blocks;

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use ekv_model::{Findings, Monitor};
use ekv_spill::{Scratch, SparseIndex, Spooled};

use crate::envelope::{Envelope, Form, Header};
use crate::file::take_stamp;
use crate::format::FOOTER_LEN;
use crate::{
    Classify, CommitTs, FamilyTotals, FileIdentity, FileTotals, Input, RecordFile, Result, Scan, ScanOptions,
    Watermarks, scan,
};
use blocks::{Checked, SUM_LEN, Summing, blocks_in, new_sums};

/// What every index begins with; the last byte is the version.
const MAGIC: &[u8; 8] = b"EKVSIDX1";
/// Most key families.
const FAMILIES_MAX: u64 = 1 << 10;
/// Most words that the classifier counted, and their greatest length in bytes.
const WORDS_MAX: u64 = 1 << 10;
const WORD_LEN_MAX: u64 = 1 << 10;
/// Bytes that are read at a time.
const BUFFER_LEN: usize = 64 << 10;

/// What a classifier counted besides families, such as the first words of keys in none.
pub type Words = Vec<(Vec<u8>, u64)>;

/// Why a kept index is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Another version of the program wrote it, or another program.
    #[error("another version of this program wrote it")]
    Version,
    /// It is of another file, or of this one before it was changed, moved or copied.
    #[error("the snapshot is not the file of which it was made, or was touched since")]
    OtherFile,
    /// It is not what was written.
    #[error("it is damaged")]
    Damaged,
}

/// Why there is no index of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It is not a regular file with a name on a system that tells when files change.
    NoIdentity,
    /// It is of a form that is rewritten before it is read, or carries no checksum.
    Form,
    /// Something about it is odd: that is to be found, and told, anew by every run.
    Findings,
    /// It was written to meanwhile, or scratch space has failed.
    Changed,
}

/// What is needed to write the index of a snapshot, besides what a scan gives.
pub struct Keepable {
    identity: FileIdentity,
    sums: Spooled,
}

/// As [`scan`](crate::scan()), of a snapshot of which an index may be kept. `options.read_ts` is not to be set: what is kept is counted at the
/// newest state.
///
/// Cost: as a scan, and another checksum of every byte; 4 bytes of scratch space for every 16 KiB of more than 2 GiB.
///
/// # Errors
/// Those of the scan. That no index can be kept is none.
pub fn scan_to_keep(
    input: &Input,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile, std::result::Result<Keepable, NotKept>)> {
    let identity = input.source.identity().ok().flatten().filter(|identity| identity.len == input.len);
    // What is decrypted lies in scratch space, and is not to stay.
    let identity = if options.keys.is_some() { Err(NotKept::Form) } else { identity.ok_or(NotKept::NoIdentity) };
    let identity = match identity {
        Ok(identity) => identity,
        Err(reason) => {
            let (scan, file) = scan(input, options, classify, scratch, monitor)?;
            return Ok((scan, file, Err(reason)));
        }
    };
    let summing = Arc::new(Summing::new(Arc::clone(&input.source), input.len, scratch));
    let watched = Input { source: summing.clone(), ..input.clone() };
    let (scan, file) = scan(&watched, options, classify, scratch, monitor)?;
    let is_kept_form = scan.envelope.form == Form::Store && scan.envelope.footer_crc32c.is_some();
    let keepable = match summing.take() {
        _ if !is_kept_form => Err(NotKept::Form),
        _ if scan.findings.iter().next().is_some() => Err(NotKept::Findings),
        Some(sums) if input.source.identity().is_ok_and(|now| now == Some(identity)) => Ok(Keepable { identity, sums }),
        _ => Err(NotKept::Changed),
    };
    // Of another form something else may be read from now on.
    let file = if scan.envelope.form == Form::Store { file.with_input(input.clone()) } else { file };
    Ok((scan, file, keepable))
}

impl Keepable {
    /// Writes the index of the snapshot whose scan gave `scan` and `file`, and `words` on the way. `maker` tells programs apart that
    /// classify and count alike from others.
    ///
    /// # Errors
    /// Those of `out`, and of scratch files.
    pub fn write(
        &self,
        scan: &Scan,
        file: &RecordFile,
        words: &[(Vec<u8>, u64)],
        maker: &[u8],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let out = &mut Summed { inner: out, crc32c: 0 };
        let (records, index) = file.parts();
        let footer = scan.envelope.footer_crc32c.ok_or(io::ErrorKind::InvalidInput)?;
        out.write_all(MAGIC)?;
        put_bytes(out, maker)?;
        for number in identity_numbers(self.identity) {
            put(out, number)?;
        }
        put(out, u64::from(footer))?;
        put(out, records.start)?;
        put(out, records.end)?;
        put(out, len(scan.families.len()))?;
        each_number(&mut scan.clone(), &mut |number| put(out, *number))?;
        put(out, len(words.len()))?;
        for (word, count) in words {
            put_bytes(out, word)?;
            put(out, *count)?;
        }
        index.write(out)?;
        io::copy(&mut BufReader::with_capacity(BUFFER_LEN, self.sums.reader()), out)?;
        let crc32c = out.crc32c;
        out.write_all(&crc32c.to_le_bytes())?;
        out.flush()
    }
}

/// Reads the index of `input` from `kept`, if it is one: what a scan of the same bytes would give, which is read then by way of checksums.
///
/// Cost: memory bounded by a constant; scratch space for marks and checksums of more than 1 GiB of snapshot.
///
/// # Errors
/// Why it cannot be used; the snapshot is to be scanned then.
pub fn read(
    kept: impl Read,
    input: &Input,
    maker: &[u8],
    scratch: &Arc<dyn Scratch>,
) -> std::result::Result<(Scan, RecordFile, Words), Unusable> {
    let stamp = take_stamp(input).map_err(io::Error::other)?;
    let identity = input.source.identity()?.filter(|identity| identity.len == input.len);
    let identity = identity.ok_or(Unusable::OtherFile)?;
    let mut kept = Summed { inner: BufReader::with_capacity(BUFFER_LEN, kept), crc32c: 0 };
    let mut magic = [0; 8];
    kept.read_exact(&mut magic).map_err(damaged)?;
    if magic != *MAGIC {
        return Err(if magic.starts_with(MAGIC.get(..7).unwrap_or(MAGIC)) {
            Unusable::Version
        } else {
            Unusable::Damaged
        });
    }
    if take_bytes(&mut kept, len(maker.len())).map_err(|_| Unusable::Version)? != maker {
        return Err(Unusable::Version);
    }
    for number in identity_numbers(identity) {
        if take(&mut kept).map_err(damaged)? != number {
            return Err(Unusable::OtherFile);
        }
    }
    let parts = Parts::read(&mut kept, input, scratch).map_err(damaged)?;
    let computed = kept.crc32c;
    let mut stored = [0; 4];
    kept.read_exact(&mut stored).map_err(damaged)?;
    let is_end = kept.read(&mut [0]).map_err(damaged)? == 0;
    if u32::from_le_bytes(stored) != computed || !is_end {
        return Err(Unusable::Damaged);
    }
    let Parts { mut scan, footer, records, words, index, sums } = parts;
    let source = Arc::new(Checked::new(Arc::clone(&input.source), input.len, sums));
    let input = Input { source, ..input.clone() };
    let other = |_| Unusable::OtherFile;
    let header = Header::read(&input).map_err(other)?;
    let form = Form::read(&input, header.len()).map_err(other)?;
    let mut last = [0; 4];
    input.fill_at(input.len.saturating_sub(FOOTER_LEN), &mut last).map_err(other)?;
    let is_token = input.token_crc32c.is_none_or(|token| token == footer);
    if form != Form::Store || u32::from_be_bytes(last) != footer || !is_token {
        return Err(Unusable::OtherFile);
    }
    scan.envelope = Envelope { header, form, footer_crc32c: Some(footer) };
    let file = RecordFile::new(input, records.start, records.end, index).stamped(stamp);
    Ok((scan, file, words))
}

/// What an index says of a snapshot.
struct Parts {
    scan: Scan,
    footer: u32,
    records: std::ops::Range<u64>,
    words: Words,
    index: SparseIndex,
    sums: Spooled,
}

impl Parts {
    fn read(kept: &mut dyn Read, input: &Input, scratch: &Arc<dyn Scratch>) -> io::Result<Parts> {
        let footer = u32::try_from(take(kept)?).map_err(|_| invalid())?;
        let records = take(kept)?..take(kept)?;
        if records.start > records.end || records.end > input.len.saturating_sub(FOOTER_LEN) {
            return Err(invalid());
        }
        let families = at_most(take(kept)?, FAMILIES_MAX)?;
        let mut scan = Scan {
            envelope: Envelope { header: Header::Bare, form: Form::Store, footer_crc32c: None },
            last_commit_ts: CommitTs::default(),
            effective_last_commit_ts: CommitTs::default(),
            watermarks: Watermarks::default(),
            totals: FileTotals::default(),
            families: vec![FamilyTotals::default(); families],
            findings: Findings::default(),
            counted_at: CommitTs::default(),
            opened: Default::default(),
        };
        each_number(&mut scan, &mut |number| {
            *number = take(kept)?;
            Ok(())
        })?;
        let mut words = Vec::new();
        for _ in 0..at_most(take(kept)?, WORDS_MAX)? {
            words.push((take_bytes(kept, WORD_LEN_MAX)?, take(kept)?));
        }
        let index = SparseIndex::read(kept, records.clone(), scratch)?;
        let mut sums = new_sums(scratch);
        let mut left = blocks_in(input.len).saturating_mul(SUM_LEN);
        let mut buffer = vec![0; BUFFER_LEN];
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER_LEN);
            let piece = buffer.get_mut(..step).unwrap_or_default();
            kept.read_exact(piece)?;
            sums.write_all(piece).map_err(io::Error::other)?;
            left = left.saturating_sub(len(step));
        }
        let sums = sums.into_reader().map_err(io::Error::other)?;
        Ok(Parts { scan, footer, records, words, index, sums })
    }
}

/// Calls `field` with every number of a scan, in the order of `docs/format/index.md`, section 3.
fn each_number(scan: &mut Scan, field: &mut dyn FnMut(&mut u64) -> io::Result<()>) -> io::Result<()> {
    let Scan {
        envelope: _,
        last_commit_ts,
        effective_last_commit_ts,
        watermarks,
        totals,
        families,
        findings: _,
        counted_at,
        // With keys there is no index.
        opened: _,
    } = scan;
    for ts in [last_commit_ts, effective_last_commit_ts, counted_at] {
        field(&mut ts.0)?;
    }
    let Watermarks { applied_index, last_commit_ts, min_retained_ts, pending_min_retained_ts } = watermarks;
    for mark in [applied_index, last_commit_ts, min_retained_ts, pending_min_retained_ts] {
        optional(mark, field)?;
    }
    let FileTotals { entries, unversioned_rows, short_keys, user_key_descents, nesting_depth, store_expiries } = totals;
    for total in [entries, unversioned_rows, short_keys, user_key_descents, nesting_depth, store_expiries] {
        field(total)?;
    }
    for family in families {
        for total in family.numbers() {
            field(total)?;
        }
        let mut first = family.first_commit_ts.map(|ts| ts.0);
        optional(&mut first, field)?;
        family.first_commit_ts = first.map(CommitTs);
    }
    Ok(())
}

/// A number that may be absent: whether it is there, and itself.
fn optional(number: &mut Option<u64>, field: &mut dyn FnMut(&mut u64) -> io::Result<()>) -> io::Result<()> {
    let (mut is_there, mut value) = (u64::from(number.is_some()), number.unwrap_or(0));
    field(&mut is_there)?;
    field(&mut value)?;
    *number = (is_there == 1).then_some(value);
    Ok(())
}

fn identity_numbers(identity: FileIdentity) -> [u64; 7] {
    let FileIdentity { device, inode, len, modified: [modified_s, modified_ns], changed: [changed_s, changed_ns] } =
        identity;
    let times = [modified_s, modified_ns, changed_s, changed_ns].map(i64::cast_unsigned);
    let [modified_s, modified_ns, changed_s, changed_ns] = times;
    [device, inode, len, modified_s, modified_ns, changed_s, changed_ns]
}

/// Hashes what passes.
struct Summed<T> {
    inner: T,
    crc32c: u32,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buf)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, buf.get(..got).unwrap_or(&[]));
        Ok(got)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let put = self.inner.write(buf)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, buf.get(..put).unwrap_or(&[]));
        Ok(put)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn put(out: &mut dyn Write, number: u64) -> io::Result<()> {
    out.write_all(&number.to_le_bytes())
}

fn put_bytes(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    put(out, len(bytes.len()))?;
    out.write_all(bytes)
}

fn take(input: &mut dyn Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn take_bytes(input: &mut dyn Read, len_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; at_most(take(input)?, len_max)?];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn at_most(number: u64, max: u64) -> io::Result<usize> {
    usize::try_from(number).ok().filter(|_| number <= max).ok_or_else(invalid)
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// A file that ends too early is damaged, not unreadable.
fn damaged(error: io::Error) -> Unusable {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Unusable::Damaged,
        _ => Unusable::Io(error),
    }
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
