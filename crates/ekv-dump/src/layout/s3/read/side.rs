//! What a dump holds of a bucket beyond what clients see; it is not restored. Source: `docs/format/s3.md`, sections 4.6 and 6.

use ekv_files::{DumpPath, Result};
use ekv_model::{Example, Finding};

use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::s3_name::{INCOMPLETE_UPLOADS_DIRECTORY, ORPHANS_DIRECTORY, UPLOAD_RECORDS_FILE};
use crate::verify::structure::{check_orphan_chunk, check_orphan_directory};

/// Files of uploads and chunks that no client sees.
pub const S3_SIDE_RECORDS_NOT_RESTORED: Finding = Finding::warning(
    "s3_side_records_not_restored",
    "directories of unfinished uploads or of chunks without an object, which are not restored: no client sees them",
);

/// A directory of a bucket with records that no client sees.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Uploads,
    Orphans,
}

impl Side {
    /// The directory with this name in a bucket.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            _ if name == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => Some(Side::Uploads),
            _ if name == ORPHANS_DIRECTORY.as_bytes() => Some(Side::Orphans),
            _ => None,
        }
    }

    /// Leaves its files out and says so; other files than its own are refused, as an object might be lost with them.
    pub(super) fn leave_out(self, reading: &mut Reading<'_>, directory: &DumpPath) -> Result<()> {
        let mut files = SideFiles { side: self, directory_len: directory.len(), count: 0 };
        reading.show_below(directory, &mut files)?;
        if files.count > 0 {
            reading.find(S3_SIDE_RECORDS_NOT_RESTORED, || {
                Example::new(Some(directory.as_bytes()), None, format!("{} files are left out", files.count))
            });
        }
        Ok(())
    }

    fn expected(self) -> &'static str {
        match self {
            Side::Uploads => "records.jsonl",
            Side::Orphans => "<object>/gen-<number>/<upload>_<part>_<chunk>_<version>.bin",
        }
    }
}

struct SideFiles {
    side: Side,
    directory_len: usize,
    count: u64,
}

impl SideFiles {
    fn expect(&self, path: &DumpPath, is_known: impl FnOnce(&[u8]) -> bool) -> Result<()> {
        let rest = path.as_bytes().get(self.directory_len.saturating_add(1)..).unwrap_or_default();
        if is_known(rest) { Ok(()) } else { Err(unknown(path, self.side.expected())) }
    }
}

impl Visit for SideFiles {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.expect(path, |rest| match self.side {
            Side::Uploads => false,
            Side::Orphans => check_orphan_directory(rest).is_none(),
        })
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        self.expect(file.path(), |rest| match self.side {
            Side::Uploads => rest == UPLOAD_RECORDS_FILE.as_bytes(),
            Side::Orphans => check_orphan_chunk(rest).is_none(),
        })?;
        self.count = self.count.saturating_add(1);
        file.leave_out();
        Ok(())
    }
}
