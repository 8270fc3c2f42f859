//! An RDB file of Redis or Valkey as a source: open and checked, and its keys as events. Source: `docs/format/rdb.md`.

use std::path::Path;
use std::sync::Arc;

use ekv_model::{ByteSource, Class, Consumer, Error, Result};
use ekv_rdb::{Checked, FaultAt, FieldExpiry};
use ekv_snapshot::{CommitTs, Input};
use ekv_spill::Scratch;

use crate::books::{Books, Header};
use crate::completeness::Proof;
use crate::imports::{Import, Origin};
use crate::open::{open_other, open_other_stream, too_many_bytes, too_many_keys};
use crate::pipe::Events;
use crate::progress::{Phase, Progress};
use crate::rdb_error::RdbError;
use crate::report::RdbReport;
use crate::time::format_unix_ms;
use crate::{CommandError, EventOptions, ReadOptions, ReadTime};

/// What MANIFEST.json calls the kind of source.
const SOURCE_KIND: &str = "rdb";

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
        if let Some(max) = read.resources.entries_max.filter(|max| checked.keys > *max) {
            return Err(ekv_snapshot::Error::new(too_many_keys(max)).in_file(&input.name).into());
        }
        let file = || input.name.clone();
        let saved = checked.saved_at_s.and_then(|seconds| CommitTs::last_of_ms(seconds.saturating_mul(1000)));
        let moment = saved.or(read.at.and_then(ReadTime::absolute));
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
        Ok(RdbFile { input, checked, moment, field_expiry: read.field_expiry, scratch })
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
        let import = Import { options, moment: file.moment, scratch: &file.scratch, progress };
        let imported = import.run(consumer, &mut |found, taking| {
            let mut found = unchanged(&file.input, || {
                ekv_rdb::read(&Bytes(&file.input), scratch, file.field_expiry, found, taking)
            })?;
            found.merge(file.checked.findings.clone());
            Ok(found)
        })?;
        let origin = Origin {
            kind: SOURCE_KIND,
            rdb: Some(file.report()),
            server: None,
            holds_data: file.checked.keys > 0,
            proof: file.proof(),
            moment: file.moment.unwrap_or_default(),
        };
        imported.into_books(options, origin)
    }
}
