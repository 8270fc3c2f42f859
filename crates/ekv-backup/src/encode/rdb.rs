//! An RDB file that is to be encoded: as a dump in scratch space.

use std::io::Seek;
use std::path::Path;

use ekv_files::source::ScopedSource;
use ekv_model::Result;
use ekv_snapshot::CommitTs;
use ekv_spill::Spool;
use jiff::Timestamp;

use crate::decode::{DecodeOptions, decode};
use crate::dump_source::open_archive_file;
use crate::open::kind::Kind;
use crate::{
    CommandError, Compression, DumpTarget, EventOptions, Progress, Protocol, ReadOptions, ReadTime, Resources,
};

/// Whether `path` names an RDB file.
pub(super) fn is_rdb(path: &Path) -> bool {
    matches!(Kind::of_file(path), Some((Kind::Rdb, _)))
}

/// How an RDB file becomes a dump.
pub(super) struct AsDump<'o> {
    pub(super) resources: &'o Resources,
    /// The moment of a file that does not state its own (HLC).
    pub(super) last_commit_ts: Option<u64>,
    pub(super) strict: bool,
    pub(super) now: Timestamp,
}

/// Decodes an RDB file into an archive without a name, and opens it.
///
/// # Errors
/// As [`decode`] and [`crate::open_dump`].
pub(super) fn open_rdb_as_dump(
    rdb: &Path,
    options: &AsDump<'_>,
    progress: &dyn Progress,
) -> Result<Box<dyn ScopedSource>> {
    match decoded(rdb, None, options, progress) {
        Err(error) if matches!(error.get_ref().downcast_ref(), Some(CommandError::NoRdbMoment { .. })) => {
            match options.last_commit_ts {
                Some(moment) => decoded(rdb, Some(CommitTs(moment).into()), options, progress),
                None => Err(error),
            }
        }
        done => done,
    }
}

fn decoded(
    rdb: &Path,
    at: Option<ReadTime>,
    options: &AsDump<'_>,
    progress: &dyn Progress,
) -> Result<Box<dyn ScopedSource>> {
    let resources = options.resources;
    let mut archive = Spool::new(resources.scratch(), 0).into_file()?;
    let output = Box::new(archive.try_clone().map_err(failed)?);
    let name = "a scratch file".to_owned();
    let decoding = DecodeOptions {
        read: ReadOptions { at, resources: resources.clone(), ..ReadOptions::default() },
        events: EventOptions::of([Protocol::Redis]),
        strict: options.strict,
        now: options.now,
        ..DecodeOptions::default()
    };
    decode(rdb, DumpTarget::Stream { output, name, compression: Compression::None }, &decoding, progress)?;
    archive.rewind().map_err(failed)?;
    open_archive_file(rdb, archive, resources)
}

fn failed(error: std::io::Error) -> ekv_model::Error {
    ekv_model::Error::new(ekv_model::Class::WriteIo, error)
}
