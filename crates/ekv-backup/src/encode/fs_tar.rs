//! An archive of files that is to be encoded: as a dump in scratch space. Source: `docs/format/fs.md`, section 9.

use std::io::Seek;
use std::path::Path;

use ekv_dump::manifest::{Manifest, Origin, SnapshotOrigin, format_wall_time};
use ekv_dump::{DumpWriter, FsFormat, FsTar, FsTarOptions, TreeOptions, TreeTarget};
use ekv_files::source::ScopedSource;
use ekv_model::{ByteSource, Class, Consumer, Error, Event, Map, Protocol, Result};
use ekv_snapshot::{CommitTs, Input};
use ekv_spill::Spool;

use super::EncodeOptions;
use crate::dump_source::open_archive_file;
use crate::input_place::{InputPlace, STANDARD_INPUT};
use crate::open::{open_other, open_other_stream};
use crate::report::program;
use crate::{Compression, DumpTarget, Progress};

/// Makes a dump of the files in a tar archive, without a name, and opens it; tells how many entries were left out.
///
/// Its moment is the newest time at which any of them was changed, unless another one is given: same archive, same payload.
///
/// # Errors
/// If the archive cannot be read, or holds what no store can hold.
pub(super) fn open_tar_as_dump(
    tar: &Path,
    archive: FsTarOptions,
    options: &EncodeOptions,
    progress: &dyn Progress,
) -> Result<(Box<dyn ScopedSource>, u64)> {
    let resources = &options.resources;
    let scratch = resources.scratch();
    let input = match InputPlace::of(tar) {
        Ok(InputPlace::StandardInput) => {
            open_other_stream(std::io::stdin().lock(), STANDARD_INPUT, resources, &scratch, progress)?
        }
        _ => open_other(tar, resources, &scratch, progress)?,
    };
    let before = input.source.stamp().ok();
    let named = |error: ekv_files::Error| error.at(tar.as_os_str().as_encoded_bytes());
    let files = FsTar::read(&mut input.reader(0, input.len), archive, &scratch).map_err(named)?;
    let newest_ms = u64::try_from(files.newest_mtime_nsec() / 1_000_000).unwrap_or(0).max(1);
    let moment = options.last_commit_ts.map(CommitTs).or(CommitTs::last_of_ms(newest_ms)).unwrap_or_default();

    let mut dump = Spool::new(resources.scratch(), 0).into_file()?;
    let output = Box::new(dump.try_clone().map_err(failed)?);
    let target = DumpTarget::Stream { output, name: "a scratch file".to_owned(), compression: Compression::None };
    let (sink, _) = target.create(options.now, 1, resources)?;
    let tree = TreeOptions { fs_format: FsFormat::Tar { has_special_bits: true }, ..TreeOptions::default() };
    let mut target = TreeTarget::with_options(DumpWriter::new(sink), tree);
    let emitted = files.emit(&Bytes(&input), &|_| true, &mut |event| Ok(target.event(Event::Fs(event))?));
    if input.source.stamp().ok() != before {
        return Err(ekv_snapshot::Error::new(ekv_snapshot::ErrorKind::Changed).in_file(&input.name).into());
    }
    emitted.map_err(named)?;
    let (writer, scopes) = target.finish()?;
    let manifest = Manifest {
        elastickv_version: program(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: moment.0,
        wall_time_iso: format_wall_time(options.now),
        origin: Origin::Snapshot(SnapshotOrigin { fsm_path: tar.display().to_string(), fsm_crc32c: String::new() }),
        adapters: scopes.to_adapters(&Map::only(&[Protocol::Fs])),
        exclusions: ekv_dump::manifest::Exclusions::default(),
        dynamodb_layout: ekv_dump::manifest::DynamodbLayout::default(),
    };
    writer.finish(&manifest.to_bytes::<()>(None).map_err(ekv_files::Error::from)?)?;
    dump.rewind().map_err(failed)?;
    Ok((open_archive_file(tar, dump, resources)?, files.skipped()))
}

/// The bytes of an input.
struct Bytes<'i>(&'i Input);

impl ByteSource for Bytes<'_> {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match self.0.fill_at(offset, buf)? == buf.len() {
            true => Ok(()),
            false => Err(ekv_snapshot::Error::new(ekv_snapshot::ErrorKind::Changed).in_file(&self.0.name).into()),
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Class::WriteIo, error)
}
