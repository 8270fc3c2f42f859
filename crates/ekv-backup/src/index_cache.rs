//! What pass 1 learned of snapshots, kept between runs in a directory of the user. Source: `docs/format/index.md`.
//!
//! Whatever is wrong with the directory or a file in it, a run reads the snapshot as if there were none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_adapters::{Family, Router};
use ekv_files::sink::{DirOptions, ExistingTarget, Fsync, StagedFiles};
use ekv_model::{Monitor, Result};
use ekv_snapshot::format::FOOTER_LEN;
use ekv_snapshot::kept::{Keepable, NotKept, Words, read, scan_to_keep};
use ekv_snapshot::{Error, Input, RecordFile, Scan, ScanOptions, is_own, open_own, scan};
use ekv_spill::Scratch;
use sha2::{Digest, Sha256};

/// Where indexes are kept, and of which snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexCache {
    /// The directory; made if it is missing, with what is missing above it.
    pub directory: PathBuf,
    /// Shorter snapshots are read anew each time; bytes.
    pub len_min: u64,
}

/// What became of the index of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexUse {
    /// It was used: of the snapshot, no more was read than was asked for, and compared with its checksums.
    Used {
        /// The index.
        index: PathBuf,
    },
    /// The snapshot was read as a whole, and its index kept.
    Kept {
        /// The index.
        index: PathBuf,
        /// Length of the index in bytes.
        len: u64,
        /// Why an index that was there already could not be used.
        instead: Option<String>,
    },
    /// The snapshot was read as a whole, and there is no index.
    NotKept {
        /// Why.
        why: String,
    },
}

/// What pass 1 says of a snapshot.
pub(crate) struct Pass1 {
    pub(crate) scan: Scan,
    pub(crate) file: RecordFile,
    /// Beginnings of keys in no known family, with the number of their records.
    pub(crate) unknown_prefixes: Words,
    /// What became of its index, if one was asked for.
    pub(crate) index: Option<IndexUse>,
}

/// Pass 1 over `input`.
///
/// # Errors
/// Those of [`scan`].
pub(crate) fn pass_1(
    input: &Input,
    options: &ScanOptions,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Pass1> {
    let mut router = Router::default();
    let (scan, file) = scan(input, options, &mut router, scratch, monitor)?;
    Ok(Pass1 { scan, file, unknown_prefixes: words(&router), index: None })
}

fn words(router: &Router) -> Words {
    router.unknown_prefixes().map(|(prefix, records)| (prefix.to_vec(), records)).collect()
}

impl IndexCache {
    /// Pass 1 over `input` at its newest state: by its index if that is sound, and otherwise in full, after which the index is kept.
    ///
    /// # Errors
    /// Those of [`scan`].
    pub(crate) fn pass_1(
        &self,
        input: &Input,
        options: &ScanOptions,
        scratch: &Arc<dyn Scratch>,
        monitor: &dyn Monitor,
    ) -> Result<Pass1> {
        let options = &ScanOptions { read_ts: None, ..options.clone() };
        if input.len < self.len_min {
            return pass_1(input, options, scratch, monitor);
        }
        let place = self.place_of(input);
        let instead = match place.as_deref().map(|place| self.open(place, input, scratch)) {
            Some(Ok(Some(found))) if found.scan.totals.entries <= options.entries_max => return Ok(found),
            Some(Err(why)) => Some(why),
            _ => None,
        };
        let mut router = Router::default();
        let (scan, file, keepable) = scan_to_keep(input, options, &mut router, scratch, monitor)?;
        let unknown_prefixes = words(&router);
        let kept = match (keepable, place) {
            (Ok(keepable), Some(place)) => {
                let kept = self.keep(&place, &keepable, &scan, &file, &unknown_prefixes);
                kept.map(|len| IndexUse::Kept { index: place, len, instead })
            }
            (Err(reason), _) => Err(said(reason).to_owned()),
            (_, None) => Err(said(NotKept::Changed).to_owned()),
        };
        let index = Some(kept.unwrap_or_else(|why| IndexUse::NotKept { why }));
        Ok(Pass1 { scan, file, unknown_prefixes, index })
    }

    /// The file in which the index of a snapshot lies, by the footer that it claims.
    fn place_of(&self, input: &Input) -> Option<PathBuf> {
        let mut footer = [0; 4];
        let got = input.fill_at(input.len.checked_sub(FOOTER_LEN)?, &mut footer).ok()?;
        let name = format!("{:08x}-{}.idx", u32::from_be_bytes(footer), input.len);
        (got == footer.len()).then(|| self.directory.join(name))
    }

    /// What an index says; `None` if there is none.
    fn open(&self, place: &Path, input: &Input, scratch: &Arc<dyn Scratch>) -> Result<Option<Pass1>, String> {
        if place.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        self.check_directory()?;
        let (kept, _) = open_own(place).map_err(|error| error.kind().to_string())?;
        let found = read(kept, input, &maker(), scratch).map_err(|why| why.to_string())?;
        let (scan, file, unknown_prefixes) = found;
        let index = Some(IndexUse::Used { index: place.to_path_buf() });
        Ok(Some(Pass1 { scan, file, unknown_prefixes, index }))
    }

    fn check_directory(&self) -> Result<(), String> {
        let name = self.directory.display();
        match fs::metadata(&self.directory) {
            Ok(metadata) if metadata.is_dir() && is_own(&metadata) => Ok(()),
            Ok(_) => Err(format!("{name} is no directory of the caller alone")),
            Err(error) => Err(format!("cannot use {name}: {error}")),
        }
    }

    /// Writes an index; returns its length in bytes.
    fn keep(
        &self,
        place: &Path,
        keepable: &Keepable,
        scan: &Scan,
        file: &RecordFile,
        unknown_prefixes: &Words,
    ) -> Result<u64, String> {
        make_private(&self.directory).map_err(|error| format!("cannot make {}: {error}", self.directory.display()))?;
        self.check_directory()?;
        let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
        let mut files = StagedFiles::create(&[place], options).map_err(|error| error.to_string())?;
        let written = (|| {
            files.begin(0)?;
            let mut out = Counted { files: &mut files, len: 0, failed: None };
            let written = keepable.write(scan, file, unknown_prefixes, &maker(), &mut io::BufWriter::new(&mut out));
            let Counted { len, failed, .. } = out;
            match (failed, written) {
                (Some(error), _) => Err(error),
                (None, Err(source)) => Err(Error::io("write the index", source).into()),
                (None, Ok(())) => {
                    files.end()?;
                    Ok(len)
                }
            }
        })();
        match written {
            Ok(len) => files.publish().map(|_| len).map_err(|error| error.to_string()),
            Err(error) => Err(error.after_cleaning_up(files.abort()).to_string()),
        }
    }
}

/// Makes a directory that is for its owner alone, and what is missing above it.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Tells programs apart that route keys and count records in different ways.
fn maker() -> Vec<u8> {
    let mut families = Sha256::new();
    for family in Family::ALL {
        for part in [family.name().as_bytes(), family.prefix()] {
            families.update(part);
            families.update([0]);
        }
    }
    let families: String = families.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("ekv-backup {} {families}", env!("CARGO_PKG_VERSION")).into_bytes()
}

/// Why there is no index, in words.
fn said(reason: NotKept) -> &'static str {
    match reason {
        NotKept::NoIdentity => "it is no regular file on a system that tells when files change",
        NotKept::Form => "it has no checksum, or is of a form that is rewritten before it is read",
        NotKept::Findings => "something about it is odd, which every run has to find and tell",
        NotKept::Changed => "it was written to meanwhile, or there is no room for scratch files",
    }
}

/// Counts what goes into a file, and keeps the error of it.
struct Counted<'f> {
    files: &'f mut StagedFiles,
    len: u64,
    failed: Option<ekv_model::Error>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.files.write(bytes) {
            self.failed = Some(error.into());
            return Err(io::ErrorKind::Other.into());
        }
        self.len = self.len.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
