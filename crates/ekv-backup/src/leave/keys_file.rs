//! A file of Redis keys made of events: an RDB file (`docs/format/rdb.md`, sections 1.4, 1.5 and 6), or commands for `redis-cli --pipe`
//! (`docs/format/redis-live.md`, section 13).
//!
//! Everything is gathered first: what cannot be carried over is known, and judged, before a byte of the file is written.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ekv_files::sink::{DirOptions, Privacy, Published, SinkError, SinkOperation, StagedFiles};
use ekv_model::redis::{Event, ScalarKind};
use ekv_model::{Consumer, Event as ModelEvent, Example, Finding, Findings, Protocol, Result};
use ekv_rdb::{BackLengths, Encoded, Encoder, Refusal, SortedFile, Value};
use ekv_snapshot::CommitTs;
use ekv_spill::Scratch;
use serde::Serialize;

use super::resp::Commands;
use crate::contents::{Census, Contents};
use crate::pipe::Output;
use crate::see::Look;

/// Memory for sorting, in bytes.
const SORT_LEN: usize = 12 << 20;
/// Latest expiry that a server keeps, in Unix milliseconds.
const EXPIRY_MAX: u64 = i64::MAX.unsigned_abs();

/// A score that is no number.
const NAN_SCORE: Finding = Finding::loss(
    "rdb_nan_score",
    "sorted sets with a score that is not a number: servers refuse it or end when they load it, so that the key is left out",
);
/// Something else that no server loads.
const KEY_REFUSED: Finding = Finding::loss("rdb_key_refused", "keys that no server can load: they are left out");
/// Servers know no such thing.
const EMPTY: Finding = Finding::warning(
    "rdb_empty_collection",
    "collections without elements, which Redis does not have: they are left out, and their keys do not exist there",
);
/// An expiry in 1970.
const ZERO_EXPIRY: Finding = Finding::info(
    "rdb_zero_expiry",
    "keys that expired in 1970, at 0: no server would load them, and they are left out",
);
/// Counts become estimates.
const ESTIMATED: Finding = Finding::info(
    "redis_hll_estimated",
    "HyperLogLogs: elastickv counts their members exactly, Redis and Valkey estimate them from now on",
);
/// No form suits all servers.
const BORDER: Finding = Finding::warning(
    "rdb_listpack_border",
    "streams with a text of 16378, 2097146 or 268435450 bytes, for which servers have two forms, and end when they load the other one: \
     --server says for which of them the file is",
);
/// As above, for a server that runs.
const BORDER_SENT: Finding = Finding::loss(
    "resp_listpack_border",
    "streams with a text of 16378, 2097146 or 268435450 bytes, for which servers have two forms, and end when they get the other one: \
     load writes them to any server",
);
/// As asked.
const SHIFTED: Finding = Finding::info("rdb_expiry_shifted", "expiries that were put off, as asked (--shift-expiry)");

/// The form of a file of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeysForm {
    /// An RDB file.
    #[default]
    Rdb,
    /// Commands for `redis-cli --pipe`.
    Commands {
        /// Whether keys that the server has are replaced; else it refuses them.
        replaces: bool,
    },
}

/// What a file of keys is to be.
#[derive(Clone, Debug, Default)]
pub struct KeysOptions {
    /// Its form.
    pub form: KeysForm,
    /// Whether all expiries are put off by the time from the moment of the source to this one; Unix milliseconds.
    pub shift_expiry_to_ms: Option<u64>,
    /// Databases that get another number.
    pub databases: BTreeMap<u32, u32>,
    /// The form of elements for which servers have two.
    pub back_lengths: BackLengths,
}

/// Where a file of keys goes.
pub enum FileTarget<'o> {
    /// A new file, which is there as a whole or not at all.
    File(&'o Path, DirOptions),
    /// A stream, which messages call standard output.
    Stream(Box<dyn Write + 'o>),
    /// Nowhere: of what would be this.
    DryRun(&'o Path),
}

/// The file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Where it is.
    pub file: String,
    /// Whether nothing was created: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Its bytes.
    pub bytes: u64,
    /// Keys in it.
    pub written: u64,
    /// How much was selected.
    pub contents: Contents,
    /// How it got its name; absent for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_by: Option<&'static str>,
    /// What keeps it from others: `modes`, or why that could not be had; absent for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// What could not be cleaned up; the file is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How messages name a stream.
const STANDARD_OUTPUT: &str = "standard output";

/// Keys that are to be written.
enum Gathered {
    Rdb(Box<SortedFile>),
    Commands(Commands),
}

impl Gathered {
    fn keys(&self) -> u64 {
        match self {
            Gathered::Rdb(file) => file.keys(),
            Gathered::Commands(commands) => commands.keys(),
        }
    }

    fn push(
        &mut self,
        database: u32,
        key: &[u8],
        expire_at_ms: Option<u64>,
        value: &Value,
    ) -> Result<Result<(), Refusal>> {
        match self {
            Gathered::Rdb(file) => file.push(database, key, expire_at_ms, value),
            Gathered::Commands(commands) => commands.push(database, key, expire_at_ms, value),
        }
    }

    /// Hands all bytes to `take`; how many they are.
    fn finish(self, take: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        match self {
            Gathered::Rdb(file) => Ok(file.finish(take)?.byte_count),
            Gathered::Commands(commands) => commands.finish(take),
        }
    }
}

/// Gathers keys, and writes them at the end.
pub(super) struct KeysOutput<'o> {
    target: FileTarget<'o>,
    options: &'o KeysOptions,
    scratch: Arc<dyn Scratch>,
    encoder: Encoder,
    file: Gathered,
    census: Census,
    findings: Findings,
    shift_ms: u64,
    /// The collection at hand.
    key: Vec<u8>,
    database: u32,
    expire_at_ms: Option<u64>,
}

impl<'o> KeysOutput<'o> {
    pub(super) fn new(
        target: FileTarget<'o>,
        options: &'o KeysOptions,
        moment: CommitTs,
        scratch: &Arc<dyn Scratch>,
    ) -> Self {
        let encoder = Encoder::new(Arc::clone(scratch)).with_back_lengths(options.back_lengths);
        let shift_ms = options.shift_expiry_to_ms.map_or(0, |now_ms| now_ms.saturating_sub(moment.unix_ms()));
        KeysOutput {
            target,
            options,
            scratch: Arc::clone(scratch),
            encoder,
            file: match options.form {
                KeysForm::Rdb => Gathered::Rdb(Box::new(SortedFile::new(Arc::clone(scratch), SORT_LEN))),
                KeysForm::Commands { replaces } => Gathered::Commands(Commands::new(scratch, replaces)),
            },
            census: Census::default(),
            findings: Findings::default(),
            shift_ms,
            key: Vec::new(),
            database: 0,
            expire_at_ms: None,
        }
    }

    fn tell(&mut self, finding: Finding, detail: String) {
        let (key, database) = (&self.key, self.database.to_string());
        self.findings.record(finding, || Example::new(Some(key), None, detail).in_scope(Protocol::Redis, database));
    }

    fn put(&mut self, database: u32, encoded: Encoded) -> Result<()> {
        let value = match encoded {
            Encoded::Refused(refusal) => {
                self.refuse(refusal);
                return Ok(());
            }
            Encoded::Value(value) => value,
        };
        if self.expire_at_ms == Some(0) {
            self.tell(ZERO_EXPIRY, String::new());
            return Ok(());
        }
        if value.has_border() && matches!(self.file, Gathered::Commands(_)) {
            self.tell(BORDER_SENT, String::new());
            return Ok(());
        }
        let is_shifted = self.options.shift_expiry_to_ms.is_some() && self.expire_at_ms.is_some();
        let expire_at_ms = self.expire_at_ms.map(|at_ms| at_ms.saturating_add(self.shift_ms).min(EXPIRY_MAX));
        let number = self.options.databases.get(&database).copied().unwrap_or(database);
        match self.file.push(number, &self.key, expire_at_ms, &value)? {
            Err(refusal) => self.refuse(refusal),
            Ok(()) => {
                if value.has_border() {
                    self.tell(BORDER, String::new());
                }
                if is_shifted {
                    self.findings.record_many(SHIFTED, 1);
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::NanScore => self.tell(NAN_SCORE, String::new()),
            Refusal::Empty => self.tell(EMPTY, String::new()),
            refusal => self.tell(KEY_REFUSED, refusal.to_string()),
        }
    }
}

impl Consumer for KeysOutput<'_> {
    fn event(&mut self, event: ModelEvent<'_>) -> Result<()> {
        self.census.event(&event);
        let ModelEvent::Redis { database, event } = event else { return Ok(()) };
        let begins = match &event {
            Event::Scalar { key, expiry, .. } => Some((*key, expiry.map(|expiry| expiry.at_ms))),
            Event::Begin { key, expire_at_ms, .. } => Some((*key, *expire_at_ms)),
            Event::Element(_) | Event::End => None,
        };
        if let Some((key, expire_at_ms)) = begins {
            self.database = database;
            self.key.clear();
            self.key.extend_from_slice(key);
            self.expire_at_ms = expire_at_ms;
        }
        match self.encoder.event(&event)? {
            None => Ok(()),
            Some(encoded) => {
                let is_hll = matches!(event, Event::Scalar { kind: ScalarKind::Hll, .. });
                if is_hll && matches!(encoded, Encoded::Value(_)) {
                    self.tell(ESTIMATED, String::new());
                }
                self.put(database, encoded)
            }
        }
    }

    fn findings(&self) -> Findings {
        self.findings.clone()
    }
}

impl Output<Look> for KeysOutput<'_> {
    type Published = FileReport;

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn finish(self, _: Look) -> Result<FileReport> {
        let KeysOutput { target, file, census, .. } = self;
        let (name, dry_run) = match &target {
            FileTarget::File(path, _) => (path.display().to_string(), false),
            FileTarget::DryRun(path) => (path.display().to_string(), true),
            FileTarget::Stream(_) => (STANDARD_OUTPUT.to_owned(), false),
        };
        let written = file.keys();
        let (bytes, published) = write(file, target)?;
        Ok(FileReport {
            file: name,
            dry_run,
            bytes,
            written,
            contents: census.finish(0),
            published_by: published.as_ref().map(|published| published.method.name()),
            privacy: published.as_ref().map(|published| published.privacy),
            warnings: published.iter().flat_map(|published| &published.warnings).map(ToString::to_string).collect(),
        })
    }

    fn abort(self) -> Result<()> {
        Ok(())
    }
}

/// Writes the file; its length.
fn write(keys: Gathered, target: FileTarget<'_>) -> Result<(u64, Option<Published>)> {
    Ok(match target {
        FileTarget::DryRun(_) => (keys.finish(|_| Ok(()))?, None),
        FileTarget::Stream(mut stream) => {
            let failed = |source| {
                let (operation, path) = (SinkOperation::Write, STANDARD_OUTPUT.to_owned());
                ekv_files::Error::new(SinkError::Io { operation, path, source })
            };
            let written = keys.finish(|piece| Ok(stream.write_all(piece).map_err(failed)?))?;
            stream.flush().map_err(failed)?;
            (written, None)
        }
        FileTarget::File(path, publication) => {
            let mut files = StagedFiles::create(&[path], publication)?;
            let begun = files.begin(0).map_err(ekv_model::Error::from);
            let written = begun.and_then(|()| keys.finish(|piece| Ok(files.write(piece)?)));
            match written.and_then(|written| Ok(files.end().map(|()| written)?)) {
                Ok(written) => (written, Some(files.publish()?)),
                Err(error) => return Err(error.after_cleaning_up(files.abort())),
            }
        }
    })
}
