//! Pass 1: one read of the whole file. Checks structure, order and checksum; counts; builds the sparse index.
//!
//! Source: `docs/format/snapshot.md`, sections 3, 4, 6 and 8. Nothing may be published from a file before this pass has succeeded.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::{Findings, LossLog, Monitor};
use ekv_spill::{Scratch, SparseIndex, SparseIndexBuilder};
use ekv_text::ordered::common_prefix_len;

use crate::encryption;
use crate::entry::{self, Entry, check_order, need, too_many_entries};
use crate::envelope::{Envelope, Form, Header};
use crate::file::{Cursor, take_stamp};
use crate::findings;
use crate::footer::{blame, check_footer};
use crate::format::{FOOTER_LEN, NEWEST_ALWAYS_PREFIX, PAYLOAD_HEADER_LEN, RAW_KEY_LEN_MAX, VALUE_HEADER_LEN};
use crate::mvcc2::Transcoded;
use crate::record::{UnversionedRow, ValueHeader, split_raw_key};
use crate::resolver::{Resolver, Standing};
use crate::sequential::Sequential;
use crate::{CommitTs, DataKeys, Error, ErrorKind, FooterPolicy, Input, RecordFile, Result};

/// Buffer of the cursor over the records of an `EKVMVCC2` payload, in bytes.
const MEMORY_WINDOW_LEN: usize = 128 << 10;

/// Sorts user keys into numbered key families; this crate knows no adapter and only counts by number.
pub trait Classify {
    /// The family of a user key, as a small number.
    fn family(&mut self, user_key: &[u8]) -> usize;

    /// Forgets what was learned: the file is read once more from its start.
    fn reset(&mut self) {}
}

/// Puts every user key into family 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneFamily;

impl Classify for OneFamily {
    fn family(&mut self, _user_key: &[u8]) -> usize {
        0
    }
}

/// What pass 1 should do beyond its checks.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Timestamp at which versions are counted as visible; `None` counts the newest state.
    pub read_ts: Option<CommitTs>,
    /// Longest raw key accepted, in bytes.
    pub raw_key_len_max: u64,
    /// Most entries accepted, of all versions and kinds.
    pub entries_max: u64,
    /// Where every loss is noted.
    pub losses: Option<Arc<dyn LossLog>>,
    /// The keys of encrypted values.
    pub keys: Option<Arc<DataKeys>>,
    /// Whether clear values are looked at that open as encrypted ones, which cost an attempt each.
    pub looks_for_rebadged: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions {
            read_ts: None,
            raw_key_len_max: RAW_KEY_LEN_MAX,
            entries_max: u64::MAX,
            losses: None,
            keys: None,
            looks_for_rebadged: false,
        }
    }
}

/// What every versioned record of a family is at the read timestamp; each record counts once.
///
/// `records` + `staged` = `visible` + `deleted` + `store_expired` + `damaged` + `older` + `newer` + `covered` + `unowned`. Pass 1
/// knows single files alone and leaves `staged`, `covered` and `unowned` 0, see [`FamilyTotals::recount`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyTotals {
    /// Records of all kinds.
    pub records: u64,
    /// Visible records that an overlay added ([`crate::txn`]).
    pub staged: u64,
    /// Visible in their own file, but covered by an overlay or given by another group.
    pub covered: u64,
    /// Visible in their own file, whose group does not own them.
    pub unowned: u64,
    /// Distinct user keys.
    pub user_keys: u64,
    /// Newest put at or before the read timestamp: what a reader sees.
    pub visible: u64,
    /// Newest version at or before the read timestamp, but a tombstone.
    pub deleted: u64,
    /// Newest version at or before the read timestamp, but past its store expiry.
    pub store_expired: u64,
    /// Newest version at or before the read timestamp, but with a value header that does not parse: lost.
    pub damaged: u64,
    /// Hidden by a newer version.
    pub older: u64,
    /// Committed after the read timestamp.
    pub newer: u64,
    /// Tombstones among all records.
    pub tombstones: u64,
    /// Bytes of all raw keys.
    pub raw_key_bytes: u64,
    /// Bytes of all values, value headers included.
    pub value_bytes: u64,
    /// Bytes of the visible bodies.
    pub visible_body_bytes: u64,
    /// Smallest commit timestamp of a record.
    pub first_commit_ts: Option<CommitTs>,
}

impl FamilyTotals {
    /// All numbers but the timestamp, in the order of their declarations.
    pub(crate) fn numbers(&mut self) -> [&mut u64; 15] {
        let FamilyTotals {
            records,
            staged,
            covered,
            unowned,
            user_keys,
            visible,
            deleted,
            store_expired,
            damaged,
            older,
            newer,
            tombstones,
            raw_key_bytes,
            value_bytes,
            visible_body_bytes,
            first_commit_ts: _,
        } = self;
        [
            records,
            staged,
            covered,
            unowned,
            user_keys,
            visible,
            deleted,
            store_expired,
            damaged,
            older,
            newer,
            tombstones,
            raw_key_bytes,
            value_bytes,
            visible_body_bytes,
        ]
    }

    /// Adds the numbers of another file.
    pub fn add(&mut self, other: &FamilyTotals) {
        self.first_commit_ts = self.first_commit_ts.into_iter().chain(other.first_commit_ts).min();
        let mut other = *other;
        for (sum, n) in self.numbers().into_iter().zip(other.numbers()) {
            *sum = sum.saturating_add(*n);
        }
    }
}

/// Numbers about the store rows and the shape of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileTotals {
    /// All entries.
    pub entries: u64,
    /// Unversioned rows of the store itself (section 6.1).
    pub unversioned_rows: u64,
    /// Raw keys too short to carry a timestamp.
    pub short_keys: u64,
    /// Places where a user key is smaller than the one before it.
    pub user_key_descents: u64,
    /// Most user keys that were open at once (section 9).
    pub nesting_depth: u64,
    /// Records with a store expiry.
    pub store_expiries: u64,
}

/// Values of the `_meta_` rows. Source: `docs/format/snapshot.md`, section 6.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// Raft index of the last data entry.
    pub applied_index: Option<u64>,
    /// The store's last commit timestamp; the payload header wins over it.
    pub last_commit_ts: Option<u64>,
    /// Oldest timestamp that is still answerable.
    pub min_retained_ts: Option<u64>,
    /// The same for a compaction that is under way.
    pub pending_min_retained_ts: Option<u64>,
}

impl Watermarks {
    /// Oldest answerable read timestamp; 0 = no limit. Source: section 8.
    pub fn oldest_answerable(&self) -> u64 {
        self.min_retained_ts.unwrap_or(0).max(self.pending_min_retained_ts.unwrap_or(0))
    }
}

/// Everything that pass 1 learned.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Header, form, checksum.
    pub envelope: Envelope,
    /// Last commit timestamp of the payload header, as stored.
    pub last_commit_ts: CommitTs,
    /// Greatest commit timestamp of header and records (chunk blobs aside): the default read timestamp.
    pub effective_last_commit_ts: CommitTs,
    /// Values of the store's own rows.
    pub watermarks: Watermarks,
    /// Numbers about the file.
    pub totals: FileTotals,
    /// Numbers per key family, indexed by what [`Classify::family`] returned.
    pub families: Vec<FamilyTotals>,
    /// What was odd.
    pub findings: Findings,
    /// The timestamp at which [`Scan::families`] was counted.
    pub counted_at: CommitTs,
    /// How many values of all versions each data key opened.
    pub opened: BTreeMap<u32, u64>,
}

/// Reads the whole snapshot once and checks everything that can be checked without knowing an adapter.
///
/// Shape: any envelope and payload form -> what was learned, and a file of records for positioned reads.
/// Cost: one sequential read; a fixed buffer, the sparse index, one raw key. `EKVMVCC2` and `EKVSSTI1` payloads are rewritten into
/// `scratch`.
///
/// # Errors
/// Every kind of section 15, with file, byte offset and key. A checksum that does not match wins over structural damage.
pub fn scan(
    input: &Input,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile)> {
    let envelope = read_envelope(input, monitor)?;
    let header = envelope.header;
    let (mut scan, file) = match envelope.form {
        Form::Store => scan_store(input, envelope, options, classify, scratch, monitor)?,
        Form::Empty => scan_empty(input, envelope, 0, monitor)?,
        Form::TimestampOracle { .. } => scan_empty(input, envelope, 8, monitor)?,
        Form::SstIngest => scan_sst(input, envelope, options, classify, scratch, monitor)?,
        Form::MemoryStore => {
            let memory = crate::mvcc2::transcode(input, header.len(), scratch, monitor)?;
            scan_memory(memory, envelope, options, classify, scratch)?
        }
    };
    let mut file = file;
    if let Some(keys) = options.keys.as_deref().filter(|_| is_to_be_opened(&scan, options)) {
        (scan, file) = scan_clear(scan, &file, keys, options, classify, scratch, monitor)?;
    }
    require_footer(input, scan.envelope.footer_crc32c, &mut scan.findings)?;
    if options.read_ts.is_none() && scan.totals.store_expiries > 0 {
        // Whether a store expiry has passed depends on the timestamp, which is known only now.
        let counted_at = ScanOptions { read_ts: Some(scan.effective_last_commit_ts), ..options.clone() };
        classify.reset();
        if let Some(losses) = &options.losses {
            losses.restart();
        }
        return self::scan(input, &counted_at, classify, scratch, monitor);
    }
    Ok((scan, file))
}

fn read_envelope(input: &Input, monitor: &dyn Monitor) -> Result<Envelope> {
    let header = Header::read(input);
    let envelope = header.and_then(|header| {
        let form = Form::read(input, header.len())?;
        Ok(Envelope { header, form, footer_crc32c: None })
    });
    envelope.map_err(|error| blame(input, Sequential::new(input, monitor), error))
}

fn scan_empty(
    input: &Input,
    envelope: Envelope,
    payload_len: u64,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile)> {
    let payload_end = envelope.header.len().saturating_add(payload_len);
    let mut scan = Scan::new(envelope);
    let has_footer = input.len > payload_end;
    let ending = Sequential::new(input, monitor).finish()?.filter(|_| has_footer);
    scan.envelope.footer_crc32c = check_footer(input, ending, None)?;
    Ok((scan, RecordFile::new(input.clone(), payload_end, payload_end, SparseIndex::default())))
}

fn scan_store(
    input: &Input,
    envelope: Envelope,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile)> {
    let stamp = take_stamp(input)?;
    let mut reader = Sequential::new(input, monitor).reading_ahead();
    let mut pass = Pass {
        options,
        classify,
        resolver: Resolver::default(),
        index: SparseIndexBuilder::new(scratch),
        scan: Scan { findings: Findings::with_log(options.losses.clone()), ..Scan::new(envelope) },
        payload_start: envelope.header.len(),
        broken: None,
    };
    let outcome = pass.run(&mut reader).map_err(|e| e.in_file(&input.name));
    let records_end = reader.offset();
    let Pass { scan, index, .. } = pass;
    let mut scan = scan;
    match outcome {
        Ok(has_footer) => {
            let ending = reader.finish()?.filter(|_| has_footer);
            scan.envelope.footer_crc32c = check_footer(input, ending, None)?;
        }
        Err(error) => return Err(blame(input, reader, error)),
    }
    let records_start = envelope.header.len().saturating_add(PAYLOAD_HEADER_LEN);
    Ok((scan, RecordFile::new(input.clone(), records_start, records_end, index.finish()?).stamped(stamp)))
}

/// Counts and indexes the records of an `EKVMVCC2` payload, which has been checked.
fn scan_memory(
    memory: Transcoded,
    envelope: Envelope,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
) -> Result<(Scan, RecordFile)> {
    let Transcoded { records, last_commit_ts, footer_crc32c, min_retained_ts } = memory;
    let mut pass = Pass {
        options,
        classify,
        resolver: Resolver::default(),
        index: SparseIndexBuilder::new(scratch),
        scan: Scan::new(Envelope { footer_crc32c, ..envelope }),
        payload_start: 0,
        broken: None,
    };
    pass.begin(last_commit_ts);
    let mut cursor = Cursor::new(&records, MEMORY_WINDOW_LEN);
    while cursor.advance()? {
        let (at, value) = (cursor.byte_offset(), cursor.value());
        pass.record(at, cursor.raw_key(), cursor.kept_len(), value.head(), value.len())
            .map_err(|e| e.at(at).with_key(cursor.raw_key()).in_file(&records.input().name))?;
    }
    pass.end();
    let Pass { mut scan, index, .. } = pass;
    scan.watermarks.min_retained_ts = Some(min_retained_ts.0);
    Ok((scan, records.with_index(index.finish()?)))
}

/// Whether there is a value that a data key may open.
fn is_to_be_opened(scan: &Scan, options: &ScanOptions) -> bool {
    let encrypted = [findings::ENCRYPTED_VALUE, findings::ENCRYPTED_OLD_VALUE];
    options.looks_for_rebadged || encrypted.iter().any(|finding| scan.findings.count(*finding) > 0)
}

/// Counts and indexes the records of a sound snapshot while they are rewritten without encryption.
fn scan_clear(
    sealed: Scan,
    file: &RecordFile,
    keys: &DataKeys,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile)> {
    classify.reset();
    if let Some(losses) = &options.losses {
        losses.restart();
    }
    let findings = Findings::with_log(options.losses.clone());
    let mut pass = Pass {
        options,
        classify,
        resolver: Resolver::default(),
        index: SparseIndexBuilder::new(scratch),
        scan: Scan { findings, ..Scan::new(sealed.envelope) },
        payload_start: 0,
        broken: None,
    };
    pass.begin(sealed.last_commit_ts);
    let is_strict = options.looks_for_rebadged;
    let (records, opened) =
        encryption::rewrite(file, sealed.last_commit_ts, keys, is_strict, scratch, monitor, &mut |seen| {
            pass.broken = seen.broken;
            pass.record(seen.at, seen.raw_key, 0, seen.value_head, seen.value_len).map_err(|e| e.with_key(seen.raw_key))
        })?;
    pass.end();
    let Pass { scan, index, .. } = pass;
    Ok((Scan { watermarks: sealed.watermarks, opened, ..scan }, records.with_index(index.finish()?)))
}

/// Counts and indexes the rows of an `EKVSSTI1` payload while they are rewritten.
fn scan_sst(
    input: &Input,
    envelope: Envelope,
    options: &ScanOptions,
    classify: &mut dyn Classify,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<(Scan, RecordFile)> {
    let checked = crate::sst::check(input, envelope.header.len(), monitor)?;
    let mut pass = Pass {
        options,
        classify,
        resolver: Resolver::default(),
        index: SparseIndexBuilder::new(scratch),
        scan: Scan {
            findings: Findings::with_log(options.losses.clone()),
            ..Scan::new(Envelope { footer_crc32c: checked.footer_crc32c, ..envelope })
        },
        payload_start: 0,
        broken: None,
    };
    pass.begin(CommitTs(checked.manifest.last_commit_ts));
    let records = crate::sst::rewrite(input, &checked, scratch, monitor, &mut |row| {
        pass.record(row.at, row.raw_key, row.kept_len, row.value_head, row.value_len)
    })?;
    pass.end();
    let Pass { mut scan, index, .. } = pass;
    let marks = &mut scan.watermarks;
    // The rows say it as well; what is compacted cannot be answered whichever of them is right.
    marks.min_retained_ts = marks.min_retained_ts.max(Some(checked.manifest.min_retained_ts).filter(|ts| *ts > 0));
    marks.pending_min_retained_ts =
        marks.pending_min_retained_ts.max(Some(checked.manifest.pending_min_retained_ts).filter(|ts| *ts > 0));
    Ok((scan, records.with_index(index.finish()?)))
}

/// A missing footer is an error or a finding, as the policy says.
fn require_footer(input: &Input, footer: Option<u32>, found: &mut Findings) -> Result<()> {
    match (footer, input.footer) {
        (Some(_), _) | (None, FooterPolicy::Elsewhere) => Ok(()),
        (None, FooterPolicy::Required) => Err(Error::new(ErrorKind::FooterMissing).at(input.len).in_file(&input.name)),
        (None, FooterPolicy::Optional) => {
            found
                .record(findings::NO_CHECKSUM, || findings::example(None, None, "the file carries no checksum footer"));
            Ok(())
        }
    }
}

impl Scan {
    fn new(envelope: Envelope) -> Self {
        Scan {
            envelope,
            last_commit_ts: CommitTs(0),
            effective_last_commit_ts: CommitTs(0),
            watermarks: Watermarks::default(),
            totals: FileTotals::default(),
            families: Vec::new(),
            findings: Findings::default(),
            counted_at: CommitTs::MAX,
            opened: BTreeMap::new(),
        }
    }
}

struct Pass<'p> {
    options: &'p ScanOptions,
    classify: &'p mut dyn Classify,
    resolver: Resolver,
    index: SparseIndexBuilder,
    scan: Scan,
    payload_start: u64,
    /// Why the next record is not what a server wrote.
    broken: Option<Error>,
}

impl Pass<'_> {
    /// Reads header and all entries; whether a footer follows. The reader then stands behind the last entry.
    fn run(&mut self, reader: &mut Sequential<'_>) -> Result<bool> {
        reader.skip(self.payload_start)?;
        let at = reader.offset();
        need(reader, "payload header", PAYLOAD_HEADER_LEN, at)?;
        let stored = reader.ahead(16)?.get(8..).and_then(<[u8]>::first_chunk).map(|b| u64::from_le_bytes(*b));
        self.begin(CommitTs(stored.unwrap_or(0)));
        reader.skip(PAYLOAD_HEADER_LEN)?;
        loop {
            match reader.left() {
                0 => break,
                FOOTER_LEN => break,
                _ => self.entry(reader)?,
            }
        }
        self.end();
        Ok(reader.left() == FOOTER_LEN)
    }

    fn begin(&mut self, last_commit_ts: CommitTs) {
        self.scan.last_commit_ts = last_commit_ts;
        self.scan.effective_last_commit_ts = last_commit_ts;
    }

    fn end(&mut self) {
        self.scan.counted_at = self.options.read_ts.unwrap_or(self.scan.effective_last_commit_ts);
    }

    fn entry(&mut self, reader: &mut Sequential<'_>) -> Result<()> {
        let at = reader.offset();
        let Entry { raw_key, value_head, value_len, len } = entry::peek(reader, self.options.raw_key_len_max)?;
        self.record(at, raw_key, 0, value_head, value_len).map_err(|e| e.at(at).with_key(raw_key))?;
        reader.skip(len)
    }

    /// Takes the next record; `kept_len` bytes of its raw key are known to be those of the record before.
    fn record(&mut self, at: u64, raw_key: &[u8], kept_len: usize, head: &[u8], value_len: u64) -> Result<()> {
        let first = self.scan.totals.entries == 0;
        let common = match (raw_key.get(kept_len..), self.resolver.previous().get(kept_len..)) {
            (Some(rest), Some(previous)) => kept_len.saturating_add(common_prefix_len(rest, previous)),
            _ => common_prefix_len(raw_key, self.resolver.previous()),
        };
        if !first {
            check_order(self.resolver.previous(), raw_key, common)?;
        }
        self.scan.totals.entries = self.scan.totals.entries.saturating_add(1);
        let entries_max = self.options.entries_max;
        if self.scan.totals.entries > entries_max {
            return Err(Error::new(too_many_entries(entries_max)));
        }
        self.index.offer(at, raw_key)?;
        if let Some(row) = UnversionedRow::of(raw_key) {
            self.resolver.pass(raw_key, common);
            self.unversioned(row, raw_key, head, value_len);
            return Ok(());
        }
        let Some((user_key, commit_ts)) = split_raw_key(raw_key) else {
            self.resolver.pass(raw_key, common);
            self.scan.totals.short_keys = self.scan.totals.short_keys.saturating_add(1);
            self.scan.findings.record(findings::SHORT_KEY, || {
                findings::example(Some(raw_key), Some(at), "no reader can address this entry")
            });
            return Ok(());
        };
        self.versioned(at, raw_key, user_key, commit_ts, common, head, value_len)
    }

    fn unversioned(&mut self, row: UnversionedRow, raw_key: &[u8], head: &[u8], value_len: u64) {
        self.scan.totals.unversioned_rows = self.scan.totals.unversioned_rows.saturating_add(1);
        if row == UnversionedRow::EncryptionWriter {
            return;
        }
        if value_len != 8 {
            self.scan.findings.record(findings::META_ROW_WIDTH, || {
                findings::example(Some(raw_key), None, &format!("value of {value_len} bytes, expected 8"))
            });
        }
        let value = head.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        let marks = &mut self.scan.watermarks;
        match row {
            UnversionedRow::AppliedIndex => marks.applied_index = value,
            UnversionedRow::LastCommitTs => marks.last_commit_ts = value,
            UnversionedRow::MinRetainedTs => marks.min_retained_ts = value,
            UnversionedRow::PendingMinRetainedTs => marks.pending_min_retained_ts = value,
            UnversionedRow::EncryptionWriter => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one record, taken apart once")]
    fn versioned(
        &mut self,
        at: u64,
        raw_key: &[u8],
        user_key: &[u8],
        commit_ts: CommitTs,
        common: usize,
        head: &[u8],
        value_len: u64,
    ) -> Result<()> {
        let newest_always = user_key.starts_with(NEWEST_ALWAYS_PREFIX);
        let read_ts = match self.options.read_ts {
            Some(read_ts) if !newest_always => read_ts,
            _ => CommitTs::MAX,
        };
        let previous = self.resolver.previous();
        let previous_user_key = previous.get(..previous.len().saturating_sub(8)).unwrap_or(&[]);
        let from = common.min(user_key.len()).min(previous_user_key.len());
        // They differ at this byte, or one of them ends here.
        let descends = user_key.get(from) < previous_user_key.get(from);
        let resolution = self.resolver.next(raw_key, common, commit_ts, read_ts);
        let decides = resolution.standing == Standing::Decides;
        let header = match self.broken.take().map_or_else(|| ValueHeader::parse(head, value_len), Err) {
            Ok(header) => Some(header),
            Err(e) => {
                let finding = match (e.kind(), decides) {
                    (ErrorKind::Encrypted { .. }, true) => findings::ENCRYPTED_VALUE,
                    (ErrorKind::Encrypted { .. }, false) => findings::ENCRYPTED_OLD_VALUE,
                    (ErrorKind::EncryptedIntegrity { .. }, true) => findings::BROKEN_VALUE,
                    (ErrorKind::EncryptedIntegrity { .. }, false) => findings::BROKEN_OLD_VALUE,
                    (_, true) => findings::DAMAGED_VALUE,
                    (_, false) => findings::DAMAGED_OLD_VALUE,
                };
                self.scan.findings.record(finding, || findings::example(Some(user_key), Some(at), &e.to_string()));
                None
            }
        };

        let totals = &mut self.scan.totals;
        totals.user_key_descents = totals.user_key_descents.saturating_add(u64::from(descends));
        totals.nesting_depth = totals.nesting_depth.max(u64::try_from(self.resolver.depth()).unwrap_or(u64::MAX));
        if !newest_always {
            self.scan.effective_last_commit_ts = self.scan.effective_last_commit_ts.max(commit_ts);
        }
        if user_key.is_empty() {
            self.scan.findings.record(findings::EMPTY_USER_KEY, || findings::example(None, Some(at), "empty user key"));
        }

        let number = self.classify.family(user_key);
        if self.scan.families.len() <= number {
            self.scan.families.resize(number.saturating_add(1), FamilyTotals::default());
        }
        let Some(family) = self.scan.families.get_mut(number) else { return Ok(()) };
        let add = |slot: &mut u64, n: u64| *slot = slot.saturating_add(n);
        add(&mut family.records, 1);
        family.first_commit_ts = Some(family.first_commit_ts.map_or(commit_ts, |first| first.min(commit_ts)));
        add(&mut family.user_keys, u64::from(resolution.first_of_key));
        add(&mut family.raw_key_bytes, u64::try_from(raw_key.len()).unwrap_or(u64::MAX));
        add(&mut family.value_bytes, value_len);
        let is_damaged = header.is_none();
        let header = header.unwrap_or(ValueHeader { tombstone: false, expire_at: CommitTs(0) });
        add(&mut family.tombstones, u64::from(header.tombstone));
        add(&mut self.scan.totals.store_expiries, u64::from(header.expire_at.0 != 0));
        let body_len = value_len.saturating_sub(u64::try_from(VALUE_HEADER_LEN).unwrap_or(u64::MAX));
        match resolution.standing {
            Standing::Newer => add(&mut family.newer, 1),
            Standing::Older => add(&mut family.older, 1),
            Standing::Decides if is_damaged => add(&mut family.damaged, 1),
            Standing::Decides if header.tombstone => add(&mut family.deleted, 1),
            Standing::Decides if header.expired_at(read_ts) => add(&mut family.store_expired, 1),
            Standing::Decides => {
                add(&mut family.visible, 1);
                add(&mut family.visible_body_bytes, body_len);
            }
        }
        if header.tombstone && (body_len > 0 || header.expire_at.0 != 0) {
            self.scan.findings.record(findings::TOMBSTONE_WITH_BODY, || {
                findings::example(Some(user_key), Some(at), "the tombstone counts, its body is ignored")
            });
        }
        Ok(())
    }
}
