//! An RDB file of Redis or Valkey as a source: open and checked, and its keys as events. Source: `docs/format/rdb.md`.

use std::path::Path;
use std::sync::Arc;

use ekv_adapters::redis::Expired;
use ekv_adapters::{Family, Outcome, Tally};
use ekv_model::{
    ByteSource, Class, Consumer, Error, Event, Example, Filtered, Finding, Findings, Keys, Kind, LossLog, Result, redis,
};
use ekv_rdb::{Checked, FaultAt, FieldExpiry, Taker};
use ekv_snapshot::txn::TxnTotals;
use ekv_snapshot::{CommitTs, Input};
use ekv_spill::Scratch;

use crate::books::{Books, BooksReport, Header};
use crate::completeness::{Completeness, Proof, choice};
use crate::events::{NOTHING_MATCHES, Watched};
use crate::losses::LossFile;
use crate::open::{open_other, open_other_stream, too_many_bytes};
use crate::pipe::Events;
use crate::progress::{Phase, Progress};
use crate::rdb_error::RdbError;
use crate::report::{Accounts, NamesReport, RdbReport, findings};
use crate::time::format_unix_ms;
use crate::{CommandError, EventOptions, Protocol, ReadOptions};

/// What MANIFEST.json calls the kind of source.
pub(crate) const SOURCE_KIND: &str = "rdb";

/// Keys that had expired at the moment of the file, where those are not wanted.
const EXPIRED_KEYS: Finding = Finding::info("rdb_expired_keys", "keys that had expired at the moment of the RDB file");

/// An RDB file of which every byte has been seen: its structure is sound and its checksum is right.
pub struct RdbFile {
    input: Input,
    checked: Checked,
    /// The moment that it shows; `None` if nothing says it.
    moment: Option<CommitTs>,
    field_expiry: FieldExpiry,
    scratch: Arc<dyn Scratch>,
}

impl RdbFile {
    /// Opens a file, which may be compressed with zstd, and checks all of it.
    ///
    /// Cost: one read; little memory. Nothing is written but nameless scratch files for what is compressed.
    ///
    /// # Errors
    /// [`RdbError`]; a file that is too old or too large for `read`, or states its moment where `read` states another one.
    pub fn open(path: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<Self> {
        let scratch = read.resources.scratch();
        progress.begin(Phase::Check, None);
        let input = open_other(path, &read.resources, &scratch, progress)?;
        RdbFile::check(input, read, scratch, progress)
    }

    /// As [`RdbFile::open`], of a stream that messages call `name`.
    ///
    /// # Errors
    /// As [`RdbFile::open`].
    pub(crate) fn of_stream(
        stream: impl std::io::Read,
        name: &str,
        read: &ReadOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let scratch = read.resources.scratch();
        progress.begin(Phase::Check, None);
        let input = open_other_stream(stream, name, &read.resources, &scratch, progress)?;
        RdbFile::check(input, read, scratch, progress)
    }

    fn check(input: Input, read: &ReadOptions, scratch: Arc<dyn Scratch>, progress: &dyn Progress) -> Result<Self> {
        if let Some(max) = read.resources.bytes_max.filter(|max| input.len > *max) {
            return Err(ekv_snapshot::Error::new(too_many_bytes(max)).in_file(&input.name).into());
        }
        let mut done = 0;
        progress.begin(Phase::Check, Some(input.len));
        let checked = unchanged(&input, || {
            ekv_rdb::check(&Bytes(&input), &scratch, &mut |offset| {
                let before = std::mem::replace(&mut done, offset);
                Ok(progress.advance(offset.saturating_sub(before))?)
            })
        })?;
        let file = || input.name.clone();
        let saved = checked.saved_at_s.and_then(|seconds| CommitTs::last_of_ms(seconds.saturating_mul(1000)));
        let moment = saved.or(read.at.map(|at| at.commit_ts()));
        if read.require_checksum && !checked.has_checksum {
            return Err(CommandError::NoRdbChecksum { file: file() }.into());
        }
        if let Some(limit) = read.not_before_ms {
            let Some(moment) = moment else { return Err(CommandError::NoRdbMoment { file: file() }.into()) };
            if moment.unix_ms() < limit {
                let (end, limit) = (format_unix_ms(moment.unix_ms()), format_unix_ms(limit));
                return Err(CommandError::TooOld { file: file(), end, limit }.into());
            }
        }
        Ok(RdbFile { input, checked, moment, field_expiry: FieldExpiry::default(), scratch })
    }

    /// What happens to hashes whose fields expire one by one.
    #[must_use]
    pub fn with_field_expiry(self, field_expiry: FieldExpiry) -> Self {
        RdbFile { field_expiry, ..self }
    }

    /// Makes sure that the moment is known.
    ///
    /// # Errors
    /// If neither the file nor the user states it.
    pub fn check_moment(&self) -> Result<(), CommandError> {
        match self.moment {
            Some(_) => Ok(()),
            None => Err(CommandError::NoRdbMoment { file: self.input.name.clone() }),
        }
    }

    /// Makes sure that no other moment was asked for than its own.
    ///
    /// # Errors
    /// If the file states one.
    pub(crate) fn check_states_no_moment(&self) -> Result<(), CommandError> {
        match self.report().saved {
            Some(time) => Err(CommandError::OneMomentOfRdb { file: self.input.name.clone(), time }),
            None => Ok(()),
        }
    }

    /// What it is.
    pub fn report(&self) -> RdbReport {
        let Checked { form, server, saved_at_s, crc64, has_checksum, byte_count, keys, .. } = &self.checked;
        RdbReport {
            format: form.magic.to_string(),
            version: form.version,
            server: server.clone(),
            saved: saved_at_s.map(|seconds| format_unix_ms(seconds.saturating_mul(1000))),
            bytes: *byte_count,
            keys: *keys,
            crc64: has_checksum.then(|| format!("{crc64:016x}")),
        }
    }

    /// What is known before its keys are read.
    pub fn header(&self) -> Header {
        let moment = self.moment.unwrap_or_default().0;
        Header { visible: Some(self.checked.keys), read_ts: moment, last_commit_ts: moment, ..Header::default() }
    }

    fn proof(&self) -> Proof {
        if self.checked.has_checksum { Proof::Verified } else { Proof::Unverified }
    }
}

/// An input that was written to while it was read explains whatever seemed wrong with it, and spoils what seemed right.
fn unchanged<T>(input: &Input, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = input.source.stamp().ok();
    let done = work();
    match &done {
        Err(error) if !matches!(error.class(), Class::Data | Class::Environment) => return done,
        _ => {}
    }
    if input.source.stamp().ok() != before {
        return Err(ekv_snapshot::Error::new(ekv_snapshot::ErrorKind::Changed).in_file(&input.name).into());
    }
    done.map_err(|error| match error.downcast::<FaultAt>() {
        Ok(fault) => Error::new(Class::Data, RdbError { file: input.name.clone(), fault }),
        Err(error) => error,
    })
}

/// The bytes of an input.
struct Bytes<'i>(&'i Input);

impl ByteSource for Bytes<'_> {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let filled = self.0.fill_at(offset, buf)?;
        if filled == buf.len() {
            return Ok(());
        }
        let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        Err(ekv_snapshot::Error::io("read the RDB file", error).in_file(&self.0.name).into())
    }
}

/// The keys of an RDB file, as the options say.
pub struct RdbEvents<'f> {
    file: &'f RdbFile,
    options: &'f EventOptions,
}

impl<'f> RdbEvents<'f> {
    /// What `options` select of `file`.
    ///
    /// # Errors
    /// If they ask when a key was written: the file does not say.
    pub fn of(file: &'f RdbFile, options: &'f EventOptions) -> Result<Self> {
        if options.scope.is_about_changes() {
            return Err(CommandError::NoCommitTimes.into());
        }
        Ok(RdbEvents { file, options })
    }

    fn report(&self, found: &Findings, counts: Counts) -> BooksReport {
        let RdbEvents { file, options } = self;
        let rows: [(&str, u64, [&str; 2]); 2] = [
            ("filters", counts.left_out, ["key that was not selected", "keys that were not selected"]),
            ("--expired", counts.expired, ["key that had expired", "keys that had expired"]),
        ];
        let rows = rows.into_iter().filter(|(_, count, _)| *count > 0);
        let by_choice = rows.map(|(option, count, what)| choice(option, count, what)).collect();
        let moment = file.moment.unwrap_or_default();
        BooksReport {
            source_kind: Some(SOURCE_KIND),
            rdb: Some(file.report()),
            completeness: Completeness::of_rdb(found, by_choice, file.checked.keys > 0, file.proof(), moment),
            selection: options.scope.is_narrowed().then(|| options.scope.describe(&options.adapters)),
            snapshots: Vec::new(),
            records: Accounts::new(&[], &[]),
            families: Vec::new(),
            unknown_prefixes: Vec::new(),
            transactions: TxnTotals::default().into(),
            findings: findings(found),
            listed_losses: None,
            listed_scopes: None,
            names_not_portable: NamesReport::default(),
        }
    }
}

impl Events for RdbEvents<'_> {
    type Books = Books;

    fn header(&self) -> Header {
        self.file.header()
    }

    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Books> {
        let RdbEvents { file, options } = *self;
        progress.begin(phase, Some(file.checked.keys));
        let losses = LossFile::new(&file.scratch);
        let log: Arc<dyn LossLog> = Arc::<LossFile>::clone(&losses);
        let now_ms = file.moment.unwrap_or_default().unix_ms();
        let mut watched = Watched::new(consumer, &options.scope);
        let mut filtered = Filtered::new(&options.scope, now_ms, &mut watched);
        let mut taking = Taking {
            consumer: &mut filtered,
            selection: Selection { options, open: None },
            drops_until_ms: (options.redis.expired == Expired::Drop && file.moment.is_some()).then_some(now_ms),
            is_passing: false,
            keys: 0,
            counts: Counts::default(),
            progress,
        };
        let mut found = unchanged(&file.input, || {
            let found = Findings::with_log(Some(log));
            ekv_rdb::read(&Bytes(&file.input), scratch, file.field_expiry, found, &mut taking)
        })?;
        let counts = taking.counts;
        let beyond_limit = filtered.beyond_limit();
        let Watched { consumer, unmatched, census, .. } = watched;
        if unmatched.things() > 0 {
            for filter in unmatched.filters() {
                found.record(NOTHING_MATCHES, || Example::new(None, None, filter.to_owned()));
            }
        }
        found.record_many(EXPIRED_KEYS, counts.expired);
        found.merge(file.checked.findings.clone());
        found.merge(consumer.findings());
        let losses = losses.finish(&found)?;
        let mut tally = Tally::default();
        tally.add(Family::RedisString, Outcome::Lost, losses.count());
        let (report, contents) = (self.report(&found, counts), census.finish(beyond_limit));
        Ok(Books { report, tally, findings: found, contents, losses })
    }
}

/// What becomes of keys that are not handed on.
#[derive(Clone, Copy, Default)]
struct Counts {
    left_out: u64,
    expired: u64,
}

/// Which keys are wanted by their names and types.
struct Selection<'o> {
    options: &'o EventOptions,
    /// The database at hand.
    open: Option<(u32, Keys<'o>)>,
}

impl Selection<'_> {
    fn takes(&mut self, database: u32, key: &[u8], kind: Option<Kind>) -> bool {
        let EventOptions { scope, adapters, .. } = self.options;
        if !adapters.contains(&Protocol::Redis)
            || !kind.map_or(scope.includes(Protocol::Redis), |kind| scope.includes_kind(kind))
        {
            return false;
        }
        if self.open.as_ref().is_none_or(|(open, _)| *open != database) {
            self.open = Some((database, scope.keys_in(Protocol::Redis, database.to_string().as_bytes())));
        }
        self.open.as_ref().is_some_and(|(_, keys)| keys.contains(key))
    }
}

/// Hands on what is selected and has not expired.
struct Taking<'a, 'o> {
    consumer: &'a mut dyn Consumer,
    selection: Selection<'o>,
    /// Keys that expire up to this moment have expired; Unix milliseconds.
    drops_until_ms: Option<u64>,
    is_passing: bool,
    /// Keys that were not told of.
    keys: u64,
    counts: Counts,
    progress: &'a dyn Progress,
}

impl Taker for Taking<'_, '_> {
    fn wants(&mut self, database: u32, key: &[u8], kind: Option<Kind>) -> Result<bool> {
        self.keys = self.keys.saturating_add(1);
        let wants = self.selection.takes(database, key, kind);
        self.counts.left_out = self.counts.left_out.saturating_add((!wants).into());
        Ok(wants)
    }

    fn event(&mut self, database: u32, event: redis::Event<'_>) -> Result<()> {
        let expiry = match &event {
            redis::Event::Scalar { expiry, .. } => Some(expiry.map(|expiry| expiry.at_ms)),
            redis::Event::Begin { expire_at_ms, .. } => Some(*expire_at_ms),
            redis::Event::Element(_) | redis::Event::End => None,
        };
        if let Some(expire_at_ms) = expiry {
            let has_expired = expire_at_ms.zip(self.drops_until_ms).is_some_and(|(at_ms, until_ms)| at_ms <= until_ms);
            self.counts.expired = self.counts.expired.saturating_add(has_expired.into());
            self.is_passing = !has_expired;
        }
        if !self.is_passing {
            return Ok(());
        }
        self.consumer.event(Event::Redis { database, event })?;
        if expiry.is_some() {
            self.counts.left_out = self.counts.left_out.saturating_add(self.consumer.is_leaving_out().into());
        }
        Ok(())
    }

    fn passed(&mut self, _: u64) -> Result<()> {
        Ok(self.progress.advance(std::mem::take(&mut self.keys))?)
    }
}
